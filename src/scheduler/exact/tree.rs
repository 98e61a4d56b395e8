//! Branch and bound over the spots of all services.

use super::load::Load;
use super::pool::PoolSearch;
use super::spot::Spot;
use super::{Spent, Steps};
use crate::scheduler::problem::Problem;
use crate::scheduler::topology::SAME_CLUSTER_MS;
use crate::scheduler::units::Micros;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// Steps for one neighbourhood of a plan.
const AROUND: u64 = 4_000;

/// What is decided of a service.
#[derive(Clone, Debug)]
enum Choice {
    Open,
    At(Rc<Spot>),
    LeftOut,
}

/// Services without a place by priority, the highest first, and the objective: less is better.
type Rating = (Vec<u32>, Micros);

pub(crate) struct Tree<'t, 'p> {
    problem: &'t Problem<'p>,
    pools: &'t mut [PoolSearch],
    spots: &'t [Vec<Rc<Spot>>],
    /// For each service the rank of its priority, the highest first.
    rank: Vec<usize>,
    chosen: Vec<Choice>,
    loads: Vec<Load>,
    costs: Vec<Micros>,
    now: Rating,
    best: Rating,
    found: Option<Vec<Option<Rc<Spot>>>>,
}

impl<'t, 'p> Tree<'t, 'p> {
    pub fn new(
        problem: &'t Problem<'p>,
        pools: &'t mut [PoolSearch],
        spots: &'t [Vec<Rc<Spot>>],
        (unplaced, objective): (&BTreeSet<usize>, Micros),
    ) -> Self {
        let services = &problem.snapshot.services;
        let levels: BTreeSet<Reverse<i64>> = services.iter().map(|s| Reverse(s.priority)).collect();
        let levels: BTreeMap<Reverse<i64>, usize> = levels
            .into_iter()
            .enumerate()
            .map(|(i, p)| (p, i))
            .collect();
        let rank: Vec<usize> = services
            .iter()
            .map(|s| levels[&Reverse(s.priority)])
            .collect();
        let mut missing = vec![0; levels.len()];
        for &s in unplaced {
            missing[rank[s]] += 1;
        }
        Tree {
            problem,
            chosen: Vec::new(),
            loads: Vec::new(),
            costs: Vec::new(),
            now: (vec![0; levels.len()], 0),
            best: (missing, objective),
            found: None,
            rank,
            pools,
            spots,
        }
    }

    pub fn into_best(self) -> Option<Vec<Option<Rc<Spot>>>> {
        self.found
    }

    /// Looks at all that there is.
    pub fn search(&mut self, steps: &mut Steps) -> Result<(), Spent> {
        self.reset();
        self.branch(steps)
    }

    /// Looks at what differs from a plan, or the best since, in one or two services, while that helps.
    pub fn around(&mut self, start: &[Option<Rc<Spot>>], steps: &mut Steps) {
        let count = self.spots.len();
        let mut start = start.to_vec();
        let pairs: Vec<(usize, usize)> = (0..count)
            .flat_map(|a| (a..count).map(move |b| (a, b)))
            .collect();
        let mut idle = 0;
        for &(a, b) in pairs.iter().cycle() {
            let (before, mut own) = (self.best.clone(), Steps(AROUND.min(steps.0)));
            steps.0 -= own.0;
            let _all = self.reopened(&start, &[a, b], &mut own);
            steps.0 += own.0;
            idle += 1;
            if self.best < before {
                idle = 0;
                start = self.found.clone().unwrap_or(start);
            }
            if idle == pairs.len() || steps.0 == 0 {
                return;
            }
        }
    }

    /// Searches with all services but these where they are.
    fn reopened(
        &mut self,
        start: &[Option<Rc<Spot>>],
        open: &[usize],
        steps: &mut Steps,
    ) -> Result<(), Spent> {
        self.reset();
        for (s, spot) in start.iter().enumerate() {
            if open.contains(&s) {
                continue;
            }
            match spot {
                None => self.leave_out(s),
                Some(spot) => {
                    let Some(costs) = self.costs_with(s, spot, steps)? else {
                        return Ok(());
                    };
                    self.put(s, spot, &costs);
                }
            }
        }
        self.branch(steps)
    }

    fn reset(&mut self) {
        let count = self.spots.len();
        self.chosen = vec![Choice::Open; count];
        self.loads = vec![Load::default(); self.pools.len()];
        self.costs = vec![0; self.pools.len()];
        self.now = (vec![0; self.now.0.len()], 0);
        for s in 0..count {
            if self.problem.hopeless[s] {
                self.leave_out(s);
            }
        }
    }

    /// What each pool of a spot costs with a service there; none where a pool has no room for it.
    fn costs_with(
        &mut self,
        s: usize,
        spot: &Spot,
        steps: &mut Steps,
    ) -> Result<Option<Vec<(usize, Micros)>>, Spent> {
        let mut costs = Vec::new();
        for p in spot.pools() {
            let load = self.loads[p].plus(Load::of(s, spot.replicas[p]));
            match self.pools[p].cost(load, steps)? {
                Some(cost) => costs.push((p, cost)),
                None => return Ok(None),
            }
        }
        Ok(Some(costs))
    }

    fn put(&mut self, s: usize, spot: &Rc<Spot>, costs: &[(usize, Micros)]) {
        for &(p, cost) in costs {
            self.now.1 += cost - self.costs[p];
            self.costs[p] = cost;
            self.loads[p] = self.loads[p].plus(Load::of(s, spot.replicas[p]));
        }
        self.now.1 += spot.penalty;
        self.chosen[s] = Choice::At(Rc::clone(spot));
    }

    fn leave_out(&mut self, s: usize) {
        self.chosen[s] = Choice::LeftOut;
        self.now.0[self.rank[s]] += 1;
    }

    /// Decides the services that are still open, the one that is dearest where it is cheapest first.
    fn branch(&mut self, steps: &mut Steps) -> Result<(), Spent> {
        let open = (0..self.chosen.len()).filter(|&s| matches!(self.chosen[s], Choice::Open));
        let open: Vec<usize> = open.collect();
        let mut hardest: Option<(Micros, usize, Vec<Candidate>)> = None;
        for s in open {
            let candidates = self.candidates(s, steps)?;
            let least = candidates.first().map_or(Micros::MAX, |c| c.objective);
            if self.is_no_better(least) {
                return Ok(());
            }
            if hardest.as_ref().is_none_or(|(most, _, _)| least > *most) {
                hardest = Some((least, s, candidates));
            }
        }
        let Some((_, s, candidates)) = hardest else {
            self.record();
            return Ok(());
        };
        let saved = (self.now.clone(), self.loads.clone(), self.costs.clone());
        for candidate in candidates {
            if self.is_no_better(candidate.objective) {
                break;
            }
            let spot = Rc::clone(&self.spots[s][candidate.spot]);
            self.put(s, &spot, &candidate.costs);
            self.branch(steps)?;
            self.back(s, &saved);
        }
        if self.may_leave_out(s) {
            self.leave_out(s);
            if self.now < self.best {
                self.branch(steps)?;
            }
            self.back(s, &saved);
        }
        Ok(())
    }

    fn back(&mut self, s: usize, saved: &(Rating, Vec<Load>, Vec<Micros>)) {
        self.chosen[s] = Choice::Open;
        self.now.clone_from(&saved.0);
        self.loads.clone_from(&saved.1);
        self.costs.clone_from(&saved.2);
    }

    /// Whether nothing that costs at least this and leaves out what is left out so far is better than the best.
    fn is_no_better(&self, objective: Micros) -> bool {
        (&self.now.0, objective) >= (&self.best.0, self.best.1)
    }

    fn record(&mut self) {
        if self.now < self.best {
            self.best = self.now.clone();
            let places = self.chosen.iter().map(|choice| match choice {
                Choice::At(spot) => Some(Rc::clone(spot)),
                _ => None,
            });
            self.found = Some(places.collect());
        }
    }

    /// The spots that are open to a service now, the cheapest first.
    fn candidates(&mut self, s: usize, steps: &mut Steps) -> Result<Vec<Candidate>, Spent> {
        let spots = self.spots;
        let mut list = Vec::new();
        for (at, spot) in spots[s].iter().enumerate() {
            steps.take()?;
            if !self.is_near(s, spot) {
                continue;
            }
            let Some(costs) = self.costs_with(s, spot, steps)? else {
                continue;
            };
            let more = costs.iter().map(|&(p, cost)| cost - self.costs[p]);
            list.push(Candidate {
                objective: self.now.1 + spot.penalty + more.sum::<Micros>(),
                spot: at,
                costs,
            });
        }
        list.sort_by_key(|c| (c.objective, c.spot));
        Ok(list)
    }

    /// Whether latency allows a spot beside what is decided.
    fn is_near(&self, s: usize, spot: &Spot) -> bool {
        let demand = &self.problem.demands[s];
        let serves = |from: usize, from_spot: &Spot, to: usize, to_spot: &Spot, ms: u32| {
            from_spot.pools().all(|p| {
                to_spot
                    .pools()
                    .any(|q| self.distance((from, p), (to, q)) <= ms)
            })
        };
        let mine = demand.latency.iter().all(|&(d, ms)| match &self.chosen[d] {
            Choice::Open => true,
            Choice::At(theirs) => serves(s, spot, d, theirs, ms),
            Choice::LeftOut => spot.pools().next().is_none(),
        });
        mine && demand
            .dependents
            .iter()
            .all(|&(d, ms)| match &self.chosen[d] {
                Choice::At(theirs) => serves(d, theirs, s, spot, ms),
                _ => true,
            })
    }

    fn distance(&self, (s, p): (usize, usize), (d, q): (usize, usize)) -> u32 {
        let demands = &self.problem.demands;
        match p == q && demands[s].governing == demands[d].governing {
            true => SAME_CLUSTER_MS,
            false => self.problem.distances.pools(p, q),
        }
    }

    /// Whether nobody who has a place needs this service.
    fn may_leave_out(&self, s: usize) -> bool {
        let mut dependents = self.problem.demands[s].dependents.iter();
        self.problem.service(s).replicas > 0
            && dependents.all(|(d, _)| match &self.chosen[*d] {
                Choice::At(spot) => spot.pools().next().is_none(),
                _ => true,
            })
    }
}

/// A spot, with the objective and the cost of its pools if it is taken.
struct Candidate {
    objective: Micros,
    spot: usize,
    costs: Vec<(usize, Micros)>,
}
