//! A fleet of whole nodes that covers a demand at little cost.

use super::fluid::Fluid;
use super::{Class, Limits};

/// Most nodes that the search adds to the rounded-down mix.
const DEPTH: usize = 24;
/// What a node more counts, as a share of the dearest class: of fleets that cost nearly the same, the
/// one with fewer and larger nodes leaves fewer remainders.
const NODE_SHARE: f64 = 0.003;

/// Nodes up to which the whole fleet is searched, not just what rounding the mix leaves over.
const SMALL: f64 = 6.0;

/// A fleet that is not yet complete.
#[derive(Clone, Copy)]
struct Partial {
    rating: f64,
    cost: f64,
    cpu: f64,
    mem: f64,
    /// Where the last class is in the order; those after it come later.
    last: usize,
    /// Its place among those that were made in one step.
    made: usize,
    /// The last node in the trail; none before the first.
    trail: Option<usize>,
    nodes: usize,
    /// What the limits leave.
    left: Limits,
}

/// The classes of a fleet that has `want` cores and memory for that many `replicas`, one entry a node, by a search
/// that keeps `width` fleets at each step. Nothing if the limits allow none, or if the mix has far more nodes than
/// there are replicas: it knows no sizes, and pours a replica over nodes of which none holds it.
pub(crate) fn fleet(
    classes: &[Class],
    useful: &[usize],
    fluid: &Fluid,
    (want, replicas): ((f64, f64), u64),
    limits: &Limits,
    width: usize,
) -> Option<Vec<usize>> {
    let mut order = useful.to_vec();
    order.sort_by(|&a, &b| {
        classes[b]
            .price
            .total_cmp(&classes[a].price)
            .then(a.cmp(&b))
    });
    let base = base(fluid, want, replicas)?;
    let mut left = *limits;
    let (mut cpu, mut mem) = want;
    for &(k, n) in &base {
        left = left.less(&classes[k].takes, n as f64);
        cpu -= classes[k].cpu * n as f64;
        mem -= classes[k].mem * n as f64;
    }
    let nodes: usize = base.iter().map(|(_, n)| n).sum();
    match cover(classes, &order, fluid, (cpu, mem), &left, width) {
        Some(added) => {
            let whole = base.into_iter();
            let whole = whole.flat_map(|(k, n)| std::iter::repeat_n(k, n));
            Some(whole.chain(added).collect())
        }
        // Fewer and larger nodes may keep a limit that the rounded mix does not.
        None if (1..=DEPTH).contains(&nodes) => cover(classes, &order, fluid, want, limits, width),
        None => None,
    }
}

/// The mix rounded down, for a demand that may be larger than the one it was made for. Nothing if it has more than
/// two nodes a replica: a fleet is a little larger than its demand, but not as much.
fn base(fluid: &Fluid, want: (f64, f64), replicas: u64) -> Option<Vec<(usize, usize)>> {
    let total: f64 = fluid.mix.iter().map(|(_, n)| n).sum();
    if total <= SMALL {
        return Some(Vec::new());
    }
    let scale = (want.0 + want.1) / (fluid.need.0 + fluid.need.1).max(1e-9);
    let whole = |(k, n): &(usize, f64)| (*k, (n * scale) as usize);
    (total * scale <= 2.0 * replicas as f64).then(|| {
        let nodes = fluid.mix.iter().map(whole);
        nodes.filter(|(_, n)| *n > 0).collect()
    })
}

fn cover(
    classes: &[Class],
    order: &[usize],
    fluid: &Fluid,
    want: (f64, f64),
    limits: &Limits,
    width: usize,
) -> Option<Vec<usize>> {
    // What is bought already may be too much.
    if limits.0.iter().any(|left| *left < 0.0) {
        return None;
    }
    let dearest = order.first().map_or(0.0, |&k| fluid.price(&classes[k]));
    let value = |cpu: f64, mem: f64| fluid.cpu * cpu.max(0.0) + fluid.mem * mem.max(0.0);
    let first = Partial {
        rating: value(want.0, want.1),
        cost: 0.0,
        cpu: want.0,
        mem: want.1,
        last: 0,
        made: 0,
        trail: None,
        nodes: 0,
        left: *limits,
    };
    let (mut open, mut next) = (vec![first], Vec::with_capacity(width * order.len()));
    // Each node with the one bought before it.
    let mut trail: Vec<(usize, Option<usize>)> = Vec::new();
    let mut best: Option<(f64, Vec<usize>)> = None;
    let mut found = 0;
    for _ in 0..=DEPTH {
        for state in open.drain(..) {
            if state.cpu <= 0.0 && state.mem <= 0.0 {
                let rating = state.cost + NODE_SHARE * dearest * state.nodes as f64;
                found += 1;
                if best.as_ref().is_none_or(|(least, _)| rating < *least) {
                    best = Some((rating, followed(&trail, state.trail)));
                }
                continue;
            }
            if (best.as_ref()).is_some_and(|(least, _)| state.rating >= *least) {
                continue;
            }
            for (at, &k) in order.iter().enumerate().skip(state.last) {
                let class = &classes[k];
                if !state.left.holds(&class.takes) {
                    continue;
                }
                let (cpu, mem) = (state.cpu - class.cpu, state.mem - class.mem);
                let cost = state.cost + fluid.price(class);
                next.push(Partial {
                    rating: cost + value(cpu, mem),
                    cost,
                    cpu,
                    mem,
                    last: at,
                    made: next.len(),
                    // Where it goes in the trail if it is kept.
                    trail: state.trail,
                    nodes: state.nodes + 1,
                    left: state.left.less(&class.takes, 1.0),
                });
            }
        }
        if next.is_empty() || found * 2 >= width {
            break;
        }
        let better =
            |a: &Partial, b: &Partial| a.rating.total_cmp(&b.rating).then(a.made.cmp(&b.made));
        if next.len() > width {
            next.select_nth_unstable_by(width - 1, better);
            next.truncate(width);
        }
        next.sort_unstable_by(better);
        for state in &mut next {
            trail.push((order[state.last], state.trail));
            state.trail = Some(trail.len() - 1);
        }
        std::mem::swap(&mut open, &mut next);
    }
    best.map(|(_, added)| added)
}

/// The classes of a fleet, in the order in which they were bought.
fn followed(trail: &[(usize, Option<usize>)], mut at: Option<usize>) -> Vec<usize> {
    let mut found = Vec::new();
    while let Some((class, before)) = at.and_then(|at| trail.get(at)) {
        found.push(*class);
        at = *before;
    }
    found.reverse();
    found
}
