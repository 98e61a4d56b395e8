//! A cluster of running machines moves into itself and back again and again, with Cluster API's managers and Lattice at work on
//! both sides, and each time whoever moves it is killed. Needs root.

#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "support/executioner.rs"]
mod executioner;
mod support;
#[path = "support/watched.rs"]
mod watched;

use std::{
    fs,
    net::Ipv4Addr,
    os::unix::process::ExitStatusExt,
    path::Path,
    process::Child,
    sync::Arc,
    time::{Duration, Instant},
};

use executioner::{Executioner, Victim};
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, Client, ResourceExt,
    api::{ApiResource, DynamicObject, ListParams},
    core::GroupVersionKind,
};
use lattice::{
    clusters::pivot::{
        ClusterName, PivotError, Side,
        apply::{Direct, Options, pivot},
        decide::Outcome,
    },
    operator::{control_plane::ControlPlane, install},
};
use support::{
    awaited::until,
    fleet,
    local_cloud::{Cloud, Place},
    managers,
};
use tokio::{sync::Notify, task::JoinHandle, time::sleep};
use watched::{Home, Sampler};

const PLACE: Place = Place {
    bridge: "latcrash",
    subnet: "10.242.0.0/16",
    host: "10.242.0.1",
};
const PATIENCE: Duration = Duration::from_secs(300);
/// How long a killed mover is not missed.
const MOURNING: Duration = Duration::from_secs(1);

/// The parent's operator.
struct Operator(Child);

impl Operator {
    fn start(cloud: &Cloud, kubeconfig: &Path) -> Self {
        let kubeconfig = kubeconfig.display().to_string();
        let bootstrap = format!("{}:8444", PLACE.host);
        let words = [
            "operator",
            "--kubeconfig",
            &kubeconfig,
            "--identity",
            "parent",
            "--http",
            "127.0.0.1:0",
            "--bootstrap-listen",
            &bootstrap,
            "--bootstrap-host",
            PLACE.host,
            "--image",
            "registry.example.com/lattice:1",
        ];
        Self(cloud.spawned("operator", &words.map(str::to_owned)))
    }

    fn victim(&self) -> Victim {
        Victim::Process(self.0.id())
    }

    /// Whether it was killed.
    fn is_dead(&mut self) -> bool {
        let end = self.0.try_wait().unwrap();
        let is_killed = |end: std::process::ExitStatus| {
            assert_eq!(end.signal(), Some(9), "{end}");
        };
        end.map(is_killed).is_some()
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The only LatticeCluster.
async fn only_cluster(client: &Client) -> kube::Result<Option<DynamicObject>> {
    let gvk = GroupVersionKind::gvk("lattice.dev", "v1alpha1", "LatticeCluster");
    let all: Api<DynamicObject> = Api::all_with(client.clone(), &ApiResource::from_gvk(&gvk));
    Ok(all.list(&ListParams::default()).await?.items.pop())
}

fn phase(cluster: &DynamicObject) -> &str {
    cluster.data["status"]["phase"].as_str().unwrap_or_default()
}

/// Has the operator in the cluster let go of it, as a parent does before it takes the objects back.
async fn let_go(home: &Home, cloud: &Cloud) {
    fleet::delete(&home.child, "LatticeCluster", None, &home.cluster.name).await;
    until(
        "the cluster is let go of",
        PATIENCE,
        &home.child,
        cloud,
        async || {
            let left = only_cluster(&home.child).await.ok()?;
            left.is_none().then_some(())
        },
    )
    .await;
}

/// Takes the objects back to the parent, as soon as it is told to.
fn take_back(home: &Home, go: Arc<Notify>) -> JoinHandle<Result<Outcome, PivotError>> {
    let (from, to) = (home.child.clone(), home.parent.clone());
    let cluster = home.cluster.clone();
    tokio::spawn(async move {
        go.notified().await;
        let options = Options {
            poll: Duration::from_millis(200),
            ..Options::default()
        };
        pivot(&Direct::new(from), &Direct::new(to), &cluster, &options).await
    })
}

/// After which writes a mover is killed, on the way into the cluster and on the way back: from the first to the last, and
/// right before and after the handover.
fn points(writes: &[String]) -> [(usize, usize); 6] {
    let all = writes.len();
    let is_deed =
        |write: &String| write.starts_with("UPDATE ConfigMap") && write.contains("-pivot ");
    let handover = writes.iter().rposition(is_deed).expect("a handover");
    let rest = all - handover;
    println!("{all} writes, the handover is number {}", handover + 1);
    [
        (1, 2),
        (handover / 4, handover / 2),
        (handover / 2, 3 * handover / 4),
        (handover, handover + 1),
        (handover + 1, handover + rest / 3),
        (handover + rest / 2, handover + 2 * rest / 3),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_moves_a_cluster_may_be_killed() {
    let begun = Instant::now();
    let folder = tempfile::tempdir().unwrap();
    let plane = ControlPlane::start(support::options(folder.path())).await;
    let plane = plane.unwrap();
    let parent = plane.client().await.unwrap();
    install::install(&parent).await.unwrap();
    let cloud = Cloud::start(PLACE);
    let kubeconfig = plane.kubeconfig_path();
    let _managing = managers::start(&parent, &kubeconfig, folder.path(), PLACE.host).await;
    let host: Ipv4Addr = PLACE.host.parse().unwrap();
    let executioner = Executioner::start(&[Ipv4Addr::LOCALHOST, host]);
    let mut operator = Operator::start(&cloud, &kubeconfig);
    cloud.ask_for_a_service(&parent).await;

    // Whoever counts the writes is there before the first of them.
    let name = until(
        "a cluster is decided on",
        PATIENCE,
        &parent,
        &cloud,
        async || Some(only_cluster(&parent).await.ok()??.name_any()),
    )
    .await;
    let cluster = ClusterName::new(format!("capi-{name}"), &name);
    let local = Ipv4Addr::LOCALHOST;
    executioner
        .preside(&parent, local, &cluster.namespace)
        .await;
    let secrets: Api<Secret> = Api::namespaced(parent.clone(), &cluster.namespace);
    let child = until(
        "the cluster serves",
        PATIENCE,
        &parent,
        &cloud,
        async || {
            let secret = secrets
                .get_opt(&format!("{name}-kubeconfig"))
                .await
                .unwrap();
            let child = managers::reached_by(&secret?.data?["value"].0).await;
            child.apiserver_version().await.ok()?;
            Some(child)
        },
    )
    .await;
    executioner.preside(&child, host, &cluster.namespace).await;
    let manages_itself = async |what: &str| {
        until(what, PATIENCE, &parent, &cloud, async || {
            let own = only_cluster(&child).await.ok()??;
            (phase(&own) == "Ready").then_some(())
        })
        .await;
    };
    manages_itself("the cluster manages itself").await;
    let points = points(&executioner.written());
    let home = Arc::new(Home {
        parent: parent.clone(),
        child: child.clone(),
        cluster,
        machines: fs::canonicalize(cloud.folder()).unwrap().join("machines"),
    });
    let life = home.life(Side::Target).await;
    assert_eq!(
        (life.machines.len(), life.boots.len(), life.nodes.len()),
        (2, 2, 2)
    );
    println!(
        "{} objects; {:.0} s",
        life.objects.len(),
        begun.elapsed().as_secs_f64()
    );

    let mut sampler = Sampler::start(&home);
    for (into, back) in points {
        // Back, by a mover that is killed, and another that knows nothing of it.
        operator.0.kill().unwrap();
        let_go(&home, &cloud).await;
        let go = Arc::new(Notify::new());
        let moving = take_back(&home, Arc::clone(&go));
        executioner.sentence(back, Victim::Task(moving.abort_handle()));
        go.notify_one();
        let end = moving.await;
        assert!(
            end.as_ref().is_err_and(|end| end.is_cancelled()),
            "{back}: {end:?}"
        );
        sleep(MOURNING).await;
        let left = executioner.written().len();
        assert_eq!(left, back, "nobody moves");
        let moving = take_back(&home, Arc::clone(&go));
        go.notify_one();
        let moved = moving.await.unwrap().unwrap();
        assert!(matches!(moved, Outcome::Moved { .. }), "{moved:?}");
        assert_eq!(home.sample().await, Side::Source);
        assert_eq!(
            home.life(Side::Source).await,
            life,
            "back, killed after {back}"
        );
        let rest = executioner.written().len();
        println!("back: killed after write {back}, {rest} more");

        // Into the cluster, by the operator, which is killed, and started again.
        operator = Operator::start(&cloud, &kubeconfig);
        executioner.sentence(into, operator.victim());
        until(
            "the operator is killed",
            PATIENCE,
            &home.parent,
            &cloud,
            async || operator.is_dead().then_some(()),
        )
        .await;
        sleep(MOURNING).await;
        assert_eq!(executioner.written().len(), into, "nobody moves");
        operator = Operator::start(&cloud, &kubeconfig);
        manages_itself("the cluster manages itself again").await;
        assert_eq!(home.sample().await, Side::Target);
        assert_eq!(
            home.life(Side::Target).await,
            life,
            "into it, killed after {into}"
        );
        let rest = executioner.written().len();
        println!("into it: killed after write {into}, {rest} more");
        assert!(!executioner.is_waiting());
        sampler.check().await;
    }
    let asked = sampler.check().await;
    drop(sampler);
    println!(
        "{} crash points, {asked} times one owner; all of it: {:.0} s",
        2 * points.len(),
        begun.elapsed().as_secs_f64()
    );
    drop(operator);
    drop(cloud);
    plane.stop().await.unwrap();
}
