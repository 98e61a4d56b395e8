//! The independent checker: holds a solution against its snapshot, rule by rule, in the plainest way
//! there is. It shares no code with the search, only the data types.

mod apart;
mod bound;
mod clusters;
mod fleet;
mod money;
mod moves;
mod preferences;
mod services;
mod shortage;
mod zones;

use super::limits;
use super::model::{Cluster, NodeClass, Pool, Service, ServiceId, Snapshot};
use super::solution::{ClusterAction, Outcome, Solution};
use std::collections::BTreeMap;

/// The rule that what is claimed to be the least is proven to be.
pub const LOWER_BOUND: &str = "lowerBound";

/// The rule that no number is so large that it cannot be reckoned with.
const LIMITS: &str = "limits";

/// Every rule that is checked.
pub const RULES: [&str; 31] = [
    LIMITS,
    "replicas",
    "outcome",
    "selector or compliance",
    "closed pool",
    "requiredRegions",
    "minRegions",
    "spreadConstraint",
    "latency",
    "pin",
    "fit",
    "capacity type",
    "replicaSpread",
    "offer",
    "shortage",
    "zone",
    "maxNodes",
    "maxCores",
    "maxMemory",
    "budget",
    "cluster size",
    "cluster policy",
    "control plane",
    "declared",
    "origin",
    "action",
    "unique names",
    "cost",
    "objective",
    "moves",
    LOWER_BOUND,
];

/// A rule that a solution breaks.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violation {
    /// The rule, as in the table of hard constraints.
    pub rule: &'static str,
    /// What breaks it: a service, cluster or pool.
    pub subject: String,
    /// The facts.
    pub detail: String,
}

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} breaks {}: {}", self.subject, self.rule, self.detail)
    }
}

/// All rules that a solution breaks; empty for a good one.
///
/// What the snapshot already had may stay as it was, even where a limit was lowered since or a
/// service can no longer be placed: a plan never makes such a thing worse.
pub fn check(snapshot: &Snapshot, solution: &Solution) -> Vec<Violation> {
    let mut found = Vec::new();
    let excess = limits::excesses(snapshot).into_iter().next();
    let live: Vec<&Cluster> = solution.live().map(|d| &d.cluster).collect();
    if let Some(excess) = excess.or_else(|| limits::excess_of_clusters(&live)) {
        say(&mut found, LIMITS, "the fleet", excess.to_string());
        return found;
    }
    let view = View::new(snapshot, solution);
    fleet::check(&view, &mut found);
    zones::check(&view, &mut found);
    shortage::check(&view, &mut found);
    clusters::check(&view, &mut found);
    services::check(&view, &mut found);
    money::check(&view, &mut found);
    preferences::check(&view, &mut found);
    moves::check(&view, &mut found);
    bound::check(&view, &mut found);
    found
}

/// Replicas by service and cluster.
type Counts<'a> = BTreeMap<(&'a ServiceId, &'a str), u32>;

struct View<'a> {
    snapshot: &'a Snapshot,
    solution: &'a Solution,
    live: Vec<&'a Cluster>,
    after: Counts<'a>,
    before: Counts<'a>,
    services: BTreeMap<&'a ServiceId, &'a Service>,
    outcomes: BTreeMap<&'a ServiceId, &'a Outcome>,
    clusters: BTreeMap<&'a str, &'a Cluster>,
}

impl<'a> View<'a> {
    fn new(snapshot: &'a Snapshot, solution: &'a Solution) -> Self {
        let live: Vec<&Cluster> = solution
            .clusters
            .iter()
            .filter(|d| d.action != ClusterAction::Delete)
            .map(|d| &d.cluster)
            .collect();
        View {
            snapshot,
            solution,
            after: counts(live.iter().copied()),
            before: counts(snapshot.clusters.iter()),
            services: snapshot.services.iter().map(|s| (&s.id, s)).collect(),
            outcomes: solution.outcomes.iter().map(|o| (&o.service, o)).collect(),
            clusters: live.iter().map(|c| (c.name.as_str(), *c)).collect(),
            live,
        }
    }

    fn cluster(&self, name: &str) -> Option<&'a Cluster> {
        self.clusters.get(name).copied()
    }

    fn pool(&self, name: &str) -> Option<&'a Pool> {
        self.snapshot.pools.iter().find(|p| p.name == name)
    }

    fn class(&self, name: &str) -> Option<&'a NodeClass> {
        self.snapshot.node_classes.iter().find(|c| c.name == name)
    }

    fn service(&self, id: &ServiceId) -> Option<&'a Service> {
        self.services.get(id).copied()
    }

    fn outcome(&self, id: &ServiceId) -> Option<&'a Outcome> {
        self.outcomes.get(id).copied()
    }

    fn price(&self, pool: &str, class: &str) -> Option<i64> {
        let pool = self.pool(pool)?;
        let offer = pool.offers.iter().find(|o| o.class == class)?;
        Some(offer.hourly)
    }
}

fn counts<'a>(clusters: impl Iterator<Item = &'a Cluster>) -> Counts<'a> {
    let mut counts = Counts::new();
    for cluster in clusters {
        for group in &cluster.workers {
            for (service, n) in &group.services {
                *counts.entry((service, cluster.name.as_str())).or_default() += n * group.count;
            }
        }
    }
    counts
}

fn say(found: &mut Vec<Violation>, rule: &'static str, subject: &str, detail: String) {
    debug_assert!(RULES.contains(&rule), "{rule} is not listed");
    found.push(Violation {
        rule,
        subject: subject.to_owned(),
        detail,
    });
}
