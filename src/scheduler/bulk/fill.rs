//! Packing what each pool was allotted, and putting it into the state.

use super::Guide;
use super::allot::Share;
use crate::scheduler::bound::Effort;
use crate::scheduler::packing::{self, Class, Filled, Item, Limits};
use crate::scheduler::problem::{Offer, Problem};
use crate::scheduler::state::{ClusterState, State, Usage};
use crate::scheduler::units::Resources;
use std::collections::BTreeMap;

/// Services whose replicas are alike to the packing, each with how many there are.
type Source = Vec<(usize, u32)>;

/// Packs everything; returns what found no room.
pub(crate) fn all(state: &mut State<'_>, guide: &Guide, shares: &[Share]) -> Vec<Share> {
    let mut lots: BTreeMap<(usize, Option<usize>), Vec<Share>> = BTreeMap::new();
    for share in shares {
        let policy = state.problem.demands[share.service].governing;
        lots.entry((share.pool, policy)).or_default().push(*share);
    }
    let mut left = Vec::new();
    for ((pool, policy), shares) in lots {
        left.extend(lot(state, guide, (pool, policy), &shares));
        // There is no way back from here, and no memory is to be spent on one.
        state.commit();
    }
    left
}

/// Packs what one pool was allotted of services under the same cluster rules; returns what found no room.
fn lot(
    state: &mut State<'_>,
    guide: &Guide,
    (pool, policy): (usize, Option<usize>),
    shares: &[Share],
) -> Vec<Share> {
    let (items, mut sources) = items(state, shares);
    let classes = reduced(guide, guide.rows.of[pool]);
    let Some(shop) = Shop::of(state.problem, pool, policy) else {
        return shares.to_vec();
    };
    let pack = match guide.effort {
        Effort::Little => packing::quick::pack,
        Effort::Full => packing::pack,
    };
    let nodes = pack(&classes, &items, &shop.space(state, guide));
    let mut left: BTreeMap<usize, u32> = BTreeMap::new();
    let mut current = shop.growing(state);
    for node in &nodes {
        let tenants = tenants(node, &mut sources);
        if !shop.add(state, &mut current, node.class, &tenants) {
            for (s, n) in tenants {
                *left.entry(s).or_default() += n;
            }
        }
    }
    for (s, n) in sources.into_iter().flatten() {
        *left.entry(s).or_default() += n;
    }
    let left = left.into_iter().filter(|(_, n)| *n > 0);
    left.map(|(service, replicas)| Share {
        pool,
        service,
        replicas,
    })
    .collect()
}

/// Replicas of one shape are one item, unless they must be on different nodes.
fn items(state: &State<'_>, shares: &[Share]) -> (Vec<Item>, Vec<Source>) {
    let mut known: BTreeMap<(Resources, Option<usize>), usize> = BTreeMap::new();
    let (mut items, mut sources): (Vec<Item>, Vec<Source>) = Default::default();
    for share in shares {
        let service = state.problem.service(share.service);
        let apart = service.one_per_node && service.replicas > 1;
        let key = (service.size, apart.then_some(share.service));
        let at = *known.entry(key).or_insert_with(|| {
            items.push(Item {
                cpu: service.size.milli_cores as f64,
                mem: service.size.mib as f64,
                count: 0,
                apart,
            });
            sources.push(Vec::new());
            items.len() - 1
        });
        items[at].count += share.replicas;
        match sources[at].last_mut() {
            Some((s, n)) if *s == share.service => *n += share.replicas,
            _ => sources[at].push((share.service, share.replicas)),
        }
    }
    (items, sources)
}

/// The services whose replicas go on a node.
fn tenants(node: &Filled, sources: &mut [Source]) -> Vec<(usize, u32)> {
    let mut tenants = Vec::new();
    for &(item, count) in &node.content {
        let mut wanted = count;
        while wanted > 0 {
            let Some((s, n)) = sources[item as usize].last_mut() else {
                break;
            };
            let taken = wanted.min(*n);
            tenants.push((*s, taken));
            *n -= taken;
            wanted -= taken;
            if *n == 0 {
                sources[item as usize].pop();
            }
        }
    }
    tenants
}

/// A pool's classes, priced with what they take of its limits.
fn reduced(guide: &Guide, row: usize) -> Vec<Class> {
    let classes = guide.supplies[row].classes.iter();
    classes
        .map(|class| Class {
            price: guide.prices.reduced(row, class),
            ..*class
        })
        .collect()
}

/// A pool, for services under the same cluster rules.
pub(crate) struct Shop {
    pool: usize,
    policy: Option<usize>,
    /// The control plane of a new cluster.
    control: Option<(Offer, u32)>,
}

impl Shop {
    /// Nothing where they can have no cluster.
    pub fn of(problem: &Problem<'_>, pool: usize, policy: Option<usize>) -> Option<Self> {
        let control = problem.control_plane(pool, policy).ok()?;
        Some(Shop {
            pool,
            policy,
            control,
        })
    }

    /// What the pool's limits leave, once the cluster that is to be made has its control plane.
    pub fn space(&self, state: &State<'_>, guide: &Guide) -> Limits {
        let mut used = state.usage[self.pool];
        if self.growing(state).is_none()
            && let Some((offer, n)) = &self.control
        {
            used.add(Usage::of(offer, u64::from(*n)));
        }
        guide.supplies[guide.rows.of[self.pool]].left(&used)
    }

    /// Buys one node with its tenants; says no where a limit is in the way.
    pub fn buy(&self, state: &mut State<'_>, class: usize, tenants: &[(usize, u32)]) -> bool {
        let mut current = self.growing(state);
        self.add(state, &mut current, class, tenants)
    }

    /// The cluster that may have another worker without being fuller than it would like.
    fn growing(&self, state: &State<'_>) -> Option<usize> {
        state.by_pool[self.pool].iter().copied().find(|&c| {
            let cluster = &state.clusters[c];
            !cluster.is_declared()
                && cluster.policy == self.policy
                && cluster.live_nodes() < cluster.soft
        })
    }

    /// Adds a node with its tenants, in a new cluster if need be; says no, and leaves all as it was, where a
    /// limit is in the way.
    fn add(
        &self,
        state: &mut State<'_>,
        current: &mut Option<usize>,
        class: usize,
        tenants: &[(usize, u32)],
    ) -> bool {
        let (problem, pool) = (state.problem, self.pool);
        let (mark, before) = (state.mark(), state.usage[pool]);
        let full = current.is_none_or(|c| state.clusters[c].live_nodes() >= state.clusters[c].soft);
        let c = match *current {
            Some(c) if !full => c,
            _ => state.found(ClusterState::new(
                problem,
                pool,
                self.policy,
                self.control.clone(),
            )),
        };
        let offer = &problem.pools[pool].offers[class];
        let n = state.open(c, offer);
        for &(s, count) in tenants {
            state.put_many(c, n, s, count);
        }
        if state.broken_limits(pool, &before).is_empty() {
            *current = Some(c);
            return true;
        }
        state.undo(mark);
        false
    }
}
