//! The committed CRDs are those that the types describe. `UPDATE_CRDS=1` writes them anew.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

#[test]
fn committed_crds_are_current() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("crds");
    let generated: BTreeMap<String, String> =
        lattice::api::crds_yaml().unwrap().into_iter().collect();
    if std::env::var_os("UPDATE_CRDS").is_some() {
        for (name, content) in &generated {
            fs::write(folder.join(name), content).unwrap();
        }
    }
    let committed: BTreeMap<String, String> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| {
            (
                entry.file_name().into_string().unwrap(),
                fs::read_to_string(entry.path()).unwrap(),
            )
        })
        .collect();
    let names = |files: &BTreeMap<String, String>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&committed), names(&generated));
    for (name, content) in generated {
        assert!(
            committed[&name] == content,
            "crds/{name} has drifted; run the test with UPDATE_CRDS=1"
        );
    }
}
