#![allow(clippy::unwrap_used, clippy::expect_used)]

use serde_json::{Value, json};

use super::*;
use crate::api::conditions::{self, READY, find, is_true};
use crate::api::pool::DecisionQuality;
use crate::api::{ClusterPhase, ServicePhase};
use crate::placement::fixtures::{
    at, carried_out, gateway, namespaced, object, plain, seed, solved,
};
use crate::placement::labels;
use crate::placement::snapshot::build;

fn decided(inputs: &Inputs, now: i64) -> Decisions {
    let (built, solution) = solved(inputs);
    let alternatives = alternatives(&built.snapshot, &solution, &|_| true);
    decide(inputs, &built, &solution, &alternatives, at(now))
}

fn id() -> ServiceId {
    ServiceId::new("shop", "api-gateway")
}

#[test]
fn the_seed_comes_out_as_printed() {
    let decisions = decided(&seed(), 1_705_314_600);
    let status = &decisions.services[&id()];
    let mut written = serde_json::to_value(status).unwrap();
    for place in written["placements"].as_array_mut().unwrap() {
        let cluster = place["cluster"].as_str().unwrap().to_owned();
        let prefix = format!("{}-prod-", place["pool"].as_str().unwrap());
        assert!(cluster.starts_with(&prefix), "{cluster}");
        place["cluster"] = Value::from(prefix);
    }
    written.as_object_mut().unwrap().remove("conditions");
    assert_eq!(
        written,
        json!({
            "phase": "Scheduled",
            "placements": [
                {"pool": "us-east", "cluster": "us-east-prod-", "replicas": 2, "node": "medium", "cost": {"hourly": 0.384}},
                {"pool": "eu-west", "cluster": "eu-west-prod-", "replicas": 1, "node": "medium", "cost": {"hourly": 0.192}},
            ],
            "totalCost": {"hourly": 0.576, "projected30Day": 414.72},
            "health": {"available": 0, "ready": 0},
            "lastScheduled": "2024-01-15T10:30:00Z",
            "schedulerDecision": {
                "reason": "Placed in us-east and eu-west per requiredRegions constraint",
                "alternatives": [{"pool": "ap-south", "rejected": "No GDPR compliance label"}],
            },
            "observedGeneration": 4,
        })
    );
    assert!(is_true(&status.conditions, SCHEDULED));
    assert!(!is_true(&status.conditions, "Ready"));
    assert!(is_true(&status.conditions, "Reconciling"));
    assert!(!is_true(&status.conditions, "Stalled"));
    let policy = &decisions.policies["production-policy"];
    assert_eq!(policy.matched_services, Some(1));
    assert_eq!(decisions.node_classes["medium"].pools, Some(3));
}

#[test]
fn a_created_cluster_says_who_made_it_and_where() {
    let decisions = decided(&seed(), 0);
    assert_eq!(decisions.actions.len(), 2);
    let Action::CreateCluster(cluster) = &decisions.actions[1] else {
        panic!("{:?}", decisions.actions[1]);
    };
    let name = decisions.actions[1].cluster();
    let marks = cluster.metadata.labels.as_ref().unwrap();
    assert_eq!(marks[labels::MANAGED_BY], labels::SCHEDULER);
    assert_eq!(marks[labels::POLICY], "production-policy");
    assert_eq!(marks[labels::POOL], "us-east");
    assert_eq!(
        cluster.metadata.finalizers.as_deref(),
        Some([labels::CLUSTER_FINALIZER.to_owned()].as_slice())
    );
    let spec = serde_json::to_value(&cluster.spec).unwrap();
    assert_eq!(spec["poolRef"], "us-east");
    assert_eq!(spec["nodes"]["controlPlane"], 3);
    assert_eq!(spec["provider"]["type"], "aws");
    assert_eq!(spec["provider"]["config"]["aws"]["region"], "us-east-1");
    assert!(spec["provider"]["config"]["aws"]["workerInstanceType"].is_string());
    assert_eq!(spec["flux"]["path"], "clusters/shared");
    let mut document = serde_json::to_value(cluster).unwrap();
    document["apiVersion"] = json!("lattice.dev/v1alpha1");
    document["kind"] = json!("LatticeCluster");
    assert_eq!(crate::api::validate_object(&document), []);
    let status = &decisions.clusters[name];
    assert_eq!(status.phase, Some(ClusterPhase::Pending));
    let total: u32 = status.node_groups.iter().map(|g| g.count).sum();
    assert_eq!(status.nodes.unwrap().total, total);
    assert_eq!(status.nodes.unwrap().ready, 0);
}

#[test]
fn pools_add_up() {
    let decisions = decided(&seed(), 0);
    for (name, pool) in &decisions.pools {
        let clusters: i64 = decisions
            .clusters
            .iter()
            .filter(|(cluster, _)| cluster.starts_with(name.as_str()))
            .map(|(_, status)| status.cost.unwrap().hourly.micros())
            .sum();
        let budget = pool.budget.as_ref().unwrap();
        assert_eq!(budget.projected_month_cost.micros(), clusters * 720);
        assert_eq!(budget.current_month_cost.micros(), 0);
        let nodes: u32 = pool.clusters.iter().map(|c| c.nodes).sum();
        assert_eq!(pool.capacity.as_ref().unwrap().allocated_nodes, nodes);
        assert!(is_true(&pool.conditions, "Ready"));
    }
    let (built, solution) = crate::placement::fixtures::solved(&seed());
    assert!(built.problems.is_empty());
    for pool in ["us-east", "eu-west"] {
        let quality = decisions.pools[pool].decision.as_ref().unwrap();
        assert_eq!(quality.objective.micros(), solution.objective);
        let bound = solution.certificate.lower_bound;
        assert_eq!(quality.lower_bound.micros(), bound);
        let above = (solution.objective - bound) as f64 / solution.objective as f64;
        let gap = f64::from(quality.gap.unwrap().ppm()) / 1e6;
        assert!((0.0..2e-6).contains(&(gap - above)), "{gap} {above}");
    }
    let idle = &decisions.pools["ap-south"];
    assert_eq!(idle.decision, None);
    assert_eq!(
        idle.utilization.as_ref().unwrap().nodes,
        Some(crate::api::Ratio::from_ppm(0))
    );
}

#[test]
fn deciding_again_changes_nothing() {
    let after = carried_out(&seed(), at(1000));
    let decisions = decided(&after, 2000);
    assert_eq!(decisions.actions, []);
    for service in &after.services {
        let status = &decisions.services[&id()];
        assert_eq!(service.status.as_ref(), Some(status));
    }
    for cluster in &after.clusters {
        let name = cluster.metadata.name.as_ref().unwrap();
        assert_eq!(cluster.status.as_ref(), Some(&decisions.clusters[name]));
    }
    for pool in &after.pools {
        let name = pool.metadata.name.as_ref().unwrap();
        let mut status = decisions.pools[name].clone();
        // What is charged for wishes depends on what was there before the decision.
        let (was, is) = (pool.status.as_ref().unwrap(), &mut status.decision);
        let bound = |quality: &Option<DecisionQuality>| quality.as_ref().map(|q| q.lower_bound);
        assert_eq!(bound(is), bound(&was.decision));
        is.clone_from(&was.decision);
        assert_eq!(*was, status);
    }
}

#[test]
fn a_lost_witness_is_rebuilt_without_a_move() {
    let mut after = carried_out(&seed(), at(1000));
    for cluster in &mut after.clusters {
        cluster.status = None;
    }
    let (built, solution) = solved(&after);
    assert_eq!(
        decide(&after, &built, &solution, &Alternatives::new(), at(2)).actions,
        []
    );
    assert_eq!(
        solution.outcomes[0].verdict,
        crate::scheduler::solution::Verdict::Unchanged
    );
}

#[test]
fn what_goes_takes_its_clusters_along() {
    let mut after = carried_out(&seed(), at(1000));
    after.services.clear();
    let decisions = decided(&after, 2000);
    assert_eq!(decisions.actions.len(), 2);
    for action in &decisions.actions {
        assert!(matches!(action, Action::DeleteCluster(_)));
        assert!(action.cluster().contains("-prod-"));
    }
    assert!(decisions.clusters.is_empty());
}

#[test]
fn a_cluster_that_goes_says_what_it_waits_for() {
    let mut after = carried_out(&seed(), at(1000));
    let cluster = &mut after.clusters[0];
    let name = cluster.metadata.name.clone().unwrap();
    cluster.metadata.deletion_timestamp =
        Some(serde_json::from_value(json!("2024-01-15T10:30:00Z")).unwrap());
    cluster.metadata.generation = Some(2);
    let status = cluster.status.as_mut().unwrap();
    let why = Observation {
        type_: conditions::PROVISIONED,
        status: ConditionStatus::False,
        reason: "Deleting",
        message: "one machine is left".to_owned(),
        observed_generation: Some(2),
    };
    conditions::set(&mut status.conditions, why, at(1500));
    let before = status.clone();
    let status = &decided(&after, 2000).clusters[&name];
    assert_eq!(status.phase, Some(ClusterPhase::Deleting));
    let ready = find(&status.conditions, READY).unwrap();
    assert_eq!(ready.status, ConditionStatus::False);
    assert_eq!(
        (ready.reason.as_str(), ready.message.as_str()),
        ("Deleting", "one machine is left")
    );
    assert_eq!(status.observed_generation, Some(2));
    assert_eq!(status.cost, before.cost);
}

#[test]
fn more_replicas_grow_the_clusters() {
    let mut after = carried_out(&seed(), at(1000));
    after.services[0].spec.replicas.min = 10;
    let decisions = decided(&after, 2000);
    let updates = decisions.actions.iter();
    assert!(updates.clone().count() > 0);
    for action in updates {
        assert!(matches!(action, Action::UpdateCluster(_)), "{action:?}");
    }
    let status = &decisions.services[&id()];
    assert_eq!(status.last_scheduled, Some(at(2000)));
    assert_eq!(
        status.placements.iter().map(|p| p.replicas).sum::<u32>(),
        10
    );
}

#[test]
fn health_makes_it_running_and_time_makes_it_cost() {
    let mut after = carried_out(&seed(), at(1_705_314_600));
    let status = after.services[0].status.as_mut().unwrap();
    status.health = Some(crate::api::service_status::ServiceHealth {
        available: 3,
        ready: 3,
    });
    for cluster in &mut after.clusters {
        cluster.status.as_mut().unwrap().phase = Some(ClusterPhase::Ready);
    }
    let decisions = decided(&after, 1_705_314_600);
    let status = &decisions.services[&id()];
    assert_eq!(status.phase, Some(ServicePhase::Running));
    assert!(is_true(&status.conditions, "Ready"));
    assert!(!is_true(&status.conditions, "Reconciling"));
    // 14 days and 10.5 hours into the month, in whole hours.
    let pool = &decisions.pools["us-east"];
    let budget = pool.budget.as_ref().unwrap();
    assert_eq!(
        budget.current_month_cost.micros(),
        budget.projected_month_cost.micros() / 720 * (14 * 24 + 10)
    );
    let cluster = decisions.clusters.values().next().unwrap();
    assert!(is_true(&cluster.conditions, "Ready"));
}

#[test]
fn every_phase_of_a_cluster_is_told() {
    let mut after = carried_out(&seed(), at(0));
    for (phase, word) in [
        (ClusterPhase::Provisioning, "Provisioning"),
        (ClusterPhase::Pivoting, "Pivoting"),
        (ClusterPhase::Failed, "Failed"),
        (ClusterPhase::Deleting, "Deleting"),
    ] {
        after.clusters[0].status.as_mut().unwrap().phase = Some(phase);
        let name = after.clusters[0].metadata.name.clone().unwrap();
        let status = &decided(&after, 9).clusters[&name];
        assert_eq!(find(&status.conditions, "Ready").unwrap().reason, word);
        let stalled = phase == ClusterPhase::Failed;
        assert_eq!(is_true(&status.conditions, "Stalled"), stalled);
    }
}

#[test]
fn no_place_is_said_with_its_reasons() {
    let mut inputs = seed();
    let mut spec = gateway();
    spec["placement"]["requiredRegions"] = json!(["us-east", "ap-south"]);
    let labels = inputs.services[0].metadata.labels.clone();
    inputs.services[0] = namespaced("LatticeService", "shop/api-gateway", spec);
    inputs.services[0].metadata.labels = labels;
    let status = &decided(&inputs, 5).services[&id()];
    assert_eq!(status.phase, Some(ServicePhase::Unschedulable));
    assert_eq!(status.placements, []);
    let stalled = find(&status.conditions, "Stalled").unwrap();
    assert!(
        stalled.message.contains("No GDPR compliance label"),
        "{}",
        stalled.message
    );
    assert!(!is_true(&status.conditions, "Reconciling"));
    assert_eq!(
        status.scheduler_decision.as_ref().unwrap().reason,
        stalled.message
    );
}

#[test]
fn a_broken_service_stalls_and_keeps_what_it_has() {
    let mut inputs = seed();
    let looped = |id: &str, other: &str| {
        namespaced(
            "LatticeService",
            id,
            json!({
                "containers": {"main": {"image": "x:1"}},
                "resources": {other: {"type": "Service"}},
                "placement": {"latency": {other: {"maxMs": 10}}},
            }),
        )
    };
    inputs.services.push(looped("shop/a", "b"));
    inputs.services.push(looped("shop/b", "a"));
    let decisions = decided(&inputs, 5);
    let status = &decisions.services[&ServiceId::new("shop", "a")];
    let stalled = find(&status.conditions, "Stalled").unwrap();
    assert_eq!(stalled.status, ConditionStatus::True);
    assert!(
        stalled.message.starts_with("spec.placement.latency.b: "),
        "{}",
        stalled.message
    );
    assert_eq!(status.phase, Some(ServicePhase::Pending));
    let other = &decisions.services[&id()];
    assert_eq!(other.phase, Some(ServicePhase::Scheduled));
}

#[test]
fn pools_say_what_is_the_matter_with_them() {
    let mut inputs = seed();
    inputs.pools[0].spec.suspend = Some(true);
    inputs.pools[1].spec.node_classes.push("huge".into());
    inputs.pools[2].spec.node_classes.clear();
    inputs.pools[2].spec.budget = None;
    let pools = decided(&inputs, 5).pools;
    let ready = |name: &str| {
        find(&pools[name].conditions, "Ready")
            .unwrap()
            .reason
            .clone()
    };
    assert_eq!(ready("us-east"), "Suspended");
    assert_eq!(ready("eu-west"), "Degraded");
    assert_eq!(ready("ap-south"), "NoNodeClass");
    assert!(is_true(&pools["eu-west"].conditions, "Stalled"));
}

#[test]
fn a_budget_that_comes_near_is_alerted() {
    let mut inputs = seed();
    let budget = inputs.pools[0].spec.budget.as_mut().unwrap();
    let cost = decided(&seed(), 0).pools["us-east"].budget.clone().unwrap();
    budget.max_monthly_cost = cost.projected_month_cost;
    let pools = decided(&inputs, 5).pools;
    let alert = find(&pools["us-east"].conditions, BUDGET_ALERT).unwrap();
    assert_eq!(alert.status, ConditionStatus::True);
    assert!(alert.message.contains("alert from"), "{}", alert.message);
    assert!(!is_true(&pools["eu-west"].conditions, BUDGET_ALERT));
}

fn declared(nodes: Value) -> LatticeCluster {
    object(
        "LatticeCluster",
        "mine",
        json!({
            "provider": {
                "type": "aws",
                "kubernetes": {"version": "1.31.0"},
                "config": {"aws": {"cpInstanceType": "m5.xlarge", "workerInstanceType": "m5.xlarge"}},
            },
            "nodes": nodes,
            "poolRef": "us-east",
        }),
    )
}

#[test]
fn a_declared_cluster_is_used_and_never_deleted() {
    let mut inputs = seed();
    inputs.policies.clear();
    inputs.services = vec![plain("shop/web", 2, 4)];
    inputs.clusters = vec![declared(json!({"controlPlane": 1, "workers": 2}))];
    let decisions = decided(&inputs, 5);
    assert_eq!(decisions.actions, []);
    let status = &decisions.services[&ServiceId::new("shop", "web")];
    assert_eq!(status.placements[0].cluster, "mine");
    inputs.services.clear();
    assert_eq!(decided(&inputs, 5).actions, []);
}

#[test]
fn a_declared_cluster_is_resized_only_where_it_says_so() {
    let mut inputs = seed();
    inputs.policies.clear();
    inputs.services = vec![
        plain("shop/web", 4, 8),
        plain("shop/api", 4, 8),
        plain("shop/db", 4, 8),
    ];
    let bounds = json!({"minWorkers": 1, "maxWorkers": 5});
    for (nodes, field) in [
        (
            json!({"controlPlane": 1, "workers": 1, "autoscale": bounds}),
            "workers",
        ),
        (
            json!({
                "controlPlane": 1,
                "controlPlaneClass": "medium",
                "groups": [{"nodeClass": "medium", "count": 1}, {"nodeClass": "small", "count": 0}],
                "autoscale": bounds,
            }),
            "groups",
        ),
    ] {
        inputs.clusters = vec![declared(nodes)];
        let decisions = decided(&inputs, 5);
        let updated = decisions.actions.iter().find_map(|action| match action {
            Action::UpdateCluster(cluster) => Some(cluster),
            _ => None,
        });
        let nodes = &updated
            .unwrap_or_else(|| panic!("{:?}", decisions.actions))
            .spec
            .nodes;
        match field {
            "workers" => assert!(nodes.workers > 1 || !nodes.groups.is_empty(), "{nodes:?}"),
            _ => assert!(
                nodes.groups.iter().map(|g| g.count).sum::<u32>() > 1,
                "{nodes:?}"
            ),
        }
        let after = carried_out(&inputs, at(6));
        assert_eq!(decided(&after, 7).actions, [], "{field}");
    }
}

#[test]
fn other_providers_get_their_region() {
    for provider in ["gcp", "azure", "openstack", "proxmox", "docker", "local"] {
        let mut inputs = Inputs {
            services: vec![plain("shop/web", 1, 1)],
            ..Inputs::default()
        };
        inputs.pools = vec![object(
            "LatticePool",
            &"p".repeat(80),
            json!({"provider": {"type": provider, "region": "r", "zone": "z"}, "nodeClasses": ["c"]}),
        )];
        inputs.node_classes = vec![object(
            "LatticeNodeClass",
            "c",
            json!({"resources": {"cores": 4, "memoryGi": 8}, "costPerHour": {provider: 1}}),
        )];
        let decisions = decided(&inputs, 0);
        let Action::CreateCluster(cluster) = &decisions.actions[0] else {
            panic!("{:?}", decisions.actions);
        };
        let config = cluster.spec.provider.config.as_ref().unwrap();
        assert_eq!(config.region(), Some("r"));
        let annotations = cluster.metadata.annotations.as_ref().unwrap();
        assert_eq!(annotations[labels::POOL], "p".repeat(80));
        let after = carried_out(&inputs, at(0));
        assert_eq!(build(&after).problems, []);
    }
}

#[test]
fn alternatives_that_are_not_looked_for_stay_as_they_are() {
    let after = carried_out(&seed(), at(1));
    let (built, solution) = solved(&after);
    let none = alternatives(&built.snapshot, &solution, &|_| false);
    assert!(none.is_empty());
    let status = decide(&after, &built, &solution, &none, at(2)).services[&id()].clone();
    let kept = status.scheduler_decision.unwrap().alternatives;
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0].pool, "ap-south");
}
