//! What a cell says upwards of its free capacity: enough to compare, and no more.

use std::collections::BTreeMap;

use super::message::{Labels, Need, Step, Summary, WayOut};

/// Kinds of labels that a summary tells apart.
pub const MOST_LOTS: usize = 256;
/// Prices that it tells of each.
pub const MOST_STEPS: usize = 16;

/// The capacity of several cells together.
pub(super) fn summary<'a>(number: u64, cells: impl Iterator<Item = &'a Summary>) -> Summary {
    let mut lots: BTreeMap<Labels, BTreeMap<(u64, u64, u64), u64>> = BTreeMap::new();
    let mut add = |labels: &Labels, step: &Step| {
        if step.nodes > 0 {
            let kind = (step.hourly, step.milli_cores, step.mib);
            let nodes = lots
                .entry(labels.clone())
                .or_default()
                .entry(kind)
                .or_default();
            *nodes = nodes.saturating_add(step.nodes);
        }
    };
    for summary in cells {
        for (labels, steps) in &summary.lots {
            steps.iter().for_each(|step| add(labels, step));
        }
    }
    let lots = lots.into_iter().take(MOST_LOTS).map(|(labels, steps)| {
        let steps = steps.into_iter().take(MOST_STEPS);
        let steps = steps.map(|((hourly, milli_cores, mib), nodes)| Step {
            hourly,
            milli_cores,
            mib,
            nodes,
        });
        (labels, steps.collect())
    });
    Summary {
        number,
        lots: lots.collect(),
    }
}

/// What a place would cost at the least by a summary; none if there is none.
pub(super) fn price(summary: &Summary, need: &Need) -> Option<u64> {
    let lots = summary
        .lots
        .iter()
        .filter(|(labels, _)| need.matches(labels));
    let offers = lots.flat_map(|(_, steps)| steps).filter_map(|step| {
        let nodes = need.nodes(step.milli_cores, step.mib)?;
        (nodes <= step.nodes).then(|| nodes.saturating_mul(step.hourly))
    });
    offers.min()
}

/// Whether a replica has room somewhere, though perhaps not all have.
pub(super) fn may_fit(summary: &Summary, need: &Need) -> bool {
    let lots = summary
        .lots
        .iter()
        .filter(|(labels, _)| need.matches(labels));
    lots.flat_map(|(_, steps)| steps)
        .any(|step| step.nodes > 0 && need.nodes(step.milli_cores, step.mib).is_some())
}

/// What would help: each label term alone that could be dropped, with what the place would cost then.
pub(super) fn ways_out(summary: &Summary, need: &Need) -> Vec<WayOut> {
    let without = need.labels.iter().filter_map(|(key, value)| {
        let mut need = need.clone();
        need.labels.remove(key);
        let hourly = price(summary, &need)?;
        let term = format!("{key}={value}");
        Some(WayOut { term, hourly })
    });
    without.collect()
}

/// Of ways out from several cells the cheapest for each term, cheapest first.
pub(super) fn cheapest(all: impl IntoIterator<Item = WayOut>) -> Vec<WayOut> {
    let mut by_term: BTreeMap<String, u64> = BTreeMap::new();
    for way in all {
        let hourly = by_term.entry(way.term).or_insert(way.hourly);
        *hourly = way.hourly.min(*hourly);
    }
    let mut ways: Vec<WayOut> = by_term
        .into_iter()
        .map(|(term, hourly)| WayOut { term, hourly })
        .collect();
    ways.sort_by(|a, b| (a.hourly, &a.term).cmp(&(b.hourly, &b.term)));
    ways
}
