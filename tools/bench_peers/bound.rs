//! A cost that no plan can be below, with what proves it.
//!
//! Let a milli-core be worth `a` and a MiB `b`, such that no node is worth more than it costs. Then
//! the pods on a node are worth no more than the node costs, and so a plan costs at least what all
//! pods are worth. The best such `a` and `b` are the duals of buying nodes by the slice; they are at
//! a corner where two node types, or one and an axis, are worth exactly their price.

use crate::instance::{Class, Instance};

/// Worths in micro-dollars an hour: numerators over one denominator, so that all is exact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Worth {
    pub milli_core: i128,
    pub mib: i128,
    pub denominator: i128,
}

impl Worth {
    /// Whether a bound follows: nothing is worth less than nothing, and no node more than its price.
    pub fn proves(&self, classes: &[Class]) -> bool {
        let signs = self.milli_core >= 0 && self.mib >= 0 && self.denominator > 0;
        signs
            && classes.iter().all(|class| {
                self.of(class.milli_cores.into(), class.mib.into())
                    <= i128::from(class.hourly_micros) * self.denominator
            })
    }

    /// What all pods are worth, in whole micro-dollars, rounded down.
    pub fn bound(&self, instance: &Instance) -> i128 {
        let (mut milli_cores, mut mib) = (0, 0);
        for service in &instance.services {
            milli_cores += i128::from(service.milli_cores) * i128::from(service.replicas);
            mib += i128::from(service.mib) * i128::from(service.replicas);
        }
        self.of(milli_cores, mib) / self.denominator.max(1)
    }

    fn of(&self, milli_cores: i128, mib: i128) -> i128 {
        self.milli_core * milli_cores + self.mib * mib
    }
}

/// The worths that give the highest bound; all corners are looked at.
pub fn best(instance: &Instance) -> Worth {
    // Milli-cores, MiB, price: the lines on which a corner lies, and the two axes.
    let mut lines: Vec<[i128; 3]> = vec![[1, 0, 0], [0, 1, 0]];
    lines.extend(instance.classes.iter().map(|class| {
        [
            class.milli_cores.into(),
            class.mib.into(),
            class.hourly_micros.into(),
        ]
    }));
    let mut best = Worth {
        denominator: 1,
        ..Worth::default()
    };
    for (i, first) in lines.iter().enumerate() {
        for second in &lines[..i] {
            let corner = corner(first, second);
            if corner.proves(&instance.classes) && corner.bound(instance) > best.bound(instance) {
                best = corner;
            }
        }
    }
    best
}

/// Where two lines meet; of parallel ones a denominator of nought.
fn corner(first: &[i128; 3], second: &[i128; 3]) -> Worth {
    let cross = |i: usize, j: usize| first[i] * second[j] - second[i] * first[j];
    let sign = if cross(0, 1) < 0 { -1 } else { 1 };
    Worth {
        milli_core: sign * cross(2, 1),
        mib: sign * cross(0, 2),
        denominator: sign * cross(0, 1),
    }
}
