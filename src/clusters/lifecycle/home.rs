//! Where the objects are that a cluster's machines are made from.

use crate::clusters::pivot::{
    Side,
    deed::{Deed, State},
    owner,
};

/// Where the objects of a cluster are, as seen from its parent, or from itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Home {
    /// With the parent.
    Here,
    /// On their way into the cluster.
    Going,
    /// In the cluster, which manages itself.
    There,
    /// On their way back to the parent.
    Coming,
    /// The cluster has had them, and does not answer: nobody else can say.
    Unknown(String),
    /// This is the cluster itself.
    Own {
        /// Whether its parent has handed them over.
        has_arrived: bool,
    },
}

/// What parent and child hold of a cluster.
#[derive(Clone, Copy, Debug, Default)]
pub struct Holdings<'a> {
    /// The parent's deed.
    pub ours: Option<&'a Deed>,
    /// The child's deed.
    pub theirs: Option<&'a Deed>,
    /// Whether the parent has a `Cluster`.
    pub is_here: bool,
    /// Whether the child has one.
    pub is_there: bool,
}

impl Home {
    /// As the parent sees it. A move that was begun, or not cleaned up after, is not over.
    pub fn of(holdings: &Holdings<'_>) -> Self {
        let is_over = |deed: Option<&Deed>| deed.is_none_or(|deed| is_owner(&deed.state));
        match owner(holdings.ours, holdings.theirs) {
            Side::Source if !is_over(holdings.theirs) => Self::Going,
            Side::Source if holdings.is_there && holdings.ours.is_some() => Self::Coming,
            Side::Source => Self::Here,
            Side::Target if !is_over(holdings.ours) => Self::Coming,
            Side::Target if holdings.is_here => Self::Going,
            Side::Target => Self::There,
        }
    }

    /// As the cluster itself sees it. Without its `Cluster` it has nothing: then it was taken back, whatever the deed says.
    pub fn own(deed: Option<&Deed>, is_here: bool) -> Self {
        Self::Own {
            has_arrived: is_here && deed.is_some_and(|deed| is_owner(&deed.state)),
        }
    }
}

const fn is_owner(state: &State) -> bool {
    matches!(state, State::Owner(_))
}
