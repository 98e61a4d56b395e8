//! Which of some rows are the cheapest for anything at all: seen as points of two prices, the corners of
//! their convex hull towards nothing. What a replica pays at least is what it pays at one of these few.

use super::ascent::Price;
use super::groups::Segment;

/// A row and its prices.
pub(crate) type Corner = (Price, usize);

/// The cheapest rows of a segment.
#[derive(Clone, Debug)]
pub(crate) struct Envelope {
    /// All rows of the segment, by price of a core as it was last: from step to step little changes places.
    order: Vec<usize>,
    /// From the cheapest cores and dearest memory to the other end.
    corners: Vec<Corner>,
}

impl Envelope {
    pub fn new(segment: &Segment) -> Self {
        Envelope {
            order: segment.rows().collect(),
            corners: Vec::new(),
        }
    }

    /// Takes over other prices.
    pub fn update(&mut self, prices: &[Price]) {
        sort(&mut self.order, prices);
        self.corners.clear();
        for &row in &self.order {
            add(&mut self.corners, (prices[row], row));
        }
    }

    /// Takes over the corners of the segments that it consists of: what is no corner of its own is none of the whole.
    pub fn join(&mut self, corners: &mut [Corner]) {
        corners.sort_unstable_by(|(a, i), (b, j)| a.cpu.total_cmp(&b.cpu).then(i.cmp(j)));
        self.corners.clear();
        for &corner in corners.iter() {
            add(&mut self.corners, corner);
        }
    }

    /// The cheapest rows.
    pub fn corners(&self) -> &[Corner] {
        &self.corners
    }

    /// The least that each of some amounts costs, and the row where it does; amounts come from the most cores for
    /// their memory to the most memory for their cores, as the corners do.
    pub fn answer(&self, amounts: &[(f64, f64)], answers: &mut [(f64, usize)]) {
        let mut corners = self.corners.iter();
        let Some(mut corner) = corners.next() else {
            return answers.fill((f64::INFINITY, 0));
        };
        for (&(cpu, mem), answer) in amounts.iter().zip(answers) {
            let mut cost = corner.0.of(cpu, mem);
            // Along a convex line costs fall, and then only rise.
            while let Some(next) = corners.as_slice().first()
                && let other = next.0.of(cpu, mem)
                && other < cost
            {
                (corner, cost) = (next, other);
                corners.next();
            }
            *answer = (cost, corner.1);
        }
    }
}

/// Adds the next by price of a core, if it is a corner as far as is known, in place of those that are none with it.
fn add(corners: &mut Vec<Corner>, next: Corner) {
    let price = &next.0;
    // As dear a core or a dearer one is worth it for cheaper memory only.
    if let Some((last, _)) = corners.last()
        && price.mem >= last.mem
    {
        return;
    }
    while let [.., (before, _), (last, _)] = corners.as_slice()
        && !turns(before, last, price)
    {
        corners.pop();
    }
    corners.push(next);
}

/// Whether a corner lies below the line from the one before it to the one after it.
fn turns(before: &Price, corner: &Price, after: &Price) -> bool {
    let down = (before.mem - corner.mem) * (after.cpu - before.cpu);
    let line = (before.mem - after.mem) * (corner.cpu - before.cpu);
    down > line
}

/// By price of a core; insertion sort, as hardly anything is out of place.
fn sort(order: &mut [usize], prices: &[Price]) {
    for at in 1..order.len() {
        let row = order[at];
        let mut to = at;
        while to > 0 && prices[row].cpu < prices[order[to - 1]].cpu {
            order[to] = order[to - 1];
            to -= 1;
        }
        order[to] = row;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scheduler::bound::groups::Run;
    use proptest::prelude::*;

    fn envelope(prices: &[Price]) -> Envelope {
        let runs = vec![Run {
            from: 0,
            to: prices.len(),
        }];
        let mut envelope = Envelope::new(&Segment { runs });
        envelope.update(prices);
        envelope
    }

    /// Of two parts, one after the other.
    fn joined(prices: &[Price], first: usize) -> Envelope {
        let parts = [0..first, first..prices.len()].map(|rows| {
            let runs = vec![Run {
                from: rows.start,
                to: rows.end,
            }];
            let mut part = Envelope::new(&Segment { runs });
            part.update(prices);
            part
        });
        let mut corners: Vec<Corner> = parts.iter().flat_map(|p| p.corners().to_vec()).collect();
        let mut whole = Envelope::new(&Segment { runs: Vec::new() });
        whole.join(&mut corners);
        whole
    }

    fn prices(list: &[(u32, u32)]) -> Vec<Price> {
        let price = |&(cpu, mem): &(u32, u32)| Price {
            cpu: f64::from(cpu),
            mem: f64::from(mem),
        };
        list.iter().map(price).collect()
    }

    #[test]
    fn what_is_on_a_line_between_others_or_behind_them_is_no_corner() {
        let found = envelope(&prices(&[(0, 4), (4, 0), (2, 2), (3, 3), (1, 2)]));
        let rows: Vec<usize> = found.corners.iter().map(|(_, row)| *row).collect();
        assert_eq!(rows, [0, 4, 1]);
    }

    #[test]
    fn nothing_is_cheapest_where_there_is_nothing() {
        let mut answers = [(0.0, 0)];
        envelope(&[]).answer(&[(1.0, 1.0)], &mut answers);
        assert_eq!(answers[0].0, f64::INFINITY);
    }

    proptest! {
        #[test]
        fn the_least_is_that_of_all(
            first in prop::collection::vec((0u32..50, 0u32..50), 1..40),
            shift in prop::collection::vec((0u32..9, 0u32..9), 40),
            asked in prop::collection::vec((1u32..100, 0u32..100), 1..20),
        ) {
            let then: Vec<(u32, u32)> =
                first.iter().zip(&shift).map(|(a, b)| (a.0 + b.0, a.1 + b.1)).collect();
            let mut envelope = envelope(&prices(&first));
            let mut asked: Vec<(f64, f64)> =
                asked.iter().map(|&(cpu, mem)| (f64::from(cpu), f64::from(mem))).collect();
            asked.sort_by(|a, b| (a.1 / a.0).total_cmp(&(b.1 / b.0)));
            let mut answers = vec![(0.0, 0); asked.len()];
            for list in [prices(&first), prices(&then)] {
                envelope.update(&list);
                envelope.answer(&asked, &mut answers);
                let joined = joined(&list, list.len() / 2);
                let mut of_parts = answers.clone();
                joined.answer(&asked, &mut of_parts);
                for (&(cpu, mem), (&(found, row), part)) in
                    asked.iter().zip(answers.iter().zip(&of_parts))
                {
                    let least =
                        list.iter().map(|p| p.of(cpu, mem)).fold(f64::INFINITY, f64::min);
                    prop_assert_eq!(found, least);
                    prop_assert_eq!(list[row].of(cpu, mem), least);
                    prop_assert_eq!(part.0, least);
                }
            }
        }
    }
}
