//! A packing that is found at once: the first fleet that the limits allow, and nodes for what that leaves over.

use super::floor::Floor;
use super::{
    Class, Filled, Item, LEFTOVER_ROUNDS, Limits, Measure, SHARES, Task, cheapest_for, count,
    cover, demand, fitting, fluid, repair, undominated,
};

/// Share of the demand, in percent, for which a fleet is sought first: whole pieces leave some of it empty.
const WITH_SLACK: f64 = 102.0;
/// Fleets kept at each step of the search for one.
const WIDTH: usize = 8;

/// Packs items on nodes of the given classes; what finds no room within the limits is left out.
pub(crate) fn pack(classes: &[Class], items: &[Item], limits: &Limits) -> Vec<Filled> {
    let useful = undominated(classes);
    let all = fitting(classes, items);
    let need = demand(items, &all);
    let fluid = fluid::within(classes, &useful, need, limits)
        .or_else(|| fluid::solve(classes, &useful, need));
    let Some(fluid) = fluid else {
        return Vec::new();
    };
    let mut shares = [WITH_SLACK].into_iter().chain(SHARES);
    let fleet = shares.find_map(|share| {
        let want = (need.0 * share / 100.0, need.1 * share / 100.0);
        cover::fleet(classes, &useful, &fluid, (want, count(&all)), limits, WIDTH)
    });
    let mut floor = Floor::new(classes, items);
    fleet
        .into_iter()
        .flatten()
        .for_each(|class| floor.buy(class));
    let mut free = limits.less(&floor.takes(), 1.0);
    let task = Task {
        classes,
        items,
        useful: &useful,
        all,
        need,
        fluid,
        limits,
    };
    let left = floor.spread(&task.ordered(Measure::Worth));
    let mut left = repair::place(&mut floor, left);
    for _ in 0..LEFTOVER_ROUNDS {
        let Some(class) = cheapest_for(&floor, &left, &free) else {
            break;
        };
        free = free.less(&classes[class].takes, 1.0);
        floor.buy(class);
        left = floor.spread(&left);
    }
    floor.downsize(limits);
    floor.into_nodes()
}
