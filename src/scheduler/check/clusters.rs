//! What is done with clusters: each one that there was is accounted for, and none is other than it may be.

use super::{View, Violation, say};
use crate::scheduler::model::{Cluster, ControlPlaneRule, Origin};
use crate::scheduler::solution::{ClusterAction, ClusterDecision};
use std::collections::BTreeMap;

pub(super) fn check(view: &View<'_>, found: &mut Vec<Violation>) {
    let old: BTreeMap<&str, &Cluster> = (view.snapshot.clusters.iter())
        .map(|c| (c.name.as_str(), c))
        .collect();
    let mut missing = old.clone();
    for decision in &view.solution.clusters {
        let name = decision.cluster.name.as_str();
        missing.remove(name);
        let was = old.get(name).copied();
        action(decision, was, found);
        origin(decision, was, found);
        if decision.action != ClusterAction::Delete {
            control_plane(view, &decision.cluster, was, found);
            machines(view, &decision.cluster, was, found);
        }
    }
    for (name, _) in missing.into_iter().filter(|(_, c)| known(view, c)) {
        say(found, "action", name, "is left out".into());
    }
}

fn known(view: &View<'_>, cluster: &Cluster) -> bool {
    view.pool(&cluster.pool).is_some() || matches!(cluster.origin, Origin::Scheduler { .. })
}

fn action(decision: &ClusterDecision, was: Option<&Cluster>, found: &mut Vec<Violation>) {
    let due = match (was, decision.action) {
        (Some(_), ClusterAction::Delete) => ClusterAction::Delete,
        (None, _) => ClusterAction::Create,
        (Some(was), _) if counts(was) == counts(&decision.cluster) => ClusterAction::Keep,
        (Some(_), _) => ClusterAction::Resize,
    };
    if due != decision.action {
        let detail = format!("{:?} is claimed, {due:?} is due", decision.action);
        say(found, "action", &decision.cluster.name, detail);
    }
}

fn origin(decision: &ClusterDecision, was: Option<&Cluster>, found: &mut Vec<Violation>) {
    let cluster = &decision.cluster;
    match was {
        Some(was) if was.origin != cluster.origin || was.pool != cluster.pool => {
            let detail = "is in another pool or under other rules than before".to_owned();
            say(found, "origin", &cluster.name, detail);
        }
        None if matches!(cluster.origin, Origin::Declared { .. }) => {
            say(found, "origin", &cluster.name, "nobody declared it".into());
        }
        _ => {}
    }
}

fn counts(cluster: &Cluster) -> (BTreeMap<&str, u64>, Option<(&str, u32)>) {
    let mut workers = BTreeMap::new();
    for group in cluster.workers.iter().filter(|g| g.count > 0) {
        *workers.entry(group.class.as_str()).or_default() += u64::from(group.count);
    }
    let control = cluster.control_plane.as_ref();
    (workers, control.map(|(class, n)| (class.as_str(), *n)))
}

/// A control plane is as the policy says, or what it was.
fn control_plane(
    view: &View<'_>,
    cluster: &Cluster,
    was: Option<&Cluster>,
    found: &mut Vec<Violation>,
) {
    let sold = |class: &str| view.price(&cluster.pool, class).is_some();
    let is = cluster.control_plane.as_ref();
    let had = was.and_then(|was| was.control_plane.as_ref());
    // One of a class that is no longer sold has no price, and is left out.
    let had = had.filter(|(class, _)| sold(class));
    if was.is_some() && is == had {
        return;
    }
    let right = match &cluster.origin {
        Origin::Declared { .. } => false,
        Origin::Scheduler { policy } => {
            let policy = policy.as_ref();
            let policies = &view.snapshot.policies;
            let policy = policy.and_then(|name| policies.iter().find(|p| p.name == *name));
            let rules = policy.and_then(|p| p.cluster_policy.as_ref());
            let rule = rules.map(|r| r.control_plane.clone()).unwrap_or_default();
            follows(view, &rule, is) && is.is_none_or(|(class, _)| sold(class))
        }
    };
    if !right {
        let detail = match is {
            Some((class, n)) => format!("{n} × {class}"),
            None => "has none".to_owned(),
        };
        say(found, "control plane", &cluster.name, detail);
    }
}

fn follows(view: &View<'_>, rule: &ControlPlaneRule, is: Option<&(String, u32)>) -> bool {
    let Some((name, n)) = is else {
        return rule.replicas == 0;
    };
    let large_enough = || {
        let class = view.class(name);
        class.is_some_and(|c| {
            c.spot.is_none() && c.capacity.milli_cores >= 2000 && c.capacity.mib >= 4096
        })
    };
    let fits = rule
        .class
        .as_ref()
        .map_or_else(large_enough, |class| class == name);
    *n == rule.replicas && fits
}

/// Workers that people declared stay as they are, or are resized with classes that the pool sells.
fn machines(view: &View<'_>, cluster: &Cluster, was: Option<&Cluster>, found: &mut Vec<Violation>) {
    if view.pool(&cluster.pool).is_none() {
        let detail = format!("is in {}, which is not known", cluster.pool);
        say(found, "origin", &cluster.name, detail);
    }
    let Origin::Declared { resize } = &cluster.origin else {
        return;
    };
    let (is, _) = counts(cluster);
    let had = was.map(|was| counts(was).0).unwrap_or_default();
    for (class, n) in &is {
        let before = had.get(class).copied().unwrap_or(0);
        let may_change = resize.is_some() && view.price(&cluster.pool, class).is_some();
        if *n != before && !(may_change || (resize.is_some() && *n < before)) {
            let detail = format!("{n} × {class}, was {before}");
            say(found, "declared", &cluster.name, detail);
        }
    }
}
