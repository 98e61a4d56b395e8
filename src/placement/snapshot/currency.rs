//! One currency for the whole fleet.

use std::collections::{BTreeMap, BTreeSet};

use super::Problem;
use super::names::Unique;

/// Objects whose money is in another currency than most and therefore not used.
#[derive(Debug, Default)]
pub(super) struct Deviating {
    pub pools: BTreeSet<String>,
    pub classes: BTreeSet<String>,
}

/// Finds the currency that most objects use, the first by name among equals, and reports the others.
pub(super) fn agree(names: &Unique<'_>, problems: &mut Vec<Problem>) -> Deviating {
    let budgets = names.pools.iter().filter_map(|(name, pool)| {
        let budget = pool.spec.budget.as_ref()?;
        Some((name, budget.currency.as_str()))
    });
    let priced = names
        .node_classes
        .iter()
        .filter(|(_, class)| !class.spec.cost_per_hour.is_empty())
        .map(|(name, class)| (name, class.spec.currency.as_str()));
    let mut votes: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, currency) in budgets.clone().chain(priced.clone()) {
        *votes.entry(currency).or_default() += 1;
    }
    let Some(most) = votes.values().max() else {
        return Deviating::default();
    };
    let chosen = votes.iter().find(|(_, n)| *n == most).map(|(c, _)| *c);
    let chosen = chosen.unwrap_or_default();
    let mut deviating = Deviating::default();
    for (name, currency) in budgets.filter(|(_, currency)| *currency != chosen) {
        let path = ["spec", "budget", "currency"];
        problems.push(mixed("LatticePool", name, &path, currency, chosen));
        deviating.pools.insert(name.clone());
    }
    for (name, currency) in priced.filter(|(_, currency)| *currency != chosen) {
        let path = ["spec", "currency"];
        problems.push(mixed("LatticeNodeClass", name, &path, currency, chosen));
        deviating.classes.insert(name.clone());
    }
    deviating
}

fn mixed(kind: &'static str, name: &str, path: &[&str], own: &str, chosen: &str) -> Problem {
    let message = format!(
        "`{own}` cannot be compared with {chosen}, which the rest of the fleet's money is in"
    );
    Problem::error(kind, name, path, message).suggest(Some(chosen.to_owned()))
}
