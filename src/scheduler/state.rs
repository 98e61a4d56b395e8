//! The fleet during the search: clusters with nodes and their tenants, what each pool uses, and a
//! log by which any change can be taken back.

mod cluster;
mod kept;
mod limits;
mod places;
mod usage;

use cluster::Room;
pub(crate) use cluster::{ClusterState, Node};
pub(crate) use kept::Net;
pub(crate) use places::Places;
pub(crate) use usage::Usage;

use super::problem::{Offer, Problem};
use super::topology::Place;
use super::units::Micros;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Deref, DerefMut};

/// One change, as it is undone.
#[derive(Clone, Copy, Debug)]
enum Change {
    Found,
    Opened {
        c: usize,
    },
    Closed {
        c: usize,
        n: usize,
    },
    Put {
        c: usize,
        n: usize,
        s: usize,
        count: u32,
    },
    Taken {
        c: usize,
        n: usize,
        s: usize,
        count: u32,
    },
}

impl Change {
    fn cluster(self) -> Option<usize> {
        match self {
            Change::Found => None,
            Change::Opened { c } => Some(c),
            Change::Closed { c, .. } | Change::Put { c, .. } | Change::Taken { c, .. } => Some(c),
        }
    }
}

/// All of a [`State`] but the problem that it is of, so that it can be kept while the problem changes.
#[derive(Clone, Default)]
pub(crate) struct Contents {
    pub clusters: Vec<ClusterState>,
    pub by_pool: Vec<Vec<usize>>,
    pub usage: Vec<Usage>,
    /// Steps taken so far; the search is bounded by them, never by time.
    pub steps: u64,
    /// Pools, with the policy that governs, where this search makes no new cluster.
    pub no_founding: BTreeSet<(usize, Option<usize>)>,
    places: Vec<Places>,
    /// What the risk to each service's replicas is taken to cost.
    risks: Vec<Micros>,
    /// Each change, and whether its cluster had been touched before it.
    log: Vec<(Change, bool)>,
}

/// The fleet during the search.
#[derive(Clone)]
pub(crate) struct State<'p> {
    pub problem: &'p Problem<'p>,
    contents: Contents,
}

impl Contents {
    /// Replicas of a service.
    pub fn replicas(&self, s: usize) -> u32 {
        self.places[s].total()
    }

    /// Cost of all nodes.
    pub fn hourly(&self) -> Micros {
        self.usage.iter().map(|u| u.hourly).sum()
    }

    /// Forgets how to go back before now.
    pub fn commit(&mut self) {
        self.log.clear();
    }
}

impl Deref for State<'_> {
    type Target = Contents;

    fn deref(&self) -> &Contents {
        &self.contents
    }
}

impl DerefMut for State<'_> {
    fn deref_mut(&mut self) -> &mut Contents {
        &mut self.contents
    }
}

impl<'p> State<'p> {
    /// An empty fleet.
    pub fn new(problem: &'p Problem<'p>) -> Self {
        let contents = Contents {
            by_pool: vec![Vec::new(); problem.pools.len()],
            usage: vec![Usage::default(); problem.pools.len()],
            places: vec![Places::default(); problem.snapshot.services.len()],
            risks: vec![0; problem.snapshot.services.len()],
            ..Contents::default()
        };
        State { problem, contents }
    }

    /// Where a service's replicas are.
    pub fn places(&self, s: usize) -> &Places {
        &self.places[s]
    }

    pub fn replicas_in(&self, s: usize, c: usize) -> u32 {
        self.places[s].in_cluster(self.clusters[c].pool, c)
    }

    /// A service's replicas by pool and cluster, in whatever zone.
    pub fn in_clusters(&self, s: usize) -> BTreeMap<(usize, usize), u32> {
        let mut counts = BTreeMap::new();
        for (place, n) in &self.places[s] {
            *counts.entry((place.pool, place.cluster)).or_default() += n;
        }
        counts
    }

    pub fn cluster_named(&self, name: &str) -> Option<usize> {
        self.clusters.iter().position(|c| c.name == name)
    }

    /// What preferences and the risk of interruptions charge for where a service is.
    pub fn penalty(&self, s: usize) -> Micros {
        let places = self.places[s].iter();
        let wishes: Micros = places
            .map(|(place, n)| self.problem.penalty(s, place.pool) * i64::from(*n))
            .sum();
        wishes + self.risks[s]
    }

    /// What all nodes cost, with what preferences and risk charge.
    pub fn objective(&self) -> Micros {
        let penalties: Micros = (0..self.places.len()).map(|s| self.penalty(s)).sum();
        self.hourly() + penalties
    }

    /// A point to return to.
    pub fn mark(&self) -> usize {
        self.log.len()
    }

    /// Takes back everything since `mark`.
    pub fn undo(&mut self, mark: usize) {
        while self.log.len() > mark {
            let Some((change, touched)) = self.log.pop() else {
                return;
            };
            match change {
                Change::Found => {
                    if let Some(cluster) = self.clusters.pop() {
                        self.by_pool[cluster.pool].pop();
                    }
                }
                Change::Opened { c } => self.alter(c, |cluster| {
                    cluster.room.pop();
                    if let Some(node) = cluster.nodes.pop() {
                        cluster.discount_node(&node.offer);
                    }
                }),
                Change::Closed { c, n } => self.set_live(c, n, true),
                Change::Put { c, n, s, count } => self.shift(c, n, s, count, false),
                Change::Taken { c, n, s, count } => self.shift(c, n, s, count, true),
            }
            if let Some(cluster) = change.cluster() {
                self.clusters[cluster].touched = touched;
            }
        }
    }

    /// Adds a cluster that is there already or is to be made.
    pub fn found(&mut self, cluster: ClusterState) -> usize {
        let c = self.clusters.len();
        self.by_pool[cluster.pool].push(c);
        self.usage[cluster.pool].add(cluster.usage());
        self.clusters.push(cluster);
        self.log.push((Change::Found, false));
        c
    }

    /// Adds an empty worker; of an offer without a zone, in the one of the pool's zones where the cluster has
    /// the fewest.
    pub fn open(&mut self, c: usize, offer: &Offer) -> usize {
        let cluster = &self.clusters[c];
        let zone = cluster.emptiest_zone(|_| offer.zone.is_none());
        let there = zone.and_then(|zone| self.problem.pools[cluster.pool].in_zone(offer, zone));
        self.restore(c, there.unwrap_or(offer))
    }

    /// Adds an empty worker that is what it is.
    pub fn restore(&mut self, c: usize, offer: &Offer) -> usize {
        self.record(Change::Opened { c });
        self.alter(c, |cluster| {
            cluster.touched = true;
            cluster.count_node(offer);
            cluster.nodes.push(Node {
                offer: offer.clone(),
                free: offer.allocatable,
                tenants: Vec::new(),
                live: true,
                existed: false,
            });
            cluster.room.push(Room::default());
            cluster.has_free(cluster.nodes.len() - 1);
        });
        self.clusters[c].nodes.len() - 1
    }

    /// Removes an empty worker.
    pub fn close(&mut self, c: usize, n: usize) {
        self.record(Change::Closed { c, n });
        self.set_live(c, n, false);
    }

    /// Puts one replica onto a node.
    pub fn put(&mut self, c: usize, n: usize, s: usize) {
        self.put_many(c, n, s, 1);
    }

    /// Puts so many replicas onto a node.
    pub fn put_many(&mut self, c: usize, n: usize, s: usize, count: u32) {
        self.record(Change::Put { c, n, s, count });
        self.shift(c, n, s, count, true);
    }

    /// Takes one replica off a node.
    pub fn take(&mut self, c: usize, n: usize, s: usize) {
        self.take_many(c, n, s, 1);
    }

    /// Takes so many replicas off a node, which must be on it.
    pub fn take_many(&mut self, c: usize, n: usize, s: usize, count: u32) {
        self.record(Change::Taken { c, n, s, count });
        self.shift(c, n, s, count, false);
    }

    /// Takes one replica of a service out of a cluster, from its least used node, and closes the
    /// node if that empties it and the cluster may shrink.
    pub fn take_one(&mut self, s: usize, c: usize) -> bool {
        self.take_where(s, c, |_| true)
    }

    /// The same in one zone of the cluster.
    pub fn take_at(&mut self, s: usize, place: Place) -> bool {
        let zones = &self.problem.pools[place.pool].zones;
        self.take_where(s, place.cluster, |node| {
            zones.domain(node.offer.zone) == place.zone
        })
    }

    fn take_where(&mut self, s: usize, c: usize, fine: impl Fn(&Node) -> bool) -> bool {
        let cluster = &self.clusters[c];
        let emptiest = (0..cluster.nodes.len())
            .filter(|&n| cluster.nodes[n].live && cluster.nodes[n].holds(s))
            .filter(|&n| fine(&cluster.nodes[n]))
            .min_by_key(|&n| (cluster.nodes[n].used(), n));
        let Some(n) = emptiest else { return false };
        self.take(c, n, s);
        self.close_if_empty(c, n);
        true
    }

    /// Takes all replicas of a service off the fleet.
    pub fn take_all(&mut self, s: usize) {
        let clusters: Vec<usize> = self.places[s].keys().map(|place| place.cluster).collect();
        for c in clusters {
            while self.take_one(s, c) {}
        }
    }

    fn record(&mut self, change: Change) {
        let touched = change.cluster().is_some_and(|c| self.clusters[c].touched);
        self.log.push((change, touched));
    }

    /// Leaves a cluster with this control plane and the workers that it had, closed ones too, and with no more than
    /// so many unless it needs them. For what is being loaded: this cannot be undone.
    pub fn stay(&mut self, c: usize, control: Option<(Offer, u32)>, workers: u32) {
        for n in 0..self.clusters[c].nodes.len() {
            if !self.clusters[c].nodes[n].live {
                self.set_live(c, n, true);
            }
        }
        self.alter(c, |cluster| {
            cluster.control = control;
            cluster.min = cluster.min.min(workers);
        });
    }

    fn alter(&mut self, c: usize, change: impl FnOnce(&mut ClusterState)) {
        let cluster = &mut self.contents.clusters[c];
        let usage = &mut self.contents.usage[cluster.pool];
        usage.remove(cluster.usage());
        change(cluster);
        usage.add(cluster.usage());
    }

    fn set_live(&mut self, c: usize, n: usize, live: bool) {
        self.alter(c, |cluster| {
            cluster.touched = true;
            let node = &mut cluster.nodes[n];
            node.live = live;
            let offer = node.offer.clone();
            if live {
                cluster.count_node(&offer);
                cluster.has_free(n);
            } else {
                cluster.discount_node(&offer);
                cluster.room[n] = Room::default();
            }
        });
    }

    fn shift(&mut self, c: usize, n: usize, s: usize, count: u32, add: bool) {
        let size = self.problem.service(s).size.times(u64::from(count));
        let offer = &self.clusters[c].nodes[n].offer;
        let place = self.problem.place(self.clusters[c].pool, c, offer);
        let risk = offer.risk * Micros::from(count);
        self.risks[s] += if add { risk } else { -risk };
        let cluster = &mut self.contents.clusters[c];
        let before = cluster.replicas;
        let after = if add { before + count } else { before - count };
        if (before == 0) != (after == 0) {
            // With its first replica, or without its last, the cluster may count or no longer count.
            self.alter(c, |cluster| cluster.replicas = after);
        }
        let cluster = &mut self.contents.clusters[c];
        cluster.replicas = after;
        cluster.touched = true;
        let node = &mut cluster.nodes[n];
        let at = node.tenants.binary_search_by_key(&s, |t| t.0);
        match (add, at) {
            (true, Ok(i)) => node.tenants[i].1 += count,
            (true, Err(i)) => node.tenants.insert(i, (s, count)),
            (false, Ok(i)) if node.tenants[i].1 > count => node.tenants[i].1 -= count,
            (false, Ok(i)) => drop(node.tenants.remove(i)),
            (false, Err(_)) => {}
        }
        if add {
            node.free -= size;
            cluster.room[n] = Room::of(cluster.nodes[n].free);
            self.places[s].add(place, count);
        } else {
            node.free += size;
            cluster.has_free(n);
            self.places[s].remove(place, count);
        }
    }
}
