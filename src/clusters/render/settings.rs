//! The settings of a provider: those that Lattice knows are taken out, the rest is handed on as it is.

use serde_json::{Map, Value};

use super::error::RenderProblem;
use super::manifest::overlay;
use crate::api::ProviderType;
use crate::api::cluster_provider::ProviderConfig;

/// A cluster's provider settings, while they are read.
#[derive(Clone, Debug, Default)]
pub(super) struct Settings {
    /// Where they stand.
    path: String,
    left: Map<String, Value>,
}

/// Why a setting cannot be used: its path, and what is wrong.
pub(super) type Wrong = (String, RenderProblem);

impl Settings {
    /// The settings of a provider: the cluster's over those of its pool.
    pub fn read(
        config: Option<&ProviderConfig>,
        pool: Option<&Map<String, Value>>,
        provider: ProviderType,
    ) -> Self {
        // A config of these types is always an object by field names.
        let written = config.and_then(|config| serde_json::to_value(config).ok());
        let own = written
            .as_ref()
            .and_then(|config| config.get(provider.as_str()));
        let mut left = Value::Object(pool.cloned().unwrap_or_default());
        overlay(
            &mut left,
            own.and_then(Value::as_object).unwrap_or(&Map::new()),
        );
        Self {
            path: format!("spec.provider.config.{provider}"),
            left: left.as_object().cloned().unwrap_or_default(),
        }
    }

    /// Where a setting stands.
    pub fn path(&self, name: &str) -> String {
        format!("{}.{name}", self.path)
    }

    /// Takes out a text.
    pub fn text(&mut self, name: &str) -> Result<Option<String>, Wrong> {
        self.take(name, "a text", |value| value.as_str().map(str::to_owned))
    }

    /// Takes out a whole number.
    pub fn number(&mut self, name: &str) -> Result<Option<u32>, Wrong> {
        self.take(name, "a whole number", |value| {
            value.as_u64().and_then(|number| u32::try_from(number).ok())
        })
    }

    /// Takes out a list of texts; empty if it is not there.
    pub fn texts(&mut self, name: &str) -> Result<Vec<String>, Wrong> {
        let taken = self.take(name, "a list of texts", |value| {
            let texts = value.as_array()?.iter();
            texts.map(|text| text.as_str().map(str::to_owned)).collect()
        })?;
        Ok(taken.unwrap_or_default())
    }

    /// Takes out an object; empty if it is not there.
    pub fn object(&mut self, name: &str) -> Result<Map<String, Value>, Wrong> {
        let taken = self.take(name, "an object", |value| value.as_object().cloned())?;
        Ok(taken.unwrap_or_default())
    }

    /// Whether a setting is among those that are handed on.
    pub fn has(&self, name: &str) -> bool {
        self.left.contains_key(name)
    }

    /// What is handed on.
    pub fn rest(&self) -> &Map<String, Value> {
        &self.left
    }

    fn take<T>(
        &mut self,
        name: &str,
        expected: &'static str,
        read: impl FnOnce(&Value) -> Option<T>,
    ) -> Result<Option<T>, Wrong> {
        match self.left.remove(name) {
            None => Ok(None),
            Some(value) => match read(&value) {
                Some(read) => Ok(Some(read)),
                None => Err((self.path(name), RenderProblem::WrongSetting(expected))),
            },
        }
    }
}
