//! How much dearer than by its weight alone a replica is in a pool.

use super::Guide;
use crate::scheduler::bound::groups::Cell;
use std::collections::BTreeMap;
use std::ops::Range;

/// What a replica that fills a node alone is dearer: little fits beside it.
const BULKY: f64 = 0.05;
/// What a shape is dearer where no class holds it: one that stands for others may be larger than they are.
const TOO_LARGE: f32 = 4.0;
/// Prices that are looked at side by side.
const LANES: usize = 16;

/// By shape, how much more than its worth a replica costs in each row: its share of the best class that
/// holds it, which may not be one of those that the prices come from.
pub(crate) struct Extra {
    rows: usize,
    /// Row by row for one shape after the other.
    times: Vec<f32>,
    /// The shape of each cell.
    shapes: Vec<usize>,
}

/// A class with what a node costs for each unit that it is worth.
struct Rate {
    cpu: f64,
    mem: f64,
    /// One over each.
    per: (f64, f64),
    times: f64,
}

impl Extra {
    pub fn new(guide: &Guide) -> Self {
        let rows = guide.rows.pools.len();
        let rates: Vec<Vec<Rate>> = (0..rows).map(|row| rates(guide, row)).collect();
        let mut extra = Extra {
            rows,
            times: Vec::new(),
            shapes: Vec::with_capacity(guide.groups.cells.len()),
        };
        let mut known: BTreeMap<(u64, u64), usize> = BTreeMap::new();
        for cell in &guide.groups.cells {
            let next = known.len();
            let shape = *known
                .entry((cell.cpu as u64, cell.mem as u64))
                .or_insert_with(|| {
                    let times = rates.iter().map(|rates| least(rates, cell.cpu, cell.mem));
                    extra.times.extend(times);
                    next
                });
            extra.shapes.push(shape);
        }
        extra
    }

    /// What it is for a cell, row by row.
    pub fn of(&self, cell: usize) -> &[f32] {
        let shape = self.shapes[cell];
        &self.times[shape * self.rows..(shape + 1) * self.rows]
    }

    /// The least that a replica costs in some rows, and the first row where it does.
    pub fn least(
        &self,
        at: usize,
        cell: &Cell,
        rows: Range<usize>,
        [cpus, mems]: &[Vec<f32>; 2],
    ) -> (f32, usize) {
        let (cpu, mem) = (cell.cpu as f32, cell.mem as f32);
        let (cpus, mems) = (&cpus[rows.clone()], &mems[rows.clone()]);
        let times = &self.of(at)[rows.clone()];
        let price = |i: usize| (cpus[i] * cpu + mems[i] * mem) * times[i];
        let whole = cpus.len() / LANES * LANES;
        let mut lanes = [f32::INFINITY; LANES];
        for from in (0..whole).step_by(LANES) {
            for (lane, least) in lanes.iter_mut().enumerate() {
                let price = price(from + lane);
                *least = if price < *least { price } else { *least };
            }
        }
        let rest = (whole..cpus.len()).map(price);
        let least = lanes.into_iter().chain(rest).fold(f32::INFINITY, f32::min);
        let first = (0..cpus.len()).find(|&i| price(i) <= least);
        (least, rows.start + first.unwrap_or(0))
    }
}

fn rates(guide: &Guide, row: usize) -> Vec<Rate> {
    let price = guide.prices.rows[row];
    let classes = guide.supplies[row].classes.iter();
    classes
        .map(|class| Rate {
            cpu: class.cpu,
            mem: class.mem,
            per: (1.0 / class.cpu, 1.0 / class.mem),
            times: guide.prices.reduced(row, class) / price.of(class.cpu, class.mem).max(1e-9),
        })
        .collect()
}

fn least(rates: &[Rate], cpu: f64, mem: f64) -> f32 {
    let fitting = rates.iter().filter(|k| k.cpu >= cpu && k.mem >= mem);
    let least = fitting.fold(f64::INFINITY, |least, class| {
        let share = (cpu * class.per.0).max(mem * class.per.1);
        least.min(class.times * (1.0 + BULKY * share * share))
    });
    if least.is_finite() {
        least as f32
    } else {
        TOO_LARGE
    }
}
