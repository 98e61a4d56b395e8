//! Events for people who watch `kubectl get events`. Never needed for anything: what cannot be published is
//! dropped.

use std::{
    collections::{HashMap, hash_map::Entry},
    time::{Duration, Instant},
};

use k8s_openapi::api::core::v1::ObjectReference;
use kube::{
    Client,
    runtime::events::{Event, EventType, Recorder, Reporter},
};
use tokio::{sync::mpsc, time::timeout};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::status_writer::PATIENCE;

/// Events that wait; more are dropped.
const QUEUE: usize = 512;
/// The same is not said twice within this time.
const QUIET: Duration = Duration::from_secs(600);
/// Most that is remembered as said.
const REMEMBERED: usize = 8192;
/// Longest text that the API server takes, in bytes.
const LONGEST_NOTE: usize = 1024;

/// Something to be told about an object.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct News {
    pub(crate) about: ObjectReference,
    pub(crate) warning: bool,
    /// One CamelCase word.
    pub(crate) reason: String,
    /// What was done: one CamelCase word.
    pub(crate) action: String,
    pub(crate) note: String,
}

/// Tells news.
#[derive(Clone)]
pub(crate) struct Events {
    queue: mpsc::Sender<News>,
}

impl Events {
    /// Starts telling.
    pub(crate) fn start(
        client: Client,
        identity: String,
        tasks: &TaskTracker,
        stop: &CancellationToken,
    ) -> Self {
        let (queue, mut waiting) = mpsc::channel(QUEUE);
        let telling = async move {
            let reporter = Reporter {
                controller: "lattice.dev/operator".to_owned(),
                instance: Some(identity),
            };
            let mut said = Said::default();
            while let Some(news) = waiting.recv().await {
                if said.is_new(&news, Instant::now()) {
                    tell(&client, &reporter, news).await;
                }
            }
        };
        tasks.spawn(stop.clone().run_until_cancelled_owned(telling));
        Self { queue }
    }

    /// Tells, unless too much waits already.
    pub(crate) fn tell(&self, news: News) {
        if let Err(error) = self.queue.try_send(news) {
            tracing::debug!(%error, "an event is dropped");
        }
    }
}

async fn tell(client: &Client, reporter: &Reporter, news: News) {
    let event = Event {
        type_: if news.warning {
            EventType::Warning
        } else {
            EventType::Normal
        },
        reason: news.reason,
        note: Some(shortened(&news.note)),
        action: news.action,
        secondary: None,
    };
    // A recorder of several events would repeat the text of the first for all of one reason.
    let recorder = Recorder::new(client.clone(), reporter.clone());
    match timeout(PATIENCE, recorder.publish(&event, &news.about)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "an event is not published"),
        Err(_) => tracing::debug!("an event is not published in time"),
    }
}

/// The text, cut where the API server would refuse it.
fn shortened(note: &str) -> String {
    if note.len() <= LONGEST_NOTE {
        return note.to_owned();
    }
    let mut end = LONGEST_NOTE - '…'.len_utf8();
    while !note.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", &note[..end])
}

/// Kind, namespace, name and uid.
type ObjectKey = [Option<String>; 4];

#[derive(Default)]
struct Said {
    when: HashMap<(ObjectKey, String, String), Instant>,
}

impl Said {
    fn is_new(&mut self, news: &News, now: Instant) -> bool {
        if self.when.len() >= REMEMBERED {
            self.when
                .retain(|_, then| now.duration_since(*then) < QUIET);
        }
        if self.when.len() >= REMEMBERED {
            self.when.clear();
        }
        let about = &news.about;
        let object = [&about.kind, &about.namespace, &about.name, &about.uid].map(Clone::clone);
        let key = (object, news.reason.clone(), news.note.clone());
        match self.when.entry(key) {
            Entry::Occupied(entry) if now.duration_since(*entry.get()) < QUIET => false,
            Entry::Occupied(mut entry) => {
                entry.insert(now);
                true
            }
            Entry::Vacant(entry) => {
                entry.insert(now);
                true
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn news(note: &str) -> News {
        News {
            about: ObjectReference::default(),
            warning: false,
            reason: "Placed".to_owned(),
            action: "Schedule".to_owned(),
            note: note.to_owned(),
        }
    }

    #[test]
    fn the_same_is_told_once_in_a_while() {
        let (mut said, now) = (Said::default(), Instant::now());
        assert!(said.is_new(&news("a"), now));
        assert!(!said.is_new(&news("a"), now));
        assert!(said.is_new(&news("b"), now));
        assert!(said.is_new(&news("a"), now + QUIET));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let (mut said, now) = (Said::default(), Instant::now());
        for number in 0..=REMEMBERED {
            said.is_new(&news(&number.to_string()), now);
        }
        assert!(said.when.len() <= REMEMBERED);
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        let text = "ä".repeat(LONGEST_NOTE);
        let short = shortened(&text);
        assert!(short.len() <= LONGEST_NOTE && short.ends_with('…'));
        assert_eq!(shortened("short"), "short");
    }
}
