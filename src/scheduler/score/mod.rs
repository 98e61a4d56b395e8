//! Preferences as money, one ranking a file.
//!
//! The rule: a preference of weight *w* charges a replica in the worst eligible pool *w* percent of
//! the replica's reference price, the best pool nothing, and the others in proportion. The reference
//! price is the price of the replica's share of the cheapest node class that fits it anywhere it
//! may run. So a preference with weight 50 is worth at most half of what the replica costs.

pub(crate) mod available_capacity;
pub(crate) mod cost;

use super::model::SortBy;
use super::problem::Problem;
use super::units::{Micros, PPM};

/// What the preferences over a service charge for one replica in each pool, micro-dollars per
/// hour; empty without preferences. `free` ranks the pools by available capacity.
pub(crate) fn penalties(problem: &Problem<'_>, s: usize, free: &[u64]) -> Vec<Micros> {
    let demand = &problem.demands[s];
    if demand.preferences.is_empty() {
        return Vec::new();
    }
    let prices = cost::Prices::new(problem, s);
    let Some(reference) = prices.least() else {
        return Vec::new();
    };
    let charge = |pool: usize| {
        demand
            .preferences
            .iter()
            .map(|preference| {
                let rank = match preference.sort_by {
                    SortBy::Cost => prices.rank(pool),
                    SortBy::AvailableCapacity => free[pool],
                };
                // 0 for the best pool, one million for the worst.
                let badness = match preference.descending {
                    true => PPM - rank,
                    false => rank,
                };
                let weight = i128::from(preference.weight) * i128::from(badness);
                (i128::from(reference) * weight / (100 * i128::from(PPM))) as Micros
            })
            .sum()
    };
    (0..problem.pools.len()).map(charge).collect()
}
