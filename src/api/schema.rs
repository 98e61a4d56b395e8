//! Schemas of the kinds, as the API server takes them.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::JSONSchemaProps;
use kube::core::schema::{OptionalEnum, OptionalIntOrString, StructuralSchemaRewriter};
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use schemars::transform::AddNullable;
use serde_json::{Map, Value};

/// The structural schema of a type, with the `x-lattice-type` markers that only the offline validator reads.
pub(crate) fn structural<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::openapi3().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    let generator = settings
        .with_transform(AddNullable::default())
        .with_transform(StructuralSchemaRewriter)
        .with_transform(OptionalEnum)
        .with_transform(OptionalIntOrString)
        .into_generator();
    let mut schema = generator.into_root_schema_for::<T>().to_value();
    tidy(&mut schema);
    schema
}

/// The schema without our markers, for a CRD.
pub(crate) fn props(schema: &Value) -> Result<JSONSchemaProps, serde_json::Error> {
    serde_json::from_value(schema.clone())
}

/// Takes out what the API server does not know or what would make rules fail.
fn tidy(schema: &mut Value) {
    let Some(object) = schema.as_object_mut() else {
        return;
    };
    // A null that is let through makes `has()` true for a field that holds nothing.
    object.remove("nullable");
    object.remove("title");
    if object.get("default").is_some_and(Value::is_null) {
        object.remove("default");
    }
    // The API server warns of formats that it does not know.
    if object
        .get("format")
        .and_then(Value::as_str)
        .is_some_and(|format| !is_known_format(format))
    {
        object.remove("format");
    }
    let open = object.get("x-kubernetes-preserve-unknown-fields") == Some(&Value::Bool(true));
    if open && matches!(object.get("additionalProperties"), Some(Value::Bool(true))) {
        object.remove("additionalProperties");
    }
    for key in ["items", "additionalProperties"] {
        if let Some(child) = object.get_mut(key) {
            tidy(child);
        }
    }
    if let Some(properties) = object.get_mut("properties").and_then(Value::as_object_mut) {
        tidy_all(properties);
    }
}

fn tidy_all(properties: &mut Map<String, Value>) {
    properties.values_mut().for_each(tidy);
}

fn is_known_format(format: &str) -> bool {
    matches!(format, "int32" | "int64" | "double" | "date-time")
}
