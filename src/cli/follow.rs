//! What becomes of clusters that are being made, told line by line.

use std::{collections::BTreeMap, time::Duration};

use kube::{Api, Client, ResourceExt, api::ListParams};
use tokio::time::{Instant, sleep};

use super::{online::OnlineError, output::Output};
use crate::api::{ClusterPhase, LatticeCluster, conditions};

const EVERY: Duration = Duration::from_millis(500);
/// Longest message that is shown of a cluster.
const LONGEST: usize = 160;

/// Lines with the time.
pub(super) struct Clock {
    begun: Instant,
    out: Output,
}

impl Clock {
    pub(super) fn start(out: Output) -> Self {
        let begun = Instant::now();
        Self { begun, out }
    }

    pub(super) fn say(&self, words: &str) {
        let seconds = self.begun.elapsed().as_secs_f64();
        // A reader that went away misses nothing that matters.
        let _ = self.out.print(&format!("{seconds:>6.1} s  {words}\n"));
    }
}

/// Tells what becomes of the clusters, until all manage themselves; their names.
pub(super) async fn follow(
    client: &Client,
    clock: &Clock,
    patience: Duration,
) -> Result<Vec<String>, OnlineError> {
    let api: Api<LatticeCluster> = Api::all(client.clone());
    let mut known: BTreeMap<String, String> = BTreeMap::new();
    let deadline = Instant::now() + patience;
    loop {
        let clusters = api.list(&ListParams::default()).await?.items;
        for cluster in &clusters {
            let told = told(cluster);
            let name = cluster.name_any();
            if known.get(&name) != Some(&told) {
                clock.say(&format!("{name}: {told}"));
                known.insert(name, told);
            }
        }
        if !clusters.is_empty() && clusters.iter().all(is_ready) {
            return Ok(known.into_keys().collect());
        }
        if Instant::now() >= deadline {
            let told = known.iter().map(|(name, told)| format!("{name}: {told}"));
            return Err(OnlineError::NotReady {
                seconds: patience.as_secs(),
                told: told.collect::<Vec<_>>().join("; "),
            });
        }
        sleep(EVERY).await;
    }
}

fn is_ready(cluster: &LatticeCluster) -> bool {
    let status = cluster.status.as_ref();
    status.and_then(|status| status.phase) == Some(ClusterPhase::Ready)
}

/// Phase, and the beginning of why.
fn told(cluster: &LatticeCluster) -> String {
    let status = cluster.status.clone().unwrap_or_default();
    let phase = status.phase.unwrap_or(ClusterPhase::Pending);
    let why = conditions::find(&status.conditions, conditions::PROVISIONED);
    let why = why.and_then(|condition| condition.message.lines().next());
    let why: String = why.unwrap_or_default().chars().take(LONGEST).collect();
    format!("{phase:?}  {why}").trim_end().to_owned()
}
