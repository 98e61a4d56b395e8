//! What an operator in a cluster of its own serves: that it is a cell, its own LatticeCluster says.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use k8s_openapi::api::core::v1::Pod;
use kube::{Api, Client, runtime::reflector::Store};
use tokio::time::sleep;

use super::{
    bootstrap, cell,
    decision_log::NAMESPACE,
    provision::{ProvisionError, own_name},
};
use crate::api::LatticeCluster;

/// How often is looked whether the cluster has become a cell.
const PERIOD: Duration = Duration::from_secs(5);

/// How children reach the operator.
#[derive(Clone, Debug)]
pub(super) struct Role {
    pub(super) bootstrap: bootstrap::Options,
    pub(super) cell: cell::Options,
}

/// This operator's pod.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    address: String,
    image: String,
}

/// Waits until the cluster that this operator runs in is to have children.
pub(super) async fn awaited(
    client: &Client,
    clusters: &Store<LatticeCluster>,
    identity: &str,
) -> Role {
    loop {
        match found(client, clusters, identity).await {
            Ok(Some(role)) => return role,
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "whether this cluster is a cell is not known"),
        }
        sleep(PERIOD).await;
    }
}

async fn found(
    client: &Client,
    clusters: &Store<LatticeCluster>,
    identity: &str,
) -> Result<Option<Role>, ProvisionError> {
    let Some(own) = own_name(client).await? else {
        return Ok(None);
    };
    let cluster = clusters.find(|cluster| cluster.metadata.name.as_ref() == Some(&own));
    let Some(cluster) = cluster.filter(|cluster| cluster.spec.is_cell()) else {
        return Ok(None);
    };
    let pods: Api<Pod> = Api::namespaced(client.clone(), NAMESPACE);
    let place = pods.get_opt(identity).await?.and_then(place);
    Ok(place.map(|place| role(&own, &cluster, place)))
}

fn place(pod: Pod) -> Option<Place> {
    Some(Place {
        address: pod.status?.pod_ip?,
        image: pod.spec?.containers.into_iter().next()?.image?,
    })
}

/// Where no host is named, children are told the pod's own address, which does where machines of other clusters reach it.
fn role(name: &str, cluster: &LatticeCluster, place: Place) -> Role {
    let wanted = cluster.spec.cell.clone().unwrap_or_default();
    let endpoints = cluster.spec.endpoints.as_ref();
    let named = wanted
        .host
        .or_else(|| endpoints.map(|endpoints| endpoints.host.clone()));
    let host = named.unwrap_or(place.address);
    let stream = wanted
        .grpc_port
        .or_else(|| endpoints.and_then(|endpoints| endpoints.port))
        .unwrap_or(cell::PORT);
    let anywhere = |port| SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
    Role {
        bootstrap: bootstrap::Options {
            listen: anywhere(wanted.bootstrap_port.unwrap_or(bootstrap::PORT)),
            hosts: vec![host.clone()],
            endpoint: format!("{host}:{stream}"),
            image: place.image,
        },
        cell: cell::Options {
            listen: anywhere(stream),
            hosts: vec![host],
            name: name.to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn cluster(cell: serde_json::Value, endpoints: serde_json::Value) -> LatticeCluster {
        serde_json::from_value(json!({
            "apiVersion": "lattice.dev/v1alpha1", "kind": "LatticeCluster", "metadata": {"name": "us"},
            "spec": {
                "provider": {"kubernetes": {"version": "1.36.3"}},
                "nodes": {"controlPlane": 1},
                "cell": cell,
                "endpoints": endpoints,
            },
        }))
        .unwrap()
    }

    fn told(cluster: &LatticeCluster) -> (String, SocketAddr, SocketAddr) {
        let place = Place {
            address: "10.0.0.9".to_owned(),
            image: "lattice:1".to_owned(),
        };
        let role = role("us", cluster, place);
        assert_eq!(role.bootstrap.hosts, role.cell.hosts);
        assert_eq!(role.bootstrap.image, "lattice:1");
        (
            role.bootstrap.endpoint,
            role.bootstrap.listen,
            role.cell.listen,
        )
    }

    #[test]
    fn children_are_told_what_is_named_or_else_the_pods_address() {
        let anywhere = |port: u16| SocketAddr::from(([0, 0, 0, 0], port));
        let nothing = cluster(json!({}), json!(null));
        let expected = ("10.0.0.9:8443".to_owned(), anywhere(8444), anywhere(8443));
        assert_eq!(told(&nothing), expected);
        let endpoint = cluster(json!(null), json!({"host": "us.example.com", "port": 443}));
        let expected = (
            "us.example.com:443".to_owned(),
            anywhere(8444),
            anywhere(443),
        );
        assert_eq!(told(&endpoint), expected);
        let both = cluster(
            json!({"host": "cell.example.com", "grpcPort": 1, "bootstrapPort": 2}),
            json!({"host": "us.example.com", "port": 443}),
        );
        let expected = ("cell.example.com:1".to_owned(), anywhere(2), anywhere(1));
        assert_eq!(told(&both), expected);
    }
}
