//! What cells say to each other, on the wire.

use super::message::{Deal, Message, Need, Request, Step, Summary, WayOut};
use crate::agent::proto::{self, TreeMessage, tree_message::Said};

/// Most cells that a message may have passed, and ways out that it may name.
const MOST: usize = 64;

/// The message as it is sent.
pub fn told(message: Message) -> TreeMessage {
    let said = match message {
        Message::Ask(request) => Said::Ask(request.into()),
        Message::Delegate(request) => Said::Delegate(request.into()),
        Message::Offer { deal, hourly } => Said::Offer(proto::PlaceOffer {
            deal: Some(deal.into()),
            hourly,
        }),
        Message::No { deal, ways_out } => Said::No(proto::PlaceRefusal {
            deal: Some(deal.into()),
            ways_out: ways_out.into_iter().map(Into::into).collect(),
        }),
        Message::Confirm(deal) => Said::Confirm(deal.into()),
        Message::Confirmed(deal) => Said::Confirmed(deal.into()),
        Message::Lapsed(deal) => Said::Lapsed(deal.into()),
        Message::Release(deal) => Said::Release(deal.into()),
        Message::Released(deal) => Said::Released(deal.into()),
        Message::Summary(summary) => Said::Summary(summary.into()),
        Message::Above { whole, arrivals } => Said::Above(proto::Above { whole, arrivals }),
    };
    TreeMessage { said: Some(said) }
}

/// The message that was sent; none if it is not whole, too long, or newer than this cell.
pub fn heard(message: TreeMessage) -> Option<Message> {
    Some(match message.said? {
        Said::Ask(request) => Message::Ask(read_request(request)?),
        Said::Delegate(request) => Message::Delegate(read_request(request)?),
        Said::Offer(offer) => Message::Offer {
            deal: read_deal(offer.deal?)?,
            hourly: offer.hourly,
        },
        Said::No(no) => Message::No {
            deal: read_deal(no.deal?)?,
            ways_out: read_ways(no.ways_out),
        },
        Said::Confirm(deal) => Message::Confirm(read_deal(deal)?),
        Said::Confirmed(deal) => Message::Confirmed(read_deal(deal)?),
        Said::Lapsed(deal) => Message::Lapsed(read_deal(deal)?),
        Said::Release(deal) => Message::Release(read_deal(deal)?),
        Said::Released(deal) => Message::Released(read_deal(deal)?),
        Said::Summary(summary) => Message::Summary(read_summary(summary)),
        Said::Above(above) => Message::Above {
            whole: above.whole,
            arrivals: above.arrivals,
        },
    })
}

impl From<Request> for proto::PlaceRequest {
    fn from(request: Request) -> Self {
        let need = request.need;
        Self {
            need: Some(proto::Need {
                id: need.id,
                replicas: need.replicas,
                milli_cores: need.milli_cores,
                mib: need.mib,
                labels: need.labels.into_iter().collect(),
                service: need.service,
                reason: need.reason,
            }),
            attempt: request.attempt,
            path: request.path,
            hops_left: request.hops_left,
            ways_out: request.ways_out.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<WayOut> for proto::WayOut {
    fn from(way: WayOut) -> Self {
        Self {
            term: way.term,
            hourly: way.hourly,
        }
    }
}

impl From<Deal> for proto::Deal {
    fn from(deal: Deal) -> Self {
        Self {
            id: deal.id,
            attempt: deal.attempt,
            path: deal.path,
        }
    }
}

impl From<Summary> for proto::CapacitySummary {
    fn from(summary: Summary) -> Self {
        let lots = summary.lots.into_iter().map(|(labels, steps)| {
            let labels = labels.into_iter().map(|(key, values)| {
                let values = values.into_iter().collect();
                (key, proto::LabelValues { values })
            });
            let steps = steps.into_iter().map(|step| proto::PriceStep {
                hourly: step.hourly,
                milli_cores: step.milli_cores,
                mib: step.mib,
                nodes: step.nodes,
            });
            proto::CapacityLot {
                labels: labels.collect(),
                steps: steps.collect(),
            }
        });
        Self {
            number: summary.number,
            lots: lots.collect(),
        }
    }
}

fn read_request(request: proto::PlaceRequest) -> Option<Request> {
    let need = request.need?;
    (request.path.len() <= MOST).then(|| Request {
        need: Need {
            id: need.id,
            replicas: need.replicas,
            milli_cores: need.milli_cores,
            mib: need.mib,
            labels: need.labels.into_iter().collect(),
            service: need.service,
            reason: need.reason,
        },
        attempt: request.attempt,
        path: request.path,
        hops_left: request.hops_left,
        ways_out: read_ways(request.ways_out),
    })
}

fn read_ways(ways: Vec<proto::WayOut>) -> Vec<WayOut> {
    let ways = ways.into_iter().take(MOST);
    ways.map(|way| WayOut {
        term: way.term,
        hourly: way.hourly,
    })
    .collect()
}

fn read_deal(deal: proto::Deal) -> Option<Deal> {
    (deal.path.len() <= MOST).then_some(Deal {
        id: deal.id,
        attempt: deal.attempt,
        path: deal.path,
    })
}

fn read_summary(summary: proto::CapacitySummary) -> Summary {
    let lots = summary.lots.into_iter().take(super::MOST_LOTS).map(|lot| {
        let labels = lot.labels.into_iter().map(|(key, values)| {
            let values = values.values.into_iter().collect();
            (key, values)
        });
        let steps = lot.steps.into_iter().take(super::MOST_STEPS);
        let steps = steps.map(|step| Step {
            hourly: step.hourly,
            milli_cores: step.milli_cores,
            mib: step.mib,
            nodes: step.nodes,
        });
        (labels.collect(), steps.collect())
    });
    Summary {
        number: summary.number,
        lots: lots.collect(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    #[test]
    fn what_is_told_is_what_is_heard() {
        let way = WayOut {
            term: "region=eu".into(),
            hourly: 7,
        };
        let request = Request {
            need: Need {
                id: "a/b/c".into(),
                replicas: 3,
                milli_cores: 500,
                mib: 64,
                labels: BTreeMap::from([("region".into(), "eu".into())]),
                service: "{}".into(),
                reason: "no room".into(),
            },
            attempt: 4,
            path: vec!["a".into(), "root".into()],
            hops_left: 9,
            ways_out: vec![way.clone()],
        };
        let deal = Deal {
            id: "a/b/c".into(),
            attempt: 4,
            path: request.path.clone(),
        };
        let values = BTreeSet::from(["eu".to_owned(), "us".to_owned()]);
        let step = Step {
            hourly: 1,
            milli_cores: 2,
            mib: 3,
            nodes: 4,
        };
        let summary = Summary {
            number: 5,
            lots: BTreeMap::from([(BTreeMap::from([("region".into(), values)]), vec![step])]),
        };
        let too_far = Deal {
            path: vec!["x".into(); MOST + 1],
            ..deal.clone()
        };
        for message in [
            Message::Ask(request.clone()),
            Message::Delegate(request),
            Message::Offer {
                deal: deal.clone(),
                hourly: 8,
            },
            Message::No {
                deal: deal.clone(),
                ways_out: vec![way],
            },
            Message::Confirm(deal.clone()),
            Message::Confirmed(deal.clone()),
            Message::Lapsed(deal.clone()),
            Message::Release(deal.clone()),
            Message::Released(deal),
            Message::Summary(summary),
            Message::Above {
                whole: true,
                arrivals: 7,
            },
        ] {
            assert_eq!(heard(told(message.clone())), Some(message));
        }
        assert_eq!(heard(told(Message::Confirm(too_far))), None);
        assert_eq!(heard(TreeMessage::default()), None);
    }
}
