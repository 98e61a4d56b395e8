//! Cluster API's CRDs in an API server, read from the Go modules that `tools/` pins.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceConversion, CustomResourceDefinition,
};
use kube::{
    Api, Client, ResourceExt,
    api::{Patch, PatchParams},
    runtime::{conditions::is_crd_established, wait::await_condition},
};
use serde_json::Value;
use tokio::time::timeout;

/// CRDs installed at a time: they are large, and the API server takes its time over each.
const CONCURRENT: usize = 4;

/// Where the CRDs of Cluster API itself are: its core, kubeadm's providers, and `clusterctl`'s inventory.
const CLUSTER_API: [&str; 4] = [
    "config/crd/bases",
    "bootstrap/kubeadm/config/crd/bases",
    "controlplane/kubeadm/config/crd/bases",
    "cmd/clusterctl/config/crd/bases",
];

/// Installs the CRDs of Cluster API, of its kubeadm providers and of `clusterctl`, and waits until they are served.
///
/// They have no webhooks: nothing is defaulted, validated or converted beyond their schemas.
///
/// # Panics
/// If Go cannot fetch the module or the API server refuses a CRD.
pub async fn install_cluster_api(client: &Client) {
    let module = module_folder("cluster-api", "sigs.k8s.io/cluster-api");
    let crds = CLUSTER_API
        .iter()
        .flat_map(|folder| crds_in(&module.join(folder)));
    install(client, crds.collect()).await;
}

/// Installs the CRDs of the infrastructure providers that come as Go modules: those of the named kinds.
///
/// # Panics
/// If Go cannot fetch a module, a kind is in none of them, or the API server refuses a CRD.
pub async fn install_providers(client: &Client, kinds: &[&str]) {
    let mut crds: Vec<_> = modules("providers")
        .iter()
        .flat_map(|(module, _)| crds_in(&module_folder("providers", module).join(CLUSTER_API[0])))
        .collect();
    crds.retain(|crd| kinds.contains(&crd.spec.names.kind.as_str()));
    assert_eq!(crds.len(), kinds.len(), "kinds that no module has");
    install(client, crds).await;
}

/// The folder of a module in Go's cache; fetched if it is not there, and checked against `go.sum`.
pub fn module_folder(tool: &str, module: &str) -> PathBuf {
    let (_, version) = modules(tool)
        .into_iter()
        .find(|(path, _)| path == module)
        .unwrap_or_else(|| panic!("tools/{tool}/go.mod does not require {module}"));
    let query = format!("{module}@{version}");
    let said = go(tool, &["mod", "download", "-json", &query]);
    PathBuf::from(said["Dir"].as_str().unwrap_or_else(|| panic!("{said}")))
}

/// The modules that a tool's `go.mod` requires, with their versions.
fn modules(tool: &str) -> Vec<(String, String)> {
    let said = go(tool, &["mod", "edit", "-json"]);
    let required = said["Require"].as_array().expect("requirements");
    let text = |module: &Value, field: &str| module[field].as_str().unwrap().to_owned();
    required
        .iter()
        .map(|module| (text(module, "Path"), text(module, "Version")))
        .collect()
}

fn go(tool: &str, arguments: &[&str]) -> Value {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tools")
        .join(tool);
    let output = Command::new("go")
        .args(arguments)
        .current_dir(&folder)
        // Newer than what some distributions ship; go fetches the one that go.mod asks for.
        .env("GOTOOLCHAIN", "auto")
        .output()
        .expect("go; `make setup` installs it");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "go {arguments:?} in {}: {said}{}",
        folder.display(),
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_str(&said).expect("JSON from go")
}

/// The CRDs of a folder as a provider's release has them: labelled as its kustomization labels them.
fn crds_in(folder: &Path) -> Vec<CustomResourceDefinition> {
    let files =
        fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    files.retain(|file| {
        file.extension()
            .is_some_and(|extension| extension == "yaml")
    });
    files.sort();
    files
        .iter()
        .map(|file| released(&fs::read_to_string(file).unwrap()))
        .collect()
}

fn released(text: &str) -> CustomResourceDefinition {
    let mut crd: CustomResourceDefinition = serde_saphyr::from_str(text).expect("a CRD");
    let versions: Vec<_> = crd.spec.versions.iter().map(|v| v.name.as_str()).collect();
    // Providers that have not moved yet are read by the contract before.
    let contract = ["v1beta2", "v1beta1"]
        .into_iter()
        .find(|version| versions.contains(version))
        .map(|version| (format!("cluster.x-k8s.io/{version}"), version.to_owned()));
    let labels = crd.metadata.labels.get_or_insert_default();
    labels.extend(contract);
    labels.insert("clusterctl.cluster.x-k8s.io".to_owned(), String::new());
    crd.spec.conversion = Some(CustomResourceConversion {
        strategy: "None".to_owned(),
        webhook: None,
    });
    crd
}

async fn install(client: &Client, crds: Vec<CustomResourceDefinition>) {
    stream::iter(crds)
        .map(|crd| install_one(client, crd))
        .buffer_unordered(CONCURRENT)
        .try_collect::<()>()
        .await
        .unwrap_or_else(|error| panic!("{error}"));
}

async fn install_one(client: &Client, crd: CustomResourceDefinition) -> Result<(), String> {
    let name = crd.name_any();
    let say = |error: &dyn std::fmt::Display| format!("{name}: {error}");
    let crds: Api<CustomResourceDefinition> = Api::all(client.clone());
    let params = PatchParams::apply("tests").force();
    crds.patch(&name, &params, &Patch::Apply(&crd))
        .await
        .map_err(|error| say(&error))?;
    let served = await_condition(crds, &name, is_crd_established());
    timeout(Duration::from_secs(60), served)
        .await
        .map_err(|error| say(&error))?
        .map_err(|error| say(&error))?;
    Ok(())
}
