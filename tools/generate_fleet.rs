//! Writes a random fleet as manifests, for trying `lattice plan` at scale:
//! `cargo run --release --example generate-fleet -- 10000 100 /tmp/fleet`.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use lattice::scheduler::model::{Pool, Service, Snapshot};
use lattice::scheduler::units::decimal;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;

#[path = "../tests/fleet/mod.rs"]
mod fleet;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [services, pools, folder] = arguments.as_slice() else {
        eprintln!("usage: generate-fleet SERVICES POOLS FOLDER");
        std::process::exit(1);
    };
    let shape = fleet::Shape {
        services: services.parse().expect("a number of services"),
        pools: pools.parse().expect("a number of pools"),
        wild: false,
    };
    let snapshot = fleet::random(7, &shape);
    let folder = PathBuf::from(folder);
    std::fs::create_dir_all(&folder).expect("a folder");
    let write = |name: &str, text: String| {
        std::fs::write(folder.join(name), text).expect("a file that can be written");
    };
    write("node-classes.yaml", node_classes(&snapshot));
    write("pools.yaml", documents(&snapshot.pools, pool));
    write("policy.yaml", policy());
    // Files as teams keep them, a hundred services each.
    for (i, chunk) in snapshot.services.chunks(100).enumerate() {
        write(&format!("services-{i:04}.yaml"), documents(chunk, service));
    }
}

fn documents<T>(list: &[T], one: impl Fn(&T) -> String) -> String {
    list.iter().map(one).collect::<Vec<_>>().join("---\n")
}

fn head(kind: &str, name: &str) -> String {
    format!("apiVersion: lattice.dev/v1alpha1\nkind: {kind}\nmetadata:\n  name: {name}\n")
}

/// A class for each class of each pool, since prices differ from pool to pool.
fn node_classes(snapshot: &Snapshot) -> String {
    let mut list = Vec::new();
    for class in &snapshot.node_classes {
        let mut text = head("LatticeNodeClass", &class.name);
        let (c, r) = (class.capacity, class.reserved);
        write!(
            text,
            "spec:\n  resources: {{cores: {}m, memoryGi: {}Mi}}\n  reserved: {{cores: {}m, memoryGi: {}Mi}}\n  costPerHour:\n",
            c.milli_cores, c.mib, r.milli_cores, r.mib
        )
        .unwrap();
        let providers: BTreeSet<&str> =
            snapshot.pools.iter().map(|p| p.provider.as_str()).collect();
        for provider in providers {
            writeln!(text, "    {provider}:\n      regions:").unwrap();
            for pool in snapshot.pools.iter().filter(|p| p.provider == provider) {
                for offer in pool.offers.iter().filter(|o| o.class == class.name) {
                    let price = decimal(i128::from(offer.hourly));
                    writeln!(text, "        {}: {price}", pool.name).unwrap();
                }
            }
        }
        list.push(text);
    }
    list.join("---\n")
}

fn pool(pool: &Pool) -> String {
    let mut text = head("LatticePool", &pool.name);
    // The provider's region is the pool's own name, so that each pool has prices of its own.
    write!(
        text,
        "spec:\n  provider: {{type: {}, region: {}}}\n  nodeClasses: [{}]\n  labels:\n    region: {}\n",
        pool.provider,
        pool.name,
        pool.offers
            .iter()
            .map(|o| o.class.as_str())
            .collect::<Vec<_>>()
            .join(", "),
        pool.region
    )
    .unwrap();
    if let Some(zone) = &pool.zone {
        writeln!(text, "    zone: {zone}").unwrap();
    }
    for (key, values) in &pool.labels {
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        writeln!(text, "    {key}: [{}]", values.join(", ")).unwrap();
    }
    if let (Some(nodes), Some(cores), Some(mib)) = (
        pool.caps.max_nodes,
        pool.caps.max_milli_cores,
        pool.caps.max_mib,
    ) {
        writeln!(
            text,
            "  capacity: {{maxNodes: {nodes}, maxCores: {cores}m, maxMemoryGi: {mib}Mi}}"
        )
        .unwrap();
    }
    text
}

fn policy() -> String {
    head("LatticePlacementPolicy", "production-policy")
        + "spec:\n  selector: {matchLabels: {env: production}}\n  clusterPolicy: {minNodes: 3, maxNodes: 20, binPackingThreshold: 0.8, consolidation: {enabled: true, minUtilization: 0.3}}\n"
}

fn service(service: &Service) -> String {
    let mut text = head("LatticeService", &service.id.name);
    writeln!(text, "  namespace: {}", service.id.namespace).unwrap();
    if !service.labels.is_empty() {
        writeln!(text, "  labels:").unwrap();
        for (key, value) in &service.labels {
            writeln!(text, "    {key}: {value}").unwrap();
        }
    }
    write!(
        text,
        "spec:\n  containers: {{main: {{image: \"registry.example/{}:1\"}}}}\n  replicas: {{min: {}}}\n",
        service.id.name, service.replicas
    )
    .unwrap();
    if !service.latency.is_empty() {
        writeln!(text, "  resources:").unwrap();
        for bound in &service.latency {
            let name = &bound.dependency.name;
            writeln!(text, "    {name}: {{type: Service, direction: outbound}}").unwrap();
        }
    }
    write!(
        text,
        "  placement:\n    resources: {{cores: {}m, memoryGi: {}Mi}}\n    replicaSpread: {}\n",
        service.size.milli_cores,
        service.size.mib,
        if service.one_per_node { "node" } else { "none" }
    )
    .unwrap();
    for (key, value) in &service.pools.match_labels {
        writeln!(text, "    pools: {{matchLabels: {{{key}: {value}}}}}").unwrap();
    }
    if !service.required_regions.is_empty() {
        let regions = service.required_regions.join(", ");
        writeln!(text, "    requiredRegions: [{regions}]").unwrap();
    }
    if !service.compliance.is_empty() {
        let labels: Vec<&str> = service.compliance.iter().map(String::as_str).collect();
        writeln!(text, "    compliance: [{}]", labels.join(", ")).unwrap();
    }
    if !service.latency.is_empty() {
        writeln!(text, "    latency:").unwrap();
        for bound in &service.latency {
            let name = &bound.dependency.name;
            writeln!(text, "      {name}: {{maxMs: {}}}", bound.max_ms).unwrap();
        }
    }
    text
}
