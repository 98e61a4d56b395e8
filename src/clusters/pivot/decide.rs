//! What comes next, from what both sides hold.

use std::{collections::BTreeSet, fmt};

use super::{
    Observed, PivotError, Side,
    canonical::{DELETE_FOR_MOVE, digest, essence, graph_digest},
    compare::{Same, made},
    deed::{Deed, Inventory, Item, State, is_copy_of, next_epoch, owner},
    graph::{Graph, Member},
    kind::CORE_GROUP,
    object::{Key, Object},
    pause::{Waiting, is_paused, is_paused_for_move, is_paused_itself, waiting},
    undo,
    view::cluster_key,
    wind_up,
};

/// What is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intent {
    /// The target is to own the cluster, and the source to hold nothing of it.
    Move,
    /// The source is to go on as if nothing had been.
    GiveUp,
}

/// What comes next.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// These writes, in this order.
    Act(Vec<Action>),
    /// Nothing, until these are ready.
    Wait(Vec<Waiting>),
    /// Nothing any more.
    Done(Outcome),
}

/// How a move ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The target owns the cluster and the source holds nothing of it.
    Moved {
        /// Digest of what was handed over.
        digest: String,
        /// How many objects that were.
        objects: usize,
    },
    /// The source goes on, and the target holds nothing of the cluster.
    GivenUp,
}

/// One write, at most.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Says on the target that objects are being copied to it.
    Claim(Deed),
    /// Makes the target the owner.
    HandOver(Deed),
    /// Says on the target that the move is given up, so that nobody can hand over any more.
    GiveUp(Deed),
    /// Takes a deed away that is of no more use.
    DropDeed(Side),
    /// Pauses an object for the move.
    Pause(Side, Key),
    /// Ends the pause for the move.
    Resume(Side, Key),
    /// Makes a namespace on the target.
    Namespace(String),
    /// Makes the copy of an object on the target.
    Copy(Key),
    /// Puts the object in the place of a copy that is no longer like it.
    Recopy(Key),
    /// Gives the copy the status of the object.
    CopyStatus(Key),
    /// Gives the copy's fields the owners that the object's have.
    CopyFieldOwners(Key),
    /// Takes the finalizers off an object that is going to be deleted, so that nobody cleans up after it.
    Release(Side, Key),
    /// Deletes an object.
    Delete(Side, Key),
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Claim(deed) => write!(f, "claim the target for move {}", deed.epoch),
            Self::HandOver(deed) => write!(f, "hand over to the target in move {}", deed.epoch),
            Self::GiveUp(deed) => write!(f, "give up move {}", deed.epoch),
            Self::DropDeed(side) => write!(f, "drop the deed of the {side}"),
            Self::Pause(side, key) => write!(f, "pause {key} on the {side}"),
            Self::Resume(side, key) => write!(f, "resume {key} on the {side}"),
            Self::Namespace(name) => write!(f, "make namespace {name} on the target"),
            Self::Copy(key) => write!(f, "copy {key}"),
            Self::Recopy(key) => write!(f, "copy {key} again"),
            Self::CopyStatus(key) => write!(f, "copy the status of {key}"),
            Self::CopyFieldOwners(key) => write!(f, "copy the field owners of {key}"),
            Self::Release(side, key) => write!(f, "release {key} on the {side}"),
            Self::Delete(side, key) => write!(f, "delete {key} on the {side}"),
        }
    }
}

/// What comes next.
///
/// # Errors
/// If it cannot go on as things are.
pub fn decide(observed: &Observed, intent: Intent) -> Result<Step, PivotError> {
    let source = observed.deed(Side::Source)?;
    let target = observed.deed(Side::Target)?;
    match (owner(source.as_ref(), target.as_ref()), intent, target) {
        (Side::Target, Intent::Move, Some(deed)) => wind_up::decide(observed, &deed),
        (Side::Target, Intent::GiveUp, Some(deed)) => Err(PivotError::HandedOver {
            cluster: observed.cluster.clone(),
            epoch: deed.epoch,
        }),
        (_, Intent::Move, target) => {
            Forward::of(observed)?.decide(source.as_ref(), target.as_ref())
        }
        (_, Intent::GiveUp, target) => undo::decide(observed, target.as_ref()),
    }
}

/// A move that is not handed over yet.
struct Forward<'a> {
    observed: &'a Observed,
    cluster: &'a Object,
    graph: Graph,
}

impl<'a> Forward<'a> {
    fn of(observed: &'a Observed) -> Result<Self, PivotError> {
        let graph = Graph::of(Side::Source, &observed.source, &observed.cluster)?;
        Ok(Self {
            observed,
            cluster: &observed.source.objects[&cluster_key(&observed.cluster)],
            graph,
        })
    }

    fn decide(&self, source: Option<&Deed>, target: Option<&Deed>) -> Result<Step, PivotError> {
        let receiving = target.filter(|deed| deed.state == State::Receiving);
        self.check_claim(receiving)?;
        self.check_source()?;
        self.check_target()?;
        let Some(claim) = receiving else {
            let claim = Action::Claim(Deed {
                epoch: next_epoch(source, target),
                source_uid: self.cluster.uid().to_owned(),
                state: State::Receiving,
            });
            let actions = [self.namespaces(), vec![claim], self.pauses()];
            return Ok(Step::Act(actions.concat()));
        };
        let pauses = self.pauses();
        if !pauses.is_empty() {
            return Ok(Step::Act(pauses));
        }
        let waiting = waiting(&self.graph, &self.observed.source);
        if !waiting.is_empty() {
            return Ok(Step::Wait(waiting));
        }
        let copies = self.copies();
        if !copies.is_empty() {
            return Ok(Step::Act(copies));
        }
        Ok(Step::Act(vec![Action::HandOver(self.handed_over(claim))]))
    }

    /// The target receives one cluster of a name at a time.
    fn check_claim(&self, receiving: Option<&Deed>) -> Result<(), PivotError> {
        match receiving {
            Some(deed) if deed.source_uid != self.cluster.uid() => Err(PivotError::Claimed {
                cluster: self.observed.cluster.clone(),
                uid: deed.source_uid.clone(),
            }),
            _ => Ok(()),
        }
    }

    /// Nothing goes, and before the pause: all is provisioned, and nobody has paused it.
    fn check_source(&self) -> Result<(), PivotError> {
        let begun = is_paused_for_move(self.cluster);
        if !begun && is_paused(self.cluster) {
            let object = self.cluster.key();
            return Err(PivotError::AlreadyPaused { object });
        }
        for key in self.graph.moved() {
            let object = &self.observed.source.objects[key];
            if object.is_being_deleted() {
                let object = key.clone();
                return Err(PivotError::BeingDeleted { object });
            }
            if let Some(what) = unprovisioned(object).filter(|_| !begun) {
                let object = key.clone();
                return Err(PivotError::NotProvisioned { object, what });
            }
        }
        Ok(())
    }

    /// The target knows the kinds, and has nothing of that name from elsewhere.
    fn check_target(&self) -> Result<(), PivotError> {
        let (source, target) = (&self.observed.source, &self.observed.target);
        for Member { key, shared } in &self.graph.members {
            let kind = source.kind(key);
            if kind.map(|kind| &kind.version) != target.kind(key).map(|kind| &kind.version) {
                return Err(PivotError::UnknownKind {
                    kind: key.kind.clone(),
                    api_version: source.objects[key].text("/apiVersion").to_owned(),
                    object: Box::new(key.clone()),
                });
            }
            let held = target.objects.get(key);
            if !shared && held.is_some_and(|held| !is_copy_of(held, self.cluster.uid())) {
                let object = key.clone();
                return Err(PivotError::Foreign { object });
            }
        }
        Ok(())
    }

    /// What has to be paused. The cluster last: then it is not acted on between a part and the whole.
    fn pauses(&self) -> Vec<Action> {
        let mut keys: Vec<&Key> = self
            .graph
            .moved()
            .filter(|key| is_paused_itself(key) && !is_paused(&self.observed.source.objects[*key]))
            .collect();
        keys.sort_by_key(|key| key.is(CORE_GROUP, "Cluster"));
        let pause = |key: &Key| Action::Pause(Side::Source, key.clone());
        keys.into_iter().map(pause).collect()
    }

    /// The namespaces that the target lacks.
    fn namespaces(&self) -> Vec<Action> {
        let members = self.graph.members.iter();
        let known = &self.observed.target.namespaces;
        let missing: BTreeSet<&String> = members
            .map(|member| &member.key.namespace)
            .filter(|namespace| !namespace.is_empty() && !known.contains(*namespace))
            .collect();
        let missing = missing.into_iter().cloned();
        missing.map(Action::Namespace).collect()
    }

    /// What makes the target hold the same.
    fn copies(&self) -> Vec<Action> {
        let (source, target) = (&self.observed.source, &self.observed.target);
        let mut actions = self.leftovers();
        actions.extend(self.namespaces());
        let same = Same::of(source, target, self.cluster.uid());
        for Member { key, shared } in &self.graph.members {
            let object = &source.objects[key];
            match target.objects.get(key) {
                None => actions.extend(made(key, object)),
                Some(held) if *shared && !is_copy_of(held, self.cluster.uid()) => {}
                Some(held) => actions.extend(same.again(key, object, held)),
            }
        }
        actions
    }

    /// Copies of what the source no longer has.
    fn leftovers(&self) -> Vec<Action> {
        let copies = self.observed.target.objects.iter();
        let gone = copies.filter(|(key, held)| {
            let member = self.graph.members.iter().any(|member| member.key == **key);
            !member && is_copy_of(held, self.cluster.uid())
        });
        gone.flat_map(|(key, held)| removal(Side::Target, key, held))
            .collect()
    }

    fn handed_over(&self, claim: &Deed) -> Deed {
        let source = &self.observed.source;
        let uids = source.uids();
        let objects = self.graph.moved().map(|key| {
            let object = &source.objects[key];
            Item {
                key: key.clone(),
                uid: object.uid().to_owned(),
                digest: digest(&essence(object, &uids)),
            }
        });
        Deed {
            state: State::Owner(Inventory {
                digest: graph_digest(&self.graph, source),
                objects: objects.collect(),
            }),
            ..claim.clone()
        }
    }
}

/// The writes that take an object away without anybody cleaning up after it.
pub(crate) fn removal(side: Side, key: &Key, object: &Object) -> Vec<Action> {
    let held = !object.list("/metadata/finalizers").is_empty();
    let told = key.group.is_empty() || object.annotation(DELETE_FOR_MOVE).is_some();
    let mut actions = Vec::new();
    if held || !told {
        actions.push(Action::Release(side, key.clone()));
    }
    // Without finalizers, what somebody has deleted goes by itself.
    if !object.is_being_deleted() {
        actions.push(Action::Delete(side, key.clone()));
    }
    actions
}

/// What Cluster API's own tool waits for, too: until then a controller may be in the midst of something.
fn unprovisioned(object: &Object) -> Option<&'static str> {
    let key = object.key();
    if key.is(CORE_GROUP, "Machine") {
        return object
            .text("/status/nodeRef/name")
            .is_empty()
            .then_some("has no node yet");
    }
    if !key.is(CORE_GROUP, "Cluster") {
        return None;
    }
    let initialized = object
        .condition("ControlPlaneInitialized")
        .is_some_and(|condition| condition["status"] == "True");
    let referenced = object.0.pointer("/spec/controlPlaneRef").is_some();
    if !object.is_true("/status/initialization/infrastructureProvisioned") {
        Some("is still provisioning its infrastructure")
    } else if !initialized
        || (referenced && !object.is_true("/status/initialization/controlPlaneInitialized"))
    {
        Some("has no initialised control plane yet")
    } else {
        None
    }
}
