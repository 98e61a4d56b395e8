//! Integer units: milli-cores, MiB and micro-dollars per hour. No floats reach the solver.

use super::extended::Extended;
use serde::{Deserialize, Serialize};
use std::ops::{Add, AddAssign, Sub, SubAssign};

/// Money in millionths of the fleet's currency unit; prices are per hour.
pub type Micros = i64;

/// Hours in a month, by convention.
pub const HOURS_PER_MONTH: i64 = 720;

/// Parts per million, the unit of every ratio.
pub const PPM: u64 = 1_000_000;

/// An amount of CPU, memory and extended resources.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Resources {
    /// CPU in thousandths of a core.
    pub milli_cores: u64,
    /// Memory in MiB.
    pub mib: u64,
    /// Extended resources, such as GPUs.
    #[serde(default, skip_serializing_if = "Extended::is_none")]
    pub extended: Extended,
}

impl Resources {
    /// An amount of CPU (milli-cores) and memory (MiB).
    pub const fn new(milli_cores: u64, mib: u64) -> Self {
        Self {
            milli_cores,
            mib,
            extended: Extended::NONE,
        }
    }

    /// The same with these extended resources.
    pub fn with(self, extended: Extended) -> Self {
        Self { extended, ..self }
    }

    /// Whether this amount fits into `room` in every dimension.
    pub fn fits(self, room: Resources) -> bool {
        self.milli_cores <= room.milli_cores
            && self.mib <= room.mib
            && self.extended.fits(room.extended)
    }

    /// What is left after taking `other` away, never below zero.
    pub fn saturating_sub(self, other: Resources) -> Resources {
        Resources {
            milli_cores: self.milli_cores.saturating_sub(other.milli_cores),
            mib: self.mib.saturating_sub(other.mib),
            extended: self.extended.minus(other.extended),
        }
    }

    /// The larger of both in each dimension.
    pub fn or_more(self, other: Resources) -> Resources {
        Resources {
            milli_cores: self.milli_cores.max(other.milli_cores),
            mib: self.mib.max(other.mib),
            extended: self.extended.or_more(other.extended),
        }
    }

    /// This amount `n` times.
    pub fn times(self, n: u64) -> Resources {
        Resources {
            milli_cores: self.milli_cores.saturating_mul(n),
            mib: self.mib.saturating_mul(n),
            extended: self.extended.times(n),
        }
    }
}

impl Add for Resources {
    type Output = Resources;
    fn add(self, other: Resources) -> Resources {
        Resources {
            milli_cores: self.milli_cores + other.milli_cores,
            mib: self.mib + other.mib,
            extended: self.extended.plus(other.extended),
        }
    }
}

impl AddAssign for Resources {
    fn add_assign(&mut self, other: Resources) {
        *self = *self + other;
    }
}

impl Sub for Resources {
    type Output = Resources;
    fn sub(self, other: Resources) -> Resources {
        Resources {
            milli_cores: self.milli_cores - other.milli_cores,
            mib: self.mib - other.mib,
            extended: self.extended.minus(other.extended),
        }
    }
}

impl SubAssign for Resources {
    fn sub_assign(&mut self, other: Resources) {
        *self = *self - other;
    }
}

/// Writes micro-dollars as a plain decimal: `0.192`, `414.72`, `-3`.
pub fn decimal(micros: i128) -> String {
    let sign = if micros < 0 { "-" } else { "" };
    let abs = micros.unsigned_abs();
    let (whole, frac) = (abs / 1_000_000, abs % 1_000_000);
    if frac == 0 {
        return format!("{sign}{whole}");
    }
    let digits = format!("{frac:06}");
    format!("{sign}{whole}.{}", digits.trim_end_matches('0'))
}

/// Writes milli-cores as cores: `2`, `0.5`.
pub(crate) fn cores(milli: u64) -> String {
    decimal(i128::from(milli) * 1000)
}

/// Writes MiB as GiB with at most three decimals: `4`, `0.5`.
pub(crate) fn gib(mib: u64) -> String {
    decimal(i128::from(mib) * 1_000_000 / 1024 / 1000 * 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_written_without_trailing_zeros() {
        assert_eq!(decimal(192_000), "0.192");
        assert_eq!(decimal(414_720_000), "414.72");
        assert_eq!(decimal(-3_000_000), "-3");
        assert_eq!(decimal(0), "0");
        assert_eq!(cores(500), "0.5");
        assert_eq!(gib(4096), "4");
        assert_eq!(gib(512), "0.5");
    }

    #[test]
    fn amounts_add_and_fit_in_both_dimensions() {
        let mut a = Resources::new(1000, 10);
        a += Resources::new(500, 5);
        assert_eq!(a, Resources::new(1500, 15));
        a -= Resources::new(500, 5);
        assert!(a.fits(Resources::new(1000, 10)));
        assert!(!a.fits(Resources::new(999, 10)));
        assert!(!a.fits(Resources::new(1000, 9)));
        assert_eq!(
            a.saturating_sub(Resources::new(2000, 1)),
            Resources::new(0, 9)
        );
        assert_eq!(a.times(3), Resources::new(3000, 30));
        assert_eq!(a + a - a, a);
    }
}
