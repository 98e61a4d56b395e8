//! Clusters that cannot come: each says why, and deleted it leaves nothing behind. Needs root.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client, api::ListParams};
use serde_json::{Value, json};
use support::{fleet, local_cloud::Place, managers, parent::Parent};

const PLACE: Place = Place {
    bridge: "lattesta",
    subnet: "10.230.0.0/16",
    host: "10.230.0.1",
};

fn lattice(kind: &str, name: &str, spec: Value) -> Value {
    json!({
        "apiVersion": "lattice.dev/v1alpha1",
        "kind": kind,
        "metadata": {"name": name},
        "spec": spec,
    })
}

fn pool(name: &str, secret: &str) -> Value {
    let provider = json!({
        "type": "local",
        "region": "here",
        "zones": ["rack-1"],
        "credentials": {"secretRef": secret},
    });
    lattice(
        "LatticePool",
        name,
        json!({"provider": provider, "nodeClasses": ["small"]}),
    )
}

fn cluster(name: &str, pool: &str, provider: &str, version: &str) -> Value {
    lattice(
        "LatticeCluster",
        name,
        json!({
            "poolRef": pool,
            "provider": {"type": provider, "kubernetes": {"version": version}},
            "nodes": {"controlPlane": 1, "controlPlaneClass": "small", "groups": [{"nodeClass": "small", "count": 1}]},
        }),
    )
}

/// What a cluster waits for.
async fn said(client: &Client, name: &str) -> Option<String> {
    let object = fleet::get(client, "LatticeCluster", name).await?;
    let phase = object["status"]["phase"].as_str()?;
    Some(format!(
        "{phase} {}",
        fleet::condition(&object, "Provisioned")
    ))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_come_says_why_and_leaves_nothing() {
    let parent = Parent::start(PLACE).await;
    let client = &parent.client;
    let version = managers::version();
    parent.hand_over("default", "local-credentials").await;
    parent.cloud.told(&["admit", "passing"]);
    parent.hand_over("passing", "revoked").await;
    parent.cloud.told(&["revoke", "passing"]);
    parent.cloud.told(&["fail", "no-boot", "mute"]);
    let resources =
        json!({"resources": {"cores": 2, "memoryGi": 4}, "costPerHour": {"local": 0.01}});
    fleet::apply(client, &lattice("LatticeNodeClass", "small", resources)).await;
    for pool in [
        pool("here", "local-credentials"),
        pool("penniless", "nowhere"),
        pool("barred", "revoked"),
    ] {
        fleet::apply(client, &pool).await;
    }

    let unknown = cluster("unknown", "here", "vsphere", &version);
    let refused = fleet::try_apply(client, &unknown).await.unwrap_err();
    println!("unknown provider: {refused}");
    let refused = refused.to_string();
    assert!(refused.contains("spec.provider.type"), "{refused}");
    assert!(refused.contains("\"vsphere\""), "{refused}");
    assert!(refused.contains("\"local\""), "what there is: {refused}");

    for cluster in [
        cluster("mute", "here", "local", &version),
        cluster("poor", "penniless", "local", &version),
        cluster("banned", "barred", "local", &version),
        cluster("newest", "here", "local", "v1.99.0"),
    ] {
        fleet::apply(client, &cluster).await;
    }
    for (name, beginning, reason) in [
        ("poor", "Failed False CredentialsMissing", "Secret nowhere"),
        ("banned", "Provisioning False", "UnknownCredential"),
        ("newest", "Provisioning False", "ImageNotFound"),
        ("mute", "Provisioning False", "Booting the machine starts"),
    ] {
        let what = format!("{name}: {reason}");
        let sentence = parent.until(&what, async || {
            let said = said(client, name).await?;
            (said.starts_with(beginning) && said.contains(reason)).then_some(said)
        });
        println!("{}", sentence.await);
    }
    let shortage = parent.until("what does not come is given up", async || {
        let mute = fleet::get(client, "LatticeCluster", "mute").await?;
        mute["status"]["shortages"].get(0).cloned()
    });
    let shortage = shortage.await;
    assert_eq!(shortage["reason"], "NotComing");
    assert_eq!(
        shortage["message"],
        "no node after 4 minutes. the machine starts"
    );

    for name in ["mute", "poor", "banned", "newest"] {
        fleet::delete(client, "LatticeCluster", None, name).await;
    }
    // What was made with a credential is given back with one.
    let waits = parent.until("banned waits", async || {
        let said = said(client, "banned").await?;
        (said.starts_with("Deleting") && said.contains("UnknownCredential")).then_some(said)
    });
    println!("{}", waits.await);
    parent.cloud.told(&["admit", "passing"]);
    parent.hand_over("passing", "revoked").await;
    parent
        .until("all clusters to be gone", async || {
            let left = fleet::list(client, "LatticeCluster").await.items;
            left.is_empty().then_some(())
        })
        .await;
    assert_eq!(parent.cloud.told(&["machines"]), "No machines.\n");
    assert_eq!(PLACE.cables(), Vec::<String>::new());
    let secrets: Api<Secret> = Api::all(client.clone());
    let theirs = ListParams::default().labels("lattice.dev/cluster");
    let left = secrets.list(&theirs).await.unwrap().items;
    assert!(left.is_empty(), "{left:?}");
    parent.stop().await;
}
