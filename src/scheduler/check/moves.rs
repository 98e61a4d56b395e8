//! What is moved for savings pays, by what services and policies say; and where nothing had to move, the bill
//! is so much less that what moved did pay.

use super::money::bill;
use super::services::policies;
use super::{View, Violation, clusters, fleet, say, services};
use crate::scheduler::model::{Cluster, Moving, Service, ServiceId};
use crate::scheduler::solution::{
    ClusterAction, ClusterDecision, Move, Outcome, Solution, Verdict,
};
use std::collections::BTreeMap;

const RULE: &str = "moves";
const SECONDS_PER_HOUR: i128 = 3600;

pub(super) fn check(view: &View<'_>, found: &mut Vec<Violation>) {
    let moves = &view.solution.moves;
    for made in &moves.made {
        let pays = terms(view, made, found);
        if pays == Some(false) || made.held_by.is_some() {
            say(
                found,
                RULE,
                &subject(made),
                "is made and does not pay".into(),
            );
        }
    }
    for left in &moves.left {
        let pays = terms(view, left, found);
        if pays == Some(true) && left.held_by.is_none() {
            say(found, RULE, &subject(left), "pays and is not made".into());
        }
    }
    whole(view, found);
}

fn subject(told: &Move) -> String {
    let first = told.replicas.first();
    first.map_or("a move of nothing".to_owned(), |moved| {
        moved.service.to_string()
    })
}

/// Price of a replica, horizon and margin of a service: its own, else its first policy's that states terms.
fn own(view: &View<'_>, service: &Service) -> (i128, i128, i128) {
    let rules = policies(view, service);
    let policy = rules.iter().find_map(|p| p.moving).unwrap_or_default();
    let stated = service.moving;
    let price = stated.per_replica.or(policy.per_replica);
    let horizon = stated.horizon_seconds.or(policy.horizon_seconds);
    let margin = stated.margin.or(policy.margin);
    (
        i128::from(price.unwrap_or(Moving::PER_REPLICA)),
        i128::from(horizon.unwrap_or(Moving::HORIZON_SECONDS)),
        i128::from(margin.unwrap_or(Moving::MARGIN)),
    )
}

/// Holds a move's terms against those of its services; says whether it pays.
fn terms(view: &View<'_>, told: &Move, found: &mut Vec<Violation>) -> Option<bool> {
    let (mut price, mut horizon, mut margin) = (0i128, i128::from(u64::MAX), 0i128);
    for moved in &told.replicas {
        let Some(service) = view.service(&moved.service) else {
            say(found, RULE, &moved.service.to_string(), "is unknown".into());
            return None;
        };
        let (each, hours, most) = own(view, service);
        price += each * i128::from(moved.replicas);
        (horizon, margin) = (horizon.min(hours), margin.max(most));
    }
    let price = price.min(i128::from(i64::MAX));
    let told_terms = [
        ("price", i128::from(told.price), price),
        ("horizon", i128::from(told.horizon_seconds), horizon),
        ("margin", i128::from(told.margin), margin),
    ];
    for (what, claimed, due) in told_terms {
        if claimed != due {
            let detail = format!("{claimed} is claimed as {what}, {due} is due");
            say(found, RULE, &subject(told), detail);
        }
    }
    Some(i128::from(told.saved) * horizon > (price + margin) * SECONDS_PER_HOUR)
}

/// Where everything could have stayed as it was, the bill is less by more than what moved costs.
fn whole(view: &View<'_>, found: &mut Vec<Violation>) {
    let (before, after) = (
        by_class(&view.snapshot.clusters),
        by_class(view.live.iter().copied()),
    );
    let (mut price, mut horizon, mut margin) = (0i128, 0i128, 0i128);
    for (&(id, cluster, class), &had) in &before {
        let has = after.get(&(id, cluster, class)).copied().unwrap_or(0);
        let Some(service) = view.service(id).filter(|_| has < had) else {
            continue;
        };
        let (each, hours, least) = own(view, service);
        price += each * i128::from(had - has);
        (horizon, margin) = (horizon.max(hours), margin.max(least));
    }
    let moves = before
        .iter()
        .any(|(place, had)| after.get(place).copied().unwrap_or(0) < *had);
    if !moves || !could_stay(view) {
        return;
    }
    let saved = bill(view, view.snapshot.clusters.iter()) - bill(view, view.live.iter().copied());
    let price = price.min(i128::from(i64::MAX));
    if saved * horizon <= (price + margin) * SECONDS_PER_HOUR {
        let detail =
            format!("nothing had to move, and {saved} less per hour does not pay for what did");
        say(found, RULE, "the fleet", detail);
    }
}

/// Replicas by service, cluster and class.
fn by_class<'a>(
    clusters: impl IntoIterator<Item = &'a Cluster>,
) -> BTreeMap<(&'a ServiceId, &'a str, &'a str), u64> {
    let mut counts = BTreeMap::new();
    for cluster in clusters {
        for group in &cluster.workers {
            for (service, n) in &group.services {
                let place = (service, cluster.name.as_str(), group.class.as_str());
                *counts.entry(place).or_default() += u64::from(*n) * u64::from(group.count);
            }
        }
    }
    counts
}

/// Whether leaving everything as it was would have kept all rules, and all limits.
fn could_stay(view: &View<'_>) -> bool {
    let stay = Solution {
        clusters: view.snapshot.clusters.iter().map(kept).collect(),
        outcomes: view.solution.outcomes.iter().map(unchanged).collect(),
        ..Solution::default()
    };
    let planes_stay = view.snapshot.clusters.iter().all(|was| {
        let is = view.cluster(&was.name);
        is.is_none_or(|is| is.control_plane == was.control_plane)
    });
    let stay = View::new(view.snapshot, &stay);
    let mut broken = Vec::new();
    fleet::check(&stay, &mut broken);
    clusters::check(&stay, &mut broken);
    services::check(&stay, &mut broken);
    broken.is_empty() && planes_stay && fleet::within_limits(&stay)
}

fn kept(cluster: &Cluster) -> ClusterDecision {
    ClusterDecision {
        cluster: cluster.clone(),
        action: ClusterAction::Keep,
    }
}

fn unchanged(outcome: &Outcome) -> Outcome {
    let mut outcome = outcome.clone();
    if outcome.verdict == Verdict::Placed {
        outcome.verdict = Verdict::Unchanged;
    }
    outcome
}
