//! `lattice explain`: why here, why not there.

use std::fs;
use std::path::{Path, PathBuf};

use chrono::Utc;

use super::error::CliError;
use super::history::{History, parse_time};
use super::output::Output;
use super::{Outcome, live::Live, plan};
use crate::placement::conflict::costs;
use crate::placement::plan::{self as document, Plan};
use crate::placement::snapshot::{Built, Problem};
use crate::placement::text::{self, ExplainError};
use crate::placement::validity;
use crate::scheduler::model::{ServiceId, Snapshot};
use crate::scheduler::{solution::Solution, solve};

/// Most names that are listed beside an unknown one.
const LISTED: usize = 20;

/// Say why a service is where it is and not elsewhere, what fills a pool, or what a cluster is made of.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  lattice explain service api -n shop              # live, from the cluster kubectl talks to
  lattice explain service api --at 2h               # as it was decided then
  lattice explain pool us-east --plan plan.json    # from `lattice plan --out plan.json`
  lattice explain service api --dir fleet/         # from manifests
  lattice explain pool us-east --dir fleet/ --drift # and how far it may drift
  lattice explain service api --dir fleet/ --costs # and what each of its constraints costs")]
pub(crate) struct Args {
    /// What to explain.
    #[arg(value_enum)]
    kind: Kind,
    /// Its name; of a service also NAMESPACE/NAME.
    name: String,
    /// Namespace of the service.
    #[arg(short, long)]
    namespace: Option<String>,
    /// Explain from a plan file, JSON or YAML.
    #[arg(long, value_name = "FILE", conflicts_with = "dir")]
    plan: Option<PathBuf>,
    /// Explain from the plan of a folder of manifests.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Explain what is decided in the cluster of this kubeconfig.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["plan", "dir"])]
    kubeconfig: Option<PathBuf>,
    /// Explain the decision that was in force at this time, from the decision log: RFC 3339, or how long ago.
    #[arg(long, value_name = "TIME", conflicts_with_all = ["plan", "dir"])]
    at: Option<String>,
    /// The log, as `lattice log export` wrote it; without it, that of the cluster.
    #[arg(
        long,
        value_name = "LOG",
        requires = "at",
        conflicts_with = "kubeconfig"
    )]
    log: Option<PathBuf>,
    /// Of a placed service also say what each constraint costs, by solving again without it.
    #[arg(long, conflicts_with = "plan")]
    costs: bool,
    /// Of a pool also say how far its prices and limits may drift before the decision changes, by solving again.
    #[arg(long, conflicts_with = "plan")]
    drift: bool,
}

/// What to explain from.
struct Source {
    plan: Plan,
    /// What the plan was made from, unless it is from a file.
    solved: Option<(Snapshot, Solution)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Kind {
    #[value(aliases = ["services", "svc", "latticeservice"])]
    Service,
    #[value(aliases = ["pools", "latticepool"])]
    Pool,
    #[value(aliases = ["clusters", "latticecluster"])]
    Cluster,
}

impl Args {
    pub(crate) fn run(self, out: &Output) -> Result<Outcome, CliError> {
        if self.costs && self.kind != Kind::Service {
            let what = "--costs is about a service: `lattice explain service NAME --costs`";
            return Err(CliError::NotThere(what.to_owned()));
        }
        if self.drift && self.kind != Kind::Pool {
            let what = "--drift is about a pool: `lattice explain pool NAME --drift`";
            return Err(CliError::NotThere(what.to_owned()));
        }
        let Source { plan, solved } = match (&self.plan, &self.dir, &self.at) {
            (Some(file), ..) => plan_of_file(file)?,
            (None, Some(folder), _) => self.plan_of_manifests(folder, out)?,
            (None, None, Some(time)) => self.plan_of_log(time, out)?,
            (None, None, None) => self.plan_of_cluster(out)?,
        };
        let mut text = self.explain(&plan).map_err(|error| {
            let known = match error {
                ExplainError::Unknown { .. } => self.known(&plan),
                _ => String::new(),
            };
            CliError::Explain { error, known }
        })?;
        if let (true, Some((snapshot, solution))) = (self.costs, &solved) {
            text.push_str(&self.costs(&plan, snapshot, solution));
        }
        if let (true, Some((snapshot, solution))) = (self.drift, &solved) {
            let found = validity::of_pool(snapshot, solution, &self.name);
            text.extend(found.map(|found| text::explain_validity(&found)));
        }
        out.print(&text)?;
        Ok(Outcome::Done)
    }

    /// What the constraints of the one service that is asked for cost.
    fn costs(&self, plan: &Plan, snapshot: &Snapshot, solution: &Solution) -> String {
        let (own, name) = match self.name.split_once('/') {
            Some((namespace, name)) => (Some(namespace), name),
            None => (self.namespace.as_deref(), self.name.as_str()),
        };
        let mut services = plan.decisions.iter();
        let meant = services.find(|d| d.service == name && own.is_none_or(|n| n == d.namespace));
        let id = meant.map(|d| ServiceId::new(&d.namespace, &d.service));
        match id.and_then(|id| costs::costs(snapshot, solution, &id)) {
            Some(costs) => text::explain_costs(&costs),
            None => text::NO_COSTS.to_owned(),
        }
    }

    fn explain(&self, plan: &Plan) -> Result<String, ExplainError> {
        match (self.kind, self.name.split_once('/')) {
            (Kind::Service, Some((namespace, name))) => {
                text::explain_service(plan, name, Some(namespace))
            }
            (Kind::Service, None) => {
                text::explain_service(plan, &self.name, self.namespace.as_deref())
            }
            (Kind::Pool, _) => text::explain_pool(plan, &self.name),
            (Kind::Cluster, _) => text::explain_cluster(plan, &self.name),
        }
    }

    fn plan_of_manifests(&self, folder: &Path, out: &Output) -> Result<Source, CliError> {
        let made = plan::make(folder, None, solve, |findings| {
            Ok(CliError::BadInput(findings.render(out.color_errors)))
        })?;
        let mut plan = made.plan;
        let (snapshot, solution) = (made.built.snapshot, made.solution);
        self.add_rejections(&mut plan, &snapshot, &solution);
        Ok(Source {
            plan,
            solved: Some((snapshot, solution)),
        })
    }

    fn plan_of_cluster(&self, out: &Output) -> Result<Source, CliError> {
        let decided = Live::read(self.kubeconfig.as_deref())?.decided();
        if let Some(remark) = &decided.remark {
            out.complain(remark);
        }
        let Built { snapshot, problems } = decided.built;
        Ok(self.source(snapshot, decided.solution, &problems))
    }

    fn plan_of_log(&self, time: &str, out: &Output) -> Result<Source, CliError> {
        let time = parse_time("at", time, Utc::now())?;
        let history = History::open(self.log.as_deref(), self.kubeconfig.as_deref())?;
        let listed = history.at(time)?;
        let record = history.record(listed)?;
        let number = listed.id.map_or(String::new(), |id| format!(" {id}"));
        let until = match history.next(listed) {
            Some(next) => format!("in force until {}", next.time),
            None => "the last one".to_owned(),
        };
        out.complain(&format!(
            "This is decision{number} of {}, {until}.\n",
            listed.time
        ));
        Ok(self.source(record.snapshot, record.solution, &[]))
    }

    fn source(&self, snapshot: Snapshot, solution: Solution, problems: &[Problem]) -> Source {
        let options = document::Options {
            rejections: false,
            ..document::Options::default()
        };
        let mut plan = document::build(&snapshot, &solution, problems, options);
        self.add_rejections(&mut plan, &snapshot, &solution);
        let solved = Some((snapshot, solution));
        Source { plan, solved }
    }

    /// Only what is asked for: of a whole fleet they are many.
    fn add_rejections(&self, plan: &mut Plan, snapshot: &Snapshot, solution: &Solution) {
        let name = self.name.rsplit('/').next().unwrap_or_default();
        document::add_rejections(plan, snapshot, solution, &|id| {
            self.kind == Kind::Pool || id.name == name
        });
    }

    /// The names that there are.
    fn known(&self, plan: &Plan) -> String {
        let (what, names): (&str, Vec<String>) = match self.kind {
            Kind::Service => (
                "services",
                plan.decisions
                    .iter()
                    .map(|d| format!("{}/{}", d.namespace, d.service))
                    .collect(),
            ),
            Kind::Pool => ("pools", plan.pools.iter().map(|p| p.name.clone()).collect()),
            Kind::Cluster => (
                "clusters",
                plan.clusters.iter().map(|c| c.name.clone()).collect(),
            ),
        };
        let more = match names.len().saturating_sub(LISTED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let first = &names[..names.len().min(LISTED)];
        if first.is_empty() {
            format!("there are no {what} in it")
        } else {
            format!("{what} in it: {}{more}", first.join(", "))
        }
    }
}

fn plan_of_file(file: &Path) -> Result<Source, CliError> {
    let plan = read_plan(file)?;
    Ok(Source { plan, solved: None })
}

/// Reads a plan file.
pub(super) fn read_plan(file: &Path) -> Result<Plan, CliError> {
    let text = fs::read_to_string(file).map_err(CliError::read(file))?;
    document::read(&text).map_err(|source| CliError::Plan {
        path: file.to_owned(),
        source,
    })
}
