//! Services of other cells that have a place here, or ask for one: each is a LatticeService, and the scheduler of this cell is the
//! one who says whether there is a place.

use std::{collections::BTreeMap, time::Duration};

use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, ObjectMeta, Patch, PatchParams},
    runtime::reflector::{ObjectRef, Store},
};
use serde_json::json;

use super::desk::Travelling;
use crate::{
    agent::tree::{Asked, Booking, Bookings, CellName, Deal, HOLD, Message, Request},
    api::{
        LatticeCluster, LatticeService, ServicePhase,
        conditions::{self, STALLED},
    },
    operator::{
        decision_log::blob::sha256,
        objects::{ensure_namespace, gone_is_fine},
    },
};

/// On a service of another cell: the cell that it was applied in.
pub(super) const GUEST: &str = "lattice.dev/guest-of";
/// Where such services are.
const HOME: &str = "lattice-guests";
const ID: &str = "lattice.dev/guest-id";
const ATTEMPT: &str = "lattice.dev/guest-attempt";
/// The cells between its own and this one, with `/` between them.
const PATH: &str = "lattice.dev/guest-path";
/// Until when its place is held, seconds since 1970; not there once it is taken.
const UNTIL: &str = "lattice.dev/guest-until";
/// UID of the LatticeCluster that it came from, if that is below this cell.
const CHILD: &str = "lattice.dev/guest-child";
const FIELD_MANAGER: &str = "lattice.dev/tree";
/// Characters of a guest's own name in that of its object.
const LONGEST_NAME: usize = 40;

/// The services of other cells.
pub(super) struct Guests {
    client: Client,
    services: Store<LatticeService>,
    clusters: Store<LatticeCluster>,
    bookings: Bookings,
    /// By key, from origin to here.
    paths: BTreeMap<String, Vec<CellName>>,
    /// Whose answer is due.
    asked: BTreeMap<String, Request>,
}

impl Guests {
    /// Those that there are.
    pub(super) fn restore(
        client: Client,
        services: Store<LatticeService>,
        clusters: Store<LatticeCluster>,
    ) -> Self {
        let mut guests = Self {
            client,
            services,
            clusters,
            bookings: Bookings::default(),
            paths: BTreeMap::new(),
            asked: BTreeMap::new(),
        };
        for object in guests.objects() {
            if let Some(guest) = Guest::of(&object) {
                let key = key(&guest.id, &guest.path);
                guests.bookings.restore(&key, guest.booking);
                guests.paths.insert(key, guest.path);
            }
        }
        guests
    }

    /// Answers at once, or later from [`Guests::look`].
    pub(super) async fn hear(&mut self, now: Duration, message: Message) -> Option<Message> {
        match message {
            Message::Delegate(request) => self.place(now, request).await,
            Message::Confirm(deal) => self.confirm(now, deal).await,
            Message::Release(deal) => {
                let key = key(&deal.id, &deal.path);
                self.bookings.release(&key, deal.attempt, now);
                if self.bookings.get(&key).is_none() {
                    self.delete(&key).await.ok()?;
                }
                Some(Message::Released(deal))
            }
            _ => None,
        }
    }

    /// What the scheduler has said since, and what was held for too long.
    pub(super) async fn look(&mut self, now: Duration) -> Vec<Message> {
        self.bookings.expire(now);
        let mut answers = Vec::new();
        for object in self.objects() {
            let Some(guest) = Guest::of(&object) else {
                continue;
            };
            let key = key(&guest.id, &guest.path);
            if self.is_left_behind(&object, &guest.path).await {
                tracing::info!(
                    id = guest.id,
                    "its cluster was deleted, and its place is free"
                );
                self.bookings.release(&key, guest.booking.attempt, now);
            }
            let booking = self.bookings.get(&key);
            if booking.is_none() {
                // Nobody waits for an answer: it is tried again.
                let _ = self.delete(&key).await;
                continue;
            }
            // What was written since may not have been seen yet.
            if booking.map(|booking| booking.attempt) != Some(guest.booking.attempt) {
                continue;
            }
            match verdict(&object) {
                Some(Ok(hourly)) => {
                    let asked = self.asked.remove(&key);
                    answers.extend(asked.map(|request| Message::Offer {
                        deal: deal(&request),
                        hourly,
                    }));
                }
                Some(Err(())) => {
                    // Of one that had its place for good the origin learns when it asks after it.
                    self.bookings.release(&key, guest.booking.attempt, now);
                    let _ = self.delete(&key).await;
                    let asked = self.asked.remove(&key);
                    answers.extend(asked.as_ref().map(no));
                }
                None => {}
            }
        }
        let bookings = &self.bookings;
        self.asked.retain(|key, _| bookings.get(key).is_some());
        self.paths.retain(|key, _| bookings.get(key).is_some());
        answers
    }

    /// Whether the cluster below that a service came from was deleted: nobody will ever say that its place is needed no more.
    async fn is_left_behind(&self, object: &LatticeService, path: &[CellName]) -> bool {
        let (Some(child), Some(uid)) = (before(path), object.annotations().get(CHILD)) else {
            return false;
        };
        if self.child(path).as_ref() == Some(uid) {
            return false;
        }
        // What is deleted here is gone for good, so it is not left to what may be out of date.
        let clusters: Api<LatticeCluster> = Api::all(self.client.clone());
        let found = clusters.get_opt(child).await;
        found.is_ok_and(|found| found.and_then(|found| found.uid()).as_ref() != Some(uid))
    }

    /// The UID of the cluster that this path came from, if that is below this cell.
    fn child(&self, path: &[CellName]) -> Option<String> {
        let cluster = self.clusters.get(&ObjectRef::new(before(path)?))?;
        cluster.uid()
    }

    async fn place(&mut self, now: Duration, request: Request) -> Option<Message> {
        if request.path.len() < 2 {
            // A service of this cell, of which its scheduler has said so already.
            return Some(no(&request));
        }
        let key = key(&request.need.id, &request.path);
        match self.bookings.asked(&key, request.attempt, now) {
            Asked::Late => return Some(no(&request)),
            Asked::Again => {}
            Asked::New => {
                if let Err(why) = self.write(&key, &request, now + HOLD).await {
                    tracing::warn!(why, id = request.need.id, "a service of another cell");
                    return Some(no(&request));
                }
                self.bookings.hold(&key, request.attempt, now);
                self.paths.insert(key.clone(), request.path.clone());
            }
        }
        self.asked.insert(key, request);
        None
    }

    async fn confirm(&mut self, now: Duration, deal: Deal) -> Option<Message> {
        let key = key(&deal.id, &deal.path);
        let is_its_own = self.paths.get(&key) == Some(&deal.path);
        if !is_its_own || !self.bookings.confirm(&key, deal.attempt, now) {
            return Some(Message::Lapsed(deal));
        }
        let taken = json!({"metadata": {"annotations": {UNTIL: null}}});
        let (api, params) = (self.api(), PatchParams::default());
        match api.patch(&name(&key), &params, &Patch::Merge(&taken)).await {
            Ok(_) => Some(Message::Confirmed(deal)),
            Err(kube::Error::Api(status)) if status.is_not_found() => {
                self.bookings.release(&key, deal.attempt, now);
                Some(Message::Lapsed(deal))
            }
            // It is confirmed again.
            Err(error) => {
                tracing::warn!(%error, id = deal.id, "a place could not be taken");
                None
            }
        }
    }

    fn objects(&self) -> Vec<std::sync::Arc<LatticeService>> {
        let all = self.services.state().into_iter();
        all.filter(|object| {
            let is_guest = object.labels().contains_key(GUEST);
            is_guest && object.metadata.deletion_timestamp.is_none()
        })
        .collect()
    }

    fn api(&self) -> Api<LatticeService> {
        Api::namespaced(self.client.clone(), HOME)
    }

    async fn write(&self, key: &str, request: &Request, until: Duration) -> Result<(), String> {
        let said = |error: kube::Error| error.to_string();
        let travelling: Travelling =
            serde_json::from_str(&request.need.service).map_err(|error| error.to_string())?;
        let params = PatchParams::apply(FIELD_MANAGER).force();
        ensure_namespace(&self.client, HOME).await.map_err(said)?;
        let mut object = LatticeService::new(&name(key), travelling.spec);
        object.metadata = ObjectMeta {
            labels: Some(travelling.labels),
            annotations: Some(BTreeMap::from([
                (ID.to_owned(), request.need.id.clone()),
                (ATTEMPT.to_owned(), request.attempt.to_string()),
                (PATH.to_owned(), request.path.join("/")),
                (UNTIL.to_owned(), until.as_secs().to_string()),
            ])),
            ..object.metadata
        };
        if let Some(uid) = self.child(&request.path) {
            object.annotations_mut().insert(CHILD.to_owned(), uid);
        }
        let origin = request.path.first().cloned().unwrap_or_default();
        object.labels_mut().insert(GUEST.to_owned(), origin);
        self.api()
            .patch(&object.name_any(), &params, &Patch::Apply(&object))
            .await
            .map(|_| ())
            .map_err(said)
    }

    async fn delete(&self, key: &str) -> Result<(), kube::Error> {
        let (api, params) = (self.api(), DeleteParams::default());
        gone_is_fine(api.delete(&name(key), &params).await).inspect_err(
            |error| tracing::warn!(%error, "a service of another cell could not be deleted"),
        )
    }
}

/// What an object says of itself.
struct Guest {
    id: String,
    path: Vec<CellName>,
    booking: Booking,
}

impl Guest {
    fn of(object: &LatticeService) -> Option<Self> {
        let said = |key: &str| object.annotations().get(key);
        let until = said(UNTIL).map(|until| until.parse().map(Duration::from_secs));
        Some(Self {
            id: said(ID)?.clone(),
            path: said(PATH)?.split('/').map(str::to_owned).collect(),
            booking: Booking {
                attempt: said(ATTEMPT)?.parse().ok()?,
                // What cannot be read was not confirmed, and is over.
                until: until.map(Result::unwrap_or_default),
            },
        })
    }
}

/// Bookings of one neighbour are none of another's, whatever it calls them.
fn key(id: &str, path: &[CellName]) -> String {
    format!("{}|{id}", before(path).unwrap_or_default())
}

/// The cell that a path came here from.
fn before(path: &[CellName]) -> Option<&str> {
    path.iter().rev().nth(1).map(String::as_str)
}

/// The name of a guest's object: of its service's own as much as has room.
fn name(key: &str) -> String {
    let own = key.split('/').nth(2).unwrap_or_default();
    let own: String = own.chars().take(LONGEST_NAME).collect();
    let digest = sha256(key.as_bytes());
    format!("{own}-{}", digest.get(..12).unwrap_or_default())
}

/// What the scheduler says of an object as it is now: what its place costs, or that there is none.
fn verdict(object: &LatticeService) -> Option<Result<u64, ()>> {
    let status = object.status.as_ref()?;
    if status.observed_generation != object.metadata.generation {
        return None;
    }
    match status.phase? {
        ServicePhase::Scheduled | ServicePhase::Running => {
            let hourly = status.total_cost?.hourly.micros();
            Some(Ok(u64::try_from(hourly).unwrap_or_default()))
        }
        _ if conditions::is_true(&status.conditions, STALLED) => Some(Err(())),
        _ => None,
    }
}

fn deal(request: &Request) -> Deal {
    Deal {
        id: request.need.id.clone(),
        attempt: request.attempt,
        path: request.path.clone(),
    }
}

fn no(request: &Request) -> Message {
    Message::No {
        deal: deal(request),
        ways_out: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(annotations: serde_json::Value, status: serde_json::Value) -> LatticeService {
        let document = json!({
            "apiVersion": "lattice.dev/v1alpha1",
            "kind": "LatticeService",
            "metadata": {"name": "api", "namespace": HOME, "generation": 1, "annotations": annotations},
            "spec": {"containers": {"main": {"image": "x:1"}}},
            "status": status,
        });
        serde_json::from_value(document).unwrap()
    }

    #[test]
    fn an_object_says_whose_it_is_and_until_when_it_is_held() {
        let told = json!({ID: "east/shop/api/u/1", ATTEMPT: "7", PATH: "east/root", UNTIL: "90"});
        let guest = Guest::of(&object(told, json!({}))).unwrap();
        assert_eq!(guest.path, ["east", "root"]);
        let until = Some(Duration::from_secs(90));
        assert_eq!(guest.booking, Booking { attempt: 7, until });
        let taken = json!({ID: "a", ATTEMPT: "7", PATH: "east/root"});
        assert_eq!(
            Guest::of(&object(taken, json!({}))).unwrap().booking.until,
            None
        );
        let garbled = json!({ID: "a", ATTEMPT: "7", PATH: "east/root", UNTIL: "soon"});
        let until = Guest::of(&object(garbled, json!({})))
            .unwrap()
            .booking
            .until;
        assert_eq!(until, Some(Duration::ZERO));
        assert!(Guest::of(&object(json!({}), json!({}))).is_none());
    }

    #[test]
    fn neighbours_cannot_reach_each_others_guests() {
        let path = |names: &[&str]| {
            names
                .iter()
                .map(|name| (*name).to_owned())
                .collect::<Vec<_>>()
        };
        let id = "east/shop/api/u/1";
        let (east, west) = (
            key(id, &path(&["east", "root"])),
            key(id, &path(&["east", "west", "root"])),
        );
        assert_ne!(name(&east), name(&west));
        assert!(name(&east).starts_with("api-"), "{}", name(&east));
    }

    #[test]
    fn only_the_schedulers_word_on_the_object_as_it_is_counts() {
        let said = |status| verdict(&object(json!({}), status));
        let placed = json!({"phase": "Scheduled", "observedGeneration": 1, "totalCost": {"hourly": 0.2, "projected30Day": 144}});
        assert_eq!(said(placed), Some(Ok(200_000)));
        let earlier = json!({"phase": "Scheduled", "observedGeneration": 0, "totalCost": {"hourly": 0.2, "projected30Day": 144}});
        assert_eq!(said(earlier), None);
        let stalled = json!([{"type": "Stalled", "status": "True", "reason": "Unschedulable", "lastTransitionTime": "2026-01-01T00:00:00Z"}]);
        let none =
            json!({"phase": "Unschedulable", "observedGeneration": 1, "conditions": stalled});
        assert_eq!(said(none), Some(Err(())));
        assert_eq!(
            said(json!({"phase": "Pending", "observedGeneration": 1})),
            None
        );
    }
}
