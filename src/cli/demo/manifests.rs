//! Manifests of a folder, read whole before anything starts, and applied.

use std::path::{Path, PathBuf};

use k8s_openapi::api::core::v1::Namespace;
use kube::{
    Api, Client,
    api::{DynamicObject, Patch, PatchParams, TypeMeta},
    core::GroupVersionKind,
    discovery::{Scope, pinned_kind},
};
use serde_json::{Value, json};
use walkdir::WalkDir;

use crate::cli::online::OnlineError;

/// Owner of what is applied.
const FIELD_MANAGER: &str = "lattice-demo";
/// Deepest folder that is read.
const DEEPEST: usize = 16;

/// A document of a file.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Document {
    path: PathBuf,
    object: DynamicObject,
    kind: GroupVersionKind,
}

/// Reads every YAML file below the folder. Namespaces come first.
pub(super) fn read(folder: &Path) -> Result<Vec<Document>, OnlineError> {
    let mut documents = Vec::new();
    let files = WalkDir::new(folder).max_depth(DEEPEST).sort_by_file_name();
    for entry in files {
        let entry = entry.map_err(|error| failure(folder, error))?;
        let extension = entry.path().extension().and_then(|e| e.to_str());
        if entry.file_type().is_file() && matches!(extension, Some("yaml" | "yml")) {
            documents.extend(parse(entry.path())?);
        }
    }
    if documents.is_empty() {
        return Err(failure(folder, "there is no manifest"));
    }
    documents.sort_by_key(|document| document.kind.kind != "Namespace");
    Ok(documents)
}

fn parse(path: &Path) -> Result<Vec<Document>, OnlineError> {
    let text = std::fs::read_to_string(path).map_err(|error| failure(path, error))?;
    let values: Vec<Value> =
        serde_saphyr::from_multiple(&text).map_err(|error| failure(path, error))?;
    values
        .into_iter()
        .filter(|value| !value.is_null())
        .map(|value| document(path, value))
        .collect()
}

fn document(path: &Path, value: Value) -> Result<Document, OnlineError> {
    let object: DynamicObject =
        serde_json::from_value(value).map_err(|error| failure(path, error))?;
    let types = object.types.clone().unwrap_or_default();
    let kind = kind_of(&types).map_err(|error| failure(path, error))?;
    Ok(Document {
        path: path.to_owned(),
        object,
        kind,
    })
}

fn kind_of(types: &TypeMeta) -> Result<GroupVersionKind, String> {
    GroupVersionKind::try_from(types).map_err(|error| error.to_string())
}

fn failure(path: &Path, message: impl std::fmt::Display) -> OnlineError {
    OnlineError::Manifest {
        path: path.to_owned(),
        message: message.to_string(),
    }
}

/// Applies everything, and makes the namespaces that are asked for.
pub(super) async fn apply(client: &Client, documents: Vec<Document>) -> Result<(), OnlineError> {
    for document in documents {
        let path = document.path.clone();
        one(client, document)
            .await
            .map_err(|error| failure(&path, error))?;
    }
    Ok(())
}

async fn one(client: &Client, document: Document) -> Result<(), kube::Error> {
    let (resource, capabilities) = pinned_kind(client, &document.kind).await?;
    let name = document.object.metadata.name.clone().unwrap_or_default();
    let params = PatchParams::apply(FIELD_MANAGER).force();
    let api: Api<DynamicObject> = match capabilities.scope {
        Scope::Cluster => Api::all_with(client.clone(), &resource),
        Scope::Namespaced => {
            let namespace = document.object.metadata.namespace.as_deref();
            let namespace = namespace.unwrap_or("default");
            let patch = json!({
                "apiVersion": "v1",
                "kind": "Namespace",
                "metadata": {"name": namespace},
            });
            Api::<Namespace>::all(client.clone())
                .patch(namespace, &params, &Patch::Apply(&patch))
                .await?;
            Api::namespaced_with(client.clone(), namespace, &resource)
        }
    };
    api.patch(&name, &params, &Patch::Apply(&document.object))
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn every_document_is_read_and_namespaces_come_first() {
        let folder = tempfile::tempdir().unwrap();
        let pool = "apiVersion: lattice.dev/v1alpha1\nkind: LatticePool\nmetadata: {name: us}\n";
        let space = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n";
        std::fs::write(folder.path().join("a.yaml"), format!("{pool}---\n{space}")).unwrap();
        std::fs::write(folder.path().join("b.txt"), "not: one").unwrap();
        let documents = read(folder.path()).unwrap();
        let kinds: Vec<&str> = documents.iter().map(|d| d.kind.kind.as_str()).collect();
        assert_eq!(kinds, ["Namespace", "LatticePool"]);
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let folder = tempfile::tempdir().unwrap();
        assert!(read(folder.path()).is_err());
        std::fs::write(folder.path().join("bad.yml"), "kind: [").unwrap();
        let error = read(folder.path()).unwrap_err().to_string();
        assert!(error.contains("bad.yml"), "{error}");
    }
}
