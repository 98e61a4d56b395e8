//! Services of this cell that wait for a place elsewhere.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::message::{Deal, Message, Need, Request, Send, WayOut};

/// Requests of one cell that wait for an answer at a time: what has waited longest goes first, and nobody is flooded when a
/// link is back.
pub const WINDOW: usize = 8;
/// What was said and not answered is said again after this time.
pub const AGAIN: Duration = Duration::from_secs(10);
/// How often is asked after a place that a service has elsewhere.
const CHECK: Duration = Duration::from_secs(60);
/// The shortest pause after a no, and the longest.
pub const SHORTEST_PAUSE: Duration = Duration::from_secs(5);
/// See [`SHORTEST_PAUSE`].
pub const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// Cells that a request may pass.
pub const HOPS: u32 = 16;

/// Where a service of this cell stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// It has a place.
    Placed {
        /// The cells from here to the one that has it.
        path: Vec<String>,
        /// What it costs, micro-dollars an hour.
        hourly: u64,
    },
    /// It waits.
    Waiting(Because),
}

/// Why a service waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Because {
    /// What can be reached has no place, and a cell above cannot be reached.
    CutOff,
    /// Others are asked for first.
    InTurn,
    /// The tree looks for a place.
    Asked,
    /// A place was found and is being taken.
    Confirming,
    /// There is none; it is asked for again later.
    Refused(Vec<WayOut>),
}

/// How far a service has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Stage {
    Waiting,
    Confirming(Vec<String>, u64),
    Placed(Vec<String>, u64),
    Releasing(Vec<String>),
}

/// What is kept of a service over restarts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    attempt: u64,
    stage: Stage,
}

/// One service of this cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mine {
    pub(super) need: Need,
    attempt: u64,
    since: Duration,
    stage: Stage,
    /// Whether an answer is awaited, and when to say it again.
    asked: Option<Duration>,
    not_before: Duration,
    refusals: u32,
    ways_out: Option<Vec<WayOut>>,
}

impl Mine {
    pub(super) fn waiting(need: Need, now: Duration) -> Self {
        Self {
            need,
            // Greater than that of any attempt before, whatever was forgotten since.
            attempt: u64::try_from(now.as_millis()).unwrap_or(u64::MAX).max(1),
            since: now,
            stage: Stage::Waiting,
            asked: None,
            not_before: now,
            refusals: 0,
            ways_out: None,
        }
    }

    pub(super) fn resumed(need: Need, entry: Entry, now: Duration) -> Self {
        Self {
            attempt: entry.attempt,
            stage: entry.stage,
            ..Self::waiting(need, now)
        }
    }

    pub(super) fn entry(&self) -> Entry {
        Entry {
            attempt: self.attempt,
            stage: self.stage.clone(),
        }
    }

    pub(super) fn since(&self) -> Duration {
        self.since
    }

    pub(super) fn is_asking(&self, now: Duration) -> bool {
        self.stage == Stage::Waiting && self.asked.is_some_and(|at| now < at)
    }

    /// Whether it could be asked for now, or again.
    pub(super) fn is_due(&self, now: Duration) -> bool {
        let at = self.asked.unwrap_or(self.not_before);
        self.stage == Stage::Waiting && now >= at
    }

    pub(super) fn is_gone(&self) -> bool {
        matches!(&self.stage, Stage::Releasing(path) if path.is_empty())
    }

    pub(super) fn status(&self, is_cut_off: bool) -> Status {
        let because = match &self.stage {
            Stage::Placed(path, hourly) => {
                let (path, hourly) = (path.clone(), *hourly);
                return Status::Placed { path, hourly };
            }
            _ if is_cut_off => Because::CutOff,
            Stage::Confirming(..) | Stage::Releasing(_) => Because::Confirming,
            Stage::Waiting => match (&self.ways_out, self.asked) {
                // The last answer holds until there is another.
                (Some(ways_out), _) => Because::Refused(ways_out.clone()),
                (None, Some(_)) => Because::Asked,
                (None, None) => Because::InTurn,
            },
        };
        Status::Waiting(because)
    }

    /// The way is open again: whatever was said may be lost, and nobody waits out a pause.
    pub(super) fn reconnected(&mut self, now: Duration) {
        self.asked = None;
        self.not_before = now;
        // That nobody had a place while hardly anybody could be asked says nothing.
        self.refusals = 0;
    }

    /// Somebody has come who may have a place.
    pub(super) fn encouraged(&mut self, now: Duration) {
        self.not_before = self.not_before.min(now);
    }

    /// A request, for this cell to look for first.
    pub(super) fn ask(&mut self, now: Duration) -> Request {
        self.asked = Some(now + AGAIN);
        Request {
            need: self.need.clone(),
            attempt: self.attempt,
            path: Vec::new(),
            hops_left: HOPS,
            ways_out: Vec::new(),
        }
    }

    /// What is to be said again to the owner of a place.
    pub(super) fn again(&mut self, here: &str, now: Duration) -> Option<Send> {
        if self.asked.is_some_and(|at| now < at) {
            return None;
        }
        let (path, message, pause): (_, fn(Deal) -> Message, _) = match &self.stage {
            Stage::Confirming(path, _) => (path.clone(), Message::Confirm, AGAIN),
            Stage::Releasing(path) => (path.clone(), Message::Release, AGAIN),
            // Whoever has it might have lost it.
            Stage::Placed(path, _) if self.asked.is_some() => {
                (path.clone(), Message::Confirm, CHECK)
            }
            Stage::Placed(..) => {
                self.asked = Some(now + CHECK);
                return None;
            }
            Stage::Waiting => return None,
        };
        self.asked = Some(now + pause);
        // Whatever the cell was called when it found the place, the way begins with it.
        Some(onward(&path, 0, here, message(self.deal(path.clone()))))
    }

    pub(super) fn offered(&mut self, deal: Deal, hourly: u64, now: Duration) -> Option<Message> {
        if !self.is_waiting(deal.attempt) {
            return None;
        }
        self.stage = Stage::Confirming(deal.path.clone(), hourly);
        self.asked = Some(now + AGAIN);
        Some(Message::Confirm(deal))
    }

    pub(super) fn refused(
        &mut self,
        attempt: u64,
        ways_out: Vec<WayOut>,
        now: Duration,
        random: u64,
    ) {
        if self.is_waiting(attempt) {
            self.ways_out = Some(ways_out);
            self.again_later(now, random);
        }
    }

    /// Whether it waits for what comes of this attempt.
    pub(super) fn is_waiting(&self, attempt: u64) -> bool {
        attempt == self.attempt && self.stage == Stage::Waiting
    }

    pub(super) fn confirmed(&mut self, deal: &Deal) {
        if let Stage::Confirming(path, hourly) = &self.stage
            && deal.attempt == self.attempt
            && *path == deal.path
        {
            self.stage = Stage::Placed(path.clone(), *hourly);
            self.asked = None;
            self.refusals = 0;
        }
    }

    pub(super) fn lapsed(&mut self, deal: &Deal, now: Duration, random: u64) {
        if let Stage::Confirming(path, _) | Stage::Placed(path, _) = &self.stage
            && deal.attempt == self.attempt
            && *path == deal.path
        {
            self.stage = Stage::Waiting;
            self.again_later(now, random);
        }
    }

    /// It is needed no more.
    pub(super) fn leave(&mut self) {
        self.stage = match std::mem::replace(&mut self.stage, Stage::Waiting) {
            Stage::Confirming(path, _) | Stage::Placed(path, _) | Stage::Releasing(path) => {
                Stage::Releasing(path)
            }
            // An offer that comes yet is never confirmed, and lapses.
            Stage::Waiting => Stage::Releasing(Vec::new()),
        };
        self.asked = None;
    }

    pub(super) fn released(&mut self, deal: &Deal) {
        if matches!(&self.stage, Stage::Releasing(path) if *path == deal.path) {
            self.stage = Stage::Releasing(Vec::new());
        }
    }

    /// Whether it needs its place no more.
    pub(super) fn is_leaving(&self) -> bool {
        matches!(self.stage, Stage::Releasing(_))
    }

    fn again_later(&mut self, now: Duration, random: u64) {
        self.attempt += 1;
        self.asked = None;
        let most = SHORTEST_PAUSE.saturating_mul(1 << self.refusals.min(10));
        let most = most.min(LONGEST_PAUSE);
        self.refusals += 1;
        let thousandths = u32::try_from(500 + random % 501).unwrap_or(1000);
        self.not_before = now + most.saturating_mul(thousandths) / 1000;
    }

    fn deal(&self, path: Vec<String>) -> Deal {
        Deal {
            id: self.need.id.clone(),
            attempt: self.attempt,
            path,
        }
    }
}

/// The message to the next cell of a path, seen from the one at this place of it; at its end to this cell's own scheduler.
pub(super) fn onward(path: &[String], at: usize, here: &str, message: Message) -> Send {
    let to = path.get(at + 1).map_or(here, String::as_str).to_owned();
    Send { to, message }
}

/// The message to the cell before this place of a path.
pub(super) fn back(path: &[String], at: usize, message: Message) -> Option<Send> {
    let to = path.get(at.checked_sub(1)?)?.clone();
    Some(Send { to, message })
}
