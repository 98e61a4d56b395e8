//! How much memory something takes at most.

use crate::process::{memory, status};
use std::io;

/// The most memory in use since this was made.
pub struct Peak {
    before: u64,
}

impl Peak {
    /// Begins anew from what is in use now.
    pub fn begin() -> io::Result<Self> {
        // proc(5): 5 sets the high-water mark to what is in use.
        std::fs::write("/proc/self/clear_refs", "5")?;
        Ok(Peak { before: memory() })
    }

    /// The most in use since, beyond what was in use then, KiB.
    pub fn beyond(&self) -> u64 {
        status("VmHWM:").saturating_sub(self.before)
    }
}
