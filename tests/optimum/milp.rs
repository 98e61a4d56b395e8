//! The program: which services have a place, how many replicas are at each site, and how its nodes are filled.

use super::rules::{Offer, Rules, Service, Site};
use super::ways;
use good_lp::solvers::highs::{HighsParallelType, HighsProblem, highs};
use good_lp::{
    Expression, ProblemVariables, ResolutionError, Solution, SolverModel, Variable, constraint,
    variable,
};
use lattice::scheduler::model::ServiceId;
use lattice::scheduler::units::HOURS_PER_MONTH;
use std::collections::BTreeSet;

/// Micro-dollars in the program's unit of money, so that its figures are whole and small.
const UNIT: f64 = 1000.0;

pub enum Goal<'g> {
    /// As many services as possible, the more important first.
    PlaceMost,
    /// Just these services, for the least money.
    Cheapest(&'g BTreeSet<ServiceId>),
}

/// Nodes of a class at a site that are filled one way.
pub struct Filling {
    pub site: usize,
    pub class: usize,
    pub way: Vec<u32>,
    pub count: u32,
}

/// What the program came to.
pub struct Values {
    placed: Vec<bool>,
    /// By service and site.
    pub replicas: Vec<Vec<u32>>,
    pub fillings: Vec<Filling>,
    /// Sites at which there is a cluster.
    pub open: Vec<bool>,
}

impl Values {
    pub fn is_placed(&self, s: usize) -> bool {
        self.placed[s]
    }
}

struct Program<'r> {
    rules: &'r Rules<'r>,
    vars: ProblemVariables,
    rows: Vec<good_lp::Constraint>,
    placed: Vec<Variable>,
    /// By service and site, where the service may be there.
    replicas: Vec<Vec<Option<Variable>>>,
    /// Whether there are any.
    some: Vec<Vec<Option<Variable>>>,
    open: Vec<Variable>,
    fillings: Vec<(Filling, Variable)>,
}

pub fn solve(rules: &Rules<'_>, goal: Goal<'_>) -> Option<Values> {
    let mut program = Program::new(rules);
    for s in 0..rules.services.len() {
        program.whole(s);
        program.regions(s);
        program.even(s);
        program.near(s);
    }
    for site in 0..rules.sites.len() {
        program.site(site);
    }
    for pool in 0..rules.offers.len() {
        program.pool(pool);
    }
    if let Goal::Cheapest(placed) = &goal {
        for (s, service) in rules.services.iter().enumerate() {
            let due = f64::from(u8::from(placed.contains(&service.id)));
            program.rows.push(constraint!(program.placed[s] == due));
        }
    }
    program.run(&goal)
}

impl<'r> Program<'r> {
    fn new(rules: &'r Rules<'r>) -> Self {
        let mut vars = ProblemVariables::new();
        let binary = || variable().binary();
        let grid = |vars: &mut ProblemVariables, most: &dyn Fn(&Service<'_>) -> u32| {
            let row = |vars: &mut ProblemVariables, service: &Service<'_>| {
                let sites = rules.sites.iter();
                sites
                    .map(|site| {
                        let number = variable().integer().min(0).max(most(service));
                        may_be_at(service, site).then(|| vars.add(number))
                    })
                    .collect()
            };
            let services = rules.services.iter();
            services.map(|service| row(vars, service)).collect()
        };
        Program {
            rules,
            placed: rules.services.iter().map(|_| vars.add(binary())).collect(),
            replicas: grid(&mut vars, &|service| service.replicas),
            some: grid(&mut vars, &|_| 1),
            open: rules.sites.iter().map(|_| vars.add(binary())).collect(),
            vars,
            rows: Vec::new(),
            fillings: Vec::new(),
        }
    }

    fn in_pools(&self, s: usize, pools: &[usize]) -> Expression {
        let sites = self.rules.sites.iter().zip(&self.replicas[s]);
        sites
            .filter(|(site, _)| pools.contains(&site.pool))
            .filter_map(|(_, n)| *n)
            .sum()
    }

    /// All replicas or none.
    fn whole(&mut self, s: usize) {
        let all: Expression = self.replicas[s].iter().flatten().sum();
        let due = f64::from(self.rules.services[s].replicas);
        self.rows.push(constraint!(all == due * self.placed[s]));
        for site in 0..self.rules.sites.len() {
            if let (Some(n), Some(some)) = (self.replicas[s][site], self.some[s][site]) {
                self.rows.push(constraint!(n <= due * some));
                self.rows.push(constraint!(some <= n));
                self.rows.push(constraint!(some <= self.open[site]));
            }
        }
    }

    fn regions(&mut self, s: usize) {
        let service = &self.rules.services[s];
        if service.replicas == 0 {
            return;
        }
        for pools in &service.required {
            let there = self.in_pools(s, pools);
            self.rows.push(constraint!(there >= self.placed[s]));
        }
        let pools = &self.rules.snapshot.pools;
        let regions: BTreeSet<&str> = pools.iter().map(|p| p.region.as_str()).collect();
        let mut used = Expression::default();
        for region in regions {
            let here: Vec<usize> = (0..pools.len())
                .filter(|&p| pools[p].region == region)
                .collect();
            let there = self.in_pools(s, &here);
            let counts = self.vars.add(variable().binary());
            self.rows.push(constraint!(counts <= there));
            used += counts;
        }
        let due = f64::from(service.min_regions);
        self.rows.push(constraint!(used >= due * self.placed[s]));
    }

    fn even(&mut self, s: usize) {
        let service = &self.rules.services[s];
        for (skew, domains) in &service.spread {
            for one in domains {
                for other in domains {
                    let more = self.in_pools(s, one) - self.in_pools(s, other);
                    self.rows.push(constraint!(more <= f64::from(*skew)));
                }
            }
        }
        for &skew in &service.cluster_spread {
            let sites: Vec<(Variable, Variable)> = (self.replicas[s].iter().flatten().copied())
                .zip(self.some[s].iter().flatten().copied())
                .collect();
            for &(one, _) in &sites {
                for &(other, some) in &sites {
                    let free = f64::from(service.replicas);
                    let row = constraint!(one - other + free * some <= f64::from(skew) + free);
                    self.rows.push(row);
                }
            }
        }
    }

    /// Where there are replicas, the dependency has one within reach.
    fn near(&mut self, s: usize) {
        for &(dependency, ms) in &self.rules.services[s].latency {
            for site in 0..self.rules.sites.len() {
                let Some(some) = self.some[s][site] else {
                    continue;
                };
                let within: Expression = (0..self.rules.sites.len())
                    .filter(|&other| self.rules.distance(site, other) <= ms)
                    .filter_map(|other| self.replicas[dependency][other])
                    .sum();
                self.rows.push(constraint!(within >= some));
            }
        }
    }

    /// The nodes hold what is there and are as many as they may be.
    fn site(&mut self, at: usize) {
        let rules = self.rules;
        let site = &rules.sites[at];
        let here: Vec<usize> = (0..rules.services.len())
            .filter(|&s| may_be_at(&rules.services[s], site))
            .collect();
        let mut nodes = Expression::default();
        let mut holds = vec![Expression::default(); rules.services.len()];
        let total: u32 = here.iter().map(|&s| rules.services[s].replicas).sum();
        let most = total.max(site.min);
        for (class, offer) in rules.offers[site.pool].iter().enumerate() {
            for way in ways::full(&rules.services, &here, offer.class.allocatable()) {
                let count = self.vars.add(variable().integer().min(0).max(most));
                nodes += count;
                for &s in here.iter().filter(|&&s| way[s] > 0) {
                    holds[s] += f64::from(way[s]) * count;
                }
                let filling = Filling {
                    site: at,
                    class,
                    way,
                    count: 0,
                };
                self.fillings.push((filling, count));
            }
        }
        for s in here {
            if let Some(n) = self.replicas[s][at] {
                self.rows.push(constraint!(holds[s].clone() >= n));
            }
        }
        let (open, min) = (self.open[at], f64::from(site.min));
        self.rows.push(constraint!(nodes.clone() >= min * open));
        let max = f64::from(site.max.unwrap_or(most).min(most));
        self.rows.push(constraint!(nodes <= max * open));
        if site.follows {
            self.rows.push(constraint!(open <= self.open[at - 1]));
        }
    }

    /// Nodes of a pool, control planes included, each counted by a measure of its class and price.
    fn sum(&self, pool: usize, measure: &dyn Fn(&Offer<'_>) -> f64) -> Expression {
        let rules = self.rules;
        let mut sum = Expression::default();
        for (filling, count) in &self.fillings {
            if rules.sites[filling.site].pool == pool {
                sum += measure(&rules.offers[pool][filling.class]) * *count;
            }
        }
        for (site, open) in rules.sites.iter().zip(&self.open) {
            let control = site.control.filter(|_| site.pool == pool);
            let Some((class, n)) = control else { continue };
            let offer = rules.offers[pool].iter().find(|o| o.class.name == class);
            sum += offer.map_or(0.0, measure) * f64::from(n) * *open;
        }
        sum
    }

    fn pool(&mut self, pool: usize) {
        let spec = &self.rules.snapshot.pools[pool];
        let caps = &spec.caps;
        let cores = |o: &Offer<'_>| o.class.capacity.milli_cores as f64 / 1000.0;
        let gib = |o: &Offer<'_>| o.class.capacity.mib as f64 / 1024.0;
        let budget = spec.monthly_budget.map(|month| month / HOURS_PER_MONTH);
        let limits = [
            (caps.max_nodes.map(|n| n as f64), self.sum(pool, &|_| 1.0)),
            (
                caps.max_milli_cores.map(|n| n as f64 / 1000.0),
                self.sum(pool, &cores),
            ),
            (
                caps.max_mib.map(|n| n as f64 / 1024.0),
                self.sum(pool, &gib),
            ),
            (budget.map(units), self.sum(pool, &|o| units(o.hourly))),
        ];
        for (limit, sum) in limits {
            if let Some(limit) = limit {
                self.rows.push(constraint!(sum <= limit));
            }
        }
    }

    fn bill(&self) -> Expression {
        let pools = 0..self.rules.offers.len();
        let mut bill: Expression = pools.map(|p| self.sum(p, &|o| units(o.hourly))).sum();
        for (service, row) in self.rules.services.iter().zip(&self.replicas) {
            for (site, n) in self.rules.sites.iter().zip(row) {
                let charge = units(service.penalties[site.pool]);
                bill += n.map_or(Expression::default(), |n| charge * n);
            }
        }
        bill
    }

    /// Services placed, one of a priority for more than all of lower ones.
    fn placed(&self) -> Expression {
        let services = &self.rules.services;
        let levels: BTreeSet<i64> = services.iter().map(|s| s.priority).collect();
        let weight = |priority: i64| {
            let below = levels.iter().filter(|level| **level < priority).count();
            (0..below).fold(1.0, |weight, _| weight * (services.len() + 1) as f64)
        };
        let each = services.iter().zip(&self.placed);
        each.map(|(s, placed)| weight(s.priority) * *placed).sum()
    }

    fn run(self, goal: &Goal<'_>) -> Option<Values> {
        let unsolved = match goal {
            Goal::PlaceMost => self.vars.clone().maximise(self.placed()),
            Goal::Cheapest(_) => self.vars.clone().minimise(self.bill()),
        };
        let exactly: HighsProblem = unsolved
            .using(highs)
            .set_parallel(HighsParallelType::Off)
            .set_threads(1)
            .set_mip_rel_gap(0.0)
            .and_then(|problem| problem.set_mip_abs_gap(0.0))
            .unwrap_or_else(|e| panic!("gaps of nothing: {e}"));
        let solved = match exactly.with_all(self.rows).solve() {
            Ok(solved) => solved,
            Err(ResolutionError::Infeasible) => return None,
            Err(error) => panic!("HiGHS: {error}"),
        };
        let whole = |v: Variable| {
            let value = solved.value(v);
            assert!((value - value.round()).abs() < 1e-4, "{value} is not whole");
            value.round() as u32
        };
        let or_none = |v: &Option<Variable>| v.map_or(0, whole);
        let fillings = self.fillings.into_iter();
        Some(Values {
            placed: self.placed.iter().map(|v| whole(*v) == 1).collect(),
            replicas: (self.replicas.iter())
                .map(|row| row.iter().map(or_none).collect())
                .collect(),
            fillings: fillings
                .map(|(filling, count)| Filling {
                    count: whole(count),
                    ..filling
                })
                .collect(),
            open: self.open.iter().map(|v| whole(*v) == 1).collect(),
        })
    }
}

fn units(micros: i64) -> f64 {
    micros as f64 / UNIT
}

fn may_be_at(service: &Service<'_>, site: &Site<'_>) -> bool {
    service.policy == site.policy && service.pools.contains(&site.pool)
}
