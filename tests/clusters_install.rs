//! The first cluster of a fleet, made by a temporary one that is killed twice and thrown away. Needs root.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams},
};
use serde_json::{Value, json};
use support::{
    awaited::awaited,
    fleet,
    local_cloud::{Cloud, Place},
    managers,
};

const PLACE: Place = Place {
    bridge: "lattest6",
    subnet: "10.226.0.0/16",
    host: "10.226.0.1",
};
const PATIENCE: Duration = Duration::from_secs(420);
const LATTICE: &str = "lattice-system";

/// An installation as a person runs it.
struct Installation {
    folder: tempfile::TempDir,
    cloud: PathBuf,
    runs: usize,
}

impl Installation {
    fn example() -> String {
        format!("{}/examples/root", env!("CARGO_MANIFEST_DIR"))
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lattice"));
        command
            .args(["install", &Self::example(), "--bridge", PLACE.bridge])
            .args(["--subnet", PLACE.subnet, "--cloud"])
            .arg(&self.cloud)
            .current_dir(self.folder.path())
            .env("LATTICE_CONTROL_PLANE_BIN", control_plane_programs())
            .stdin(Stdio::null());
        for folder in managers::program_folders() {
            command.arg("--programs").arg(folder);
        }
        command
    }

    fn log(&self, run: usize) -> PathBuf {
        self.folder.path().join(format!("install-{run}.log"))
    }

    fn said(&self) -> String {
        fs::read_to_string(self.log(self.runs)).unwrap_or_default()
    }

    fn begin(&mut self) -> Child {
        self.runs += 1;
        let log = fs::File::create(self.log(self.runs)).unwrap();
        let mut command = self.command();
        command.stdout(log.try_clone().unwrap()).stderr(log);
        command.spawn().unwrap()
    }

    /// Begins it, and kills it without a warning once it has said this.
    fn kill_at(&mut self, words: &str, holds: impl Fn() -> bool) {
        let mut child = self.begin();
        let begun = Instant::now();
        while !(self.said().contains(words) && holds()) {
            let ended = child.try_wait().unwrap();
            assert!(ended.is_none(), "{ended:?}: {}", self.said());
            assert!(begun.elapsed() < PATIENCE, "no {words}: {}", self.said());
            std::thread::sleep(Duration::from_millis(50));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        println!(
            "killed at `{words}` after {:.1} s",
            begun.elapsed().as_secs_f64()
        );
    }

    fn finish(&mut self) {
        let begun = Instant::now();
        let ended = self.begin().wait().unwrap();
        assert!(ended.success(), "{}", self.said());
        println!("{}", self.said());
        println!("the last run took {:.1} s", begun.elapsed().as_secs_f64());
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

fn control_plane_programs() -> PathBuf {
    managers::program("kube-apiserver")
        .parent()
        .unwrap()
        .to_owned()
}

/// The cloud's machines by name and the time of their making, without those that a daemon says other things of.
fn machines(cloud: &Cloud) -> Vec<String> {
    let table = cloud.told(&["machines"]);
    let names = table
        .lines()
        .skip(1)
        .filter_map(|line| line.split_whitespace().next());
    names.map(str::to_owned).collect()
}

async fn connect(path: &Path) -> Client {
    managers::reached_by(&fs::read(path).unwrap()).await
}

/// Programs that run out of this folder.
fn running_out_of(folder: &Path) -> Vec<String> {
    let folder = folder.display().to_string();
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let words = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let words = String::from_utf8_lossy(&words).replace('\0', " ");
        if words.contains(&folder) {
            found.push(words);
        }
    }
    found
}

async fn names(client: &Client, kind: &str) -> Vec<String> {
    let kind = GroupVersionKind::gvk("cluster.x-k8s.io", "v1beta2", kind);
    let api: Api<DynamicObject> = Api::all_with(client.clone(), &ApiResource::from_gvk(&kind));
    let listed = api.list(&ListParams::default()).await.unwrap();
    listed
        .into_iter()
        .filter_map(|object| object.metadata.name)
        .collect()
}

async fn until(what: &str, installation: &Installation, mut holds: impl AsyncFnMut() -> bool) {
    let look = async || holds().await.then_some(());
    let nothing = async || String::new();
    if awaited(what, PATIENCE, look, nothing).await.is_some() {
        return;
    }
    panic!(
        "not within {} s: {what}\n{}",
        PATIENCE.as_secs(),
        installation.said()
    );
}

/// What the root's LatticeCluster says of it.
async fn own(root: &Client) -> Option<Value> {
    fleet::try_get(root, "LatticeCluster", "root").await
}

async fn ask_for(root: &Client, version: &str) {
    let clusters: Api<lattice::api::LatticeCluster> = Api::all(root.clone());
    let patch = json!({"spec": {"provider": {"kubernetes": {"version": version}}}});
    let params = PatchParams::default();
    clusters
        .patch("root", &params, &Patch::Merge(&patch))
        .await
        .unwrap();
}

/// Machines by role, each with its version.
async fn versions(root: &Client) -> Option<Vec<(bool, String)>> {
    let kind = GroupVersionKind::gvk("cluster.x-k8s.io", "v1beta2", "Machine");
    let api: Api<DynamicObject> = Api::all_with(root.clone(), &ApiResource::from_gvk(&kind));
    let machines = api.list(&ListParams::default()).await.ok()?;
    let each = machines.iter().map(|machine| {
        let labels = machine.metadata.labels.clone().unwrap_or_default();
        let version = machine.data["spec"]["version"].as_str().unwrap_or_default();
        (
            labels.contains_key("cluster.x-k8s.io/control-plane"),
            version.to_owned(),
        )
    });
    Some(each.collect())
}

/// The root goes to the next release by itself: its control plane first, then its worker.
async fn upgrade(root: &Client, cloud: &Cloud, installation: &Installation) {
    let begun = Instant::now();
    let next = managers::next_release().expect("`make next-release` builds it");
    let (old, next) = (
        managers::version(),
        managers::version_of(&next.join("kubeadm")),
    );
    let before = machines(cloud);
    ask_for(root, "v1.99.0").await;
    until(
        "two releases at once are refused",
        installation,
        async || {
            let Some(own) = own(root).await else {
                return false;
            };
            let said = fleet::condition(&own, "Provisioned");
            own["status"]["phase"] == "Ready" && said.contains("one minor release at a time")
        },
    )
    .await;
    assert_eq!(machines(cloud), before);

    ask_for(root, &next).await;
    until("the root is upgraded", installation, async || {
        let Some(versions) = versions(root).await else {
            return false;
        };
        let control_plane_is_old = versions.contains(&(true, old.clone()));
        let worker_is_new = versions.contains(&(false, next.clone()));
        assert!(!(control_plane_is_old && worker_is_new), "{versions:?}");
        let Some(own) = own(root).await else {
            return false;
        };
        versions.len() == before.len()
            && versions.iter().all(|(_, version)| *version == next)
            && own["status"]["phase"] == "Ready"
            && fleet::condition(&own, "Provisioned").contains("Available")
            && own["status"]["kubernetesVersion"] == next.as_str()
    })
    .await;
    let after = machines(cloud);
    assert!(
        after.iter().all(|machine| !before.contains(machine)),
        "{before:?} {after:?}"
    );
    println!(
        "upgraded from {old} to {next} in {:.1} s",
        begun.elapsed().as_secs_f64()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_root_is_installed_whatever_is_killed_on_the_way() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = folder.path().join("cloud");
    let mut installation = Installation {
        folder,
        cloud: nowhere,
        runs: 0,
    };
    let refused = installation.command().output().unwrap();
    let said = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(
        said.contains("no cloud is served from") && said.contains("lattice cloud serve"),
        "{said}"
    );
    assert!(!installation.path(".lattice/install").exists());

    let cloud = Cloud::start(PLACE);
    installation.cloud = cloud.folder();
    installation.kill_at("root: Provisioning", || !machines(&cloud).is_empty());
    let first = machines(&cloud);
    installation.kill_at("root: Pivoting", || true);
    let all = machines(&cloud);
    assert!(
        first.iter().all(|machine| all.contains(machine)),
        "{first:?} {all:?}"
    );
    installation.finish();
    assert_eq!(machines(&cloud), all, "no machine was made anew");

    let kubeconfig = installation.path("root.kubeconfig");
    assert_eq!(
        fs::metadata(&kubeconfig).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let said = installation.said();
    assert!(
        said.contains(&format!("export KUBECONFIG={}", kubeconfig.display())),
        "{said}"
    );
    assert!(!installation.path(".lattice/install/temporary").exists());
    let left = running_out_of(&installation.path(".lattice/install"));
    assert!(left.is_empty(), "{left:?}");

    let root = connect(&kubeconfig).await;
    let own = fleet::get(&root, "LatticeCluster", "root").await.unwrap();
    assert_eq!(own["status"]["phase"], "Ready", "{own}");
    let owners = own["metadata"]["managedFields"].as_array().unwrap();
    assert!(
        owners
            .iter()
            .all(|owner| owner["manager"] != "lattice.dev/parent"),
        "{owners:?}"
    );
    assert_eq!(own["spec"]["nodes"]["groups"][0]["count"], 1);
    let maps: Api<ConfigMap> = Api::namespaced(root.clone(), LATTICE);
    let above = maps.get("lattice-parent").await.unwrap().data.unwrap();
    assert_eq!(above.get("cluster").map(String::as_str), Some("root"));
    assert_eq!(above.get("endpoint"), None);
    assert_eq!(names(&root, "Cluster").await, ["root"]);
    assert_eq!(names(&root, "Machine").await.len(), all.len());
    until(
        "the fleet's service is placed by the root",
        &installation,
        async || {
            let api = fleet::get(&root, "LatticeService", "api").await;
            api.is_some_and(|api| api["status"]["placements"][0]["cluster"] == "root")
        },
    )
    .await;

    upgrade(&root, &cloud, &installation).await;

    let again = installation.command().output().unwrap();
    let said = String::from_utf8(again.stderr).unwrap();
    assert_eq!(again.status.code(), Some(1), "{said}");
    assert!(said.contains("root.kubeconfig is there"), "{said}");
}
