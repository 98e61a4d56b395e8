//! The decision log as commands read it: from an API server, from a folder that it was exported to, or one
//! decision from a file.

mod error;
pub(super) mod export;
mod when;

use std::fs;
use std::path::{Path, PathBuf};

use chrono::Utc;

pub(crate) use self::error::HistoryError;
use self::export::Index;
pub(super) use self::when::parse as parse_time;
use super::error::CliError;
use super::online::{self, OnlineError};
use crate::api::Timestamp;
use crate::operator::decision_log::{Entry, Head, LogError, Reader};
use crate::placement::record::DecisionRecord;

/// A log, without the contents of its decisions.
pub(super) struct History {
    from: From,
    listed: Vec<Listed>,
    /// When the log was read, or exported.
    until: Timestamp,
}

/// A decision of a log.
#[derive(Clone, Debug)]
pub(super) struct Listed {
    /// Its number; a file of one decision has none.
    pub(super) id: Option<u64>,
    pub(super) time: Timestamp,
    pub(super) solver_version: String,
    pub(super) snapshot: String,
    pub(super) holder: String,
    /// How long it stood, seconds.
    pub(super) stood: u64,
    entry: Option<Entry>,
}

enum From {
    Server(Option<PathBuf>),
    Folder(PathBuf),
    File(Vec<u8>),
}

impl History {
    /// Reads the list of decisions. Without a path from the API server.
    pub(super) fn open(log: Option<&Path>, kubeconfig: Option<&Path>) -> Result<Self, CliError> {
        let (from, listed, until) = match log {
            None => {
                let head = online::block_on(async {
                    let client = online::client(kubeconfig, Some(online::PATIENCE)).await?;
                    Ok(Reader::new(client).head().await?.unwrap_or_default())
                })?;
                let from = From::Server(kubeconfig.map(Path::to_owned));
                (from, listed(head.entries)?, Utc::now().into())
            }
            Some(path) if path.is_dir() => {
                let index = Index::read(path)?;
                let from = From::Folder(path.to_owned());
                (from, listed(index.entries)?, index.exported)
            }
            Some(path) => {
                let bytes = fs::read(path).map_err(CliError::read(path))?;
                let one = of_file(&decode(&bytes)?);
                let until = one.time;
                (From::File(bytes), vec![one], until)
            }
        };
        let mut history = Self {
            from,
            listed,
            until,
        };
        history.stand();
        Ok(history)
    }

    /// The decisions, oldest first.
    pub(super) fn listed(&self) -> &[Listed] {
        &self.listed
    }

    /// Up to when the log tells.
    pub(super) fn until(&self) -> Timestamp {
        self.until
    }

    /// The decision of this number.
    pub(super) fn numbered(&self, id: u64) -> Result<&Listed, HistoryError> {
        let found = self.listed.iter().find(|listed| listed.id == Some(id));
        found.ok_or_else(|| self.no_decision(id))
    }

    /// The decision that was in force at a time.
    pub(super) fn at(&self, time: Timestamp) -> Result<&Listed, HistoryError> {
        if time > self.until {
            return Err(HistoryError::Future {
                time,
                until: self.until,
            });
        }
        let before = self.listed.partition_point(|listed| listed.time <= time);
        match before.checked_sub(1) {
            Some(last) => Ok(&self.listed[last]),
            None => Err(self.listed.first().map_or(HistoryError::Empty, |oldest| {
                HistoryError::TooEarly {
                    time,
                    oldest: oldest.time,
                    id: oldest.id.unwrap_or(0),
                }
            })),
        }
    }

    /// The decision after this one.
    pub(super) fn next(&self, listed: &Listed) -> Option<&Listed> {
        self.listed.iter().find(|next| next.time > listed.time)
    }

    /// The contents of decisions, packed as they are stored. One that the log dropped meanwhile is left out.
    pub(super) fn packed(&self, chosen: &[Listed]) -> Result<Vec<(Listed, Vec<u8>)>, CliError> {
        match &self.from {
            From::File(bytes) => Ok(chosen.iter().map(|c| (c.clone(), bytes.clone())).collect()),
            From::Folder(folder) => chosen
                .iter()
                .map(|listed| Ok((listed.clone(), self.of_folder(folder, listed)?)))
                .collect(),
            From::Server(kubeconfig) => Ok(online::block_on(async {
                let client = online::client(kubeconfig.as_deref(), Some(online::PATIENCE)).await?;
                of_server(&Reader::new(client), chosen).await
            })?),
        }
    }

    /// The content of one decision.
    pub(super) fn record(&self, listed: &Listed) -> Result<DecisionRecord, CliError> {
        let mut packed = self.packed(std::slice::from_ref(listed))?;
        match packed.pop() {
            Some((_, bytes)) => decode(&bytes),
            None => Err(self.no_decision(listed.id.unwrap_or(0)).into()),
        }
    }

    fn of_folder(&self, folder: &Path, listed: &Listed) -> Result<Vec<u8>, CliError> {
        let Some(entry) = &listed.entry else {
            return Ok(Vec::new());
        };
        let path = folder.join(export::file_name(entry.id));
        let bytes = fs::read(&path).map_err(CliError::read(&path))?;
        if entry.blob.names_bytes(&bytes) {
            Ok(bytes)
        } else {
            Err(HistoryError::Damaged { path }.into())
        }
    }

    /// Fills in how long each decision stood: until the next one, or as far as the log tells.
    fn stand(&mut self) {
        let next = self.listed.iter().skip(1).map(|listed| listed.time);
        let ends: Vec<Timestamp> = next.chain([self.until]).collect();
        for (listed, end) in self.listed.iter_mut().zip(ends) {
            let stood = (end.datetime() - listed.time.datetime()).num_seconds();
            listed.stood = u64::try_from(stood).unwrap_or(0);
        }
    }

    fn no_decision(&self, id: u64) -> HistoryError {
        let ids: Vec<u64> = self.listed.iter().filter_map(|listed| listed.id).collect();
        match (ids.first(), ids.last()) {
            (Some(&first), Some(&last)) => HistoryError::NoDecision { id, first, last },
            _ => HistoryError::Empty,
        }
    }
}

/// Unpacks a decision.
pub(super) fn decode(bytes: &[u8]) -> Result<DecisionRecord, CliError> {
    let decoded = DecisionRecord::decode(bytes).map_err(LogError::from);
    Ok(decoded.map_err(OnlineError::from)?)
}

fn listed(entries: Vec<Entry>) -> Result<Vec<Listed>, HistoryError> {
    let one = |entry: Entry| {
        let time = chrono::DateTime::parse_from_rfc3339(&entry.time);
        let time = time.map_err(|source| HistoryError::Time {
            id: entry.id,
            source,
        })?;
        Ok(Listed {
            id: Some(entry.id),
            time: time.to_utc().into(),
            solver_version: entry.solver_version.clone(),
            snapshot: entry.snapshot_digest.clone(),
            holder: entry.holder.clone(),
            stood: 0,
            entry: Some(entry),
        })
    };
    entries.into_iter().map(one).collect()
}

fn of_file(record: &DecisionRecord) -> Listed {
    Listed {
        id: None,
        time: record.time,
        solver_version: record.solver_version.clone(),
        snapshot: record.digest.clone(),
        holder: String::new(),
        stood: 0,
        entry: None,
    }
}

async fn of_server(
    reader: &Reader,
    chosen: &[Listed],
) -> Result<Vec<(Listed, Vec<u8>)>, OnlineError> {
    let mut found = Vec::with_capacity(chosen.len());
    for listed in chosen {
        let Some(entry) = &listed.entry else { continue };
        match reader.packed(entry).await {
            Ok(bytes) => found.push((listed.clone(), bytes)),
            Err(LogError::Missing(_)) if is_dropped(reader.head().await?, entry.id) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(found)
}

/// Whether the log has dropped the decision since it was listed.
fn is_dropped(head: Option<Head>, id: u64) -> bool {
    head.is_none_or(|head| head.entry(id).is_none())
}

#[cfg(test)]
mod tests;
