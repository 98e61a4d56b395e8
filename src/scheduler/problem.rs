//! The indexed view of a snapshot that the search works on: names become indices once, here, and
//! what each service must have is merged from itself and the policies over it.

mod kept;

use super::demand::{self, Demand, Wishes};
use super::domains;
use super::hopeless;
use super::layout::{self, LaidCluster};
use super::model::{ClusterPolicy, Service, ServiceId, Snapshot, SortBy, Topology};
pub(crate) use super::offer::{Offer, PoolView};
use super::score;
use super::topology::{Distances, Place};
use super::units::{Micros, Resources};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;

/// What is known of a snapshot beyond itself: all of a [`Problem`] but the snapshot, so that it can be kept
/// while the snapshot changes.
#[derive(Debug, Default)]
pub(crate) struct Index {
    pub pools: Vec<PoolView>,
    pub demands: Vec<Demand>,
    pub distances: Distances,
    pub no_policy: ClusterPolicy,
    /// Whether some pool sells spot capacity.
    pub sells_spot: bool,
    /// Services that no search can place.
    pub hopeless: Vec<bool>,
    /// Names that no new cluster may have.
    pub taken_names: BTreeSet<String>,
    /// Names of the domains of each topology, by domain index.
    pub domain_names: BTreeMap<Topology, Vec<String>>,
    /// What several services want alike.
    pub wishes: Wishes,
    class_index: BTreeMap<String, usize>,
    pool_index: BTreeMap<String, usize>,
}

/// A snapshot with indices.
pub(crate) struct Problem<'a> {
    pub snapshot: &'a Snapshot,
    index: Index,
}

impl Index {
    pub fn class(&self, name: &str) -> Option<usize> {
        self.class_index.get(name).copied()
    }

    pub fn pool(&self, name: &str) -> Option<usize> {
        self.pool_index.get(name).copied()
    }
}

impl Deref for Problem<'_> {
    type Target = Index;

    fn deref(&self) -> &Index {
        &self.index
    }
}

impl<'a> Problem<'a> {
    /// Indexes a snapshot, which must be in canonical order.
    pub fn new(snapshot: &'a Snapshot) -> Self {
        let class_index = index(snapshot.node_classes.iter().map(|c| c.name.as_str()));
        let pool_index = index(snapshot.pools.iter().map(|p| p.name.as_str()));
        let (domain_names, domains) = domains::of(snapshot);
        let mut wishes = Wishes::default();
        let pools: Vec<PoolView> = (snapshot.pools.iter().zip(&domains))
            .map(|(pool, domains)| PoolView::new(snapshot, pool, domains, &class_index))
            .collect();
        let mut problem = Problem {
            snapshot,
            index: Index {
                demands: demand::all(snapshot, &pools, &mut wishes),
                pools,
                distances: Distances::new(snapshot, &domains),
                no_policy: ClusterPolicy::default(),
                sells_spot: snapshot.node_classes.iter().any(|c| c.spot.is_some()),
                hopeless: Vec::new(),
                taken_names: (snapshot.reserved_names.iter())
                    .chain(snapshot.clusters.iter().map(|c| &c.name))
                    .cloned()
                    .collect(),
                domain_names,
                wishes,
                class_index,
                pool_index,
            },
        };
        let free: Vec<u64> = (0..problem.pools.len())
            .map(|p| score::available_capacity::rank(&problem, p))
            .collect();
        for s in 0..problem.demands.len() {
            problem.index.demands[s].penalties = score::penalties(&problem, s, &free);
        }
        problem.index.hopeless = hopeless::services(&problem);
        problem
    }

    pub fn service(&self, s: usize) -> &'a Service {
        &self.snapshot.services[s]
    }

    /// The clusters of the snapshot, by index.
    pub fn laid(&self) -> Vec<LaidCluster> {
        layout::read(self, &self.snapshot.clusters)
    }

    pub fn service_named(&self, id: &ServiceId) -> Option<usize> {
        let services = &self.snapshot.services;
        services.binary_search_by(|s| s.id.cmp(id)).ok()
    }

    /// Pools that pass a service's selector and compliance, full or not.
    pub fn eligible(&self, s: usize) -> &[usize] {
        &self.wishes.set(self.demands[s].eligible).pools
    }

    /// The zones of a pool, by domain, that pass a service's selector.
    pub fn zones(&self, s: usize, pool: usize) -> &[usize] {
        let chosen = self.wishes.set(self.demands[s].eligible).zones.get(&pool);
        chosen.unwrap_or(&self.pools[pool].zones.domains)
    }

    /// Whether a service's selector lets it be in a zone of a pool that it lets it be in; of nodes of which the
    /// zone is not known, only if it lets it be in all of them.
    pub fn may_be_in(&self, s: usize, place: Place) -> bool {
        let chosen = &self.wishes.set(self.demands[s].eligible).zones;
        chosen.is_empty()
            || chosen
                .get(&place.pool)
                .is_none_or(|zones| zones.contains(&place.zone))
    }

    /// The place of a node in a cluster.
    pub fn place(&self, pool: usize, cluster: usize, node: &Offer) -> Place {
        Place {
            pool,
            cluster,
            zone: self.pools[pool].zones.domain(node.zone),
        }
    }

    /// The domain of a pool; for clusters there is none before they exist, nor one zone of several.
    pub fn domain(&self, pool: usize, topology: Topology) -> Option<usize> {
        self.pools[pool].domain(topology)
    }

    /// The cluster rules that a policy (or none) gives.
    pub fn cluster_policy(&self, policy: Option<usize>) -> &ClusterPolicy {
        policy
            .and_then(|p| self.snapshot.policies[p].cluster_policy.as_ref())
            .unwrap_or(&self.no_policy)
    }

    /// Whether a required region names this pool: by its region, or by its own name.
    pub fn names_pool(&self, required: usize, pool: usize) -> bool {
        self.wishes.region(required).1[pool]
    }

    /// A required region as it is written.
    pub fn required_region(&self, required: usize) -> &str {
        &self.wishes.region(required).0
    }

    /// The control plane that the rules of a policy (or none) ask for in a pool, as one node and how many, or what
    /// was looked for.
    pub fn control_plane(
        &self,
        pool: usize,
        policy: Option<usize>,
    ) -> Result<Option<(Offer, u32)>, String> {
        let rule = &self.cluster_policy(policy).control_plane;
        if rule.replicas == 0 {
            return Ok(None);
        }
        let smallest = Resources::new(2000, 4096);
        let mut offers = self.pools[pool].on_demand();
        let found = match &rule.class {
            Some(name) => offers.find(|o| self.snapshot.node_classes[o.class].name == *name),
            None => offers.find(|o| smallest.fits(o.capacity)),
        };
        match (found, &rule.class) {
            (Some(offer), _) => Ok(Some((offer.clone(), rule.replicas))),
            (None, Some(name)) => Err(match self.snapshot.pools[pool].shortage(name) {
                Some(shortage) => format!("class {name} is not to be had: {}", shortage.why),
                None => format!("class {name} is not offered"),
            }),
            (None, None) => Err("none has 2 cores and 4 Gi".to_owned()),
        }
    }

    /// Whether what preferences charge depends on what is where.
    pub fn depends_on_clusters(&self) -> bool {
        let mut preferences = self.demands.iter().flat_map(|d| &d.preferences);
        preferences.any(|p| p.sort_by == SortBy::AvailableCapacity)
    }

    /// The preference penalty of one replica in a pool, micro-dollars per hour.
    pub fn penalty(&self, s: usize, pool: usize) -> Micros {
        self.demands[s].penalties.get(pool).copied().unwrap_or(0)
    }
}

fn index<'a>(names: impl Iterator<Item = &'a str>) -> BTreeMap<String, usize> {
    let numbered = names.enumerate();
    numbered.map(|(i, name)| (name.to_owned(), i)).collect()
}
