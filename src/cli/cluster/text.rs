//! Clusters below a cell as tables.

use super::view::{Age, Agent, Row, View, names};
use crate::api::ClusterPhase;
use crate::cli::plan_text::count;
use crate::cli::replay_text::lasting;
use crate::cli::table;

/// What is younger is called so: agents are heard every few seconds.
const NOW: u64 = 30;

pub(super) fn list(view: &View) -> String {
    if view.clusters.is_empty() {
        return "No clusters below this cell.\n".to_owned();
    }
    let rows = view.clusters.iter();
    table(rows.map(|row| (row.path.clone(), row))) + &total(view)
}

pub(super) fn tree(view: &View) -> String {
    if view.clusters.is_empty() {
        return list(view);
    }
    let all = &view.clusters;
    let rows = all.iter().enumerate();
    table(rows.map(|(at, row)| (branch(all, at), row))) + &total(view)
}

pub(super) fn one(view: &View) -> String {
    let Some((own, below)) = view.clusters.split_first() else {
        return list(view);
    };
    let agent = match (&own.agent_version, own.agent) {
        (_, Agent::None) => "none".to_owned(),
        (version, Agent::Connected) => said(version.as_ref()),
        (version, Agent::Lost) => {
            format!("{}, lost {}", said(version.as_ref()), ago(own.seen))
        }
    };
    let nodes = own.nodes.map(|nodes| {
        let all = count(u64::from(nodes.total), "node");
        format!("{} of {all} ready", nodes.ready)
    });
    let capacity = own
        .capacity
        .map(|capacity| format!("{} cores, {}", capacity.cores, capacity.memory_gi));
    let hourly = own
        .hourly
        .map(|hourly| format!("{hourly} an hour, {}", ago(own.priced)));
    let lines = [
        ("cluster", own.path.clone()),
        ("state", state(own)),
        ("agent", agent),
        ("kubernetes", said(own.kubernetes_version.as_ref())),
        ("nodes", said(nodes.as_ref())),
        ("capacity", said(capacity.as_ref())),
        ("seen", ago(own.seen)),
        ("cost", said(hourly.as_ref())),
    ];
    let lines = lines.map(|(what, text)| format!("{what:<11} {text}\n"));
    let mut text = lines.concat();
    if !below.is_empty() {
        text += "\n";
        text += &tree(view);
    }
    text
}

fn table<'a>(rows: impl Iterator<Item = (String, &'a Row)>) -> String {
    let header = [
        "CLUSTER",
        "STATE",
        "READY",
        "CORES",
        "MEMORY",
        "KUBERNETES",
        "LATTICE",
        "SEEN",
        "HOURLY",
        "PRICED",
    ];
    let rows = rows.map(|(name, row)| {
        let capacity = row.capacity;
        let nodes = row
            .nodes
            .map(|nodes| format!("{}/{}", nodes.ready, nodes.total));
        vec![
            name,
            state(row),
            said(nodes.as_ref()),
            said(capacity.map(|capacity| capacity.cores).as_ref()),
            said(capacity.map(|capacity| capacity.memory_gi).as_ref()),
            said(row.kubernetes_version.as_ref()),
            said(row.agent_version.as_ref()),
            ago(row.seen),
            said(row.hourly.as_ref()),
            ago(row.priced),
        ]
    });
    table::table(&header, &[2, 3, 4, 8], rows)
}

fn total(view: &View) -> String {
    let total = &view.total;
    let mut text = format!(
        "\n{}: {} of {} nodes ready, {} cores, {}, {} an hour\n",
        count(total.clusters as u64, "cluster"),
        total.nodes.ready,
        total.nodes.total,
        total.capacity.cores,
        total.capacity.memory_gi,
        total.hourly,
    );
    if view.left_out > 0 {
        let more = count(u64::from(view.left_out), "cluster");
        text += &format!("{more} further below found no room in what agents told\n");
    }
    text
}

/// A cluster's name behind the lines that lead to it.
fn branch(all: &[Row], at: usize) -> String {
    let Some(row) = all.get(at) else {
        return String::new();
    };
    let way: Vec<&str> = names(&row.path).collect();
    let top = all.first().map_or(1, |first| names(&first.path).count());
    let name = way.last().copied().unwrap_or_default();
    let lines = (top..=way.len()).skip(1).map(|depth| {
        let goes_on = follows(&all[at + 1..], &way, depth);
        match (depth == way.len(), goes_on) {
            (true, true) => "├─ ",
            (true, false) => "└─ ",
            (false, true) => "│  ",
            (false, false) => "   ",
        }
    });
    lines.collect::<String>() + name
}

/// Whether one comes later with the same way up to this depth, and another name at it.
fn follows(later: &[Row], way: &[&str], depth: usize) -> bool {
    later.iter().any(|row| {
        let other: Vec<&str> = names(&row.path).collect();
        other.len() >= depth
            && other.get(..depth - 1) == way.get(..depth - 1)
            && other.get(depth - 1) != way.get(depth - 1)
    })
}

fn state(row: &Row) -> String {
    let phase = row.phase.map(|phase: ClusterPhase| format!("{phase:?}"));
    match row.agent {
        Agent::Lost => format!("{}, lost", said(phase.as_ref())),
        _ => said(phase.as_ref()),
    }
}

fn ago(age: Age) -> String {
    match age.seconds {
        None => "-".to_owned(),
        Some(seconds) if seconds < NOW => "now".to_owned(),
        Some(seconds) => format!("{} ago", lasting(seconds)),
    }
}

fn said(what: Option<&impl ToString>) -> String {
    what.map_or_else(|| "-".to_owned(), ToString::to_string)
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};
    use serde_json::json;

    use super::*;
    use crate::api::LatticeCluster;

    fn cluster(name: &str, status: serde_json::Value) -> LatticeCluster {
        let document = json!({
            "apiVersion": "lattice.dev/v1alpha1",
            "kind": "LatticeCluster",
            "metadata": {"name": name},
            "spec": {
                "provider": {"kubernetes": {"version": "1.36.3"}, "config": {}},
                "nodes": {"controlPlane": 1},
            },
            "status": status,
        });
        serde_json::from_value(document).unwrap()
    }

    fn fleet() -> Vec<LatticeCluster> {
        let well =
            json!({"nodes": {"ready": 3, "total": 3}, "capacity": {"cores": 12, "memoryGi": 48}});
        let below = |path: &str, more: serde_json::Value| {
            let mut one = json!({"path": path, "phase": "Ready", "kubernetesVersion": "v1.36.3", "hourly": 0.5});
            one.as_object_mut()
                .unwrap()
                .extend(more.as_object().unwrap().clone());
            one
        };
        vec![
            cluster(
                "us",
                json!({"phase": "Pending", "nodes": {"ready": 0, "total": 4}}),
            ),
            cluster(
                "eu",
                json!({
                    "phase": "Ready",
                    "kubernetesVersion": "v1.36.3",
                    "cost": {"hourly": 1.25, "overheadHourly": 0},
                    "agent": {
                        "version": "0.1.0",
                        "nodes": well["nodes"],
                        "capacity": well["capacity"],
                        "below": [
                            below("west", json!({"agentVersion": "0.1.0", "nodes": {"ready": 1, "total": 2}, "lost": "1970-01-01T00:13:20Z"})),
                            below("west/far", json!({"nodes": {"ready": 2, "total": 2}, "lost": "1970-01-01T00:13:20Z"})),
                            below("east", json!({"agentVersion": "0.1.0", "nodes": {"ready": 5, "total": 5}})),
                        ],
                    },
                }),
            ),
        ]
    }

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).unwrap()
    }

    fn view() -> View {
        View::new(&fleet(), Some(at(1000)), at(1000))
    }

    #[test]
    fn the_tree_has_all_clusters_and_how_old_each_figure_is() {
        let expected = "
 CLUSTER    STATE        READY  CORES  MEMORY  KUBERNETES  LATTICE  SEEN       HOURLY  PRICED
 eu         Ready          3/3     12    48Gi  v1.36.3     0.1.0    now          1.25  now
 ├─ east    Ready          5/5      -       -  v1.36.3     0.1.0    now           0.5  now
 └─ west    Ready, lost    1/2      -       -  v1.36.3     0.1.0    3m20s ago     0.5  3m20s ago
    └─ far  Ready, lost    2/2      -       -  v1.36.3     -        3m20s ago     0.5  3m20s ago
 us         Pending        0/4      -       -  -           -        now             -  now

5 clusters: 11 of 16 nodes ready, 12 cores, 48Gi, 2.75 an hour
";
        assert_eq!(format!("\n{}", tree(&view())), expected);
        let list = list(&view());
        assert!(list.contains("\n eu/west/far "), "{list}");
    }

    #[test]
    fn nothing_is_younger_than_the_last_word_of_the_operator() {
        let late = View::new(&fleet(), Some(at(1000)), at(8200));
        let text = tree(&late);
        assert!(text.contains("2h ago") && !text.contains("now"), "{text}");
        let unled = tree(&View::new(&fleet(), None, at(1000)));
        assert!(!unled.contains("now"), "{unled}");
    }

    #[test]
    fn one_cluster_is_told_with_what_is_below_it() {
        let text = one(&view().at("eu/west").unwrap());
        let expected = "\
cluster     eu/west
state       Ready, lost
agent       0.1.0, lost 3m20s ago
kubernetes  v1.36.3
nodes       1 of 2 nodes ready
capacity    -
seen        3m20s ago
cost        0.5 an hour, 3m20s ago
";
        assert!(text.starts_with(expected), "{text}");
        assert!(text.contains("└─ far"), "{text}");
        assert!(!one(&view().at("us").unwrap()).contains("CLUSTER"));
    }

    #[test]
    fn who_misspells_a_cluster_is_told_the_nearest() {
        let wrong = |path: &str| view().at(path).unwrap_err();
        assert_eq!(
            wrong("eu/wset"),
            "there is no cluster `eu/wset` below this cell; did you mean `eu/west`?"
        );
        assert!(wrong("far").ends_with("did you mean `eu/west/far`?"));
        assert!(wrong("zzz").ends_with("there are: eu, eu/east, eu/west, eu/west/far, us"));
        let none = View::new(&[], None, at(0)).at("eu").unwrap_err();
        assert!(none.ends_with("there is none at all"), "{none}");
    }

    #[test]
    fn the_document_says_when_each_figure_was_so() {
        let document = serde_json::to_value(view()).unwrap();
        let west = &document["clusters"][2];
        assert_eq!(west["path"], "eu/west");
        assert_eq!(west["agent"], "lost");
        assert_eq!(
            west["seen"],
            json!({"at": "1970-01-01T00:13:20Z", "seconds": 200})
        );
        assert_eq!(document["clusters"][0]["priced"]["seconds"], 0);
        assert_eq!(document["total"]["hourly"], 2.75);
    }
}
