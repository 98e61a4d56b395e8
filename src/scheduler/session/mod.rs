//! A fleet that stays as it was decided while single changes are made to it: a service more or less, another
//! number of replicas, another price.
//!
//! Solving looks at the whole fleet. A [`Session`] keeps what solving made of it (indices, demands, nodes with what
//! is on them) and searches for the services that a change is about, by the same search and under the same rules.
//! What it finds is a little dearer than solving anew, and says when that is worth it.

mod admit;
mod change;
mod difference;
mod drift;
mod export;
mod place;
mod price;
#[cfg(test)]
mod tests;
mod tidy;

pub use change::{Advice, Change, Changed, Cost, Refused, Touched, Unfit};
pub use difference::changes;

use super::assign::Search;
use super::limits::Leeway;
use super::model::{ServiceId, Snapshot, SortBy};
use super::output;
use super::prior;
use super::problem::{Index, Problem};
use super::search::{is_placed, searches};
use super::solution::{ClusterAction, Solution, Verdict};
use super::state::{Contents, Net, State};
use super::units::Micros;
use drift::Drift;
use std::collections::{BTreeMap, BTreeSet};

/// Changes that may be asked for in one session, since it remembers a little of each.
const MOST_CHANGES: u64 = 1_000_000;

/// A decided fleet to which changes are made one by one. The same session and the same changes give the same.
pub struct Session {
    /// What is asked for. Services are in slots, of which some may be free; clusters are without what is on them.
    snapshot: Snapshot,
    index: Index,
    contents: Contents,
    slots: BTreeMap<ServiceId, usize>,
    free_slots: Vec<usize>,
    /// Services with latency limits, by what they depend on, known or not.
    waiting: BTreeMap<ServiceId, BTreeSet<usize>>,
    unplaced: BTreeSet<usize>,
    /// Services with preferences.
    wishing: BTreeSet<usize>,
    /// What preferences and risk charge for each slot, and in all.
    charged: Vec<Micros>,
    charges: Micros,
    /// Replicas of all services, and how many they may be.
    replicas: u64,
    leeway: Leeway,
    ways: Vec<Search>,
    drift: Drift,
}

impl Session {
    /// Begins with a snapshot and what was decided of it.
    pub fn new(snapshot: &Snapshot, solution: &Solution) -> Result<Self, Refused> {
        let mut snapshot = Snapshot {
            clusters: solution.live().map(|d| d.cluster.clone()).collect(),
            ..snapshot.clone()
        };
        snapshot.normalise();
        refuse_unfit(&snapshot)?;
        let leeway = Leeway::of(&snapshot).map_err(Refused::Beyond)?;
        let problem = Problem::new(&snapshot);
        let state = prior::load(&problem, &problem.laid());
        refuse_other(&state, solution)?;
        let services = 0..problem.demands.len();
        let unplaced: BTreeSet<usize> = (services.clone())
            .filter(|&s| !is_placed(&state, s))
            .collect();
        let wishing = services.clone();
        let wishing = wishing.filter(|&s| !problem.demands[s].preferences.is_empty());
        let wishing: BTreeSet<usize> = wishing.collect();
        let charged: Vec<Micros> = services.map(|s| state.penalty(s)).collect();
        let (first, others) = searches(&problem, 1);
        let mut waiting: BTreeMap<ServiceId, BTreeSet<usize>> = BTreeMap::new();
        for (s, service) in snapshot.services.iter().enumerate() {
            for bound in &service.latency {
                let known = waiting.entry(bound.dependency.clone()).or_default();
                known.insert(s);
            }
        }
        let charges = charged.iter().sum();
        let drift = Drift::new(&problem, solution);
        let (contents, index) = (state.detached(), problem.detached());
        let ids = snapshot.services.iter().enumerate();
        let mut session = Session {
            index,
            contents,
            slots: ids.map(|(s, service)| (service.id.clone(), s)).collect(),
            free_slots: Vec::new(),
            waiting,
            unplaced,
            wishing,
            charged,
            charges,
            replicas: (snapshot.services.iter())
                .map(|s| u64::from(s.replicas))
                .sum(),
            leeway,
            ways: std::iter::once(first).chain(others).collect(),
            drift,
            snapshot,
        };
        for cluster in &mut session.snapshot.clusters {
            cluster.workers = Vec::new();
        }
        Ok(session)
    }

    /// Makes a change, or leaves everything as it was.
    pub fn apply(&mut self, change: &Change) -> Result<Changed, Refused> {
        self.drift.count()?;
        match change {
            Change::Add(service) => self.add(service),
            Change::Remove(id) => self.remove(id),
            Change::Scale { service, replicas } => self.scale(service, *replicas),
            Change::Price {
                pool,
                class,
                hourly,
            } => self.price(pool, class, *hourly),
        }
    }

    /// What the fleet costs now.
    pub fn cost(&self) -> Cost {
        let hourly = self.contents.hourly();
        Cost {
            hourly,
            objective: hourly + self.charges,
        }
    }

    /// Whether a service has its place; nothing if it is not in the session.
    pub fn is_placed(&self, service: &ServiceId) -> Option<bool> {
        let slot = self.slots.get(service)?;
        Some(!self.unplaced.contains(slot))
    }

    fn slot(&self, id: &ServiceId) -> Result<usize, Refused> {
        let slot = self.slots.get(id).copied();
        slot.ok_or_else(|| Refused::Unknown(id.clone()))
    }

    /// Looks at the fleet, or alters it.
    fn with<R>(&mut self, act: impl FnOnce(&mut State<'_>) -> R) -> R {
        let problem = Problem::attached(&self.snapshot, std::mem::take(&mut self.index));
        let mut state = State::attached(&problem, std::mem::take(&mut self.contents));
        let result = act(&mut state);
        self.contents = state.detached();
        self.index = problem.detached();
        result
    }

    /// Alters what is known of the snapshot.
    fn reindex(&mut self, act: impl FnOnce(&mut Problem<'_>, &BTreeMap<ServiceId, usize>)) {
        let mut problem = Problem::attached(&self.snapshot, std::mem::take(&mut self.index));
        act(&mut problem, &self.slots);
        self.index = problem.detached();
    }

    /// Sets what preferences and risk charge for a service.
    fn charge(&mut self, s: usize, charge: Micros) {
        self.charges += charge - std::mem::replace(&mut self.charged[s], charge);
    }

    /// Says if services wait that might find a place now.
    fn waiting_for_room(&self) -> Option<Advice> {
        let unplaced = self.unplaced.iter();
        let waiting = unplaced.filter(|&&s| !self.index.hopeless[s]).count();
        (waiting > 0).then_some(Advice::Waiting(waiting))
    }

    /// Takes what was found for what is.
    fn settle(&mut self, before: Cost) -> Changed {
        let changed = self.contents.changed();
        let (clusters, charges) = self.with(|state| {
            let mut names = BTreeSet::new();
            let clusters = changed.iter();
            let clusters = clusters.filter_map(|(&c, net)| touched(state, c, net, &mut names));
            let mut clusters: Vec<Touched> = clusters.collect();
            clusters.sort_by(|a, b| a.cluster.cmp(&b.cluster));
            let services: BTreeSet<usize> = (changed.values())
                .flat_map(|net| net.replicas.keys().copied())
                .collect();
            let charges = services.into_iter().map(|s| (s, state.penalty(s)));
            (clusters, charges.collect::<Vec<_>>())
        });
        for touched in &clusters {
            if touched.action == ClusterAction::Create {
                self.index.taken_names.insert(touched.cluster.clone());
            }
        }
        self.contents.settle(changed.keys());
        for (s, charge) in charges {
            self.charge(s, charge);
        }
        Changed {
            clusters,
            before,
            after: self.cost(),
            over_budget: None,
            advice: self.drift.advice(self.cost().objective),
        }
    }
}

/// Refuses what no session can follow.
fn refuse_unfit(snapshot: &Snapshot) -> Result<(), Refused> {
    let by_room = |sort_by: SortBy| sort_by == SortBy::AvailableCapacity;
    let mut policies = snapshot.policies.iter();
    let found = policies.find(|policy| policy.preferences.iter().any(|p| by_room(p.sort_by)));
    found.map_or(Ok(()), |policy| {
        Err(Refused::Solve(Unfit::AvailableCapacity(
            policy.name.clone(),
        )))
    })
}

/// Refuses a solution that says of the fleet what is not so.
fn refuse_other(state: &State<'_>, solution: &Solution) -> Result<(), Refused> {
    let other = |what: String| Err(Refused::Solve(Unfit::OtherSolution(what)));
    if state.hourly() != solution.hourly {
        let is = state.hourly();
        return other(format!("it costs {is} an hour, not {}", solution.hourly));
    }
    let services = &state.problem.snapshot.services;
    for (s, service) in services.iter().enumerate() {
        let verdict = solution.outcome(&service.id).map(|o| o.verdict);
        let said = matches!(verdict, Some(Verdict::Placed | Verdict::Unchanged));
        if said != is_placed(state, s) {
            return other(format!("{} is not where it says", service.id));
        }
    }
    Ok(())
}

/// Tells what became of a cluster, which gets its name if it is new. Nothing if it was never there.
fn touched(
    state: &mut State<'_>,
    c: usize,
    net: &Net,
    names: &mut BTreeSet<String>,
) -> Option<Touched> {
    let problem = state.problem;
    let cluster = &state.clusters[c];
    let (existed, wanted) = (cluster.existed, cluster.is_wanted());
    let action = match (existed, wanted) {
        (false, false) => return None,
        (false, true) => ClusterAction::Create,
        (true, false) => ClusterAction::Delete,
        (true, true) if net.nodes.is_empty() => ClusterAction::Keep,
        (true, true) => ClusterAction::Resize,
    };
    if !existed {
        let name = output::name(state, cluster, names);
        names.insert(name.clone());
        state.clusters[c].name = name;
    }
    let cluster = &state.clusters[c];
    let nodes = net.nodes.iter();
    let replicas = net.replicas.iter();
    Some(Touched {
        cluster: cluster.name.clone(),
        pool: problem.snapshot.pools[cluster.pool].name.clone(),
        action,
        nodes: nodes
            .map(|(&k, &n)| (problem.snapshot.node_classes[k].name.clone(), n))
            .collect(),
        replicas: replicas
            .map(|(&s, &n)| (problem.service(s).id.clone(), n))
            .collect(),
    })
}
