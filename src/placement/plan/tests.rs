#![allow(clippy::unwrap_used, clippy::expect_used)]

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::placement::fixtures::{at, carried_out, plain, seed, solved};
use crate::placement::inputs::Inputs;
use crate::placement::snapshot::build as snapshot;
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
