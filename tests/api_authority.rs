//! A cell takes another authority while an agent is connected and another is away, on real API servers.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::{path::Path, process::Command, time::Duration};

use futures::{StreamExt, pin_mut};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::{
    Api, Client,
    api::{PostParams, WatchEvent, WatchParams},
};
use serde_json::json;
use support::{
    callers::{bind, through, token},
    cells::{a_day_later, fleet_of_one, join, operate, port, proxying},
    fleet,
    pivoting::Place,
};

/// What `lattice authority` says to this.
fn authority(kubeconfig: &Path, word: &str) -> Vec<String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lattice"));
    command
        .args(["authority", word, "--kubeconfig"])
        .arg(kubeconfig);
    let told = command.output().unwrap();
    assert!(told.status.success(), "{told:?}");
    let text = String::from_utf8(told.stdout).unwrap();
    text.lines().skip(1).map(str::to_owned).collect()
}

async fn agent_is(client: &Client, cluster: &str, beginning: &str) {
    fleet::eventually(&format!("the agent of {cluster}: {beginning}"), || async {
        let object = fleet::get(client, "LatticeCluster", cluster).await?;
        let said = fleet::condition(&object, "AgentConnected");
        said.starts_with(beginning).then_some(())
    })
    .await;
}

/// So many certificates are below this key of what the agent has.
async fn knows(child: &Client, count: usize) {
    let secrets: Api<Secret> = Api::namespaced(child.clone(), "lattice-system");
    fleet::eventually(&format!("{count} authorities"), || async {
        let secret = secrets.get("lattice-agent-certificate").await.unwrap();
        let authorities = &secret.data.unwrap()["ca.crt"].0;
        let text = String::from_utf8(authorities.clone()).unwrap();
        (text.matches("BEGIN CERTIFICATE").count() == count).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_authority_drops_no_stream_and_locks_nobody_out() {
    let place = || Place::again(tempfile::tempdir().unwrap());
    let (above, east, west) = tokio::join!(place(), place(), place());
    let parent = &above.client;
    for place in [&above, &east, &west] {
        fleet::install_kinds(&place.client).await;
    }
    let agents = port();
    let parent_stop = operate(parent, proxying("parent", agents));
    let east_stop = operate(&east.client, fleet::options("east"));
    let west_stop = operate(&west.client, fleet::options("west"));
    for (name, place) in [("east", &east), ("west", &west)] {
        for object in fleet_of_one(name) {
            fleet::apply(parent, &object).await;
        }
        join(parent, &place.client, name, &format!("127.0.0.1:{agents}")).await;
        agent_is(parent, name, "True Connected").await;
    }

    // A watch through the agent's stream.
    let ann = token(parent, "ann").await;
    let account = "system:serviceaccount:default:ann";
    let rule = json!({"apiGroups": ["lattice.dev"], "resources": ["latticeclusters/proxy"], "verbs": ["get", "create"]});
    bind(parent, "proxy", account, rule).await;
    let rule = json!({"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list", "watch", "create"]});
    bind(
        &east.client,
        "ann",
        &format!("lattice:cell:{account}"),
        rule,
    )
    .await;
    let (before, ..) = through(parent, "/clusters/east", &ann).await;
    let maps: Api<ConfigMap> = Api::namespaced(before, "default");
    let listed = fleet::eventually("she is let in", || async {
        maps.list(&Default::default()).await.ok()
    })
    .await;
    let version = listed.metadata.resource_version.unwrap();
    let params = WatchParams::default().fields("metadata.name=hello");
    let events = maps.watch(&params, &version).await.unwrap();
    pin_mut!(events);

    // The west goes away, and its certificate ends meanwhile.
    west_stop.cancel();
    agent_is(parent, "west", "False Lost").await;
    a_day_later(parent, &west.client, "west").await;

    let kubeconfig = above.kubeconfig();
    let first = authority(&kubeconfig, "show");
    assert_eq!(first.len(), 1, "{first:?}");
    let rotated = authority(&kubeconfig, "rotate");
    println!("{}", rotated.join("\n"));
    assert!(rotated[0].starts_with(" certifies"), "{rotated:?}");
    let fingerprint = |line: &str| line.split(' ').next_back().unwrap().to_owned();
    assert_eq!(fingerprint(&rotated[1]), fingerprint(&first[0]));
    let published: Api<ConfigMap> = Api::namespaced(parent.clone(), "lattice-system");
    fleet::eventually("callers are told", || async {
        let told = published.get("lattice-cell").await.unwrap().data.unwrap();
        (told["ca.crt"].matches("BEGIN CERTIFICATE").count() == 2).then_some(())
    })
    .await;

    // Who knows the old one alone is served: callers, the agent that was away, and the stream that is open goes on.
    let hello = serde_json::from_value(json!({"metadata": {"name": "hello"}})).unwrap();
    maps.create(&PostParams::default(), &hello).await.unwrap();
    let next = tokio::time::timeout(Duration::from_secs(20), events.next()).await;
    assert!(matches!(next.unwrap(), Some(Ok(WatchEvent::Added(_)))));
    knows(&west.client, 1).await;
    let west_stop = operate(&west.client, fleet::options("west"));
    agent_is(parent, "west", "True Connected").await;
    knows(&west.client, 2).await;

    // With the old one forgotten, who has renewed stays, and who has not is cut off at once.
    let left = authority(&kubeconfig, "forget");
    assert_eq!(left.len(), 1, "{left:?}");
    agent_is(parent, "east", "False Lost certificates of east").await;
    agent_is(parent, "west", "True Connected").await;
    for stop in [parent_stop, east_stop, west_stop] {
        stop.cancel();
    }
    tokio::join!(above.stop(), east.stop(), west.stop());
}
