//! What a pool's resources are worth if replicas could be poured: the linear programme
//! maximise a·cpu + b·mem over a, b ≥ 0 with a·cpuₖ + b·memₖ ≤ priceₖ for each class k,
//! whose value is the least cost of classes (in any fraction) that hold the demand.

use super::Class;

/// The optimum of the programme and of its dual.
#[derive(Clone, Debug)]
pub(crate) struct Fluid {
    /// Micro-dollars per milli-core and hour.
    pub cpu: f64,
    /// Micro-dollars per MiB and hour.
    pub mem: f64,
    /// Micro-dollars per hour: no packing costs less.
    pub cost: f64,
    /// Classes and how many of each, at most two.
    pub mix: Vec<(usize, f64)>,
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
