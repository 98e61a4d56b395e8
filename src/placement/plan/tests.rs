#![allow(clippy::unwrap_used, clippy::expect_used)]

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::placement::fixtures::{at, carried_out, plain, seed, solved};
use crate::placement::inputs::Inputs;
use crate::placement::snapshot::build as snapshot;
use crate::scheduler::model::ServiceId;
use crate::scheduler::solution::{Move, Moved, Moves};
use crate::scheduler::solve;

fn planned(inputs: &Inputs) -> Plan {
    let (built, solution) = solved(inputs);
    build(
        &built.snapshot,
        &solution,
        &built.problems,
        Options::default(),
    )
}

fn stuck() -> Inputs {
    let mut inputs = seed();
    inputs.services.push(plain("shop/huge", 64, 512));
    inputs
}

#[test]
fn the_seed_costs_what_it_should() {
    let plan = planned(&seed());
    let hourly: Vec<_> = plan
        .placements
        .iter()
        .map(|p| {
            (
                p.pool.as_str(),
                p.node_class.as_str(),
                p.replicas,
                p.hourly_cost.as_str(),
            )
        })
        .collect();
    assert_eq!(
        hourly,
        [
            ("us-east", "medium", 2, "0.384"),
            ("eu-west", "medium", 1, "0.192")
        ]
    );
    assert_eq!(plan.decisions[0].hourly_cost, "0.576");
    assert_eq!(plan.decisions[0].projected_30_day, "414.72");
    assert_eq!(plan.rejections.len(), 1);
    assert_eq!(plan.rejections[0].pool, "ap-south");
    assert_eq!(
        plan.rejections[0].reasons[0].message,
        "No GDPR compliance label"
    );
    assert_eq!(plan.rejections[0].reasons[0].constraint, "compliance");
    let (bound, gap) = (&plan.summary.lower_bound, &plan.summary.gap);
    let (bound, gap) = (bound.as_ref().unwrap(), gap.as_ref().unwrap());
    assert!(bound.parse::<f64>().unwrap() > 0.0, "{bound}");
    assert!((0.0..1.0).contains(&gap.parse::<f64>().unwrap()), "{gap}");
    let priced: Vec<&str> = plan
        .certificate
        .prices
        .iter()
        .map(|p| p.pool.as_str())
        .collect();
    assert_eq!(priced, ["ap-south", "eu-west", "us-east"]);
    assert_eq!(
        (
            plan.summary.services,
            plan.summary.replicas,
            plan.summary.clusters
        ),
        (1, 3, 2)
    );
    assert!(plan.has_changes());
    assert_eq!(plan.changes.hourly_cost_delta, plan.summary.hourly_cost);
}

#[test]
fn what_is_as_wanted_changes_nothing() {
    let plan = planned(&carried_out(&seed(), at(0)));
    assert!(!plan.has_changes());
    assert_eq!(plan.changes.hourly_cost_delta, "0");
    assert_eq!(plan.decisions[0].verdict, "Unchanged");
}

#[test]
fn a_stream_reads_like_the_whole() {
    for inputs in [seed(), stuck(), Inputs::default()] {
        let (built, solution) = solved(&inputs);
        let whole = planned(&inputs);
        let mut stream = Vec::new();
        write_json(&whole, &built.snapshot, &solution, &mut stream).unwrap();
        let text = String::from_utf8(stream).unwrap();
        assert_eq!(read(&text).unwrap(), whole);
        let mut bare = whole.clone();
        bare.rejections.clear();
        let mut again = Vec::new();
        write_json(&bare, &built.snapshot, &solution, &mut again).unwrap();
        assert_eq!(String::from_utf8(again).unwrap(), text);
    }
}

#[test]
fn yaml_comes_back_as_it_went() {
    let plan = planned(&stuck());
    let mut text = Vec::new();
    write_yaml(&plan, &mut text).unwrap();
    let text = String::from_utf8(text).unwrap();
    assert!(
        text.starts_with("apiVersion: plan.lattice.dev/v1\n"),
        "{text}"
    );
    assert_eq!(read(&text).unwrap(), plan);
}

#[test]
fn other_documents_are_refused() {
    assert!(read("{").unwrap_err().to_string().contains("not a plan"));
    assert!(read("a: 1").unwrap_err().to_string().contains("not a plan"));
    let mut plan = planned(&seed());
    plan.api_version = "plan.lattice.dev/v9".into();
    let text = serde_json::to_string(&plan).unwrap();
    assert!(read(&text).unwrap_err().to_string().contains("v9"));
}

#[test]
fn a_writer_that_fails_is_told() {
    struct Full;
    impl std::io::Write for Full {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("full"))
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let (built, solution) = solved(&seed());
    let plan = planned(&seed());
    let error = write_json(&plan, &built.snapshot, &solution, &mut Full).unwrap_err();
    assert!(error.to_string().contains("full"));
    assert!(write_yaml(&plan, &mut Full).is_err());
}

#[test]
fn what_has_no_place_is_told_with_all_its_reasons() {
    let plan = planned(&stuck());
    let found = &plan.unschedulable[0];
    assert_eq!(found.service, "huge");
    assert_eq!(found.reasons.len(), 3);
    assert!(found.reasons[0].message.contains("fits no node class"));
    assert_eq!(found.conflicts, ["fit"]);
    assert!(found.conflicts_complete);
    assert_eq!(found.relaxations[0].constraint, "fit");
    assert_eq!(plan.decisions[1].verdict, "Unschedulable");
}

#[test]
fn the_changes_tell_who_comes_goes_grows_and_moves() {
    use crate::placement::diff::ServiceChangeKind as Kind;
    let mut inputs = seed();
    inputs.services.push(plain("shop/going", 1, 1));
    let mut after = carried_out(&inputs, at(0));
    after
        .services
        .retain(|s| s.metadata.name.as_deref() != Some("going"));
    after.services.push(plain("shop/coming", 1, 1));
    after.services[0].spec.replicas.min = 5;
    let plan = planned(&after);
    let kinds: Vec<_> = plan
        .changes
        .services
        .iter()
        .map(|c| (c.service.as_str(), c.change))
        .collect();
    assert_eq!(
        kinds,
        [
            ("api-gateway", Kind::Scaled),
            ("coming", Kind::Added),
            ("going", Kind::Removed)
        ]
    );
    let (built, mut solution) = solved(&carried_out(&seed(), at(0)));
    solution.clusters[0].cluster.name = "elsewhere".into();
    let changes =
        crate::placement::diff::changes(&built.snapshot, &built.snapshot.clusters, &solution);
    assert_eq!(changes.services[0].change, Kind::Moved);
}

#[test]
fn a_plan_meets_the_schema_field_by_field() {
    let schema = plan_schema();
    let plan = serde_json::to_value(planned(&stuck())).unwrap();
    let known = schema["properties"].as_object().unwrap();
    for key in plan.as_object().unwrap().keys() {
        assert!(known.contains_key(key), "{key}");
    }
    for required in schema["required"].as_array().unwrap() {
        assert!(plan.get(required.as_str().unwrap()).is_some(), "{required}");
    }
    assert_eq!(
        schema["properties"]["apiVersion"]["const"],
        json!("plan.lattice.dev/v1")
    );
}

#[test]
fn the_gap_is_rounded_up_and_nothing_has_none() {
    let gap = |objective, lower_bound| {
        let mut solution = crate::scheduler::solution::Solution {
            objective,
            ..Default::default()
        };
        solution.certificate.lower_bound = lower_bound;
        let plan = build(&Default::default(), &solution, &[], Options::default());
        plan.summary.gap
    };
    assert_eq!(gap(3_000_000, 2_000_000).unwrap(), "0.333334");
    assert_eq!(gap(4, 3).unwrap(), "0.25");
    assert_eq!(gap(4_000_000_000, 3_999_999_999).unwrap(), "0.000001");
    assert_eq!(gap(7, 7).unwrap(), "0");
    assert_eq!(gap(7, 0).unwrap(), "1");
    assert_eq!(gap(3, 4).unwrap(), "-0.333333");
    assert_eq!(gap(0, 0), None);
}

fn micros(amount: &str) -> i64 {
    crate::api::Money::parse(amount).unwrap().micros()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn shares_add_up_to_the_pools_cost(sizes in prop::collection::vec((1u32..4, 1u32..14), 1..12)) {
        let mut inputs = seed();
        for (n, (cores, memory)) in sizes.into_iter().enumerate() {
            let mut service = plain(&format!("shop/s{n}"), cores, memory);
            service.spec.replicas.min = 1 + (n as u32 % 3);
            inputs.services.push(service);
        }
        let built = snapshot(&inputs);
        let solution = solve(&built.snapshot);
        let options = Options { rejections: false, relaxations: false };
        let plan = build(&built.snapshot, &solution, &[], options);
        for pool in &plan.pools {
            let services: i64 = plan
                .placements
                .iter()
                .filter(|p| p.pool == pool.name)
                .map(|p| micros(&p.hourly_cost))
                .sum();
            let overhead: i64 = plan
                .clusters
                .iter()
                .filter(|c| c.pool == pool.name)
                .map(|c| micros(&c.overhead_hourly_cost))
                .sum();
            prop_assert_eq!(services + overhead, micros(&pool.hourly_cost));
        }
        let total: i64 = plan.pools.iter().map(|p| micros(&p.hourly_cost)).sum();
        prop_assert_eq!(total, micros(&plan.summary.hourly_cost));
    }
}

fn moved(service: &str, replicas: u32, from: &str, to: &str) -> Moved {
    Moved {
        service: ServiceId::new("shop", service),
        replicas,
        from_pool: from.into(),
        from_cluster: format!("{from}-1"),
        to_pool: to.into(),
        to_cluster: (from == to).then(|| format!("{from}-1")),
    }
}

#[test]
fn moves_are_told_with_what_they_save_and_cost() {
    let one = |saved, replicas, held_by: Option<&str>| Move {
        replicas,
        saved,
        price: 300_000,
        horizon_seconds: 86_400,
        margin: 1_000_000,
        held_by: held_by.map(str::to_owned),
    };
    let web = || vec![moved("web", 3, "us-east", "eu-west")];
    let many = ["a", "b", "c", "d", "e"].map(|name| moved(name, 2, "eu-west", "eu-west"));
    let (built, mut solved) = solved(&seed());
    solved.moves = Moves {
        made: vec![one(288_000, many.to_vec(), None)],
        left: vec![
            one(28_800, web(), None),
            one(288_000, web(), Some("eu-west")),
        ],
    };
    let plan = build(&built.snapshot, &solved, &[], Options::default());
    assert_eq!(
        plan.moves.made[0].reason,
        "moving 2 replicas of shop/a within eu-west, 2 replicas of shop/b within eu-west, 2 replicas of shop/c \
         within eu-west and 4 more saves 0.288/h: 6.912 within 24h, more than the 0.3 that moving costs and the \
         margin of 1"
    );
    assert_eq!(
        plan.moves.left[0].reason,
        "0.0288/h could be saved by moving 3 replicas of shop/web from us-east to eu-west; moving costs 0.3 and must \
         bring 1 more, the horizon of 24h pays only 0.6912"
    );
    assert_eq!(
        plan.moves.left[1].reason,
        "0.288/h could be saved by moving 3 replicas of shop/web from us-east to eu-west; that would leave eu-west less \
         than a twentieth of its budget, and a change of prices would undo it"
    );
    assert_eq!(
        solution(&plan).unwrap().moves,
        solved.moves,
        "and read back"
    );
    let mut wrong = plan.clone();
    wrong.moves.left[1].price = "much".into();
    let error = solution(&wrong).unwrap_err().to_string();
    assert!(error.starts_with("moves.left[1].price: "), "{error}");
}
