//! Which pools get how many replicas of each service, by price. Prices rise with what a pool was given, so
//! that no pool is given more than it can hold well.

use super::Guide;
use super::demand;
use super::extra::Extra;
use super::weight;
use crate::scheduler::bound::Effort;
use crate::scheduler::bound::groups::Cell;
use crate::scheduler::constraint::spread::Evenness;
use crate::scheduler::problem::Problem;
use crate::scheduler::state::State;
use std::collections::BTreeSet;

/// Share of what a pool is expected to sell that it is given before it gets dearer.
const TARGET: f64 = 0.96;
/// How much dearer a pool gets up to its target.
const SLOPE: f64 = 0.1;
/// How much dearer it gets per target beyond it, where one of its limits is scarce.
const WALL: f64 = 1.0;
/// The same in any pool where prices are rough.
const STEEP_WALL: f64 = 30.0;
/// How much dearer a resource gets that is given out faster than the other.
const UNEVEN: f64 = 0.5;
/// What a pool is dearer that is expected to sell hardly anything.
const CLOSED: f64 = 0.15;
/// Share of a pool's target that one service is given at a time.
const PORTION: f64 = 0.05;

/// Replicas of a service in a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Share {
    pub pool: usize,
    pub service: usize,
    pub replicas: u32,
}

/// What is given to whom.
pub(crate) struct Allotment<'a> {
    problem: &'a Problem<'a>,
    guide: &'a Guide,
    /// Cores and memory that each row is expected to sell.
    targets: Vec<[f64; 2]>,
    given: Vec<[f64; 2]>,
    /// Prices of cores and of memory as they are now.
    prices: [Vec<f32>; 2],
    extra: Extra,
    shares: Vec<Share>,
}

impl<'a> Allotment<'a> {
    pub fn new(problem: &'a Problem<'a>, guide: &'a Guide) -> Self {
        let rows = guide.rows.pools.len();
        let mut allotment = Allotment {
            problem,
            guide,
            targets: (0..rows).map(|row| target(guide, row)).collect(),
            given: vec![[0.0; 2]; rows],
            prices: [vec![0.0; rows], vec![0.0; rows]],
            extra: Extra::new(guide),
            shares: Vec::new(),
        };
        for row in 0..rows {
            allotment.reprice(row);
        }
        allotment
    }

    /// Allots all groups of services that want it, those with the fewest choices first.
    pub fn all(&mut self, groups: &[Vec<usize>], wants: &dyn Fn(usize) -> bool) {
        let mut order: Vec<&Vec<usize>> = groups
            .iter()
            .filter(|members| members.iter().all(|&s| wants(s)))
            .filter(|members| demand::is_by_pool(self.problem, members))
            .collect();
        order.sort_by_cached_key(|members| self.urgency(members));
        for members in order {
            self.group(members);
        }
    }

    fn urgency(
        &self,
        members: &[usize],
    ) -> (std::cmp::Reverse<i64>, usize, std::cmp::Reverse<u64>, usize) {
        let problem = self.problem;
        let priority = members.iter().map(|&s| problem.service(s).priority).max();
        let choices = members
            .iter()
            .map(|&s| problem.demands[s].usable.len())
            .min();
        let bound = choices.unwrap_or(0) * 4 <= problem.pools.len();
        let apart = members.iter().any(|&s| problem.demands[s].min_regions > 1);
        let class = match () {
            () if bound => 0,
            () if members.len() > 1 => 1,
            () if apart => 2,
            () => 3,
        };
        let size = members.iter().map(|&s| {
            let service = problem.service(s);
            u64::from(service.replicas) * weight(service.size)
        });
        let size = std::cmp::Reverse(size.sum());
        (
            std::cmp::Reverse(priority.unwrap_or(0)),
            class,
            size,
            members[0],
        )
    }

    /// Allots a group, all of it or nothing.
    fn group(&mut self, members: &[usize]) {
        let before = self.shares.len();
        let reach = match members.len() {
            1 => Vec::new(),
            _ => demand::within_reach(self.problem, members),
        };
        // Dependents first: where they are says where their dependencies must be.
        for (at, &s) in members.iter().enumerate().rev() {
            let needs = self.needs(members, s, before);
            let reach = reach.get(at).map(Vec::as_slice);
            if !self.service(s, reach, &needs) {
                self.take_back(before);
                return;
            }
        }
    }

    /// Sets of pools of which each must have a replica: near each dependent, and in each required region.
    fn needs(&self, members: &[usize], s: usize, before: usize) -> Vec<Vec<usize>> {
        let problem = self.problem;
        let usable = &problem.demands[s].usable;
        let mut needs = Vec::new();
        for &(dependent, ms) in &problem.demands[s].dependents {
            if !members.contains(&dependent) {
                continue;
            }
            for share in self.shares[before..]
                .iter()
                .filter(|x| x.service == dependent)
            {
                let p = share.pool;
                let near = |&q: &usize| p == q || problem.distances.pools(p, q) <= ms;
                needs.push(usable.iter().copied().filter(near).collect());
            }
        }
        for &region in &problem.demands[s].required {
            let named = |&p: &usize| problem.names_pool(region, p);
            needs.push(usable.iter().copied().filter(named).collect());
        }
        needs
    }

    /// Allots a service to pools within `reach`, or to any that it may use.
    fn service(&mut self, s: usize, reach: Option<&[usize]>, needs: &[Vec<usize>]) -> bool {
        let problem = self.problem;
        let pools = reach.unwrap_or(&problem.demands[s].usable);
        let mut mine: Vec<(usize, u32)> = Vec::new();
        let mut left = self.problem.service(s).replicas;
        let mut even = Evenness::none_yet(self.problem, s);
        for need in needs {
            if mine.iter().any(|(p, _)| need.contains(p)) {
                continue;
            }
            let within = need
                .iter()
                .filter(|p| pools.binary_search(p).is_ok())
                .copied()
                .collect::<Vec<_>>();
            let Some(p) = self.cheapest(s, &within, &even).filter(|_| left > 0) else {
                return false;
            };
            self.give(s, p, 1, &mut mine, &mut even);
            left -= 1;
        }
        let mut regions: BTreeSet<usize> = mine.iter().map(|(p, _)| self.region(*p)).collect();
        while (regions.len() as u32) < self.problem.demands[s].min_regions {
            let found = match self.is_free(s, reach, &even) {
                true => self.cheapest_anywhere(s, &regions),
                false => {
                    let other: Vec<usize> = (pools.iter().copied())
                        .filter(|p| !regions.contains(&self.region(*p)))
                        .collect();
                    self.cheapest(s, &other, &even)
                }
            };
            let Some(p) = found.filter(|_| left > 0) else {
                return false;
            };
            regions.insert(self.region(p));
            self.give(s, p, 1, &mut mine, &mut even);
            left -= 1;
        }
        while left > 0 {
            let found = match self.is_free(s, reach, &even) {
                true => self.cheapest_anywhere(s, &BTreeSet::new()),
                false => self.cheapest(s, pools, &even),
            };
            let Some(p) = found else {
                return false;
            };
            let n = if even.is_empty() {
                self.portion(s, p).min(left)
            } else {
                1
            };
            self.give(s, p, n, &mut mine, &mut even);
            left -= n;
        }
        true
    }

    fn region(&self, pool: usize) -> usize {
        self.guide.rows.region(pool)
    }

    /// Whether nothing but prices decides where a replica goes.
    fn is_free(&self, s: usize, reach: Option<&[usize]>, even: &[Evenness]) -> bool {
        let cell = self.guide.groups.of[s].map(|at| &self.guide.groups.cells[at]);
        reach.is_none() && even.is_empty() && cell.is_some_and(|cell| cell.penalties.is_empty())
    }

    /// The pool where a replica costs the least now, outside some regions, of all that a service may use.
    fn cheapest_anywhere(&self, s: usize, without: &BTreeSet<usize>) -> Option<usize> {
        let (rows, groups) = (&self.guide.rows, &self.guide.groups);
        let at = groups.of[s]?;
        let cell = &groups.cells[at];
        let set = &groups.sets[cell.set];
        let mut best: Option<(f32, usize)> = None;
        let mut look = |segment: usize| {
            for run in &groups.segments[segment].runs {
                let found = self.extra.least(at, cell, run.from..run.to, &self.prices);
                if best.is_none_or(|(least, _)| found.0 < least) {
                    best = Some(found);
                }
            }
        };
        match without.is_empty() {
            true => look(set.whole),
            false => {
                for &segment in &set.regions {
                    let first = groups.segments[segment].rows().next();
                    let region = first.map(|row| rows.region(rows.pools[row]));
                    if region.is_some_and(|region| !without.contains(&region)) {
                        look(segment);
                    }
                }
            }
        }
        best.map(|(_, row)| rows.pools[row])
    }

    /// The pool where a replica costs the least now.
    fn cheapest(&self, s: usize, pools: &[usize], even: &[Evenness]) -> Option<usize> {
        let at = self.guide.groups.of[s]?;
        let cell: &Cell = &self.guide.groups.cells[at];
        let (cpu, mem) = (cell.cpu as f32, cell.mem as f32);
        let extra = self.extra.of(at);
        let allowed = |p: usize| even.iter().all(|e| e.allows_pool(self.problem, p));
        let mut best: Option<(f32, usize)> = None;
        for &p in pools {
            let row = self.guide.rows.of[p];
            let (a, b) = (self.prices[0][row], self.prices[1][row]);
            let penalty = cell.penalties.get(row).map_or(0.0, |x| *x as f32);
            let price = (a * cpu + b * mem) * extra[row] + penalty;
            if best.is_none_or(|(least, _)| price < least) && allowed(p) {
                best = Some((price, p));
            }
        }
        best.map(|(_, p)| p)
    }

    /// How many replicas a pool is given at a time.
    fn portion(&self, s: usize, pool: usize) -> u32 {
        let size = self.problem.service(s).size;
        let target = self.targets[self.guide.rows.of[pool]];
        let cpu = target[0] * PORTION / (size.milli_cores.max(1) as f64);
        let mem = target[1] * PORTION / (size.mib.max(1) as f64);
        (cpu.min(mem) as u32).max(1)
    }

    fn give(
        &mut self,
        s: usize,
        pool: usize,
        n: u32,
        mine: &mut Vec<(usize, u32)>,
        even: &mut [Evenness],
    ) {
        for even in even {
            even.add(self.problem, pool, n);
        }
        match mine.iter_mut().find(|(p, _)| *p == pool) {
            Some((_, count)) => *count += n,
            None => mine.push((pool, n)),
        }
        self.add(s, pool, f64::from(n));
        self.shares.push(Share {
            pool,
            service: s,
            replicas: n,
        });
    }

    fn add(&mut self, s: usize, pool: usize, n: f64) {
        let size = self.problem.service(s).size;
        let row = self.guide.rows.of[pool];
        self.given[row][0] += size.milli_cores as f64 * n;
        self.given[row][1] += size.mib as f64 * n;
        self.reprice(row);
    }

    fn take_back(&mut self, before: usize) {
        for share in self.shares.split_off(before) {
            self.add(share.service, share.pool, -f64::from(share.replicas));
        }
    }

    /// What a row asks now. A resource that it is given too much of gets dearer by a share of what the whole
    /// is worth: its own price may be next to nothing while there is enough of it.
    fn reprice(&mut self, row: usize) {
        let price = self.guide.prices.rows[row];
        let (target, given) = (self.targets[row], self.given[row]);
        if target[0] <= 0.0 || target[1] <= 0.0 {
            let limits = &self.guide.supplies[row].limits.0;
            let factor = |i: usize| 1.0 + CLOSED + 2.0 * given[i] / limits[1 + i].min(1e12);
            self.ask(row, price.cpu * factor(0), price.mem * factor(1));
            return;
        }
        let scarce = self.guide.prices.worth[row]
            .iter()
            .any(|worth| *worth > 0.0);
        let wall = match self.guide.effort {
            Effort::Little => STEEP_WALL,
            Effort::Full if scarce => WALL,
            Effort::Full => 0.0,
        };
        let fill = [given[0] / target[0], given[1] / target[1]];
        let whole = price.of(target[0], target[1]);
        let dearer = |i: usize| {
            let over = (fill[i] - 1.0).max(0.0);
            let uneven = (fill[i] - fill[1 - i].max(1.0)).max(0.0);
            whole / target[i] * (wall * over + UNEVEN * uneven)
        };
        self.ask(
            row,
            price.cpu * (1.0 + SLOPE * fill[0]) + dearer(0),
            price.mem * (1.0 + SLOPE * fill[1]) + dearer(1),
        );
    }

    /// Sets prices; never nothing at all, so that the smaller replica is the cheaper one.
    fn ask(&mut self, row: usize, cpu: f64, mem: f64) {
        self.prices[0][row] = cpu as f32 + 1e-6;
        self.prices[1][row] = mem as f32 + 1e-7;
    }

    /// What was allotted since the last time.
    pub fn take(&mut self) -> Vec<Share> {
        std::mem::take(&mut self.shares)
    }

    /// Allots what found no room once more, to pools that may still grow.
    pub fn again(&mut self, state: &State<'_>, left: &[Share]) {
        for (row, &p) in self.guide.rows.pools.iter().enumerate() {
            let supply = &self.guide.supplies[row];
            let [nodes, cores, memory, money] = supply.left(&state.usage[p]).0;
            let (cpu, mem, price) = supply
                .classes
                .iter()
                .fold((0.0f64, 0.0f64, f64::INFINITY), |(c, m, x), k| {
                    (c.max(k.cpu), m.max(k.mem), x.min(k.price / k.cpu.max(1.0)))
                });
            self.targets[row] = [
                cores.min(nodes * cpu).min(money / price) * TARGET,
                memory.min(nodes * mem) * TARGET,
            ];
            self.given[row] = [0.0; 2];
            self.reprice(row);
        }
        for share in left {
            let pools = super::topup::others(self.problem, self.guide, share);
            for _ in 0..share.replicas {
                if let Some(p) = self.cheapest(share.service, &pools, &[]) {
                    self.add(share.service, p, 1.0);
                    self.shares.push(Share {
                        pool: p,
                        replicas: 1,
                        ..*share
                    });
                }
            }
        }
    }
}

/// What a row is expected to sell. Rows that would hardly sell half a node are closed.
fn target(guide: &Guide, row: usize) -> [f64; 2] {
    let (asked, offered) = (guide.prices.asked[row], guide.prices.offered[row]);
    let supply = &guide.supplies[row];
    let of = |i: usize| {
        if supply.is_limited() {
            asked[i].min(offered[i])
        } else {
            asked[i]
        }
    };
    let target = [of(0) * TARGET, of(1) * TARGET];
    let worth = guide.prices.rows[row].of(target[0], target[1]);
    let dearest = supply
        .classes
        .iter()
        .fold(0.0f64, |most, k| most.max(k.price));
    if worth < dearest / 2.0 {
        [0.0; 2]
    } else {
        target
    }
}
