//! What no plan can cost less than, and the prices that prove it.
//!
//! Each pool's milli-core and MiB get a price. Whatever the prices are, every replica can be charged
//! the least that it would pay anywhere it may go, and every pool be credited the most that its
//! nodes could earn above their own price within its limits: the sum of the charges less the sum
//! of the credits is a lower bound of every plan's cost (weak duality). Good prices, found by dual
//! ascent, make the bound tight, and say where replicas should go.

pub(crate) mod apart;
pub(crate) mod ascent;
pub(crate) mod certificate;
pub(crate) mod earn;
pub(crate) mod groups;
pub(crate) mod supply;

use super::problem::Problem;
use ascent::Prices;
use certificate::Certificate;
use groups::{Groups, Rows};

/// Prices looked at in all steps of ascent together, and the fewest and most steps.
const LOOKS: usize = 3_000_000_000;
const STEPS: (usize, usize) = (300, 3000);

/// Steps of ascent for a fleet of this size, fewer for the largest.
pub(crate) fn steps(groups: &Groups) -> usize {
    let a_step: usize = groups
        .cells
        .iter()
        .map(|cell| groups.sets[cell.set].len())
        .sum();
    (LOOKS / a_step.max(1)).clamp(STEPS.0, STEPS.1)
}

/// A bound for plans in which these services have their place; `known` are prices found for the same
/// services.
pub(crate) fn certify(
    problem: &Problem<'_>,
    services: &[usize],
    known: Option<(&Rows, &Prices)>,
) -> Certificate {
    if let Some((rows, prices)) = known {
        let list = certificate::rounded(problem, rows, prices);
        return certificate::prove(problem, rows, list, services);
    }
    let rows = Rows::new(problem);
    let groups = Groups::new(problem, &rows, services, false);
    let supplies = supply::all(problem, &rows);
    let prices = ascent::ascend(&rows, &groups, &supplies, steps(&groups));
    let list = certificate::rounded(problem, &rows, &prices);
    certificate::prove(problem, &rows, list, services)
}
