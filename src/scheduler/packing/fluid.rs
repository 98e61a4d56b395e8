//! What a pool's resources are worth if replicas could be poured: the linear programme
//! maximise a·cpu + b·mem over a, b ≥ 0 with a·cpuₖ + b·memₖ ≤ priceₖ for each class k,
//! whose value is the least cost of classes (in any fraction) that hold the demand.

use super::{Class, Limits};

/// Doublings, and then halvings, in the search for what a limit is worth.
const DOUBLINGS: usize = 24;
const HALVINGS: usize = 16;

/// The optimum of the programme and of its dual.
#[derive(Clone, Debug)]
pub(crate) struct Fluid {
    /// Micro-dollars per milli-core and hour.
    pub cpu: f64,
    /// Micro-dollars per MiB and hour.
    pub mem: f64,
    /// Micro-dollars per hour: no packing that keeps the limits costs less.
    pub cost: f64,
    /// Classes and how many of each.
    pub mix: Vec<(usize, f64)>,
    /// What the mix has room for.
    pub need: (f64, f64),
    /// What one of each limit is worth; the prices above count it in.
    pub charges: [f64; 4],
}

impl Fluid {
    /// A node's price with what it takes of the limits.
    pub fn price(&self, class: &Class) -> f64 {
        let takes = class.takes.0.iter().zip(self.charges);
        takes.fold(class.price, |sum, (takes, charge)| sum + takes * charge)
    }
}

/// The optimum within limits. Where one is exceeded, each class is charged for what it takes of it until
/// the optimum changes to one that keeps it; in between lies the one that just does.
pub(crate) fn within(
    classes: &[Class],
    useful: &[usize],
    need: (f64, f64),
    limits: &Limits,
) -> Option<Fluid> {
    let free = solve(classes, useful, need)?;
    let Some(limit) = exceeded(classes, &free, limits) else {
        return Some(free);
    };
    let charged = |charge: f64| {
        let classes: Vec<Class> = (classes.iter())
            .map(|class| Class {
                price: class.price + charge * class.takes.0[limit],
                ..*class
            })
            .collect();
        solve(&classes, useful, need)
    };
    let taken = |fluid: &Fluid| takes(classes, fluid, limit);
    let most = limits.0[limit];
    let (mut low, mut over) = (0.0, free);
    let dearest = useful
        .iter()
        .fold(0.0f64, |most, &k| most.max(classes[k].price));
    let least = useful.iter().fold(f64::INFINITY, |least, &k| {
        least.min(classes[k].takes.0[limit])
    });
    let mut high = 0.001 * dearest / least.max(1.0);
    let mut below = None;
    for _ in 0..DOUBLINGS {
        let fluid = charged(high)?;
        if taken(&fluid) <= most {
            below = Some(fluid);
            break;
        }
        (low, over) = (high, fluid);
        high *= 2.0;
    }
    let mut below = below?;
    for _ in 0..HALVINGS {
        let middle = (low + high) / 2.0;
        let fluid = charged(middle)?;
        if taken(&fluid) <= most {
            (high, below) = (middle, fluid);
        } else {
            (low, over) = (middle, fluid);
        }
    }
    let (more, less) = (taken(&over), taken(&below));
    let share = ((most - less) / (more - less).max(1e-9)).clamp(0.0, 1.0);
    let mut mix: Vec<(usize, f64)> = over.mix.iter().map(|&(k, n)| (k, n * share)).collect();
    mix.extend(below.mix.iter().map(|&(k, n)| (k, n * (1.0 - share))));
    let mut charges = [0.0; 4];
    charges[limit] = high;
    Some(Fluid {
        charges,
        cost: mix.iter().map(|&(k, n)| classes[k].price * n).sum(),
        mix,
        ..below
    })
}

fn takes(classes: &[Class], fluid: &Fluid, limit: usize) -> f64 {
    fluid
        .mix
        .iter()
        .map(|&(k, n)| classes[k].takes.0[limit] * n)
        .sum()
}

/// The limit that a mix exceeds the most, if any.
fn exceeded(classes: &[Class], fluid: &Fluid, limits: &Limits) -> Option<usize> {
    let over = |i: usize| takes(classes, fluid, i) / limits.0[i].max(1e-9);
    let worst = (0..4).max_by(|&a, &b| over(a).total_cmp(&over(b)))?;
    (over(worst) > 1.0).then_some(worst)
}

/// Solves by looking at every vertex; there are few classes. Nothing without classes or demand.
pub(crate) fn solve(classes: &[Class], useful: &[usize], need: (f64, f64)) -> Option<Fluid> {
    if useful.is_empty() || (need.0 <= 0.0 && need.1 <= 0.0) {
        return None;
    }
    let mut best: Option<Fluid> = None;
    let mut consider = |cpu: f64, mem: f64, tight: &[usize]| {
        let holds = cpu >= 0.0
            && mem >= 0.0
            && useful.iter().all(|&k| {
                let class = &classes[k];
                cpu * class.cpu + mem * class.mem <= class.price * (1.0 + 1e-9)
            });
        let cost = cpu * need.0 + mem * need.1;
        if holds && best.as_ref().is_none_or(|least| cost > least.cost) {
            let mix = mix(classes, tight, need);
            best = Some(Fluid {
                cpu,
                mem,
                cost,
                mix,
                need,
                charges: [0.0; 4],
            });
        }
    };
    for (at, &i) in useful.iter().enumerate() {
        let one = &classes[i];
        consider(one.price / one.cpu, 0.0, &[i]);
        consider(0.0, one.price / one.mem, &[i]);
        for &j in &useful[..at] {
            let other = &classes[j];
            let determinant = one.cpu * other.mem - other.cpu * one.mem;
            if determinant != 0.0 {
                let cpu = (one.price * other.mem - other.price * one.mem) / determinant;
                let mem = (one.cpu * other.price - other.cpu * one.price) / determinant;
                consider(cpu, mem, &[i, j]);
            }
        }
    }
    best
}

fn mix(classes: &[Class], tight: &[usize], need: (f64, f64)) -> Vec<(usize, f64)> {
    let amounts = match *tight {
        [i, j] => {
            let (one, other) = (&classes[i], &classes[j]);
            let determinant = one.cpu * other.mem - other.cpu * one.mem;
            vec![
                (i, (need.0 * other.mem - need.1 * other.cpu) / determinant),
                (j, (need.1 * one.cpu - need.0 * one.mem) / determinant),
            ]
        }
        [i] => {
            let class = &classes[i];
            vec![(i, (need.0 / class.cpu).max(need.1 / class.mem))]
        }
        _ => Vec::new(),
    };
    amounts.into_iter().map(|(k, n)| (k, n.max(0.0))).collect()
}
