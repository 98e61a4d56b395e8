//! Minimal sets of constraints that cannot all be met, and what it takes to break them.
//!
//! `bad` says of a set of constraints whether the service has no place while these hold and all
//! others are lifted. It answers by solving, and a search may fail where a place exists; so nothing
//! is taken for granted: a set is minimal when every one of its members was left out, and that
//! helped.

use std::collections::BTreeSet;

use super::trial::Spent;

/// Constraints that hold, as numbers of members.
pub(super) type Held = BTreeSet<usize>;

/// Tells whether a set is in the way.
pub(super) type Bad<'a> = dyn FnMut(&Held) -> Result<bool, Spent> + 'a;

/// Conflicting sets that are looked for.
const MOST_SETS: usize = 5;
/// Constraints that may have to be relaxed together.
const MOST_TOGETHER: usize = 3;
/// Corrections that are tried.
const MOST_CORRECTIONS: usize = 12;
/// Partial corrections that are kept while they are found.
const MOST_PARTIAL: usize = 256;

/// What is in the way, and what it takes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Conflicts {
    /// Minimal sets.
    pub sets: Vec<Held>,
    /// Constraints that suffice when lifted together, and no fewer of them; the smallest first.
    pub corrections: Vec<Held>,
    /// Whether these are all sets: one member out of each, and the service has a place.
    pub complete: bool,
}

/// Finds the sets among the first `count` members, and the corrections.
pub(super) fn conflicts(count: usize, bad: &mut Bad<'_>) -> Conflicts {
    let all: Held = (0..count).collect();
    let mut found = Conflicts::default();
    // Out of effort, what was found by then stands.
    found.complete = search(&all, &mut found, bad).unwrap_or(false);
    found
}

fn search(all: &Held, found: &mut Conflicts, bad: &mut Bad<'_>) -> Result<bool, Spent> {
    if bad(&Held::new())? {
        return Ok(false);
    }
    loop {
        found.corrections.clear();
        let mut another = None;
        let mut unknown = false;
        for correction in corrections(&found.sets) {
            let held: Held = all.difference(&correction).copied().collect();
            if !bad(&held)? {
                found.corrections.push(correction);
            } else if found.sets.len() < MOST_SETS {
                another = minimal(&held, bad)?;
                break;
            } else {
                unknown = true;
            }
        }
        match another {
            Some(set) => found.sets.push(set),
            None => return Ok(!unknown && !found.corrections.is_empty()),
        }
    }
}

/// A minimal set within `held`, if that is in the way as a whole.
pub(super) fn minimal(held: &Held, bad: &mut Bad<'_>) -> Result<Option<Held>, Spent> {
    if !bad(held)? {
        return Ok(None);
    }
    let order: Vec<usize> = held.iter().copied().collect();
    let quick = quickly(&Held::new(), false, &order, bad)?;
    let start = if bad(&quick)? { quick } else { held.clone() };
    one_by_one(start, bad).map(Some)
}

/// QuickXplain: the part of `order`, its first members preferred, that beside `background` is in
/// the way.
fn quickly(
    background: &Held,
    grown: bool,
    order: &[usize],
    bad: &mut Bad<'_>,
) -> Result<Held, Spent> {
    if grown && bad(background)? {
        return Ok(Held::new());
    }
    if order.len() <= 1 {
        return Ok(order.iter().copied().collect());
    }
    let (first, second) = order.split_at(order.len() / 2);
    let with_first: Held = background.iter().chain(first).copied().collect();
    let of_second = quickly(&with_first, true, second, bad)?;
    let with_second: Held = background.union(&of_second).copied().collect();
    let mut of_first = quickly(&with_second, !of_second.is_empty(), first, bad)?;
    of_first.extend(of_second);
    Ok(of_first)
}

/// Leaves out one after the other until every one that is left is needed.
fn one_by_one(mut set: Held, bad: &mut Bad<'_>) -> Result<Held, Spent> {
    loop {
        let before = set.len();
        for member in set.clone().into_iter().rev() {
            let mut fewer = set.clone();
            fewer.remove(&member);
            if bad(&fewer)? {
                set = fewer;
            }
        }
        if set.len() == before {
            return Ok(set);
        }
    }
}

/// The smallest ways to take a member out of every set.
fn corrections(sets: &[Held]) -> Vec<Held> {
    let mut found: BTreeSet<Held> = [Held::new()].into();
    for set in sets {
        let mut next = BTreeSet::new();
        for partial in &found {
            if !partial.is_disjoint(set) {
                next.insert(partial.clone());
                continue;
            }
            for member in set.iter().filter(|_| partial.len() < MOST_TOGETHER) {
                let mut more = partial.clone();
                more.insert(*member);
                next.insert(more);
            }
        }
        found = next.into_iter().take(MOST_PARTIAL).collect();
    }
    let needed = |one: &Held| {
        let mut others = found.iter();
        !others.any(|other| other != one && other.is_subset(one))
    };
    let mut smallest: Vec<Held> = found.iter().filter(|one| needed(one)).cloned().collect();
    smallest.sort_by(|a, b| a.len().cmp(&b.len()).then_with(|| a.cmp(b)));
    smallest.truncate(MOST_CORRECTIONS);
    smallest
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// In the way is whatever holds one of these sets.
    fn of(known: &[&[usize]]) -> impl FnMut(&Held) -> Result<bool, Spent> {
        let known: Vec<Held> = known.iter().map(|s| s.iter().copied().collect()).collect();
        move |held| Ok(known.iter().any(|set| set.is_subset(held)))
    }

    fn sorted(sets: &[Held]) -> Vec<Vec<usize>> {
        let mut sets: Vec<Vec<usize>> = sets.iter().map(|s| s.iter().copied().collect()).collect();
        sets.sort();
        sets
    }

    #[test]
    fn every_set_is_found_and_what_breaks_them() {
        let found = conflicts(20, &mut of(&[&[3, 17], &[5], &[3, 9, 11]]));
        assert!(found.complete);
        assert_eq!(sorted(&found.sets), [vec![3, 9, 11], vec![3, 17], vec![5]]);
        assert_eq!(
            sorted(&found.corrections),
            [vec![3, 5], vec![5, 9, 17], vec![5, 11, 17]]
        );
    }

    #[test]
    fn without_a_conflict_there_is_nothing_and_where_nothing_helps_no_set() {
        let found = conflicts(4, &mut of(&[]));
        assert_eq!((found.sets.len(), found.corrections.len()), (0, 1));
        let found = conflicts(4, &mut of(&[&[]]));
        assert_eq!(found, Conflicts::default());
    }

    #[test]
    fn a_search_that_fails_by_chance_does_not_leave_a_needless_member() {
        // In the way are all sets with 1 and 2, and by chance the empty-handed one with 0, 1, 3.
        let mut by_chance = |held: &Held| {
            let chance: Held = [0, 1, 3].into();
            Ok(held.is_superset(&[1, 2].into()) || *held == chance)
        };
        for held in [vec![0, 1, 2, 3], vec![0, 1, 3], vec![1, 2, 3]] {
            let set = minimal(&held.into_iter().collect(), &mut by_chance);
            let set = set.unwrap().unwrap();
            assert!(by_chance(&set).unwrap());
            for member in &set {
                let mut fewer = set.clone();
                fewer.remove(member);
                assert!(!by_chance(&fewer).unwrap(), "{set:?} without {member}");
            }
        }
    }

    #[test]
    fn what_was_found_stands_when_the_effort_is_spent() {
        let mut left = 12;
        let mut inner = of(&[&[1], &[2]]);
        let found = conflicts(8, &mut |held| {
            if left == 0 {
                return Err(Spent);
            }
            left -= 1;
            inner(held)
        });
        assert!(!found.complete);
        assert_eq!(found.sets.len(), 1);
    }

    #[test]
    fn four_conflicts_that_share_nothing_are_told_though_no_three_changes_help() {
        let found = conflicts(4, &mut of(&[&[0], &[1], &[2], &[3]]));
        assert_eq!(found.sets.len(), 4);
        assert!(found.corrections.is_empty() && !found.complete);
    }
}
