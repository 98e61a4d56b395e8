//! API objects to snapshot, solution to decisions, statuses and diffs.
