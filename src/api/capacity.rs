//! On-demand and spot capacity, as people write it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::node_class::{Price, prices_schema};
use super::provider_type::ProviderType;
use super::ratio::Ratio;
use crate::scheduler::capacity;

/// How firmly a machine is had.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum CapacityType {
    /// For as long as one wants.
    #[default]
    OnDemand,
    /// Until the provider wants it back.
    Spot,
}

impl From<CapacityType> for capacity::CapacityType {
    fn from(written: CapacityType) -> Self {
        match written {
            CapacityType::OnDemand => Self::OnDemand,
            CapacityType::Spot => Self::Spot,
        }
    }
}

impl From<capacity::CapacityType> for CapacityType {
    fn from(meant: capacity::CapacityType) -> Self {
        match meant {
            capacity::CapacityType::OnDemand => Self::OnDemand,
            capacity::CapacityType::Spot => Self::Spot,
        }
    }
}

/// A machine as spot capacity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Spot {
    /// Price of an hour by provider, as in `costPerHour` of the class. Without a price for a provider there is no
    /// spot capacity there.
    #[schemars(schema_with = "prices_schema")]
    pub cost_per_hour: BTreeMap<ProviderType, Price>,
    /// Interruptions that a machine is expected to see in a month of 720 hours, such as 0.5.
    #[schemars(range(min = 0, max = 720))]
    pub interruptions_per_month: Ratio,
}
