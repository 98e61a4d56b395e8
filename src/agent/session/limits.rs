//! How much of everything there may be.

use std::time::Duration;

/// Largest message of a session, bytes. What is larger goes through a tunnel.
pub const LARGEST_MESSAGE: usize = 1 << 20;
/// Commands that wait for an agent, sent or not.
pub const MOST_COMMANDS: usize = 256;
/// Commands that are under way to an agent at a time, and answers that it keeps.
pub const WINDOW: usize = 16;
/// Messages that an agent may send at once.
pub const BURST: u32 = 128;
/// Messages that an agent may send in a second, on average.
pub const MESSAGES_PER_SECOND: u32 = 32;

/// How often an agent says that it is there.
pub const HEARTBEAT: Duration = Duration::from_secs(5);
/// A side that was not heard for this long is gone.
pub const DEAD_AFTER: Duration = Duration::from_secs(15);
/// Longest time for a connection to come about, greeting included.
pub const GREETING: Duration = Duration::from_secs(10);
/// A session that lasted this long was a good one: the next attempt does not wait longer for earlier ones.
pub const STEADY: Duration = Duration::from_secs(20);

/// The pause before the second attempt.
pub const SHORTEST_PAUSE: Duration = Duration::from_millis(500);
/// The longest pause between attempts: what waits for the cell is with it soon after the way is open again.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// The pause of an agent that was told that it is not wanted.
pub const REFUSED_PAUSE: Duration = Duration::from_secs(60);
