//! The bill.

use super::{View, Violation, say};

pub(super) fn check(view: &View<'_>, found: &mut Vec<Violation>) {
    let mut bill = 0i128;
    for cluster in &view.live {
        let workers = cluster.workers.iter().map(|g| (&g.class, g.count));
        let control = cluster.control_plane.iter().map(|(class, n)| (class, *n));
        for (class, n) in workers.chain(control) {
            let price = view.price(&cluster.pool, class).unwrap_or(0);
            bill += i128::from(price) * i128::from(n);
        }
    }
    if bill != i128::from(view.solution.hourly) {
        let detail = format!("{} is claimed, {bill} is due", view.solution.hourly);
        say(found, "cost", "the fleet", detail);
    }
}
