//! `lattice render`, byte by byte. `UPDATE_GOLDEN=1` writes anew what is expected.

#![allow(clippy::unwrap_used)]

#[path = "support/command.rs"]
mod command;

use std::path::PathBuf;
use std::process::Output;

use command::lattice;

fn folder(name: &str) -> PathBuf {
    command::root().join(name)
}

fn render(fleet: &str, more: &[&str]) -> Output {
    let mut command = lattice();
    let path = folder("tests/data/render").join(format!("{fleet}.yaml"));
    command.arg("render").arg(path).args(more);
    command.output().unwrap()
}

fn printed(fleet: &str, more: &[&str]) -> String {
    let output = render(fleet, more);
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(
        (output.status.code(), complaint.as_str()),
        (Some(0), ""),
        "{fleet}"
    );
    String::from_utf8(output.stdout).unwrap()
}

fn hold(name: &str, said: &str) {
    command::hold(&format!("render/{name}"), said);
}

#[test]
fn each_provider_has_its_objects() {
    for provider in [
        "aws",
        "aws-rke2",
        "gcp",
        "azure",
        "openstack",
        "proxmox",
        "docker",
        "local",
    ] {
        let found = printed(provider, &["--what", "clusters"]);
        hold(&format!("{provider}.yaml"), &found);
    }
}

#[test]
fn a_cluster_is_given_its_addresses() {
    let found = printed("docker", &["--what", "bootstrap"]);
    hold("docker-bootstrap.yaml", &found);
}

#[test]
fn json_has_all_of_a_cluster_together() {
    let found = printed("local", &["--what", "clusters", "-o", "json"]);
    let clusters: serde_json::Value = serde_json::from_str(&found).unwrap();
    let clusters = clusters.as_array().unwrap();
    assert_eq!(
        clusters.len(),
        1,
        "the scheduler makes one cluster for the service"
    );
    let yaml = printed("local", &["--what", "clusters"]);
    let objects = clusters[0]["objects"].as_array().unwrap();
    assert_eq!(objects.len(), yaml.split("---\n").count());
    assert_eq!(clusters[0]["registers"], true);
}

#[test]
fn wrong_clusters_are_pointed_out_and_right_ones_printed() {
    let output = render("bad", &["--what", "clusters"]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    for part in [
        "LatticeCluster hosted: spec.nodes.controlPlane",
        "LatticeCluster no-machine: spec.nodes.controlPlaneClass",
        "LatticeCluster partial: spec.provider.kubernetes.version",
        "bad.yaml:",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(printed.contains("name: capi-right") && !printed.contains("capi-hosted"));
}

#[test]
fn one_cluster_may_be_asked_for() {
    let output = render("bad", &["--what", "clusters", "--cluster", "right"]);
    assert_eq!(output.status.code(), Some(0));
    let output = render("bad", &["--what", "clusters", "--cluster", "wrong"]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("there is no cluster `wrong`") && said.contains("right"),
        "{said}"
    );
}
