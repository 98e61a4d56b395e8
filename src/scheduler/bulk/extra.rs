//! How much dearer than by its weight alone a replica is in a pool.

use super::Guide;
use std::collections::BTreeMap;

/// What a replica that fills a node alone is dearer: little fits beside it.
const BULKY: f64 = 0.05;

/// By shape, how much more than its worth a replica costs in each row: its share of the best class that
/// holds it, which may not be one of those that the prices come from.
pub(crate) fn all(guide: &Guide) -> BTreeMap<(u64, u64), Vec<f32>> {
    let mut extra = BTreeMap::new();
    for cell in &guide.groups.cells {
        extra
            .entry((cell.cpu as u64, cell.mem as u64))
            .or_insert_with(|| {
                let rows = 0..guide.rows.pools.len();
                rows.map(|row| in_row(guide, row, cell.cpu, cell.mem))
                    .collect()
            });
    }
    extra
}

fn in_row(guide: &Guide, row: usize, cpu: f64, mem: f64) -> f32 {
    let price = guide.prices.rows[row];
    let supply = &guide.supplies[row];
    let fitting = supply
        .classes
        .iter()
        .filter(|k| k.cpu >= cpu && k.mem >= mem);
    let least = fitting.fold(f64::INFINITY, |least, class| {
        let share = (cpu / class.cpu).max(mem / class.mem);
        let times = guide.prices.reduced(row, class) / price.of(class.cpu, class.mem).max(1e-9);
        least.min(times * (1.0 + BULKY * share * share))
    });
    // A shape that stands for others may be larger than they are.
    if least.is_finite() { least as f32 } else { 4.0 }
}
