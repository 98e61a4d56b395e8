//! `lattice replay`: solves a decision of the log again and compares it bit for bit.

use std::fs;
use std::path::{Path, PathBuf};

use super::Outcome;
use super::error::CliError;
use super::online::{self, OnlineError};
use super::output::{Output, write_file};
use crate::operator::decision_log::{Head, LogError, Reader};
use crate::placement::record::{self, DecisionRecord};

/// Solve a decision of the log again, and compare it with what was decided, bit for bit.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  lattice replay
  lattice replay --id 7 --export decision-7.json.gz
  lattice replay --file decision-7.json.gz")]
pub(crate) struct Args {
    /// Which API server; without it, KUBECONFIG, ~/.kube/config or the cluster it runs in.
    #[arg(long, value_name = "FILE", conflicts_with = "file")]
    kubeconfig: Option<PathBuf>,
    /// A decision that was exported, instead of one of the log.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Number of the decision; without it the last one.
    #[arg(long, value_name = "NUMBER", conflicts_with = "file")]
    id: Option<u64>,
    /// Also write the decision, with all that it was made from, to this file.
    #[arg(long, value_name = "FILE", conflicts_with = "file")]
    export: Option<PathBuf>,
}

impl Args {
    pub(crate) fn run(self, out: &Output) -> Result<Outcome, CliError> {
        let (name, record) = match &self.file {
            Some(path) => (path.display().to_string(), read(path)?),
            None => online::block_on(self.fetch())?,
        };
        if let Some(path) = &self.export {
            let bytes = record.encode().map_err(log)?;
            write_file(path, |writer| writer.write_all(&bytes))?;
        }
        let (outcome, verdict) = match record::replay(&record) {
            Ok(record::Same) => (Outcome::Done, "same, bit for bit".to_owned()),
            Err(difference) => (Outcome::Refused, format!("different: {difference}")),
        };
        out.print(&format!(
            "decision  {name}\ntime      {}\nsnapshot  {}\nsolver    {}\nreplay    {verdict}\n",
            record.time, record.digest, record.solver_version
        ))?;
        Ok(outcome)
    }

    async fn fetch(&self) -> Result<(String, DecisionRecord), OnlineError> {
        let client = online::client(self.kubeconfig.as_deref(), Some(online::PATIENCE)).await?;
        let reader = Reader::new(client);
        let head = reader.head().await?.unwrap_or_default();
        let entry = match self.id {
            None => head.last(),
            Some(id) => head.entry(id),
        };
        let entry = entry.ok_or_else(|| OnlineError::NoDecision(missing(&head, self.id)))?;
        Ok((entry.id.to_string(), reader.record(entry).await?))
    }
}

fn missing(head: &Head, id: Option<u64>) -> String {
    match (id, head.entries.first(), head.last()) {
        (Some(id), Some(first), Some(last)) => format!(
            "there is no decision {id} in the log, which holds {} to {}",
            first.id, last.id
        ),
        _ => "the log holds no decision".to_owned(),
    }
}

fn read(path: &Path) -> Result<DecisionRecord, CliError> {
    let bytes = fs::read(path).map_err(CliError::read(path))?;
    DecisionRecord::decode(&bytes).map_err(log)
}

fn log(error: record::RecordError) -> CliError {
    OnlineError::from(LogError::from(error)).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decision_that_is_not_there_is_told_with_those_that_are() {
        assert_eq!(missing(&Head::default(), None), "the log holds no decision");
        assert_eq!(
            missing(&Head::default(), Some(3)),
            "the log holds no decision"
        );
    }
}
