//! How many replicas of each service there are somewhere, as one number.

/// Bits for each service: more than enough for [`super::REPLICAS`].
const BITS: usize = 6;

/// Replicas of each service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Load(u64);

impl Load {
    pub fn of(s: usize, n: u32) -> Load {
        Load(u64::from(n) << (s * BITS))
    }

    pub fn replicas(self, s: usize) -> u32 {
        ((self.0 >> (s * BITS)) & ((1 << BITS) - 1)) as u32
    }

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub fn plus(self, other: Load) -> Load {
        Load(self.0 + other.0)
    }

    /// Without `other`, which must be part of it.
    pub fn less(self, other: Load) -> Load {
        Load(self.0 - other.0)
    }

    /// Only the replicas of services that a mask, made of such loads, names.
    pub fn only(self, mask: Load) -> Load {
        Load(self.0 & mask.0)
    }

    /// A mask of one service.
    pub fn mask(s: usize) -> Load {
        Load(((1 << BITS) - 1) << (s * BITS))
    }
}
