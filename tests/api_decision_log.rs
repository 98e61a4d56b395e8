//! The decision log against a real API server: one writer at a time, and nothing left behind.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, Client, ResourceExt, api::ListParams};
use lattice::operator::decision_log::{Draft, Keep, LogError, NAMESPACE, Reader, Writer, blob};

fn draft(content: &str) -> Draft {
    Draft {
        time: "2024-01-15T10:30:00Z".to_owned(),
        snapshot_digest: "sha256:a".to_owned(),
        solution_digest: "sha256:b".to_owned(),
        solver_version: "1".to_owned(),
        blob: blob::cut(content.as_bytes()).unwrap(),
    }
}

async fn blobs(client: &Client) -> Vec<String> {
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), NAMESPACE);
    let found = maps.list(&ListParams::default()).await.unwrap();
    let names = found.iter().map(ResourceExt::name_any);
    names
        .filter(|name| name.starts_with("lattice-blob-"))
        .collect()
}

#[tokio::test]
async fn of_two_that_claim_the_log_the_older_commits_nothing_and_what_is_kept_is_bounded() {
    let cluster = support::control_plane().await;
    let client = &cluster.client;
    let keep = Keep {
        decisions: 3,
        ..Keep::default()
    };
    let claim = |holder: &'static str, epoch| Writer::claim(client.clone(), holder, epoch, keep);

    // At the same time: at least one gets it, and whoever was first is fenced.
    let (a, b) = tokio::join!(claim("a", 1), claim("b", 1));
    assert!(a.is_ok() || b.is_ok());
    for refused in [&a, &b]
        .into_iter()
        .filter_map(|claimed| claimed.as_ref().err())
    {
        assert!(matches!(refused, LogError::Fenced), "{refused}");
    }
    let mut older = claim("older", 2).await.unwrap();
    for stale in [a, b].into_iter().flatten() {
        let mut stale = stale;
        assert!(matches!(
            stale.commit(draft("stale")).await,
            Err(LogError::Fenced)
        ));
    }
    assert_eq!(older.commit(draft("one")).await.unwrap().id, 1);
    older.verify().await.unwrap();

    let mut newer = claim("newer", 3).await.unwrap();
    assert!(matches!(older.verify().await, Err(LogError::Fenced)));
    assert!(matches!(
        older.commit(draft("late")).await,
        Err(LogError::Fenced)
    ));
    assert_eq!(newer.commit(draft("two")).await.unwrap().id, 2);
    let head = Reader::new(client.clone()).head().await.unwrap().unwrap();
    let holders: Vec<&str> = head
        .entries
        .iter()
        .map(|entry| entry.holder.as_str())
        .collect();
    assert_eq!(holders, ["older", "newer"]);

    // Three decisions are kept, each in a part; the two that were refused left one each, too young to sweep.
    for number in 3..20 {
        newer
            .commit(draft(&format!("decision {number}")))
            .await
            .unwrap();
    }
    assert_eq!(newer.head().entries.len(), 3);
    let refused = blobs(client).await.len() - 3;
    assert!((1..=3).contains(&refused), "{refused}");
    assert_eq!(newer.sweep().await.unwrap(), 0);

    // The same content twice is stored once, and stays as long as either decision does.
    for _ in 0..3 {
        newer.commit(draft("the same")).await.unwrap();
    }
    assert_eq!(blobs(client).await.len(), refused + 1);
    newer.commit(draft("another")).await.unwrap();
    let last = newer.head().entries[1].blob.clone();
    assert_eq!(last, newer.head().entries[0].blob);
    assert_eq!(blobs(client).await.len(), refused + 2);
}
