//! The most that a pool's nodes can earn within its limits: maximise Σ profitₖ·yₖ over y ≥ 0 with
//! Σ takesₖᵢ·yₖ ≤ limitᵢ for nodes, cores, memory and money, by the simplex method.
//!
//! From step to step only profits change, and those a little. Nodes that keep the limits keep them whatever they earn, so each
//! search goes on from where the last one ended, which is mostly the optimum still.

use crate::scheduler::packing::Limits;

/// Pivots after which the search stops; four rows need far fewer.
const PIVOTS: usize = 60;
/// Pivots after which it begins from nothing again: each one rounds.
const FRESH: usize = 100;

/// The optimum.
#[derive(Clone, Debug, Default)]
pub(crate) struct Earned {
    pub value: f64,
    /// Nodes of each class, in fractions.
    pub nodes: Vec<f64>,
    /// What one more of each limit would earn; nothing for what is not limited.
    pub worth: [f64; 4],
}

/// One pool's programme, and where the last search for its optimum ended.
pub(crate) struct Programme {
    /// The limits that there are: which, and how much.
    limits: Vec<(usize, f64)>,
    classes: usize,
    /// The equations as they are given, scaled to a right side of one: classes, slacks, and the right side.
    given: Vec<f64>,
    /// The same, solved for the basis.
    solved: Vec<f64>,
    /// What is not nothing in each equation.
    basis: Vec<usize>,
    /// What would be lost by one of each; at the end, what is earned.
    losses: Vec<f64>,
    pivots: usize,
}

impl Programme {
    /// For one pool; limits may be infinite but not all of them.
    pub fn new(takes: impl ExactSizeIterator<Item = Limits> + Clone, limits: &Limits) -> Self {
        let limited = (0..4).filter(|&i| limits.0[i].is_finite());
        let limits: Vec<(usize, f64)> = limited.map(|i| (i, limits.0[i].max(1e-9))).collect();
        let (n, m) = (takes.len(), limits.len());
        let width = n + m + 1;
        let mut given = vec![0.0; m * width];
        for (r, &(i, limit)) in limits.iter().enumerate() {
            let row = &mut given[r * width..(r + 1) * width];
            for (cell, takes) in row.iter_mut().zip(takes.clone()) {
                *cell = takes.0[i] / limit;
            }
            row[n + r] = 1.0;
            row[width - 1] = 1.0;
        }
        Programme {
            limits,
            classes: n,
            solved: given.clone(),
            given,
            basis: (n..n + m).collect(),
            losses: vec![0.0; width],
            pivots: 0,
        }
    }

    /// Looks for the optimum at some profits for each node.
    pub fn most(&mut self, profits: &[f64], earned: &mut Earned) {
        let (n, width) = (self.classes, self.losses.len());
        if self.pivots > FRESH {
            self.solved.clone_from(&self.given);
            self.basis.clear();
            self.basis.extend(n..width - 1);
            self.pivots = 0;
        }
        self.price(profits);
        for _ in 0..PIVOTS {
            let Some(enters) = entering(&self.losses[..width - 1]) else {
                break;
            };
            let Some(leaves) = self.leaving(enters) else {
                break;
            };
            self.pivot(leaves, enters);
        }
        earned.value = self.losses[width - 1];
        earned.nodes.clear();
        earned.nodes.resize(n, 0.0);
        earned.worth = [0.0; 4];
        for (r, &k) in self.basis.iter().enumerate() {
            if k < n {
                earned.nodes[k] = self.solved[r * width + width - 1];
            }
        }
        for (r, &(i, limit)) in self.limits.iter().enumerate() {
            earned.worth[i] = self.losses[n + r].max(0.0) / limit;
        }
    }

    /// What is lost and earned with the basis as it is.
    fn price(&mut self, profits: &[f64]) {
        self.losses.fill(0.0);
        for (loss, profit) in self.losses.iter_mut().zip(profits) {
            *loss = -profit;
        }
        for (equation, &k) in self.solved.chunks(self.losses.len()).zip(&self.basis) {
            let profit = profits.get(k).copied().unwrap_or(0.0);
            if profit != 0.0 {
                for (loss, cell) in self.losses.iter_mut().zip(equation) {
                    *loss += profit * cell;
                }
            }
        }
        // Nothing is lost by what there is, whatever rounding says.
        for &k in &self.basis {
            self.losses[k] = 0.0;
        }
    }

    fn leaving(&self, enters: usize) -> Option<usize> {
        let mut least = (f64::INFINITY, None);
        for (r, equation) in self.solved.chunks(self.losses.len()).enumerate() {
            let rate = equation[enters];
            if rate > 1e-12 {
                let ratio = equation[equation.len() - 1] / rate;
                if ratio < least.0 {
                    least = (ratio, Some(r));
                }
            }
        }
        least.1
    }

    fn pivot(&mut self, leaves: usize, enters: usize) {
        let width = self.losses.len();
        let scale = 1.0 / self.solved[leaves * width + enters];
        let (before, rest) = self.solved.split_at_mut(leaves * width);
        let (chosen, after) = rest.split_at_mut(width);
        for x in chosen.iter_mut() {
            *x *= scale;
        }
        let others = before.chunks_mut(width).chain(after.chunks_mut(width));
        for equation in others.chain(std::iter::once(self.losses.as_mut_slice())) {
            let factor = equation[enters];
            if factor != 0.0 {
                for (x, cell) in equation.iter_mut().zip(chosen.iter()) {
                    *x -= factor * cell;
                }
            }
        }
        self.basis[leaves] = enters;
        self.pivots += 1;
    }
}

fn entering(losses: &[f64]) -> Option<usize> {
    let mut least = (-1e-9, None);
    for (k, &loss) in losses.iter().enumerate() {
        if loss < least.0 {
            least = (loss, Some(k));
        }
    }
    least.1
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn most(profits: &[f64], takes: &[Limits], limits: &Limits) -> Earned {
        let mut earned = Earned::default();
        Programme::new(takes.iter().copied(), limits).most(profits, &mut earned);
        earned
    }

    #[test]
    fn the_scarcest_limit_decides_and_has_a_worth() {
        let takes = [
            Limits([1.0, 4.0, 16.0, 10.0]),
            Limits([1.0, 8.0, 16.0, 15.0]),
        ];
        let limits = Limits([10.0, 40.0, f64::INFINITY, 1000.0]);
        let earned = most(&[2.0, 3.0], &takes, &limits);
        // Ten nodes of the first class use up nodes and cores at once.
        assert!((earned.value - 20.0).abs() < 1e-9);
        assert!((earned.nodes[0] - 10.0).abs() < 1e-9);
        let paid: f64 = (0..4)
            .filter(|&i| earned.worth[i] > 0.0)
            .map(|i| earned.worth[i] * limits.0[i])
            .sum();
        assert!((paid - earned.value).abs() < 1e-9);
    }

    #[test]
    fn what_earns_nothing_is_not_bought() {
        let takes = [Limits([1.0, 4.0, 16.0, 10.0])];
        let limits = Limits([10.0, 40.0, 100.0, 1000.0]);
        let earned = most(&[-1.0], &takes, &limits);
        assert_eq!((earned.value, earned.nodes), (0.0, vec![0.0]));
    }

    proptest! {
        #[test]
        fn what_was_best_before_does_not_matter(
            limits in prop::collection::vec(1u32..500, 4),
            takes in prop::collection::vec(prop::collection::vec(1u32..20, 4), 1..7),
            profits in prop::collection::vec(prop::collection::vec(-50i32..100, 6), 1..300),
        ) {
            let four = |list: &Vec<u32>| Limits(std::array::from_fn(|i| f64::from(list[i])));
            let (limits, takes) = (four(&limits), takes.iter().map(four).collect::<Vec<_>>());
            let mut programme = Programme::new(takes.iter().copied(), &limits);
            let mut earned = Earned::default();
            for profits in profits {
                let profits: Vec<f64> = profits[..takes.len()].iter().map(|&p| f64::from(p)).collect();
                programme.most(&profits, &mut earned);
                let fresh = most(&profits, &takes, &limits);
                prop_assert!((earned.value - fresh.value).abs() <= 1e-6 * (1.0 + fresh.value));
                let sold: f64 = earned.nodes.iter().zip(&profits).map(|(n, p)| n * p).sum();
                prop_assert!((sold - fresh.value).abs() <= 1e-6 * (1.0 + fresh.value));
                let paid: f64 = (0..4).map(|i| earned.worth[i] * limits.0[i]).sum();
                prop_assert!((paid - fresh.value).abs() <= 1e-6 * (1.0 + fresh.value));
            }
        }
    }
}
