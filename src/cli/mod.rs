//! The command line, one file a command.
//!
//! Exit codes are those of `terraform plan -detailed-exitcode`: 0 done and nothing to do, 2 done and there
//! are changes, 1 not done. Results go to stdout, everything else to stderr.

mod against;
mod apply;
mod authority;
mod beside;
mod cloud;
mod cluster;
mod completions;
mod crds;
mod demo;
mod error;
mod explain;
mod follow;
mod generated;
mod history;
mod install;
mod kubeconfig;
mod live;
mod log;
mod logging;
mod machine;
mod man;
mod manifests;
mod online;
mod operator;
mod output;
mod plan;
mod plan_text;
mod reference;
mod render;
mod replay;
mod replay_text;
mod schema;
mod simulate;
mod simulate_text;
mod table;
mod up;
mod validate;
mod verify;
mod verify_text;
mod version;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use self::error::CliError;
use self::output::{ColorChoice, Output};

/// Decides where every service of a fleet runs, and says why.
#[derive(Debug, Parser)]
#[command(
    name = "lattice",
    version,
    max_term_width = 100,
    propagate_version = true,
    after_help = "Exit codes: 0 done, 1 failed, 2 done and there are changes (plan), something becomes unplaceable (simulate) or something else comes out (replay)."
)]
pub(crate) struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// Options of every command.
#[derive(Debug, clap::Args)]
pub(crate) struct Global {
    /// Say more on stderr; twice for everything. `RUST_LOG` goes first.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
    /// Whether output is coloured.
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value_t)]
    color: ColorChoice,
}

#[derive(Debug, Subcommand)]
enum Command {
    Plan(plan::Args),
    Simulate(simulate::Args),
    Explain(explain::Args),
    Verify(verify::Args),
    Validate(validate::Args),
    Render(render::Args),
    Demo(demo::Args),
    Operator(operator::Args),
    Cluster(cluster::Args),
    Kubeconfig(kubeconfig::Args),
    Authority(authority::Args),
    Log(log::Args),
    Replay(replay::Args),
    Up(up::Args),
    Install(install::Args),
    Cloud(cloud::Args),
    Machine(machine::Args),
    Crds(crds::Args),
    Schema(schema::Args),
    Reference(reference::Args),
    Completions(completions::Args),
    Man(man::Args),
    Version(version::Args),
}

/// How a command that did not fail ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Done.
    Done,
    /// Done, and what is differs from what should be, or would.
    Changes,
    /// The answer that was asked for is no; what is wrong has been said.
    Refused,
}

impl Command {
    fn run(self, out: &Output) -> Result<Outcome, CliError> {
        match self {
            Self::Plan(args) => args.run(out),
            Self::Simulate(args) => args.run(out),
            Self::Explain(args) => args.run(out),
            Self::Verify(args) => args.run(out),
            Self::Validate(args) => args.run(out),
            Self::Render(args) => args.run(out),
            Self::Demo(args) => args.run(out),
            Self::Operator(args) => args.run(out),
            Self::Cluster(args) => args.run(out),
            Self::Kubeconfig(args) => args.run(out),
            Self::Authority(args) => args.run(out),
            Self::Log(args) => args.run(out),
            Self::Replay(args) => args.run(out),
            Self::Up(args) => args.run(out),
            Self::Install(args) => args.run(out),
            Self::Cloud(args) => args.run(out),
            Self::Machine(args) => args.run(out),
            Self::Crds(args) => args.run(out),
            Self::Schema(args) => args.run(out),
            Self::Reference(args) => args.run(out),
            Self::Completions(args) => args.run(out),
            Self::Man(args) => args.run(out),
            Self::Version(args) => args.run(out),
        }
    }

    /// Whether logs are read by machines.
    const fn logs_as_json(&self) -> bool {
        matches!(self, Self::Operator(_))
    }
}

/// Runs the command line of the process.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return misused(&error),
    };
    let out = Output::of_process(cli.global.color);
    logging::start(
        cli.global.verbose,
        cli.command.logs_as_json(),
        out.color_errors,
    );
    match crate::operator::crypto::install_fips_provider()
        .map_err(CliError::from)
        .and_then(|()| cli.command.run(&out))
    {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Changes) => ExitCode::from(2),
        Ok(Outcome::Refused) => ExitCode::FAILURE,
        Err(error) => {
            out.complain(&error.report());
            ExitCode::FAILURE
        }
    }
}

/// Help and version are results; anything else is a mistake, which clap itself would end with 2.
fn misused(error: &clap::Error) -> ExitCode {
    // Nobody can be told if that fails.
    let _ = error.print();
    if error.use_stderr() {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}
