//! A move that is given up: the source goes on, and the target holds nothing of it.

use super::{
    Observed, PivotError, Side,
    decide::{Action, Outcome, Step, removal},
    deed::{Deed, State, is_copy_of},
    graph::Graph,
    object::Key,
    pause::{is_paused_for_move, is_paused_itself},
    view::cluster_key,
};

/// What comes next, while the source owns the cluster.
pub(super) fn decide(observed: &Observed, deed: Option<&Deed>) -> Result<Step, PivotError> {
    let key = cluster_key(&observed.cluster);
    let cluster = observed.source.objects.get(&key);
    if let (Some(deed), Some(cluster)) = (deed, cluster)
        && deed.inventory().is_none()
        && deed.source_uid != cluster.uid()
    {
        return Err(PivotError::Claimed {
            cluster: observed.cluster.clone(),
            uid: deed.source_uid.clone(),
        });
    }
    // First of all: nobody can hand over any more.
    if let Some(deed) = deed.filter(|deed| deed.state == State::Receiving) {
        return Ok(Step::Act(vec![Action::GiveUp(Deed {
            state: State::GivenUp,
            ..deed.clone()
        })]));
    }
    let given_up = deed.filter(|deed| deed.state == State::GivenUp);
    let mut actions = resume_source(observed, &key);
    if let Some(deed) = given_up {
        actions.extend(empty_target(observed, &deed.source_uid));
        if actions.is_empty() {
            actions.push(Action::DropDeed(Side::Target));
        }
    }
    Ok(if actions.is_empty() {
        Step::Done(Outcome::GivenUp)
    } else {
        Step::Act(actions)
    })
}

fn resume_source(observed: &Observed, cluster: &Key) -> Vec<Action> {
    let objects = observed.source.objects.iter();
    let paused = objects.filter(|(key, object)| {
        let ours = *key == cluster || key.kind != cluster.kind;
        ours && is_paused_itself(key) && is_paused_for_move(object)
    });
    paused
        .map(|(key, _)| Action::Resume(Side::Source, key.clone()))
        .collect()
}

/// The copies go, dependents first; the cluster, whose pause covers the others, last.
fn empty_target(observed: &Observed, cluster_uid: &str) -> Vec<Action> {
    let target = &observed.target;
    let order = Graph::of(Side::Target, target, &observed.cluster).unwrap_or_default();
    let place = |key: &Key| {
        let mut members = order.members.iter();
        members.position(|member| member.key == *key)
    };
    let mut copies: Vec<_> = target
        .objects
        .iter()
        .filter(|(_, held)| is_copy_of(held, cluster_uid))
        .collect();
    copies.sort_by_key(|(key, _)| {
        (
            *key == &cluster_key(&observed.cluster),
            std::cmp::Reverse(place(key)),
        )
    });
    copies
        .into_iter()
        .flat_map(|(key, held)| removal(Side::Target, key, held))
        .collect()
}
