//! Placing many services at once: prices per pool say where each goes, and each pool's share is packed as
//! a whole. What is left over finds room elsewhere, or is placed one by one afterwards.

mod allot;
mod demand;
mod displace;
mod extra;
mod fill;
mod pattern;
pub(crate) mod rework;
mod topup;

use super::bound::Effort;
use super::bound::ascent::{self, Prices};
use super::bound::groups::{Groups, Rows};
use super::bound::supply::{self, Supply};
use super::state::State;
use super::units::Resources;
use allot::Allotment;

/// Rounds of allotting and packing; each takes up what the one before left over.
const ROUNDS: usize = 3;
/// Rounds in which what has few choices takes the place of what has more.
const DISPLACEMENTS: usize = 4;

/// Share of all that is asked for that is taken to be asked for everywhere alike.
const EVERYWHERE: f64 = 0.2;

/// What counts as large: a core as much as 4 GiB, the usual ratio of nodes.
fn weight(size: Resources) -> u64 {
    size.milli_cores * 4 + size.mib
}

/// Prices for a fleet, and what they were found from.
pub(crate) struct Guide {
    pub rows: Rows,
    pub groups: Groups,
    pub supplies: Vec<Supply>,
    pub prices: Prices,
    pub effort: Effort,
}

impl Guide {
    /// Looks for prices at which `services` would be served by what the pools may still buy.
    pub fn new(state: &State<'_>, services: &[usize], effort: Effort) -> Self {
        let problem = state.problem;
        let rows = Rows::new(problem);
        let groups = Groups::new(problem, &rows, services, true);
        let supplies = supply::all(problem, &rows);
        let free: Vec<Supply> = (supplies.iter().zip(&rows.pools))
            .map(|(supply, &p)| supply.without(&state.usage[p]))
            .collect();
        let pace = effort.pace(&groups, &free);
        let mut prices = ascent::ascend(&rows, &groups, &free, pace);
        if effort == Effort::Little {
            offer_all(&mut prices, &free);
        }
        Guide {
            rows,
            groups,
            supplies,
            prices,
            effort,
        }
    }
}

/// Takes what pools could offer for what they would: few steps do not tell what that is on the whole.
fn offer_all(prices: &mut Prices, free: &[Supply]) {
    let part = EVERYWHERE / free.len().max(1) as f64;
    let all = |i: usize| prices.asked.iter().map(|asked| asked[i]).sum::<f64>();
    let everywhere = [0, 1].map(|i| all(i) * part);
    for (row, supply) in free.iter().enumerate() {
        let asked = prices.asked[row];
        prices.offered[row] = supply.most([0, 1].map(|i| asked[i] + everywhere[i]));
    }
}

/// Places what it can of services that have no replica yet.
pub(crate) fn place(state: &mut State<'_>, groups: &[Vec<usize>], guide: &Guide) {
    let mut allotment = Allotment::new(state.problem, guide);
    allotment.all(groups, &|s| state.places(s).is_empty());
    for round in 0..ROUNDS {
        let mut left = fill::all(state, guide, &allotment.take());
        left = topup::all(state, guide, left);
        let displacements = match guide.effort {
            Effort::Little => 0,
            Effort::Full => DISPLACEMENTS,
        };
        for _ in 0..displacements {
            let before = left.clone();
            left = displace::all(state, guide, left);
            left = topup::all(state, guide, left);
            if left == before {
                break;
            }
        }
        if left.is_empty() || round + 1 == ROUNDS {
            break;
        }
        allotment.again(state, &left);
    }
    state.commit();
}
