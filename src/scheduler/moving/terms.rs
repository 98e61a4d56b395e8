//! What moving costs, and when it pays.

use crate::scheduler::model::Moving;
use crate::scheduler::problem::Problem;
use crate::scheduler::solution::pays;
use crate::scheduler::units::Micros;

/// What moving replicas of one service costs, and what it must bring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Terms {
    per_replica: Micros,
    horizon_seconds: u64,
    margin: Micros,
}

impl Default for Terms {
    fn default() -> Self {
        Terms::of(Moving::default(), Moving::default())
    }
}

impl Terms {
    /// What the service states, else its policy, else what is so by default.
    pub fn of(service: Moving, policy: Moving) -> Self {
        let per_replica = service.per_replica.or(policy.per_replica);
        let horizon = service.horizon_seconds.or(policy.horizon_seconds);
        let margin = service.margin.or(policy.margin);
        Terms {
            per_replica: per_replica.unwrap_or(Moving::PER_REPLICA),
            horizon_seconds: horizon.unwrap_or(Moving::HORIZON_SECONDS),
            margin: margin.unwrap_or(Moving::MARGIN),
        }
    }
}

/// What it costs to move some replicas together: each its own price, the shortest of their horizons, the
/// largest of their margins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Charge {
    pub price: Micros,
    pub horizon_seconds: u64,
    pub margin: Micros,
}

impl Charge {
    /// For so many replicas of each service.
    pub fn of(problem: &Problem<'_>, replicas: impl Iterator<Item = (usize, u32)>) -> Self {
        let mut charge = Charge {
            price: 0,
            horizon_seconds: u64::MAX,
            margin: 0,
        };
        for (s, n) in replicas {
            let terms = &problem.demands[s].terms;
            let price = terms.per_replica.saturating_mul(i64::from(n));
            charge.price = charge.price.saturating_add(price);
            charge.horizon_seconds = charge.horizon_seconds.min(terms.horizon_seconds);
            charge.margin = charge.margin.max(terms.margin);
        }
        charge
    }

    /// Whether a saving per hour is worth it.
    pub fn pays(&self, saved: Micros) -> bool {
        pays(saved, self.horizon_seconds, self.price, self.margin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scheduler::fixtures::fleet;
    use crate::scheduler::model::Policy;

    fn moving(per_replica: Option<Micros>, hours: Option<u64>, margin: Option<Micros>) -> Moving {
        Moving {
            per_replica,
            horizon_seconds: hours.map(|h| h * 3600),
            margin,
        }
    }

    #[test]
    fn a_service_overrides_its_policy_field_by_field() {
        let policy = moving(Some(5), Some(2), None);
        let own = moving(Some(7), None, None);
        let terms = Terms::of(own, policy);
        assert_eq!((terms.per_replica, terms.horizon_seconds), (7, 7200));
        assert_eq!(terms.margin, Moving::MARGIN);
    }

    #[test]
    fn the_first_policy_that_states_terms_gives_them() {
        let mut snapshot = fleet(&[("a", "eu")], &[("web", 1)]);
        let policy = |name: &str, priority, moving| Policy {
            name: name.into(),
            priority,
            moving,
            ..Policy::default()
        };
        snapshot.policies = vec![
            policy("low", 1, Some(moving(Some(1), None, None))),
            policy("high", 2, Some(moving(Some(2), None, None))),
            policy("highest", 3, None),
        ];
        snapshot.normalise();
        let problem = Problem::new(&snapshot);
        assert_eq!(problem.demands[0].terms.per_replica, 2);
    }

    #[test]
    fn together_the_strictest_terms_hold() {
        let mut snapshot = fleet(&[("a", "eu")], &[("api", 1), ("web", 1)]);
        snapshot.services[0].moving = moving(Some(10), Some(4), Some(3));
        snapshot.services[1].moving = moving(Some(1), Some(2), Some(9));
        let problem = Problem::new(&snapshot);
        let charge = Charge::of(&problem, [(0, 2), (1, 5)].into_iter());
        assert_eq!((charge.price, charge.margin), (25, 9));
        assert_eq!(charge.horizon_seconds, 7200);
        assert!(!charge.pays(17), "34 within two hours is just the price");
        assert!(charge.pays(18));
        assert!(!charge.pays(-1));
    }

    #[test]
    fn the_largest_numbers_neither_wrap_nor_pay() {
        let mut snapshot = fleet(&[("a", "eu")], &[("web", 1)]);
        snapshot.services[0].moving = Moving {
            per_replica: Some(i64::MAX),
            horizon_seconds: Some(u64::MAX),
            margin: Some(i64::MAX),
        };
        let problem = Problem::new(&snapshot);
        let charge = Charge::of(&problem, [(0, u32::MAX)].into_iter());
        assert_eq!(charge.price, i64::MAX);
        assert!(charge.pays(i64::MAX) && !charge.pays(i64::MIN));
    }
}
