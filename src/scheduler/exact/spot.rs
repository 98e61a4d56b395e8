//! The ways to distribute one service's replicas over pools that its own rules allow.

use super::SPOTS;
use super::pool::PoolSearch;
use crate::scheduler::layout::LaidCluster;
use crate::scheduler::model::Topology;
use crate::scheduler::problem::Problem;
use crate::scheduler::units::Micros;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// Replicas of one service in each pool.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Spot {
    pub replicas: Vec<u32>,
    /// What preferences charge.
    pub penalty: Micros,
}

impl Spot {
    pub fn replicas_in(&self, p: usize) -> u32 {
        self.replicas[p]
    }

    /// The pools with replicas.
    pub fn pools(&self) -> impl Iterator<Item = usize> {
        (0..self.replicas.len()).filter(|&p| self.replicas[p] > 0)
    }
}

/// All spots of each service; none where there are too many to look at.
pub(crate) fn all(problem: &Problem<'_>, pools: &[PoolSearch]) -> Option<Vec<Vec<Rc<Spot>>>> {
    let mut all = Vec::new();
    let mut left = SPOTS;
    for s in 0..problem.demands.len() {
        let mut list = Vec::new();
        if !problem.hopeless[s] {
            let here: Vec<usize> = allowed(problem, pools, s);
            let mut replicas = vec![0; pools.len()];
            let wanted = problem.service(s).replicas;
            extend(problem, s, (&here, wanted), &mut replicas, &mut list, left)?;
        }
        left = left.checked_sub(list.len())?;
        all.push(list);
    }
    Some(all)
}

fn allowed(problem: &Problem<'_>, pools: &[PoolSearch], s: usize) -> Vec<usize> {
    let demand = &problem.demands[s];
    let has_group = |p: usize| pools[p].groups.iter().any(|g| g.policy == demand.governing);
    demand
        .usable
        .iter()
        .copied()
        .filter(|&p| has_group(p))
        .collect()
}

fn extend(
    problem: &Problem<'_>,
    s: usize,
    (here, wanted): (&[usize], u32),
    replicas: &mut Vec<u32>,
    found: &mut Vec<Rc<Spot>>,
    most: usize,
) -> Option<()> {
    let Some((&p, others)) = here.split_first() else {
        if wanted == 0 && meets(problem, s, replicas) {
            let charged = |p: usize| problem.penalty(s, p) * i64::from(replicas[p]);
            found.push(Rc::new(Spot {
                penalty: (0..replicas.len()).map(charged).sum(),
                replicas: replicas.clone(),
            }));
        }
        return (found.len() <= most).then_some(());
    };
    for n in 0..=wanted {
        replicas[p] = n;
        extend(problem, s, (others, wanted - n), replicas, found, most)?;
    }
    replicas[p] = 0;
    Some(())
}

/// Whether a service's own rules allow it.
fn meets(problem: &Problem<'_>, s: usize, replicas: &[u32]) -> bool {
    let demand = &problem.demands[s];
    if problem.service(s).replicas == 0 {
        return true;
    }
    let used = || (0..replicas.len()).filter(|&p| replicas[p] > 0);
    let regions: BTreeSet<Option<usize>> = used()
        .map(|p| problem.domain(p, Topology::Region))
        .collect();
    let mut required = demand.required.iter();
    regions.len() >= demand.min_regions as usize
        && required.all(|&region| used().any(|p| problem.names_pool(region, p)))
        && demand.spread.iter().all(|rule| {
            let mut counts: BTreeMap<Option<usize>, u32> = BTreeMap::new();
            for &p in problem.eligible(s) {
                // One cluster a pool, and only those that have replicas count.
                let domain = match rule.topology {
                    Topology::Cluster if replicas[p] == 0 => continue,
                    Topology::Cluster => Some(p),
                    topology => problem.domain(p, topology),
                };
                *counts.entry(domain).or_default() += replicas[p];
            }
            let most = counts.values().max().copied().unwrap_or(0);
            let fewest = counts.values().min().copied().unwrap_or(0);
            most - fewest <= rule.max_skew
        })
}

/// The spots that a plan uses; none for a service that has no place there.
pub(crate) fn taken(
    problem: &Problem<'_>,
    clusters: &[LaidCluster],
    spots: &[Vec<Rc<Spot>>],
) -> Vec<Option<Rc<Spot>>> {
    let mut replicas = vec![vec![0; problem.pools.len()]; spots.len()];
    for cluster in clusters {
        for group in &cluster.workers {
            for &(s, n) in &group.tenants {
                replicas[s][cluster.pool] += n * group.count;
            }
        }
    }
    let known = spots.iter().zip(replicas);
    known
        .map(|(list, replicas)| list.iter().find(|spot| spot.replicas == replicas).cloned())
        .collect()
}
