//! What is asked for, gathered: services of one shape that may go to the same pools are one group.

use crate::scheduler::model::Topology;
use crate::scheduler::problem::Problem;
use crate::scheduler::units::Micros;
use std::collections::BTreeMap;
use std::rc::Rc;

/// Shapes kept as they are; rarer ones count as the most alike of these while prices are sought.
const SHAPES: usize = 400;

/// Pools in an order in which those of one region, and within it those of the same eligibility, are
/// side by side: a row is a position in that order.
#[derive(Debug)]
pub(crate) struct Rows {
    /// The pool of each row.
    pub pools: Vec<usize>,
    /// The row of each pool.
    pub of: Vec<usize>,
    regions: Vec<usize>,
}

impl Rows {
    pub fn new(problem: &Problem<'_>) -> Self {
        let region = |p: usize| problem.domain(p, Topology::Region).unwrap_or(0);
        let mut sets: Vec<Rc<[usize]>> = Vec::new();
        for demand in &problem.demands {
            // Lists are shared, so the same list is the same address.
            if sets.len() < 64 && !sets.iter().any(|set| Rc::ptr_eq(set, &demand.usable)) {
                sets.push(Rc::clone(&demand.usable));
            }
        }
        let signature = |p: usize| -> u64 {
            let bits = sets.iter().enumerate();
            bits.fold(0, |sum, (at, set)| {
                sum | (u64::from(set.binary_search(&p).is_ok()) << at)
            })
        };
        let mut pools: Vec<usize> = (0..problem.pools.len()).collect();
        pools.sort_by_cached_key(|&p| (region(p), signature(p), p));
        let mut of = vec![0; pools.len()];
        for (row, &p) in pools.iter().enumerate() {
            of[p] = row;
        }
        let regions = pools.iter().map(|&p| region(p)).collect();
        Rows { pools, of, regions }
    }

    /// The region of a pool.
    pub fn region(&self, pool: usize) -> usize {
        self.regions[self.of[pool]]
    }
}

/// Rows without a gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Run {
    pub from: usize,
    pub to: usize,
}

/// Some rows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Segment {
    pub runs: Vec<Run>,
}

/// A set of pools, as places in [`Groups::segments`].
#[derive(Clone, Debug)]
pub(crate) struct Set {
    /// Its rows by region.
    pub regions: Vec<usize>,
    /// Its rows whatever their region.
    pub whole: usize,
}

/// One shape over one set of pools.
#[derive(Debug)]
pub(crate) struct Cell {
    /// Milli-cores and MiB of a replica.
    pub cpu: f64,
    pub mem: f64,
    /// Into [`Groups::sets`].
    pub set: usize,
    /// What preferences charge in each row; empty without preferences.
    pub penalties: Rc<[Micros]>,
    /// Replicas, by how many regions they must be in: index 0 and 1 are one region.
    pub replicas: Vec<Pattern>,
}

/// Replicas in the cheapest region, the second cheapest, and so on.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Pattern(pub Vec<f64>);

/// Everything that is asked for.
#[derive(Debug)]
pub(crate) struct Groups {
    pub cells: Vec<Cell>,
    /// The sets of pools that services may use.
    pub sets: Vec<Set>,
    /// The parts that sets are made of; many sets have some in common.
    pub segments: Vec<Segment>,
    /// The cell of each service; none where nothing can be said of it.
    pub of: Vec<Option<usize>>,
}

impl Groups {
    /// Gathers services, with or without what their preferences charge.
    pub fn new(problem: &Problem<'_>, rows: &Rows, services: &[usize], preferences: bool) -> Self {
        let mut groups = Groups {
            cells: Vec::new(),
            sets: Vec::new(),
            segments: Vec::new(),
            of: vec![None; problem.demands.len()],
        };
        let shapes = Shapes::new(problem, services);
        // Lists are shared, so the same list is the same address.
        let mut sets: BTreeMap<*const usize, usize> = BTreeMap::new();
        let mut segments = BTreeMap::new();
        let mut known: BTreeMap<(u64, u64, usize, Vec<Micros>), usize> = BTreeMap::new();
        for &s in services {
            let demand = &problem.demands[s];
            let set = *sets.entry(demand.usable.as_ptr()).or_insert_with(|| {
                let set = Set::new(rows, &demand.usable, &mut segments);
                groups.sets.push(set);
                groups.sets.len() - 1
            });
            let Some(pattern) = pattern(problem, s, groups.sets[set].regions.len()) else {
                continue;
            };
            let (cpu, mem) = shapes.of(problem, s);
            let penalties: Vec<Micros> = match preferences && !demand.preferences.is_empty() {
                false => Vec::new(),
                true => rows.pools.iter().map(|&p| problem.penalty(s, p)).collect(),
            };
            let at = *known
                .entry((cpu, mem, set, penalties))
                .or_insert_with_key(|key| {
                    groups.cells.push(Cell {
                        cpu: cpu as f64,
                        mem: mem as f64,
                        set,
                        penalties: key.3.as_slice().into(),
                        replicas: Vec::new(),
                    });
                    groups.cells.len() - 1
                });
            groups.cells[at].add(&pattern);
            groups.of[s] = Some(at);
        }
        let mut list: Vec<(Segment, usize)> = segments.into_iter().collect();
        list.sort_unstable_by_key(|(_, at)| *at);
        groups.segments = list.into_iter().map(|(segment, _)| segment).collect();
        groups
    }

    /// Prices that are looked at to find the least for everything.
    pub fn looks(&self) -> usize {
        let rows = |segment: &Segment| segment.runs.iter().map(|run| run.to - run.from).sum();
        let sizes: Vec<usize> = self.segments.iter().map(rows).collect();
        let of = |cell: &Cell| match cell.penalties.is_empty() {
            true => self.sets[cell.set].regions.len(),
            false => sizes[self.sets[cell.set].whole],
        };
        sizes.iter().sum::<usize>() + self.cells.iter().map(of).sum::<usize>()
    }

    /// The rows of a set.
    pub fn rows_of(&self, set: &Set) -> impl Iterator<Item = usize> {
        self.segments[set.whole].rows()
    }
}

impl Cell {
    /// Adds up what needs equally many regions.
    fn add(&mut self, pattern: &[f64]) {
        match (self.replicas.iter_mut()).find(|known| known.0.len() == pattern.len()) {
            Some(known) => {
                for (sum, n) in known.0.iter_mut().zip(pattern) {
                    *sum += n;
                }
            }
            None => self.replicas.push(Pattern(pattern.to_vec())),
        }
    }
}

/// How the replicas of a service are split over regions, the cheapest first, at the least cost that its
/// rules about regions allow. Nothing for a service without replicas or with too few regions.
pub(crate) fn pattern(problem: &Problem<'_>, s: usize, regions: usize) -> Option<Vec<f64>> {
    let demand = &problem.demands[s];
    let n = problem.service(s).replicas;
    let apart = demand.min_regions.max(1);
    if n < apart || regions < apart as usize {
        return None;
    }
    let mut split = vec![1.0; apart as usize];
    split[0] = f64::from(n - apart + 1);
    Some(split)
}

impl Set {
    /// Of pools; what segments it has that are not known yet get the next places.
    fn new(rows: &Rows, usable: &[usize], known: &mut BTreeMap<Segment, usize>) -> Self {
        let mut list: Vec<usize> = usable.iter().map(|&p| rows.of[p]).collect();
        list.sort_unstable();
        let mut place = |rows: &[usize]| {
            let next = known.len();
            *known.entry(Segment::new(rows)).or_insert(next)
        };
        let regions = list.chunk_by(|&a, &b| rows.regions[a] == rows.regions[b]);
        Set {
            regions: regions.map(&mut place).collect(),
            whole: place(&list),
        }
    }
}

impl Segment {
    /// From rows in order.
    fn new(list: &[usize]) -> Self {
        let runs = list.chunk_by(|&a, &b| a + 1 == b);
        let runs = runs.map(|run| Run {
            from: run[0],
            to: run[0] + run.len(),
        });
        Segment {
            runs: runs.collect(),
        }
    }

    /// Its rows in order.
    pub fn rows(&self) -> impl Iterator<Item = usize> {
        self.runs.iter().flat_map(|run| run.from..run.to)
    }
}

/// Each shape, and the kept one that it counts as.
struct Shapes(BTreeMap<(u64, u64), (u64, u64)>);

impl Shapes {
    fn new(problem: &Problem<'_>, services: &[usize]) -> Self {
        let mut counts: BTreeMap<(u64, u64), u64> = BTreeMap::new();
        for &s in services {
            let service = problem.service(s);
            let shape = (service.size.milli_cores, service.size.mib);
            *counts.entry(shape).or_default() += u64::from(service.replicas);
        }
        let mut kept: Vec<(u64, (u64, u64))> = counts.iter().map(|(s, n)| (*n, *s)).collect();
        kept.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
        kept.truncate(SHAPES);
        let mut kept: Vec<(u64, u64)> = kept.into_iter().map(|(_, shape)| shape).collect();
        kept.sort_unstable();
        let shapes = counts.into_keys();
        Shapes(shapes.map(|shape| (shape, nearest(&kept, shape))).collect())
    }

    fn of(&self, problem: &Problem<'_>, s: usize) -> (u64, u64) {
        let size = problem.service(s).size;
        let shape = (size.milli_cores, size.mib);
        self.0.get(&shape).copied().unwrap_or(shape)
    }
}

/// The most alike of the kept ones, which are in order.
fn nearest(kept: &[(u64, u64)], shape: (u64, u64)) -> (u64, u64) {
    let ratio = |a: u64, b: u64| {
        let (a, b) = (a.max(1) as f64, b.max(1) as f64);
        (a / b).max(b / a)
    };
    let (below, above) = kept.split_at(kept.partition_point(|other| *other < shape));
    let mut best: Option<(f64, (u64, u64))> = None;
    // Whether one that is farther away by its cores can be any nearer.
    let mut look = |other: &(u64, u64)| {
        let cores = ratio(other.0, shape.0);
        if best.is_some_and(|(least, _)| cores > least) {
            return false;
        }
        let far = cores * ratio(other.1, shape.1);
        if best.is_none_or(|(least, known)| far < least || (far == least && *other < known)) {
            best = Some((far, *other));
        }
        true
    };
    above.iter().take_while(|other| look(other)).for_each(drop);
    below
        .iter()
        .rev()
        .take_while(|other| look(other))
        .for_each(drop);
    best.map_or(shape, |(_, known)| known)
}
