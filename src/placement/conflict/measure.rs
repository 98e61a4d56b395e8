//! How far a change has to go: read off a solution that was found without the limit.

use super::change::{Cap, Change};
use crate::placement::facts::{Facts, monthly};
use crate::scheduler::model::{Origin, ServiceId};
use crate::scheduler::units::Micros;

/// Limits are in whole nodes, cores, GiB and units of money.
pub(super) fn step(cap: Cap) -> i64 {
    match cap {
        Cap::Nodes => 1,
        Cap::Cores => 1000,
        Cap::Memory => 1024,
        Cap::Budget => 1_000_000,
    }
}

impl Change {
    /// The change as far as `facts`, a solution without the limit, needs it; none where that needs
    /// no change.
    pub fn closed(self, facts: &Facts<'_>, id: &ServiceId) -> Option<Change> {
        match self {
            Change::Cap {
                pool,
                cap,
                from,
                to: None,
            } => {
                let needed = used(facts, &pool, cap)?;
                (needed > from).then_some(Change::Cap {
                    pool,
                    cap,
                    from,
                    to: Some(needed),
                })
            }
            Change::ClusterSize {
                policy,
                from,
                to: None,
            } => {
                let needed = largest(facts, &policy);
                (needed > from).then_some(Change::ClusterSize {
                    policy,
                    from,
                    to: Some(needed),
                })
            }
            Change::Label { label, pools } => {
                let held = |pool: &String| facts.placed(id).iter().any(|p| p.pool == pool);
                let pools: Vec<String> = pools.into_iter().filter(held).collect();
                (!pools.is_empty()).then_some(Change::Label { label, pools })
            }
            Change::Machine(larger) => {
                let bought = |pool: &str, class: &str| {
                    let mut live = facts.solution.live().filter(|d| d.cluster.pool == pool);
                    live.any(|d| {
                        let control = d.cluster.control_plane.iter().map(|(class, _)| class);
                        let workers = d.cluster.workers.iter().map(|group| &group.class);
                        control.chain(workers).any(|used| used == class)
                    })
                };
                let larger: Vec<_> = larger
                    .into_iter()
                    .filter(|one| bought(&one.pool, &one.class()))
                    .collect();
                (!larger.is_empty()).then_some(Change::Machine(larger))
            }
            other => Some(other),
        }
    }
}

/// What is used of a limit, in its steps.
fn used(facts: &Facts<'_>, pool: &str, cap: Cap) -> Option<i64> {
    let usage = facts.usage(pool);
    let exact = match cap {
        Cap::Nodes => i64::from(usage.nodes),
        Cap::Cores => i64::try_from(usage.capacity.milli_cores).ok()?,
        Cap::Memory => i64::try_from(usage.capacity.mib).ok()?,
        Cap::Budget => Micros::try_from(monthly(usage.hourly)).ok()?,
    };
    let step = step(cap);
    Some(exact.checked_add(step - 1)? / step * step)
}

/// Workers of the largest cluster under a policy.
fn largest(facts: &Facts<'_>, policy: &str) -> u32 {
    let clusters = facts.solution.live().map(|d| &d.cluster);
    let ours = clusters.filter(|cluster| {
        matches!(&cluster.origin, Origin::Scheduler { policy: Some(name) } if name == policy)
    });
    ours.map(|cluster| cluster.workers.iter().map(|g| g.count).sum())
        .max()
        .unwrap_or(0)
}
