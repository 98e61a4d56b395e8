//! `lattice install`: the first cluster of a fleet, made by a temporary one that is thrown away afterwards.

mod dry_run;
mod finish;
mod make;
mod root;

use std::path::{Path, PathBuf};
use std::time::Duration;

use self::root::Root;
use super::Outcome;
use super::beside::Clusters;
use super::error::CliError;
use super::follow::Clock;
use super::manifests::Manifests;
use super::online;
use super::output::Output;
use crate::clusters::render::RenderError;

const GOES_ON: &str =
    "The same command goes on from here. What there is already: `lattice cloud machines`.\n";

/// Why there is no root.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InstallError {
    /// Every cluster has a parent, or there is none.
    #[error(
        "no LatticeCluster in {} is without `cellRef`: the first cluster of a fleet has no parent", .0.display()
    )]
    NoRoot(PathBuf),
    /// It is not clear which it is.
    #[error("{} have no `cellRef`: say with --root which of them is the first", .0.join(", "))]
    SeveralRoots(Vec<String>),
    /// There is none of that name.
    #[error("there is no LatticeCluster `{name}` without `cellRef`; {known}")]
    NotARoot {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// It cannot be made as it is written.
    #[error(transparent)]
    Render(#[from] Box<RenderError>),
    /// Its machines cannot be made from here.
    #[error(
        "`{cluster}` is to have machines of {provider}, and a temporary cluster on this host makes those of the provider `local` only\n  \
         install Cluster API with the provider in any cluster that you have, run `lattice operator` there, and declare `{cluster}` there"
    )]
    Provider {
        /// The cluster.
        cluster: String,
        /// Its provider.
        provider: String,
    },
    /// It could not reach its cloud by itself.
    #[error(
        "the pool of `{0}` names no `provider.credentials.secretRef`: the cluster makes its own machines once the temporary one is gone, and finds its cloud in that Secret"
    )]
    NoCredentials(String),
    /// Nobody would make the machines.
    #[error(
        "no cloud is served from {}\n  run `lattice cloud serve` and leave it running: the cluster's machines come from it, now and later", .0.display()
    )]
    NoCloud(PathBuf),
    /// It was done before.
    #[error(
        "{} is there, and no installation is under way in {}\n  the cluster whose kubeconfig this is was installed before; for another one name another file with --kubeconfig",
        kubeconfig.display(), data.display()
    )]
    Installed {
        /// The kubeconfig.
        kubeconfig: PathBuf,
        /// Where an installation would be under way.
        data: PathBuf,
    },
}

/// Make the first cluster of a fleet: a temporary one on this host makes it, hands it to itself and is thrown away.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  sudo lattice cloud serve                  # in another terminal: where machines come from
  sudo lattice install fleet/ --dry-run
  sudo lattice install fleet/

An installation that was interrupted goes on when the same command is given again.")]
pub(crate) struct Args {
    /// Folder or file with the first cluster's LatticeCluster, all that it refers to, and what else is to be applied to it.
    #[arg(value_name = "DIR")]
    path: PathBuf,
    /// Which LatticeCluster is the first, where several have no `cellRef`.
    #[arg(long, value_name = "NAME")]
    root: Option<String>,
    /// Where the cluster's kubeconfig goes; without it NAME.kubeconfig.
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// The folder of the temporary cluster, which is removed in the end.
    #[arg(long, value_name = "DIR", default_value = ".lattice/install")]
    data: PathBuf,
    /// Longest wait until the cluster manages itself.
    #[arg(long, value_name = "MINUTES", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=1440))]
    patience_minutes: u64,
    /// Say what would be done, and do nothing.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    made: Clusters,
}

/// What is still to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The root is to be made, or goes on being made.
    Make,
    /// It manages itself; the temporary cluster is in nobody's way any more.
    Finish,
    /// All was done before.
    Nothing,
}

impl Stage {
    /// The kubeconfig is written when the root manages itself, and the folder is removed after all else.
    const fn of(has_kubeconfig: bool, has_folder: bool) -> Self {
        match (has_kubeconfig, has_folder) {
            (false, _) => Self::Make,
            (true, true) => Self::Finish,
            (true, false) => Self::Nothing,
        }
    }
}

impl Args {
    pub(crate) fn run(self, out: &Output) -> Result<Outcome, CliError> {
        let inputs = Manifests::sound(&self.path, out)?;
        let root = Root::find(&inputs, self.root.as_deref(), &self.path)?;
        let kubeconfig = self.kubeconfig.clone();
        let kubeconfig = kubeconfig.unwrap_or_else(|| format!("{}.kubeconfig", root.name).into());
        let temporary = self.data.join("temporary");
        if self.dry_run {
            out.print(&dry_run::text(&root, &inputs, &self.path, &kubeconfig))?;
            return Ok(Outcome::Done);
        }
        let stage = Stage::of(kubeconfig.exists(), temporary.exists());
        if stage == Stage::Nothing {
            return Err(InstallError::Installed {
                kubeconfig,
                data: self.data,
            }
            .into());
        }
        let clock = Clock::start(*out);
        if stage == Stage::Make {
            self.make(&root, (&temporary, &kubeconfig), &clock, out)?;
        }
        online::run(async |_| {
            finish::finish(&inputs, &root, (&temporary, &kubeconfig), &clock).await
        })?;
        let path = std::fs::canonicalize(&kubeconfig).unwrap_or(kubeconfig);
        out.print(&format!("export KUBECONFIG={}\n", path.display()))?;
        Ok(Outcome::Done)
    }

    fn make(
        &self,
        root: &Root,
        (temporary, kubeconfig): (&Path, &Path),
        clock: &Clock,
        out: &Output,
    ) -> Result<(), CliError> {
        let patience = Duration::from_secs(self.patience_minutes.saturating_mul(60));
        let made = online::run(async |stop| {
            self.made.check().await?;
            if !self.made.answers().await? {
                return Ok(false);
            }
            let job = make::Job {
                clusters: &self.made,
                root,
                kubeconfig,
                patience,
                clock,
            };
            job.run(temporary, stop).await?;
            Ok(true)
        });
        if made.is_err() && temporary.exists() {
            out.complain(GOES_ON);
        }
        match made? {
            true => Ok(()),
            false => Err(InstallError::NoCloud(self.made.cloud.clone()).into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kubeconfig_says_that_the_root_is_there_and_the_folder_that_there_is_more_to_do() {
        assert_eq!(Stage::of(false, false), Stage::Make);
        assert_eq!(Stage::of(false, true), Stage::Make);
        assert_eq!(Stage::of(true, true), Stage::Finish);
        assert_eq!(Stage::of(true, false), Stage::Nothing);
    }
}
