//! The name that an agent's certificate holds, and whether it may still be used.

use std::{fmt, str::FromStr};

use chrono::{DateTime, Utc};
use x509_parser::{
    certificate::X509Certificate, extensions::GeneralName, prelude::FromDer, time::ASN1Time,
};

/// The trust domain of the names. Each cell has an authority of its own, so that a name means something at its own
/// cell alone.
const TRUST_DOMAIN: &str = "cell.lattice.dev";
/// As long as Kubernetes lets names be.
const LONGEST_PART: usize = 253;

/// A cluster as its parent knows it: `spiffe://cell.lattice.dev/cluster/NAME/UID`. The UID is the LatticeCluster's, so
/// that a cluster of the same name made later is another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SpiffeId {
    /// Name of the LatticeCluster.
    pub cluster: String,
    /// Its UID.
    pub uid: String,
}

/// What is wrong with a certificate that should be an agent's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// It cannot be read.
    #[error("the certificate cannot be read: {0}")]
    Unreadable(String),
    /// It has no name of an agent, or several.
    #[error("the certificate must have one URI as its name, and has {0}")]
    Names(usize),
    /// The name is not an agent's.
    #[error("`{0}` is not spiffe://{TRUST_DOMAIN}/cluster/NAME/UID")]
    Foreign(String),
}

impl fmt::Display for SpiffeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cluster, uid } = self;
        write!(f, "spiffe://{TRUST_DOMAIN}/cluster/{cluster}/{uid}")
    }
}

impl FromStr for SpiffeId {
    type Err = IdentityError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let foreign = || IdentityError::Foreign(text.chars().take(300).collect());
        let parts: Vec<&str> = text.splitn(8, '/').collect();
        let ["spiffe:", "", TRUST_DOMAIN, "cluster", cluster, uid] = parts[..] else {
            return Err(foreign());
        };
        if !is_part(cluster) || !is_part(uid) {
            return Err(foreign());
        }
        Ok(Self {
            cluster: cluster.to_owned(),
            uid: uid.to_owned(),
        })
    }
}

fn is_part(text: &str) -> bool {
    let ok = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte);
    !text.is_empty() && text.len() <= LONGEST_PART && text.bytes().all(ok)
}

/// What counts of an agent's certificate, once it is known to be of the cell's authority.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// Whose it is.
    pub id: SpiffeId,
    /// From when on it holds.
    pub not_before: DateTime<Utc>,
    /// Until when it holds.
    pub not_after: DateTime<Utc>,
}

impl Leaf {
    /// Reads a certificate in DER. Whose signature is on it is not looked at.
    ///
    /// # Errors
    /// If it is no agent's.
    pub fn from_der(der: &[u8]) -> Result<Self, IdentityError> {
        let unreadable = |error: &dyn fmt::Display| IdentityError::Unreadable(error.to_string());
        let (_, certificate) =
            X509Certificate::from_der(der).map_err(|error| unreadable(&error))?;
        let names = certificate
            .subject_alternative_name()
            .map_err(|error| unreadable(&error))?;
        let names = names.map_or(&[][..], |extension| &extension.value.general_names);
        let [GeneralName::URI(name)] = names else {
            return Err(IdentityError::Names(names.len()));
        };
        let validity = certificate.validity();
        Ok(Self {
            id: name.parse()?,
            not_before: time(validity.not_before),
            not_after: time(validity.not_after),
        })
    }
}

fn time(at: ASN1Time) -> DateTime<Utc> {
    DateTime::from_timestamp(at.timestamp(), 0).unwrap_or_default()
}

/// What the cell knows of a cluster that an agent says it is of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// UID of the LatticeCluster.
    pub uid: String,
    /// Certificates that hold from before this time are not taken.
    pub revoked_before: Option<DateTime<Utc>>,
}

/// What a certificate is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// For everything.
    Holds,
    /// For having the same key certified again, and nothing else.
    Expired,
}

/// Why a certificate is good for nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Distrust {
    /// There is no such cluster, or another one of the same name.
    #[error("there is no LatticeCluster {0} with this UID here: it was deleted")]
    Gone(String),
    /// Somebody has revoked it.
    #[error(
        "certificates of {cluster} from before {before} are revoked; register the cluster anew"
    )]
    Revoked {
        /// The cluster.
        cluster: String,
        /// When.
        before: DateTime<Utc>,
    },
    /// It is of the future.
    #[error("the certificate holds from {0} on only; set the clocks right")]
    Early(DateTime<Utc>),
}

/// What a certificate of the cell's authority is good for.
///
/// # Errors
/// If it is good for nothing.
pub fn standing(
    leaf: &Leaf,
    known: Option<&Known>,
    now: DateTime<Utc>,
) -> Result<Standing, Distrust> {
    let cluster = &leaf.id.cluster;
    let known = known
        .filter(|known| known.uid == leaf.id.uid)
        .ok_or_else(|| Distrust::Gone(cluster.clone()))?;
    if let Some(before) = known.revoked_before
        && leaf.not_before < before
    {
        let cluster = cluster.clone();
        return Err(Distrust::Revoked { cluster, before });
    }
    if now < leaf.not_before {
        return Err(Distrust::Early(leaf.not_before));
    }
    match now < leaf.not_after {
        true => Ok(Standing::Holds),
        false => Ok(Standing::Expired),
    }
}

/// When a certificate is to be renewed: once two thirds of its time are over.
pub fn renewal(leaf: &Leaf) -> DateTime<Utc> {
    leaf.not_before + (leaf.not_after - leaf.not_before) * 2 / 3
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use proptest::prelude::*;

    use super::*;

    fn at(hour: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::hours(hour)
    }

    fn leaf() -> Leaf {
        Leaf {
            id: SpiffeId {
                cluster: "east".into(),
                uid: "u-1".into(),
            },
            not_before: at(10),
            not_after: at(34),
        }
    }

    fn known() -> Known {
        Known {
            uid: "u-1".into(),
            revoked_before: None,
        }
    }

    #[test]
    fn an_expired_certificate_is_good_for_renewal_and_one_of_another_cluster_for_nothing() {
        let verdict = |known: Option<&Known>, hour| standing(&leaf(), known, at(hour));
        assert_eq!(verdict(Some(&known()), 20), Ok(Standing::Holds));
        assert_eq!(verdict(Some(&known()), 34), Ok(Standing::Expired));
        assert_eq!(verdict(Some(&known()), 90_000), Ok(Standing::Expired));
        assert_eq!(verdict(Some(&known()), 9), Err(Distrust::Early(at(10))));
        assert_eq!(verdict(None, 20), Err(Distrust::Gone("east".into())));
        let again = Known {
            uid: "u-2".into(),
            ..known()
        };
        assert_eq!(
            verdict(Some(&again), 20),
            Err(Distrust::Gone("east".into()))
        );
        let revoked = Known {
            revoked_before: Some(at(11)),
            ..known()
        };
        assert!(matches!(
            verdict(Some(&revoked), 20),
            Err(Distrust::Revoked { .. })
        ));
        let earlier = Known {
            revoked_before: Some(at(10)),
            ..known()
        };
        assert_eq!(verdict(Some(&earlier), 20), Ok(Standing::Holds));
        assert_eq!(renewal(&leaf()), at(26));
    }

    #[test]
    fn names_that_are_nearly_an_agents_are_not() {
        for name in [
            "spiffe://cell.lattice.dev/cluster/east",
            "spiffe://cell.lattice.dev/cluster/east/u-1/more",
            "spiffe://cell.lattice.dev/cluster//u-1",
            "spiffe://cell.lattice.dev/cluster/east/U-1",
            "spiffe://cell.lattice.dev/node/east/u-1",
            "spiffe://cell.lattice.dev.evil/cluster/east/u-1",
            "https://cell.lattice.dev/cluster/east/u-1",
            "spiffe://cell.lattice.dev/cluster/east/u-1?x",
            "spiffe://cell.lattice.dev/cluster/e%61st/u-1",
            "",
        ] {
            assert!(name.parse::<SpiffeId>().is_err(), "{name}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(cluster in "[a-z0-9.-]{1,40}", uid in "[a-f0-9-]{1,36}") {
            let id = SpiffeId { cluster, uid };
            prop_assert_eq!(id.to_string().parse::<SpiffeId>().unwrap(), id);
        }

        #[test]
        fn no_text_and_no_bytes_break_it(text in ".*", bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            if let Ok(id) = text.parse::<SpiffeId>() {
                prop_assert_eq!(id.to_string(), text);
            }
            prop_assert!(Leaf::from_der(&bytes).is_err());
        }
    }
}
