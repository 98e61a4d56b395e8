//! What comes in from neighbours about places for services, and the way out to them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc;

use crate::agent::{
    client::Report,
    proto::{TreeMessage, agent_message::Payload},
};

/// Messages that wait; beyond them the sender's are lost, and said again by whoever waits for an answer.
const QUEUE: usize = 1024;

/// A cell at the other end of a stream.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Neighbour {
    /// The cell above.
    Parent,
    /// A cluster below, by name.
    Child(String),
}

/// Something that came in.
#[derive(Debug)]
pub(crate) enum Mail {
    Heard(Neighbour, Box<TreeMessage>),
    Linked(Neighbour, bool),
    /// No child is connected any more.
    Alone,
}

/// What is known of the cell above.
#[derive(Clone, Debug, Default)]
struct Above {
    /// What it calls this cluster.
    name: Option<String>,
    reports: Option<mpsc::Sender<Report>>,
}

/// Takes in mail, and knows the way up.
#[derive(Clone, Debug)]
pub(crate) struct Post {
    inbox: mpsc::Sender<Mail>,
    above: Arc<Mutex<Above>>,
}

/// A post, and what it brings.
pub(crate) fn post() -> (Post, mpsc::Receiver<Mail>) {
    let (inbox, mail) = mpsc::channel(QUEUE);
    let above = Arc::default();
    (Post { inbox, above }, mail)
}

impl Post {
    /// A neighbour has said something.
    pub(crate) fn heard(&self, from: Neighbour, said: TreeMessage) {
        self.bring(Mail::Heard(from, Box::new(said)));
    }

    /// The stream to a neighbour has come or gone.
    pub(crate) fn linked(&self, neighbour: Neighbour, is_up: bool) {
        self.bring(Mail::Linked(neighbour, is_up));
    }

    /// This operator has no agents any more.
    pub(crate) fn alone(&self) {
        self.bring(Mail::Alone);
    }

    /// There is a cell above, by which this cluster is called so, and this is how to tell it something.
    pub(crate) fn below(&self, name: &str, reports: mpsc::Sender<Report>) {
        *self.lock() = Above {
            name: Some(name.to_owned()),
            reports: Some(reports),
        };
    }

    /// There is no cell above.
    pub(crate) fn without_parent(&self) {
        *self.lock() = Above::default();
    }

    /// What the cell above calls this cluster, if there is one.
    pub(super) fn name(&self) -> Option<String> {
        self.lock().name.clone()
    }

    /// Tells the cell above something.
    pub(super) fn up(&self, said: TreeMessage) {
        let reports = self.lock().reports.clone();
        // What finds no room is lost, and said again.
        if let Some(reports) = reports
            && reports
                .try_send(Report::Once(Box::new(Payload::Tree(said))))
                .is_err()
        {
            tracing::debug!("a message about places found no room on its way up");
        }
    }

    fn bring(&self, mail: Mail) {
        if let Err(error) = self.inbox.try_send(mail) {
            tracing::debug!(%error, "a message about places found no room");
        }
    }

    fn lock(&self) -> MutexGuard<'_, Above> {
        // It is written whole.
        self.above.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
