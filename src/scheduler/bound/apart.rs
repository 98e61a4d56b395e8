//! Services that cannot share clusters: what clusters of their own cost at least.

use super::groups::Rows;
use crate::scheduler::model::Origin;
use crate::scheduler::problem::Problem;
use crate::scheduler::units::Micros;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// What clusters cost at least that services need for themselves.
#[derive(Clone, Copy, Default)]
pub(crate) struct Apart {
    /// Their control planes.
    pub control: Micros,
    /// Those and the fewest workers that they can have.
    pub whole: Micros,
}

/// What any plan pays for services that have no pool in common, by the list of pools that each may be in: these need
/// clusters of their own, one in each region that they must be in.
pub(crate) fn separate(
    problem: &Problem<'_>,
    rows: &Rows,
    services: &[usize],
    list_of: &[usize],
    lists: &[Vec<usize>],
) -> (Apart, Vec<usize>) {
    let standing = standing(problem);
    // One service stands for all that are alike in this.
    let mut alike: BTreeMap<(Option<usize>, usize, usize, Reverse<u32>), usize> = BTreeMap::new();
    for &s in services
        .iter()
        .filter(|&&s| problem.service(s).replicas > 0)
    {
        let (list, demand) = (list_of[s], &problem.demands[s]);
        if demand.pins.is_empty() {
            let size = lists[list].len();
            let key = (
                demand.governing,
                size,
                list,
                Reverse(demand.min_regions.max(1)),
            );
            alike.entry(key).or_insert(s);
        }
    }
    let (mut sum, mut separate) = (Apart::default(), Vec::new());
    let mut taken: BTreeSet<(Option<usize>, usize)> = BTreeSet::new();
    for ((policy, _, list, _), s) in alike {
        let pools = &lists[list];
        if pools.iter().any(|&p| taken.contains(&(policy, p))) {
            continue;
        }
        let needed = alone(problem, rows, s, pools, &standing);
        if needed.whole > 0 {
            sum.control += needed.control;
            sum.whole += needed.whole;
            separate.push(s);
            taken.extend(pools.iter().map(|&p| (policy, p)));
        }
    }
    (sum, separate)
}

/// What a service's clusters cost at least when it is alone on them.
fn alone(
    problem: &Problem<'_>,
    rows: &Rows,
    s: usize,
    pools: &[usize],
    standing: &[Standing],
) -> Apart {
    let (service, demand) = (problem.service(s), &problem.demands[s]);
    let rules = problem.cluster_policy(demand.governing);
    // By region the cheapest control plane, and the cheapest one with its workers.
    let mut least: BTreeMap<usize, (Micros, Micros)> = BTreeMap::new();
    let mut node = Micros::MAX;
    for &p in pools {
        let (mut control, mut whole, mut holds) = (0, 0, 0);
        if !standing[p].declared {
            let offers = || problem.pools[p].sold_or_kept();
            let cheapest = offers().map(|o| o.hourly).min().unwrap_or(0);
            let fitting = offers().filter(|o| o.holds(service));
            holds = fitting.map(|o| o.hourly).min().unwrap_or(0);
            control = standing[p].control_plane(problem, p, demand.governing);
            let others = rules.min_nodes.min(standing[p].workers).saturating_sub(1);
            whole = control + holds + cheapest * i64::from(others);
        }
        node = node.min(holds);
        let here = least.entry(rows.region(p)).or_insert((control, whole));
        *here = (here.0.min(control), here.1.min(whole));
    }
    let apart = demand.min_regions.max(1) as usize;
    let sum = |mut each: Vec<Micros>| -> Micros {
        each.sort_unstable();
        each.into_iter().take(apart).sum()
    };
    let control = sum(least.values().map(|(control, _)| *control).collect());
    let whole = sum(least.values().map(|(_, whole)| *whole).collect());
    let nodes = match service.one_per_node && node < Micros::MAX {
        true => node.saturating_mul(i64::from(service.replicas)),
        false => 0,
    };
    Apart {
        control,
        whole: whole.max(control.saturating_add(nodes)),
    }
}

/// What there is in a pool that a new cluster would not be like.
#[derive(Clone, Copy)]
struct Standing {
    /// People made a cluster there.
    declared: bool,
    /// The fewest workers of a cluster: its rules may by now ask for more.
    workers: u32,
    /// The cheapest control plane, which may be of a class that a new one would not be of.
    control: Micros,
}

impl Standing {
    /// The least that the control plane of a cluster under these rules costs in the pool.
    fn control_plane(&self, problem: &Problem<'_>, p: usize, policy: Option<usize>) -> Micros {
        let new = match problem.control_plane(p, policy) {
            Ok(Some((offer, n))) => offer.hourly * i64::from(n),
            _ => 0,
        };
        new.min(self.control)
    }
}

/// By pool.
fn standing(problem: &Problem<'_>) -> Vec<Standing> {
    let nothing = Standing {
        declared: false,
        workers: u32::MAX,
        control: Micros::MAX,
    };
    let mut found = vec![nothing; problem.pools.len()];
    for cluster in &problem.snapshot.clusters {
        let Some(p) = problem.pool(&cluster.pool) else {
            continue;
        };
        let cost = cluster.control_plane.as_ref().and_then(|(class, n)| {
            let offer = problem.pools[p].offer_of(problem.class(class)?)?;
            Some(offer.hourly * i64::from(*n))
        });
        let workers = cluster.workers.iter().map(|g| g.count).sum();
        let here = &mut found[p];
        here.declared |= matches!(cluster.origin, Origin::Declared { .. });
        here.workers = here.workers.min(workers);
        here.control = here.control.min(cost.unwrap_or(0));
    }
    found
}
