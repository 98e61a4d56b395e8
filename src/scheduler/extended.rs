//! Extended resources, such as GPUs: whole numbers of what a snapshot names.

use serde::{Deserialize, Serialize};

/// Most different extended resources of one snapshot.
pub const MOST_EXTENDED: usize = 8;

/// How many there are of each extended resource, by its place among the names of the snapshot. So many of
/// one that they do not fit into 16 bits count as the most that do.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(try_from = "Vec<u16>", into = "Vec<u16>")]
pub struct Extended([u16; MOST_EXTENDED]);

impl Extended {
    /// Nothing.
    pub const NONE: Extended = Extended([0; MOST_EXTENDED]);

    /// As many as `amounts` say, by place; what has no place is left out.
    pub fn new(amounts: impl IntoIterator<Item = (usize, u64)>) -> Self {
        let mut made = Extended::default();
        for (place, amount) in amounts {
            if let Some(known) = made.0.get_mut(place) {
                *known = u16::try_from(amount).unwrap_or(u16::MAX);
            }
        }
        made
    }

    /// How many there are of the resource at a place.
    pub fn get(self, place: usize) -> u64 {
        self.0.get(place).copied().map_or(0, u64::from)
    }

    /// The places of which there is something, with how many.
    pub fn iter(self) -> impl Iterator<Item = (usize, u64)> {
        let amounts = self.0.into_iter().map(u64::from).enumerate();
        amounts.filter(|(_, amount)| *amount > 0)
    }

    /// The same with another number of the resource at a place.
    pub fn at(self, place: usize, amount: u64) -> Self {
        Extended::new(
            self.iter()
                .filter(|(p, _)| *p != place)
                .chain([(place, amount)]),
        )
    }

    /// Whether there is nothing.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// Whether all of this is in `room`.
    pub fn fits(self, room: Self) -> bool {
        self.is_none() || self.0.iter().zip(room.0).all(|(asked, has)| *asked <= has)
    }

    /// Whether there is something of which `asked` has nothing.
    pub(crate) fn is_more_than_asked(self, asked: Self) -> bool {
        (self.0.iter().zip(asked.0)).any(|(has, asked)| *has > 0 && asked == 0)
    }

    /// Both together.
    pub(crate) fn plus(self, other: Self) -> Self {
        self.with(other, u16::saturating_add)
    }

    /// What is left after taking `other` away, never below zero.
    pub(crate) fn minus(self, other: Self) -> Self {
        self.with(other, u16::saturating_sub)
    }

    /// The larger of both at each place.
    pub(crate) fn or_more(self, other: Self) -> Self {
        self.with(other, u16::max)
    }

    /// This so many times.
    pub(crate) fn times(self, n: u64) -> Self {
        if self.is_none() {
            return self;
        }
        let n = u16::try_from(n).unwrap_or(u16::MAX);
        Extended(self.0.map(|amount| amount.saturating_mul(n)))
    }

    /// Of both at each place; mostly nothing is asked for, which changes nothing.
    fn with(self, other: Self, of: impl Fn(u16, u16) -> u16) -> Self {
        if other.is_none() {
            return self;
        }
        Extended(std::array::from_fn(|place| {
            of(self.0[place], other.0[place])
        }))
    }
}

impl From<Extended> for Vec<u16> {
    fn from(extended: Extended) -> Vec<u16> {
        let last = extended.0.iter().rposition(|amount| *amount > 0);
        extended.0[..last.map_or(0, |last| last + 1)].to_vec()
    }
}

impl TryFrom<Vec<u16>> for Extended {
    type Error = String;
    fn try_from(amounts: Vec<u16>) -> Result<Self, String> {
        if amounts.len() > MOST_EXTENDED {
            return Err(format!(
                "{} extended resources, where {MOST_EXTENDED} is the most",
                amounts.len()
            ));
        }
        let amounts = amounts.into_iter().map(u64::from);
        Ok(Extended::new(amounts.enumerate()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_resource_counts_for_itself() {
        let node = Extended::new([(0, 4), (3, 1)]);
        let asked = Extended::new([(0, 2)]);
        assert!(asked.fits(node) && !node.fits(asked));
        assert!(!Extended::new([(1, 1)]).fits(node));
        assert_eq!(node.at(0, 0), Extended::new([(3, 1)]));
        assert_eq!(asked.at(3, 1).at(0, 4), node);
        assert_eq!(node.minus(asked), Extended::new([(0, 2), (3, 1)]));
        assert_eq!(asked.minus(node), Extended::default());
        assert_eq!(node.plus(asked).times(2), Extended::new([(0, 12), (3, 2)]));
        assert!(node.is_more_than_asked(asked));
        assert!(!asked.is_more_than_asked(asked));
    }

    #[test]
    fn the_most_is_never_passed() {
        let many = Extended::new([(0, 70_000)]);
        assert_eq!(many.get(0), 65_535);
        assert_eq!(many.plus(many), many);
        assert_eq!(many.times(1 << 20), many);
        assert_eq!(Extended::new([(MOST_EXTENDED, 1)]), Extended::default());
    }

    #[test]
    fn it_is_written_as_short_as_it_can_be() {
        let some = Extended::new([(1, 2)]);
        assert_eq!(serde_json::to_string(&some).unwrap(), "[0,2]");
        assert_eq!(serde_json::to_string(&Extended::default()).unwrap(), "[]");
        assert_eq!(serde_json::from_str::<Extended>("[0,2]").unwrap(), some);
        assert!(serde_json::from_str::<Extended>("[0,0,0,0,0,0,0,0,1]").is_err());
    }
}
