use serde_json::json;

use super::*;
use crate::api::LatticePlacementPolicy;
use crate::placement::fixtures::{at, object, plain, seed, solved};
use crate::placement::inputs::Inputs;
use crate::placement::record::DecisionRecord;
use crate::placement::snapshot;
use crate::scheduler::model::{Cluster, Origin, Snapshot};

const HOUR: u64 = 3600;

/// Policies under which control planes have one node instead of three.
fn small_control_planes() -> LatticePlacementPolicy {
    let mut policy = seed().policies.remove(0);
    let rules = policy.spec.cluster_policy.as_mut().unwrap();
    let rule = json!({"replicas": 1});
    rules.control_plane = Some(serde_json::from_value(rule).unwrap());
    policy
}

fn tried(policies: &[LatticePlacementPolicy]) -> Option<Policies> {
    Some(Policies::new(policies).unwrap())
}

fn decided(snapshot: &Snapshot, hours: i64) -> DecisionRecord {
    let solution = crate::scheduler::solve(snapshot);
    DecisionRecord::new(snapshot, solution, at(1_705_314_600 + hours * 3600)).unwrap()
}

/// The snapshot of these objects after a decision is carried out.
fn after(inputs: &Inputs, last: &DecisionRecord) -> Snapshot {
    let mut snapshot = snapshot::build(inputs).snapshot;
    let live = last.solution.live();
    snapshot.clusters = live.map(|decision| decision.cluster.clone()).collect();
    snapshot
}

/// Two decisions: on the seed example, and on one more service.
fn two() -> (Inputs, [DecisionRecord; 2]) {
    let mut inputs = seed();
    let first = decided(&snapshot::build(&inputs).snapshot, 0);
    inputs.services.push(plain("shop/batch", 2, 4));
    let second = decided(&after(&inputs, &first), 2);
    (inputs, [first, second])
}

fn micros(amount: &str) -> i64 {
    let decimal: rust_decimal::Decimal = amount.parse().unwrap();
    i64::try_from(decimal * rust_decimal::Decimal::from(1_000_000)).unwrap()
}

#[test]
fn a_log_as_recorded_is_the_same_and_what_is_not_is_told() {
    let (_, [first, second]) = two();
    let mut replayer = Replayer::new(None);
    replayer.add(Some(1), first.clone(), HOUR);
    replayer.add(Some(2), second.clone(), HOUR);
    let answer = replayer.finish();
    assert!(answer.same && answer.totals.is_none() && answer.notes.is_empty());
    assert_eq!(answer.decisions[1].id, Some(2));

    let mut replayer = Replayer::new(None);
    let (mut other, mut costlier) = (first, second);
    other.solver_version = "0".to_owned();
    costlier.solution.hourly += 1;
    replayer.add(Some(1), other, HOUR);
    replayer.add(Some(2), costlier, HOUR);
    let answer = replayer.finish();
    let verdicts: Vec<Verdict> = answer.decisions.iter().map(|d| d.verdict).collect();
    assert_eq!(verdicts, [Verdict::OtherSolver, Verdict::Different]);
    assert!(!answer.same);
    assert!(answer.notes[0].starts_with("1 of 2 decisions were made by another version"));
}

#[test]
fn the_same_policies_come_to_the_same() {
    let (inputs, records) = two();
    let mut replayer = Replayer::new(tried(&inputs.policies));
    for (id, record) in (1..).zip(records) {
        replayer.add(Some(id), record, HOUR);
    }
    let answer = replayer.finish();
    assert!(answer.same, "{answer:#?}");
    let totals = answer.totals.unwrap();
    assert_eq!(totals.cost_delta, "0");
    assert_eq!(totals.recorded_cost, totals.replayed_cost);
}

#[test]
fn each_decision_builds_on_the_one_that_would_have_been() {
    let (_, [first, second]) = two();
    let mut replayer = Replayer::new(tried(&[small_control_planes()]));
    replayer.add(Some(1), first, 2 * HOUR);
    replayer.add(Some(2), second, HOUR);
    let answer = replayer.finish();
    assert!(!answer.same);
    let used = &answer.policies[0];
    assert_eq!(
        (used.name.as_str(), used.replaces),
        ("production-policy", true)
    );
    assert_eq!(used.matched_services, 1);
    let [one, two] = &answer.decisions[..] else {
        panic!()
    };
    let (one, two) = [one, two]
        .map(|d| (&d.recorded, d.replayed.as_ref().unwrap()))
        .into();
    // Two clusters, each with one control-plane node instead of three, and they stay so.
    assert_eq!((one.0.nodes - one.1.nodes, one.1.clusters), (4, 2));
    assert!(two.0.nodes - two.1.nodes >= 4);
    assert_eq!((two.1.moves, two.1.unplaceable.len()), (0, 0));
    let totals = answer.totals.unwrap();
    assert_eq!(totals.seconds, 3 * HOUR);
    let cost = |figures: [&Figures; 2]| {
        2 * micros(&figures[0].hourly_cost) + micros(&figures[1].hourly_cost)
    };
    assert_eq!(micros(&totals.recorded_cost), cost([one.0, two.0]));
    assert_eq!(micros(&totals.replayed_cost), cost([one.1, two.1]));
    assert!(micros(&totals.cost_delta) < 0);
}

#[test]
fn what_a_policy_cannot_place_is_told_with_how_long() {
    let (_, records) = two();
    let mut strict = seed().policies.remove(0);
    strict.spec.requirements.as_mut().unwrap().compliance = vec!["fedramp".to_owned()];
    let mut replayer = Replayer::new(tried(&[strict]));
    for record in records {
        replayer.add(None, record, HOUR);
    }
    let answer = replayer.finish();
    let replayed = answer.decisions[1].replayed.as_ref().unwrap();
    assert_eq!(replayed.unplaceable, ["shop/api-gateway"]);
    let totals = answer.totals.unwrap();
    assert_eq!(totals.recorded_unplaced_seconds, 0);
    assert_eq!(totals.replayed_unplaced_seconds, 2 * HOUR);
}

#[test]
fn policies_that_cannot_be_tried_or_mean_nothing_are_told() {
    assert_eq!(Policies::new(&[]), Err(PolicyError::None));
    let policy = small_control_planes();
    let twice = [policy.clone(), policy];
    assert_eq!(
        Policies::new(&twice),
        Err(PolicyError::Twice("production-policy".to_owned()))
    );
    let idle: LatticePlacementPolicy = object(
        "LatticePlacementPolicy",
        "idle",
        json!({
            "selector": {"matchLabels": {"env": "nowhere"}},
            "clusterPolicy": {"controlPlane": {"replicas": 1, "nodeClass": "huge"}},
        }),
    );
    let (_, [first, _]) = two();
    let mut replayer = Replayer::new(tried(&[idle]));
    replayer.add(Some(1), first, HOUR);
    let answer = replayer.finish();
    assert!(answer.same && !answer.policies[0].replaces);
    assert!(answer.notes[0].contains("matches no service"));
    assert!(answer.notes[1].contains("node class `huge`"));
}

#[test]
fn what_people_do_between_decisions_is_done_to_what_would_have_been() {
    let (built, _) = solved(&seed());
    let declared = Cluster {
        name: "by-hand".into(),
        pool: "us-east".into(),
        origin: Origin::Declared { resize: None },
        control_plane: None,
        workers: Vec::new(),
    };
    let first = decided(&built.snapshot, 0);
    let mut next = after(&seed(), &first);
    let removed = next.clusters.remove(0).name;
    next.clusters.push(declared.clone());
    let second = decided(&next, 1);
    let pair = super::rerun::Pair {
        recorded: first.solution.clone(),
        replayed: first.solution,
    };
    let found = super::rerun::as_found(Some(&pair), &second).clusters;
    assert!(found.iter().all(|cluster| cluster.name != removed));
    assert!(found.contains(&declared));
    assert_eq!(found.len(), next.clusters.len());
}
