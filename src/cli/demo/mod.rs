//! `lattice demo`: a fleet from a folder, decided on a real API server, and shown.

mod alone;
mod clusters;
mod show;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use kube::ResourceExt;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::Outcome;
use super::apply;
use super::beside::Parts;
use super::error::CliError;
use super::live::Live;
use super::manifests::Manifests;
use super::online::{self, OnlineError};
use super::output::Output;
use super::up::{self, Settings, Up};
use crate::api::ServicePhase;
use crate::operator::decision_log::Reader;
use crate::placement::{inputs::Inputs, plan, plan::Plan, text};

/// Longest wait until everything is decided.
const PATIENCE: Duration = Duration::from_secs(120);
const EVERY: Duration = Duration::from_millis(250);
/// Most services that an error names.
const NAMED: usize = 5;

/// Start everything, apply a folder of manifests, show what is decided and why, and stop everything.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  lattice demo
  lattice demo --dir examples/seed
  sudo lattice demo --clusters")]
pub(crate) struct Args {
    /// The manifests; without it examples/boutique, and with --clusters examples/local.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// A folder that keeps the API server's data; without it nothing is kept.
    #[arg(long, value_name = "DIR", conflicts_with = "clusters")]
    data: Option<PathBuf>,
    /// Make the clusters too, of machines on this host, until they manage themselves. Needs root, and what
    /// `make machine-parts` builds.
    #[arg(long)]
    clusters: bool,
    #[command(flatten)]
    parts: Parts,
}

impl Args {
    pub(crate) fn run(self, out: &Output) -> Result<Outcome, CliError> {
        let default = match self.clusters {
            true => "examples/local",
            false => "examples/boutique",
        };
        let folder = self.dir.as_deref().unwrap_or(Path::new(default));
        let inputs = Manifests::sound(folder, out)?;
        match self.clusters {
            true => clusters::run(&inputs, self.parts, *out)?,
            false => self.decide(&inputs, out)?,
        }
        Ok(Outcome::Done)
    }

    /// Has everything decided, and shows it.
    fn decide(&self, inputs: &Inputs, out: &Output) -> Result<(), CliError> {
        let folder = match &self.data {
            Some(_) => None,
            None => Some(Folder::temporary()?),
        };
        let data = match (&self.data, &folder) {
            (Some(data), _) => data.clone(),
            (None, Some(folder)) => folder.0.clone(),
            (None, None) => return Err(OnlineError::Stopped.into()),
        };
        let mut plane = up::plane(data)?;
        plane.fsync = self.data.is_some();
        let settings = Settings {
            plane,
            http: None,
            operator: true,
            clusters: None,
            is_temporary: false,
        };
        let mut shown = String::new();
        online::run(async |stop| {
            up::session(settings, stop, async |up: &Up, stop: CancellationToken| {
                let decided = async {
                    apply::all(&up.client, inputs).await?;
                    show(up).await
                };
                shown = stop
                    .run_until_cancelled(decided)
                    .await
                    .ok_or(OnlineError::Stopped)??;
                Ok(())
            })
            .await
        })?;
        out.print(&shown)
    }
}

/// A folder that is gone when this is.
struct Folder(PathBuf);

impl Folder {
    fn temporary() -> Result<Self, OnlineError> {
        let path = std::env::temp_dir().join(format!("lattice-demo-{}", std::process::id()));
        std::fs::create_dir_all(&path).map_err(OnlineError::Start)?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::warn!(folder = %self.0.display(), %error, "a temporary folder is left");
        }
    }
}

/// Waits for the decisions and tells them.
async fn show(up: &Up) -> Result<String, OnlineError> {
    let progress = up::spinner("deciding");
    let Inputs {
        services, pools, ..
    } = decided(up).await?.inputs;
    progress.finish_and_clear();
    let plan = last_plan(up).await?;
    let mut shown = show::pools(&pools);
    shown.push('\n');
    shown.push_str(&show::services(&services));
    let placed = services.iter().max_by_key(|service| {
        let status = service.status.as_ref();
        status.map_or(0, |status| status.placements.len())
    });
    let without = services.iter().find(|service| {
        let status = service.status.as_ref();
        status.and_then(|status| status.phase) == Some(ServicePhase::Unschedulable)
    });
    for service in [placed, without].into_iter().flatten() {
        let (name, namespace) = (service.name_any(), service.namespace().unwrap_or_default());
        let told = text::explain_service(&plan, &name, Some(&namespace))
            .map_err(|error| OnlineError::Explain(error.to_string()))?;
        shown.push_str(&format!(
            "\n$ lattice explain service {name} -n {namespace}\n{told}"
        ));
    }
    Ok(shown)
}

/// Everything, as soon as all of it has been decided on as it is now and the statuses say so.
async fn decided(up: &Up) -> Result<Live, OnlineError> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let live = Live::of(&up.client).await?;
        let waiting = live.outstanding();
        if waiting.is_empty() {
            return Ok(live);
        }
        if Instant::now() >= deadline {
            return Err(OnlineError::Undecided {
                seconds: PATIENCE.as_secs(),
                waiting: waiting
                    .into_iter()
                    .take(NAMED)
                    .collect::<Vec<_>>()
                    .join(", "),
            });
        }
        sleep(EVERY).await;
    }
}

/// The last decision of the log as a plan.
async fn last_plan(up: &Up) -> Result<Plan, OnlineError> {
    let reader = Reader::new(up.client.clone());
    let head = reader.head().await?.unwrap_or_default();
    let entry = head
        .last()
        .ok_or_else(|| OnlineError::NoDecision("nothing was decided".to_owned()))?;
    let record = reader.record(entry).await?;
    Ok(plan::build(
        &record.snapshot,
        &record.solution,
        &[],
        plan::Options::default(),
    ))
}
