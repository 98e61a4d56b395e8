//! A real API server with the real CRDs of Cluster API takes what is rendered.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, ListParams};

#[tokio::test]
async fn the_crds_of_cluster_api_and_its_providers_are_served() {
    let client = support::control_plane().await.client;
    support::cluster_api::install_cluster_api(&client).await;
    support::cluster_api::install_providers(&client, &["AWSCluster", "AzureCluster", "GCPCluster"])
        .await;
    let crds: Api<CustomResourceDefinition> = Api::all(client);
    let found = crds.list(&ListParams::default()).await.unwrap();
    let kinds: Vec<_> = found
        .items
        .iter()
        .map(|crd| crd.spec.names.kind.as_str())
        .collect();
    for kind in [
        "Cluster",
        "MachineDeployment",
        "KubeadmControlPlane",
        "KubeadmConfigTemplate",
        "Provider",
        "AWSCluster",
    ] {
        assert!(kinds.contains(&kind), "{kind}: {kinds:?}");
    }
}
