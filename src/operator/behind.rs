//! Whether the watches have caught up with the API server.
//!
//! Each kind is watched for itself, so that a service may be seen before the policy that was applied before it. What is decided in
//! between is put right a moment later; but clusters that were made or removed by then have cost time and money. So a decision that
//! makes or removes some is compared with what the API server has, before it is committed.

use std::{
    collections::BTreeSet,
    fmt::Debug,
    sync::Arc,
    time::{Duration, Instant},
};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{Api, Client, Resource, api::ListParams};
use serde::de::DeserializeOwned;
use tokio::{time::timeout, try_join};

use super::{
    error::OperatorError,
    seen::Seen,
    status_writer::{PATIENCE, no_answer},
};
use crate::scheduler::solution::{ClusterAction, Solution};

/// How often it is asked again while a decision waits.
pub(crate) const ASK_EVERY: Duration = Duration::from_millis(200);
/// A decision that has waited for so long is taken all the same: where there is always something new, the watches are never level.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// Since when a decision waits for the watches, if it is to wait: it makes or removes clusters, and was made of other things than there
/// are. `since` is the same of the one before.
pub(crate) async fn doubted(
    client: &Client,
    seen: &Seen,
    decision: &Solution,
    since: Option<Instant>,
) -> Result<Option<Instant>, OperatorError> {
    if !is_weighty(decision) {
        return Ok(None);
    }
    let behind = timeout(PATIENCE, behind(client, seen)).await;
    let behind = behind.map_err(|_| no_answer())??;
    if behind.is_empty() {
        return Ok(None);
    }
    if since.is_some_and(|since| since.elapsed() >= LONGEST_WAIT) {
        tracing::warn!(?behind, "decided though the watches have not caught up");
        return Ok(None);
    }
    if since.is_none() {
        tracing::info!(?behind, "a decision waits until the watches have caught up");
    }
    Ok(since.or_else(|| Some(Instant::now())))
}

/// Whether what a decision does takes long to undo.
fn is_weighty(solution: &Solution) -> bool {
    let mut actions = solution.clusters.iter().map(|decision| decision.action);
    actions.any(|action| matches!(action, ClusterAction::Create | ClusterAction::Delete))
}

/// The kinds of which something else is there than was seen. Services are not asked for: one that was not seen yet might as well
/// have come later.
async fn behind(client: &Client, seen: &Seen) -> kube::Result<Vec<String>> {
    let (pools, classes, policies, clusters, pins) = try_join!(
        lags(client, &seen.pools),
        lags(client, &seen.node_classes),
        lags(client, &seen.policies),
        lags(client, &seen.clusters),
        lags(client, &seen.service_placements),
    )?;
    let all = [pools, classes, policies, clusters, pins];
    Ok(all.into_iter().flatten().collect())
}

/// The kind, if other objects of it, or other generations of them, are there than were seen.
async fn lags<K>(client: &Client, seen: &[Arc<K>]) -> kube::Result<Option<String>>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned,
{
    let all: Api<K> = Api::all(client.clone());
    // No version is asked for, so that the answer is as new as the question.
    let there = all.list_metadata(&ListParams::default()).await?;
    let there = generations(there.iter().map(|object| &object.metadata));
    let known = generations(seen.iter().map(|object| object.meta()));
    Ok((there != known).then(|| K::kind(&()).into_owned()))
}

/// What tells the specs of objects apart, without those that are about to go.
fn generations<'o>(
    objects: impl Iterator<Item = &'o ObjectMeta>,
) -> BTreeSet<(Option<&'o str>, Option<i64>)> {
    let alive = objects.filter(|meta| meta.deletion_timestamp.is_none());
    alive
        .map(|meta| (meta.uid.as_deref(), meta.generation))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};

    fn object(uid: &str, generation: i64) -> ObjectMeta {
        ObjectMeta {
            uid: Some(uid.to_owned()),
            generation: Some(generation),
            ..ObjectMeta::default()
        }
    }

    #[test]
    fn another_object_or_another_spec_is_something_else_and_one_that_goes_is_nothing() {
        let (one, two) = (object("a", 1), object("b", 1));
        let both = generations([&one, &two].into_iter());
        assert_eq!(both, generations([&two, &one].into_iter()));
        assert_ne!(both, generations([&one].into_iter()));
        assert_ne!(both, generations([&one, &object("b", 2)].into_iter()));
        let mut going = object("c", 1);
        going.deletion_timestamp = Some(Time(Timestamp::UNIX_EPOCH));
        assert_eq!(both, generations([&one, &two, &going].into_iter()));
    }
}
