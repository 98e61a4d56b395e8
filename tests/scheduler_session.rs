//! Single changes to a decided fleet: what comes of each keeps all rules, and what is refused changes nothing.

#![allow(clippy::unwrap_used)]

mod fleet;

use fleet::{Rng, Shape, market, random};
use lattice::scheduler::check::check;
use lattice::scheduler::model::{Cluster, Service, ServiceId, Snapshot, SortBy};
use lattice::scheduler::session::{Advice, Change, Changed, Refused, Session, Unfit, changes};
use lattice::scheduler::solution::{ClusterAction, Verdict};
use lattice::scheduler::solve;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use std::collections::BTreeMap;

/// A fleet without what no session can follow.
fn fit(mut snapshot: Snapshot) -> Snapshot {
    for policy in &mut snapshot.policies {
        let room = |sort_by| sort_by == SortBy::AvailableCapacity;
        policy.preferences.retain(|p| !room(p.sort_by));
    }
    snapshot
}

/// The next change: of those present one goes or is scaled, one of another fleet comes, or a price moves.
fn change(rng: &mut Rng, now: &Snapshot, others: &mut Vec<Service>) -> Change {
    let services = now.services.len() as u64;
    let at = rng.below(services) as usize;
    match rng.below(10) {
        0..4 if !others.is_empty() => Change::Add(Box::new(others.remove(0))),
        4..6 if services > 0 => Change::Remove(now.services[at].id.clone()),
        6..8 if services > 0 => Change::Scale {
            service: now.services[at].id.clone(),
            replicas: rng.below(8) as u32,
        },
        _ => {
            let pool = &now.pools[rng.below(now.pools.len() as u64) as usize];
            let offer = pool.offers.first();
            Change::Price {
                pool: pool.name.clone(),
                class: offer.map(|o| o.class.clone()).unwrap_or_default(),
                hourly: offer.map_or(1, |o| o.hourly * (700 + rng.below(600) as i64) / 1000),
            }
        }
    }
}

/// Half of a fleet is there in the beginning; the other half is what comes.
fn halves(mut snapshot: Snapshot) -> (Snapshot, Vec<Service>) {
    let others = snapshot.services.split_off(snapshot.services.len() / 2);
    (snapshot, others)
}

fn named(clusters: &[Cluster]) -> BTreeMap<&str, &Cluster> {
    clusters.iter().map(|c| (c.name.as_str(), c)).collect()
}

/// What is told of clusters is what became of them.
fn told(changed: &Changed, before: &[Cluster], after: &[Cluster]) -> Result<(), TestCaseError> {
    let (before, after) = (named(before), named(after));
    let told: BTreeMap<&str, ClusterAction> = (changed.clusters.iter())
        .map(|t| (t.cluster.as_str(), t.action))
        .collect();
    for (name, cluster) in &after {
        match before.get(name) {
            None => prop_assert_eq!(told.get(name), Some(&ClusterAction::Create)),
            Some(was) if was != cluster => prop_assert!(told.contains_key(name), "{name}"),
            Some(_) => {}
        }
    }
    for name in before.keys().filter(|name| !after.contains_key(*name)) {
        prop_assert_eq!(told.get(name), Some(&ClusterAction::Delete));
    }
    Ok(())
}

/// Makes changes one by one and holds each outcome against the checker.
fn holds(snapshot: Snapshot, seed: u64, count: usize) -> Result<usize, TestCaseError> {
    let (snapshot, others) = halves(fit(snapshot));
    let solution = solve(&snapshot);
    let mut session = Session::new(&snapshot, &solution).unwrap();
    let mut again = Session::new(&snapshot, &solution).unwrap();
    let (mut rng, mut coming) = (Rng(seed), others);
    let mut made = 0;
    for _ in 0..count {
        let before = session.snapshot();
        let change = change(&mut rng, &before, &mut coming);
        let cost = session.cost();
        let outcome = session.apply(&change);
        prop_assert_eq!(&again.apply(&change), &outcome, "the same gives the same");
        let after = session.snapshot();
        prop_assert_eq!(&again.snapshot(), &after);
        let Ok(changed) = outcome else {
            prop_assert_eq!(&after, &before, "refused: {:?}", change);
            prop_assert_eq!(session.cost(), cost);
            continue;
        };
        made += 1;
        told(&changed, &before.clusters, &after.clusters)?;
        prop_assert_eq!((changed.before, changed.after), (cost, session.cost()));
        let asked = Snapshot {
            clusters: before.clusters.clone(),
            ..after.clone()
        };
        let decision = session.solution(&before.clusters);
        let broken = check(&asked, &decision);
        prop_assert!(broken.is_empty(), "{change:?} broke {broken:#?}");
        prop_assert_eq!(decision.hourly, changed.after.hourly);
        prop_assert_eq!(decision.objective, changed.after.objective);
        // What a session holds is what any session would make of its own decision.
        let reopened = Session::new(&after, &session.solution(&after.clusters));
        prop_assert_eq!(reopened.map(|mut s| s.snapshot()), Ok(after));
    }
    Ok(made)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, rng_seed: RngSeed::Fixed(0x5e55), ..ProptestConfig::default() })]

    #[test]
    fn every_change_keeps_all_rules_and_what_is_refused_changes_nothing(seed in any::<u64>()) {
        let shape = Shape { pools: 2 + seed % 6, services: 8 + seed % 9, wild: seed % 3 > 0 };
        holds(random(seed, &shape), seed, 12)?;
    }
}

#[test]
fn the_same_holds_where_only_promising_pools_are_looked_at() {
    let made = holds(market::market(3, 160, 16), 3, 30).unwrap();
    assert!(made > 20, "{made} were made");
}

fn opened(snapshot: &Snapshot) -> Session {
    Session::new(snapshot, &solve(snapshot)).unwrap()
}

fn tame() -> Snapshot {
    let shape = Shape {
        pools: 3,
        services: 6,
        wild: false,
    };
    random(11, &shape)
}

#[test]
fn what_cannot_be_followed_is_refused_and_says_what_to_do() {
    let mut snapshot = tame();
    let mut session = opened(&snapshot);
    let nobody = ServiceId::new("apps", "nobody");
    let known = snapshot.services[0].clone();
    let mut refused = |change: Change| session.apply(&change).unwrap_err();
    let gone = refused(Change::Remove(nobody.clone()));
    assert_eq!(gone, Refused::Unknown(nobody.clone()));
    assert_eq!(
        refused(Change::Add(Box::new(known.clone()))),
        Refused::Known(known.id.clone())
    );
    let many = refused(Change::Scale {
        service: known.id.clone(),
        replicas: u32::MAX,
    });
    assert!(matches!(many, Refused::Beyond(_)), "{many}");
    let price = |class: &str, hourly| Change::Price {
        pool: "pool-0000".into(),
        class: class.into(),
        hourly,
    };
    assert!(matches!(refused(price("none", 1)), Refused::NotSold { .. }));
    for hourly in [-1, i64::MAX] {
        let refused = refused(price("small", hourly));
        assert!(matches!(refused, Refused::Beyond(_)), "{refused}");
    }
    let mut nowhere = known.clone();
    nowhere.id = nobody;
    nowhere.required_regions = vec!["mars".into()];
    let Refused::NoPlace { reasons, .. } = refused(Change::Add(Box::new(nowhere))) else {
        panic!("found a place on mars");
    };
    assert!(reasons.iter().any(|r| r.why.to_string().contains("mars")));
    snapshot.policies[0].preferences = vec![lattice::scheduler::model::Preference {
        weight: 1,
        sort_by: SortBy::AvailableCapacity,
        descending: true,
    }];
    let unfit = Session::new(&snapshot, &solve(&snapshot)).err();
    assert!(matches!(
        unfit,
        Some(Refused::Solve(Unfit::AvailableCapacity(_)))
    ));
}

#[test]
fn a_solution_of_another_fleet_is_refused() {
    let snapshot = tame();
    let mut solution = solve(&snapshot);
    solution.outcomes[0].verdict = Verdict::Unschedulable;
    let refused = Session::new(&snapshot, &solution).err();
    assert!(matches!(
        refused,
        Some(Refused::Solve(Unfit::OtherSolution(_)))
    ));
}

#[test]
fn latency_limits_to_one_that_comes_and_goes_bind_while_it_is_there() {
    let mut snapshot = tame();
    for service in &mut snapshot.services {
        service.latency.clear();
        service.required_regions.clear();
    }
    let dependency = ServiceId::new("apps", "later");
    let bound = lattice::scheduler::model::LatencyBound {
        dependency: dependency.clone(),
        max_ms: 5,
    };
    snapshot.services[0].latency = vec![bound.clone()];
    let mut session = opened(&snapshot);
    let mut later = snapshot.services[1].clone();
    later.id = dependency.clone();
    let mut circular = later.clone();
    circular.latency = vec![lattice::scheduler::model::LatencyBound {
        dependency: snapshot.services[0].id.clone(),
        max_ms: 5,
    }];
    let refused = session.apply(&Change::Add(Box::new(circular))).unwrap_err();
    assert_eq!(refused, Refused::Circle(dependency.clone()));
    for change in [Change::Add(Box::new(later)), Change::Remove(dependency)] {
        let before = session.clusters();
        session.apply(&change).unwrap();
        let asked = Snapshot {
            clusters: before.clone(),
            ..session.snapshot()
        };
        assert_eq!(check(&asked, &session.solution(&before)), []);
    }
}

#[test]
fn a_dearer_pool_over_its_budget_is_told_and_nothing_moves() {
    let mut snapshot = tame();
    let hourly = solve(&snapshot).hourly;
    for pool in &mut snapshot.pools {
        pool.monthly_budget = Some(hourly * 720 * 11 / 10);
    }
    let mut session = opened(&snapshot);
    let before = session.clusters();
    let used = before.iter().find_map(|c| {
        let group = c.workers.first()?;
        Some((c.pool.clone(), group.class.clone()))
    });
    let (pool, class) = used.unwrap();
    let dear = Change::Price {
        pool,
        class,
        hourly: hourly * 10,
    };
    let changed = session.apply(&dear).unwrap();
    assert!(changed.over_budget.is_some());
    assert!(changed.clusters.is_empty());
    assert!(matches!(changed.advice, Some(Advice::Drift(_))));
    let service = |c: &Cluster| {
        c.workers
            .iter()
            .map(|g| g.services.clone())
            .collect::<Vec<_>>()
    };
    let places = |clusters: &[Cluster]| clusters.iter().map(service).collect::<Vec<_>>();
    assert_eq!(places(&session.clusters()), places(&before));
}

#[test]
fn two_snapshots_differ_by_changes_or_must_be_solved() {
    let before = tame();
    let mut after = before.clone();
    let gone = after.services.remove(0);
    after.services[0].replicas += 1;
    after.services[1].replicas -= after.services[1].replicas.min(1);
    after.pools[0].offers[0].hourly += 1;
    let mut new = gone.clone();
    new.id = ServiceId::new(&new.id.namespace, "new");
    new.latency.clear();
    after.services.push(new);
    let list = changes(&before, &after).unwrap();
    assert_eq!(list.len(), 5, "{list:#?}");
    let mut session = opened(&before);
    for change in &list {
        session.apply(change).unwrap();
    }
    let mut reached = session.snapshot();
    reached.clusters.clear();
    after.normalise();
    assert_eq!(reached, after);
    after.pools[0].caps.max_nodes = Some(7);
    let refused = changes(&before, &after).unwrap_err();
    assert_eq!(refused, Refused::Solve(Unfit::Different("pools")));
    let mut larger = before.clone();
    larger.services[0].size.milli_cores += 1;
    let refused = changes(&before, &larger).unwrap_err();
    assert!(matches!(refused, Refused::Solve(Unfit::OtherService(_))));
}
