//! Clusters between two real API servers, with the real kinds of Cluster API: the mover is killed after every single
//! write, on the way there and on the way back.

#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "support/agents.rs"]
mod agents;
mod support;

use std::{sync::Arc, time::Instant};

use agents::{Answers, Machine, Running, Shared};
use chrono::Utc;
use futures::future::join_all;
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, PostParams},
    core::GroupVersionKind,
};
use lattice::{
    agent::proxy::ask,
    clusters::pivot::{
        ClusterName, PivotError, Side, apply::Direct, decide::Outcome, object::Key,
        view::cluster_key,
    },
};
use serde_json::{Value, json};
use support::{
    cluster_graph::{CONTROL_PLANES, WORKERS, plant},
    fleet,
    pivoting::{Place, Road, glance, held, leftovers, machines},
};

/// Clusters that are moved at the same time, each in its namespace.
const LANES: u64 = 4;

/// A cluster on one of two places, and what it must look like wherever it is.
struct Lane {
    places: [Client; 2],
    ends: [Arc<Direct>; 2],
    at: usize,
    cluster: ClusterName,
    digest: String,
    keys: Vec<Key>,
    machines: Vec<(String, String, String)>,
    asked: u64,
}

impl Lane {
    async fn new(home: &Place, away: &Place, number: u64) -> Self {
        let client = &home.client;
        let namespace = support::namespace(client, &format!("lane-{number}")).await;
        let planted = plant(client, &namespace, "c1").await;
        let cluster = ClusterName::new(namespace, "c1");
        let seen = Road::new(client, &away.client, &cluster, false)
            .look()
            .await;
        let (digest, keys) = held(Side::Source, &seen);
        assert_eq!(keys.len(), planted, "{keys:#?}");
        let machines = machines(Side::Source, &seen);
        let workers: usize = WORKERS.iter().map(|(_, count)| count).sum();
        assert_eq!(machines.len(), CONTROL_PLANES + workers);
        Self {
            places: [client.clone(), away.client.clone()],
            ends: [Arc::clone(&home.end), Arc::clone(&away.end)],
            at: 0,
            cluster,
            digest,
            keys,
            machines,
            asked: 0,
        }
    }

    fn road(&self, suspicious: bool) -> Road {
        let (from, to) = (&self.places[self.at], &self.places[1 - self.at]);
        Road::new(from, to, &self.cluster, suspicious)
            .knowing(&self.ends[self.at], &self.ends[1 - self.at])
    }

    /// Moves to the other place without any trouble. Returns the number of writes.
    async fn calm(&mut self, suspicious: bool) -> u64 {
        let road = self.road(suspicious);
        self.arrive(&road, "undisturbed").await;
        road.writes()
    }

    /// Moves to the other place, with the mover killed after this write.
    async fn killed(&mut self, after: u64) {
        let first = self.road(false).killed_after(after);
        let end = first.go().await;
        assert!(end.is_none(), "killed after write {after}: {end:?}");
        self.asked += first.asked();
        // Somebody else, who knows nothing of all this.
        let second = self.road(false);
        self.arrive(&second, &format!("killed after write {after}"))
            .await;
    }

    async fn arrive(&mut self, road: &Road, how: &str) {
        let end = road.go().await.expect("nobody is killed");
        match end.unwrap_or_else(|error| panic!("{how}: {error}")) {
            Outcome::Moved { digest, objects } => {
                assert_eq!(digest, self.digest, "{how}");
                assert_eq!(objects, self.keys.len(), "{how}");
            }
            Outcome::GivenUp => panic!("{how}: given up"),
        }
        assert_eq!(road.owner().await, Side::Target, "{how}");
        let seen = road.look().await;
        let (digest, keys) = held(Side::Target, &seen);
        assert_eq!(keys, self.keys, "{how}");
        assert_eq!(digest, self.digest, "{how}");
        assert_eq!(machines(Side::Target, &seen), self.machines, "{how}");
        assert_eq!(leftovers(Side::Source, &seen), [], "{how}");
        assert_eq!(seen.source.deed, None, "{how}");
        self.asked += road.asked();
        self.at = 1 - self.at;
    }
}

/// Every how many writes it is killed: `PIVOT_EVERY=1` goes over each of them, which takes more than ten minutes.
fn every() -> u64 {
    let stated = std::env::var("PIVOT_EVERY").ok();
    stated.map_or(12, |text| text.parse().expect("PIVOT_EVERY is a number"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_after_writes_there_and_back() {
    let started = Instant::now();
    let (home, away) = tokio::join!(Place::start(), Place::start());
    let mut first = Lane::new(&home, &away, 0).await;
    // Namespaces are there from now on, and both directions know an earlier move.
    let new = (first.calm(true).await, first.calm(true).await);
    let there = first.calm(true).await;
    let back = first.calm(true).await;
    assert!(new.0 >= there, "the first move also makes the namespace");
    println!(
        "undisturbed: {there} writes there, {back} back, of {} objects",
        first.keys.len()
    );
    let ready = started.elapsed();

    let every = every();
    let lanes = (0..LANES).map(|number| {
        let (home, away) = (&home, &away);
        async move {
            let mut lane = Lane::new(home, away, number).await;
            lane.calm(false).await;
            lane.calm(false).await;
            let mut points = 0;
            let own =
                |point: &u64| point.is_multiple_of(every) && (point / every) % LANES == number;
            for point in (1..=there.max(back)).filter(own) {
                for writes in [there, back] {
                    if point <= writes {
                        lane.killed(point).await;
                        points += 1;
                        if points % 20 == 0 {
                            println!("lane {number}: {points} points");
                        }
                    } else {
                        lane.calm(false).await;
                    }
                }
            }
            (points, lane.asked)
        }
    });
    let done = join_all(lanes).await;
    let points: u64 = done.iter().map(|(points, _)| points).sum();
    let asked: u64 = done.iter().map(|(_, asked)| asked).sum();
    assert_eq!(points, there / every + back / every);
    println!(
        "{points} crash points, {asked} times one owner; {:.0} s to begin, {:.0} s for the points",
        ready.as_secs_f64(),
        (started.elapsed() - ready).as_secs_f64()
    );
    home.stop().await;
    away.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_that_refuses_or_is_gone_costs_nothing() {
    let (home, away) = tokio::join!(Place::start(), Place::start());
    let mut lane = Lane::new(&home, &away, 0).await;
    let road = lane.road(true);

    // Admission on the target does not like one of the machines.
    let unwanted = lane.machines[0].0.clone();
    refuse(&away.client, &unwanted).await;
    let error = road.go().await.unwrap().unwrap_err();
    assert!(
        matches!(&error, PivotError::Refused { side: Side::Target, object, .. } if object.name == unwanted),
        "{error}"
    );
    assert!(error.to_string().contains("not this one"), "{error}");
    assert_eq!(road.owner().await, Side::Source);
    let seen = road.look().await;
    assert_eq!(held(Side::Source, &seen).0, lane.digest);
    let cluster = &seen.source.objects[&cluster_key(&lane.cluster)];
    assert!(!cluster.is_true("/spec/paused"), "the source goes on");
    assert_eq!(leftovers(Side::Target, &seen), []);
    assert_eq!(seen.target.deed, None);
    relent(&away.client, &unwanted).await;

    // The target ends in the midst of it, and comes back.
    let cut = lane.road(false).killed_after(40);
    assert!(cut.go().await.is_none());
    let folder = away.stop().await;
    let error = lane.road(false).go().await.unwrap().unwrap_err();
    assert!(error.is_passing(), "{error}");
    let seen = glance(&home.client, &lane.cluster).await;
    assert!(!seen.objects.is_empty(), "the source has lost nothing");
    let away = Place::again(folder).await;
    lane.places[1] = away.client.clone();
    lane.ends[1] = Arc::clone(&away.end);
    let road = lane.road(false);
    lane.arrive(&road, "after the target was gone").await;
    home.stop().await;
    away.stop().await;
}

/// The cluster's API server as its parent reaches it through the cluster's agent.
fn through(running: &Running) -> Client {
    let cell = running.cell.clone();
    let asking = tower::service_fn(move |request| {
        let cell = cell.clone();
        async move { ask(&cell, "c1", request).await }
    });
    Client::new(asking, "default")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_moves_through_its_agents_stream() {
    let (home, away) = tokio::join!(Place::start(), Place::start());
    let registry = Shared::new();
    registry.add("c1");
    let running = Running::start(&registry, "127.0.0.1:0".parse().unwrap()).await;
    let answers = Answers::ApiServer(Box::new(away.client.clone()));
    let agent = Machine::answering("c1", &registry.0.authority, Utc::now(), answers);
    let there = || {
        fleet::eventually("the agent is there", async || {
            running.cell.is_connected("c1").await.then_some(())
        })
    };
    let (_reports, stop) = agent.run(running.address);
    there().await;
    let mut lane = Lane::new(&home, &away, 0).await;
    let client = through(&running);
    lane.places[1] = client.clone();
    lane.ends[1] = Arc::new(Direct::new(client));
    lane.calm(true).await;
    lane.calm(false).await;

    // The agent goes in the midst of it, and comes back.
    let cut = lane.road(false).killed_after(40);
    assert!(cut.go().await.is_none());
    stop.cancel();
    let error = lane.road(false).go().await.unwrap().unwrap_err();
    assert!(error.is_passing(), "{error}");
    let seen = glance(&home.client, &lane.cluster).await;
    assert!(!seen.objects.is_empty(), "the source has lost nothing");
    let (_reports, _stop) = agent.run(running.address);
    there().await;
    let road = lane.road(false);
    lane.arrive(&road, "after the agent was gone").await;
    lane.killed(60).await;
    home.stop().await;
    away.stop().await;
}

const POLICY: &str = "not-this-one";

fn admission(kind: &str, spec: Value) -> Value {
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": kind,
        "metadata": {"name": POLICY},
        "spec": spec,
    })
}

/// Lets admission refuse a Machine of this name, and waits until it does.
async fn refuse(client: &Client, machine: &str) {
    let rule = json!({
        "apiGroups": ["cluster.x-k8s.io"],
        "apiVersions": ["*"],
        "operations": ["CREATE"],
        "resources": ["machines"],
    });
    let policy = json!({
        "matchConstraints": {"resourceRules": [rule]},
        "validations": [{"expression": format!("object.metadata.name != '{machine}'"), "message": "not this one"}],
    });
    let binding = json!({"policyName": POLICY, "validationActions": ["Deny"]});
    fleet::apply(client, &admission("ValidatingAdmissionPolicy", policy)).await;
    fleet::apply(
        client,
        &admission("ValidatingAdmissionPolicyBinding", binding),
    )
    .await;
    fleet::eventually("a refusal", async || {
        tried(client, machine).await.is_err().then_some(())
    })
    .await;
}

/// Takes that back.
async fn relent(client: &Client, machine: &str) {
    let kind = "ValidatingAdmissionPolicyBinding";
    let gvk = GroupVersionKind::gvk("admissionregistration.k8s.io", "v1", kind);
    let resource = ApiResource::from_gvk_with_plural(&gvk, "validatingadmissionpolicybindings");
    let bindings: Api<DynamicObject> = Api::all_with(client.clone(), &resource);
    bindings.delete(POLICY, &Default::default()).await.unwrap();
    fleet::eventually("no refusal", async || tried(client, machine).await.ok()).await;
}

/// What becomes of a Machine of this name, without making one.
async fn tried(client: &Client, machine: &str) -> Result<(), kube::Error> {
    let reference = json!({"apiGroup": "x.example.com", "kind": "X", "name": "x"});
    let document = json!({
        "apiVersion": "cluster.x-k8s.io/v1beta2",
        "kind": "Machine",
        "metadata": {"name": machine, "namespace": "default"},
        "spec": {"clusterName": "x", "bootstrap": {"dataSecretName": "x"}, "infrastructureRef": reference},
    });
    let gvk = GroupVersionKind::gvk("cluster.x-k8s.io", "v1beta2", "Machine");
    let machines: Api<DynamicObject> =
        Api::namespaced_with(client.clone(), "default", &ApiResource::from_gvk(&gvk));
    let params = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    let document: DynamicObject = serde_json::from_value(document).unwrap();
    machines.create(&params, &document).await.map(|_| ())
}
