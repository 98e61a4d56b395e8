//! A pool's projected month stays within its budget.

use crate::scheduler::model::Pool;
use crate::scheduler::reason::Why;
use crate::scheduler::state::Usage;
use crate::scheduler::units::{HOURS_PER_MONTH, Micros};

/// A month at this price per hour.
pub(crate) fn month(hourly: Micros) -> i128 {
    i128::from(hourly) * i128::from(HOURS_PER_MONTH)
}

/// Why a change from `before` to `after` breaks the budget, if so. A lowered budget forbids
/// spending more, not standing still.
pub(crate) fn check(pool: &Pool, before: &Usage, after: &Usage) -> Option<Why> {
    let limit = pool.monthly_budget?;
    let projected = month(after.hourly);
    (projected > i128::from(limit) && after.hourly > before.hourly)
        .then_some(Why::OverBudget { projected, limit })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_has_720_hours() {
        let pool = Pool {
            monthly_budget: Some(720_000_000),
            ..Pool::default()
        };
        let usage = |hourly| Usage {
            hourly,
            ..Usage::default()
        };
        assert_eq!(check(&pool, &usage(0), &usage(1_000_000)), None);
        assert!(check(&pool, &usage(0), &usage(1_000_001)).is_some());
        assert_eq!(check(&pool, &usage(2_000_000), &usage(2_000_000)), None);
        assert_eq!(check(&Pool::default(), &usage(0), &usage(9_000_000)), None);
    }
}
