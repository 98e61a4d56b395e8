//! Doing what was decided, a write at a time.

use std::collections::BTreeMap;

use serde_json::json;

use super::{
    ClusterName, Intent, Observed, PivotError, Port, Refusal, Request, Response, Side, Step,
    canonical::{DELETE_FOR_MOVE, carried_status},
    copy::{Renamed, copied, instead_of, lacks_field_owners, with_field_owners, with_status},
    decide::{Action, decide},
    deed::{Deed, deed_key},
    kind::Kind,
    object::{Key, Object},
    observe,
    pause::{paused, resumed},
    view::cluster_key,
};

/// One round: looks, decides, acts, and says what it set out to do. Where something has changed since it looked,
/// it leaves the rest to the next round.
///
/// # Errors
/// If the move cannot go on as things are.
pub async fn round<S: Port, T: Port>(
    source: &S,
    target: &T,
    cluster: &ClusterName,
    intent: Intent,
) -> Result<Step, PivotError> {
    let observed = observe(source, target, cluster).await?;
    let step = decide(&observed, intent)?;
    if let Step::Act(actions) = &step {
        act(source, target, &observed, actions).await?;
    }
    Ok(step)
}

async fn act<S: Port, T: Port>(
    source: &S,
    target: &T,
    observed: &Observed,
    actions: &[Action],
) -> Result<(), PivotError> {
    let mut hands = Hands::new(observed);
    for action in actions {
        let Some((side, key, request)) = hands.request(action)? else {
            continue;
        };
        let answer = match side {
            Side::Source => source.call(request).await,
            Side::Target => target.call(request).await,
        };
        match answer {
            Ok(response) => hands.note(side, &key, response),
            Err(Refusal::Stale(_)) => return Ok(()),
            Err(refusal) => {
                return Err(PivotError::Refused {
                    side,
                    object: Box::new(key),
                    refusal,
                });
            }
        }
    }
    Ok(())
}

/// What was observed, kept up to date with what was written since.
struct Hands<'a> {
    observed: &'a Observed,
    written: BTreeMap<(Side, Key), Object>,
    renamed: Renamed,
}

impl<'a> Hands<'a> {
    fn new(observed: &'a Observed) -> Self {
        let copies = observed.source.objects.iter().filter_map(|(key, object)| {
            let held = observed.target.objects.get(key)?;
            Some((object.uid().to_owned(), held.uid().to_owned()))
        });
        Self {
            observed,
            written: BTreeMap::new(),
            renamed: copies.collect(),
        }
    }

    /// The latest that is known of an object.
    fn latest(&self, side: Side, key: &Key) -> Option<&Object> {
        let written = self.written.get(&(side, key.clone()));
        written.or_else(|| self.observed.side(side).objects.get(key))
    }

    fn note(&mut self, side: Side, key: &Key, response: Response) {
        let Response::Object(object) = response else {
            return;
        };
        if side == Side::Target
            && let Some(original) = self.observed.source.objects.get(key)
        {
            self.renamed
                .insert(original.uid().to_owned(), object.uid().to_owned());
        }
        self.written.insert((side, key.clone()), object);
    }

    /// The write of an action. `None` if it needs none, or what it is about is not there.
    fn request(&self, action: &Action) -> Result<Option<(Side, Key, Request)>, PivotError> {
        Ok(match action {
            Action::Claim(deed) | Action::GiveUp(deed) => Some(self.deed(deed, None)?),
            Action::HandOver(deed) => {
                let key = cluster_key(&self.observed.cluster);
                Some(self.deed(deed, self.latest(Side::Target, &key))?)
            }
            Action::DropDeed(side) => self.drop_deed(*side),
            Action::Pause(side, key) => self.replace(*side, key, paused),
            Action::Resume(side, key) => self.replace(*side, key, resumed),
            Action::Namespace(name) => Some(namespace(name)),
            Action::Copy(key) => self.copy(key),
            Action::Recopy(key) => self.recopy(key),
            Action::CopyStatus(key) => self.copy_status(key),
            Action::CopyFieldOwners(key) => self.copy_field_owners(key),
            Action::Release(side, key) => self.replace(*side, key, released),
            Action::Delete(side, key) => self.delete(*side, key),
        })
    }

    fn deed(
        &self,
        deed: &Deed,
        owner: Option<&Object>,
    ) -> Result<(Side, Key, Request), PivotError> {
        let cluster = &self.observed.cluster;
        let stored = self.observed.target.deed.as_ref();
        let object = deed.write(cluster, stored, owner)?;
        let kind = Kind::config_map();
        let request = match stored {
            None => Request::Create { kind, object },
            Some(_) => Request::Replace { kind, object },
        };
        Ok((Side::Target, deed_key(cluster), request))
    }

    fn drop_deed(&self, side: Side) -> Option<(Side, Key, Request)> {
        let stored = self.observed.side(side).deed.as_ref()?;
        let key = deed_key(&self.observed.cluster);
        Some((side, key.clone(), deletion(Kind::config_map(), key, stored)))
    }

    fn kind(&self, key: &Key) -> Option<Kind> {
        let kind = self.observed.source.kind(key);
        kind.or_else(|| self.observed.target.kind(key)).cloned()
    }

    fn replace(
        &self,
        side: Side,
        key: &Key,
        change: impl Fn(&Object) -> Object,
    ) -> Option<(Side, Key, Request)> {
        let object = change(self.latest(side, key)?);
        let kind = self.kind(key)?;
        Some((side, key.clone(), Request::Replace { kind, object }))
    }

    fn delete(&self, side: Side, key: &Key) -> Option<(Side, Key, Request)> {
        let object = self.latest(side, key)?;
        let request = deletion(self.kind(key)?, key.clone(), object);
        Some((side, key.clone(), request))
    }

    fn original(&self, key: &Key) -> Option<(&'a Object, Kind)> {
        Some((self.observed.source.objects.get(key)?, self.kind(key)?))
    }

    fn as_copied(&self, key: &Key) -> Option<(Object, Kind)> {
        let (object, kind) = self.original(key)?;
        let root = cluster_key(&self.observed.cluster);
        let cluster = self.observed.source.objects.get(&root)?;
        Some((copied(object, cluster.uid(), &self.renamed)?, kind))
    }

    fn copy(&self, key: &Key) -> Option<(Side, Key, Request)> {
        let (object, kind) = self.as_copied(key)?;
        Some((Side::Target, key.clone(), Request::Create { kind, object }))
    }

    fn recopy(&self, key: &Key) -> Option<(Side, Key, Request)> {
        let (copy, kind) = self.as_copied(key)?;
        let object = instead_of(copy, self.latest(Side::Target, key)?);
        Some((Side::Target, key.clone(), Request::Replace { kind, object }))
    }

    fn copy_status(&self, key: &Key) -> Option<(Side, Key, Request)> {
        let (original, kind) = self.original(key)?;
        let held = self.latest(Side::Target, key)?;
        // A kind without a status of its own has taken it with the rest.
        if carried_status(held) == carried_status(original) {
            return None;
        }
        let object = with_status(held, original);
        Some((
            Side::Target,
            key.clone(),
            Request::ReplaceStatus { kind, object },
        ))
    }

    fn copy_field_owners(&self, key: &Key) -> Option<(Side, Key, Request)> {
        let (original, kind) = self.original(key)?;
        let held = self.latest(Side::Target, key)?;
        if !lacks_field_owners(original, held) {
            return None;
        }
        let object = with_field_owners(held, original, &self.renamed);
        Some((Side::Target, key.clone(), Request::Replace { kind, object }))
    }
}

fn namespace(name: &str) -> (Side, Key, Request) {
    let key = Key::new("", "Namespace", "", name);
    let object = Object(json!({
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name},
    }));
    let kind = Kind::namespace();
    (Side::Target, key, Request::Create { kind, object })
}

fn deletion(kind: Kind, key: Key, object: &Object) -> Request {
    Request::Delete {
        kind,
        key,
        uid: object.uid().to_owned(),
        resource_version: object.resource_version().to_owned(),
    }
}

/// The object without finalizers, marked for the webhooks that ask why it goes.
fn released(object: &Object) -> Object {
    let mut object = object.clone();
    object.annotate(DELETE_FOR_MOVE, Some(""));
    object.set_metadata("finalizers", json!([]));
    object
}
