//! A pool's limits of nodes, cores and memory over all its clusters, control planes included.

use crate::scheduler::model::Caps;
use crate::scheduler::reason::Why;
use crate::scheduler::state::Usage;

/// The limits that a change from `before` to `after` would break. A limit that was lowered below
/// what is in use forbids growth, not standing still.
pub(crate) fn check(caps: &Caps, before: &Usage, after: &Usage) -> Vec<Why> {
    let mut broken = Vec::new();
    let over = |limit: Option<u64>, before: u64, after: u64| {
        limit.filter(|&limit| after > limit && after > before)
    };
    if let Some(limit) = over(caps.max_nodes, before.nodes, after.nodes) {
        broken.push(Why::NodesExhausted {
            used: before.nodes,
            limit,
        });
    }
    if let Some(limit) = over(
        caps.max_milli_cores,
        before.size.milli_cores,
        after.size.milli_cores,
    ) {
        broken.push(Why::CoresExhausted {
            used: before.size.milli_cores,
            limit,
        });
    }
    if let Some(limit) = over(caps.max_mib, before.size.mib, after.size.mib) {
        broken.push(Why::MemoryExhausted {
            used: before.size.mib,
            limit,
        });
    }
    broken
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scheduler::units::Resources;

    #[test]
    fn growth_beyond_a_limit_is_refused_and_standing_still_is_not() {
        let usage = |nodes, cores, mib| Usage {
            nodes,
            size: Resources::new(cores, mib),
            hourly: 0,
        };
        let caps = Caps {
            max_nodes: Some(2),
            max_milli_cores: Some(8000),
            max_mib: Some(100),
        };
        assert!(check(&caps, &usage(1, 4000, 50), &usage(2, 8000, 100)).is_empty());
        assert_eq!(
            check(&caps, &usage(2, 8000, 100), &usage(3, 12000, 150)).len(),
            3
        );
        assert!(check(&caps, &usage(5, 9000, 500), &usage(5, 9000, 500)).is_empty());
        assert!(check(&caps, &usage(5, 9000, 500), &usage(4, 8500, 400)).is_empty());
    }
}
