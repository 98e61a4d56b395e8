//! Files and volumes of a container, which Score writes as a map by path and once wrote as a list.

use std::collections::BTreeMap;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, MapAccess, SeqAccess};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Value, json};

/// Things put into a container, by their path in it. Written as a map or as a list, kept and printed as a map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mounts<T>(pub BTreeMap<String, T>);

impl<T> Default for Mounts<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T> Mounts<T> {
    /// Whether nothing is mounted.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The paths in the container and what is put there, by path.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &T)> {
        self.0.iter().map(|(path, mount)| (path.as_str(), mount))
    }
}

/// What can be mounted: names itself in schemas.
pub trait Mount {
    /// The marker by which the offline validator finds the rules.
    const MARKER: &'static str;

    /// What of it is wrong beyond its schema.
    fn objection(&self) -> Option<&'static str> {
        None
    }
}

/// A file put into a container. Exactly one of `source`, `content` and `binaryContent`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct File {
    /// Permissions in octal, such as `0644`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^0?[0-7]{3}$"))]
    pub mode: Option<String>,
    /// Path of a file beside the document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The text itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// The bytes in Base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binary_content: Option<String>,
    /// Leaves `${...}` as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_expand: Option<bool>,
}

/// A volume mounted into a container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Volume {
    /// Name of the resource of type `Volume`, or a placeholder that resolves to it.
    pub source: String,
    /// Path within the volume.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Forbids writing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_only: Option<bool>,
}

impl Mount for File {
    const MARKER: &'static str = "files";

    fn objection(&self) -> Option<&'static str> {
        let sources = [&self.source, &self.content, &self.binary_content];
        (sources.iter().filter(|source| source.is_some()).count() != 1)
            .then_some("a file has exactly one of source, content and binaryContent")
    }
}

impl Mount for Volume {
    const MARKER: &'static str = "volumes";
}

/// An entry of the list form: the path in the container beside the rest.
#[derive(Deserialize)]
struct ListEntry {
    target: String,
    #[serde(flatten)]
    rest: serde_json::Map<String, serde_json::Value>,
}

impl<T: Serialize> Serialize for Mounts<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(&self.0)
    }
}

struct MountsVisitor<T>(PhantomData<T>);

impl<'de, T: de::DeserializeOwned> de::Visitor<'de> for MountsVisitor<T> {
    type Value = Mounts<T>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a map by path in the container, or a list of entries with `target`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut mounts = BTreeMap::new();
        while let Some((path, mount)) = map.next_entry::<String, T>()? {
            mounts.insert(path, mount);
        }
        Ok(Mounts(mounts))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut mounts = BTreeMap::new();
        while let Some(entry) = seq.next_element::<ListEntry>()? {
            let mount = serde_json::from_value(entry.rest.into()).map_err(de::Error::custom)?;
            mounts.insert(entry.target, mount);
        }
        Ok(Mounts(mounts))
    }
}

impl<'de, T: de::DeserializeOwned> Deserialize<'de> for Mounts<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(MountsVisitor(PhantomData))
    }
}

impl<T: Mount + JsonSchema> JsonSchema for Mounts<T> {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        T::MARKER.into()
    }

    fn inline_schema() -> bool {
        true
    }

    /// A map or a list: a union that a structural schema states by leaving the type out.
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mount = T::json_schema(generator);
        let mut entry = mount.clone();
        if let Some(Value::Object(properties)) = entry.get_mut("properties") {
            properties.insert(
                "target".to_owned(),
                json!({"type": "string", "minLength": 1, "maxLength": 2048}),
            );
        }
        let mut required = entry
            .get("required")
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default();
        required.push("target".into());
        entry.insert("required".to_owned(), required.into());
        json_schema!({
            "x-kubernetes-preserve-unknown-fields": true,
            "x-lattice-type": T::MARKER,
            "additionalProperties": mount,
            "items": entry,
            "maxItems": 256,
            "maxProperties": 256,
            "minimum": 1,
            "maximum": 0,
            "minLength": 1,
            "maxLength": 0,
            "not": {"enum": [true, false]},
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use serde_json::json;

    #[test]
    fn a_list_reads_as_a_map() {
        let list = json!([{"target": "/etc/app.yaml", "mode": "0644", "content": "a: 1", "noExpand": true}]);
        let files: Mounts<File> = serde_json::from_value(list).unwrap();
        let map = json!({"/etc/app.yaml": {"mode": "0644", "content": "a: 1", "noExpand": true}});
        assert_eq!(serde_json::to_value(&files).unwrap(), map);
        assert_eq!(serde_json::from_value::<Mounts<File>>(map).unwrap(), files);
    }

    #[test]
    fn volumes_in_both_forms() {
        let list = json!([{"target": "/data", "source": "${resources.disk}", "path": "sub", "readOnly": true}]);
        let volumes: Mounts<Volume> = serde_json::from_value(list).unwrap();
        assert_eq!(volumes.iter().next().unwrap().0, "/data");
    }
}
