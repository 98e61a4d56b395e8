#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::path::Path;

use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::*;
use crate::api::*;

fn manifests(folder: &str) -> Vec<(String, String, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/manifests")
        .join(folder);
    let mut found: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            let text = fs::read_to_string(&path).unwrap();
            let value = serde_saphyr::from_str(&text).unwrap();
            (
                path.file_name().unwrap().to_string_lossy().into_owned(),
                text,
                value,
            )
        })
        .collect();
    found.sort_by(|left, right| left.0.cmp(&right.0));
    assert!(!found.is_empty());
    found
}

fn read<T: DeserializeOwned + Serialize>(value: &Value) -> Value {
    let typed: T = serde_json::from_value(value.clone()).unwrap();
    serde_json::to_value(typed).unwrap()
}

fn read_as_kind(value: &Value) -> Value {
    match value["kind"].as_str().unwrap() {
        "LatticeCluster" => read::<LatticeCluster>(value),
        "LatticeEnvironment" => read::<LatticeEnvironment>(value),
        "LatticeExternalService" => read::<LatticeExternalService>(value),
        "LatticeImageRegistry" => read::<LatticeImageRegistry>(value),
        "LatticeNodeClass" => read::<LatticeNodeClass>(value),
        "LatticePlacementPolicy" => read::<LatticePlacementPolicy>(value),
        "LatticePool" => read::<LatticePool>(value),
        "LatticeRepoConfig" => read::<LatticeRepoConfig>(value),
        "LatticeSecretBindings" => read::<LatticeSecretBindings>(value),
        "LatticeService" => read::<LatticeService>(value),
        "LatticeServiceConfig" => read::<LatticeServiceConfig>(value),
        "LatticeServicePlacement" => read::<LatticeServicePlacement>(value),
        "LatticeServiceRegistration" => read::<LatticeServiceRegistration>(value),
        other => panic!("no type for {other}"),
    }
}

/// Holds that everything in `given` is in `kept`, numbers by value.
fn assert_kept(given: &Value, kept: &Value, place: &str) {
    match (given, kept) {
        (Value::Object(given), Value::Object(kept)) => {
            for (key, value) in given {
                let kept = kept
                    .get(key)
                    .unwrap_or_else(|| panic!("{place}.{key} is lost"));
                assert_kept(value, kept, &format!("{place}.{key}"));
            }
        }
        (Value::Array(given), Value::Array(kept)) => {
            assert_eq!(given.len(), kept.len(), "{place}");
            given
                .iter()
                .zip(kept)
                .for_each(|(given, kept)| assert_kept(given, kept, place));
        }
        (Value::Number(given), Value::Number(kept)) => {
            assert_eq!(given.as_f64(), kept.as_f64(), "{place}")
        }
        _ => assert_eq!(given, kept, "{place}"),
    }
}

#[test]
fn good_manifests_pass_and_every_kind_has_one() {
    let good = manifests("good");
    for (name, _, value) in &good {
        let found: Vec<String> = validate_object(value)
            .iter()
            .map(Violation::to_string)
            .collect();
        assert!(found.is_empty(), "{name}: {found:#?}");
    }
    for kind in kinds() {
        assert!(
            good.iter().any(|(_, _, value)| value["kind"] == kind.name),
            "{}",
            kind.name
        );
    }
}

#[test]
fn good_manifests_keep_everything_through_their_types() {
    for (name, _, value) in manifests("good") {
        let once = read_as_kind(&value);
        assert_eq!(read_as_kind(&once), once, "{name}");
        assert!(
            validate_object(&once).is_empty(),
            "{name}: {:#?}",
            validate_object(&once)
        );
        // These two write quantities and lists that have a shorter form.
        if !matches!(name.as_str(), "pool-quantities.yaml" | "service-score.yaml") {
            assert_kept(&value, &once, &name);
        }
    }
}

#[test]
fn bad_manifests_say_what_is_wrong_and_where() {
    for (name, text, value) in manifests("bad") {
        let mut expected: Vec<&str> = text
            .lines()
            .map_while(|line| line.strip_prefix("# "))
            .collect();
        let mut found: Vec<String> = validate_object(&value)
            .iter()
            .map(Violation::to_string)
            .collect();
        expected.sort_unstable();
        found.sort_unstable();
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn every_rule_and_pattern_compiles_and_is_broken_by_a_manifest() {
    let bad: String = manifests("bad")
        .into_iter()
        .map(|(_, text, _)| text)
        .collect();
    let mut rules = 0;
    for kind in kinds() {
        each(&kind.schema, &mut |schema| {
            let node = Node::read(schema);
            let written = schema
                .get("x-kubernetes-validations")
                .and_then(Value::as_array);
            assert_eq!(node.rules.len(), written.map_or(0, Vec::len), "{schema}");
            assert_eq!(
                node.pattern.is_some(),
                schema.get("pattern").is_some(),
                "{schema}"
            );
            assert_eq!(
                node.special.is_some(),
                schema.get("x-lattice-type").is_some(),
                "{schema}"
            );
            for rule in written.into_iter().flatten() {
                assert!(
                    bad.contains(rule["message"].as_str().unwrap()),
                    "no manifest breaks {rule}"
                );
                rules += 1;
            }
        });
    }
    assert!(rules > 10, "{rules}");
}

fn each(schema: &Value, visit: &mut impl FnMut(&Value)) {
    visit(schema);
    let children = schema
        .get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flat_map(|map| map.values());
    for child in children
        .chain(schema.get("items"))
        .chain(schema.get("additionalProperties"))
    {
        each(child, visit);
    }
}

#[test]
fn defaults_are_filled_in_and_nulls_dropped() {
    let mut service = json!({
        "apiVersion": API_VERSION, "kind": "LatticeService", "metadata": {"name": "s"},
        "spec": {"containers": {"main": {"image": "i"}}, "placement": {"compliance": null}},
    });
    apply_defaults(&mut service);
    assert_eq!(service["spec"]["replicas"], json!({"min": 1}));
    assert_eq!(
        service["spec"]["placement"],
        json!({"replicaSpread": "node"})
    );
    assert!(validate_object(&service).is_empty());
    read::<LatticeService>(&service);
}

#[test]
fn other_groups_are_left_alone_and_near_misses_are_not() {
    assert!(validate_object(&json!({"apiVersion": "v1", "kind": "Secret"})).is_empty());
    let wrong_group = json!({"apiVersion": "latice.dev/v1alpha1", "kind": "LatticePool"});
    assert_eq!(
        validate_object(&wrong_group)[0].path,
        [PathSegment::from("apiVersion")]
    );
    let wrong_version = json!({"apiVersion": "lattice.dev/v1", "kind": "LatticePool"});
    assert!(
        validate_object(&wrong_version)[0]
            .message
            .contains("did you mean `lattice.dev/v1alpha1`?")
    );
}

#[test]
fn places_are_written_as_people_read_them() {
    let path = vec![
        "spec".into(),
        PathSegment::Index(2),
        "a.b/c".into(),
        "d".into(),
    ];
    let violation = Violation {
        path,
        message: String::new(),
    };
    assert_eq!(violation.location(), r#"spec[2]["a.b/c"].d"#);
}
