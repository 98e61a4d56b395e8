//! Services that found no place here are placed in other cells, and theirs here.
//!
//! `agent::tree` decides; here is what it decides with: what the scheduler of this cell has found no place for and what it
//! has free (`desk.rs`), services of others as objects that this scheduler places (`guests.rs`), and the streams.

mod desk;
mod guests;
mod kept;
mod post;
mod shown;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
    time::{Duration, SystemTime},
};

use kube::{Client, runtime::reflector::ObjectRef};
use tokio::{
    sync::{Notify, mpsc, watch},
    time::{MissedTickBehavior, interval, timeout},
};
use tokio_util::sync::CancellationToken;

use self::{desk::Decided, guests::Guests, kept::Entries};
pub(crate) use self::{
    desk::Desk,
    post::{Mail, Neighbour, Post, post},
    shown::{Board, Shown},
};
use super::{error::OperatorError, leader::Term, proxy::Downward, store::Stores};
use crate::{
    agent::{
        proto::cell_command::Command,
        tree::{Broker, Ledger, Need, Send, heard, told},
    },
    scheduler::model::ServiceId,
};

/// What this cell calls the one above; no cluster can be called so.
const PARENT: &str = "^";
/// How often it is looked what time has brought.
const TICK: Duration = Duration::from_secs(1);
/// Messages that go up between two ticks: well below what a cell allows its agents.
const MOST_UP: u32 = 20;
/// Pause after an error.
const PAUSE: Duration = Duration::from_secs(5);

/// What placing over the tree works with.
pub(crate) struct Parts {
    pub(crate) client: Client,
    pub(crate) stores: Stores,
    /// Told when a service stands elsewhere than before.
    pub(crate) changed: Arc<Notify>,
    pub(crate) desk: Desk,
    pub(crate) post: Post,
    pub(crate) downward: Downward,
    /// What this operator is called as a cell, if it is one.
    pub(crate) cell: Option<String>,
}

/// Has services placed over the tree whenever there is a term, until the stop.
pub(crate) async fn run(
    parts: Parts,
    mut mail: mpsc::Receiver<Mail>,
    mut terms: watch::Receiver<Option<Term>>,
    stop: CancellationToken,
) {
    let mut links = BTreeSet::new();
    while !stop.is_cancelled() {
        let term = terms.borrow_and_update().clone();
        if let Some(term) = term {
            let serving = serve(&parts, &mut mail, &mut links);
            let over = term.over.run_until_cancelled(serving);
            if let Some(Some(Err(error))) = stop.run_until_cancelled(over).await {
                tracing::warn!(%error, "placing over the tree begins anew");
                let _ = timeout(PAUSE, stop.cancelled()).await;
            }
            if !term.over.is_cancelled() {
                continue;
            }
            parts.desk.clear();
            parts.stores.escalations.replace(BTreeMap::new());
        }
        tokio::select! {
            changed = terms.changed() => if changed.is_err() { return },
            () = stop.cancelled() => return,
        }
    }
}

async fn serve(
    parts: &Parts,
    mail: &mut mpsc::Receiver<Mail>,
    links: &mut BTreeSet<Neighbour>,
) -> Result<(), OperatorError> {
    let kept = kept::load(&parts.client).await?;
    let mut member = Member {
        parts,
        links,
        broker: None,
        guests: Guests::restore(
            parts.client.clone(),
            parts.stores.services.clone(),
            parts.stores.clusters.clone(),
        ),
        needs: BTreeMap::new(),
        seen: None,
        resumable: kept.clone(),
        kept,
        told_up: 0,
    };
    let mut every = interval(TICK);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let sends = tokio::select! {
            Some(mail) = mail.recv() => member.take(mail),
            () = parts.desk.changed.notified() => member.renew(),
            _ = every.tick() => {
                let mut sends = member.tick().await;
                sends.extend(member.renew());
                sends
            }
        };
        member.say(sends).await?;
        member.show();
    }
}

/// This cell in its tree.
struct Member<'a> {
    parts: &'a Parts,
    /// Neighbours whose stream is there.
    links: &'a mut BTreeSet<Neighbour>,
    /// With the name of this cell, and whether there is one above it.
    broker: Option<(Broker, String, bool)>,
    guests: Guests,
    /// Services that look for a place elsewhere, by what they need.
    needs: BTreeMap<String, ServiceId>,
    /// The decision that this comes from.
    seen: Option<Arc<Decided>>,
    /// Of an earlier time, and not looked at yet.
    resumable: Entries,
    kept: Entries,
    told_up: u32,
}

impl Member<'_> {
    fn take(&mut self, mail: Mail) -> Vec<Send> {
        let now = now();
        match mail {
            Mail::Linked(neighbour, is_up) => {
                let known = match is_up {
                    true => self.links.insert(neighbour.clone()),
                    false => self.links.remove(&neighbour),
                };
                match &mut self.broker {
                    Some((broker, ..)) if known => broker.link(now, name_of(&neighbour), is_up),
                    _ => Vec::new(),
                }
            }
            Mail::Alone => {
                let is_child = |neighbour: &Neighbour| matches!(neighbour, Neighbour::Child(_));
                let gone: Vec<Neighbour> =
                    self.links.iter().filter(|n| is_child(n)).cloned().collect();
                let gone = gone.into_iter().map(|child| Mail::Linked(child, false));
                gone.flat_map(|mail| self.take(mail)).collect()
            }
            Mail::Heard(neighbour, said) => match (&mut self.broker, heard(*said)) {
                (Some((broker, ..)), Some(message)) => {
                    broker.hear(now, name_of(&neighbour), message, random())
                }
                _ => Vec::new(),
            },
        }
    }

    async fn tick(&mut self) -> Vec<Send> {
        self.told_up = 0;
        let now = now();
        let answers = self.guests.look(now).await;
        let Some((broker, name, _)) = &mut self.broker else {
            return Vec::new();
        };
        let clusters = &self.parts.stores.clusters;
        broker.remain(now, |name| clusters.get(&ObjectRef::new(name)).is_some());
        let mut sends = broker.tick(now);
        for answer in answers {
            sends.extend(broker.hear(now, name, answer, random()));
        }
        sends
    }

    /// Takes in what this cell is called, what was decided here, and what has no place by that.
    fn renew(&mut self) -> Vec<Send> {
        let now = now();
        let above = self.parts.post.name();
        let has_parent = above.is_some();
        let Some(name) = above.or_else(|| self.parts.cell.clone()) else {
            self.broker = None;
            return Vec::new();
        };
        let mut sends = Vec::new();
        let is_same =
            |(_, known, parent): &(Broker, String, bool)| *known == name && *parent == has_parent;
        if !self.broker.as_ref().is_some_and(is_same) {
            if let Some((broker, ..)) = &self.broker {
                self.resumable = broker.ledger().entries();
            }
            let parent = has_parent.then_some(PARENT);
            let former = self.parts.cell.as_deref().filter(|former| *former != name);
            let mut broker = Broker::new(&name, parent, Ledger::default(), now).formerly(former);
            for neighbour in self.links.iter() {
                sends.extend(broker.link(now, name_of(neighbour), true));
            }
            self.broker = Some((broker, name.clone(), has_parent));
            self.seen = None;
        }
        let (Some(decided), Some((broker, ..))) = (self.parts.desk.last(), &mut self.broker) else {
            return sends;
        };
        if self
            .seen
            .as_ref()
            .is_some_and(|seen| Arc::ptr_eq(seen, &decided))
        {
            return sends;
        }
        broker.supply(desk::supply(&decided.committed));
        let wanted = wanted(self.parts, &name, &decided);
        for (id, entry) in std::mem::take(&mut self.resumable) {
            let known = wanted.get(&id).map(|(_, need)| need.clone());
            let need = known.unwrap_or_else(|| Need {
                id,
                ..Need::default()
            });
            broker.resume(now, need, entry);
        }
        let gone = broker.wanted().filter(|id| !wanted.contains_key(*id));
        let gone: Vec<String> = gone.map(str::to_owned).collect();
        for id in gone {
            sends.extend(broker.unwant(now, &id));
        }
        self.needs.clear();
        for (id, (service, need)) in wanted {
            self.needs.insert(id, service);
            sends.extend(broker.want(now, need));
        }
        // What still gives back an earlier place cannot look for another yet.
        let asked: BTreeSet<&str> = broker.wanted().collect();
        let are_all_asked = self.needs.keys().all(|id| asked.contains(id.as_str()));
        self.seen = are_all_asked.then_some(decided);
        sends
    }

    /// Says what is to be said, once what it rests on is kept. This cell's own scheduler hears, and answers, at once.
    async fn say(&mut self, sends: Vec<Send>) -> Result<(), OperatorError> {
        let Some((broker, name, _)) = &mut self.broker else {
            return Ok(());
        };
        let mut sends = VecDeque::from(sends);
        let mut out = Vec::new();
        while let Some(send) = sends.pop_front() {
            if send.to != *name {
                out.push(send);
                continue;
            }
            if let Some(answer) = self.guests.hear(now(), send.message).await {
                sends.extend(broker.hear(now(), name, answer, random()));
            }
        }
        let entries = broker.ledger().entries();
        // What was kept and is not looked at yet is not forgotten.
        if self.resumable.is_empty() && entries != self.kept {
            kept::keep(&self.parts.client, &entries).await?;
            self.kept = entries;
        }
        for Send { to, message } in out {
            let said = told(message);
            if to != PARENT {
                if let Some(cell) = self.parts.downward.cell() {
                    cell.say(&to, Command::Tree(said)).await;
                }
            } else if self.told_up < MOST_UP {
                self.told_up += 1;
                self.parts.post.up(said);
            }
        }
        Ok(())
    }

    /// Puts up where services stand.
    fn show(&self) {
        let Some((broker, ..)) = &self.broker else {
            return;
        };
        let needs = self.needs.iter();
        let found = needs.filter_map(|(id, service)| Some((service.clone(), broker.status(id)?)));
        if self.parts.stores.escalations.replace(found.collect()) {
            self.parts.changed.notify_one();
        }
    }
}

/// What services need that found no place here.
fn wanted(parts: &Parts, here: &str, decided: &Decided) -> BTreeMap<String, (ServiceId, Need)> {
    let pins = parts.stores.service_placements.state();
    let needs = decided.unplaced.keys().filter_map(|id| {
        let object = ObjectRef::new(&id.name).within(&id.namespace);
        let object = parts.stores.services.get(&object)?;
        let is_leaving = object.metadata.deletion_timestamp.is_some();
        let need = desk::need(here, &object, &pins, decided).filter(|_| !is_leaving)?;
        Some((need.id.clone(), (id.clone(), need)))
    });
    needs.collect()
}

fn name_of(neighbour: &Neighbour) -> &str {
    match neighbour {
        Neighbour::Parent => PARENT,
        Neighbour::Child(name) => name,
    }
}

fn now() -> Duration {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    // A clock before 1970 is as good as none.
    since.unwrap_or_default()
}

/// Only pauses come of it.
fn random() -> u64 {
    u64::from(now().subsec_nanos())
}
