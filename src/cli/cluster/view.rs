//! Clusters below a cell, with how old is what is known of them.

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::api::cluster_agent::{ClusterBelow, ClusterCapacity};
use crate::api::cluster_status::NodeCounts;
use crate::api::quantity::{Cores, MemoryGi};
use crate::api::validation::did_you_mean;
use crate::api::{ClusterPhase, LatticeCluster, Money, Timestamp};

/// Most names that are listed beside an unknown one.
const LISTED: usize = 20;

/// The clusters below a cell, each before those below it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct View {
    pub(super) clusters: Vec<Row>,
    pub(super) total: Total,
    /// Clusters that found no room on their way up.
    pub(super) left_out: u32,
}

/// What is known of a cluster.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Row {
    pub(super) path: String,
    pub(super) phase: Option<ClusterPhase>,
    pub(super) agent: Agent,
    pub(super) agent_version: Option<String>,
    pub(super) kubernetes_version: Option<String>,
    pub(super) nodes: Option<NodeCounts>,
    pub(super) capacity: Option<ClusterCapacity>,
    /// How old the above is.
    pub(super) seen: Age,
    pub(super) hourly: Option<Money>,
    /// How old the cost is.
    pub(super) priced: Age,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Agent {
    None,
    Connected,
    Lost,
}

/// When something was so; nothing is said where nobody knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Age {
    pub(super) at: Option<Timestamp>,
    pub(super) seconds: Option<u64>,
}

/// What it all comes to, as far as it is known.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Total {
    pub(super) clusters: usize,
    pub(super) nodes: NodeCounts,
    pub(super) capacity: ClusterCapacity,
    pub(super) hourly: Money,
}

impl View {
    /// What the cell's objects say. `led` is when its operator led last.
    pub(super) fn new(
        clusters: &[LatticeCluster],
        led: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> Self {
        let left_out = clusters.iter().filter_map(|cluster| {
            let agent = cluster.status.as_ref()?.agent.as_ref()?;
            Some(agent.left_out)
        });
        let left_out = left_out.fold(0, u32::saturating_add);
        let all = clusters.iter().flat_map(ClusterBelow::all_of);
        let rows = all.map(|cluster| Row::new(cluster, led, now)).collect();
        Self::of(rows, left_out)
    }

    fn of(mut rows: Vec<Row>, left_out: u32) -> Self {
        let by_names = |row: &Row| -> Vec<String> { names(&row.path).map(str::to_owned).collect() };
        rows.sort_by_cached_key(by_names);
        Self {
            total: Total::of(&rows),
            clusters: rows,
            left_out,
        }
    }

    /// One cluster and what is below it; else what is wrong with the path.
    pub(super) fn at(self, path: &str) -> Result<Self, String> {
        if !self.clusters.iter().any(|row| row.path == path) {
            return Err(format!(
                "there is no cluster `{path}` below this cell{}",
                self.hint(path)
            ));
        }
        let below = format!("{path}/");
        let is_in = |row: &Row| row.path == path || row.path.starts_with(&below);
        let rows = self.clusters.into_iter().filter(is_in).collect();
        Ok(Self::of(rows, self.left_out))
    }

    fn hint(&self, path: &str) -> String {
        let paths: Vec<String> = self.clusters.iter().map(|row| row.path.clone()).collect();
        let by_name = paths
            .iter()
            .find(|known| names(known).next_back() == Some(path));
        if let Some(known) = by_name {
            return format!("; did you mean `{known}`?");
        }
        let near = did_you_mean(path, paths.iter());
        if !near.is_empty() {
            return near;
        }
        match paths.len() {
            0 => "; there is none at all".to_owned(),
            few if few <= LISTED => format!("; there are: {}", paths.join(", ")),
            many => format!("; `lattice cluster list` names the {many} that there are"),
        }
    }
}

/// The names on the way to a cluster.
pub(super) fn names(path: &str) -> std::str::Split<'_, char> {
    path.split('/')
}

impl Row {
    fn new(cluster: ClusterBelow, led: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Self {
        let heard = match (led, cluster.lost) {
            (Some(led), Some(lost)) => Some(led.min(lost.datetime())),
            (led, None) => led,
            (None, lost) => lost.map(Timestamp::datetime),
        };
        // What a cell's own clusters cost the cell itself decides.
        let is_own = names(&cluster.path).count() == 1;
        let priced = if is_own { led } else { heard };
        let agent = match (&cluster.agent_version, cluster.lost) {
            (_, Some(_)) => Agent::Lost,
            (Some(_), None) => Agent::Connected,
            (None, None) => Agent::None,
        };
        Self {
            path: cluster.path,
            phase: cluster.phase,
            agent,
            agent_version: cluster.agent_version,
            kubernetes_version: cluster.kubernetes_version,
            nodes: cluster.nodes,
            capacity: cluster.capacity,
            seen: Age::new(heard, now),
            hourly: cluster.hourly,
            priced: Age::new(priced, now),
        }
    }
}

impl Age {
    fn new(at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Self {
        let age = at.map(|at| (now - at).num_seconds().max(0));
        Self {
            at: at.map(Timestamp::from),
            seconds: age.map(i64::unsigned_abs),
        }
    }
}

impl Total {
    fn of(rows: &[Row]) -> Self {
        let nodes = rows.iter().filter_map(|row| row.nodes);
        let capacity = || rows.iter().filter_map(|row| row.capacity);
        let hourly = rows.iter().filter_map(|row| row.hourly);
        Self {
            clusters: rows.len(),
            nodes: nodes.fold(NodeCounts::default(), |sum, nodes| NodeCounts {
                ready: sum.ready.saturating_add(nodes.ready),
                total: sum.total.saturating_add(nodes.total),
            }),
            capacity: ClusterCapacity {
                cores: Cores::from_millis(capacity().map(|one| one.cores.millis()).sum()),
                memory_gi: MemoryGi::from_mib(capacity().map(|one| one.memory_gi.mib()).sum()),
            },
            hourly: Money::from_micros(hourly.map(Money::micros).sum()),
        }
    }
}
