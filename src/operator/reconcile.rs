//! The main road: observe, decide, commit, act; over and over while leading.
//!
//! A pass decides only on what is committed and observed, commits before it acts, and acts by comparing what
//! should be with what is. So it can be cut off anywhere: the next pass, of this process or another, takes up
//! the last committed decision and writes what is still missing.

use std::{
    sync::Arc,
    time::{Duration, Instant as StdInstant},
};

use chrono::Utc;
use futures::{StreamExt, stream};
use kube::Client;
use tokio::{
    sync::{Notify, watch},
    time::{Instant, timeout, timeout_at},
};
use tokio_util::sync::CancellationToken;

use super::{
    acts::{self, Acts},
    apply, behind,
    decide::{self, Decided, Next, Verdict},
    decision_log::{Keep, LogError, Writer},
    error::OperatorError,
    events::{Events, News},
    explained::Explained,
    inventory::Committed,
    leader::Term,
    metrics::Metrics,
    seen::Seen,
    standing::{RESYNC, Standing},
    status_writer::{CONCURRENT, PATIENCE, StatusWrite, StatusWriter, no_answer},
    store::Stores,
    tree::Desk,
};
use crate::{
    api::Timestamp,
    placement::decisions::{self, Alternatives},
};

/// No change waits longer than this for others to be decided on with.
const MOST_DELAY: Duration = Duration::from_secs(2);
/// How often the main loop shows that it is alive while nothing happens.
const BEAT: Duration = Duration::from_secs(10);
/// Pauses after failed passes: doubled from the first to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LAST_PAUSE: Duration = Duration::from_secs(30);

/// Everything that a pass works with.
pub(crate) struct Reconciler {
    pub(crate) client: Client,
    pub(crate) identity: String,
    pub(crate) keep: Keep,
    pub(crate) quiet: Duration,
    pub(crate) stores: Stores,
    pub(crate) changed: Arc<Notify>,
    pub(crate) writer: StatusWriter,
    pub(crate) events: Events,
    pub(crate) desk: Desk,
    pub(crate) metrics: Arc<Metrics>,
}

/// What a leader knows in its term.
struct Office<'a> {
    log: Writer,
    committed: Option<Arc<Committed>>,
    /// Whether clusters that the last decision removes may still be there.
    deletions_due: bool,
    explained: Explained,
    standing: Option<Standing>,
    /// Since when a decision waits for the watches to catch up.
    doubted_since: Option<StdInstant>,
    term: &'a Term,
}

impl Office<'_> {
    /// How long the next change is waited for.
    fn patience(&self) -> Duration {
        if self.doubted_since.is_some() {
            behind::ASK_EVERY
        } else if self.explained.is_complete() {
            BEAT
        } else {
            Duration::ZERO
        }
    }
}

impl Reconciler {
    /// Leads whenever there is a term, until the stop.
    pub(crate) async fn run(
        &self,
        mut terms: watch::Receiver<Option<Term>>,
        stop: &CancellationToken,
    ) {
        let mut pause = FIRST_PAUSE;
        while !stop.is_cancelled() {
            let term = terms.borrow_and_update().clone();
            let Some(term) = term else {
                self.metrics.beat();
                tokio::select! {
                    () = stop.cancelled() => {}
                    // An error means that the campaign has ended, which comes before the stop.
                    _ = timeout(BEAT, terms.changed()) => {}
                }
                continue;
            };
            self.metrics.is_leader.set(1);
            let led = stop.run_until_cancelled(term.over.run_until_cancelled(self.lead(&term)));
            let began = Instant::now();
            let result = led.await;
            self.metrics.is_leader.set(0);
            if let Some(Some(Err(error))) = result {
                tracing::warn!(%error, "the term is begun anew");
                if began.elapsed() > LAST_PAUSE {
                    pause = FIRST_PAUSE;
                }
                let _ = timeout(pause, stop.cancelled()).await;
                pause = longer(pause);
            }
        }
    }

    /// One term. Ends only by an error that makes what the leader knows doubtful.
    async fn lead(&self, term: &Term) -> Result<(), OperatorError> {
        let log = Writer::claim(self.client.clone(), &self.identity, term.epoch, self.keep).await?;
        let committed = decide::load(&log).await?;
        let swept = log.sweep().await?;
        tracing::info!(
            decision = committed.as_ref().map_or(0, |c| c.id),
            swept,
            "took over the decision log"
        );
        let mut explained = Explained::default();
        if let Some(committed) = &committed {
            explained.renew(None, &committed.record);
        }
        let mut office = Office {
            log,
            committed: committed.map(Arc::new),
            deletions_due: true,
            explained,
            standing: None,
            doubted_since: None,
            term,
        };
        let mut pause = FIRST_PAUSE;
        loop {
            self.metrics.beat();
            self.metrics.passes.inc();
            match self.pass(&mut office).await {
                Ok(()) => {
                    pause = FIRST_PAUSE;
                    self.rest(office.patience()).await;
                }
                Err(error @ (OperatorError::Log(LogError::Fenced) | OperatorError::NotLeading)) => {
                    return Err(error);
                }
                Err(error) => {
                    self.metrics.pass_failures.inc();
                    tracing::warn!(%error, "a pass failed and is tried again");
                    tokio::time::sleep(pause).await;
                    pause = longer(pause);
                }
            }
        }
    }

    async fn pass(&self, office: &mut Office<'_>) -> Result<(), OperatorError> {
        // Before the next decision, for that one no longer knows of them.
        self.finish_deletions(office).await?;
        let seen = self.stores.observe();
        // Taken, for after a failure nothing stands.
        let standing = office.standing.take();
        let (mut standing, acts) = match standing.filter(|s| s.holds(&seen, StdInstant::now())) {
            Some(mut standing) => {
                let found = self.explain(office).await?;
                standing.learn(found, &mut office.explained);
                (standing, Acts::default())
            }
            None => {
                let Some(anew) = self.look_anew(office, &seen).await? else {
                    return Ok(());
                };
                anew
            }
        };
        self.metrics
            .to_explain
            .set(i64::try_from(office.explained.waiting()).unwrap_or(i64::MAX));
        let work = move || acts::statuses(&seen, &standing.decided).map(|found| (standing, found));
        let (kept, (statuses, told)) = tokio::task::spawn_blocking(work).await??;
        standing = kept;
        self.act(acts, statuses, told, office).await?;
        office.standing = Some(standing);
        Ok(())
    }

    /// Decides, if need be, and computes everything that follows.
    async fn look_anew(
        &self,
        office: &mut Office<'_>,
        seen: &Seen,
    ) -> Result<Option<(Standing, Acts)>, OperatorError> {
        self.metrics.full_passes.inc();
        let inputs = Arc::new(seen.inputs());
        let (input, known) = (Arc::clone(&inputs), office.committed.clone());
        let now = Timestamp::from(Utc::now());
        let work = move || decide::decide(&input, known.as_ref(), now);
        let Decided { built, verdict } = tokio::task::spawn_blocking(work).await??;
        let fresh = matches!(verdict, Verdict::Next(_));
        let since = office.doubted_since.take();
        match verdict {
            Verdict::Answered => {}
            Verdict::Confirmed(confirmed) => self.confirm(office, confirmed),
            Verdict::Next(next) => {
                let decision = &next.record.solution;
                office.doubted_since = behind::doubted(&self.client, seen, decision, since).await?;
                if office.doubted_since.is_some() {
                    return Ok(None);
                }
                self.commit(office, next).await?;
            }
        }
        let Some(committed) = office.committed.clone() else {
            return Ok(None);
        };
        let found = self.explain(office).await?;
        office.explained.learn(found);
        let known = office.explained.known().clone();
        let decision = Arc::clone(&committed);
        let work = move || acts::full(&inputs, &built.problems, &decision, &known, fresh, now);
        let (mut decided, acts) = tokio::task::spawn_blocking(work).await??;
        self.desk.put(committed, &decided);
        seen.escalations.over(&seen.services, &mut decided, now);
        acts.show(&self.metrics);
        Ok(Some((Standing::new(seen.clone(), decided), acts)))
    }

    /// The last decision stands under other limits and prices. Nothing is committed: a leader that knows only the
    /// log finds the same.
    fn confirm(&self, office: &mut Office<'_>, confirmed: Committed) {
        tracing::info!(
            decision = confirmed.id,
            "stands under other limits and prices"
        );
        self.metrics.confirmations.inc();
        let before = office.committed.as_ref().map(|committed| &committed.record);
        office.explained.renew(before, &confirmed.record);
        office.committed = Some(Arc::new(confirmed));
    }

    async fn commit(&self, office: &mut Office<'_>, next: Next) -> Result<(), OperatorError> {
        self.metrics.solve_seconds.observe(next.seconds);
        let entry = office.log.commit(next.draft).await?;
        tracing::info!(
            decision = entry.id,
            clusters = next.record.solution.live().count(),
            services = next.record.snapshot.services.len(),
            "decided"
        );
        self.metrics.decisions.inc();
        let before = office.committed.as_ref().map(|committed| &committed.record);
        office.explained.renew(before, &next.record);
        office.committed = Some(Arc::new(Committed {
            id: entry.id,
            record: next.record,
        }));
        office.deletions_due = true;
        self.finish_deletions(office).await
    }

    /// The alternatives of the next services that wait for theirs.
    async fn explain(&self, office: &mut Office<'_>) -> Result<Alternatives, OperatorError> {
        let Some(committed) = office.committed.clone() else {
            return Ok(Alternatives::new());
        };
        let wanted = office.explained.next(committed.record.snapshot.pools.len());
        if wanted.is_empty() {
            return Ok(Alternatives::new());
        }
        let work = move || {
            let record = &committed.record;
            decisions::alternatives(&record.snapshot, &record.solution, &|id| {
                wanted.contains(id)
            })
        };
        Ok(tokio::task::spawn_blocking(work).await?)
    }

    async fn finish_deletions(&self, office: &mut Office<'_>) -> Result<(), OperatorError> {
        if !office.deletions_due {
            return Ok(());
        }
        if let Some(committed) = &office.committed {
            for name in committed.deleted() {
                timeout(PATIENCE, apply::delete(&self.client, name))
                    .await
                    .map_err(|_| no_answer())??;
            }
        }
        office.deletions_due = false;
        Ok(())
    }

    /// Writes what differs. Clusters go before statuses, so that no status names a cluster that is not there.
    async fn act(
        &self,
        acts: Acts,
        statuses: Vec<StatusWrite>,
        told: Vec<News>,
        office: &Office<'_>,
    ) -> Result<(), OperatorError> {
        if !acts.clusters.is_empty() || !statuses.is_empty() {
            office.log.verify().await?;
        }
        let clusters = stream::iter(acts.clusters)
            .map(|write| async {
                self.metrics.writes.inc();
                timeout(PATIENCE, apply::write(&self.client, write))
                    .await
                    .map_err(|_| no_answer())?
            })
            .buffer_unordered(CONCURRENT)
            .collect::<Vec<_>>()
            .await;
        all_written(clusters)?;
        let statuses = stream::iter(statuses)
            .map(|write| self.writer.write(write, &office.term.over))
            .buffer_unordered(CONCURRENT)
            .collect::<Vec<_>>()
            .await;
        all_written(statuses)?;
        for news in acts.news.into_iter().chain(told) {
            self.events.tell(news);
        }
        Ok(())
    }

    /// Waits for the next change, and for it to be followed by quiet. Without one it ends with its patience, or, where that is a whole
    /// beat, when all is looked at anew.
    async fn rest(&self, patience: Duration) {
        let since = Instant::now();
        while timeout(patience, self.changed.notified()).await.is_err() {
            self.metrics.beat();
            if patience < BEAT || since.elapsed() >= RESYNC {
                return;
            }
        }
        let deadline = Instant::now() + MOST_DELAY;
        loop {
            let quiet = deadline.min(Instant::now() + self.quiet);
            if timeout_at(quiet, self.changed.notified()).await.is_err() {
                return;
            }
        }
    }
}

fn longer(pause: Duration) -> Duration {
    (pause * 2).min(LAST_PAUSE)
}

fn all_written(results: Vec<Result<(), OperatorError>>) -> Result<(), OperatorError> {
    let all = results.len();
    let mut failures = results.into_iter().filter_map(Result::err);
    match failures.next() {
        None => Ok(()),
        Some(OperatorError::NotLeading) => Err(OperatorError::NotLeading),
        Some(first) => Err(OperatorError::Writes {
            failed: failures.count() + 1,
            all,
            first: first.to_string(),
        }),
    }
}
