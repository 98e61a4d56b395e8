//! What a cluster needs of its network besides what Cluster API sees to.

use serde_json::json;

use super::blueprint::Blueprint;
use super::manifest::{Kind, Manifest};

const POOL: Kind = Kind {
    group: "cilium.io",
    version: "v2",
    name: "CiliumLoadBalancerIPPool",
};

/// The addresses that Services of type LoadBalancer have, for Cilium to give away in the cluster itself.
pub(super) fn load_balancer_pool(blueprint: &Blueprint<'_>) -> Option<Manifest> {
    let networking = blueprint.spec.networking.as_ref()?;
    let addresses = networking.default.as_ref()?;
    let spec = json!({"blocks": [{"cidr": addresses.cidr}]});
    Some(Manifest {
        source: blueprint.source("spec.networking.default"),
        object: POOL.object(None, "default", &blueprint.labels, spec),
    })
}
