//! Services that come, go and change their number of replicas.

use super::change::{Changed, Refused};
use super::{Session, place, tidy};
use crate::scheduler::explain;
use crate::scheduler::model::{Service, ServiceId};
use std::collections::BTreeSet;

impl Session {
    pub(super) fn add(&mut self, service: &Service) -> Result<Changed, Refused> {
        self.refuse_beyond(service, 0)?;
        if self.slots.contains_key(&service.id) {
            return Err(Refused::Known(service.id.clone()));
        }
        let mut service = service.clone();
        service.normalise();
        self.refuse_circle(&service)?;
        let before = self.cost();
        let s = self.admit(service);
        if let Err(refused) = self.find_place(s) {
            self.dismiss(s);
            return Err(refused);
        }
        self.drift
            .follow(&self.index, s, &self.snapshot.services[s], 0);
        Ok(self.settle(before))
    }

    pub(super) fn remove(&mut self, id: &ServiceId) -> Result<Changed, Refused> {
        let s = self.slot(id)?;
        let before = self.cost();
        let had = self.contents.replicas(s);
        self.with(|state| {
            state.take_all(s);
            tidy::freed(state);
        });
        let was = std::mem::take(&mut self.snapshot.services[s].replicas);
        self.replicas -= u64::from(was);
        self.drift
            .follow(&self.index, s, &self.snapshot.services[s], had);
        self.unplaced.remove(&s);
        let mut changed = self.settle(before);
        self.dismiss(s);
        changed.advice = changed.advice.or(self.waiting_for_room());
        Ok(changed)
    }

    pub(super) fn scale(&mut self, id: &ServiceId, replicas: u32) -> Result<Changed, Refused> {
        let s = self.slot(id)?;
        let known = &self.snapshot.services[s];
        let scaled = Service {
            replicas,
            ..known.clone()
        };
        self.refuse_beyond(&scaled, known.replicas)?;
        let before = self.cost();
        let had = self.contents.replicas(s);
        let was = self.rescale(s, replicas);
        if let Err(refused) = self.find_place(s) {
            self.rescale(s, was);
            return Err(refused);
        }
        if replicas < was {
            self.with(tidy::freed);
        }
        self.drift
            .follow(&self.index, s, &self.snapshot.services[s], had);
        let mut changed = self.settle(before);
        if replicas < was {
            changed.advice = changed.advice.or(self.waiting_for_room());
        }
        Ok(changed)
    }

    /// Gives a service a slot.
    fn admit(&mut self, service: Service) -> usize {
        let s = self.free_slots.pop().unwrap_or(self.index.demands.len());
        for bound in &service.latency {
            let known = self.waiting.entry(bound.dependency.clone()).or_default();
            known.insert(s);
        }
        let waiting = self.waiting.get(&service.id);
        let waiting: Vec<usize> = waiting.into_iter().flatten().copied().collect();
        self.slots.insert(service.id.clone(), s);
        self.replicas += u64::from(service.replicas);
        if s == self.snapshot.services.len() {
            self.snapshot.services.push(service);
            self.contents.admit();
            self.charged.push(0);
        } else {
            self.snapshot.services[s] = service;
        }
        self.reindex(|problem, slots| problem.admit(s, &waiting, &|id| slots.get(id).copied()));
        if !self.index.demands[s].preferences.is_empty() {
            self.wishing.insert(s);
        }
        s
    }

    /// Takes a service out of its slot.
    fn dismiss(&mut self, s: usize) {
        let service = &mut self.snapshot.services[s];
        self.replicas -= u64::from(std::mem::take(&mut service.replicas));
        self.slots.remove(&service.id);
        self.wishing.remove(&s);
        for bound in std::mem::take(&mut service.latency) {
            if let Some(known) = self.waiting.get_mut(&bound.dependency) {
                known.remove(&s);
                if known.is_empty() {
                    self.waiting.remove(&bound.dependency);
                }
            }
        }
        self.reindex(|problem, slots| problem.dismiss(s, &|id| slots.get(id).copied()));
        self.free_slots.push(s);
    }

    /// Gives a service another number of replicas; returns what it was.
    fn rescale(&mut self, s: usize, replicas: u32) -> u32 {
        let was = std::mem::replace(&mut self.snapshot.services[s].replicas, replicas);
        self.replicas = self.replicas + u64::from(replicas) - u64::from(was);
        self.reindex(|problem, _| problem.rescale(s));
        was
    }

    /// Brings a service to where it should be, with those that latency limits tie to it if need be. On error nothing
    /// is elsewhere than it was.
    fn find_place(&mut self, s: usize) -> Result<(), Refused> {
        let ways = std::mem::take(&mut self.ways);
        let unplaced = std::mem::take(&mut self.unplaced);
        let (found, reasons) = self.with(|state| {
            let found = place::service(state, s, &ways, &unplaced);
            let reasons = match &found {
                Some(_) => Vec::new(),
                None => explain::unschedulable(state, s),
            };
            (found, reasons)
        });
        (self.ways, self.unplaced) = (ways, unplaced);
        let Some(placed) = found else {
            let service = self.snapshot.services[s].id.clone();
            return Err(Refused::NoPlace { service, reasons });
        };
        self.unplaced.retain(|s| !placed.contains(s));
        Ok(())
    }

    /// Refuses numbers that cannot be reckoned with, of a service that had so many replicas.
    fn refuse_beyond(&self, service: &Service, had: u32) -> Result<(), Refused> {
        let replicas = self.replicas - u64::from(had) + u64::from(service.replicas);
        let excess = self.leeway.service(service, replicas);
        excess.map_or(Ok(()), |excess| Err(Refused::Beyond(excess)))
    }

    /// Refuses a service that its own dependencies depend on.
    fn refuse_circle(&self, service: &Service) -> Result<(), Refused> {
        let mut open: Vec<&ServiceId> = service.latency.iter().map(|b| &b.dependency).collect();
        let mut seen = BTreeSet::new();
        while let Some(id) = open.pop() {
            if *id == service.id {
                return Err(Refused::Circle(service.id.clone()));
            }
            if let Some(&s) = self.slots.get(id).filter(|&&s| seen.insert(s)) {
                let bounds = self.snapshot.services[s].latency.iter();
                open.extend(bounds.map(|bound| &bound.dependency));
            }
        }
        Ok(())
    }
}
