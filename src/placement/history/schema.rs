//! The schema of the answer.

use serde_json::Value;

use super::document::{REPLAY_API_VERSION, REPLAY_KIND, Replay};

/// The JSON Schema of the document.
pub fn replay_schema() -> Value {
    let mut schema = schemars::schema_for!(Replay).to_value();
    schema["$id"] = Value::from("https://lattice.dev/schema/replay.v1.json");
    for (field, value) in [("apiVersion", REPLAY_API_VERSION), ("kind", REPLAY_KIND)] {
        schema["properties"][field]["const"] = Value::from(value);
    }
    schema
}
