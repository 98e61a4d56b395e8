//! How far each price and limit of a pool may drift alone, found by bisection.

use super::standing::used;
use super::trial::Trial;
use crate::placement::facts::Facts;
use crate::scheduler::model::{Pool, Snapshot};
use crate::scheduler::solution::Solution;
use crate::scheduler::units::Micros;

/// Percent of today's prices between which is looked.
const LEAST_PERCENT: i64 = 10;
const MOST_PERCENT: i64 = 1000;
/// How many times its value a limit is raised at most before it is done away with.
const MOST_TIMES: i64 = 10;
/// Steps of one bisection, in fleets of so many pairs of a service and a pool and in larger ones.
const SMALL_PAIRS: usize = 50_000;
const STEPS: u32 = 10;
const FEW_STEPS: u32 = 4;

/// How far the prices and limits of a pool may drift, one at a time, before the decision changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolValidity {
    /// The pool.
    pub pool: String,
    /// Whether deciding again changes nothing as it is. If not, nothing else is said.
    pub at_rest: bool,
    /// How far down all its prices may go together, in percent of today's.
    pub prices_down: End,
    /// How far up.
    pub prices_up: End,
    /// Its limits.
    pub limits: Vec<LimitRange>,
    /// How often it was decided again to find out.
    pub solves: u32,
}

/// How far one way it may go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct End {
    /// The furthest value at which the same was decided; none if it may go without end.
    pub same: Option<i64>,
    /// The nearest value beyond at which something else was decided; none if none was found.
    pub other: Option<i64>,
}

/// A limit of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitKind {
    /// Nodes.
    Nodes,
    /// Milli-cores.
    MilliCores,
    /// MiB.
    Mib,
    /// Micro-dollars a month.
    Budget,
}

/// How far a limit may drift.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitRange {
    /// Which.
    pub kind: LimitKind,
    /// What it is.
    pub is: i64,
    /// What is used of it; no lower limit is tried.
    pub used: i64,
    /// How far down it may go.
    pub down: End,
    /// How far up.
    pub up: End,
}

impl LimitKind {
    const ALL: [LimitKind; 4] = [Self::Nodes, Self::MilliCores, Self::Mib, Self::Budget];

    fn get(self, pool: &Pool) -> Option<i64> {
        let most = |limit: u64| i64::try_from(limit).unwrap_or(i64::MAX);
        match self {
            Self::Nodes => pool.caps.max_nodes.map(most),
            Self::MilliCores => pool.caps.max_milli_cores.map(most),
            Self::Mib => pool.caps.max_mib.map(most),
            Self::Budget => pool.monthly_budget,
        }
    }

    fn set(self, pool: &mut Pool, limit: Option<i64>) {
        let most = limit.map(|limit| u64::try_from(limit).unwrap_or(0));
        match self {
            Self::Nodes => pool.caps.max_nodes = most,
            Self::MilliCores => pool.caps.max_milli_cores = most,
            Self::Mib => pool.caps.max_mib = most,
            Self::Budget => pool.monthly_budget = limit,
        }
    }
}

/// How far the prices and limits of this pool may drift; none if there is no such pool.
pub fn of_pool(snapshot: &Snapshot, solution: &Solution, name: &str) -> Option<PoolValidity> {
    let at = snapshot.pools.iter().position(|pool| pool.name == name)?;
    let pairs = snapshot.services.len() * snapshot.pools.len();
    let mut search = Search {
        trial: Trial::new(snapshot, solution),
        at,
        steps: if pairs <= SMALL_PAIRS {
            STEPS
        } else {
            FEW_STEPS
        },
    };
    let mut found = PoolValidity {
        pool: name.to_owned(),
        at_rest: search.trial.same(at, |_| {}),
        prices_down: End::default(),
        prices_up: End::default(),
        limits: Vec::new(),
        solves: 0,
    };
    if found.at_rest {
        found.prices_down = search.prices(LEAST_PERCENT);
        found.prices_up = search.prices(MOST_PERCENT);
        let used = used(Facts::new(snapshot, solution).usage(name));
        for (kind, used) in LimitKind::ALL.into_iter().zip(used) {
            let used = i64::try_from(used).unwrap_or(i64::MAX);
            found
                .limits
                .extend(search.limit(&snapshot.pools[at], kind, used));
        }
    }
    found.solves = search.trial.solves;
    Some(found)
}

struct Search {
    trial: Trial,
    at: usize,
    steps: u32,
}

impl Search {
    fn prices(&mut self, furthest: i64) -> End {
        self.end(100, furthest, |pool, percent| {
            for offer in &mut pool.offers {
                offer.hourly = scaled(offer.hourly, percent);
            }
        })
    }

    fn limit(&mut self, pool: &Pool, kind: LimitKind, used: i64) -> Option<LimitRange> {
        let is = kind.get(pool).filter(|is| *is >= used)?;
        let set = |pool: &mut Pool, limit| kind.set(pool, Some(limit));
        let down = self.end(is, used, set);
        let endless = self.trial.same(self.at, |pool| kind.set(pool, None));
        let up = if endless {
            End::default()
        } else {
            self.end(is, is.saturating_mul(MOST_TIMES).max(1), set)
        };
        Some(LimitRange {
            kind,
            is,
            used,
            down,
            up,
        })
    }

    /// Where between what is and the furthest value the decision changes.
    fn end(&mut self, is: i64, furthest: i64, set: impl Fn(&mut Pool, i64) + Copy) -> End {
        if is == furthest || self.trial.same(self.at, |pool| set(pool, furthest)) {
            return End {
                same: Some(furthest),
                other: None,
            };
        }
        let (mut same, mut other) = (is, furthest);
        for _ in 0..self.steps {
            let middle = same + (other - same) / 2;
            if middle == same {
                break;
            }
            match self.trial.same(self.at, |pool| set(pool, middle)) {
                true => same = middle,
                false => other = middle,
            }
        }
        End {
            same: Some(same),
            other: Some(other),
        }
    }
}

fn scaled(hourly: Micros, percent: i64) -> Micros {
    let scaled = (i128::from(hourly) * i128::from(percent) + 50) / 100;
    Micros::try_from(scaled).unwrap_or(Micros::MAX)
}
