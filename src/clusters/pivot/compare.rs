//! What has to be written for a copy to be like its original.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    View,
    canonical::form,
    copy::lacks_field_owners,
    decide::Action,
    deed::{ORIGIN, origin},
    object::{Key, Object},
    pause::is_paused,
};

/// The writes that make a copy that is not there.
pub(super) fn made(key: &Key, object: &Object) -> Vec<Action> {
    let mut actions = vec![Action::Copy(key.clone())];
    if object.0.get("status").is_some() {
        actions.push(Action::CopyStatus(key.clone()));
    }
    actions.push(Action::CopyFieldOwners(key.clone()));
    actions
}

/// Compares copies with what they are copies of.
pub(super) struct Same<'a> {
    source: BTreeMap<&'a str, &'a Key>,
    target: BTreeMap<&'a str, &'a Key>,
    cluster_uid: &'a str,
}

impl<'a> Same<'a> {
    pub(super) fn of(source: &'a View, target: &'a View, cluster_uid: &'a str) -> Self {
        Self {
            source: source.uids(),
            target: target.uids(),
            cluster_uid,
        }
    }

    /// The writes that make a copy like the object again.
    pub(super) fn again(&self, key: &Key, object: &Object, held: &Object) -> Vec<Action> {
        let wanted = form(object, &self.source);
        let found = form(held, &self.target);
        let but_status = |form: &Value| {
            let mut form = form.clone();
            form.as_object_mut().map(|map| map.remove("status"));
            form
        };
        let stray = held.annotation(ORIGIN) != Some(&origin(self.cluster_uid, object.uid()));
        let resumed = is_paused(object) != is_paused(held);
        let mut actions = Vec::new();
        if but_status(&wanted) != but_status(&found) || stray || resumed {
            actions.push(Action::Recopy(key.clone()));
        }
        if wanted.get("status") != found.get("status") {
            actions.push(Action::CopyStatus(key.clone()));
        }
        if lacks_field_owners(object, held) {
            actions.push(Action::CopyFieldOwners(key.clone()));
        }
        actions
    }
}
