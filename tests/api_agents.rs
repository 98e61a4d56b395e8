//! A cell and an agent on two real API servers, and requests that go through.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::{process::Command, time::Duration};

use futures::{StreamExt, pin_mut};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, Client, Config,
    api::{DeleteParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams},
    config::{AuthInfo, KubeConfigOptions, Kubeconfig},
};
use serde_json::json;
use support::{
    callers::{bind, through, token},
    cells::{fleet_of_one, join, operate, port, proxying},
    fleet,
    pivoting::Place,
};

fn refusal<T: std::fmt::Debug>(answer: kube::Result<T>) -> (u16, String) {
    match answer {
        Err(kube::Error::Api(status)) => (status.code, status.message.clone()),
        other => panic!("{other:?}"),
    }
}

/// Status and body, by curl, with headers that no client library sends.
fn curl(folder: &std::path::Path, url: &str, token: &str, headers: &[&str]) -> (u16, String) {
    let mut command = Command::new("curl");
    command
        .args([
            "--silent",
            "--show-error",
            "--cacert",
            "ca.pem",
            "--noproxy",
            "*",
        ])
        .args([
            "--path-as-is",
            "--output",
            "answer",
            "--write-out",
            "%{http_code}",
        ])
        .args([
            "--max-time",
            "20",
            "--header",
            &format!("Authorization: Bearer {token}"),
        ])
        .current_dir(folder);
    for header in headers {
        command.args(["--header", header]);
    }
    let called = command.arg(url).output().expect("curl");
    let status = String::from_utf8(called.stdout).unwrap().parse().unwrap();
    (
        status,
        std::fs::read_to_string(folder.join("answer")).unwrap_or_default(),
    )
}

fn named(name: &str, data: &str) -> ConfigMap {
    let map = json!({"metadata": {"name": name}, "data": {"said": data}});
    serde_json::from_value(map).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_joins_and_its_api_server_is_reached_through_the_cell() {
    let place = || Place::again(tempfile::tempdir().unwrap());
    let (above, below) = tokio::join!(place(), place());
    let (parent, child) = (&above.client, &below.client);
    tokio::join!(fleet::install_kinds(parent), fleet::install_kinds(child));
    let agents = port();
    let parent_stop = operate(parent, proxying("parent", agents));
    let child_stop = operate(child, fleet::options("child"));
    for object in fleet_of_one("east") {
        fleet::apply(parent, &object).await;
    }
    join(parent, child, "east", &format!("127.0.0.1:{agents}")).await;
    let connected = fleet::eventually("the agent connects", || async {
        let object = fleet::get(parent, "LatticeCluster", "east").await?;
        let said = fleet::condition(&object, "AgentConnected");
        said.contains("nodes ready").then_some((said, object))
    })
    .await;
    assert!(
        connected.0.starts_with("True Connected agent"),
        "{}",
        connected.0
    );
    let version = connected.1["status"]["kubernetesVersion"].as_str().unwrap();
    assert!(version.starts_with('v'), "{version}");

    // Whom the cell does not know, or does not let, gets no further.
    let ann = token(parent, "ann").await;
    let (client, url, authority) = through(parent, "/clusters/east", &ann).await;
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), "default");
    let (code, why) = refusal(maps.get("nothing").await);
    assert_eq!(code, 403, "{why}");
    assert!(why.contains("may not get latticeclusters/proxy"), "{why}");
    let (unknown, ..) = through(parent, "/clusters/east", "nobody").await;
    let unknown: Api<ConfigMap> = Api::namespaced(unknown, "default");
    assert_eq!(refusal(unknown.get("nothing").await).0, 401);
    let user = "system:serviceaccount:default:ann";
    let verbs = json!(["get", "create", "update", "patch", "delete"]);
    let rule = json!({"apiGroups": ["lattice.dev"], "resources": ["latticeclusters/proxy"], "resourceNames": ["east"], "verbs": verbs});
    bind(parent, "east-proxy", user, rule).await;
    let (code, why) = fleet::eventually("the cell lets her", || async {
        let answer = refusal(maps.get("nothing").await);
        (!answer.1.contains("latticeclusters/proxy")).then_some(answer)
    })
    .await;
    // The cluster below decides for itself, and knows her by another name than an account of its own.
    assert_eq!(code, 403, "{why}");
    assert!(
        why.contains("\"lattice:cell:system:serviceaccount:default:ann\""),
        "{why}"
    );
    let rule = json!({"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list", "watch", "create", "patch", "delete"]});
    bind(
        child,
        "ann",
        "lattice:cell:system:serviceaccount:default:ann",
        rule,
    )
    .await;
    fleet::eventually("the cluster lets her", || async {
        maps.get_opt("nothing").await.ok()
    })
    .await;

    // All verbs, and a watch that is open meanwhile.
    let params = WatchParams::default().fields("metadata.name=hello");
    let version = maps.list(&kube::api::ListParams::default()).await.unwrap();
    let version = version.metadata.resource_version.unwrap();
    let events = maps.watch(&params, &version).await.unwrap();
    pin_mut!(events);
    let large = "x".repeat(200_000);
    maps.create(&PostParams::default(), &named("hello", &large))
        .await
        .unwrap();
    let direct: Api<ConfigMap> = Api::namespaced(child.clone(), "default");
    assert_eq!(
        direct.get("hello").await.unwrap().data.unwrap()["said"],
        large
    );
    let next = tokio::time::timeout(Duration::from_secs(20), events.next()).await;
    assert!(
        matches!(next.unwrap(), Some(Ok(WatchEvent::Added(map))) if map.data.as_ref().unwrap()["said"] == large)
    );
    let patch = json!({"data": {"said": "bye"}});
    maps.patch("hello", &PatchParams::default(), &Patch::Merge(&patch))
        .await
        .unwrap();
    let next = tokio::time::timeout(Duration::from_secs(20), events.next()).await;
    assert!(matches!(next.unwrap(), Some(Ok(WatchEvent::Modified(_)))));
    maps.delete("hello", &DeleteParams::default())
        .await
        .unwrap();
    assert!(direct.get_opt("hello").await.unwrap().is_none());
    let at_home: Api<ConfigMap> = Api::namespaced(parent.clone(), "default");
    assert!(at_home.get_opt("hello").await.unwrap().is_none());

    // Nobody becomes somebody else on the way.
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("ca.pem"), &authority).unwrap();
    let secrets = format!("{url}/api/v1/namespaces/lattice-system/secrets");
    let curl = |url: &str, headers: &[&str]| curl(folder.path(), url, &ann, headers);
    for header in [
        "Impersonate-User: admin",
        "Impersonate-Group: system:masters",
        "Impersonate-Extra-a: b",
        "impersonate-uid: 1",
    ] {
        let (status, body) = curl(&secrets, &[header]);
        assert_eq!(status, 400, "{header}: {body}");
    }
    for header in [
        "Connection: Impersonate-User",
        "X-Remote-User: admin",
        "X-Remote-Group: system:masters",
    ] {
        let (status, body) = curl(&secrets, &[header]);
        assert_eq!(status, 403, "{header}: {body}");
        assert!(
            body.contains("lattice:cell:system:serviceaccount:default:ann"),
            "{body}"
        );
    }
    // An upgrade that the cluster refuses is an answer like another, and one to anything else is refused here.
    let (status, body) = curl(&secrets, &["Connection: Upgrade", "Upgrade: SPDY/3.1"]);
    assert_eq!(status, 403, "{body}");
    let (status, body) = curl(&secrets, &["Connection: Upgrade", "Upgrade: h2c"]);
    assert_eq!(status, 400, "{body}");
    for path in ["/../west/api", "/api/../../west", "/%2e%2e/x"] {
        let (status, body) = curl(&format!("{url}{path}"), &[]);
        assert_eq!(status, 404, "{path}: {body}");
    }
    // What the cluster below is not: a cell.
    let (status, body) = curl(&format!("{url}/clusters/further/version"), &[]);
    assert_eq!(status, 503, "{body}");

    // The command's kubeconfig: of whoever has a token.
    let ask = |kubeconfig: &std::path::Path| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lattice"));
        command
            .args(["kubeconfig", "east", "--kubeconfig"])
            .arg(kubeconfig);
        command.output().unwrap()
    };
    let refused = ask(&above.kubeconfig());
    let why = String::from_utf8(refused.stderr).unwrap();
    assert!(
        !refused.status.success() && why.contains("has no token"),
        "{why}"
    );
    let mut own = Kubeconfig::read_from(above.kubeconfig()).unwrap();
    own.auth_infos[0].auth_info = Some(AuthInfo {
        token: Some(ann.clone().into()),
        ..AuthInfo::default()
    });
    let file = folder.path().join("ann.yaml");
    std::fs::write(&file, serde_json::to_string(&own).unwrap()).unwrap();
    let rule = json!({"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]});
    bind(parent, "ann", user, rule).await;
    let made = fleet::eventually("she may read where the proxy is", || async {
        let made = ask(&file);
        made.status.success().then_some(made)
    })
    .await;
    let kubeconfig = Kubeconfig::from_yaml(&String::from_utf8(made.stdout).unwrap()).unwrap();
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
        .await
        .unwrap();
    config.proxy_url = None;
    let maps: Api<ConfigMap> = Api::namespaced(Client::try_from(config).unwrap(), "lattice-system");
    let map = maps.get("lattice-parent").await.unwrap();
    assert_eq!(map.data.unwrap()["cluster"], "east");

    // An agent that is revoked is shut out at once, and its cluster reached no more.
    let gone = json!({"metadata": {"annotations": {"lattice.dev/agent-revoked-before": "2100-01-01T00:00:00Z"}}});
    let kind = kube::core::GroupVersionKind::gvk("lattice.dev", "v1alpha1", "LatticeCluster");
    let resource = kube::api::ApiResource::from_gvk(&kind);
    let clusters: Api<kube::api::DynamicObject> = Api::all_with(parent.clone(), &resource);
    clusters
        .patch("east", &PatchParams::default(), &Patch::Merge(&gone))
        .await
        .unwrap();
    fleet::eventually("it is shut out", || async {
        let object = fleet::get(parent, "LatticeCluster", "east").await?;
        fleet::condition(&object, "AgentConnected")
            .starts_with("False Lost certificates of east")
            .then_some(())
    })
    .await;
    let (status, body) = curl(&format!("{url}/version"), &[]);
    assert_eq!(status, 503, "{body}");
    parent_stop.cancel();
    child_stop.cancel();
    tokio::join!(above.stop(), below.stop());
}
