//! `lattice simulate`: what would happen if.

use std::path::PathBuf;

use super::against::Against;
use super::error::CliError;
use super::output::Output;
use super::plan::{Format, load};
use super::{Outcome, simulate_text};
use crate::placement::whatif::{self, Factor, Request, Scope, Simulation, Sweep, WhatIfError};

/// Change what there is or is asked for, and see what follows: what has no place any more, what it costs, what
/// moves, which constraint binds first, and what is left free.
///
/// Every scenario starts from the fleet as `lattice plan` has it. What runs stays where it is as far as it can.
/// Losses, prices and growth given together hold at once.
#[derive(Debug, clap::Args)]
#[command(
    group = clap::ArgGroup::new("growing").args(["grow", "sweep"]),
    after_help = "Examples:
  lattice simulate fleet/ --lose region=eu                 # what if a region is gone
  lattice simulate fleet/ --n-1 region                     # each region in turn
  lattice simulate fleet/ --price aws=+20%                 # what if a provider raises its prices
  lattice simulate fleet/ --grow 1.3 -l env=production     # what if demand grows
  lattice simulate fleet/ --sweep                          # how far can it grow
  lattice simulate fleet/ --sweep --n-1 region             # how far, and still lose any one region
  lattice simulate fleet/ --n-1 pool -o json | jq '.scenarios[] | select(.placeable | not) | .name'

Exit codes: 0 everything stays placeable, 2 something becomes unplaceable, 1 error."
)]
pub(crate) struct Args {
    /// Folder, file, or `-` for stdin.
    #[arg(value_name = "DIR")]
    path: PathBuf,
    /// Lose pools with all their clusters: pool=NAME, region=NAME or provider=NAME; zone=NAME loses the
    /// workers in a zone. May be repeated.
    #[arg(long, value_name = "SCOPE=NAME")]
    lose: Vec<String>,
    /// Change the prices of a provider or a pool, such as aws=+20%, aws-us=-5% or aws=1.2; region=NAME=+20%
    /// is for a region. May be repeated.
    #[arg(long, value_name = "NAME=CHANGE")]
    price: Vec<String>,
    /// Scale the replicas of services, such as 1.3 or +30%; rounded up for each service.
    #[arg(long, value_name = "FACTOR", allow_hyphen_values = true)]
    grow: Option<String>,
    /// Grow only services with these labels, such as env=production,tier!=batch.
    #[arg(short = 'l', long, value_name = "LABELS", requires = "growing")]
    selector: Option<String>,
    /// Grow from 1 in steps until something becomes unplaceable.
    #[arg(long)]
    sweep: bool,
    /// How much more each step of --sweep is.
    #[arg(
        long,
        value_name = "FACTOR",
        default_value = "0.1",
        requires = "sweep",
        allow_hyphen_values = true
    )]
    step: String,
    /// The last factor that --sweep tries.
    #[arg(
        long,
        value_name = "FACTOR",
        default_value = "5",
        requires = "sweep",
        allow_hyphen_values = true
    )]
    to: String,
    /// Lose each of these in turn, each in a scenario of its own.
    #[arg(long = "n-1", value_enum, value_name = "SCOPE")]
    n_minus_1: Option<Each>,
    /// Place everything anew, rather than from where the plan has it: what would be best if moving were free.
    #[arg(long)]
    afresh: bool,
    /// What is: `kubeconfig` for the cluster that kubectl talks to, a kubeconfig file, or a folder of
    /// manifests. Without it, what statuses and LatticeClusters in DIR say.
    #[arg(long, value_name = "kubeconfig|PATH")]
    against: Option<String>,
    /// How to print the answer; json and yaml are `simulate.lattice.dev/v1` (see `lattice schema simulate`).
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    output: Format,
    /// Tell every scenario, service and pool, however many there are.
    #[arg(long)]
    all: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Each {
    Region,
    Pool,
    Provider,
    Zone,
}

impl Args {
    pub(crate) fn run(self, out: &Output) -> Result<Outcome, CliError> {
        let request = self.request()?;
        let against = self.against.as_deref().map(Against::parse);
        let json = self.output == Format::Json;
        let (built, _) = load(&self.path, against.as_ref(), |findings| {
            Ok(CliError::BadInput(if json {
                findings.json()?
            } else {
                findings.render(out.color_errors)
            }))
        })?;
        let answer = whatif::simulate(&built.snapshot, &built.problems, &request)?;
        out.print(&self.written(&answer, out)?)?;
        Ok(if answer.placeable {
            Outcome::Done
        } else {
            Outcome::Changes
        })
    }

    fn request(&self) -> Result<Request, CliError> {
        let sweep = || {
            Ok::<_, CliError>(Sweep {
                step: Factor::parse(&self.step).map_err(of("--step"))?,
                to: Factor::parse(&self.to).map_err(of("--to"))?,
            })
        };
        let losses: Result<_, _> = self.lose.iter().map(|text| text.parse()).collect();
        let prices: Result<_, _> = self.price.iter().map(|text| text.parse()).collect();
        let growth = self.grow.as_deref().map(Factor::parse).transpose();
        let selector = self.selector.as_deref().map(whatif::parse_selector);
        Ok(Request {
            losses: losses.map_err(of("--lose"))?,
            prices: prices.map_err(of("--price"))?,
            growth: growth.map_err(of("--grow"))?,
            selector: selector.transpose().map_err(of("--selector"))?,
            n_minus_1: self.n_minus_1.map(|each| match each {
                Each::Region => Scope::Region,
                Each::Pool => Scope::Pool,
                Each::Provider => Scope::Provider,
                Each::Zone => Scope::Zone,
            }),
            sweep: self.sweep.then(sweep).transpose()?,
            afresh: self.afresh,
        })
    }

    fn written(&self, answer: &Simulation, out: &Output) -> Result<String, CliError> {
        Ok(match self.output {
            Format::Text => simulate_text::render(answer, out.paint, self.all),
            Format::Json => serde_json::to_string_pretty(answer)? + "\n",
            Format::Yaml => serde_saphyr::to_string(answer)?,
        })
    }
}

/// What is wrong with the value of a flag.
fn of(flag: &'static str) -> impl FnOnce(WhatIfError) -> CliError {
    move |source| CliError::Flag { flag, source }
}
