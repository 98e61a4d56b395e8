//! What one service asks of the pools that its replicas are allotted to.

use crate::scheduler::model::Topology;
use crate::scheduler::problem::Problem;
use crate::scheduler::topology::SAME_ZONE_MS;

/// Whether a group of services can be allotted pool by pool: what depends on clusters cannot.
pub(crate) fn is_by_pool(problem: &Problem<'_>, members: &[usize]) -> bool {
    members.iter().all(|&s| {
        let demand = &problem.demands[s];
        !problem.hopeless[s]
            && demand.pins.is_empty()
            && demand.latency.iter().all(|&(_, ms)| ms >= SAME_ZONE_MS)
            && (demand.spread.iter()).all(|rule| rule.topology != Topology::Cluster)
    })
}

/// For each member, the pools from which every dependency can be near. Members come dependencies first.
pub(crate) fn within_reach(problem: &Problem<'_>, members: &[usize]) -> Vec<Vec<usize>> {
    let mut lists: Vec<Vec<usize>> = Vec::with_capacity(members.len());
    for (at, &s) in members.iter().enumerate() {
        let demand = &problem.demands[s];
        let mut pools = demand.usable.to_vec();
        for &(d, ms) in &demand.latency {
            let Some(of) = members[..at].iter().position(|&m| m == d) else {
                continue;
            };
            let near = |p: usize, q: usize| p == q || problem.distances.pools(p, q) <= ms;
            pools.retain(|&p| lists[of].iter().any(|&q| near(p, q)));
        }
        lists.push(pools);
    }
    lists
}

/// How evenly a service must be spread, with what is allotted so far.
pub(crate) struct Evenness {
    rules: Vec<Rule>,
}

struct Rule {
    max_skew: u32,
    topology: Topology,
    /// Domains that count, with the replicas in each.
    counts: Vec<(usize, u32)>,
}

impl Evenness {
    pub fn new(problem: &Problem<'_>, s: usize) -> Self {
        let rules = problem.demands[s].spread.iter().map(|rule| {
            let mut counts: Vec<(usize, u32)> = Vec::new();
            for &p in problem.eligible(s) {
                if let Some(domain) = problem.domain(p, rule.topology)
                    && !counts.iter().any(|(known, _)| *known == domain)
                {
                    counts.push((domain, 0));
                }
            }
            Rule {
                max_skew: rule.max_skew,
                topology: rule.topology,
                counts,
            }
        });
        Evenness {
            rules: rules.collect(),
        }
    }

    pub fn add(&mut self, problem: &Problem<'_>, pool: usize, n: u32) {
        for rule in &mut self.rules {
            let domain = problem.domain(pool, rule.topology);
            for (known, count) in &mut rule.counts {
                if Some(*known) == domain {
                    *count += n;
                }
            }
        }
    }

    /// Whether one more replica in a pool keeps to all rules.
    pub fn allows(&self, problem: &Problem<'_>, pool: usize) -> bool {
        self.rules.iter().all(|rule| {
            let domain = problem.domain(pool, rule.topology);
            let here = rule.counts.iter().find(|(known, _)| Some(*known) == domain);
            let least = rule.counts.iter().map(|(_, n)| *n).min().unwrap_or(0);
            here.is_none_or(|(_, n)| n + 1 - least <= rule.max_skew)
        })
    }

    /// No rules at all.
    pub fn free() -> Self {
        Evenness { rules: Vec::new() }
    }

    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }
}
