//! What cells say to each other about services that found no place at home.

use std::collections::{BTreeMap, BTreeSet};

/// Name of a cell.
pub type CellName = String;

/// Labels of capacity: each with one value or several.
pub type Labels = BTreeMap<String, BTreeSet<String>>;

/// A service that needs a place, as the cell that it was applied in knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Need {
    /// Unique in the whole tree: the origin's cluster, the service and its generation.
    pub id: String,
    /// Replicas, all or none of them.
    pub replicas: u64,
    /// Milli-cores of one replica.
    pub milli_cores: u64,
    /// MiB of one replica.
    pub mib: u64,
    /// Labels that the place must have.
    pub labels: BTreeMap<String, String>,
    /// The service as it was applied, for the scheduler of whoever has the place.
    pub service: String,
    /// Why it found no place at home.
    pub reason: String,
}

impl Need {
    /// Nodes of this size that it takes; none if a replica does not fit one.
    pub fn nodes(&self, milli_cores: u64, mib: u64) -> Option<u64> {
        let by = |has: u64, wants: u64| has.checked_div(wants).unwrap_or(u64::MAX);
        let on_one = by(milli_cores, self.milli_cores).min(by(mib, self.mib));
        (on_one > 0).then(|| self.replicas.div_ceil(on_one))
    }

    /// Whether capacity with these labels will do.
    pub fn matches(&self, labels: &Labels) -> bool {
        let has = |(key, value)| labels.get(key).is_some_and(|all| all.contains(value));
        self.labels.iter().all(has)
    }
}

/// One attempt to place a service, on its way through the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// What is to be placed.
    pub need: Need,
    /// Counts up each time an attempt has come to nothing.
    pub attempt: u64,
    /// The cells that it has passed, its origin first.
    pub path: Vec<CellName>,
    /// Cells that it may still pass.
    pub hops_left: u32,
    /// What would have helped so far.
    pub ways_out: Vec<WayOut>,
}

/// Something that would let a service be placed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WayOut {
    /// The label term to drop, such as `region=eu`.
    pub term: String,
    /// What the place would cost then, micro-dollars an hour.
    pub hourly: u64,
}

/// Which attempt of which service, and the cells between origin and owner of the place, both included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deal {
    /// The service.
    pub id: String,
    /// The attempt.
    pub attempt: u64,
    /// From origin to owner.
    pub path: Vec<CellName>,
}

/// Free capacity of one kind: so many nodes at one price.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Step {
    /// Micro-dollars an hour for one node.
    pub hourly: u64,
    /// Milli-cores of one node.
    pub milli_cores: u64,
    /// MiB of one node.
    pub mib: u64,
    /// Nodes that are free.
    pub nodes: u64,
}

/// What a cell says of the free capacity of itself and all below it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Grows with each summary of a cell.
    pub number: u64,
    /// By what it is labelled, cheapest first.
    pub lots: BTreeMap<Labels, Vec<Step>>,
}

/// What is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Up: find a place.
    Ask(Request),
    /// Down: place it at or below yourself.
    Delegate(Request),
    /// Back to the origin: there is a place, and it is held for some time.
    Offer {
        /// Which.
        deal: Deal,
        /// What it costs, micro-dollars an hour.
        hourly: u64,
    },
    /// Back towards the origin: there is no place.
    No {
        /// Which, as far as it has come.
        deal: Deal,
        /// What would help.
        ways_out: Vec<WayOut>,
    },
    /// To the owner: the place is taken.
    Confirm(Deal),
    /// Back: it is.
    Confirmed(Deal),
    /// Back: it was held for too long and is gone.
    Lapsed(Deal),
    /// To the owner: the place is needed no more.
    Release(Deal),
    /// Back: it is free.
    Released(Deal),
    /// Up: what is free.
    Summary(Summary),
    /// Down: how it stands further up.
    Above {
        /// Whether the way is open up to the root.
        whole: bool,
        /// Another number each time that a cell has come, or come back.
        arrivals: u64,
    },
}

impl Message {
    /// The cells that it concerns, from the origin on; none for what concerns neighbours only.
    pub(super) fn path(&self) -> Option<&[CellName]> {
        match self {
            Self::Ask(request) | Self::Delegate(request) => Some(&request.path),
            Self::Offer { deal, .. }
            | Self::No { deal, .. }
            | Self::Confirm(deal)
            | Self::Confirmed(deal)
            | Self::Lapsed(deal)
            | Self::Release(deal)
            | Self::Released(deal) => Some(&deal.path),
            Self::Summary(_) | Self::Above { .. } => None,
        }
    }
}

/// A message with whom it goes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Send {
    /// A neighbour.
    pub to: CellName,
    /// What is said.
    pub message: Message,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn need(replicas: u64, milli_cores: u64, mib: u64) -> Need {
        Need {
            id: "a".into(),
            replicas,
            milli_cores,
            mib,
            ..Need::default()
        }
    }

    #[test]
    fn replicas_fill_nodes_by_what_is_scarcer() {
        assert_eq!(need(5, 1000, 1024).nodes(4000, 8192), Some(2));
        assert_eq!(need(5, 1000, 4096).nodes(4000, 8192), Some(3));
        assert_eq!(need(1, 5000, 1).nodes(4000, 8192), None);
        assert_eq!(need(9, 0, 0).nodes(4000, 8192), Some(1));
    }

    #[test]
    fn a_label_with_several_values_matches_by_membership() {
        let mut need = need(1, 1, 1);
        need.labels.insert("compliance".into(), "gdpr".into());
        let has = |values: &[&str]| {
            let values = values.iter().map(|value| (*value).to_owned()).collect();
            Labels::from([("compliance".into(), values)])
        };
        assert!(need.matches(&has(&["soc2", "gdpr"])));
        assert!(!need.matches(&has(&["soc2"])));
        assert!(!need.matches(&Labels::new()));
    }
}
