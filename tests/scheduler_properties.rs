//! Properties of the solver on random fleets.

#![allow(clippy::unwrap_used)]

mod fleet;

use fleet::{Rng, Shape, random};
use lattice::scheduler::check::check;
use lattice::scheduler::model::{Cluster, Snapshot};
use lattice::scheduler::share::Prices;
use lattice::scheduler::solution::{ClusterAction, Solution, Verdict};
use lattice::scheduler::{first, solve};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

fn live(solution: &Solution) -> Vec<Cluster> {
    solution.live().map(|d| d.cluster.clone()).collect()
}

fn after(snapshot: &Snapshot, solution: &Solution) -> Snapshot {
    Snapshot {
        clusters: live(solution),
        ..snapshot.clone()
    }
}

fn shuffled(snapshot: &Snapshot, seed: u64) -> Snapshot {
    fn mix<T>(list: &mut [T], rng: &mut Rng) {
        for i in (1..list.len()).rev() {
            list.swap(i, rng.below(i as u64 + 1) as usize);
        }
    }
    let mut rng = Rng(seed);
    let mut other = snapshot.clone();
    mix(&mut other.pools, &mut rng);
    mix(&mut other.node_classes, &mut rng);
    mix(&mut other.policies, &mut rng);
    mix(&mut other.services, &mut rng);
    mix(&mut other.clusters, &mut rng);
    for pool in &mut other.pools {
        mix(&mut pool.offers, &mut rng);
    }
    for cluster in &mut other.clusters {
        mix(&mut cluster.workers, &mut rng);
    }
    other
}

/// Checks everything that must hold of one decision, and of the same decision taken again.
fn holds(snapshot: &Snapshot, seed: u64) -> Result<Solution, TestCaseError> {
    let solution = solve(snapshot);
    let broken = check(snapshot, &solution);
    prop_assert!(broken.is_empty(), "broken: {broken:#?}");
    let broken = check(snapshot, &first(snapshot));
    prop_assert!(broken.is_empty(), "broken by the first plan: {broken:#?}");
    prop_assert_eq!(
        &solve(&shuffled(snapshot, seed)),
        &solution,
        "order matters"
    );

    let again_from = after(snapshot, &solution);
    let again = solve(&again_from);
    prop_assert_eq!(live(&again), live(&solution), "its own output moves");
    prop_assert!(
        again
            .clusters
            .iter()
            .all(|d| d.action == ClusterAction::Keep)
    );
    prop_assert!(again.outcomes.iter().all(|o| o.verdict != Verdict::Placed));

    let prices = Prices::new(snapshot);
    let mut total = 0;
    for cluster in live(&solution) {
        let cost = prices.cluster(&cluster);
        let nodes: i64 = cluster
            .workers
            .iter()
            .map(|g| (g.class.as_str(), g.count))
            .chain(cluster.control_plane.iter().map(|(c, n)| (c.as_str(), *n)))
            .map(|(class, n)| prices.node(&cluster.pool, class) * i64::from(n))
            .sum();
        prop_assert_eq!(cost.total, nodes, "shares of {}", cluster.name);
        total += cost.total;
    }
    prop_assert_eq!(total, solution.hourly);
    Ok(solution)
}

/// One change to a fleet, as users make them.
fn change(snapshot: &mut Snapshot, rng: &mut Rng) {
    let s = rng.below(snapshot.services.len() as u64) as usize;
    let p = rng.below(snapshot.pools.len() as u64) as usize;
    match rng.below(8) {
        0 => snapshot.services[s].replicas += 1,
        1 => snapshot.services[s].replicas = snapshot.services[s].replicas.saturating_sub(1),
        2 => {
            let gone = snapshot.services.remove(s);
            snapshot.pins.retain(|pin| pin.service != gone.id);
        }
        3 => snapshot.services[s].size.milli_cores += 500,
        4 => snapshot.pools[p].caps.max_nodes = Some(rng.below(6)),
        5 => {
            snapshot.pools[p].labels.remove("compliance");
        }
        6 => snapshot.pools[p].closed = Some("suspended".into()),
        _ => {
            for offer in &mut snapshot.pools[p].offers {
                offer.hourly *= 2;
            }
        }
    }
    if snapshot.services.is_empty() {
        let one = random(
            rng.next(),
            &Shape {
                pools: 1,
                services: 1,
                wild: true,
            },
        );
        snapshot.services = one.services;
    }
}

/// Takes a wild fleet through some changes, each of which must leave everything sound.
fn through_changes(
    seed: u64,
    pools: u64,
    services: u64,
    changes: usize,
) -> Result<(), TestCaseError> {
    let mut rng = Rng(seed);
    let mut snapshot = random(
        seed,
        &Shape {
            pools,
            services,
            wild: true,
        },
    );
    let mut solution = solve(&snapshot);
    for _ in 0..changes {
        snapshot = after(&snapshot, &solution);
        change(&mut snapshot, &mut rng);
        solution = holds(&snapshot, seed)?;
    }
    Ok(())
}

/// Takes a fleet with zones through some changes, of zones too.
fn through_zones(
    seed: u64,
    pools: u64,
    services: u64,
    changes: usize,
) -> Result<(), TestCaseError> {
    let mut rng = Rng(seed);
    let shape = Shape {
        pools,
        services,
        wild: true,
    };
    let mut snapshot = random(seed, &shape);
    if rng.chance(70) {
        fleet::offers::add_zones(&mut snapshot, seed);
    }
    let mut solution = holds(&snapshot, seed)?;
    for _ in 0..changes {
        snapshot = after(&snapshot, &solution);
        let pool = rng.below(pools) as usize;
        let pool = &mut snapshot.pools[pool];
        match rng.below(4) {
            // Machines of the scheduler's keep the zone that they are in.
            0 if pool.zones.len() > 1 => {
                pool.zones.pop_first();
                snapshot.sell_in_zones();
            }
            1 if pool.zones.is_empty() => fleet::offers::add_zones(&mut snapshot, rng.next()),
            _ => change(&mut snapshot, &mut rng),
        }
        solution = holds(&snapshot, seed)?;
    }
    Ok(())
}

/// Of fleets as they are usual, not only of small ones.
#[test]
fn a_first_plan_keeps_all_rules_and_places_nearly_all() {
    for seed in 1..=5 {
        let market = fleet::market::market(seed, 300, 20);
        let (quick, full) = (first(&market), solve(&market));
        let broken = check(&market, &quick);
        assert!(broken.is_empty(), "{seed}: {broken:#?}");
        let placed = |solution: &Solution| {
            let outcomes = solution.outcomes.iter();
            outcomes.filter(|o| o.verdict == Verdict::Placed).count()
        };
        assert!(placed(&quick) * 100 >= placed(&full) * 97, "{seed}");
        assert!(
            quick.certificate.lower_bound > 0 && quick.certificate.lower_bound <= full.objective
        );
    }
}

#[test]
fn a_service_disturbed_for_good_is_not_left_in_halves() {
    through_changes(16_289_350_672_366_994_192, 2, 6, 2).unwrap();
}

#[test]
fn a_service_whose_cluster_rules_changed_moves_to_another_cluster() {
    through_changes(2_674_239_002_902_739_177, 3, 2, 5).unwrap();
}

/// Fleets large enough that services are placed all at once, with limits that bind.
#[test]
fn fleets_placed_all_at_once_are_sound() {
    for (seed, services, pools) in [(1, 120, 12), (2, 400, 8), (3, 250, 30)] {
        let snapshot = fleet::market::market(seed, services, pools);
        let solution = holds(&snapshot, seed).unwrap();
        let bound = solution.certificate.lower_bound;
        assert!(bound > 0 && bound <= solution.objective);
        // Ten times what is asked of larger fleets; a broken search is far beyond that.
        assert!(
            solution.objective * 10 <= bound * 13,
            "{bound} {}",
            solution.objective
        );
        let missing = solution.outcomes.iter();
        let missing = missing
            .filter(|o| o.verdict == Verdict::Unschedulable)
            .count();
        assert!(
            missing * 50 <= services as usize,
            "{missing} of {services} are not placed"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 48,
        failure_persistence: None,
        // The same cases every time; PROPTEST_RNG_SEED and PROPTEST_CASES try others.
        rng_seed: RngSeed::Fixed(20_261_121),
        ..ProptestConfig::default()
    })]

    #[test]
    fn every_plan_is_sound_stable_and_independent_of_order(
        seed in any::<u64>(),
        pools in 1u64..8,
        services in 1u64..24,
    ) {
        let snapshot = random(seed, &Shape { pools, services, wild: true });
        holds(&snapshot, seed)?;
    }

    #[test]
    fn fleets_with_extended_resources_are_sound(
        seed in any::<u64>(),
        pools in 1u64..5,
        services in 1u64..10,
    ) {
        let mut snapshot = random(seed, &Shape { pools, services, wild: true });
        fleet::offers::add_extended(&mut snapshot, seed);
        holds(&snapshot, seed)?;
    }

    #[test]
    fn fleets_with_spot_capacity_are_sound(
        seed in any::<u64>(),
        pools in 1u64..5,
        services in 1u64..10,
    ) {
        let mut snapshot = random(seed, &Shape { pools, services, wild: true });
        fleet::offers::add_spot(&mut snapshot, seed);
        let solution = holds(&snapshot, seed)?;
        prop_assert!(solution.certificate.lower_bound <= solution.objective);
    }

    #[test]
    fn fleets_with_several_zones_are_sound(
        seed in any::<u64>(),
        pools in 1u64..5,
        services in 1u64..10,
        spot in any::<bool>(),
    ) {
        let mut snapshot = random(seed, &Shape { pools, services, wild: true });
        if spot {
            fleet::offers::add_spot(&mut snapshot, seed);
        }
        fleet::offers::add_zones(&mut snapshot, seed);
        holds(&snapshot, seed)?;
    }

    #[test]
    fn zones_that_come_and_go_leave_plans_sound(
        seed in any::<u64>(),
        pools in 1u64..4,
        services in 1u64..10,
        changes in 1usize..5,
    ) {
        through_zones(seed, pools, services, changes)?;
    }

    #[test]
    fn plans_stay_sound_while_the_fleet_changes(
        seed in any::<u64>(),
        pools in 2u64..6,
        services in 2u64..16,
        changes in 1usize..6,
    ) {
        through_changes(seed, pools, services, changes)?;
    }

    #[test]
    fn tame_fleets_are_placed_whole(seed in any::<u64>(), services in 1u64..60) {
        let snapshot = random(seed, &Shape { pools: 10, services, wild: false });
        let solution = solve(&snapshot);
        prop_assert!(check(&snapshot, &solution).is_empty());
        // The only thing a tame fleet may lack is a pool with the label that a service asks for.
        for outcome in &solution.outcomes {
            if outcome.verdict == Verdict::Unschedulable {
                prop_assert!(!outcome.reasons.is_empty());
            }
        }
    }
}
