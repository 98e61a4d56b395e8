//! Snapshot and solution to plan.

use std::collections::BTreeSet;
use std::convert::Infallible;

use super::certificate::PlanCertificate;
use super::document::{
    ConflictSet, Decision, PLAN_API_VERSION, PLAN_KIND, Plan, PlanCluster, PlanConstraint,
    PlanNodes, PlanPlacement, PlanPool, PlanReason, Rejection, Relaxation, Role, Summary,
    Unschedulable, WorkerRange,
};
use super::moves::PlanMoves;
use crate::placement::conflict::{self, Analysis};
use crate::placement::diff;
use crate::placement::facts::{Facts, amount, cores, gib, monthly};
use crate::placement::problem::Problem;
use crate::placement::text;
use crate::scheduler::explain;
use crate::scheduler::model::{Origin, Pool, ServiceId, Snapshot};
use crate::scheduler::reason::Why;
use crate::scheduler::solution::{ClusterAction, ClusterDecision, Outcome, Solution, Verdict};
use crate::scheduler::units::decimal;

/// What a plan is to contain of what takes time or room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// All reasons of every pool for every service. Of large fleets, write them as a stream instead.
    pub rejections: bool,
    /// What would give the services without a place one; takes solving again, some times each.
    pub relaxations: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            rejections: true,
            relaxations: true,
        }
    }
}

/// Tells a solution as a plan. What it changes is told against the snapshot's clusters.
pub fn build(
    snapshot: &Snapshot,
    solution: &Solution,
    problems: &[Problem],
    options: Options,
) -> Plan {
    let facts = Facts::new(snapshot, solution);
    let mut warnings: Vec<String> = problems.iter().map(ToString::to_string).collect();
    let mut plan = Plan {
        api_version: PLAN_API_VERSION.to_owned(),
        kind: PLAN_KIND.to_owned(),
        summary: summary(&facts),
        changes: diff::changes(snapshot, &snapshot.clusters, solution),
        decisions: decisions(&facts),
        moves: PlanMoves::from(&solution.moves),
        placements: placements(&facts),
        clusters: clusters(&facts),
        pools: snapshot.pools.iter().map(|p| pool(&facts, p)).collect(),
        unschedulable: unschedulable(&facts, options.relaxations, &mut warnings),
        warnings,
        certificate: PlanCertificate::from(&solution.certificate),
        rejections: Vec::new(),
    };
    let unenforced = plan.decisions.iter().flat_map(|decision| {
        let of = format!("LatticeService {}/{}", decision.namespace, decision.service);
        decision
            .unenforced
            .iter()
            .map(move |what| format!("{of}: {what}"))
    });
    plan.warnings.extend(unenforced);
    if options.rejections {
        add_rejections(&mut plan, snapshot, solution, &|_| true);
    }
    plan
}

/// Adds all reasons of every pool for the wanted services.
pub fn add_rejections(
    plan: &mut Plan,
    snapshot: &Snapshot,
    solution: &Solution,
    wanted: &dyn Fn(&ServiceId) -> bool,
) {
    let collected: Result<(), Infallible> =
        explain::rejections(snapshot, solution, wanted, &mut |id, pool, reasons| {
            plan.rejections.push(rejection(id, pool, &reasons));
            Ok(())
        });
    match collected {
        Ok(()) => {}
        Err(never) => match never {},
    }
}

pub(super) fn rejection(id: &ServiceId, pool: &str, reasons: &[Why]) -> Rejection {
    Rejection {
        service: id.name.clone(),
        namespace: id.namespace.clone(),
        pool: pool.to_owned(),
        reasons: reasons.iter().map(|why| reason(None, why)).collect(),
    }
}

/// A reason as plans tell it.
pub(crate) fn reason(pool: Option<&String>, why: &Why) -> PlanReason {
    PlanReason {
        constraint: why.constraint().name().to_owned(),
        pool: pool.cloned(),
        message: why.to_string(),
        added_hourly_cost: match why {
            Why::Dearer { added } => Some(amount(*added)),
            _ => None,
        },
    }
}

/// A solution in numbers.
pub(crate) fn summary(facts: &Facts<'_>) -> Summary {
    let solution = facts.solution;
    let placed = facts.snapshot.services.iter();
    Summary {
        services: count(facts.snapshot.services.len()),
        replicas: placed
            .flat_map(|s| facts.placed(&s.id))
            .map(|p| p.replicas)
            .sum(),
        nodes: solution.live().map(|d| diff::nodes(&d.cluster)).sum(),
        clusters: count(solution.live().count()),
        hourly_cost: amount(solution.hourly),
        projected_30_day: decimal(monthly(solution.hourly)),
        objective: amount(solution.objective),
        lower_bound: Some(amount(solution.certificate.lower_bound)),
        gap: solution.gap_ppm().map(decimal),
    }
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

fn decisions(facts: &Facts<'_>) -> Vec<Decision> {
    let outcomes = facts.solution.outcomes.iter();
    outcomes
        .filter_map(|outcome| {
            let service = facts.service(&outcome.service)?;
            let hourly = facts.hourly(&service.id);
            Some(Decision {
                service: service.id.name.clone(),
                namespace: service.id.namespace.clone(),
                verdict: verdict(outcome.verdict).to_owned(),
                reason: text::reason(facts, service, outcome),
                replicas: service.replicas,
                hourly_cost: amount(hourly),
                projected_30_day: decimal(monthly(hourly)),
                constraints: text::constraints(facts, service),
                unenforced: outcome.unenforced.iter().map(ToString::to_string).collect(),
            })
        })
        .collect()
}

fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Placed => "Placed",
        Verdict::Unchanged => "Unchanged",
        Verdict::Escalated => "Escalated",
        Verdict::Unschedulable => "Unschedulable",
    }
}

fn placements(facts: &Facts<'_>) -> Vec<PlanPlacement> {
    let services = facts.snapshot.services.iter();
    services
        .flat_map(|service| {
            facts.placed(&service.id).iter().map(|place| PlanPlacement {
                service: service.id.name.clone(),
                namespace: service.id.namespace.clone(),
                pool: place.pool.to_owned(),
                cluster: place.cluster.to_owned(),
                node_class: place.class.to_owned(),
                replicas: place.replicas,
                hourly_cost: amount(place.hourly),
            })
        })
        .collect()
}

fn clusters(facts: &Facts<'_>) -> Vec<PlanCluster> {
    let decided = facts.solution.clusters.iter();
    decided
        .map(|decision| {
            let (policy, declared, resizable) = origin(&decision.cluster.origin);
            PlanCluster {
                name: decision.cluster.name.clone(),
                pool: decision.cluster.pool.clone(),
                action: decision.action.into(),
                policy,
                declared,
                resizable,
                overhead_hourly_cost: amount(facts.cost(&decision.cluster.name).overhead),
                nodes: nodes(decision),
            }
        })
        .collect()
}

/// The policy of a cluster, whether it is declared, and how far it may be resized then.
fn origin(origin: &Origin) -> (Option<String>, bool, Option<WorkerRange>) {
    match origin {
        Origin::Scheduler { policy } => (policy.clone(), false, None),
        Origin::Declared { resize } => {
            let range = resize.map(|(min_workers, max_workers)| WorkerRange {
                min_workers,
                max_workers,
            });
            (None, true, range)
        }
    }
}

fn nodes(decision: &ClusterDecision) -> Vec<PlanNodes> {
    if decision.action == ClusterAction::Delete {
        return Vec::new();
    }
    let control_plane = decision.cluster.control_plane.iter();
    let control_plane = control_plane.map(|(class, n)| PlanNodes {
        class: class.clone(),
        role: Role::ControlPlane,
        count: *n,
        services: Default::default(),
    });
    let workers = decision.cluster.workers.iter().map(|group| PlanNodes {
        class: group.class.clone(),
        role: Role::Worker,
        count: group.count,
        services: group
            .services
            .iter()
            .map(|(id, n)| (id.to_string(), *n))
            .collect(),
    });
    control_plane.chain(workers).collect()
}

fn pool(facts: &Facts<'_>, pool: &Pool) -> PlanPool {
    let usage = facts.usage(&pool.name);
    PlanPool {
        name: pool.name.clone(),
        region: pool.region.clone(),
        provider: pool.provider.clone(),
        nodes: usage.nodes,
        cores: cores(usage.capacity.milli_cores),
        memory_gi: gib(usage.capacity.mib),
        extended: facts.extended(&pool.name),
        hourly_cost: amount(usage.hourly),
        projected_month_cost: decimal(monthly(usage.hourly)),
        budget: pool.monthly_budget.map(amount),
        max_nodes: pool.caps.max_nodes,
        max_cores: pool.caps.max_milli_cores.map(cores),
        max_memory_gi: pool.caps.max_mib.map(gib),
        closed: pool.closed.clone(),
    }
}

fn unschedulable(
    facts: &Facts<'_>,
    relaxations: bool,
    warnings: &mut Vec<String>,
) -> Vec<Unschedulable> {
    let mut found = if relaxations {
        conflict::all(facts, warnings)
    } else {
        Default::default()
    };
    let outcomes = facts.solution.outcomes.iter();
    outcomes
        .filter(|outcome| outcome.verdict == Verdict::Unschedulable)
        .map(|outcome| {
            let found = found.remove(&outcome.service);
            let sets = found.as_ref().map(conflict_sets).unwrap_or_default();
            let named: BTreeSet<&String> = sets.iter().flat_map(names).collect();
            Unschedulable {
                service: outcome.service.name.clone(),
                namespace: outcome.service.namespace.clone(),
                reasons: reasons(outcome),
                conflicts: named.into_iter().cloned().collect(),
                conflicts_complete: found.as_ref().is_some_and(|f| f.complete),
                relaxations: found.as_ref().map(ways_out).unwrap_or_default(),
                conflict_sets: sets,
            }
        })
        .collect()
}

fn names(set: &ConflictSet) -> impl Iterator<Item = &String> {
    set.members.iter().map(|member| &member.constraint)
}

fn conflict_sets(found: &Analysis) -> Vec<ConflictSet> {
    let member = |member: &conflict::Member| PlanConstraint {
        constraint: member.constraint.name().to_owned(),
        message: member.text.clone(),
    };
    let set = |members: Vec<&conflict::Member>| ConflictSet {
        members: members.into_iter().map(member).collect(),
    };
    found.sets().map(set).collect()
}

fn ways_out(found: &Analysis) -> Vec<Relaxation> {
    let step = |change: &conflict::Change| PlanConstraint {
        constraint: change.constraint().name().to_owned(),
        message: change.to_string(),
    };
    let ways = found.ways.iter();
    ways.map(|way| {
        let changes: Vec<PlanConstraint> = way.changes.iter().map(step).collect();
        let words: Vec<&str> = changes.iter().map(|c| c.message.as_str()).collect();
        Relaxation {
            constraint: changes
                .first()
                .map_or(String::new(), |c| c.constraint.clone()),
            change: words.join(" + "),
            nodes_delta: way.nodes,
            hourly_cost_delta: amount(way.hourly),
            monthly_cost_delta: decimal(monthly(way.hourly)),
            also_places: way.also.iter().map(ToString::to_string).collect(),
            others_fixed: found.others_fixed,
            changes,
        }
    })
    .collect()
}

fn reasons(outcome: &Outcome) -> Vec<PlanReason> {
    let reasons = outcome.reasons.iter();
    reasons
        .map(|found| reason(found.pool.as_ref(), &found.why))
        .collect()
}
