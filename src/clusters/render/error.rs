//! Why a cluster cannot be rendered.

use crate::api::{PathSegment, ProviderType};

/// Why a cluster cannot be rendered: the object, the field, and the way out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("LatticeCluster `{cluster}`: {field}: {problem}")]
pub struct RenderError {
    /// The LatticeCluster.
    pub cluster: String,
    /// Path of the field that is to be changed.
    pub field: String,
    /// What is wrong with it.
    #[source]
    pub problem: RenderProblem,
}

impl RenderError {
    /// The field as segments: `a[0].b` is `a`, 0 and `b`.
    pub fn path(&self) -> Vec<PathSegment> {
        let parts = self.field.split(['.', '[']);
        parts
            .map(|part| match part.strip_suffix(']').map(str::parse) {
                Some(Ok(index)) => PathSegment::Index(index),
                _ => PathSegment::from(part),
            })
            .collect()
    }
}

/// What is wrong with a field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RenderProblem {
    /// Cluster API's objects could not be named after the cluster.
    #[error(
        "Cluster API's objects are named after the cluster; take a name of at most {longest} lower-case letters, \
         digits and `-`"
    )]
    UnfitName {
        /// Most characters.
        longest: usize,
    },
    /// Nothing says what the machines come from.
    #[error("say what the machines come from: a `type`, or a `config` for one provider")]
    NoProvider,
    /// The pool is another provider's.
    #[error("the LatticePool `{pool}` is of {theirs}, not of {ours}; make both the same")]
    OtherProvider {
        /// The pool.
        pool: String,
        /// Its provider.
        theirs: ProviderType,
        /// The cluster's provider.
        ours: ProviderType,
    },
    /// There is no such pool.
    #[error("there is no LatticePool `{0}`; create it, or name one that is there")]
    NoPool(String),
    /// There is no such node class.
    #[error("there is no LatticeNodeClass `{0}`; create it, or name one that is there")]
    NoNodeClass(String),
    /// Nothing says in which region the machines are to be.
    #[error("{0} needs a region; state one here, or name a LatticePool in `poolRef`")]
    NoRegion(ProviderType),
    /// The pool is in another region.
    #[error(
        "the LatticePool `{pool}` is in {theirs}, not in {ours}; leave the region out, or make both the same"
    )]
    OtherRegion {
        /// The pool.
        pool: String,
        /// Its region.
        theirs: String,
        /// The region of the cluster's settings.
        ours: String,
    },
    /// The pool does not have the zone.
    #[error(
        "the zone `{zone}` is none of the pool's ({known}); add it to the pool, or choose one of these"
    )]
    UnknownZone {
        /// The zone.
        zone: String,
        /// The pool's zones.
        known: String,
    },
    /// Nothing says what machine to make.
    #[error("what kind of machine {provider} is to make is not known; {way_out}")]
    NoInstanceType {
        /// The provider.
        provider: ProviderType,
        /// What to state, and where.
        way_out: String,
    },
    /// The provider has no spot machines.
    #[error("{0} has no spot machines; use on-demand capacity here")]
    NoSpot(ProviderType),
    /// Nothing says with what the provider's API is opened.
    #[error(
        "{0} needs credentials: name a Secret of the operator's namespace here or in the LatticePool"
    )]
    NoCredentials(ProviderType),
    /// A setting is missing that the provider cannot do without.
    #[error(
        "{provider} needs it: {what}; state it here, or in `spec.provider.settings` of the LatticePool"
    )]
    MissingSetting {
        /// The provider.
        provider: ProviderType,
        /// What is to be stated.
        what: &'static str,
    },
    /// A setting is of another type.
    #[error("has to be {0}")]
    WrongSetting(&'static str),
    /// A setting means nothing to the provider.
    #[error("{provider} has no such thing; {instead}")]
    NoSuchSetting {
        /// The provider.
        provider: ProviderType,
        /// What to state instead.
        instead: &'static str,
    },
    /// The version does not say which release.
    #[error("`{0}` does not name one release; write it with three numbers, such as `1.34.1`")]
    PartialVersion(String),
    /// The version's suffix does not belong to what sets Kubernetes up.
    #[error("`{version}` is not a release of {bootstrap}; write {instead}")]
    VersionSuffix {
        /// The version.
        version: String,
        /// What sets Kubernetes up.
        bootstrap: &'static str,
        /// What to write.
        instead: &'static str,
    },
    /// Kubernetes does not go so far at once.
    #[error(
        "Kubernetes is upgraded one minor release at a time, and the control plane runs {running}; write a release of {major}.{minor} first, and `{wanted}` when that has arrived"
    )]
    VersionSkip {
        /// The lowest version of the control plane's machines.
        running: String,
        /// What is wanted.
        wanted: String,
        /// The major number of the next minor release.
        major: u64,
        /// And its minor number.
        minor: u64,
    },
    /// Kubernetes does not go back.
    #[error(
        "Kubernetes does not go back: the control plane runs {running}, and `{wanted}` is older; write the version that runs, or a later one"
    )]
    Downgrade {
        /// The lowest version of the control plane's machines.
        running: String,
        /// What is wanted.
        wanted: String,
    },
    /// The control plane is to be hosted.
    #[error(
        "a hosted control plane (0 machines) cannot be provisioned: Cluster API's kubeadm and RKE2 providers run it on \
         machines of the cluster; give it 1 or 3, which for clusters of the scheduler is \
         `clusterPolicy.controlPlane.replicas` of their LatticePlacementPolicy"
    )]
    HostedControlPlane,
}
