//! Looking for a place: here, at a child, beyond the parent, the cheapest first.

use std::{collections::BTreeSet, time::Duration};

use super::{
    broker::Broker,
    message::{CellName, Deal, Message, Request, Send, WayOut},
    origin::AGAIN,
    summary::{cheapest, may_fit, price, summary, ways_out},
};

/// Requests that one cell is looking for a place for.
pub const MOST_RELAYED: usize = 4096;
/// How long it looks; whoever asked asks again.
const PATIENCE: Duration = Duration::from_secs(60);

/// A request for which a cell is looking, another's or its own. Lost in a restart: whoever asked asks again.
#[derive(Clone, Debug)]
pub(super) struct Relayed {
    request: Request,
    /// Whether the parent asked for it, who is then not asked.
    delegated: bool,
    /// Neighbours that were asked.
    tried: BTreeSet<CellName>,
    pub(super) until: Duration,
    pub(super) again: Duration,
}

impl Broker {
    /// Looks for a place for a request of a neighbour.
    pub(super) fn look(
        &mut self,
        now: Duration,
        mut request: Request,
        delegated: bool,
    ) -> Vec<Send> {
        if self.place_on(&request.path).is_some() {
            return Vec::new();
        }
        request.path.push(self.name.clone());
        let id = request.need.id.clone();
        if let Some(known) = self.relayed.get(&id)
            && known.request.attempt >= request.attempt
        {
            // It is being looked for already; the answer goes to whoever asked.
            return Vec::new();
        }
        if self.relayed.len() >= MOST_RELAYED {
            return Vec::new();
        }
        let relayed = Relayed {
            request,
            delegated,
            tried: BTreeSet::new(),
            until: now + PATIENCE,
            again: now + AGAIN,
        };
        self.relayed.insert(id.clone(), relayed);
        self.next_place(now, &id)
    }

    /// The cheapest place that was not tried: here, at a child, or beyond the parent.
    pub(super) fn next_place(&mut self, now: Duration, id: &str) -> Vec<Send> {
        let Some(relayed) = self.relayed.get_mut(id) else {
            return Vec::new();
        };
        relayed.again = now + AGAIN;
        let (request, tried) = (relayed.request.clone(), relayed.tried.clone());
        let delegated = relayed.delegated;
        let connected = &self.connected;
        let near = self.children.iter().filter(|(cell, _)| {
            let is_own = **cell == self.name;
            let goes_there = is_own || (!request.path.contains(cell) && request.hops_left > 0);
            goes_there && connected.contains(*cell) && !tried.contains(*cell)
        });
        let best = near
            .filter_map(|(cell, summary)| {
                let is_own = *cell == self.name;
                let price = price(summary, &request.need);
                // What a summary cannot tell the own scheduler may still find, and is asked before the parent.
                let last = (is_own && may_fit(summary, &request.need)).then_some(u64::MAX);
                Some((price.or(last)?, !is_own, cell.clone()))
            })
            .min();
        let parent = self.parent.clone().filter(|parent| {
            let is_new = !tried.contains(parent) && !request.path.contains(parent);
            is_new && self.connected.contains(parent) && request.hops_left > 0
        });
        let (to, is_below) = match (best, parent) {
            (Some((_, _, cell)), _) => (cell, true),
            (None, Some(parent)) if !delegated => (parent, false),
            _ => return self.give_up(now, id),
        };
        if let Some(relayed) = self.relayed.get_mut(id) {
            relayed.tried.insert(to.clone());
        }
        if to == self.name {
            let message = Message::Delegate(request);
            return vec![Send { to, message }];
        }
        let forwarded = Request {
            hops_left: request.hops_left - 1,
            ways_out: self.ways_out(&request),
            ..request
        };
        let message = match is_below {
            true => Message::Delegate(forwarded),
            false => Message::Ask(forwarded),
        };
        vec![Send { to, message }]
    }

    fn give_up(&mut self, now: Duration, id: &str) -> Vec<Send> {
        let Some(relayed) = self.relayed.remove(id) else {
            return Vec::new();
        };
        let (deal, ways_out) = (deal(&relayed.request), self.ways_out(&relayed.request));
        if deal.path.len() == 1 {
            if let Some(mine) = self.ledger.mine.get_mut(id) {
                // All that is due goes on in its turn, so luck has no part in it.
                mine.refused(deal.attempt, ways_out, now, deal.attempt);
            }
            return Vec::new();
        }
        let path = deal.path.clone();
        self.back(&path, Message::No { deal, ways_out })
    }

    fn ways_out(&self, request: &Request) -> Vec<WayOut> {
        let all = summary(0, self.children.values());
        let here = ways_out(&all, &request.need);
        cheapest(here.into_iter().chain(request.ways_out.iter().cloned()))
    }

    pub(super) fn offered(&mut self, now: Duration, deal: Deal, hourly: u64) -> Vec<Send> {
        if self.place_on(&deal.path) != Some(0) {
            self.relayed.remove(&deal.id);
            let path = deal.path.clone();
            return self.back(&path, Message::Offer { deal, hourly });
        }
        let path = deal.path.clone();
        let Some(mine) = self.ledger.mine.get_mut(&deal.id) else {
            return Vec::new();
        };
        self.relayed.remove(&deal.id);
        let confirm = mine.offered(deal, hourly, now);
        let mut sends = match confirm {
            Some(message) => self.onward(&path, message),
            None => Vec::new(),
        };
        sends.extend(self.ask_next(now));
        sends
    }

    pub(super) fn refused(
        &mut self,
        now: Duration,
        from: &str,
        deal: Deal,
        found: Vec<WayOut>,
    ) -> Vec<Send> {
        match self.relayed.get_mut(&deal.id) {
            Some(known) if known.request.attempt == deal.attempt => {
                known.tried.insert(from.to_owned());
                let known_ways = std::mem::take(&mut known.request.ways_out);
                known.request.ways_out = cheapest(known_ways.into_iter().chain(found));
                let mut sends = self.next_place(now, &deal.id);
                sends.extend(self.ask_next(now));
                sends
            }
            _ => Vec::new(),
        }
    }
}

fn deal(request: &Request) -> Deal {
    Deal {
        id: request.need.id.clone(),
        attempt: request.attempt,
        path: request.path.clone(),
    }
}
