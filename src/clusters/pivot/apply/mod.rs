//! A move between two API servers, from where it is to its end.

mod direct;

use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use tokio::time::{Instant, sleep};
use tracing::{debug, info};

pub use direct::Direct;

use super::{ClusterName, Intent, PivotError, Port, Step, decide::Outcome, pause::Waiting, round};

/// Rounds in a row that may do the same before it is said that it leads nowhere.
const MOST_REPEATS: u32 = 8;

/// Rounds of one attempt. A wait is a round for each look.
const MOST_ROUNDS: u32 = 10_000;

/// How patient a move is.
#[derive(Clone, Debug)]
pub struct Options {
    /// Time between two looks at what is waited for.
    pub poll: Duration,
    /// Time within which everybody has to acknowledge the pause.
    pub acknowledged_within: Duration,
    /// How often a side that does not answer is asked again.
    pub retries: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            poll: Duration::from_secs(1),
            acknowledged_within: Duration::from_secs(300),
            retries: 8,
        }
    }
}

/// Moves a cluster, or finishes a move that was begun. A move that cannot succeed is given up, so that the source
/// does not stay paused.
///
/// # Errors
/// Why it is not moved. Where a side does not answer, everything stays as it is for the next attempt.
pub async fn pivot<S: Port, T: Port>(
    source: &S,
    target: &T,
    cluster: &ClusterName,
    options: &Options,
) -> Result<Outcome, PivotError> {
    let error = match run(source, target, cluster, Intent::Move, options).await {
        Err(error) if !error.is_passing() => error,
        other => return other,
    };
    match run(source, target, cluster, Intent::GiveUp, options).await {
        Ok(_)
        // It is not this move's to give up.
        | Err(PivotError::HandedOver { .. } | PivotError::Claimed { .. }) => Err(error),
        Err(undoing) => Err(PivotError::NotGivenUp {
            error: Box::new(error),
            undoing: Box::new(undoing),
        }),
    }
}

/// Gives a move up.
///
/// # Errors
/// If it was handed over already, or a side does not answer.
pub async fn give_up<S: Port, T: Port>(
    source: &S,
    target: &T,
    cluster: &ClusterName,
    options: &Options,
) -> Result<Outcome, PivotError> {
    run(source, target, cluster, Intent::GiveUp, options).await
}

async fn run<S: Port, T: Port>(
    source: &S,
    target: &T,
    cluster: &ClusterName,
    intent: Intent,
    options: &Options,
) -> Result<Outcome, PivotError> {
    let mut last = None;
    let mut repeats = 0;
    let mut deadline = None;
    for _ in 0..MOST_ROUNDS {
        let patience = ExponentialBuilder::default()
            .with_jitter()
            .with_min_delay(options.poll)
            .with_max_times(options.retries);
        let step = (|| round(source, target, cluster, intent))
            .retry(patience)
            .when(PivotError::is_passing)
            .notify(|error, delay| debug!(%error, ?delay, "asking again"))
            .await?;
        match &step {
            Step::Done(outcome) => return Ok(outcome.clone()),
            Step::Wait(waiting) => {
                let now = Instant::now();
                let end = *deadline.get_or_insert(now + options.acknowledged_within);
                if now >= end {
                    return Err(unacknowledged(waiting.clone(), options));
                }
                sleep(options.poll.min(end - now)).await;
            }
            Step::Act(actions) => {
                deadline = None;
                for action in actions {
                    info!(%cluster, "{action}");
                }
                repeats = if last.as_ref() == Some(&step) {
                    repeats + 1
                } else {
                    0
                };
                if repeats >= MOST_REPEATS {
                    return Err(stuck(repeats, Some(&step)));
                }
            }
        }
        last = Some(step);
    }
    Err(stuck(MOST_ROUNDS, last.as_ref()))
}

fn stuck(rounds: u32, last: Option<&Step>) -> PivotError {
    let action = match last {
        Some(Step::Act(actions)) => actions.first().map(ToString::to_string),
        _ => None,
    };
    PivotError::Stuck {
        rounds,
        action: action.unwrap_or_else(|| "wait".to_owned()),
    }
}

fn unacknowledged(waiting: Vec<Waiting>, options: &Options) -> PivotError {
    PivotError::PauseNotAcknowledged {
        seconds: options.acknowledged_within.as_secs(),
        waiting,
    }
}
