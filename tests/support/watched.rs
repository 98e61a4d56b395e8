//! A cluster that moves, watched from both sides: what must stay the same, and whose it is.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use k8s_openapi::api::core::v1::{ConfigMap, Node};
use kube::{
    Api, Client, ResourceExt,
    api::{ApiResource, DynamicObject, ListParams},
    core::GroupVersionKind,
};
use lattice::clusters::pivot::{
    ClusterName, Side,
    canonical::{digest, essence},
    deed::{Deed, deed_key, owner},
    object::{Key, Object},
    pause::is_paused,
};
use tokio::{task::JoinHandle, time::sleep};

use crate::support::pivoting::{Road, held, leftovers, machines};

const SAMPLE: Duration = Duration::from_millis(50);

/// What must stay the same, whoever manages the cluster.
#[derive(Debug, PartialEq)]
pub struct Life {
    /// Everything that moves, and what it is like but for its status.
    pub objects: BTreeMap<Key, String>,
    /// Machines, at which provider, and with which node.
    pub machines: Vec<(String, String, String)>,
    /// Nodes and their UIDs: a machine that joins again gets another.
    pub nodes: BTreeMap<String, String>,
    /// The processes that are the machines, and when they began.
    pub boots: BTreeMap<PathBuf, String>,
}

/// Parent and child, and the move between them.
pub struct Home {
    pub parent: Client,
    pub child: Client,
    pub cluster: ClusterName,
    pub machines: PathBuf,
}

impl Home {
    /// What there is of the cluster on one side, after a check that nothing is left on the other.
    pub async fn life(&self, at: Side) -> Life {
        let seen = Road::new(&self.parent, &self.child, &self.cluster, false)
            .look()
            .await;
        let other = match at {
            Side::Source => Side::Target,
            Side::Target => Side::Source,
        };
        let mut left = leftovers(other, &seen);
        left.retain(|key| key.kind != "ConfigMap" || key.name != "kube-root-ca.crt");
        assert_eq!(left, [], "on the {other}");
        let view = seen.side(at);
        let owners = view.uids();
        let (_, keys) = held(at, &seen);
        let like = |key: Key| {
            let digest = digest(&essence(&view.objects[&key], &owners));
            (key, digest)
        };
        let nodes: Api<Node> = Api::all(self.child.clone());
        let nodes = nodes.list(&ListParams::default()).await.unwrap();
        Life {
            objects: keys.into_iter().map(like).collect(),
            machines: machines(at, &seen),
            nodes: nodes
                .iter()
                .map(|node| (node.name_any(), node.uid().unwrap()))
                .collect(),
            boots: boots(&self.machines),
        }
    }

    /// Whose the cluster is, after a check that nobody else acts on it.
    pub async fn sample(&self) -> Side {
        // The deeds last: a side that acts by what was seen of it has been given the deed by then.
        let mut acting = Vec::new();
        for (side, client) in [(Side::Source, &self.parent), (Side::Target, &self.child)] {
            if self.is_acted_on(client).await {
                acting.push(side);
            }
        }
        let deeds = (
            self.deed(Side::Source, &self.parent).await,
            self.deed(Side::Target, &self.child).await,
        );
        let owner = owner(deeds.0.as_ref(), deeds.1.as_ref());
        assert!(
            acting.is_empty() || acting == [owner],
            "it is the {owner}'s, and acted on by {acting:?}: {deeds:#?}"
        );
        owner
    }

    async fn is_acted_on(&self, client: &Client) -> bool {
        let gvk = GroupVersionKind::gvk("cluster.x-k8s.io", "v1beta2", "Cluster");
        let resource = ApiResource::from_gvk(&gvk);
        let clusters: Api<DynamicObject> =
            Api::namespaced_with(client.clone(), &self.cluster.namespace, &resource);
        let found = clusters.get_opt(&self.cluster.name).await.unwrap();
        found.is_some_and(|found| !is_paused(&Object(serde_json::to_value(found).unwrap())))
    }

    async fn deed(&self, side: Side, client: &Client) -> Option<Deed> {
        let key = deed_key(&self.cluster);
        let maps: Api<ConfigMap> = Api::namespaced(client.clone(), &key.namespace);
        let map = maps.get_opt(&key.name).await.unwrap()?;
        let object = Object(serde_json::to_value(map).unwrap());
        Some(Deed::read(side, &object).unwrap())
    }
}

/// The processes that hold machines, and when they began, as the kernel has it.
fn boots(machines: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    for process in fs::read_dir("/proc").unwrap().flatten() {
        let line = fs::read_to_string(process.path().join("cmdline")).unwrap_or_default();
        let words: Vec<&str> = line.trim_end_matches('\0').split('\0').collect();
        let ([program, .., "machine", folder], true) = (words.as_slice(), words.len() > 3) else {
            continue;
        };
        let folder = PathBuf::from(folder);
        if !program.ends_with("unshare") || folder.parent() != Some(machines) {
            continue;
        }
        let stat = fs::read_to_string(process.path().join("stat")).unwrap();
        let began = stat.rsplit(')').next().unwrap().split(' ').nth(20);
        let pid = process.file_name().into_string().unwrap();
        found.insert(folder, format!("{pid} since {}", began.unwrap()));
    }
    found
}

/// Asks all the time whose the cluster is.
pub struct Sampler {
    asking: JoinHandle<()>,
    asked: Arc<AtomicU64>,
}

impl Sampler {
    pub fn start(home: &Arc<Home>) -> Self {
        let asked = Arc::new(AtomicU64::new(0));
        let (home, count) = (Arc::clone(home), Arc::clone(&asked));
        let asking = tokio::spawn(async move {
            loop {
                home.sample().await;
                count.fetch_add(1, Ordering::Relaxed);
                sleep(SAMPLE).await;
            }
        });
        Self { asking, asked }
    }

    /// How often there was one owner.
    ///
    /// # Panics
    /// If there was not once.
    pub async fn check(&mut self) -> u64 {
        if self.asking.is_finished() {
            (&mut self.asking).await.unwrap();
        }
        self.asked.load(Ordering::Relaxed)
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        self.asking.abort();
    }
}
