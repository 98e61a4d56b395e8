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
mod envelope;
pub(crate) mod groups;
mod quotes;
pub(crate) mod supply;

use super::problem::Problem;
use ascent::{Pace, Prices};
use certificate::Certificate;
use groups::{Groups, Rows};
use supply::Supply;

/// Prices looked at in all steps of ascent together.
const LOOKS: usize = 600_000_000;
/// Fewest and most steps. The more pools there are, the longer demand goes to and fro between them: so many
/// steps for each pool of the smallest fleets; of others for each, beyond so many for all.
const STEPS: (usize, usize) = (300, 10_000);
const SMALL_FLEET: usize = 300;
const LARGE_FLEET: (usize, usize) = (40, 2_000);

/// How many times smaller the last step is than the first.
const SLOWING: f64 = 100.0;
/// For a plan that is to be there at once.
const QUICK: Pace = Pace {
    steps: 200,
    slowing: 30.0,
};

/// How much work goes into a plan and its bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effort {
    /// As little as gives a plan.
    Little,
    /// As much as pays.
    Full,
}

impl Effort {
    /// The pace of ascent for a fleet of this size.
    pub fn pace(self, groups: &Groups, supplies: &[Supply]) -> Pace {
        let pools = supplies.len();
        let affordable = LOOKS / groups.looks().max(1);
        let wanted = (pools * SMALL_FLEET).min(pools * LARGE_FLEET.0 + LARGE_FLEET.1);
        match self {
            // The prices that ascent begins with are the best ones then.
            _ if pools == 1 && !supplies[0].is_limited() => Pace { steps: 1, ..QUICK },
            Effort::Little => QUICK,
            Effort::Full => Pace {
                steps: wanted.min(affordable).clamp(STEPS.0, STEPS.1),
                slowing: SLOWING,
            },
        }
    }
}

/// A bound for plans in which these services have their place; `known` are prices found for the same
/// services.
pub(crate) fn certify(
    problem: &Problem<'_>,
    services: &[usize],
    known: Option<(&Rows, &Prices)>,
    effort: Effort,
) -> Certificate {
    if let Some((rows, prices)) = known {
        let list = certificate::rounded(problem, rows, prices);
        return certificate::prove(problem, rows, list, services);
    }
    let rows = Rows::new(problem);
    let groups = Groups::new(problem, &rows, services, false);
    let supplies = supply::all(problem, &rows);
    let prices = ascent::ascend(&rows, &groups, &supplies, effort.pace(&groups, &supplies));
    let list = certificate::rounded(problem, &rows, &prices);
    certificate::prove(problem, &rows, list, services)
}
