//! A log in a folder: a file for each decision, as it is stored, and a list that says which there are.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{HistoryError, Listed};
use crate::api::Timestamp;
use crate::cli::error::CliError;
use crate::cli::output::write_file;
use crate::operator::decision_log::Entry;

/// File with the list.
pub(super) const INDEX: &str = "log.json";

const API_VERSION: &str = "log.lattice.dev/v1";
const KIND: &str = "DecisionLog";

/// The list of an exported log.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Index {
    api_version: String,
    kind: String,
    /// When it was exported: up to then the last decision is known to have stood.
    pub(super) exported: Timestamp,
    /// The decisions, oldest first.
    pub(super) entries: Vec<Entry>,
}

impl Index {
    pub(super) fn read(folder: &Path) -> Result<Self, CliError> {
        let path = folder.join(INDEX);
        if !path.exists() {
            let path = folder.to_owned();
            return Err(HistoryError::NoLog { path }.into());
        }
        let text = fs::read(&path).map_err(CliError::read(&path))?;
        let index = serde_json::from_slice(&text);
        Ok(index.map_err(|source| HistoryError::Index { path, source })?)
    }
}

/// Name of a decision's file.
pub(super) fn file_name(id: u64) -> String {
    format!("decision-{id}.json.gz")
}

/// Writes decisions into a folder, the list last: what it names is there.
pub(in crate::cli) fn write(
    folder: &Path,
    decisions: &[(Listed, Vec<u8>)],
    exported: Timestamp,
) -> Result<(), CliError> {
    fs::create_dir_all(folder).map_err(CliError::write(folder))?;
    if folder.join(INDEX).exists() {
        let path = folder.to_owned();
        return Err(HistoryError::Taken { path }.into());
    }
    let mut entries = Vec::with_capacity(decisions.len());
    for (listed, bytes) in decisions {
        let Some(entry) = &listed.entry else { continue };
        let path = folder.join(file_name(entry.id));
        write_file(&path, |writer| writer.write_all(bytes))?;
        entries.push(entry.clone());
    }
    let index = Index {
        api_version: API_VERSION.to_owned(),
        kind: KIND.to_owned(),
        exported,
        entries,
    };
    let text = serde_json::to_string_pretty(&index)? + "\n";
    write_file(&folder.join(INDEX), |writer| {
        writer.write_all(text.as_bytes())
    })
}
