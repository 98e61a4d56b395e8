//! How large a generated fleet is.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Services and pools, written as `1000x10`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Size {
    pub services: u64,
    pub pools: u64,
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text
            .split_once('x')
            .and_then(|(services, pools)| Some((services.parse().ok()?, pools.parse().ok()?)));
        match parts {
            Some((services, pools)) if services > 0 && pools > 0 => Ok(Size { services, pools }),
            _ => Err("a size is SERVICESxPOOLS, such as 10000x100".to_owned()),
        }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.services, self.pools)
    }
}
