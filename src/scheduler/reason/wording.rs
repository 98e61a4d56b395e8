//! Each reason in words, with its facts.

use super::Why;
use crate::scheduler::units::{cores, decimal, gib};
use std::fmt;

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Why::NoPool => write!(f, "There is no LatticePool"),
            Why::Closed { reason } => write!(f, "Takes no new services: {reason}"),
            Why::Shortage { class, why } => write!(f, "Class {class} is not to be had: {why}"),
            Why::Selector { term, found: None } => write!(f, "Selector {term}: no such label"),
            Why::Selector {
                term,
                found: Some(found),
            } => write!(f, "Selector {term}: has {found}"),
            Why::NoCompliance { label } => {
                write!(f, "No {} compliance label", label.to_uppercase())
            }
            Why::PinnedElsewhere { cluster } => write!(f, "Pinned to cluster {cluster}"),
            Why::PinnedToNothing { cluster } => {
                write!(f, "Pinned to cluster {cluster}, which is not in any pool")
            }
            Why::PinnedTooMany { pinned, replicas } => {
                write!(
                    f,
                    "{pinned} replicas are pinned, the service has {replicas}"
                )
            }
            Why::UnknownRegion { region } => {
                write!(
                    f,
                    "Required region {region}: no pool has this region or name"
                )
            }
            Why::RegionUnavailable { region, because } => {
                write!(f, "Required region {region}: {because}")
            }
            Why::TooFewReplicas {
                constraint,
                needed,
                replicas,
            } => write!(
                f,
                "{} asks for {needed} places, the service has {replicas} {}",
                constraint.name(),
                if *replicas == 1 {
                    "replica"
                } else {
                    "replicas"
                }
            ),
            Why::TooFewRegions { needed, possible } if possible.is_empty() => {
                write!(f, "minRegions {needed}: no region is possible")
            }
            Why::TooFewRegions { needed, possible } => write!(
                f,
                "minRegions {needed}: only {} possible ({})",
                possible.len(),
                possible.join(", ")
            ),
            Why::Skew {
                topology,
                max_skew,
                fewest,
                most,
            } => write!(
                f,
                "Spread over {topology} with maxSkew {max_skew}: {} gets {}, {} can have only {}",
                most.0, most.1, fewest.0, fewest.1
            ),
            Why::TooFar {
                dependency,
                max_ms,
                nearest_ms: Some(ms),
            } => write!(
                f,
                "{} ms to the nearest replica of {}, limit {max_ms} ms",
                ms, dependency.name
            ),
            Why::TooFar {
                dependency, max_ms, ..
            } => write!(
                f,
                "Needs {} within {max_ms} ms, which has no place",
                dependency.name
            ),
            Why::TooLarge {
                size,
                largest: Some((class, room)),
            } => write!(
                f,
                "A replica of {} cores / {} Gi fits no node class: the largest, {class}, leaves {} cores / {} Gi",
                cores(size.milli_cores),
                gib(size.mib),
                cores(room.milli_cores),
                gib(room.mib)
            ),
            Why::TooLarge { .. } => write!(f, "Offers no node class at a known price"),
            Why::NoCapacityType { wanted } => write!(f, "Offers no {wanted} capacity"),
            Why::LacksExtended {
                resource, most: 0, ..
            } => write!(f, "No node class with {resource}"),
            Why::LacksExtended {
                resource,
                wanted,
                most,
            } => write!(
                f,
                "No node class with {wanted} {resource}: the most is {most}"
            ),
            Why::NodesExhausted { used, limit } => {
                write!(f, "maxNodes {limit}: {used} in use")
            }
            Why::CoresExhausted { used, limit } => {
                write!(f, "maxCores {}: {} in use", cores(*limit), cores(*used))
            }
            Why::MemoryExhausted { used, limit } => {
                write!(f, "maxMemoryGi {}: {} in use", gib(*limit), gib(*used))
            }
            Why::OverBudget { projected, limit } => write!(
                f,
                "Budget {}/month: would come to {}",
                decimal(i128::from(*limit)),
                decimal(*projected)
            ),
            Why::ClustersFull { max_nodes } => write!(
                f,
                "Clusters are full at {max_nodes} nodes and no further one can be made"
            ),
            Why::ClusterFixed { cluster } => {
                write!(f, "Cluster {cluster} has no room and may not be resized")
            }
            Why::OtherClusterRules { cluster } => write!(
                f,
                "Cluster {cluster} follows another policy's clusterPolicy than this service"
            ),
            Why::NoControlPlane { wanted } => {
                write!(f, "No node class for a control plane: {wanted}")
            }
            Why::RoomFor { fits, replicas } => {
                write!(f, "Has room for {fits} of {replicas} replicas")
            }
            Why::Dearer { added: 0 } => write!(f, "A replica here instead costs the same"),
            Why::Dearer { added } if *added < 0 => write!(
                f,
                "A replica here instead saves {}/h, which does not pay for moving what runs",
                decimal(-i128::from(*added))
            ),
            Why::Dearer { added } => write!(
                f,
                "A replica here instead costs {}/h more",
                decimal(i128::from(*added))
            ),
            Why::NoCombination { steps } => write!(
                f,
                "Each constraint can be met alone, but no place meets all of them together ({steps} steps searched)"
            ),
            Why::BeyondLimits { excess } => write!(f, "Nothing is decided: {excess}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scheduler::units::Resources;

    #[test]
    fn the_wording_names_the_facts() {
        let why = Why::NoCompliance {
            label: "gdpr".into(),
        };
        assert_eq!(why.to_string(), "No GDPR compliance label");
        assert_eq!(why.constraint().name(), "compliance");
        let why = Why::TooLarge {
            size: Resources::new(8000, 65536),
            largest: Some(("large".into(), Resources::new(8000, 32768))),
        };
        assert_eq!(
            why.to_string(),
            "A replica of 8 cores / 64 Gi fits no node class: the largest, large, leaves 8 cores / 32 Gi"
        );
        let why = Why::OverBudget {
            projected: 10_500_250_000,
            limit: 10_000_000_000,
        };
        assert_eq!(
            why.to_string(),
            "Budget 10000/month: would come to 10500.25"
        );
    }
}
