//! The bill.

use super::{View, Violation, say};
use crate::scheduler::model::Cluster;

pub(super) fn check(view: &View<'_>, found: &mut Vec<Violation>) {
    let bill = bill(view, view.live.iter().copied());
    if bill != i128::from(view.solution.hourly) {
        let detail = format!("{} is claimed, {bill} is due", view.solution.hourly);
        say(found, "cost", "the fleet", detail);
    }
}

/// What clusters cost per hour.
pub(super) fn bill<'a>(view: &View<'_>, clusters: impl Iterator<Item = &'a Cluster>) -> i128 {
    let mut sum = 0i128;
    for cluster in clusters {
        let workers = cluster.workers.iter().map(|g| (&g.class, g.count));
        let control = cluster.control_plane.iter().map(|(class, n)| (class, *n));
        for (class, n) in workers.chain(control) {
            let price = view.price(&cluster.pool, class).unwrap_or(0);
            sum += i128::from(price) * i128::from(n);
        }
    }
    sum
}
