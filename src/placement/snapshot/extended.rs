//! The names of extended resources, and amounts of them as the snapshot has them.

use std::collections::{BTreeMap, BTreeSet};

use super::Problem;
use super::names::Unique;
use crate::placement::problem::nearest;
use crate::scheduler::extended::{Extended, MOST_EXTENDED};
use crate::scheduler::model::ServiceId;

/// The names that amounts can speak of: those of the node classes first, then those that only services know.
pub(super) fn names(names: &Unique<'_>, problems: &mut Vec<Problem>) -> BTreeSet<String> {
    let mut known = BTreeSet::new();
    for (class, name) in of_classes(names) {
        if known.len() < MOST_EXTENDED || known.contains(&name) {
            known.insert(name);
            continue;
        }
        let path = ["spec", "resources", "extended"];
        problems.push(Problem::error(
            "LatticeNodeClass",
            class,
            &path,
            too_many(&name),
        ));
    }
    for service in names.services.values() {
        for name in service.spec.extended().into_keys() {
            if known.len() < MOST_EXTENDED {
                known.insert(name.to_owned());
            }
        }
    }
    known
}

fn of_classes<'a>(names: &'a Unique<'_>) -> impl Iterator<Item = (&'a str, String)> {
    names.node_classes.iter().flat_map(|(class, object)| {
        let all = object.spec.resources.all_extended().into_keys();
        all.map(move |name| (class.as_str(), name))
    })
}

fn too_many(name: &str) -> String {
    format!(
        "`{name}` is one extended resource more than the {MOST_EXTENDED} that a fleet can have, and is not counted; \
         name fewer in all node classes together"
    )
}

/// Amounts by name as amounts by place; a name that has no place is left out.
pub(super) fn amounts<'a>(
    known: &BTreeSet<String>,
    amounts: impl IntoIterator<Item = (&'a str, u64)>,
) -> Extended {
    let place = |name: &str| known.iter().position(|one| one == name);
    let amounts = amounts.into_iter();
    Extended::new(amounts.filter_map(|(name, amount)| Some((place(name)?, amount))))
}

/// Tells of what a service asks for that no node class has. Says whether all of it can be counted.
pub(super) fn check(
    id: &ServiceId,
    asked: &BTreeMap<&str, u64>,
    known: &BTreeSet<String>,
    names: &Unique<'_>,
    problems: &mut Vec<Problem>,
) -> bool {
    if asked.is_empty() {
        return true;
    }
    let path = ["spec", "containers"];
    let offered: BTreeSet<String> = of_classes(names).map(|(_, name)| name).collect();
    for name in asked.keys().filter(|name| !offered.contains(**name)) {
        let message = format!("no LatticeNodeClass has the extended resource `{name}`");
        let near = nearest(name, offered.iter().map(String::as_str));
        let problem = Problem::warning("LatticeService", &id.name, &path, message);
        problems.push(problem.within(&id.namespace).suggest(near));
    }
    let beyond = asked.keys().find(|name| !known.contains(**name));
    if let Some(name) = beyond {
        let problem = Problem::error("LatticeService", &id.name, &path, too_many(name));
        problems.push(problem.within(&id.namespace));
    }
    beyond.is_none()
}

#[cfg(test)]
#[path = "extended_tests.rs"]
mod tests;
