//! The objects that one cluster consists of, owners first.

use std::collections::{BTreeMap, BTreeSet};

use petgraph::{
    Direction,
    algo::{has_path_connecting, toposort},
    graph::{DiGraph, NodeIndex},
    visit::{Dfs, EdgeRef},
};

use super::{
    ClusterName, MOST_OBJECTS, PivotError, Side,
    kind::{CORE_GROUP, Moves, labelled},
    object::Key,
    references::{class_of, cluster_of, referenced},
    view::{View, cluster_key},
};
use crate::clusters::labels;

/// Objects, and which of them belong to which.
#[derive(Clone, Default)]
struct Edges<'a> {
    graph: DiGraph<&'a Key, ()>,
    places: BTreeMap<&'a Key, NodeIndex>,
}

impl<'a> Edges<'a> {
    fn of(keys: impl IntoIterator<Item = &'a Key>) -> Self {
        let mut edges = Self::default();
        for key in keys {
            let place = edges.graph.add_node(key);
            edges.places.insert(key, place);
        }
        edges
    }

    /// Adds an edge, if both ends are objects of the graph.
    fn add(&mut self, owner: &Key, key: &Key) {
        if let (Some(owner), Some(key)) = (self.places.get(owner), self.places.get(key)) {
            self.graph.update_edge(*owner, *key, ());
        }
    }

    /// These objects and all below them.
    fn below<'k>(&self, roots: impl IntoIterator<Item = &'k Key>) -> BTreeSet<&'a Key> {
        let mut found = BTreeSet::new();
        let mut search = Dfs::empty(&self.graph);
        for place in roots.into_iter().filter_map(|root| self.places.get(root)) {
            search.move_to(*place);
            while let Some(place) = search.next(&self.graph) {
                found.insert(self.graph[place]);
            }
        }
        found
    }

    /// The objects without an owner that are not above this one.
    fn ownerless_beside(&self, root: &Key) -> Vec<&'a Key> {
        let Some(root) = self.places.get(root) else {
            return Vec::new();
        };
        let ownerless = self.graph.externals(Direction::Incoming);
        ownerless
            .filter(|place| !has_path_connecting(&self.graph, *place, *root, None))
            .map(|place| self.graph[place])
            .collect()
    }

    /// All objects, each after those it belongs to.
    fn in_order(&self) -> Result<Vec<&'a Key>, PivotError> {
        let order = toposort(&self.graph, None).map_err(|cycle| PivotError::Cycle {
            object: self.graph[cycle.node_id()].clone(),
        })?;
        Ok(order.into_iter().map(|place| self.graph[place]).collect())
    }
}

/// An object of a graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Which.
    pub key: Key,
    /// Whether others may need it too. It is copied where it is missing, and stays where it is.
    pub shared: bool,
}

/// What a cluster consists of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Graph {
    /// The objects, each after its owners, and the `Cluster` before all that depends on its pause.
    pub members: Vec<Member>,
}

impl Graph {
    /// What moves: the members that are not shared.
    pub fn moved(&self) -> impl DoubleEndedIterator<Item = &Key> {
        let moved = self.members.iter().filter(|member| !member.shared);
        moved.map(|member| &member.key)
    }

    /// Finds out what belongs to a cluster.
    ///
    /// # Errors
    /// If there is no such cluster, or its objects cannot be put in order.
    pub fn of(side: Side, view: &View, cluster: &ClusterName) -> Result<Self, PivotError> {
        let root = cluster_key(cluster);
        let Some((root, _)) = view.objects.get_key_value(&root) else {
            let cluster = cluster.clone();
            return Err(PivotError::NoCluster { cluster });
        };
        let owned = ownership(view);
        let members = Membership::of(view, root, belonging(view, &owned)).members();
        if members.len() > MOST_OBJECTS {
            let count = members.len();
            return Err(PivotError::TooMany { count });
        }
        check_owners(side, view, &members)?;
        let order = order(view, root, &owned, &members)?;
        let members = order.into_iter().map(|key| Member {
            key: key.clone(),
            shared: members[key],
        });
        Ok(Self {
            members: members.collect(),
        })
    }
}

/// Owners to what they own, as owner references say.
fn ownership(view: &View) -> Edges<'_> {
    let uids = view.uids();
    let mut edges = Edges::of(view.objects.keys());
    for (key, object) in &view.objects {
        for owner in object.owners() {
            if let Some(owner) = uids.get(owner.uid.as_str()) {
                edges.add(owner, key);
            }
        }
    }
    edges
}

/// The same, and clusters to what belongs to them by name, label or reference.
fn belonging<'a>(view: &'a View, owned: &Edges<'a>) -> Edges<'a> {
    let mut edges = owned.clone();
    for (key, object) in &view.objects {
        if let Some(name) = cluster_of(object, key) {
            let cluster = Key::new(CORE_GROUP, "Cluster", &key.namespace, name);
            edges.add(&cluster, key);
        }
        for other in referenced(object, key, view) {
            edges.add(key, other);
        }
    }
    edges
}

/// Who belongs to whom.
struct Membership<'a> {
    view: &'a View,
    root: &'a Key,
    edges: Edges<'a>,
}

impl<'a> Membership<'a> {
    fn of(view: &'a View, root: &'a Key, edges: Edges<'a>) -> Self {
        Self { view, root, edges }
    }

    /// What moves or is copied, and whether it is shared.
    fn members(&self) -> BTreeMap<&'a Key, bool> {
        let ours = self.edges.below([self.root]);
        let others = self.edges.below(self.other_clusters());
        let global = self.edges.below(
            self.view
                .objects
                .keys()
                .filter(|key| key.namespace.is_empty()),
        );
        let alone = others.is_empty();
        let shared = |key: &Key| {
            let elsewhere = key.namespace != self.root.namespace || global.contains(key);
            elsewhere || others.contains(key) || !(alone || ours.contains(key))
        };
        let strangers: BTreeSet<&Key> = others.difference(&ours).copied().collect();
        let around: BTreeSet<&Key> = self
            .class()
            .union(&self.forced(&ours, alone))
            .copied()
            .collect();
        let around = around.difference(&strangers).copied();
        let members: BTreeSet<&Key> = around.chain(ours.iter().copied()).collect();
        members.into_iter().map(|key| (key, shared(key))).collect()
    }

    fn other_clusters(&self) -> impl Iterator<Item = &'a Key> {
        let clusters = self.view.objects.keys();
        clusters.filter(|key| key.is(CORE_GROUP, "Cluster") && *key != self.root)
    }

    /// The class of the cluster, with what it consists of.
    fn class(&self) -> BTreeSet<&'a Key> {
        let class = class_of(&self.view.objects[self.root], self.root);
        self.edges.below(class.as_ref())
    }

    /// What moves for its own sake. Of what has no namespace, only what the cluster refers to; of a namespace with
    /// other clusters, only what owns something of this one: credentials of others are none of its business.
    fn forced(&self, ours: &BTreeSet<&'a Key>, alone: bool) -> BTreeSet<&'a Key> {
        let mut forced = BTreeSet::new();
        for (key, object) in &self.view.objects {
            if key.is(CORE_GROUP, "Cluster") {
                continue;
            }
            if key.namespace != self.root.namespace {
                // Some providers look for credentials in a namespace of their own.
                let named = object.label(labels::CLUSTER) == Some(self.root.name.as_str());
                if named && labelled(object) != Moves::WhenOwned {
                    forced.insert(key);
                }
                continue;
            }
            let kind = self.view.kind(key);
            let by_kind = kind.map_or(Moves::WhenOwned, |kind| kind.moves);
            match labelled(object).max(by_kind) {
                Moves::Always if alone => {
                    forced.insert(key);
                }
                Moves::WithDependents => {
                    let below = self.edges.below([key]);
                    if alone || !below.is_disjoint(ours) {
                        forced.extend(below);
                    }
                }
                Moves::Always | Moves::WhenOwned => {}
            }
        }
        forced
    }
}

/// Every owner of a member is a member.
fn check_owners(side: Side, view: &View, members: &BTreeMap<&Key, bool>) -> Result<(), PivotError> {
    let uids = view.uids();
    for key in members.keys().copied() {
        for owner in view.objects[key].owners() {
            let known = uids.get(owner.uid.as_str());
            if known.is_some_and(|owner| members.contains_key(*owner)) {
                continue;
            }
            let (object, owner) = (key.clone(), Box::new(owner.key));
            return Err(if known.is_none() && view.kind(&owner).is_some() {
                PivotError::MissingOwner {
                    side,
                    object,
                    owner,
                }
            } else {
                PivotError::OwnerOutside {
                    side,
                    object,
                    owner,
                }
            });
        }
    }
    Ok(())
}

/// Owners before what they own, the class before the cluster, the cluster before what has no owner.
fn order<'a>(
    view: &View,
    root: &'a Key,
    owned: &Edges<'a>,
    members: &BTreeMap<&'a Key, bool>,
) -> Result<Vec<&'a Key>, PivotError> {
    let mut edges = Edges::of(members.keys().copied());
    for edge in owned.graph.edge_references() {
        edges.add(owned.graph[edge.source()], owned.graph[edge.target()]);
    }
    if let Some(class) = class_of(&view.objects[root], root) {
        edges.add(&class, root);
    }
    for key in edges.ownerless_beside(root) {
        edges.add(root, key);
    }
    edges.in_order()
}
