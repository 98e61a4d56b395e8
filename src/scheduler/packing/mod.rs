//! One pool: which nodes to buy, and how replicas go on them.
//!
//! The fleet is chosen first, by a linear programme that knows no pieces; the replicas are then spread
//! over all of it at once, so that no node is left with a remainder that nothing fits. Where some
//! find no room, the fleet is chosen a little larger.
//!
//! Floating point guides the search (sums, products, quotients and comparisons in a fixed order).
//! Amounts are whole numbers below 2^53 and therefore exact in it.

mod cover;
mod floor;
pub(crate) mod fluid;
pub(crate) mod quick;
mod repair;
#[cfg(test)]
mod tests;

use floor::Floor;

/// A node class as the packing sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Class {
    /// What services can use of it, milli-cores.
    pub cpu: f64,
    /// What services can use of it, MiB.
    pub mem: f64,
    /// Micro-dollars per hour, by which classes are compared.
    pub price: f64,
    /// What one node takes of the pool's limits.
    pub takes: Limits,
}

impl Class {
    /// Whether one fits on an empty node.
    fn holds(&self, item: &Item) -> bool {
        self.cpu >= item.cpu && self.mem >= item.mem
    }
}

/// An amount of what a pool limits: nodes, milli-cores, MiB, micro-dollars per hour.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Limits(pub [f64; 4]);

impl Limits {
    pub fn holds(&self, other: &Limits) -> bool {
        (0..4).all(|i| other.0[i] <= self.0[i])
    }

    fn less(&self, other: &Limits, times: f64) -> Limits {
        Limits(std::array::from_fn(|i| self.0[i] - other.0[i] * times))
    }
}

/// Equal replicas to be placed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Item {
    /// Milli-cores of one.
    pub cpu: f64,
    /// MiB of one.
    pub mem: f64,
    /// How many.
    pub count: u32,
    /// Whether they must be on different nodes.
    pub apart: bool,
}

/// A node to buy, and what goes on it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Filled {
    /// Index into the classes.
    pub class: usize,
    /// Item and how many of it, by item.
    pub content: Vec<(u32, u32)>,
}

/// Parts in ten thousand by which the fleet is chosen larger than what must fit, one after the other.
const SLACKS: [f64; 10] = [
    5.0, 15.0, 30.0, 50.0, 80.0, 120.0, 200.0, 300.0, 500.0, 800.0,
];
/// Fleets kept at each step of the search for one.
const WIDTH: usize = 200;
/// Replicas up to which a fleet is tried that has exactly as much as must fit.
const FEW: u64 = 300;
/// Shares of the demand, in percent, for which a fleet is sought where the limits allow none for all of it.
const SHARES: [f64; 9] = [99.0, 98.0, 96.0, 93.0, 88.0, 80.0, 65.0, 45.0, 25.0];
/// How much of what is left over may be packed anew on nodes of its own.
const LEFTOVER_ROUNDS: usize = 400;

/// Packs items on nodes of the given classes, as cheaply as it can; what finds no room within the limits is
/// left out.
pub(crate) fn pack(classes: &[Class], items: &[Item], limits: &Limits) -> Vec<Filled> {
    let all = fitting(classes, items);
    let plan = packed(classes, items, &undominated(classes), all, limits);
    plan.map(|plan| plan.floor.into_nodes()).unwrap_or_default()
}

/// Items and how many of each, without what no class holds: nodes would be bought for it in vain.
fn fitting(classes: &[Class], items: &[Item]) -> Vec<(u32, u32)> {
    let fits = |item: &Item| classes.iter().any(|class| class.holds(item));
    (items.iter().enumerate())
        .filter(|(_, item)| item.count > 0 && fits(item))
        .map(|(i, item)| (i as u32, item.count))
        .collect()
}

/// What is to be packed, and the fluid optimum of it.
struct Task<'a, 't> {
    classes: &'a [Class],
    items: &'a [Item],
    useful: &'t [usize],
    all: Vec<(u32, u32)>,
    need: (f64, f64),
    fluid: fluid::Fluid,
    limits: &'t Limits,
}

/// A way to pack.
struct Plan<'a> {
    cost: f64,
    floor: Floor<'a>,
    left: Vec<(u32, u32)>,
}

impl Plan<'_> {
    fn is_better(&self, other: Option<&Plan<'_>>) -> bool {
        other.is_none_or(|other| (count(&self.left), self.cost) < (count(&other.left), other.cost))
    }
}

fn packed<'a>(
    classes: &'a [Class],
    items: &'a [Item],
    useful: &[usize],
    all: Vec<(u32, u32)>,
    limits: &Limits,
) -> Option<Plan<'a>> {
    let need = demand(items, &all);
    let fluid = fluid::within(classes, useful, need, limits)
        .or_else(|| fluid::solve(classes, useful, need))?;
    let task = Task {
        classes,
        items,
        useful,
        all,
        need,
        fluid,
        limits,
    };
    let mut best = task.climb(&[], None);
    // What the cheapest classes do not hold decides on part of the fleet first.
    let bulky = task.bulky();
    if !bulky.is_empty() && bulky.len() < task.all.len() {
        let holding: Vec<usize> = (useful.iter().copied())
            .filter(|&k| bulky.iter().any(|&(i, _)| task.holds(k, i)))
            .collect();
        if let Some(plan) = packed(classes, items, &holding, bulky, limits) {
            best = task.climb(&plan.floor.class, best);
        }
    }
    match best {
        Some(plan) => Some(plan),
        None => Some(task.part()),
    }
}

impl<'a> Task<'a, '_> {
    fn holds(&self, class: usize, item: u32) -> bool {
        self.classes[class].holds(&self.items[item as usize])
    }

    /// Items that one of the classes of the fluid optimum does not hold.
    fn bulky(&self) -> Vec<(u32, u32)> {
        let mix = || self.fluid.mix.iter().filter(|(_, n)| *n >= 1.0);
        let all = self.all.iter().copied();
        all.filter(|&(i, _)| mix().any(|&(k, _)| !self.holds(k, i)))
            .collect()
    }

    /// Tries ever larger fleets, each with the nodes `given`, until one holds everything.
    fn climb(&self, given: &[usize], mut best: Option<Plan<'a>>) -> Option<Plan<'a>> {
        // Few replicas often fill nodes to the last bit, many never do.
        let exact = (count(&self.all) <= FEW).then_some(0.0);
        for slack in exact.into_iter().chain(SLACKS) {
            let factor = 1.0 + slack / 10_000.0;
            if let Some(plan) = &best
                && plan.left.is_empty()
                && self.fluid.cost * factor >= plan.cost
            {
                break;
            }
            let want = (self.need.0 * factor, self.need.1 * factor);
            let Some(fleet) = self.fleet(given, want) else {
                continue;
            };
            let (mut floor, mut left) = self.spread(&fleet);
            let whole = left.is_empty();
            left = buy_for(&mut floor, self.useful, left, self.limits);
            floor.downsize(self.limits);
            let plan = Plan {
                cost: floor.price(),
                floor,
                left,
            };
            if plan.is_better(best.as_ref()) {
                best = Some(plan);
            }
            if whole {
                break;
            }
        }
        best
    }

    /// Nodes that have as much as is wanted, with those given.
    fn fleet(&self, given: &[usize], want: (f64, f64)) -> Option<Vec<usize>> {
        let replicas = count(&self.all);
        if given.is_empty() {
            return cover::fleet(
                self.classes,
                self.useful,
                &self.fluid,
                (want, replicas),
                self.limits,
                WIDTH,
            );
        }
        let mut limits = *self.limits;
        let mut rest = want;
        for &k in given {
            limits = limits.less(&self.classes[k].takes, 1.0);
            rest = (rest.0 - self.classes[k].cpu, rest.1 - self.classes[k].mem);
        }
        let mut fleet = given.to_vec();
        if rest.0 > 0.0 || rest.1 > 0.0 {
            let fluid = fluid::within(self.classes, self.useful, rest, &limits)?;
            fleet.extend(cover::fleet(
                self.classes,
                self.useful,
                &fluid,
                (rest, replicas),
                &limits,
                WIDTH,
            )?);
        }
        Some(fleet)
    }

    /// Packs as much as the limits allow.
    fn part(&self) -> Plan<'a> {
        let fleet = SHARES.iter().find_map(|share| {
            let want = (self.need.0 * share / 100.0, self.need.1 * share / 100.0);
            self.fleet(&[], want)
        });
        let (mut floor, left) = match fleet {
            Some(fleet) => self.spread(&fleet),
            None => (Floor::new(self.classes, self.items), self.all.clone()),
        };
        let left = buy_for(&mut floor, self.useful, left, self.limits);
        floor.downsize(self.limits);
        Plan {
            cost: floor.price(),
            floor,
            left,
        }
    }

    /// Spreads all items over a fleet, in the best of three orders; also says what found no room.
    fn spread(&self, fleet: &[usize]) -> (Floor<'a>, Vec<(u32, u32)>) {
        let mut best: Option<(Floor<'a>, Vec<(u32, u32)>)> = None;
        for measure in Measure::ALL {
            let mut floor = Floor::new(self.classes, self.items);
            fleet.iter().for_each(|&class| floor.buy(class));
            let left = floor.spread(&self.ordered(measure));
            let left = repair::place(&mut floor, left);
            let better = (best.as_ref()).is_none_or(|(_, fewest)| count(&left) < count(fewest));
            let whole = left.is_empty();
            if better {
                best = Some((floor, left));
            }
            if whole {
                break;
            }
        }
        best.unwrap_or_else(|| (Floor::new(self.classes, self.items), self.all.clone()))
    }

    /// The order in which items are spread: the hardest first.
    fn ordered(&self, measure: Measure) -> Vec<(u32, u32)> {
        let largest =
            (self.classes.iter()).fold((1.0f64, 1.0f64), |(c, m), k| (c.max(k.cpu), m.max(k.mem)));
        let size = |i: u32| {
            let item = &self.items[i as usize];
            let (x, y) = (item.cpu / largest.0, item.mem / largest.1);
            match measure {
                Measure::Larger => x.max(y),
                Measure::Worth => self.fluid.cpu * item.cpu + self.fluid.mem * item.mem,
                Measure::Sum => x + y,
            }
        };
        let mut order = self.all.clone();
        order.sort_by(|a, b| size(b.0).total_cmp(&size(a.0)).then(a.0.cmp(&b.0)));
        order
    }
}

fn count(list: &[(u32, u32)]) -> u64 {
    list.iter().map(|(_, n)| u64::from(*n)).sum()
}

fn demand(items: &[Item], list: &[(u32, u32)]) -> (f64, f64) {
    list.iter().fold((0.0, 0.0), |(cpu, mem), &(i, n)| {
        let item = &items[i as usize];
        (cpu + item.cpu * f64::from(n), mem + item.mem * f64::from(n))
    })
}

/// Classes of which no other has as much for no more.
fn undominated(classes: &[Class]) -> Vec<usize> {
    (0..classes.len())
        .filter(|&k| {
            let one = &classes[k];
            !classes.iter().enumerate().any(|(j, other)| {
                let as_good =
                    other.cpu >= one.cpu && other.mem >= one.mem && other.price <= one.price;
                let equal =
                    other.cpu == one.cpu && other.mem == one.mem && other.price == one.price;
                as_good && (!equal || j < k) && one.takes.holds(&other.takes)
            })
        })
        .collect()
}

/// What makes an item hard to place.
#[derive(Clone, Copy)]
enum Measure {
    /// The larger of its shares of the largest node.
    Larger,
    /// What it is worth.
    Worth,
    /// Both shares together.
    Sum,
}

impl Measure {
    const ALL: [Measure; 3] = [Measure::Larger, Measure::Worth, Measure::Sum];
}

/// Buys nodes for what is left over alone, until all of it has a place or the limits say no.
fn buy_for(
    floor: &mut Floor<'_>,
    useful: &[usize],
    mut left: Vec<(u32, u32)>,
    limits: &Limits,
) -> Vec<(u32, u32)> {
    for _ in 0..LEFTOVER_ROUNDS {
        if left.is_empty() {
            break;
        }
        let free = limits.less(&floor.takes(), 1.0);
        let before = count(&left);
        let (classes, items) = (floor.classes, floor.items);
        // Only classes that hold the largest of what is left make sure that each round gets on.
        let largest = left.iter().fold((0.0f64, 0.0f64), |(c, m), &(i, _)| {
            let item = &items[i as usize];
            (c.max(item.cpu), m.max(item.mem))
        });
        let holding: Vec<usize> = useful
            .iter()
            .copied()
            .filter(|&k| classes[k].cpu >= largest.0 && classes[k].mem >= largest.1)
            .collect();
        let fitting = if holding.is_empty() { useful } else { &holding };
        let need = demand(items, &left);
        let fleet = fluid::within(classes, fitting, need, &free)
            .and_then(|fluid| cover::fleet(classes, fitting, &fluid, (need, before), &free, WIDTH));
        match fleet {
            Some(fleet) => fleet.into_iter().for_each(|class| floor.buy(class)),
            None => {
                let Some(class) = cheapest_for(floor, &left, &free) else {
                    break;
                };
                floor.buy(class);
            }
        }
        left.sort_by(|a, b| {
            let size = |i: u32| items[i as usize].cpu + items[i as usize].mem / 4.0;
            size(b.0).total_cmp(&size(a.0)).then(a.0.cmp(&b.0))
        });
        left = floor.spread(&left);
        left = repair::place(floor, left);
        if count(&left) == before {
            let Some(class) = cheapest_for(floor, &left, &limits.less(&floor.takes(), 1.0)) else {
                break;
            };
            floor.buy(class);
            left = floor.spread(&left);
        }
    }
    floor.drop_empty();
    left
}

/// The cheapest class within the limits that holds the first of what is left that any class holds.
fn cheapest_for(floor: &Floor<'_>, left: &[(u32, u32)], free: &Limits) -> Option<usize> {
    left.iter().find_map(|&(i, _)| {
        let item = &floor.items[i as usize];
        (0..floor.classes.len())
            .filter(|&k| {
                let class = &floor.classes[k];
                class.holds(item) && free.holds(&class.takes)
            })
            .min_by(|&a, &b| floor.classes[a].price.total_cmp(&floor.classes[b].price))
    })
}
