//! Moves that are under way, each a task of its own: they take longer than one look at all clusters may.

use std::{
    collections::BTreeMap,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use backon::{BackoffBuilder, ExponentialBuilder};
use tokio::{sync::Semaphore, task::JoinHandle, time::Instant};
use tokio_util::sync::CancellationToken;

/// Moves at a time.
const AT_A_TIME: usize = 4;
const SHORTEST_REST: Duration = Duration::from_secs(10);
const LONGEST_REST: Duration = Duration::from_secs(600);

/// What a move is doing, in words.
#[derive(Clone, Debug, Default)]
pub(super) struct Said(Arc<Mutex<String>>);

impl Said {
    pub(super) fn say(&self, words: impl Into<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = words.into();
    }

    fn heard(&self) -> String {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// How a cluster's move goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum State {
    #[default]
    None,
    Running(String),
    Failed(String),
}

/// All moves.
pub(super) struct Moves {
    known: Mutex<BTreeMap<String, Move>>,
    slots: Arc<Semaphore>,
    shortest_rest: Duration,
}

struct Move {
    said: Said,
    /// None once it has ended and how is noted.
    task: Option<JoinHandle<Result<(), String>>>,
    outcome: Option<Result<(), String>>,
    failures: usize,
    rest_until: Instant,
}

impl Moves {
    pub(super) fn new() -> Self {
        Self::resting(SHORTEST_REST)
    }

    fn resting(shortest_rest: Duration) -> Self {
        Moves {
            known: Mutex::default(),
            slots: Arc::new(Semaphore::new(AT_A_TIME)),
            shortest_rest,
        }
    }

    /// How the move of this cluster goes.
    pub(super) async fn state(&self, cluster: &str) -> State {
        let finished = {
            let mut known = self.lock();
            let Some(its) = known.get_mut(cluster) else {
                return State::None;
            };
            let said = its.said.heard();
            match its.task.take_if(|task| task.is_finished()) {
                Some(task) => Some(task),
                None if its.task.is_some() => return State::Running(said),
                None => None,
            }
        };
        if let Some(task) = finished {
            let outcome = task.await.unwrap_or_else(|error| Err(error.to_string()));
            self.note(cluster, outcome);
        }
        match self.lock().get(cluster).and_then(|its| its.outcome.clone()) {
            Some(Err(why)) => State::Failed(why),
            Some(Ok(())) | None => State::None,
        }
    }

    fn note(&self, cluster: &str, outcome: Result<(), String>) {
        let mut known = self.lock();
        let Some(its) = known.get_mut(cluster) else {
            return;
        };
        match &outcome {
            Ok(()) => {
                its.failures = 0;
                its.rest_until = Instant::now();
            }
            Err(why) => {
                tracing::warn!(cluster, why, "a move is tried again");
                its.rest_until = Instant::now() + rest(self.shortest_rest, its.failures);
                its.failures = its.failures.saturating_add(1);
            }
        }
        its.outcome = Some(outcome);
    }

    /// Begins a move, unless the last one failed not long ago. It ends with the term.
    pub(super) fn begin<F>(
        &self,
        cluster: &str,
        over: &CancellationToken,
        work: impl FnOnce(Said) -> F,
    ) where
        F: Future<Output = Result<(), String>> + Send + 'static,
    {
        let mut known = self.lock();
        let failures = match known.get(cluster) {
            Some(its) if its.task.is_some() || Instant::now() < its.rest_until => return,
            Some(its) => its.failures,
            None => 0,
        };
        let said = Said::default();
        said.say("other clusters are moved first");
        let (slots, over, work) = (Arc::clone(&self.slots), over.clone(), work(said.clone()));
        let task = tokio::spawn(async move {
            let moved = async {
                let _slot = slots.acquire().await;
                work.await
            };
            match over.run_until_cancelled(moved).await {
                Some(outcome) => outcome,
                None => Err("this operator leads no more".to_owned()),
            }
        });
        let begun = Move {
            said,
            task: Some(task),
            outcome: None,
            failures,
            rest_until: Instant::now(),
        };
        known.insert(cluster.to_owned(), begun);
    }

    /// Forgets a cluster that is gone.
    pub(super) fn forget(&self, cluster: &str) {
        self.lock().remove(cluster);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Move>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long to rest after so many failures in a row.
fn rest(shortest: Duration, failures: usize) -> Duration {
    let rests = ExponentialBuilder::default()
        .with_jitter()
        .with_min_delay(shortest)
        .with_max_delay(LONGEST_REST)
        .with_max_times(failures + 1)
        .build();
    rests.last().unwrap_or(LONGEST_REST)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn settled(moves: &Moves) -> State {
        for _ in 0..1_000 {
            match moves.state("a").await {
                State::Running(_) => tokio::time::sleep(Duration::from_millis(1)).await,
                state => return state,
            }
        }
        panic!("it does not end");
    }

    #[tokio::test]
    async fn what_fails_rests_before_it_is_tried_again() {
        let shortest = Duration::from_millis(500);
        let (moves, over) = (Moves::resting(shortest), CancellationToken::new());
        assert_eq!(moves.state("a").await, State::None);
        moves.begin("a", &over, |_| async { Err("no".to_owned()) });
        assert_eq!(settled(&moves).await, State::Failed("no".to_owned()));
        moves.begin("a", &over, |_| async { Ok(()) });
        assert_eq!(moves.state("a").await, State::Failed("no".to_owned()));
        tokio::time::sleep(shortest * 2).await;
        moves.begin("a", &over, |_| async { Ok(()) });
        assert_eq!(settled(&moves).await, State::None);
    }

    #[tokio::test]
    async fn one_at_a_time_for_a_cluster_and_none_after_the_term() {
        let (moves, over) = (Moves::new(), CancellationToken::new());
        moves.begin("a", &over, |said| {
            said.say("at it");
            std::future::pending()
        });
        moves.begin("a", &over, |_| async { Ok(()) });
        assert!(matches!(moves.state("a").await, State::Running(_)));
        over.cancel();
        assert!(matches!(settled(&moves).await, State::Failed(_)));
    }

    #[test]
    fn rests_grow_and_have_a_limit() {
        let rest = |failures| rest(SHORTEST_REST, failures);
        assert!(rest(0) >= SHORTEST_REST && rest(0) <= SHORTEST_REST * 2);
        assert!(rest(3) > rest(0));
        assert!(rest(1_000) <= LONGEST_REST * 2);
    }
}
