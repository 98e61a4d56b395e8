//! A cluster during the search: its rules, its workers and what is free on them.

use super::Usage;
use crate::scheduler::constraint::cluster_size;
use crate::scheduler::model::Origin;
use crate::scheduler::problem::{Offer, Problem};
use crate::scheduler::units::Resources;
use std::cell::Cell;

/// A worker.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub offer: Offer,
    pub free: Resources,
    /// Replicas by service, in the order of services.
    pub tenants: Vec<(usize, u32)>,
    pub live: bool,
    /// It was there before this search.
    pub existed: bool,
}

impl Node {
    pub fn holds(&self, s: usize) -> bool {
        self.tenants.binary_search_by_key(&s, |t| t.0).is_ok()
    }

    pub fn used(&self) -> Resources {
        self.offer.allocatable - self.free
    }
}

/// A cluster.
#[derive(Clone, Debug)]
pub(crate) struct ClusterState {
    /// Empty while it is only planned; the outcome gives it one.
    pub name: String,
    pub pool: usize,
    pub origin: Origin,
    /// The policy whose cluster rules it follows, for those the scheduler made.
    pub policy: Option<usize>,
    pub control: Option<(Offer, u32)>,
    pub nodes: Vec<Node>,
    pub min: u32,
    pub soft: u32,
    pub max: u32,
    /// What fills a cluster up to its fewest workers.
    pub pad: Option<Offer>,
    /// Workers without replicas that are there already, of a class that is sold no more: they fill up first.
    pub spare: Option<(Offer, u32)>,
    /// It was there before this solve.
    pub existed: bool,
    /// Something on it changed in this solve.
    pub touched: bool,
    /// What is free on each node.
    pub(super) room: Vec<Room>,
    /// No node has more cores free, nor more memory, than this: lets whole clusters be passed over.
    pub(super) roomiest: Cell<Resources>,
    /// Nodes in each of the pool's zones, where it has several.
    pub(super) zones: Vec<u32>,
    pub(super) live: u32,
    pub(super) replicas: u32,
    pub(super) workers: Usage,
}

/// What is free on a node, in so few bytes that looking through many nodes is quick; more than counts as the most that
/// there can be. Nothing on a node that is no more.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Room {
    milli_cores: u32,
    mib: u32,
}

impl Room {
    pub fn of(free: Resources) -> Self {
        let part = |amount: u64| u32::try_from(amount).unwrap_or(u32::MAX);
        Room {
            milli_cores: part(free.milli_cores),
            mib: part(free.mib),
        }
    }
}

impl ClusterState {
    /// The nodes that may have this much free; no others do.
    pub fn roomy(&self, size: Resources) -> impl Iterator<Item = (usize, &Node)> {
        let size = Room::of(size);
        let fits = move |room: &Room| size.milli_cores <= room.milli_cores && size.mib <= room.mib;
        let rooms = self.room.iter().enumerate();
        rooms
            .filter(move |(_, room)| fits(room))
            .map(|(n, _)| (n, &self.nodes[n]))
    }

    pub fn is_declared(&self) -> bool {
        matches!(self.origin, Origin::Declared { .. })
    }

    /// Whether one of the nodes may have this much free; "no" is certain.
    pub fn may_have_room(&self, size: Resources) -> bool {
        size.fits(self.roomiest.get())
    }

    /// Looks at all nodes to say exactly how much the roomiest ones have.
    pub fn measure_room(&self) {
        let mut most = Resources::default();
        for node in self.nodes.iter().filter(|n| n.live) {
            most = most.or_more(node.free);
        }
        self.roomiest.set(most);
    }

    /// Leaves out nodes that are no more.
    pub(super) fn forget_closed(&mut self) {
        self.nodes.retain(|node| node.live);
        self.room = self.nodes.iter().map(|node| Room::of(node.free)).collect();
    }

    pub(super) fn has_free(&mut self, n: usize) {
        let free = self.nodes[n].free;
        self.room[n] = Room::of(free);
        self.roomiest.set(self.roomiest.get().or_more(free));
    }

    /// The zone with the fewest nodes of those that will do, if the pool has several.
    pub fn emptiest_zone(&self, fine: impl Fn(usize) -> bool) -> Option<usize> {
        let zones = (0..self.zones.len()).filter(|&zone| fine(zone));
        zones.min_by_key(|&zone| (self.zones[zone], zone))
    }

    /// The zones of the nodes that fill it up: each where the fewest are.
    pub fn padding_zones(&self) -> Vec<Option<usize>> {
        let mut counted = self.zones.clone();
        (0..self.padding())
            .map(|_| {
                let zone = (0..counted.len()).min_by_key(|&zone| (counted[zone], zone))?;
                counted[zone] += 1;
                Some(zone)
            })
            .collect()
    }

    pub(super) fn count_node(&mut self, offer: &Offer) {
        self.live += 1;
        self.workers.add(Usage::of(offer, 1));
        if let Some(zone) = offer.zone {
            self.zones[zone] += 1;
        }
    }

    pub(super) fn discount_node(&mut self, offer: &Offer) {
        self.live -= 1;
        self.workers.remove(Usage::of(offer, 1));
        if let Some(zone) = offer.zone {
            self.zones[zone] -= 1;
        }
    }

    /// Nodes that are there, padding not counted.
    pub fn live_nodes(&self) -> u32 {
        self.live
    }

    /// Replicas on it.
    pub fn replicas(&self) -> u32 {
        self.replicas
    }

    /// An auto cluster without replicas is as good as not there.
    pub fn is_wanted(&self) -> bool {
        self.is_declared() || self.replicas > 0
    }

    /// Workers to add so that the cluster has its fewest.
    pub fn padding(&self) -> u32 {
        match self.is_wanted() {
            true => self.missing(),
            false => 0,
        }
    }

    /// The same if it had replicas.
    pub(super) fn missing(&self) -> u32 {
        self.min.saturating_sub(self.live)
    }

    /// What fills the cluster up to its fewest workers, with how many of each.
    pub fn filling(&self) -> impl Iterator<Item = (&Offer, u32)> {
        self.filled_by(self.padding())
    }

    fn filled_by(&self, missing: u32) -> impl Iterator<Item = (&Offer, u32)> {
        let spare = self.spare.as_ref();
        let spare = spare.map(|(offer, there)| (offer, missing.min(*there)));
        let rest = missing - spare.map_or(0, |(_, n)| n);
        spare
            .into_iter()
            .chain(self.pad.as_ref().map(|pad| (pad, rest)))
    }

    pub fn usage(&self) -> Usage {
        match self.is_wanted() {
            true => self.usage_with_replicas(),
            false => Usage::default(),
        }
    }

    /// What it uses if it has replicas.
    pub(super) fn usage_with_replicas(&self) -> Usage {
        let mut usage = self.workers;
        for (offer, n) in self.filled_by(self.missing()) {
            usage.add(Usage::of(offer, u64::from(n)));
        }
        if let Some((offer, n)) = &self.control {
            usage.add(Usage::of(offer, u64::from(*n)));
        }
        usage
    }
}

impl ClusterState {
    /// What fills a pool's clusters up to their fewest workers.
    pub(super) fn padding_of(problem: &Problem<'_>, pool: usize) -> Option<Offer> {
        problem.pools[pool].on_demand().next().cloned()
    }

    /// A cluster without workers that follows a policy's rules (or none).
    pub fn new(
        problem: &Problem<'_>,
        pool: usize,
        policy: Option<usize>,
        control: Option<(Offer, u32)>,
    ) -> Self {
        let rules = problem.cluster_policy(policy);
        ClusterState {
            name: String::new(),
            pool,
            origin: Origin::Scheduler {
                policy: policy.map(|p| problem.snapshot.policies[p].name.clone()),
            },
            policy,
            control,
            nodes: Vec::new(),
            min: rules.min_nodes,
            soft: cluster_size::soft_limit(rules),
            max: cluster_size::hard_limit(rules),
            pad: ClusterState::padding_of(problem, pool),
            spare: None,
            existed: false,
            touched: false,
            room: Vec::new(),
            roomiest: Cell::new(Resources::default()),
            zones: vec![0; problem.pools[pool].zones.count()],
            live: 0,
            replicas: 0,
            workers: Usage::default(),
        }
    }
}
