//! Other policies in place of those recorded.

use std::collections::{BTreeMap, BTreeSet};

use kube::ResourceExt;

use super::document::PolicyUse;
use crate::api::LatticePlacementPolicy;
use crate::placement::snapshot::{policy, selects};
use crate::scheduler::model::{Policy, Snapshot};

/// Why policies cannot be tried.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// There is none.
    #[error("there is no LatticePlacementPolicy to try")]
    None,
    /// Two have the same name.
    #[error("there are two LatticePlacementPolicies `{0}`; which of them is to be tried?")]
    Twice(String),
}

/// Policies that are tried, and what was seen of them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Policies {
    tried: BTreeMap<String, Policy>,
    replaces: BTreeSet<String>,
    matched: BTreeMap<String, u32>,
    /// Policies whose control plane's node class a decision did not know.
    classless: BTreeSet<(String, String)>,
}

impl Policies {
    /// Policies to try.
    ///
    /// # Errors
    /// When there is none, or two of the same name.
    pub fn new(objects: &[LatticePlacementPolicy]) -> Result<Self, PolicyError> {
        let mut tried = BTreeMap::new();
        for object in objects {
            let name = object.name_any();
            if tried.insert(name.clone(), policy(&name, object)).is_some() {
                return Err(PolicyError::Twice(name));
            }
        }
        if tried.is_empty() {
            return Err(PolicyError::None);
        }
        Ok(Self {
            tried,
            ..Self::default()
        })
    }

    /// Puts the policies into a snapshot.
    pub(super) fn put_into(&mut self, snapshot: &mut Snapshot) {
        for recorded in &snapshot.policies {
            if self.tried.contains_key(&recorded.name) {
                self.replaces.insert(recorded.name.clone());
            }
        }
        let kept = |policy: &Policy| !self.tried.contains_key(&policy.name);
        snapshot.policies.retain(kept);
        snapshot.policies.extend(self.tried.values().cloned());
        for (name, policy) in &self.tried {
            let services = snapshot.services.iter();
            let matched = services.filter(|s| selects(&policy.selector, &s.labels));
            let matched = u32::try_from(matched.count()).unwrap_or(u32::MAX);
            let most = self.matched.entry(name.clone()).or_default();
            *most = matched.max(*most);
            let rules = policy.cluster_policy.as_ref();
            let class = rules.and_then(|rules| rules.control_plane.class.as_ref());
            let known = |class: &String| snapshot.node_classes.iter().any(|c| c.name == *class);
            if let Some(class) = class.filter(|class| !known(class)) {
                self.classless.insert((name.clone(), class.clone()));
            }
        }
    }

    /// What was seen of them.
    pub(super) fn used(&self) -> Vec<PolicyUse> {
        let names = self.tried.keys();
        let used = names.map(|name| PolicyUse {
            name: name.clone(),
            replaces: self.replaces.contains(name),
            matched_services: self.matched.get(name).copied().unwrap_or(0),
        });
        used.collect()
    }

    /// What a person should know of them.
    pub(super) fn notes(&self) -> Vec<String> {
        let idle = self.matched.iter().filter(|(_, matched)| **matched == 0);
        let idle = idle.map(|(name, _)| {
            format!("policy {name}: its selector matches no service of these decisions")
        });
        let classless = self.classless.iter().map(|(name, class)| {
            format!("policy {name}: control planes are to be of node class `{class}`, which not every decision knows")
        });
        idle.chain(classless).collect()
    }
}
