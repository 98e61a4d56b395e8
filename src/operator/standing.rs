//! What stands from the last full pass. As long as nothing asks for anything else, a pass only compares.

use std::time::{Duration, Instant};

use super::{explained::Explained, seen::Seen};
use crate::placement::decisions::{Alternatives, Decisions};

/// After this time a pass computes everything anew all the same, in case something went unnoticed; what is
/// spent by the hour is counted then, too.
pub(crate) const RESYNC: Duration = Duration::from_secs(300);

/// The statuses that should be, and what they were made from.
pub(crate) struct Standing {
    seen: Seen,
    since: Instant,
    pub(crate) decided: Decisions,
}

impl Standing {
    pub(crate) fn new(seen: Seen, decided: Decisions) -> Self {
        let since = Instant::now();
        Self {
            seen,
            since,
            decided,
        }
    }

    /// Whether a full pass would come to the same.
    pub(crate) fn holds(&self, seen: &Seen, now: Instant) -> bool {
        now.saturating_duration_since(self.since) < RESYNC && seen.asks_the_same(&self.seen)
    }

    /// Takes in alternatives that were found since.
    pub(crate) fn learn(&mut self, found: Alternatives, explained: &mut Explained) {
        for (id, alternatives) in &found {
            let status = self.decided.services.get_mut(id);
            if let Some(decision) = status.and_then(|status| status.scheduler_decision.as_mut()) {
                decision.alternatives.clone_from(alternatives);
            }
        }
        explained.learn(found);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use kube::ResourceExt;

    use super::*;
    use crate::{
        api::{LatticePool, LatticeService},
        operator::{acts, decide, inventory::Committed},
    };

    fn object<K: serde::de::DeserializeOwned>(
        kind: &str,
        name: &str,
        spec: serde_json::Value,
    ) -> K {
        let object = serde_json::json!({
            "apiVersion": crate::api::API_VERSION,
            "kind": kind,
            "metadata": {"name": name, "namespace": "shop", "generation": 1, "resourceVersion": "1"},
            "spec": spec,
        });
        serde_json::from_value(object).unwrap()
    }

    fn fleet(services: usize, pools: usize) -> Seen {
        let class = serde_json::json!({
            "providers": {"aws": {"instanceType": "m5.large"}},
            "resources": {"cores": 8, "memoryGi": 32},
            "costPerHour": {"aws": "0.192"},
        });
        let pool = |n: usize| -> Arc<LatticePool> {
            let spec = serde_json::json!({
                "provider": {"type": "aws", "region": format!("region-{n}")},
                "capacity": {"maxNodes": 100},
                "nodeClasses": ["medium"],
            });
            Arc::new(object("LatticePool", &format!("pool-{n:04}"), spec))
        };
        let service = |n: usize| -> Arc<LatticeService> {
            let spec = serde_json::json!({
                "containers": {"main": {"image": "x:1"}},
                "placement": {"resources": {"cores": 1, "memoryGi": 2}},
            });
            Arc::new(object("LatticeService", &format!("service-{n:05}"), spec))
        };
        Seen {
            pools: (0..pools).map(pool).collect(),
            node_classes: vec![Arc::new(object("LatticeNodeClass", "medium", class))],
            services: (0..services).map(service).collect(),
            ..Seen::default()
        }
    }

    fn decided(seen: &Seen) -> Decisions {
        let now = chrono::DateTime::UNIX_EPOCH.into();
        let inputs = seen.inputs();
        let decided = decide::decide(&inputs, None, now).unwrap();
        let decide::Verdict::Next(next) = decided.verdict else {
            panic!("nothing is decided");
        };
        let committed = Committed {
            id: 1,
            record: next.record,
        };
        let known = Alternatives::new();
        let problems = &decided.built.problems;
        let (decided, _) = acts::full(&inputs, problems, &committed, &known, true, now).unwrap();
        decided
    }

    fn verdict(seen: &Seen, last: Option<&Arc<Committed>>) -> decide::Verdict {
        let now = chrono::DateTime::UNIX_EPOCH.into();
        decide::decide(&seen.inputs(), last, now).unwrap().verdict
    }

    #[test]
    fn a_limit_that_binds_nothing_is_confirmed_without_a_decision() {
        let seen = fleet(3, 2);
        let decide::Verdict::Next(next) = verdict(&seen, None) else {
            panic!("nothing is decided");
        };
        let last = Arc::new(Committed {
            id: 1,
            record: next.record,
        });
        let with = |most| {
            let mut other = seen.clone();
            for pool in &mut other.pools {
                Arc::make_mut(pool).spec.capacity.max_nodes = Some(most);
            }
            other
        };
        let decide::Verdict::Confirmed(confirmed) = verdict(&with(200), Some(&last)) else {
            panic!("the decision does not stand");
        };
        assert_eq!(
            (confirmed.id, &confirmed.record.solution),
            (1, &last.record.solution)
        );
        let confirmed = Arc::new(confirmed);
        let again = verdict(&with(200), Some(&confirmed));
        assert!(matches!(again, decide::Verdict::Answered));
        // Fewer than are in use.
        let fewer = verdict(&with(1), Some(&confirmed));
        assert!(matches!(fewer, decide::Verdict::Next(_)));
    }

    /// The statuses are written; nothing else happens.
    fn after_writing(seen: &Seen, decided: &Decisions) -> Seen {
        let mut after = seen.clone();
        for service in &mut after.services {
            let id = crate::placement::snapshot::service_id(service.as_ref());
            let service = Arc::make_mut(service);
            service.metadata.resource_version = Some("2".to_owned());
            service.status = decided.services.get(&id).cloned();
        }
        for pool in &mut after.pools {
            let status = decided.pools.get(&pool.name_any()).cloned();
            Arc::make_mut(pool).status = status;
        }
        for class in &mut after.node_classes {
            let status = decided.node_classes.get(&class.name_any()).cloned();
            Arc::make_mut(class).status = status;
        }
        after
    }

    #[test]
    fn its_own_statuses_ask_for_nothing_and_leave_nothing_to_write() {
        let seen = fleet(3, 2);
        let standing = Standing::new(seen.clone(), decided(&seen));
        let (writes, _) = acts::statuses(&seen, &standing.decided).unwrap();
        assert_eq!(writes.len(), 6);
        let after = after_writing(&seen, &standing.decided);
        assert!(standing.holds(&after, Instant::now()));
        let (writes, news) = acts::statuses(&after, &standing.decided).unwrap();
        assert!(writes.is_empty() && news.is_empty());
    }

    #[test]
    fn whatever_is_asked_for_ends_it_and_so_does_time() {
        let seen = fleet(3, 2);
        let standing = Standing::new(seen.clone(), Decisions::default());
        let now = Instant::now();
        assert!(standing.holds(&seen, now));
        assert!(!standing.holds(&seen, now + RESYNC + RESYNC));
        let with = |change: fn(&mut LatticeService)| {
            let mut other = seen.clone();
            change(Arc::make_mut(&mut other.services[1]));
            standing.holds(&other, now)
        };
        assert!(!with(|service| service.metadata.generation = Some(2)));
        assert!(!with(|service| service.metadata.uid = Some("2".to_owned())));
        assert!(!with(|service| {
            service.labels_mut().insert("env".into(), "prod".into());
        }));
        assert!(!with(|service| {
            let status = service.status.get_or_insert_default();
            status.health.get_or_insert_default().ready = 1;
        }));
        let mut fewer = seen.clone();
        fewer.services.pop();
        assert!(!standing.holds(&fewer, now));
    }

    #[test]
    fn looking_at_an_unchanged_fleet_is_quick() {
        let seen = fleet(1000, 20);
        let standing = Standing::new(seen.clone(), decided(&seen));
        let after = after_writing(&seen, &standing.decided);
        let began = Instant::now();
        assert!(standing.holds(&after, began));
        assert!(
            acts::statuses(&after, &standing.decided)
                .unwrap()
                .0
                .is_empty()
        );
        let took = began.elapsed();
        eprintln!("an unchanged pass over 1,000 services and 20 pools: {took:?}");
        assert!(took < Duration::from_secs(1), "{took:?}");
    }
}
