//! On-demand and spot capacity, and what the risk of spot is taken to cost.

use super::units::{HOURS_PER_MONTH, Micros, PPM};
use super::zones::zone_of;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Micro-dollars that one interruption of a replica is taken to cost: pulling the image, starting up,
/// disruption.
pub const INTERRUPTION: Micros = 100_000;

/// How firmly a machine is had.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum CapacityType {
    /// For as long as one wants.
    #[default]
    OnDemand,
    /// Until the provider wants it back.
    Spot,
}

impl CapacityType {
    /// Whether it is what machines are without further word.
    pub fn is_on_demand(&self) -> bool {
        *self == CapacityType::OnDemand
    }

    /// The name of a node class as this type of capacity: `large`, `large/spot`. No node class has a slash in
    /// its own name.
    pub fn offer(self, class: &str) -> String {
        match self {
            CapacityType::OnDemand => class.to_owned(),
            CapacityType::Spot => format!("{class}/{self}"),
        }
    }
}

impl fmt::Display for CapacityType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CapacityType::OnDemand => "on-demand",
            CapacityType::Spot => "spot",
        })
    }
}

/// A node class and the type of capacity, from the name that [`CapacityType::offer`] makes of them, in
/// whatever zone.
pub fn class_of(offer: &str) -> (&str, CapacityType) {
    let (offer, _) = zone_of(offer);
    match offer.split_once('/') {
        Some((class, _)) => (class, CapacityType::Spot),
        None => (offer, CapacityType::OnDemand),
    }
}

/// The types of capacity that a service may run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CapacityTypes {
    /// On-demand machines.
    pub on_demand: bool,
    /// Spot machines.
    pub spot: bool,
}

impl Default for CapacityTypes {
    fn default() -> Self {
        Self {
            on_demand: true,
            spot: false,
        }
    }
}

impl CapacityTypes {
    /// Every type.
    pub const ALL: CapacityTypes = CapacityTypes {
        on_demand: true,
        spot: true,
    };

    /// Whether a type is among them.
    pub fn contains(self, capacity: CapacityType) -> bool {
        match capacity {
            CapacityType::OnDemand => self.on_demand,
            CapacityType::Spot => self.spot,
        }
    }

    /// Whether it is what services that say nothing run on.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for CapacityTypes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let types = [CapacityType::OnDemand, CapacityType::Spot];
        let named = types.into_iter().filter(|one| self.contains(*one));
        let named: Vec<String> = named.map(|one| one.to_string()).collect();
        f.write_str(&named.join(", "))
    }
}

/// What the risk to one replica is taken to cost an hour, rounded up: so many interruptions a month, in
/// millionths, each at its price.
pub(crate) fn risk(interruptions: u64) -> Micros {
    let monthly = u128::from(interruptions) * u128::from(INTERRUPTION.unsigned_abs());
    let hours = u128::from(PPM) * u128::from(HOURS_PER_MONTH.unsigned_abs());
    Micros::try_from(monthly.div_ceil(hours)).unwrap_or(Micros::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offer_is_named_by_class_and_type_and_read_back() {
        for capacity in [CapacityType::OnDemand, CapacityType::Spot] {
            let name = capacity.offer("m5.large");
            assert_eq!(class_of(&name), ("m5.large", capacity));
        }
        assert_eq!(CapacityType::Spot.offer("large"), "large/spot");
        assert_eq!(CapacityTypes::ALL.to_string(), "on-demand, spot");
        assert!(!CapacityTypes::default().contains(CapacityType::Spot));
    }

    #[test]
    fn risk_is_interruptions_times_their_price() {
        assert_eq!(risk(0), 0);
        // 7.2 a month at 0.1 each are 0.72 a month, a thousandth an hour.
        assert_eq!(risk(7_200_000), 1000);
        assert_eq!(risk(1), 1, "never nothing");
        assert_eq!(risk(u64::MAX), 2_562_047_788_015_216);
    }
}
