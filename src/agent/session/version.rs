//! Which version of the protocol two sides speak.

use crate::agent::proto::AgentReady;

/// The oldest version that is spoken here.
pub const OLDEST: u32 = 1;
/// The newest.
pub const NEWEST: u32 = 1;

/// No version is spoken by both sides.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the agent (version {agent}) speaks protocol {oldest} to {newest}, the cell {OLDEST} to {NEWEST}: bring the older of the two up to date"
)]
pub struct NoVersion {
    /// Lattice's version there.
    pub agent: String,
    /// The oldest that it speaks.
    pub oldest: u32,
    /// The newest that it speaks.
    pub newest: u32,
}

/// The newest version that both speak.
///
/// # Errors
/// If there is none.
pub fn agreed(ready: &AgentReady) -> Result<u32, NoVersion> {
    let newest = ready.newest_protocol.min(NEWEST);
    let oldest = ready.oldest_protocol.max(OLDEST);
    match oldest <= newest {
        true => Ok(newest),
        false => Err(NoVersion {
            agent: ready.agent_version.clone(),
            oldest: ready.oldest_protocol,
            newest: ready.newest_protocol,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ready(oldest_protocol: u32, newest_protocol: u32) -> AgentReady {
        AgentReady {
            oldest_protocol,
            newest_protocol,
            ..AgentReady::default()
        }
    }

    #[test]
    fn the_newest_of_both_or_a_way_out() {
        assert_eq!(agreed(&ready(1, NEWEST)), Ok(NEWEST));
        assert_eq!(agreed(&ready(1, NEWEST + 5)), Ok(NEWEST));
        let error = agreed(&ready(NEWEST + 1, NEWEST + 5)).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("bring the older of the two up to date")
        );
        // What never said anything of versions, or nonsense.
        assert!(agreed(&ready(0, 0)).is_err());
        assert!(agreed(&ready(5, 1)).is_err());
    }
}
