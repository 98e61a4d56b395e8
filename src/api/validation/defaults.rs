//! Defaults of a schema, filled in as the API server does: nulls are dropped, then defaults are filled in from
//! the outside inwards.

use serde_json::Value;

use super::node::Node;

/// Fills in the defaults of a value and of all values in it.
pub(super) fn fill(node: &Node, value: &mut Value) {
    match value {
        Value::Object(object) => {
            object.retain(|name, value| !value.is_null() || node.property(name).is_none());
            for (name, property) in &node.properties {
                if let Some(default) = property
                    .default
                    .as_ref()
                    .filter(|_| !object.contains_key(name))
                {
                    object.insert(name.clone(), default.clone());
                }
            }
            for (name, value) in object {
                if let Some(property) = node.property(name) {
                    fill(property, value);
                }
            }
        }
        Value::Array(list) => {
            if let Some(entries) = &node.items {
                list.iter_mut().for_each(|value| fill(entries, value));
            }
        }
        _ => {}
    }
}
