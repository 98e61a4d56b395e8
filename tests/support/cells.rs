//! Cells and agents on real API servers.

use std::net::TcpListener;

use chrono::{DateTime, TimeDelta, Utc};
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, Client,
    api::{Patch, PatchParams},
};
use lattice::{
    clusters::bootstrap::{Authority, SigningRequest},
    operator::{Options, cell, proxy, run},
};
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::fleet;

/// How an operator of a test serves agents on this port.
pub fn serving(name: &str, port: u16) -> Options {
    Options {
        cell: Some(cell::Options {
            listen: format!("127.0.0.1:{port}").parse().unwrap(),
            hosts: vec!["127.0.0.1".to_owned()],
            name: name.to_owned(),
        }),
        ..fleet::options(name)
    }
}

/// The same, with a proxy to the clusters below.
pub fn proxying(name: &str, port: u16) -> Options {
    Options {
        proxy: Some(proxy::Options {
            listen: "127.0.0.1:0".parse().unwrap(),
            hosts: vec!["127.0.0.1".to_owned()],
        }),
        ..serving(name, port)
    }
}

/// A port that was free a moment ago.
pub fn port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

pub fn operate(client: &Client, options: Options) -> CancellationToken {
    let stop = CancellationToken::new();
    let running = run(client.clone(), options, stop.clone());
    tokio::spawn(async move { running.await.unwrap() });
    stop
}

/// A certificate of the key by the cell's own authority, from then on, and the authority's.
async fn certified(
    parent: &Client,
    cluster: &str,
    key: &KeyPair,
    at: DateTime<Utc>,
) -> (String, String) {
    let secrets: Api<Secret> = Api::namespaced(parent.clone(), "lattice-system");
    let secret = fleet::eventually("the cell's authority", || async {
        secrets.get_opt("lattice-cell-authority").await.unwrap()
    })
    .await;
    let data = secret.data.unwrap();
    let text = |key: &str| String::from_utf8(data[key].0.clone()).unwrap();
    let authority = Authority::from_pem(&text("tls.crt"), &text("tls.key")).unwrap();
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, cluster);
    let request = params.serialize_request(key).unwrap().pem().unwrap();
    let request = SigningRequest::from_pem(&request).unwrap();
    let object = fleet::get(parent, "LatticeCluster", cluster).await.unwrap();
    let uid = object["metadata"]["uid"].as_str().unwrap();
    let certificate = authority.certify_agent(&request, uid, at).unwrap();
    (certificate, authority.certificate().to_owned())
}

/// Replaces the certificate of a cluster's agent by one that was over a day ago.
pub async fn a_day_later(parent: &Client, child: &Client, cluster: &str) {
    let own: Api<Secret> = Api::namespaced(child.clone(), "lattice-system");
    let key = own.get("lattice-agent-key").await.unwrap().data.unwrap();
    let key = KeyPair::from_pem(std::str::from_utf8(&key["tls.key"].0).unwrap()).unwrap();
    let made = Utc::now() - TimeDelta::days(2);
    let (certificate, _) = certified(parent, cluster, &key, made).await;
    let patch = Patch::Merge(json!({"stringData": {"tls.crt": certificate}}));
    let params = PatchParams::default();
    own.patch("lattice-agent-certificate", &params, &patch)
        .await
        .unwrap();
}

/// What the first call of a new cluster's machine leaves there, by the cell's own authority.
pub async fn join(parent: &Client, child: &Client, cluster: &str, endpoint: &str) {
    let key = KeyPair::generate().unwrap();
    let (certificate, authority) = certified(parent, cluster, &key, Utc::now()).await;
    let named = |kind: &str, name: &str| json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": "lattice-system"}});
    let with = |mut object: Value, field: &str, data: Value| {
        object[field] = data;
        object
    };
    for object in [
        with(
            named("Secret", "lattice-agent-certificate"),
            "stringData",
            json!({"tls.crt": certificate, "ca.crt": authority}),
        ),
        with(
            named("Secret", "lattice-agent-key"),
            "stringData",
            json!({"tls.key": key.serialize_pem()}),
        ),
        with(
            named("ConfigMap", "lattice-parent"),
            "data",
            json!({"cluster": cluster, "endpoint": endpoint}),
        ),
    ] {
        fleet::apply(child, &object).await;
    }
}

/// A cluster that people have declared, with its pool and class.
pub fn fleet_of_one(name: &str) -> [Value; 3] {
    let lattice = |kind: &str, name: &str, spec: Value| {
        json!({
            "apiVersion": "lattice.dev/v1alpha1",
            "kind": kind,
            "metadata": {"name": name},
            "spec": spec,
        })
    };
    let class = json!({
        "providers": {"aws": {"instanceType": "m5.large"}},
        "resources": {"cores": 2, "memoryGi": 8},
        "costPerHour": {"aws": 0.1},
    });
    let pool =
        json!({"provider": {"type": "aws", "region": "us-east-1"}, "nodeClasses": ["little"]});
    let spec = json!({
        "poolRef": "us",
        "provider": {"type": "aws", "kubernetes": {"version": "1.36.3"}},
        "nodes": {"controlPlane": 1, "controlPlaneClass": "little"},
    });
    [
        lattice("LatticeNodeClass", "little", class),
        lattice("LatticePool", "us", pool),
        lattice("LatticeCluster", name, spec),
    ]
}
