//! The one place that statuses are written from.

use std::{sync::Arc, time::Duration};

use futures::{StreamExt, stream};
use kube::{
    Client,
    api::{ApiResource, Patch, PatchParams},
    core::GroupVersionKind,
};
use serde_json::{Value, json};
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    error::OperatorError,
    metrics::Metrics,
    objects::{self, gone_is_fine},
};
use crate::api::{API_VERSION, GROUP, VERSION, kind};

/// Owner of every status field that Lattice writes.
pub const FIELD_MANAGER: &str = "lattice.dev/status";
/// Jobs that wait; whoever has more waits with them.
const QUEUE: usize = 64;
/// Requests under way at a time.
pub(crate) const CONCURRENT: usize = 8;
/// Longest wait for one answer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(15);

/// A status that differs from what the API server has.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct StatusWrite {
    pub(crate) kind: &'static str,
    pub(crate) namespace: Option<String>,
    pub(crate) name: String,
    /// Of the very object that was looked at: one of the same name made since is another one.
    pub(crate) uid: Option<String>,
    pub(crate) status: Value,
}

struct Job {
    write: StatusWrite,
    over: CancellationToken,
    done: oneshot::Sender<Result<(), OperatorError>>,
}

/// Hands statuses to the writer.
#[derive(Clone)]
pub(crate) struct StatusWriter {
    jobs: mpsc::Sender<Job>,
}

impl StatusWriter {
    /// Starts the writer.
    pub(crate) fn start(
        client: Client,
        metrics: Arc<Metrics>,
        tasks: &TaskTracker,
        stop: &CancellationToken,
    ) -> Self {
        let (jobs, mut queue) = mpsc::channel::<Job>(QUEUE);
        let waiting = jobs.downgrade();
        let writing = async move {
            let queue = stream::poll_fn(move |context| queue.poll_recv(context));
            queue
                .for_each_concurrent(CONCURRENT, |job| {
                    let depth = waiting.upgrade().map_or(0, |jobs| QUEUE - jobs.capacity());
                    metrics
                        .queue_depth
                        .set(i64::try_from(depth).unwrap_or(i64::MAX));
                    metrics.writes.inc();
                    write(&client, job)
                })
                .await;
        };
        tasks.spawn(stop.clone().run_until_cancelled_owned(writing));
        Self { jobs }
    }

    /// Writes one status. Returns when it is written, or refused, or the term is over.
    pub(crate) async fn write(
        &self,
        write: StatusWrite,
        over: &CancellationToken,
    ) -> Result<(), OperatorError> {
        let (done, answer) = oneshot::channel();
        let job = Job {
            write,
            over: over.clone(),
            done,
        };
        self.jobs
            .send(job)
            .await
            .map_err(|_| OperatorError::NotLeading)?;
        answer.await.map_err(|_| OperatorError::NotLeading)?
    }
}

async fn write(client: &Client, job: Job) {
    let patching = timeout(PATIENCE, patch(client, &job.write));
    let result = match job.over.run_until_cancelled(patching).await {
        None => Err(OperatorError::NotLeading),
        Some(Err(_)) => Err(no_answer()),
        Some(Ok(result)) => result,
    };
    // Nobody waits for the answer any more when the term is over.
    let _ = job.done.send(result);
}

/// What a request that is not answered in time counts as.
pub(crate) fn no_answer() -> OperatorError {
    let error = std::io::Error::from(std::io::ErrorKind::TimedOut);
    OperatorError::Api(kube::Error::Service(Box::new(error)))
}

async fn patch(client: &Client, write: &StatusWrite) -> Result<(), OperatorError> {
    let resource = resource(write.kind);
    let api = objects::api(client, &resource, write.namespace.as_deref());
    let params = PatchParams::apply(FIELD_MANAGER).force();
    let patched = api
        .patch_status(&write.name, &params, &Patch::Apply(&document(write)))
        .await;
    // Deleted since; nothing is left to have a status.
    Ok(gone_is_fine(patched)?)
}

fn document(write: &StatusWrite) -> Value {
    let mut metadata = json!({"name": write.name});
    if let Some(uid) = &write.uid {
        metadata["uid"] = json!(uid);
    }
    json!({
        "apiVersion": API_VERSION,
        "kind": write.kind,
        "metadata": metadata,
        "status": write.status,
    })
}

fn resource(name: &str) -> ApiResource {
    let gvk = GroupVersionKind::gvk(GROUP, VERSION, name);
    match kind(name) {
        Some(kind) => ApiResource::from_gvk_with_plural(&gvk, &kind.plural),
        None => ApiResource::from_gvk(&gvk),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_patch_names_the_object_and_nothing_but_its_status() {
        let write = StatusWrite {
            kind: "LatticePool",
            namespace: None,
            name: "us".into(),
            uid: Some("u".into()),
            status: json!({"phase": "Ready"}),
        };
        assert_eq!(
            document(&write),
            json!({
                "apiVersion": "lattice.dev/v1alpha1",
                "kind": "LatticePool",
                "metadata": {"name": "us", "uid": "u"},
                "status": {"phase": "Ready"},
            })
        );
        assert_eq!(resource("LatticePool").plural, "latticepools");
    }
}
