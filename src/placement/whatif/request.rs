//! What is asked, as it is typed.

use std::fmt;
use std::str::FromStr;

use super::{Factor, WhatIfError};
use crate::scheduler::model::{Pool, Selector};

/// What pools are taken together by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Each on its own.
    Pool,
    /// By their region.
    Region,
    /// By their provider.
    Provider,
    /// By zone, of which a pool may have several.
    Zone,
}

impl Scope {
    /// What a pool, or each part of it, is called by this. A zone is called by its region too: providers use the
    /// same names in all of them.
    pub(super) fn names(self, pool: &Pool) -> Vec<String> {
        match self {
            Scope::Pool => vec![pool.name.clone()],
            Scope::Region => vec![pool.region.clone()],
            Scope::Provider => vec![pool.provider.clone()],
            Scope::Zone => {
                let zones = pool.zone.iter().chain(&pool.zones);
                zones
                    .map(|zone| format!("{}/{zone}", pool.region))
                    .collect()
            }
        }
    }

    /// Whether a pool, or part of it, is meant by a name. The region of a zone may be left out.
    pub(super) fn has(self, pool: &Pool, name: &str) -> bool {
        match self {
            Scope::Zone => {
                let mut zones = pool.zone.iter().chain(&pool.zones);
                zones.any(|zone| is_zone(pool, zone, name))
            }
            _ => self.names(pool).iter().any(|other| other == name),
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Scope::Pool => "pool",
            Scope::Region => "region",
            Scope::Provider => "provider",
            Scope::Zone => "zone",
        }
    }

    fn read(text: &str) -> Option<Self> {
        [Scope::Pool, Scope::Region, Scope::Provider, Scope::Zone]
            .into_iter()
            .find(|scope| scope.name() == text)
    }
}

/// Whether a name, with its region or without, is that of a zone.
pub(super) fn is_zone(pool: &Pool, zone: &str, name: &str) -> bool {
    name == zone || name.strip_suffix(zone).and_then(|r| r.strip_suffix('/')) == Some(&pool.region)
}

/// Pools that are gone, with all their clusters; of pools with several zones, what is in the zone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Loss {
    /// What the name is of.
    pub scope: Scope,
    /// The name.
    pub name: String,
}

impl FromStr for Loss {
    type Err = WhatIfError;

    fn from_str(text: &str) -> Result<Self, WhatIfError> {
        let read = text.split_once('=').and_then(|(scope, name)| {
            let scope = Scope::read(scope)?;
            let name = Some(name).filter(|name| !name.is_empty())?;
            Some(Self {
                scope,
                name: name.to_owned(),
            })
        });
        read.ok_or_else(|| WhatIfError::Loss(text.to_owned()))
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "lose {} {}", self.scope.name(), self.name)
    }
}

/// Prices that are other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PriceChange {
    /// What the name is of; without, a provider or a pool.
    pub scope: Option<Scope>,
    /// The name.
    pub name: String,
    /// How many times as much.
    pub factor: Factor,
}

impl FromStr for PriceChange {
    type Err = WhatIfError;

    fn from_str(text: &str) -> Result<Self, WhatIfError> {
        let malformed = || WhatIfError::Price(text.to_owned());
        let (target, factor) = text.rsplit_once('=').ok_or_else(malformed)?;
        let (scope, name) = match target.split_once('=') {
            Some((scope, name)) => {
                // All zones of a pool have one price.
                let scope = Scope::read(scope).filter(|scope| *scope != Scope::Zone);
                (Some(scope.ok_or_else(malformed)?), name)
            }
            None => (None, target),
        };
        if name.is_empty() {
            return Err(malformed());
        }
        Ok(Self {
            scope,
            name: name.to_owned(),
            factor: Factor::parse(factor)?,
        })
    }
}

impl fmt::Display for PriceChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scope = self
            .scope
            .map_or(String::new(), |s| format!("{} ", s.name()));
        write!(f, "prices of {scope}{} ×{}", self.name, self.factor)
    }
}

/// A series of growing factors, from 1 until something has no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sweep {
    /// From one factor to the next.
    pub step: Factor,
    /// The last factor that is tried.
    pub to: Factor,
}

/// What is asked. Losses, prices and growth hold at once; the series are over them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// What is lost.
    pub losses: Vec<Loss>,
    /// What costs more or less.
    pub prices: Vec<PriceChange>,
    /// How many times as many replicas there are.
    pub growth: Option<Factor>,
    /// The services that grow; all without.
    pub selector: Option<Selector>,
    /// Lose each pool, region or provider in turn.
    pub n_minus_1: Option<Scope>,
    /// Grow step by step.
    pub sweep: Option<Sweep>,
    /// Place everything anew, instead of from where the plan has it.
    pub afresh: bool,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn losses_are_of_a_pool_a_region_or_a_provider() {
        let loss: Loss = "region=eu".parse().unwrap();
        assert_eq!((loss.scope, loss.name.as_str()), (Scope::Region, "eu"));
        assert_eq!(loss.to_string(), "lose region eu");
        for text in ["eu", "region=", "=eu", "zones=a", "", "Region=eu"] {
            let error = text.parse::<Loss>().unwrap_err().to_string();
            assert!(
                error.contains("pool=NAME, region=NAME, provider=NAME or zone=NAME"),
                "{error}"
            );
        }
    }

    #[test]
    fn prices_are_of_a_name_with_or_without_its_scope() {
        let change: PriceChange = "aws=+20%".parse().unwrap();
        assert_eq!((change.scope, change.name.as_str()), (None, "aws"));
        assert_eq!(change.to_string(), "prices of aws ×1.2");
        let change: PriceChange = "region=eu=0.5".parse().unwrap();
        assert_eq!(change.scope, Some(Scope::Region));
        assert_eq!(change.to_string(), "prices of region eu ×0.5");
        for (text, words) in [
            ("aws", "NAME is a provider or a pool"),
            ("=+20%", "NAME is a provider or a pool"),
            ("zone=a=2", "NAME is a provider or a pool"),
            ("aws=", "is no factor"),
            ("aws=20%", "20% more"),
        ] {
            let error = text.parse::<PriceChange>().unwrap_err().to_string();
            assert!(error.contains(words), "{text}: {error}");
        }
    }
}
