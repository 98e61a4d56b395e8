//! What limits pools: their caps and budgets, and whether they take anything new.

use std::collections::BTreeSet;

use super::{Member, Needs};
use crate::placement::conflict::change::{Cap, Change};
use crate::placement::conflict::words::{field, limit};
use crate::placement::facts::Facts;
use crate::scheduler::model::Pool;
use crate::scheduler::reason::{Constraint, Reason};

/// Pools whose limits are members of their own; those of all others are one member together.
const MOST_POOLS: usize = 12;

/// The limits of all pools, those of pools that the reasons say are at a limit first.
pub(super) fn of_pools(facts: &Facts<'_>, reasons: &[Reason]) -> Vec<Member> {
    let at_limit: BTreeSet<&str> = reasons
        .iter()
        .filter(|reason| {
            matches!(
                reason.why.constraint(),
                Constraint::MaxNodes
                    | Constraint::MaxCores
                    | Constraint::MaxMemory
                    | Constraint::Budget
                    | Constraint::Combination
                    | Constraint::PoolClosed
                    | Constraint::Shortage
            )
        })
        .filter_map(|reason| reason.pool.as_deref())
        .collect();
    let mut pools: Vec<&Pool> = facts.snapshot.pools.iter().collect();
    pools.sort_by_key(|pool| !at_limit.contains(pool.name.as_str()));
    let (own, others) = pools.split_at(pools.len().min(MOST_POOLS));
    let mut found: Vec<Member> = own.iter().flat_map(|pool| of_pool(pool)).collect();
    found.extend(together(others));
    found
}

fn of_pool(pool: &Pool) -> Vec<Member> {
    let mut found: Vec<Member> = caps(pool)
        .into_iter()
        .map(|(cap, from)| {
            let text = format!("{}: {} {}", pool.name, field(cap), limit(cap, Some(from)));
            Member::new(open(pool, cap, from), text)
        })
        .collect();
    found.extend(pool.closed.iter().map(|why| {
        let change = Change::Reopen {
            pool: pool.name.clone(),
            why: why.clone(),
        };
        Member::new(change, format!("{}: closed ({why})", pool.name))
    }));
    found.extend(pool.shortages.iter().map(|(offer, shortage)| {
        let change = Change::Restock {
            pool: pool.name.clone(),
            offer: offer.clone(),
            why: shortage.why.clone(),
        };
        let text = format!("{}: no more of {offer} ({})", pool.name, shortage.why);
        Member::new(change, text)
    }));
    found
}

/// The limits of many pools as one member.
fn together(pools: &[&Pool]) -> Option<Member> {
    let lift: Vec<Change> = pools
        .iter()
        .flat_map(|pool| of_pool(pool))
        .flat_map(|member| member.lift)
        .collect();
    let constraint = lift.first()?.constraint();
    Some(Member {
        constraint,
        text: format!("the limits of {} further pools", pools.len()),
        needs: Needs::Nothing,
        ways: vec![vec![lift.clone()]],
        lift,
    })
}

fn open(pool: &Pool, cap: Cap, from: i64) -> Change {
    Change::Cap {
        pool: pool.name.clone(),
        cap,
        from,
        to: None,
    }
}

fn caps(pool: &Pool) -> Vec<(Cap, i64)> {
    let whole = |limit: Option<u64>| limit.and_then(|n| i64::try_from(n).ok());
    [
        (Cap::Nodes, whole(pool.caps.max_nodes)),
        (Cap::Cores, whole(pool.caps.max_milli_cores)),
        (Cap::Memory, whole(pool.caps.max_mib)),
        (Cap::Budget, pool.monthly_budget),
    ]
    .into_iter()
    .filter_map(|(cap, from)| Some((cap, from?)))
    .collect()
}
