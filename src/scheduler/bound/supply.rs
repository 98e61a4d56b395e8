//! What pools sell, within what limits.

use super::groups::Rows;
use crate::scheduler::packing::{Class, Limits};
use crate::scheduler::problem::Problem;
use crate::scheduler::state::Usage;
use crate::scheduler::units::HOURS_PER_MONTH;

/// What is sold in a row.
#[derive(Debug)]
pub(crate) struct Supply {
    pub classes: Vec<Class>,
    pub limits: Limits,
}

impl Supply {
    fn new(problem: &Problem<'_>, p: usize) -> Self {
        let pool = &problem.snapshot.pools[p];
        let limit = |limit: Option<u64>| limit.map_or(f64::INFINITY, |limit| limit as f64);
        let budget = pool
            .monthly_budget
            .map(|b| (b / HOURS_PER_MONTH).max(0) as u64);
        // Those on demand come first among the offers, so that their places are the same here.
        let classes = problem.pools[p].on_demand().map(|offer| Class {
            cpu: offer.allocatable.milli_cores as f64,
            mem: offer.allocatable.mib as f64,
            price: offer.hourly as f64,
            takes: Limits([
                1.0,
                offer.capacity.milli_cores as f64,
                offer.capacity.mib as f64,
                offer.hourly as f64,
            ]),
        });
        Supply {
            classes: classes.collect(),
            limits: Limits([
                limit(pool.caps.max_nodes),
                limit(pool.caps.max_milli_cores),
                limit(pool.caps.max_mib),
                limit(budget),
            ]),
        }
    }

    /// What its limits leave once so much is in use.
    pub fn left(&self, used: &Usage) -> Limits {
        let limits = &self.limits.0;
        let left = |i: usize, used: f64| (limits[i] - used).max(0.0);
        Limits([
            left(0, used.nodes as f64),
            left(1, used.size.milli_cores as f64),
            left(2, used.size.mib as f64),
            left(3, used.hourly as f64),
        ])
    }

    /// The same classes, within what is left.
    pub fn without(&self, used: &Usage) -> Supply {
        Supply {
            classes: self.classes.clone(),
            limits: self.left(used),
        }
    }

    /// The most cores and memory, in this ratio, that nodes of one class would have within the limits.
    pub fn most(&self, ratio: [f64; 2]) -> [f64; 2] {
        let times = self.classes.iter().map(|class| {
            let limits = self.limits.0.iter().zip(class.takes.0);
            let nodes = limits.fold(f64::INFINITY, |most, (limit, takes)| {
                most.min(limit / takes.max(1e-9))
            });
            nodes * (class.cpu / ratio[0].max(1.0)).min(class.mem / ratio[1].max(1.0))
        });
        let times = times.fold(0.0, f64::max);
        [ratio[0].max(1.0) * times, ratio[1].max(1.0) * times]
    }

    /// Whether anything keeps the row from selling without end.
    pub fn is_limited(&self) -> bool {
        self.limits.0.iter().any(|limit| limit.is_finite())
    }
}

/// What each row sells.
pub(crate) fn all(problem: &Problem<'_>, rows: &Rows) -> Vec<Supply> {
    rows.pools
        .iter()
        .map(|&p| Supply::new(problem, p))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scheduler::units::Resources;

    #[test]
    fn what_is_in_use_is_taken_off_and_never_below_nothing() {
        let supply = Supply {
            classes: Vec::new(),
            limits: Limits([10.0, 4_000.0, f64::INFINITY, 100.0]),
        };
        let used = Usage {
            nodes: 3,
            size: Resources::new(5_000, 64),
            hourly: 40,
        };
        assert_eq!(supply.left(&used).0, [7.0, 0.0, f64::INFINITY, 60.0]);
        assert!(supply.without(&used).is_limited());
    }
}
