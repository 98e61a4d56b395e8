//! A fleet of whole nodes that covers a demand at little cost.

use super::fluid::Fluid;
use super::{Class, Limits};

/// States kept at each depth of the search.
const WIDTH: usize = 200;
/// Most nodes that the search adds to the rounded-down mix.
const DEPTH: usize = 24;
/// Covers among which the fleet is chosen.
const COVERS: usize = 100;
/// What a node more counts, as a share of the dearest class: of fleets that cost nearly the same, the
/// one with fewer and larger nodes leaves fewer remainders.
const NODE_SHARE: f64 = 0.003;

/// Nodes up to which the whole fleet is searched, not just what rounding the mix leaves over.
const SMALL: f64 = 6.0;

#[derive(Clone)]
struct Partial {
    rating: f64,
    cost: f64,
    cpu: f64,
    mem: f64,
    last: usize,
    added: Vec<usize>,
}

/// The classes of a fleet that has `want` cores and memory, one entry a node. Nothing if the limits
/// allow none.
pub(crate) fn fleet(
    classes: &[Class],
    useful: &[usize],
    fluid: &Fluid,
    want: (f64, f64),
    limits: &Limits,
) -> Option<Vec<usize>> {
    let mut order = useful.to_vec();
    order.sort_by(|&a, &b| {
        classes[b]
            .price
            .total_cmp(&classes[a].price)
            .then(a.cmp(&b))
    });
    let base = base(fluid, want);
    let mut left = *limits;
    let (mut cpu, mut mem) = want;
    for &(k, n) in &base {
        left = left.less(&classes[k].takes, n as f64);
        cpu -= classes[k].cpu * n as f64;
        mem -= classes[k].mem * n as f64;
    }
    let nodes: usize = base.iter().map(|(_, n)| n).sum();
    match cover(classes, &order, fluid, (cpu, mem), &left) {
        Some(added) => {
            let whole = base.into_iter();
            let whole = whole.flat_map(|(k, n)| std::iter::repeat_n(k, n));
            Some(whole.chain(added).collect())
        }
        // Fewer and larger nodes may keep a limit that the rounded mix does not.
        None if (1..=DEPTH).contains(&nodes) => cover(classes, &order, fluid, want, limits),
        None => None,
    }
}

/// The mix rounded down, for a demand that may be larger than the one it was made for.
fn base(fluid: &Fluid, want: (f64, f64)) -> Vec<(usize, usize)> {
    let total: f64 = fluid.mix.iter().map(|(_, n)| n).sum();
    if total <= SMALL {
        return Vec::new();
    }
    let scale = (want.0 + want.1) / (fluid.need.0 + fluid.need.1).max(1e-9);
    fluid
        .mix
        .iter()
        .map(|&(k, n)| (k, (n * scale) as usize))
        .filter(|(_, n)| *n > 0)
        .collect()
}

fn cover(
    classes: &[Class],
    order: &[usize],
    fluid: &Fluid,
    want: (f64, f64),
    limits: &Limits,
) -> Option<Vec<usize>> {
    let dearest = order.first().map_or(0.0, |&k| fluid.price(&classes[k]));
    let value = |cpu: f64, mem: f64| fluid.cpu * cpu.max(0.0) + fluid.mem * mem.max(0.0);
    let mut open = vec![Partial {
        rating: value(want.0, want.1),
        cost: 0.0,
        cpu: want.0,
        mem: want.1,
        last: 0,
        added: Vec::new(),
    }];
    let mut best: Option<(f64, Vec<usize>)> = None;
    let mut found = 0;
    for _ in 0..=DEPTH {
        let mut next = Vec::new();
        for state in open {
            if state.cpu <= 0.0 && state.mem <= 0.0 {
                let rating = state.cost + NODE_SHARE * dearest * state.added.len() as f64;
                if allowed(classes, &state.added, limits) {
                    found += 1;
                    if best.as_ref().is_none_or(|(least, _)| rating < *least) {
                        best = Some((rating, state.added));
                    }
                }
                continue;
            }
            if best
                .as_ref()
                .is_some_and(|(least, _)| state.rating >= *least)
            {
                continue;
            }
            for (at, &k) in order.iter().enumerate().skip(state.last) {
                let class = &classes[k];
                let (cpu, mem) = (state.cpu - class.cpu, state.mem - class.mem);
                let cost = state.cost + fluid.price(class);
                let mut added = state.added.clone();
                added.push(k);
                next.push(Partial {
                    rating: cost + value(cpu, mem),
                    cost,
                    cpu,
                    mem,
                    last: at,
                    added,
                });
            }
        }
        if next.is_empty() || found >= COVERS {
            break;
        }
        next.sort_by(|a, b| {
            a.rating
                .total_cmp(&b.rating)
                .then_with(|| a.added.cmp(&b.added))
        });
        next.truncate(WIDTH);
        open = next;
    }
    best.map(|(_, added)| added)
}

fn allowed(classes: &[Class], added: &[usize], limits: &Limits) -> bool {
    let left = added
        .iter()
        .fold(*limits, |left, &k| left.less(&classes[k].takes, 1.0));
    left.0.iter().all(|amount| *amount >= 0.0)
}
