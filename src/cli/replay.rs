//! `lattice replay`: solves the decisions of a log again, as they were or with other policies.

use std::path::{Path, PathBuf};

use chrono::Utc;

use super::error::CliError;
use super::history::{History, HistoryError, Listed, decode, parse_time};
use super::manifests::Manifests;
use super::output::Output;
use super::plan::Format;
use super::{Outcome, replay_text};
use crate::placement::history::{Policies, Replay, Replayer};

/// Solve the decisions of a log again: whether the same comes out, bit for bit, or what other policies would have
/// decided and cost.
///
/// With --policy each decision builds on the one before as those policies would have made it, so that the table
/// shows the fleet as it would have been.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  lattice replay                                   # the log of the cluster kubectl talks to
  lattice replay --id 7
  lattice log export log/ && lattice replay log/   # anywhere else, without a cluster
  lattice replay log/ --policy new-policies.yaml   # what they would have done and cost
  lattice replay --since \"2d ago\" --policy fleet/policies -o json | jq .totals

Exit codes: 0 the same, 2 something else, 1 error.")]
pub(crate) struct Args {
    /// An exported log, or the file of one of its decisions; without it, the log of an API server.
    #[arg(value_name = "LOG")]
    log: Option<PathBuf>,
    /// Which API server; without it, KUBECONFIG, ~/.kube/config or the cluster it runs in.
    #[arg(long, value_name = "FILE", conflicts_with = "log")]
    kubeconfig: Option<PathBuf>,
    /// Only the decision of this number.
    #[arg(long, value_name = "NUMBER")]
    id: Option<u64>,
    /// Only decisions that were in force at this time or later: RFC 3339, or how long ago.
    #[arg(long, value_name = "TIME", conflicts_with = "id")]
    since: Option<String>,
    /// LatticePlacementPolicies that take the place of those of the same name, or are added: folder, file, or `-`
    /// for stdin. Other objects there are passed over.
    #[arg(long, value_name = "FILE|DIR")]
    policy: Option<PathBuf>,
    /// How to print the answer; json and yaml are `replay.lattice.dev/v1` (see `lattice schema replay`).
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    output: Format,
}

impl Args {
    pub(crate) fn run(self, out: &Output) -> Result<Outcome, CliError> {
        let policies = self.policy.as_deref().map(|path| read(path, out));
        let policies = policies.transpose()?;
        let history = History::open(self.log.as_deref(), self.kubeconfig.as_deref())?;
        let chosen = self.chosen(&history)?;
        let mut replayer = Replayer::new(policies);
        for (listed, packed) in history.packed(&chosen)? {
            replayer.add(listed.id, decode(&packed)?, listed.stood);
        }
        let answer = replayer.finish();
        out.print(&self.written(&answer, out)?)?;
        Ok(if answer.same {
            Outcome::Done
        } else {
            Outcome::Changes
        })
    }

    fn chosen(&self, history: &History) -> Result<Vec<Listed>, CliError> {
        let all = history.listed();
        if all.is_empty() {
            return Err(HistoryError::Empty.into());
        }
        if let Some(id) = self.id {
            return Ok(vec![history.numbered(id)?.clone()]);
        }
        let Some(since) = &self.since else {
            return Ok(all.to_vec());
        };
        let since = parse_time("since", since, Utc::now())?;
        // The one in force at that time too; a log that begins later is taken from its beginning.
        let first = all.partition_point(|listed| listed.time <= since);
        let mut chosen = all[first.saturating_sub(1)..].to_vec();
        if let Some(first) = chosen.first_mut().filter(|first| first.time < since) {
            let before = (since.datetime() - first.time.datetime()).num_seconds();
            first.stood = first.stood.saturating_sub(before.unsigned_abs());
        }
        Ok(chosen)
    }

    fn written(&self, answer: &Replay, out: &Output) -> Result<String, CliError> {
        Ok(match self.output {
            Format::Text => replay_text::render(answer, out.paint),
            Format::Json => serde_json::to_string_pretty(answer)? + "\n",
            Format::Yaml => serde_saphyr::to_string(answer)?,
        })
    }
}

/// The policies at a path.
fn read(path: &Path, out: &Output) -> Result<Policies, CliError> {
    let manifests = Manifests::load(path)?;
    let findings = manifests.examine(&[]);
    if findings.errors() > 0 {
        return Err(CliError::BadInput(findings.render(out.color_errors)));
    }
    let policies = Policies::new(&manifests.inputs.policies);
    policies.map_err(|source| CliError::Policies {
        path: path.to_owned(),
        source,
    })
}
