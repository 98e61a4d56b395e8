//! The pools that a service did not get, as its status tells them.
//!
//! By far the dearest part of a decision to tell: every pool is tried for every service. So the caller says
//! for which services, and may spread the rest over time.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;

use crate::api::service_status::Alternative;
use crate::placement::text;
use crate::scheduler::explain;
use crate::scheduler::model::{ServiceId, Snapshot};
use crate::scheduler::reason::Why;
use crate::scheduler::solution::Solution;

/// Pools that a status names as alternatives.
const MOST: usize = 20;

/// How far a pool was from being chosen: whether more than money is against it, how many reasons, what it
/// would add, and its name.
type Nearness = (bool, usize, i64, String);

/// For some services the pools that hold none of their replicas, the nearest ones first.
pub type Alternatives = BTreeMap<ServiceId, Vec<Alternative>>;

/// Finds the alternatives of the wanted services; each of them has an entry, an empty one if it is everywhere.
pub fn alternatives(
    snapshot: &Snapshot,
    solution: &Solution,
    wanted: &dyn Fn(&ServiceId) -> bool,
) -> Alternatives {
    let ids = snapshot.services.iter().map(|service| &service.id);
    let mut nearest: BTreeMap<ServiceId, BTreeSet<(Nearness, String)>> = ids
        .filter(|id| wanted(id))
        .map(|id| (id.clone(), BTreeSet::new()))
        .collect();
    if nearest.is_empty() {
        return Alternatives::new();
    }
    let mut keep = |id: &ServiceId, pool: &str, reasons: Vec<Why>| {
        if let Some(kept) = nearest.get_mut(id) {
            kept.insert((nearness(pool, &reasons), text::rejected(&reasons)));
            if kept.len() > MOST {
                kept.pop_last();
            }
        }
        Ok::<(), Infallible>(())
    };
    match explain::rejections(snapshot, solution, wanted, &mut keep) {
        Ok(()) => {}
        Err(never) => match never {},
    }
    let told = nearest.into_iter().map(|(id, kept)| {
        let kept = kept
            .into_iter()
            .map(|((.., pool), rejected)| Alternative { pool, rejected });
        (id, kept.collect())
    });
    told.collect()
}

fn nearness(pool: &str, reasons: &[Why]) -> Nearness {
    let added = reasons.iter().find_map(|why| match why {
        Why::Dearer { added } => Some(*added),
        _ => None,
    });
    let hard = reasons.iter().any(|why| !why.is_soft());
    (hard, reasons.len(), added.unwrap_or(0), pool.to_owned())
}
