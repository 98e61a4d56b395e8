//! What the program came to, as a plan that the checker can judge.

use super::milp::Values;
use super::rules::Rules;
use lattice::scheduler::Certificate;
use lattice::scheduler::model::{Cluster, NodeGroup, Origin, ServiceId, Snapshot};
use lattice::scheduler::reason::{Reason, Why};
use lattice::scheduler::solution::{ClusterAction, ClusterDecision, Outcome, Solution, Verdict};
use std::collections::BTreeMap;

pub fn read(snapshot: &Snapshot, rules: &Rules<'_>, values: &Values) -> Solution {
    let sites = (0..rules.sites.len()).filter(|&site| values.open[site]);
    let clusters: Vec<Cluster> = sites.map(|site| cluster(rules, values, site)).collect();
    let nodes = |c: &Cluster| -> i64 {
        let workers = c.workers.iter().map(|g| (g.class.as_str(), g.count));
        let control = c
            .control_plane
            .iter()
            .map(|(class, n)| (class.as_str(), *n));
        let pool = snapshot.pools.iter().position(|p| p.name == c.pool);
        let price = |class: &str| pool.map_or(0, |pool| rules.price(pool, class));
        workers
            .chain(control)
            .map(|(class, n)| price(class) * i64::from(n))
            .sum()
    };
    let hourly: i64 = clusters.iter().map(nodes).sum();
    let charged = |s: usize| -> i64 {
        let there = rules.sites.iter().zip(&values.replicas[s]);
        there
            .map(|(site, n)| rules.services[s].penalties[site.pool] * i64::from(*n))
            .sum()
    };
    let charged: i64 = (0..rules.services.len()).map(charged).sum();
    let decide = |cluster| ClusterDecision {
        cluster,
        action: ClusterAction::Create,
    };
    Solution {
        clusters: clusters.into_iter().map(decide).collect(),
        outcomes: (0..rules.services.len())
            .map(|s| outcome(rules, values, s))
            .collect(),
        hourly,
        objective: hourly + charged,
        certificate: Certificate::default(),
        moves: Default::default(),
    }
}

fn outcome(rules: &Rules<'_>, values: &Values, s: usize) -> Outcome {
    let placed = values.is_placed(s);
    let left_out = Why::Closed {
        reason: "left out by the program".into(),
    };
    Outcome {
        service: rules.services[s].id.clone(),
        verdict: match placed {
            true => Verdict::Placed,
            false => Verdict::Unschedulable,
        },
        reasons: match placed {
            true => Vec::new(),
            false => vec![Reason::of_service(left_out)],
        },
        unenforced: Vec::new(),
    }
}

/// The nodes of a site, with its replicas on those that were bought for them.
fn cluster(rules: &Rules<'_>, values: &Values, at: usize) -> Cluster {
    let site = &rules.sites[at];
    let mut left: Vec<u32> = values.replicas.iter().map(|row| row[at]).collect();
    let mut workers = Vec::new();
    for filling in values.fillings.iter().filter(|f| f.site == at) {
        for _ in 0..filling.count {
            let mut services: BTreeMap<ServiceId, u32> = BTreeMap::new();
            for (s, left) in left.iter_mut().enumerate() {
                let here = filling.way[s].min(*left);
                *left -= here;
                if here > 0 {
                    services.insert(rules.services[s].id.clone(), here);
                }
            }
            workers.push(NodeGroup {
                class: rules.offers[site.pool][filling.class].class.name.clone(),
                count: 1,
                services,
            });
        }
    }
    Cluster {
        name: format!("site-{at}"),
        pool: rules.snapshot.pools[site.pool].name.clone(),
        origin: Origin::Scheduler {
            policy: site.policy.map(Into::into),
        },
        control_plane: site.control.map(|(class, n)| (class.to_owned(), n)),
        workers,
    }
}
