//! Figures for Prometheus.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

type Amount = Gauge<f64, AtomicU64>;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct KindLabel {
    kind: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct PhaseLabel {
    phase: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct PoolLabel {
    pool: String,
}

/// Figures of one pool.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct PoolFigures {
    pub(crate) name: String,
    pub(crate) nodes: u32,
    pub(crate) max_nodes: Option<u32>,
    pub(crate) month_cost: f64,
    pub(crate) budget: Option<f64>,
}

/// All figures of an operator.
pub struct Metrics {
    registry: Registry,
    started: Instant,
    /// Milliseconds since `started` when the main loop was last seen alive.
    alive: AtomicU64,
    pub(crate) decisions: Counter,
    pub(crate) confirmations: Counter,
    pub(crate) passes: Counter,
    pub(crate) full_passes: Counter,
    pub(crate) pass_failures: Counter,
    pub(crate) writes: Counter,
    pub(crate) solve_seconds: Histogram,
    pub(crate) queue_depth: Gauge,
    pub(crate) to_explain: Gauge,
    pub(crate) is_leader: Gauge,
    pub(crate) hourly_cost: Amount,
    pub(crate) objective: Amount,
    pub(crate) lower_bound: Amount,
    pub(crate) gap: Amount,
    reconcile_age: Amount,
    watch_restarts: Family<KindLabel, Counter>,
    services: Family<PhaseLabel, Gauge>,
    pool_nodes: Family<PoolLabel, Gauge>,
    pool_max_nodes: Family<PoolLabel, Gauge>,
    pool_month_cost: Family<PoolLabel, Amount>,
    pool_budget: Family<PoolLabel, Amount>,
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("lattice"),
            started: Instant::now(),
            alive: AtomicU64::new(0),
            decisions: Counter::default(),
            confirmations: Counter::default(),
            passes: Counter::default(),
            full_passes: Counter::default(),
            pass_failures: Counter::default(),
            writes: Counter::default(),
            solve_seconds: Histogram::new([
                0.001, 0.005, 0.02, 0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 120.0,
            ]),
            queue_depth: Gauge::default(),
            to_explain: Gauge::default(),
            is_leader: Gauge::default(),
            hourly_cost: Amount::default(),
            objective: Amount::default(),
            lower_bound: Amount::default(),
            gap: Amount::default(),
            reconcile_age: Amount::default(),
            watch_restarts: Family::default(),
            services: Family::default(),
            pool_nodes: Family::default(),
            pool_max_nodes: Family::default(),
            pool_month_cost: Family::default(),
            pool_budget: Family::default(),
        };
        metrics.register();
        metrics
    }

    fn register(&mut self) {
        let r = &mut self.registry;
        r.register("decisions", "Decisions committed", self.decisions.clone());
        r.register(
            "confirmations",
            "Changes of limits and prices under which the last decision stood",
            self.confirmations.clone(),
        );
        r.register("passes", "Passes of the main loop", self.passes.clone());
        r.register(
            "full_passes",
            "Passes that computed everything anew",
            self.full_passes.clone(),
        );
        r.register(
            "services_to_explain",
            "Services whose alternatives are from before the last decision",
            self.to_explain.clone(),
        );
        r.register(
            "pass_failures",
            "Passes that failed and were tried again",
            self.pass_failures.clone(),
        );
        r.register("writes", "Objects written", self.writes.clone());
        r.register(
            "solve_seconds",
            "Time to solve one snapshot",
            self.solve_seconds.clone(),
        );
        r.register(
            "status_queue_depth",
            "Status writes that wait",
            self.queue_depth.clone(),
        );
        r.register("is_leader", "1 on the leader", self.is_leader.clone());
        r.register(
            "hourly_cost",
            "Cost of all nodes per hour",
            self.hourly_cost.clone(),
        );
        r.register(
            "objective",
            "Cost per hour with preferences as money",
            self.objective.clone(),
        );
        r.register(
            "lower_bound",
            "Proven least value of the objective for the services that are placed",
            self.lower_bound.clone(),
        );
        r.register(
            "gap_ratio",
            "Share of the objective that might still be saved at most",
            self.gap.clone(),
        );
        r.register(
            "reconcile_age_seconds",
            "Time since the main loop was last seen alive",
            self.reconcile_age.clone(),
        );
        r.register(
            "watch_restarts",
            "Watches begun anew after an error",
            self.watch_restarts.clone(),
        );
        r.register("services", "Services by phase", self.services.clone());
        r.register(
            "pool_nodes",
            "Nodes, control planes included",
            self.pool_nodes.clone(),
        );
        r.register("pool_max_nodes", "Most nodes", self.pool_max_nodes.clone());
        r.register(
            "pool_projected_month_cost",
            "Cost of 720 hours of what is decided",
            self.pool_month_cost.clone(),
        );
        r.register(
            "pool_max_month_cost",
            "The budget",
            self.pool_budget.clone(),
        );
    }

    /// The main loop has come round.
    pub(crate) fn beat(&self) {
        let millis = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.alive.store(millis, Ordering::Relaxed);
    }

    /// Time since the main loop last came round.
    pub(crate) fn age(&self) -> Duration {
        let alive = Duration::from_millis(self.alive.load(Ordering::Relaxed));
        self.started.elapsed().saturating_sub(alive)
    }

    pub(crate) fn watch_restarted(&self, kind: &str) {
        let label = KindLabel {
            kind: kind.to_owned(),
        };
        self.watch_restarts.get_or_create(&label).inc();
    }

    /// Services by phase; phases without a service are dropped.
    pub(crate) fn set_services<'a>(&self, phases: impl Iterator<Item = &'a str>) {
        self.services.clear();
        for phase in phases {
            let label = PhaseLabel {
                phase: phase.to_owned(),
            };
            self.services.get_or_create(&label).inc();
        }
    }

    /// Figures of all pools; pools that are gone are dropped.
    pub(crate) fn set_pools(&self, pools: impl Iterator<Item = PoolFigures>) {
        self.pool_nodes.clear();
        self.pool_max_nodes.clear();
        self.pool_month_cost.clear();
        self.pool_budget.clear();
        for pool in pools {
            let label = PoolLabel { pool: pool.name };
            self.pool_nodes
                .get_or_create(&label)
                .set(i64::from(pool.nodes));
            self.pool_month_cost
                .get_or_create(&label)
                .set(pool.month_cost);
            if let Some(most) = pool.max_nodes {
                self.pool_max_nodes
                    .get_or_create(&label)
                    .set(i64::from(most));
            }
            if let Some(budget) = pool.budget {
                self.pool_budget.get_or_create(&label).set(budget);
            }
        }
    }

    /// All figures in the text format.
    pub(crate) fn text(&self) -> Result<String, std::fmt::Error> {
        self.reconcile_age.set(self.age().as_secs_f64());
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_named_and_dropped_with_what_they_are_about() {
        let metrics = Metrics::new();
        metrics.set_services(["Scheduled", "Scheduled", "Unschedulable"].into_iter());
        metrics.set_pools(
            [PoolFigures {
                name: "us".into(),
                nodes: 3,
                budget: Some(10.5),
                ..PoolFigures::default()
            }]
            .into_iter(),
        );
        metrics.watch_restarted("LatticePool");
        let text = metrics.text().unwrap();
        for line in [
            "lattice_services{phase=\"Scheduled\"} 2",
            "lattice_pool_nodes{pool=\"us\"} 3",
            "lattice_pool_max_month_cost{pool=\"us\"} 10.5",
            "lattice_watch_restarts_total{kind=\"LatticePool\"} 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        metrics.set_services(std::iter::empty());
        assert!(!metrics.text().unwrap().contains("Unschedulable"));
    }

    #[test]
    fn a_beat_makes_it_young() {
        let metrics = Metrics::new();
        metrics.beat();
        assert!(metrics.age() < Duration::from_secs(5));
    }
}
