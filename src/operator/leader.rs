//! Who may write: one leader by a Lease, which steps down before its lease runs out.
//!
//! The lease alone is no fence: a process may sleep between its last look and its next write. Decisions are
//! fenced by the head of the decision log; this only keeps two operators from working at the same time.

use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use k8s_openapi::api::coordination::v1::Lease;
use kube::{Api, Client};
use kube_lease_manager::{LeaseManager, LeaseManagerBuilder};
use tokio::{sync::watch, time::timeout};
use tokio_util::sync::CancellationToken;

use super::{decision_log::NAMESPACE, error::OperatorError};

/// Name of the Lease.
pub const LEASE: &str = "lattice-operator";
/// Longest wait for the API server's answer to one question about the lease.
const ASK_PATIENCE: Duration = Duration::from_secs(3);
/// Pause after an error of the lease manager.
const ERROR_PAUSE: Duration = Duration::from_secs(1);
/// Longest wait for the release at the end.
const RELEASE_PATIENCE: Duration = Duration::from_secs(3);

/// One time of leading. Cancelled when it is over.
#[derive(Clone, Debug)]
pub(crate) struct Term {
    pub(crate) epoch: i64,
    pub(crate) over: CancellationToken,
}

/// How to take part.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    pub(crate) identity: String,
    pub(crate) lease_seconds: u64,
}

/// The terms of an operator that needs no election.
pub(crate) fn always(stop: &CancellationToken) -> watch::Receiver<Option<Term>> {
    let term = Term {
        epoch: 0,
        over: stop.child_token(),
    };
    watch::channel(Some(term)).1
}

/// Takes part in the election until the stop. The receiver has a term while this operator leads.
pub(crate) async fn campaign(
    client: Client,
    candidate: Candidate,
    stop: CancellationToken,
    terms: watch::Sender<Option<Term>>,
) -> Result<(), OperatorError> {
    let seconds = candidate.lease_seconds.max(3);
    let manager = LeaseManagerBuilder::new(client.clone(), LEASE)
        .with_namespace(NAMESPACE)
        .with_identity(candidate.identity.clone())
        .with_duration(seconds)
        .with_grace((seconds / 3).max(1))
        .build()
        .await?;
    let campaign = Campaign {
        leases: Api::namespaced(client, NAMESPACE),
        identity: candidate.identity,
        every: Duration::from_secs(seconds) / 5,
        terms,
    };
    campaign.run(&manager, &stop).await;
    campaign.step_down("the operator stops");
    let _ = timeout(RELEASE_PATIENCE, manager.release()).await;
    Ok(())
}

struct Campaign {
    leases: Api<Lease>,
    identity: String,
    every: Duration,
    terms: watch::Sender<Option<Term>>,
}

impl Campaign {
    async fn run(&self, manager: &LeaseManager, stop: &CancellationToken) {
        // The manager renews only inside this future, so it is never dropped half-way.
        let mut change = Box::pin(manager.changed());
        let mut tick = tokio::time::interval(self.every);
        let mut valid_until = SystemTime::UNIX_EPOCH;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                changed = &mut change => {
                    if let Err(error) = changed {
                        tracing::warn!(%error, "the leader lease cannot be kept or taken");
                        tokio::time::sleep(ERROR_PAUSE).await;
                    }
                    change = Box::pin(manager.changed());
                }
                _ = tick.tick() => {}
            }
            // What the API server says is believed, never what the manager remembers.
            if let Ok(Ok(lease)) = timeout(ASK_PATIENCE, self.leases.get(LEASE)).await {
                match held(&lease, &self.identity) {
                    Some((until, epoch)) => {
                        valid_until = until;
                        self.lead(epoch);
                    }
                    None => valid_until = SystemTime::UNIX_EPOCH,
                }
            }
            if SystemTime::now() + self.every >= valid_until {
                self.step_down("the lease is another's or runs out");
            }
        }
    }

    fn lead(&self, epoch: i64) {
        self.terms.send_if_modified(|term| {
            if term.as_ref().is_some_and(|term| term.epoch == epoch) {
                return false;
            }
            if let Some(before) = term.take() {
                before.over.cancel();
            }
            tracing::info!(epoch, identity = %self.identity, "leading");
            *term = Some(Term {
                epoch,
                over: CancellationToken::new(),
            });
            true
        });
    }

    fn step_down(&self, why: &str) {
        self.terms.send_if_modified(|term| match term.take() {
            Some(before) => {
                tracing::info!(why, "no longer leading");
                before.over.cancel();
                true
            }
            None => false,
        });
    }
}

/// When somebody led last: now, if somebody does. None where there is no lease.
pub(crate) async fn last_led(client: &Client) -> kube::Result<Option<DateTime<Utc>>> {
    let leases: Api<Lease> = Api::namespaced(client.clone(), NAMESPACE);
    let lease = leases.get_opt(LEASE).await?;
    Ok(lease.and_then(|lease| led(&lease, SystemTime::now()).map(DateTime::from)))
}

fn led(lease: &Lease, now: SystemTime) -> Option<SystemTime> {
    let holder = lease.spec.as_ref()?.holder_identity.as_deref();
    if let Some((until, _)) = held(lease, holder.unwrap_or_default())
        && now < until
    {
        return Some(now);
    }
    let renewed = lease.spec.as_ref()?.renew_time.as_ref();
    // One who steps down leaves no time but that of the write.
    let written = lease.metadata.managed_fields.iter().flatten();
    let written = written.filter_map(|entry| Some(entry.time.as_ref()?.0.into()));
    written.chain(renewed.map(|time| time.0.into())).max()
}

/// Until when this identity has the lease, and how often it had changed hands by then.
fn held(lease: &Lease, identity: &str) -> Option<(SystemTime, i64)> {
    let spec = lease.spec.as_ref()?;
    if spec.holder_identity.as_deref() != Some(identity) {
        return None;
    }
    let renewed: SystemTime = spec.renew_time.as_ref()?.0.into();
    let seconds = u64::try_from(spec.lease_duration_seconds?).ok()?;
    let epoch = i64::from(spec.lease_transitions.unwrap_or_default());
    Some((renewed + Duration::from_secs(seconds), epoch))
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::{
        api::coordination::v1::LeaseSpec,
        apimachinery::pkg::apis::meta::v1::{ManagedFieldsEntry, MicroTime, Time},
        jiff,
    };

    fn lease(holder: &str) -> Lease {
        Lease {
            spec: Some(LeaseSpec {
                holder_identity: Some(holder.to_owned()),
                lease_duration_seconds: Some(15),
                lease_transitions: Some(4),
                renew_time: Some(MicroTime(jiff::Timestamp::UNIX_EPOCH)),
                ..LeaseSpec::default()
            }),
            ..Lease::default()
        }
    }

    #[test]
    fn a_lease_tells_when_somebody_led_last() {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        assert_eq!(led(&lease("me"), at(10)), Some(at(10)));
        assert_eq!(led(&lease("me"), at(100)), Some(at(0)));
        let mut left = lease("me");
        left.spec = Some(LeaseSpec::default());
        assert_eq!(led(&left, at(100)), None);
        let time = Time(jiff::Timestamp::from_second(40).unwrap());
        left.metadata.managed_fields = Some(vec![ManagedFieldsEntry {
            time: Some(time),
            ..ManagedFieldsEntry::default()
        }]);
        assert_eq!(led(&left, at(100)), Some(at(40)));
    }

    #[test]
    fn a_lease_is_held_by_its_holder_until_it_runs_out() {
        let until = SystemTime::UNIX_EPOCH + Duration::from_secs(15);
        assert_eq!(held(&lease("me"), "me"), Some((until, 4)));
        assert_eq!(held(&lease("you"), "me"), None);
        assert_eq!(held(&Lease::default(), "me"), None);
    }
}
