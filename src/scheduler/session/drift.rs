//! When solving the whole fleet is worth it.
//!
//! The prices that prove the bound of the solution say what a service costs at least: adding one moves the bound by
//! what it pays where it pays least. How far the objective moves away from that is the drift. It says when to solve,
//! and proves nothing.

use super::MOST_CHANGES;
use super::change::{Advice, Refused, Unfit};
use crate::scheduler::model::Service;
use crate::scheduler::problem::{Index, Problem};
use crate::scheduler::solution::Solution;
use crate::scheduler::units::{Micros, PPM};
use crate::scheduler::{PRICE_UNITS, PoolPrices};

/// Changes after which solving is advised.
const MANY: u64 = 1_000;
/// Drift at which it is, parts per million.
const FAR: u64 = 5_000;

#[derive(Default)]
pub(super) struct Drift {
    asked: u64,
    /// What a certificate had for each pool; empty without one.
    prices: Vec<PoolPrices>,
    /// Objective and bound at the beginning, and the bound as it has moved, in units of a price.
    objective: i128,
    bound: i128,
    moved: i128,
    cheaper: bool,
}

impl Drift {
    pub fn new(problem: &Problem<'_>, solution: &Solution) -> Self {
        let certificate = &solution.certificate;
        let of_pool = |name: &String| {
            let mut prices = certificate.prices.iter();
            prices.find(|price| price.pool == *name).cloned()
        };
        let pools = problem.snapshot.pools.iter();
        let prices: Option<Vec<PoolPrices>> = pools.map(|pool| of_pool(&pool.name)).collect();
        let bound = i128::from(certificate.lower_bound);
        Drift {
            prices: prices.filter(|_| bound > 0).unwrap_or_default(),
            objective: i128::from(solution.objective),
            bound,
            moved: 0,
            ..Drift::default()
        }
    }

    /// Counts a change that is asked for.
    pub fn count(&mut self) -> Result<(), Refused> {
        if self.asked >= MOST_CHANGES {
            return Err(Refused::Solve(Unfit::TooMany(self.asked)));
        }
        self.asked += 1;
        Ok(())
    }

    /// Follows a service that had so many replicas.
    pub fn follow(&mut self, index: &Index, s: usize, service: &Service, had: u32) {
        if self.prices.is_empty() {
            return;
        }
        let usable = index.demands[s].usable.iter();
        let least = usable.map(|&p| self.prices[p].pays(service)).min();
        let more = i128::from(service.replicas) - i128::from(had);
        self.moved += least.unwrap_or(0) * more;
    }

    /// Follows a price: one below what the certificate says that the class is worth proves nothing any more.
    pub fn reprice(&mut self, index: &Index, p: usize, class: Option<usize>) {
        let offer = class.and_then(|class| index.pools[p].offer_of(class));
        if let (Some(offer), Some(price)) = (offer, self.prices.get(p)) {
            self.cheaper |= !price.allows(offer);
        }
    }

    /// Why solving is worth it now, if it is.
    pub fn advice(&self, objective: Micros) -> Option<Advice> {
        if self.cheaper {
            return Some(Advice::Cheaper);
        }
        let bound = self.bound + self.moved / i128::from(PRICE_UNITS);
        let due = (self.objective.saturating_mul(bound)).max(1);
        let is = i128::from(objective).saturating_mul(self.bound);
        let drift = is.saturating_mul(i128::from(PPM)) / due - i128::from(PPM);
        let drift = u64::try_from(drift).unwrap_or(0);
        if !self.prices.is_empty() && drift >= FAR {
            return Some(Advice::Drift(drift));
        }
        (self.asked >= MANY).then_some(Advice::ManyChanges(self.asked))
    }
}
