//! The schema of the answer.

use serde_json::Value;

use super::document::{SIMULATION_API_VERSION, SIMULATION_KIND, Simulation};

/// The JSON Schema of the document.
pub fn simulation_schema() -> Value {
    let mut schema = schemars::schema_for!(Simulation).to_value();
    schema["$id"] = Value::from("https://lattice.dev/schema/simulate.v1.json");
    let constants = [
        ("apiVersion", SIMULATION_API_VERSION),
        ("kind", SIMULATION_KIND),
    ];
    for (field, value) in constants {
        schema["properties"][field]["const"] = Value::from(value);
    }
    schema
}
