//! The fleet of a session as others read it.

use super::Session;
use crate::scheduler::layout;
use crate::scheduler::model::{Cluster, ServiceId, Snapshot};
use crate::scheduler::output;
use crate::scheduler::problem::Problem;
use crate::scheduler::solution::Solution;
use crate::scheduler::solve;
use crate::scheduler::state::State;
use std::collections::BTreeSet;

impl Session {
    /// A cluster as it is now.
    pub fn cluster(&mut self, name: &str) -> Option<Cluster> {
        self.with(|state| {
            let mut clusters = state.clusters.iter().filter(|c| c.is_wanted());
            let found = output::cluster(state, clusters.find(|c| c.name == name)?);
            written(state.problem, &[found]).pop()
        })
    }

    /// All clusters as they are now, by name.
    pub fn clusters(&mut self) -> Vec<Cluster> {
        self.with(|state: &mut State<'_>| written(state.problem, &output::live(state)))
    }

    /// What is asked for now, with the clusters as they are: what the next whole solve begins with.
    pub fn snapshot(&mut self) -> Snapshot {
        let clusters = self.clusters();
        self.asked(clusters)
    }

    /// The fleet as a decision, held against the clusters that were there before. It proves no bound.
    pub fn solution(&mut self, before: &[Cluster]) -> Solution {
        let asked = self.asked(before.to_vec());
        let unplaced = self.unplaced.iter();
        let unplaced: BTreeSet<ServiceId> = unplaced
            .map(|&s| self.snapshot.services[s].id.clone())
            .collect();
        solve::told(&asked, &self.clusters(), &unplaced)
    }

    fn asked(&self, clusters: Vec<Cluster>) -> Snapshot {
        let services = self.slots.values();
        let mut asked = Snapshot {
            services: services
                .map(|&s| self.snapshot.services[s].clone())
                .collect(),
            clusters,
            pools: self.snapshot.pools.clone(),
            node_classes: self.snapshot.node_classes.clone(),
            policies: self.snapshot.policies.clone(),
            pins: self.snapshot.pins.clone(),
            region_latencies: self.snapshot.region_latencies.clone(),
            reserved_names: self.snapshot.reserved_names.clone(),
            extended: self.snapshot.extended.clone(),
        };
        asked.normalise();
        asked
    }
}

/// Clusters with names; services are in slots, whose order means nothing to others.
fn written(problem: &Problem<'_>, clusters: &[layout::LaidCluster]) -> Vec<Cluster> {
    let mut clusters = layout::written(problem, clusters);
    clusters.iter_mut().for_each(Cluster::normalise);
    clusters
}
