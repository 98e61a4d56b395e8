//! The decision log's records: what was decided, from what, so that it can be decided again.

use std::io::{self, Read, Write};

use aws_lc_rs::digest::{SHA256, digest as hash};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};

use crate::api::Timestamp;
use crate::scheduler::model::Snapshot;
use crate::scheduler::solution::{SOLVER_VERSION, Solution};

/// Most bytes that a record may unpack to.
const MOST_BYTES: u64 = 1 << 30;

/// Why a record cannot be written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// The record cannot be packed or unpacked.
    #[error("the record is not readable: {0}")]
    Packing(#[from] io::Error),
    /// The content is not a record.
    #[error("the record does not hold a decision: {0}")]
    Content(#[from] serde_json::Error),
}

/// A decision with all that it was made from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DecisionRecord {
    /// When it was made.
    pub time: Timestamp,
    /// The solver that made it.
    pub solver_version: String,
    /// Address of the snapshot: `sha256:` and the digest of its canonical JSON.
    pub digest: String,
    /// What it was made from, in canonical order.
    pub snapshot: Snapshot,
    /// The decision.
    pub solution: Solution,
}

/// A record was solved again with the same outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Same;

/// A record that does not come out as it did.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Difference {
    /// Another solver made the decision.
    #[error("solver version {recorded} made this decision, this is version {running}")]
    SolverVersion {
        /// The version that decided.
        recorded: String,
        /// The version that runs.
        running: String,
    },
    /// The snapshot is not the one that its address says.
    #[error("the snapshot has the digest {found}, the record says {recorded}")]
    Digest {
        /// As the record says.
        recorded: String,
        /// As computed.
        found: String,
    },
    /// The decision is another one.
    #[error("solving again gives another decision, from byte {at} of {recorded} on (now {now})")]
    Solution {
        /// The first byte that differs.
        at: usize,
        /// Bytes of the recorded decision.
        recorded: usize,
        /// Bytes of the decision now.
        now: usize,
    },
    /// The decision cannot be written down.
    #[error("the decision cannot be written down: {0}")]
    Unwritable(String),
}

impl DecisionRecord {
    /// Records a decision.
    ///
    /// # Errors
    /// When the snapshot cannot be written down.
    pub fn new(
        snapshot: &Snapshot,
        solution: Solution,
        time: Timestamp,
    ) -> Result<Self, RecordError> {
        let mut snapshot = snapshot.clone();
        snapshot.normalise();
        Ok(Self {
            time,
            solver_version: SOLVER_VERSION.to_owned(),
            digest: digest(&snapshot)?,
            snapshot,
            solution,
        })
    }

    /// Packs the record: canonical JSON in gzip; the same record gives the same bytes.
    ///
    /// # Errors
    /// When the record cannot be written down.
    pub fn encode(&self) -> Result<Vec<u8>, RecordError> {
        let mut packer = GzEncoder::new(Vec::new(), Compression::default());
        serde_json::to_writer(&mut packer, self)?;
        packer.flush()?;
        Ok(packer.finish()?)
    }

    /// Unpacks a record.
    ///
    /// # Errors
    /// When the bytes are not a record, or unpack to more than a record may have.
    pub fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let mut text = Vec::new();
        GzDecoder::new(bytes)
            .take(MOST_BYTES)
            .read_to_end(&mut text)?;
        Ok(serde_json::from_slice(&text)?)
    }
}

/// The address of a snapshot: the same content gives the same address, in whatever order it comes.
///
/// # Errors
/// When the snapshot cannot be written down.
pub fn digest(snapshot: &Snapshot) -> Result<String, RecordError> {
    let mut canonical = snapshot.clone();
    canonical.normalise();
    let bytes = serde_json::to_vec(&canonical)?;
    let hex: String = hash(&SHA256, &bytes)
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    Ok(format!("sha256:{hex}"))
}

/// Solves a recorded decision again and compares the outcome byte by byte.
///
/// # Errors
/// With what differs.
pub fn replay(record: &DecisionRecord) -> Result<Same, Difference> {
    if record.solver_version != SOLVER_VERSION {
        return Err(Difference::SolverVersion {
            recorded: record.solver_version.clone(),
            running: SOLVER_VERSION.to_owned(),
        });
    }
    let unwritable = |error: &dyn std::fmt::Display| Difference::Unwritable(error.to_string());
    let found = digest(&record.snapshot).map_err(|error| unwritable(&error))?;
    if found != record.digest {
        return Err(Difference::Digest {
            recorded: record.digest.clone(),
            found,
        });
    }
    let bytes =
        |solution: &Solution| serde_json::to_vec(solution).map_err(|error| unwritable(&error));
    let recorded = bytes(&record.solution)?;
    let now = bytes(&crate::scheduler::solve(&record.snapshot))?;
    if recorded == now {
        return Ok(Same);
    }
    let at = recorded
        .iter()
        .zip(&now)
        .take_while(|(a, b)| a == b)
        .count();
    Err(Difference::Solution {
        at,
        recorded: recorded.len(),
        now: now.len(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::placement::fixtures::{at, seed, solved};

    fn record() -> DecisionRecord {
        let (built, solution) = solved(&seed());
        DecisionRecord::new(&built.snapshot, solution, at(1_705_314_600)).unwrap()
    }

    #[test]
    fn a_record_comes_back_and_replays() {
        let record = record();
        let bytes = record.encode().unwrap();
        assert_eq!(bytes, record.encode().unwrap());
        let read = DecisionRecord::decode(&bytes).unwrap();
        assert_eq!(read, record);
        assert_eq!(replay(&read), Ok(Same));
        assert_eq!(record.digest.len(), "sha256:".len() + 64);
    }

    #[test]
    fn the_address_does_not_depend_on_the_order() {
        let record = record();
        let mut turned = record.snapshot.clone();
        turned.pools.reverse();
        assert_eq!(digest(&turned).unwrap(), record.digest);
        turned.pools.pop();
        assert_ne!(digest(&turned).unwrap(), record.digest);
    }

    #[test]
    fn every_difference_is_told() {
        let mut other = record();
        other.solver_version = "0".into();
        assert!(matches!(
            replay(&other),
            Err(Difference::SolverVersion { .. })
        ));
        let mut other = record();
        other.snapshot.pools.pop();
        assert!(matches!(replay(&other), Err(Difference::Digest { .. })));
        let mut other = record();
        other.solution.hourly += 1;
        let difference = replay(&other).unwrap_err();
        assert!(matches!(difference, Difference::Solution { .. }));
        assert!(difference.to_string().contains("another decision"));
    }

    #[test]
    fn what_is_no_record_is_refused() {
        assert!(matches!(
            DecisionRecord::decode(b"x"),
            Err(RecordError::Packing(_))
        ));
        let mut packer = GzEncoder::new(Vec::new(), Compression::default());
        packer.write_all(b"{}").unwrap();
        let bytes = packer.finish().unwrap();
        assert!(matches!(
            DecisionRecord::decode(&bytes),
            Err(RecordError::Content(_))
        ));
    }
}
