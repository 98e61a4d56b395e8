//! Of what the provider has no more: what is there stays, and nothing is bought.

#![allow(clippy::unwrap_used)]

mod fleet;

use fleet::small::*;
use fleet::{Rng, Shape, random};
use lattice::scheduler::check::check;
use lattice::scheduler::model::*;
use lattice::scheduler::solution::{ClusterAction, Solution, Verdict};
use lattice::scheduler::{first, solve};
use std::collections::BTreeMap;

fn sound(snapshot: &Snapshot) -> Solution {
    let solution = solve(snapshot);
    assert_eq!(check(snapshot, &solution), [], "{solution:#?}");
    assert_eq!(check(snapshot, &first(snapshot)), []);
    solution
}

fn short(snapshot: &mut Snapshot, pool: usize, class: &str) {
    let shortage = Shortage {
        why: "OutOfStock: none is left".into(),
        until: 0,
    };
    snapshot.pools[pool]
        .shortages
        .insert(class.into(), shortage);
}

/// The same with what was decided there.
fn carried_out(snapshot: &Snapshot, solution: &Solution) -> Snapshot {
    Snapshot {
        clusters: solution.live().map(|d| d.cluster.clone()).collect(),
        ..snapshot.clone()
    }
}

/// Workers of a class in a pool.
fn nodes(solution: &Solution, pool: &str, class: &str) -> u32 {
    let clusters = solution
        .live()
        .map(|d| &d.cluster)
        .filter(|c| c.pool == pool);
    let groups = clusters.flat_map(|cluster| &cluster.workers);
    groups.filter(|g| g.class == class).map(|g| g.count).sum()
}

fn placed(solution: &Solution, name: &str) -> u32 {
    let places = solution.placements().remove(&id(name)).unwrap_or_default();
    places.iter().map(|place| place.replicas).sum()
}

#[test]
fn another_class_or_another_pool_does_instead() {
    let plain = three_regions(vec![service("web", 2)]);
    let usual = sound(&plain);
    let chosen = usual.placements().remove(&id("web")).unwrap().remove(0);
    let pool = plain
        .pools
        .iter()
        .position(|p| p.name == chosen.pool)
        .unwrap();
    let mut one = plain.clone();
    short(&mut one, pool, &chosen.class);
    let other = sound(&one);
    assert_eq!(nodes(&other, &chosen.pool, &chosen.class), 0);
    assert_eq!(placed(&other, "web"), 2);
    assert!(other.hourly >= usual.hourly);

    let mut all = plain.clone();
    for class in plain.pools[pool].offers.iter().map(|offer| &offer.class) {
        short(&mut all, pool, class);
    }
    let elsewhere = sound(&all);
    assert_eq!(placed(&elsewhere, "web"), 2);
    assert!(elsewhere.live().all(|d| d.cluster.pool != chosen.pool));
}

#[test]
fn what_is_there_stays_and_what_is_more_goes_elsewhere() {
    let mut web = service("web", 2);
    web.one_per_node = true;
    let plain = three_regions(vec![web]);
    let before = sound(&plain);
    let mut after = carried_out(&plain, &before);
    for pool in 0..after.pools.len() {
        for class in plain.pools[pool]
            .offers
            .iter()
            .map(|offer| offer.class.clone())
        {
            short(&mut after, pool, &class);
        }
    }
    let same = sound(&after);
    let is_kept =
        |d: &lattice::scheduler::solution::ClusterDecision| d.action == ClusterAction::Keep;
    assert!(same.clusters.iter().all(is_kept), "{same:#?}");
    assert_eq!(placed(&same, "web"), 2);

    after.services[0].replicas = 3;
    let more = sound(&after);
    let outcome = more.outcome(&id("web")).unwrap();
    assert_eq!(outcome.verdict, Verdict::Unschedulable);
    let said: Vec<String> = outcome
        .reasons
        .iter()
        .map(|reason| reason.why.to_string())
        .collect();
    assert!(
        said.iter()
            .any(|why| why.contains("is not to be had: OutOfStock")),
        "{said:?}"
    );
}

#[test]
fn a_control_plane_of_it_is_not_begun() {
    let mut snapshot = three_regions(vec![service("web", 1)]);
    snapshot.policies[0].cluster_policy = Some(ClusterPolicy {
        control_plane: ControlPlaneRule {
            replicas: 1,
            class: Some("medium".into()),
        },
        ..ClusterPolicy::default()
    });
    for pool in 0..snapshot.pools.len() {
        short(&mut snapshot, pool, "medium");
    }
    let solution = sound(&snapshot);
    let outcome = solution.outcome(&id("web")).unwrap();
    assert_eq!(outcome.verdict, Verdict::Unschedulable);
    let said: Vec<String> = outcome
        .reasons
        .iter()
        .map(|reason| reason.why.to_string())
        .collect();
    assert!(
        said.iter().any(|why| why.contains("not to be had")),
        "{said:?}"
    );
}

/// Random fleets that were decided, lose the stock of some classes, and then change.
#[test]
fn random_fleets_with_shortages_break_no_rule_and_stay() {
    let cases: u64 = std::env::var("SHORTAGE_CASES").map_or(24, |n| n.parse().unwrap());
    for seed in 0..cases {
        let shape = Shape {
            pools: 2 + seed % 4,
            services: 3 + seed % 9,
            wild: seed % 2 == 0,
        };
        let plain = random(seed, &shape);
        let first_decision = solve(&plain);
        let mut later = carried_out(&plain, &first_decision);
        let mut rng = Rng(seed + 1);
        for pool in 0..later.pools.len() {
            let classes: Vec<String> = later.pools[pool]
                .offers
                .iter()
                .map(|o| o.class.clone())
                .collect();
            for class in classes.iter().filter(|class| !class.contains('@')) {
                if rng.chance(40) {
                    short(&mut later, pool, class);
                }
            }
        }
        for service in &mut later.services {
            if rng.chance(30) {
                service.replicas += rng.below(3) as u32;
            }
        }
        let decided = solve(&later);
        assert_eq!(check(&later, &decided), [], "seed {seed}");
        assert_eq!(check(&later, &first(&later)), [], "seed {seed}");
        let next = carried_out(&later, &decided);
        let again = solve(&next);
        let of = |solution: &Solution| -> BTreeMap<String, Cluster> {
            let live = solution
                .live()
                .map(|d| (d.cluster.name.clone(), d.cluster.clone()));
            live.collect()
        };
        assert_eq!(
            of(&again),
            of(&decided),
            "seed {seed} moves on its own output"
        );
    }
}
