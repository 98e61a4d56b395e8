//! The head of the log: the last decisions, and who may write.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::blob::BlobRef;

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

    /// This head with one more decision, and without those beyond `most`.
    pub(crate) fn with(&self, entry: Entry, most: usize) -> Self {
        let mut next = self.clone();
        next.entries.push(entry);
        let beyond = next.entries.len().saturating_sub(most.max(1));
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

    fn entry(id: u64, packed: &str) -> Entry {
        Entry {
            id,
            time: "2024-01-15T10:30:00Z".into(),
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
        for id in 1..=4 {
            head = head.with(entry(id, &format!("p{id}")), 2);
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

    #[test]
    fn the_last_decision_is_kept_whatever_the_limit() {
        let head = Head::default().with(entry(1, "p"), 0);
        assert_eq!(head.entries.len(), 1);
    }
}
