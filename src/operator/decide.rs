//! The pure middle of a pass: what was observed and decided before, to the next decision.

use std::{sync::Arc, time::Instant};

use super::{
    decision_log::{Draft, LogError, Writer, blob},
    error::OperatorError,
    inventory::{Committed, carry_over},
};
use crate::{
    api::Timestamp,
    placement::{
        inputs::Inputs,
        record::DecisionRecord,
        snapshot::{self, Built},
    },
    scheduler::{self, solution::SOLVER_VERSION},
};

/// What came of looking at the input.
pub(crate) struct Decided {
    pub(crate) built: Built,
    /// What is to be done about it.
    pub(crate) verdict: Verdict,
}

/// What becomes of the last decision.
pub(crate) enum Verdict {
    /// It answers the input.
    Answered,
    /// It stands, under limits and prices that are other ones than those it was made under.
    Confirmed(Committed),
    /// There is none, or it does not stand: the next one.
    Next(Next),
}

/// A decision that is not committed yet.
pub(crate) struct Next {
    pub(crate) draft: Draft,
    pub(crate) record: DecisionRecord,
    pub(crate) seconds: f64,
}

/// The last decision of the log.
pub(crate) async fn load(log: &Writer) -> Result<Option<Committed>, LogError> {
    let Some(entry) = log.head().last() else {
        return Ok(None);
    };
    let record = log.reader().record(entry).await?;
    Ok(Some(Committed {
        id: entry.id,
        record,
    }))
}

/// Decides, unless the last decision stands.
pub(crate) fn decide(
    inputs: &Inputs,
    last: Option<&Arc<Committed>>,
    now: Timestamp,
) -> Result<Decided, OperatorError> {
    let mut built = snapshot::build(inputs);
    if let Some(last) = last {
        carry_over(last, &inputs.clusters, now, &mut built.snapshot);
        built.snapshot.normalise();
        if last.answers(&built.snapshot) {
            return Ok(Decided {
                built,
                verdict: Verdict::Answered,
            });
        }
        if let Some(confirmed) = last.under(&built.snapshot) {
            let verdict = Verdict::Confirmed(confirmed);
            return Ok(Decided { built, verdict });
        }
    }
    let started = Instant::now();
    let solution = scheduler::solve(&built.snapshot);
    let seconds = started.elapsed().as_secs_f64();
    let record = DecisionRecord::new(&built.snapshot, solution, now).map_err(LogError::from)?;
    let solution = serde_json::to_vec(&record.solution)?;
    let packed = record.encode().map_err(LogError::from)?;
    let draft = Draft {
        time: now.to_string(),
        snapshot_digest: record.digest.clone(),
        solution_digest: format!("sha256:{}", blob::sha256(&solution)),
        solver_version: SOLVER_VERSION.to_owned(),
        blob: blob::cut(&packed)?,
    };
    let next = Next {
        draft,
        record,
        seconds,
    };
    let verdict = Verdict::Next(next);
    Ok(Decided { built, verdict })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        Timestamp::from(chrono::DateTime::UNIX_EPOCH)
    }

    fn next(inputs: &Inputs, last: Option<&Arc<Committed>>) -> Next {
        match decide(inputs, last, now()).unwrap().verdict {
            Verdict::Next(next) => next,
            _ => panic!("nothing is decided"),
        }
    }

    #[test]
    fn an_unchanged_fleet_is_decided_on_once() {
        let next = next(&Inputs::default(), None);
        assert_eq!(next.draft.snapshot_digest, next.record.digest);
        let last = Arc::new(Committed {
            id: 1,
            record: next.record,
        });
        let second = decide(&Inputs::default(), Some(&last), now()).unwrap();
        assert!(matches!(second.verdict, Verdict::Answered));
    }
}
