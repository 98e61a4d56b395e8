//! References to credentials.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where credentials are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Credentials {
    /// Name of a Secret in the operator's namespace.
    #[schemars(length(min = 1, max = 253))]
    pub secret_ref: String,
}
