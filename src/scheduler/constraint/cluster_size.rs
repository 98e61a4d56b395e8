//! Workers of a cluster: between `minNodes` and `maxNodes`, and how full before a new one is made.

use crate::scheduler::model::ClusterPolicy;
use crate::scheduler::units::PPM;

/// Most workers a cluster may have.
pub(crate) fn hard_limit(policy: &ClusterPolicy) -> u32 {
    policy.max_nodes.unwrap_or(u32::MAX)
}

/// Workers beyond which a new cluster is made rather than this one filled, where one can be made.
/// Never below `minNodes` or one.
pub(crate) fn soft_limit(policy: &ClusterPolicy) -> u32 {
    let hard = hard_limit(policy);
    let Some(ppm) = policy.bin_packing_threshold_ppm.filter(|_| hard < u32::MAX) else {
        return hard;
    };
    let share = u64::from(hard) * ppm.min(PPM) / PPM;
    (share as u32).max(policy.min_nodes).max(1).min(hard)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_threshold_is_a_share_of_the_limit() {
        let mut policy = ClusterPolicy {
            min_nodes: 3,
            max_nodes: Some(20),
            bin_packing_threshold_ppm: Some(800_000),
            ..ClusterPolicy::default()
        };
        assert_eq!((soft_limit(&policy), hard_limit(&policy)), (16, 20));
        policy.bin_packing_threshold_ppm = Some(10_000);
        assert_eq!(soft_limit(&policy), 3);
        policy.bin_packing_threshold_ppm = None;
        assert_eq!(soft_limit(&policy), 20);
        assert_eq!(soft_limit(&ClusterPolicy::default()), u32::MAX);
    }
}
