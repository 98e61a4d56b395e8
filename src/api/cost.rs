//! Costs in statuses.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::money::Money;

/// What something costs while it runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HourlyCost {
    /// Units of currency per hour.
    pub hourly: Money,
}

/// What a service costs in all its places.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TotalCost {
    /// Units of currency per hour.
    pub hourly: Money,
    /// Units of currency per 30 days (720 hours) if nothing changes.
    #[serde(rename = "projected30Day")]
    pub projected_30_day: Money,
}
