//! The most that a pool's nodes can earn within its limits: maximise Σ profitₖ·yₖ over y ≥ 0 with
//! Σ takesₖᵢ·yₖ ≤ limitᵢ for nodes, cores, memory and money, by the simplex method.

use crate::scheduler::packing::Limits;

/// Pivots after which the search stops; four rows need far fewer.
const PIVOTS: usize = 60;

/// The optimum.
#[derive(Clone, Debug, Default)]
pub(crate) struct Earned {
    pub value: f64,
    /// Nodes of each class, in fractions.
    pub nodes: Vec<f64>,
    /// What one more of each limit would earn; nothing for what is not limited.
    pub worth: [f64; 4],
}

/// Space for the simplex method, used again and again.
#[derive(Default)]
pub(crate) struct Tableau {
    cells: Vec<f64>,
    basis: Vec<usize>,
}

/// Solves for one pool; profits are per node, limits may be infinite but not all of them.
pub(crate) fn most(
    space: &mut Tableau,
    profits: &[f64],
    takes: &[Limits],
    limits: &Limits,
    earned: &mut Earned,
) {
    let limited = |&i: &usize| limits.0[i].is_finite();
    let (n, m) = (profits.len(), (0..4).filter(limited).count());
    let rows = (0..4).filter(limited);
    let width = n + m + 1;
    // Rows are scaled to a right side of one.
    let (table, basis) = (&mut space.cells, &mut space.basis);
    table.clear();
    table.resize((m + 1) * width, 0.0);
    basis.clear();
    basis.extend(n..n + m);
    for (r, i) in rows.clone().enumerate() {
        let limit = limits.0[i].max(1e-9);
        for k in 0..n {
            table[r * width + k] = takes[k].0[i] / limit;
        }
        table[r * width + n + r] = 1.0;
        table[r * width + width - 1] = 1.0;
    }
    for k in 0..n {
        table[m * width + k] = -profits[k];
    }
    for _ in 0..PIVOTS {
        let Some(enters) = entering(&table[m * width..(m + 1) * width - 1]) else {
            break;
        };
        let Some(leaves) = leaving(table, m, width, enters) else {
            break;
        };
        pivot(table, m, width, leaves, enters);
        basis[leaves] = enters;
    }
    earned.value = table[(m + 1) * width - 1];
    earned.nodes.clear();
    earned.nodes.resize(n, 0.0);
    earned.worth = [0.0; 4];
    for (r, &k) in basis.iter().enumerate() {
        if k < n {
            earned.nodes[k] = table[r * width + width - 1];
        }
    }
    for (r, i) in rows.enumerate() {
        earned.worth[i] = table[m * width + n + r].max(0.0) / limits.0[i].max(1e-9);
    }
}

fn entering(costs: &[f64]) -> Option<usize> {
    let mut least = (-1e-9, None);
    for (k, &cost) in costs.iter().enumerate() {
        if cost < least.0 {
            least = (cost, Some(k));
        }
    }
    least.1
}

fn leaving(table: &[f64], m: usize, width: usize, enters: usize) -> Option<usize> {
    let mut least = (f64::INFINITY, None);
    for r in 0..m {
        let rate = table[r * width + enters];
        if rate > 1e-12 {
            let ratio = table[r * width + width - 1] / rate;
            if ratio < least.0 {
                least = (ratio, Some(r));
            }
        }
    }
    least.1
}

fn pivot(table: &mut [f64], m: usize, width: usize, leaves: usize, enters: usize) {
    let scale = 1.0 / table[leaves * width + enters];
    for x in &mut table[leaves * width..(leaves + 1) * width] {
        *x *= scale;
    }
    for r in (0..=m).filter(|&r| r != leaves) {
        let factor = table[r * width + enters];
        if factor != 0.0 {
            for x in 0..width {
                table[r * width + x] -= factor * table[leaves * width + x];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn most(profits: &[f64], takes: &[Limits], limits: &Limits) -> Earned {
        let mut earned = Earned::default();
        super::most(&mut Tableau::default(), profits, takes, limits, &mut earned);
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
}
