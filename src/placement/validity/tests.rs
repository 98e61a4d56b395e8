use super::*;
use crate::placement::fixtures::{plain, seed, solved};
use crate::placement::inputs::Inputs;
use crate::placement::text::explain_validity;
use crate::scheduler::model::Snapshot;
use crate::scheduler::solution::Solution;

/// The seed's pools without rules, and two services.
fn fleet() -> (Snapshot, Solution) {
    let inputs = Inputs {
        services: vec![plain("shop/a", 2, 4), plain("shop/b", 1, 2)],
        policies: Vec::new(),
        ..seed()
    };
    let (built, solution) = solved(&inputs);
    (built.snapshot, solution)
}

fn used_pool(solution: &Solution) -> String {
    solution.live().next().unwrap().cluster.pool.clone()
}

/// The snapshot after the decision is carried out, with one pool changed.
fn drifted(
    (snapshot, solution): &(Snapshot, Solution),
    pool: &str,
    change: impl FnOnce(&mut crate::scheduler::model::Pool),
) -> Snapshot {
    let mut now = snapshot.clone();
    now.clusters = super::trial::fleet(solution);
    change(now.pools.iter_mut().find(|p| p.name == pool).unwrap());
    now
}

#[test]
fn a_limit_may_go_down_to_what_is_used_and_no_further() {
    let decided = fleet();
    let pool = used_pool(&decided.1);
    let found = of_pool(&decided.0, &decided.1, &pool).unwrap();
    assert!(found.at_rest && found.solves > 5);
    let nodes = found.limits[0];
    assert_eq!(nodes.kind, LimitKind::Nodes);
    assert_eq!(nodes.down.same, Some(nodes.used));
    assert!(nodes.used > 0 && nodes.used < nodes.is);
    let budget = found.limits[3];
    assert_eq!(budget.kind, LimitKind::Budget);
    let said = explain_validity(&found);
    assert!(
        said.contains("maxNodes 100: down to 4, which is what is used"),
        "{said}"
    );
    assert_eq!(of_pool(&decided.0, &decided.1, "nowhere"), None);
}

#[test]
fn prices_may_rise_until_the_budget_is_used_up() {
    let mut decided = fleet();
    let pool = used_pool(&decided.1);
    let month = decided.1.hourly * 720;
    let budget = month * 3 / 2;
    let changed = decided.0.pools.iter_mut().find(|p| p.name == pool).unwrap();
    changed.monthly_budget = Some(budget);
    let found = of_pool(&decided.0, &decided.1, &pool).unwrap();
    assert!(
        found.prices_up.same < Some(110),
        "what runs moves once that pays: {found:?}"
    );
    for service in &mut decided.0.services {
        service.moving.horizon_seconds = Some(0);
    }
    let found = of_pool(&decided.0, &decided.1, &pool).unwrap();
    let (same, other) = (
        found.prices_up.same.unwrap(),
        found.prices_up.other.unwrap(),
    );
    assert!((145..=150).contains(&same), "{found:?}");
    assert!(other > same && other <= 152, "{found:?}");
    let said = explain_validity(&found);
    assert!(
        said.contains(&format!(
            "up to {same} %, at {other} % something else is decided"
        )),
        "{said}"
    );
}

#[test]
fn a_decision_that_is_not_at_rest_says_so() {
    let (mut snapshot, solution) = fleet();
    snapshot.services[0].replicas += 1;
    let found = of_pool(&snapshot, &solution, &used_pool(&solution)).unwrap();
    assert!(!found.at_rest && found.limits.is_empty());
    assert!(explain_validity(&found).contains("not at rest"));
}

#[test]
fn a_decision_stands_under_other_limits_and_dearer_offers_that_nobody_uses() {
    let decided = fleet();
    let pool = used_pool(&decided.1);
    let holds = |change: fn(&mut crate::scheduler::model::Pool)| {
        stands(&decided.0, &decided.1, &drifted(&decided, &pool, change))
    };
    assert!(holds(|_| {}));
    assert!(holds(|pool| pool.caps.max_nodes = Some(200)));
    assert!(holds(|pool| pool.caps.max_nodes = Some(4)));
    assert!(holds(|pool| pool.caps.max_nodes = None));
    assert!(holds(|pool| pool.monthly_budget = None));
    let gpu = |pool: &mut crate::scheduler::model::Pool, times| {
        let mut offers = pool.offers.iter_mut();
        offers.find(|o| o.class == "gpu").unwrap().hourly *= times;
    };
    let dearer = drifted(&decided, &pool, |pool| gpu(pool, 2));
    assert!(stands(&decided.0, &decided.1, &dearer));
    let cheaper = drifted(&decided, &pool, |pool| gpu(pool, 0));
    assert!(!stands(&decided.0, &decided.1, &cheaper));
}

#[test]
fn a_decision_does_not_stand_where_anything_else_differs() {
    let decided = fleet();
    let pool = used_pool(&decided.1);
    let holds = |change: fn(&mut crate::scheduler::model::Pool)| {
        stands(&decided.0, &decided.1, &drifted(&decided, &pool, change))
    };
    assert!(!holds(|pool| pool.caps.max_nodes = Some(1)));
    assert!(!holds(|pool| pool.monthly_budget = Some(1)));
    assert!(!holds(|pool| pool.closed = Some("suspended".into())));
    assert!(!holds(|pool| pool
        .offers
        .iter_mut()
        .for_each(|o| o.hourly += 1)));
    assert!(!holds(|pool| {
        pool.offers.pop();
    }));
    let mut more = drifted(&decided, &pool, |_| {});
    more.services[0].replicas += 1;
    assert!(!stands(&decided.0, &decided.1, &more));
}

#[test]
fn a_fleet_with_a_service_that_has_no_place_is_decided_anew() {
    let inputs = Inputs {
        services: vec![plain("shop/a", 2, 4), plain("shop/huge", 500, 4)],
        policies: Vec::new(),
        ..seed()
    };
    let (built, solution) = solved(&inputs);
    let decided = (built.snapshot, solution);
    let pool = used_pool(&decided.1);
    let now = drifted(&decided, &pool, |pool| pool.caps.max_nodes = Some(200));
    assert!(!stands(&decided.0, &decided.1, &now));
}
