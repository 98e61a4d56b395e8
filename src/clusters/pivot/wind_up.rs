//! After the handover: the target is set going, and the source is emptied.

use std::collections::BTreeSet;

use super::{
    Observed, PivotError, Side,
    canonical::{digest, essence},
    decide::{Action, Outcome, Step, removal},
    deed::{Deed, Inventory},
    graph::Graph,
    object::Key,
    pause::{is_paused, is_paused_for_move, is_paused_itself},
    view::cluster_key,
};

/// What comes next, now that the target owns the cluster.
pub(super) fn decide(observed: &Observed, deed: &Deed) -> Result<Step, PivotError> {
    let Some(inventory) = deed.inventory() else {
        let cluster = observed.cluster.clone();
        return Err(PivotError::NoCluster { cluster });
    };
    // One after the other: none begins before the one before it is seen to be done, and the target goes on even
    // where the source cannot be emptied.
    let mut actions = stop_source(observed, deed);
    if actions.is_empty() {
        actions = resume_target(observed, inventory);
    }
    if actions.is_empty() {
        actions = empty_source(observed, deed, inventory)?;
    }
    if !actions.is_empty() {
        return Ok(Step::Act(actions));
    }
    Ok(Step::Done(Outcome::Moved {
        digest: inventory.digest.clone(),
        objects: inventory.objects.len(),
    }))
}

/// Somebody may have resumed what is not the source's any more.
fn stop_source(observed: &Observed, deed: &Deed) -> Vec<Action> {
    let key = cluster_key(&observed.cluster);
    let cluster = observed.source.objects.get(&key);
    let resumed =
        cluster.is_some_and(|cluster| cluster.uid() == deed.source_uid && !is_paused(cluster));
    let pause = || Action::Pause(Side::Source, key);
    resumed.then(pause).into_iter().collect()
}

fn resume_target(observed: &Observed, inventory: &Inventory) -> Vec<Action> {
    let keys = inventory.objects.iter().map(|item| &item.key);
    keys.filter(|key| is_paused_itself(key))
        .filter(|key| {
            let held = observed.target.objects.get(*key);
            held.is_some_and(is_paused_for_move)
        })
        .map(|key| Action::Resume(Side::Target, key.clone()))
        .collect()
}

/// What was handed over goes, dependents first, if it is still what was handed over.
fn empty_source(
    observed: &Observed,
    deed: &Deed,
    inventory: &Inventory,
) -> Result<Vec<Action>, PivotError> {
    check_nothing_new(observed, inventory)?;
    let source = &observed.source;
    let uids = source.uids();
    let mut actions = Vec::new();
    for item in inventory.objects.iter().rev() {
        let Some(object) = source.objects.get(&item.key) else {
            continue;
        };
        let key = item.key.clone();
        if object.uid() != item.uid {
            return Err(PivotError::AppearedAfterHandover { object: key });
        }
        if digest(&essence(object, &uids)) != item.digest {
            return Err(PivotError::ChangedAfterHandover { object: key });
        }
        actions.extend(removal(Side::Source, &item.key, object));
    }
    // Older than the target's, and of no more use.
    let stale = observed.deed(Side::Source)?;
    if actions.is_empty() && stale.is_some_and(|stale| stale.epoch < deed.epoch) {
        actions.push(Action::DropDeed(Side::Source));
    }
    Ok(actions)
}

/// Whatever belongs to the cluster was handed over, so that its end takes nothing along.
fn check_nothing_new(observed: &Observed, inventory: &Inventory) -> Result<(), PivotError> {
    let root = cluster_key(&observed.cluster);
    if !observed.source.objects.contains_key(&root) {
        return Ok(());
    }
    let known: BTreeSet<&Key> = inventory.objects.iter().map(|item| &item.key).collect();
    let graph = Graph::of(Side::Source, &observed.source, &observed.cluster)?;
    match graph.moved().find(|key| !known.contains(key)) {
        Some(key) => Err(PivotError::AppearedAfterHandover {
            object: key.clone(),
        }),
        None => Ok(()),
    }
}
