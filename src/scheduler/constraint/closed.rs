//! A pool that takes nothing new.

use crate::scheduler::model::Pool;
use crate::scheduler::reason::Why;

/// Why the pool is closed, if it is. What runs there stays.
pub(crate) fn check(pool: &Pool) -> Option<Why> {
    pool.closed.as_ref().map(|reason| Why::Closed {
        reason: reason.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_pool_has_no_reason() {
        assert_eq!(check(&Pool::default()), None);
        let closed = Pool {
            closed: Some("suspended".into()),
            ..Pool::default()
        };
        assert_eq!(
            check(&closed).map(|w| w.to_string()).as_deref(),
            Some("Takes no new services: suspended")
        );
    }
}
