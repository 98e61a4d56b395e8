//! Takes decisions in, solves them again, and adds up.

use super::document::{
    Figures, REPLAY_API_VERSION, REPLAY_KIND, Replay, ReplayedDecision, Totals, Verdict,
};
use super::policies::Policies;
use super::rerun::{Pair, as_found};
use crate::placement::diff::nodes;
use crate::placement::facts::amount;
use crate::placement::record::{self, DecisionRecord, Difference};
use crate::placement::whatif::moves;
use crate::scheduler::model::Cluster;
use crate::scheduler::solution::{self, SOLVER_VERSION, Solution};
use crate::scheduler::units::decimal;

const SECONDS_PER_HOUR: i128 = 3600;

/// Solves decisions again, one after the other.
pub struct Replayer {
    policies: Option<Policies>,
    last: Option<Pair>,
    decisions: Vec<ReplayedDecision>,
    recorded: Sum,
    replayed: Sum,
    seconds: u64,
}

/// What one side comes to.
#[derive(Default)]
struct Sum {
    /// Micro-dollars an hour, times seconds.
    cost: i128,
    moves: u64,
    unplaced_seconds: u64,
}

impl Sum {
    fn add(&mut self, solution: &Solution, figures: &Figures, seconds: u64) {
        self.cost += i128::from(solution.hourly) * i128::from(seconds);
        self.moves += figures.moves;
        let unplaced = figures.unplaceable.len() as u64;
        self.unplaced_seconds += unplaced.saturating_mul(seconds);
    }

    /// Micro-dollars, to the nearest.
    fn micros(&self) -> i128 {
        (self.cost + SECONDS_PER_HOUR / 2).div_euclid(SECONDS_PER_HOUR)
    }
}

impl Replayer {
    /// Solves them as they were recorded, or with other policies.
    pub fn new(policies: Option<Policies>) -> Self {
        Self {
            policies,
            last: None,
            decisions: Vec::new(),
            recorded: Sum::default(),
            replayed: Sum::default(),
            seconds: 0,
        }
    }

    /// Solves the next decision, of this number, that stood for so many seconds.
    pub fn add(&mut self, id: Option<u64>, record: DecisionRecord, stood: u64) {
        let mut told = ReplayedDecision {
            id,
            time: record.time,
            stood_seconds: stood,
            solver_version: record.solver_version.clone(),
            snapshot: record.digest.clone(),
            verdict: Verdict::Same,
            message: String::new(),
            recorded: figures(&record.snapshot.clusters, &record.solution),
            replayed: None,
        };
        match &mut self.policies {
            None => {
                if let Err(difference) = record::replay(&record) {
                    told.verdict = match difference {
                        Difference::SolverVersion { .. } => Verdict::OtherSolver,
                        _ => Verdict::Different,
                    };
                    told.message = difference.to_string();
                }
            }
            Some(policies) => {
                let mut snapshot = as_found(self.last.as_ref(), &record);
                policies.put_into(&mut snapshot);
                let replayed = crate::scheduler::decide(&snapshot);
                let figures = figures(&snapshot.clusters, &replayed);
                self.seconds += stood;
                self.recorded.add(&record.solution, &told.recorded, stood);
                self.replayed.add(&replayed, &figures, stood);
                if !is_same_fleet(&record.solution, &replayed) {
                    told.verdict = Verdict::Different;
                }
                told.replayed = Some(figures);
                self.last = Some(Pair {
                    recorded: record.solution,
                    replayed,
                });
            }
        }
        self.decisions.push(told);
    }

    /// What the last decision came to.
    pub fn last(&self) -> Option<&ReplayedDecision> {
        self.decisions.last()
    }

    /// The answer.
    pub fn finish(self) -> Replay {
        let mut notes = self
            .policies
            .as_ref()
            .map_or_else(Vec::new, Policies::notes);
        notes.extend(self.other_solvers());
        let totals = self.policies.is_some().then(|| self.totals());
        Replay {
            api_version: REPLAY_API_VERSION.to_owned(),
            kind: REPLAY_KIND.to_owned(),
            solver_version: SOLVER_VERSION.to_owned(),
            policies: self.policies.as_ref().map_or_else(Vec::new, Policies::used),
            same: self.decisions.iter().all(|d| d.verdict == Verdict::Same),
            totals,
            decisions: self.decisions,
            notes,
        }
    }

    fn totals(&self) -> Totals {
        let (recorded, replayed) = (self.recorded.micros(), self.replayed.micros());
        Totals {
            seconds: self.seconds,
            recorded_cost: decimal(recorded),
            replayed_cost: decimal(replayed),
            cost_delta: decimal(replayed - recorded),
            recorded_moves: self.recorded.moves,
            replayed_moves: self.replayed.moves,
            recorded_unplaced_seconds: self.recorded.unplaced_seconds,
            replayed_unplaced_seconds: self.replayed.unplaced_seconds,
        }
    }

    /// Decisions of another solver, against which the policies are not all that differs.
    fn other_solvers(&self) -> Option<String> {
        let decisions = self.decisions.iter();
        let others = decisions
            .filter(|d| d.solver_version != SOLVER_VERSION)
            .count();
        (others > 0).then(|| {
            let all = self.decisions.len();
            let what = match self.policies {
                Some(_) => "part of the difference may be the solver's",
                None => "a Lattice with that solver can replay them",
            };
            format!("{others} of {all} decisions were made by another version of the solver than this one, {SOLVER_VERSION}: {what}")
        })
    }
}

fn figures(before: &[Cluster], solution: &Solution) -> Figures {
    let live = || solution.live().map(|d| &d.cluster);
    let outcomes = solution.outcomes.iter();
    let unplaced = outcomes.filter(|o| {
        matches!(
            o.verdict,
            solution::Verdict::Unschedulable | solution::Verdict::Escalated
        )
    });
    Figures {
        hourly_cost: amount(solution.hourly),
        nodes: live().map(nodes).sum(),
        clusters: u32::try_from(live().count()).unwrap_or(u32::MAX),
        moves: moves(before, solution).replicas,
        unplaceable: unplaced.map(|o| o.service.to_string()).collect(),
    }
}

/// Whether both leave the same clusters with the same content. Which policy made a cluster does not count.
fn is_same_fleet(a: &Solution, b: &Solution) -> bool {
    let content = |solution: &Solution| -> Vec<Cluster> {
        let live = solution.live().map(|d| &d.cluster);
        let bare = live.map(|cluster| Cluster {
            origin: crate::scheduler::model::Origin::Scheduler { policy: None },
            ..cluster.clone()
        });
        bare.collect()
    };
    content(a) == content(b)
}
