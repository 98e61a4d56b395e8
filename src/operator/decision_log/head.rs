//! The head of the log: the last decisions, and who may write.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::blob::{BlobRef, PART_BYTES};

/// One decision that was committed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Counts up from 1.
    pub id: u64,
    /// When it was decided, RFC 3339.
    pub time: String,
    /// Digest of the snapshot.
    pub snapshot_digest: String,
    /// Digest of the solution.
    pub solution_digest: String,
    /// Version of the solver.
    pub solver_version: String,
    /// Who decided.
    pub holder: String,
    /// How often the lease had changed hands by then.
    pub epoch: i64,
    /// The snapshot and the solution.
    pub blob: BlobRef,
}

impl Entry {
    /// When it was decided, if that can be read.
    fn at(&self) -> Option<DateTime<Utc>> {
        let time = DateTime::parse_from_rfc3339(&self.time).ok()?;
        Some(time.to_utc())
    }

    /// Most bytes that it takes.
    fn bytes(&self) -> usize {
        self.blob.parts.saturating_mul(PART_BYTES)
    }
}

/// How much of the past the log keeps. The last decision is kept whatever this says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    /// Most decisions.
    pub decisions: usize,
    /// Most stored bytes, packed, of all of them together.
    pub bytes: usize,
    /// What was in force this long ago, and later, is kept; before is dropped.
    pub age: TimeDelta,
}

impl Default for Keep {
    fn default() -> Self {
        Self {
            decisions: 100,
            bytes: 128 << 20,
            age: TimeDelta::days(30),
        }
    }
}

/// Who may write, and what was decided last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Head {
    /// Who claimed the log.
    pub holder: String,
    /// How often the lease had changed hands when it was claimed.
    pub epoch: i64,
    /// The last decisions, oldest first.
    pub entries: Vec<Entry>,
}

impl Head {
    /// The last decision.
    #[must_use]
    pub fn last(&self) -> Option<&Entry> {
        self.entries.last()
    }

    /// The decision of this number.
    #[must_use]
    pub fn entry(&self, id: u64) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.id == id)
    }

    /// Number of the next decision.
    pub(crate) fn next_id(&self) -> u64 {
        self.last().map_or(1, |entry| entry.id + 1)
    }

    /// This head with one more decision, and without the oldest beyond what is to be kept.
    pub(crate) fn with(&self, entry: Entry, keep: &Keep) -> Self {
        let mut next = self.clone();
        let since = entry.at().and_then(|now| now.checked_sub_signed(keep.age));
        next.entries.push(entry);
        let mut beyond = next.entries.len().saturating_sub(keep.decisions.max(1));
        // What was in force at that time is needed to tell of it, so only what had a successor by then goes.
        let old = next.entries.windows(2).take_while(|pair| {
            let replaced = pair[1].at().zip(since);
            replaced.is_some_and(|(replaced, since)| replaced <= since)
        });
        beyond = beyond.max(old.count());
        let mut stored: usize = next.entries[beyond..].iter().map(Entry::bytes).sum();
        while stored > keep.bytes && beyond + 1 < next.entries.len() {
            stored -= next.entries[beyond].bytes();
            beyond += 1;
        }
        next.entries.drain(..beyond);
        next
    }

    /// Names of all objects that the decisions need.
    pub(crate) fn referenced(&self) -> BTreeSet<String> {
        self.entries
            .iter()
            .flat_map(|entry| entry.blob.names())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Keep = Keep {
        decisions: usize::MAX,
        bytes: usize::MAX,
        age: TimeDelta::MAX,
    };

    /// A decision of this day of the month.
    fn entry(id: u64, packed: &str) -> Entry {
        Entry {
            id,
            time: format!("2024-01-{id:02}T10:30:00Z"),
            snapshot_digest: "a".into(),
            solution_digest: "b".into(),
            solver_version: "1".into(),
            holder: "me".into(),
            epoch: 1,
            blob: BlobRef {
                sha256: packed.into(),
                parts: 1,
            },
        }
    }

    #[test]
    fn it_keeps_the_last_and_knows_what_they_need() {
        let mut head = Head::default();
        assert_eq!(head.next_id(), 1);
        let keep = Keep {
            decisions: 2,
            ..ALL
        };
        for id in 1..=4 {
            head = head.with(entry(id, &format!("p{id}")), &keep);
        }
        assert_eq!(head.next_id(), 5);
        assert_eq!(
            head.entries.iter().map(|e| e.id).collect::<Vec<_>>(),
            [3, 4]
        );
        assert!(head.entry(2).is_none());
        assert_eq!(
            head.referenced().into_iter().collect::<Vec<_>>(),
            ["lattice-blob-p3-0", "lattice-blob-p4-0"]
        );
    }

    fn kept(keep: &Keep) -> Vec<u64> {
        let ids = 1..=9;
        let head = ids.fold(Head::default(), |head, id| head.with(entry(id, "p"), keep));
        head.entries.iter().map(|e| e.id).collect()
    }

    #[test]
    fn what_was_in_force_within_the_age_is_kept() {
        let days = |days| Keep {
            age: TimeDelta::days(days),
            ..ALL
        };
        assert_eq!(kept(&days(3)), [6, 7, 8, 9]);
        let half = Keep {
            age: TimeDelta::hours(60),
            ..ALL
        };
        // At 22:30 of the sixth day decision 6 was in force.
        assert_eq!(kept(&half), [6, 7, 8, 9]);
        assert_eq!(kept(&ALL).len(), 9);
    }

    #[test]
    fn decisions_take_no_more_than_their_bytes() {
        let bytes = |parts: usize| Keep {
            bytes: PART_BYTES * parts,
            ..ALL
        };
        assert_eq!(kept(&bytes(3)), [7, 8, 9]);
    }

    #[test]
    fn the_last_decision_is_kept_whatever_the_limit() {
        let nothing = Keep {
            decisions: 0,
            bytes: 0,
            age: TimeDelta::zero(),
        };
        assert_eq!(kept(&nothing), [9]);
    }
}
