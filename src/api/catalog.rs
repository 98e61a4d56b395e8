//! The list of kinds with their names, scopes, schemas and CRDs.

use std::sync::LazyLock;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;
use schemars::JsonSchema;
use serde_json::Value;

use super::{local_infrastructure, schema};

/// A kind of the group.
#[derive(Clone, Debug)]
pub struct Kind {
    /// `kind` as documents write it.
    pub name: String,
    /// Plural as it stands in URLs. Empty for kinds that are only files.
    pub plural: String,
    /// Short name for the command line. Empty for kinds that are only files.
    pub short: String,
    /// Whether objects live in namespaces.
    pub namespaced: bool,
    /// Schema of a whole document; parts that a number or a text may fill carry `x-lattice-type`.
    pub schema: Value,
    crd: Option<CustomResourceDefinition>,
}

impl Kind {
    /// The CRD. None for kinds that are only files.
    pub const fn crd(&self) -> Option<&CustomResourceDefinition> {
        self.crd.as_ref()
    }

    /// The schema at a path of property names; an entry of a map or list is `*`.
    pub fn schema_at(&self, path: &[&str]) -> Option<&Value> {
        path.iter()
            .try_fold(&self.schema, |schema, segment| match *segment {
                "*" => schema
                    .get("items")
                    .or_else(|| schema.get("additionalProperties")),
                name => schema.get("properties")?.get(name),
            })
    }

    fn of_resource<T: CustomResourceExt + JsonSchema>() -> Self {
        let mut crd = T::crd();
        let schema = schema::structural::<T>();
        for version in &mut crd.spec.versions {
            if let (Some(validation), Ok(props)) = (&mut version.schema, schema::props(&schema)) {
                validation.open_api_v3_schema = Some(props);
            }
        }
        Self {
            name: crd.spec.names.kind.clone(),
            plural: crd.spec.names.plural.clone(),
            short: crd
                .spec
                .names
                .short_names
                .iter()
                .flatten()
                .next()
                .cloned()
                .unwrap_or_default(),
            namespaced: crd.spec.scope == "Namespaced",
            schema,
            crd: Some(crd),
        }
    }

    /// A kind of Cluster API's `local` provider.
    fn of_infrastructure<T: CustomResourceExt + JsonSchema>() -> Self {
        let mut kind = Self::of_resource::<T>();
        let labels = local_infrastructure::CRD_LABELS
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        if let Some(crd) = &mut kind.crd {
            crd.metadata.labels = Some(labels.into());
        }
        kind
    }

    fn of_file<T: JsonSchema>(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            plural: String::new(),
            short: String::new(),
            namespaced: false,
            schema: schema::structural::<T>(),
            crd: None,
        }
    }
}

static KINDS: LazyLock<Vec<Kind>> = LazyLock::new(|| {
    let mut kinds = vec![
        Kind::of_resource::<super::LatticeCluster>(),
        Kind::of_resource::<super::LatticeEnvironment>(),
        Kind::of_resource::<super::LatticeExternalService>(),
        Kind::of_resource::<super::LatticeImageRegistry>(),
        Kind::of_resource::<super::LatticeNodeClass>(),
        Kind::of_resource::<super::LatticePlacementPolicy>(),
        Kind::of_resource::<super::LatticePool>(),
        Kind::of_file::<super::LatticeRepoConfig>("LatticeRepoConfig"),
        Kind::of_resource::<super::LatticeSecretBindings>(),
        Kind::of_resource::<super::LatticeService>(),
        Kind::of_resource::<super::LatticeServiceConfig>(),
        Kind::of_resource::<super::LatticeServicePlacement>(),
        Kind::of_resource::<super::LatticeServiceRegistration>(),
    ];
    kinds.sort_by(|left, right| left.name.cmp(&right.name));
    kinds
});

static INFRASTRUCTURE: LazyLock<[Kind; 3]> = LazyLock::new(|| {
    [
        Kind::of_infrastructure::<local_infrastructure::LocalCluster>(),
        Kind::of_infrastructure::<local_infrastructure::LocalMachine>(),
        Kind::of_infrastructure::<local_infrastructure::LocalMachineTemplate>(),
    ]
});

/// All kinds of the group, by name.
pub fn kinds() -> &'static [Kind] {
    &KINDS
}

/// The kind of a name.
pub fn kind(name: &str) -> Option<&'static Kind> {
    kinds().iter().find(|kind| kind.name == name)
}

/// All kinds that an API server is told of: those of the group, then the `local` provider's.
fn served() -> impl Iterator<Item = &'static Kind> {
    kinds().iter().chain(INFRASTRUCTURE.iter())
}

/// The CRDs of all kinds that have one: those of the group, then the `local` provider's.
pub fn crds() -> Vec<CustomResourceDefinition> {
    served().filter_map(|kind| kind.crd().cloned()).collect()
}

/// The CRDs as files: name and content, by name.
///
/// # Errors
///
/// When a CRD cannot be written as YAML, which no input can cause.
pub fn crds_yaml() -> Result<Vec<(String, String)>, serde_saphyr::ser::Error> {
    let mut files = Vec::new();
    for kind in served() {
        if let Some(crd) = kind.crd() {
            files.push((
                format!("{}.yaml", kind.plural),
                serde_saphyr::to_string(crd)?,
            ));
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn infrastructure_kinds_are_served_and_labelled_but_not_among_those_people_write() {
        for name in ["LocalCluster", "LocalMachine", "LocalMachineTemplate"] {
            assert!(kind(name).is_none(), "{name}");
            let crd = crds()
                .into_iter()
                .find(|crd| crd.spec.names.kind == name)
                .unwrap();
            assert_eq!(crd.spec.scope, "Namespaced");
            let served: Vec<_> = crd.spec.versions.iter().map(|v| v.name.clone()).collect();
            let labels = crd.metadata.labels.unwrap();
            // How Cluster API learns which version of a kind to ask for.
            assert_eq!([labels["cluster.x-k8s.io/v1beta2"].clone()], *served);
        }
    }
}
