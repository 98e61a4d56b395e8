#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};

use crate::placement::fixtures::{namespaced, object, seed};
use crate::placement::snapshot::{Built, build};

fn said(built: &Built) -> Vec<String> {
    built.problems.iter().map(ToString::to_string).collect()
}

/// The seed with a service that asks for this, and with these extended resources on the `gpu` class.
fn asking(asked: &Value, has: &Value) -> Built {
    let mut inputs = seed();
    let gpu = &mut inputs.node_classes[3].spec.resources;
    gpu.extended = serde_json::from_value(has.clone()).unwrap();
    inputs.services.push(namespaced(
        "LatticeService",
        "shop/train",
        json!({"containers": {
            "main": {"image": "x:1", "resources": {"limits": {"cpu": 1}, "extended": asked}},
            "side": {"image": "x:1", "resources": {"extended": asked}},
        }}),
    ));
    build(&inputs)
}

#[test]
fn extended_resources_are_counted_over_containers_by_name() {
    let built = asking(
        &json!({"nvidia.com/gpu": 1, "example.com/none": 0}),
        &json!({"nvidia.com/gpu": 4, "example.com/fpga": 2}),
    );
    assert_eq!(said(&built), [""; 0]);
    let snapshot = &built.snapshot;
    let names: Vec<&str> = snapshot.extended.iter().map(String::as_str).collect();
    assert_eq!(names, ["example.com/fpga", "nvidia.com/gpu"]);
    let gpu = snapshot
        .node_classes
        .iter()
        .find(|c| c.name == "gpu")
        .unwrap();
    assert_eq!(
        gpu.allocatable().extended.iter().collect::<Vec<_>>(),
        [(0, 2), (1, 4)]
    );
    let train = snapshot
        .services
        .iter()
        .find(|s| s.id.name == "train")
        .unwrap();
    assert_eq!(train.size.extended.iter().collect::<Vec<_>>(), [(1, 2)]);
    assert_eq!(train.size.milli_cores, 1000);
}

#[test]
fn what_no_class_has_is_told_and_too_many_names_are_refused() {
    let built = asking(
        &json!({"nvidia.com/gpus": 1}),
        &json!({"nvidia.com/gpu": 1}),
    );
    assert_eq!(
        said(&built),
        [
            "LatticeService shop/train: spec.containers: no LatticeNodeClass has the extended resource \
             `nvidia.com/gpus`; did you mean `nvidia.com/gpu`?"
        ]
    );
    assert!(!built.has_errors());
    let eight: Value = (0..8)
        .map(|i| (format!("example.com/{i}"), json!(1)))
        .collect::<serde_json::Map<_, _>>()
        .into();
    let built = asking(&json!({"nvidia.com/gpu": 1}), &eight);
    assert_eq!(built.snapshot.extended.len(), 8);
    assert!(built.has_errors());
    assert!(
        said(&built)[0].contains("one extended resource more than the 8"),
        "{:?}",
        said(&built)
    );
    assert!(built.snapshot.services.iter().all(|s| s.id.name != "train"));
}

#[test]
fn gpus_of_a_class_are_those_of_nvidia_unless_it_says_otherwise() {
    let names = |resources: Value| -> Vec<String> {
        let mut inputs = seed();
        inputs.node_classes[3] = object(
            "LatticeNodeClass",
            "gpu",
            json!({"resources": resources, "costPerHour": {"aws": 1}}),
        );
        build(&inputs).snapshot.extended.into_iter().collect()
    };
    assert_eq!(
        names(json!({"cores": 4, "memoryGi": 8, "gpus": 1})),
        ["nvidia.com/gpu"]
    );
    let amd = json!({"cores": 4, "memoryGi": 8, "gpus": 1, "extended": {"amd.com/gpu": 1}});
    assert_eq!(names(amd), ["amd.com/gpu"]);
}
