//! Which reason against a service tells most, and which constraint binds first.

use std::collections::BTreeSet;

use super::Scenario;
use super::document::Binding;
use super::headroom::{self, Use};
use crate::placement::facts::Facts;
use crate::placement::snapshot::selects;
use crate::scheduler::decide;
use crate::scheduler::model::{Policy, Pool, Service, ServiceId, Snapshot};
use crate::scheduler::reason::{Constraint, Reason, Why};
use crate::scheduler::solution::{Outcome, Verdict};

/// Pools in which a limit is lifted, one at a time, to see whether one is enough.
const MOST_TRIALS: usize = 12;
/// Replicas times pools beyond which solving again for that takes too long.
const MOST_WORK: u64 = 200_000;

/// Why a service has no place in a scenario.
pub(super) struct Stuck<'a> {
    facts: &'a Facts<'a>,
    pub service: &'a Service,
    /// All reasons; what is lost is said to be lost.
    pub reasons: Vec<Reason>,
    /// Pools that no change of prices or replicas would open to the service.
    shut: BTreeSet<&'a str>,
}

impl<'a> Stuck<'a> {
    pub fn new(
        facts: &'a Facts<'a>,
        scenario: &Scenario,
        base: &Snapshot,
        outcome: &'a Outcome,
    ) -> Option<Self> {
        let lost: BTreeSet<&str> = base
            .pools
            .iter()
            .filter(|pool| scenario.loses(pool))
            .flat_map(|pool| [pool.name.as_str(), pool.region.as_str()])
            .collect();
        let reasons = outcome.reasons.iter().map(|reason| match &reason.why {
            Why::UnknownRegion { region } if lost.contains(region.as_str()) => {
                Reason::of_service(Why::RegionUnavailable {
                    region: region.clone(),
                    because: "lost in this scenario".to_owned(),
                })
            }
            _ => reason.clone(),
        });
        let shut = outcome.reasons.iter().filter(|r| is_fixed(&r.why));
        Some(Self {
            facts,
            service: facts.service(&outcome.service)?,
            reasons: reasons.collect(),
            shut: shut.filter_map(|r| r.pool.as_deref()).collect(),
        })
    }

    /// The reason that tells most: what no pool that is left could give, then the limits that are reached, then
    /// what follows from these.
    pub fn first(&self) -> Option<&Reason> {
        self.reasons.iter().min_by_key(|reason| self.rank(reason))
    }

    fn rank(&self, reason: &Reason) -> u8 {
        match (&reason.pool, reason.why.constraint()) {
            (None, _) if self.is_structural(&reason.why) => 0,
            (Some(pool), constraint) if is_limit(constraint) => {
                match self.shut.contains(pool.as_str()) {
                    false if self.is_wanted(pool) => 1,
                    false => 2,
                    true => 7,
                }
            }
            (None, Constraint::Latency) => 4,
            (Some(pool), Constraint::Combination) if !self.shut.contains(pool.as_str()) => 5,
            (None, Constraint::Combination) => 6,
            (None, _) => 3,
            (Some(_), _) => 8,
        }
    }

    /// Whether the pools that are left cannot meet it, however much room they had.
    fn is_structural(&self, why: &Why) -> bool {
        match why {
            Why::RegionUnavailable { region, .. } => {
                !self.open().any(|(name, of)| region == name || region == of)
            }
            Why::TooFewRegions { needed, .. } => {
                let regions: BTreeSet<&str> = self.open().map(|(_, region)| region).collect();
                regions.len() < *needed as usize
            }
            Why::NoPool
            | Why::UnknownRegion { .. }
            | Why::TooFewReplicas { .. }
            | Why::PinnedElsewhere { .. }
            | Why::PinnedToNothing { .. }
            | Why::PinnedTooMany { .. } => true,
            _ => false,
        }
    }

    /// Name and region of the pools that room would open.
    fn open(&self) -> impl Iterator<Item = (&str, &str)> {
        let pools = self.facts.snapshot.pools.iter();
        let open = pools.filter(|pool| !self.shut.contains(pool.name.as_str()));
        open.map(|pool| (pool.name.as_str(), pool.region.as_str()))
    }

    /// Whether a pool is of a region that is missing, or none is.
    fn is_wanted(&self, pool: &str) -> bool {
        let mut missing = self.reasons.iter().filter_map(|reason| match &reason.why {
            Why::RegionUnavailable { region, .. } => Some(region.as_str()),
            _ => None,
        });
        let region = self.facts.pool(pool).map(|pool| pool.region.as_str());
        let Some(first) = missing.next() else {
            return true;
        };
        [first]
            .into_iter()
            .chain(missing)
            .any(|name| name == pool || Some(name) == region)
    }

    /// The constraint that keeps this service from its place.
    pub fn binding(&self) -> Option<Binding> {
        let reason = self.first()?;
        let constraint = reason.why.constraint();
        let found = Binding {
            constraint: constraint.name().to_owned(),
            pools: reason.pool.iter().cloned().collect(),
            policy: self.policy(constraint),
            service: Some(self.service.id.to_string()),
            message: reason.why.to_string(),
        };
        // That there is room for some does not say what there is too little of.
        let vague = constraint == Constraint::Combination;
        Some(match vague.then(|| self.by_trial()).flatten() {
            Some((limit, pools)) => Binding {
                constraint: limit.constraint.name().to_owned(),
                message: format!("{}; without it there is room for all", limit.words()),
                pools,
                ..found
            },
            None => found,
        })
    }

    /// The limit without which the service has its place, found by trying, and the pools in which it has to go:
    /// of those with room for some of its replicas one, or all where one is not enough.
    fn by_trial(&self) -> Option<(Use, Vec<String>)> {
        let snapshot = self.facts.snapshot;
        let replicas: u64 = snapshot
            .services
            .iter()
            .map(|s| u64::from(s.replicas))
            .sum();
        if replicas.saturating_mul(snapshot.pools.len() as u64) > MOST_WORK {
            return None;
        }
        let mut limits = self.limits();
        let mut kinds: Vec<Constraint> = Vec::new();
        for (_, limit) in &limits {
            if !kinds.contains(&limit.constraint) {
                kinds.push(limit.constraint);
            }
        }
        let id = &self.service.id;
        let of = |kind| -> Vec<&str> {
            let same = limits.iter().filter(|(_, limit)| limit.constraint == kind);
            same.map(|(pool, _)| *pool).collect()
        };
        let kind = kinds
            .into_iter()
            .find(|kind| has_place(snapshot, &of(*kind), *kind, id))?;
        let all = of(kind);
        let mut single = all.iter().take(MOST_TRIALS);
        let pools = match single.find(|pool| has_place(snapshot, &[**pool], kind, id)) {
            Some(enough) => vec![(*enough).to_owned()],
            None => all.iter().map(|pool| (*pool).to_owned()).collect(),
        };
        let first = pools.first()?;
        let same = |(pool, limit): &(&str, Use)| pool == first && limit.constraint == kind;
        let index = limits.iter().position(same)?;
        Some((limits.swap_remove(index).1, pools))
    }

    /// The limits of the pools with room for some of the replicas, those of which most is used first.
    fn limits(&self) -> Vec<(&'a str, Use)> {
        let partly = self.reasons.iter().filter_map(|reason| {
            let pool = self.facts.pool(reason.pool.as_deref()?)?;
            let open = !self.shut.contains(pool.name.as_str());
            (open && matches!(reason.why, Why::RoomFor { .. })).then_some(pool)
        });
        let mut limits: Vec<(&str, Use)> = partly
            .flat_map(|pool| {
                let uses = headroom::uses(pool, &self.facts.usage(&pool.name));
                uses.into_iter().map(|limit| (pool.name.as_str(), limit))
            })
            .collect();
        limits.sort_by(|a, b| b.1.by_share(&a.1));
        limits
    }

    /// The policy that a constraint comes from.
    fn policy(&self, constraint: Constraint) -> Option<String> {
        let has = |policy: &Policy| match constraint {
            Constraint::MinRegions => policy.min_regions.is_some_and(|n| n > 1),
            Constraint::SpreadConstraint => !policy.spread.is_empty(),
            Constraint::ClusterSize | Constraint::ControlPlane => policy.cluster_policy.is_some(),
            _ => false,
        };
        let over = self.facts.snapshot.policies.iter();
        let mut over = over.filter(|p| has(p) && selects(&p.selector, &self.service.labels));
        match constraint {
            // The strictest binds.
            Constraint::MinRegions => over.max_by_key(|p| (p.min_regions, p.priority)),
            _ => over.next(),
        }
        .map(|policy| policy.name.clone())
    }
}

/// Whether a service has its place where a limit of some pools does not hold.
fn has_place(snapshot: &Snapshot, pools: &[&str], limit: Constraint, id: &ServiceId) -> bool {
    let mut lifted = snapshot.clone();
    let named = |pool: &&mut Pool| pools.contains(&pool.name.as_str());
    for pool in lifted.pools.iter_mut().filter(named) {
        match limit {
            Constraint::MaxNodes => pool.caps.max_nodes = None,
            Constraint::MaxCores => pool.caps.max_milli_cores = None,
            Constraint::MaxMemory => pool.caps.max_mib = None,
            _ => pool.monthly_budget = None,
        }
    }
    let solution = decide(&lifted);
    solution
        .outcome(id)
        .is_some_and(|outcome| outcome.verdict != Verdict::Unschedulable)
}

/// Whether a reason depends on nothing but the service and the pool themselves.
fn is_fixed(why: &Why) -> bool {
    matches!(
        why.constraint(),
        Constraint::PoolClosed
            | Constraint::Shortage
            | Constraint::PoolSelector
            | Constraint::Compliance
            | Constraint::Pin
            | Constraint::Fit
            | Constraint::ControlPlane
    )
}

/// Whether a constraint is a matter of room.
fn is_limit(constraint: Constraint) -> bool {
    matches!(
        constraint,
        Constraint::MaxNodes
            | Constraint::MaxCores
            | Constraint::MaxMemory
            | Constraint::Budget
            | Constraint::ClusterSize
    )
}

/// A limit that is exceeded now and was not before, where everything has its place all the same.
pub(super) fn exceeded(before: &Facts<'_>, after: &Facts<'_>) -> Option<Binding> {
    after.snapshot.pools.iter().find_map(|pool| {
        let was = before.pool(&pool.name).map_or(Vec::new(), |old| {
            headroom::uses(old, &before.usage(&old.name))
        });
        let broken = |uses: &[Use], constraint| {
            uses.iter()
                .any(|u| u.constraint == constraint && u.used > u.most)
        };
        let uses = headroom::uses(pool, &after.usage(&pool.name));
        let limit = uses
            .into_iter()
            .find(|u| u.used > u.most && !broken(&was, u.constraint))?;
        Some(Binding {
            constraint: limit.constraint.name().to_owned(),
            pools: vec![pool.name.clone()],
            policy: None,
            service: None,
            message: limit.words(),
        })
    })
}
