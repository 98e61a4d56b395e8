//! This operator as a cell: its server for the agents of its clusters, and what is known of them.

mod board;
mod error;
mod fleet;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use chrono::Utc;
use kube::{Client, runtime::reflector::Store};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

pub(crate) use self::board::{Board, Shown};
pub use self::error::CellError;
pub(crate) use self::fleet::Fleet;
use super::{bootstrap::authority::Kept, leader::Term, proxy::Downward, tree};
use crate::{
    agent::{
        client::Tcp,
        server::{Cell, Credentials, Server},
    },
    api::LatticeCluster,
};

/// Pause after the server failed.
const PAUSE: Duration = Duration::from_secs(5);
/// Agents that have not dialled again after this time are gone.
const GRACE: Duration = Duration::from_secs(30);

/// Where agents reach an operator if nothing else is said.
pub const PORT: u16 = 8443;

/// How agents reach this operator.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Names and addresses under which agents reach it; all are in its certificate.
    pub hosts: Vec<String>,
    /// What agents see it called.
    pub name: String,
}

/// What a cell is made of.
pub(crate) struct Parts {
    pub(crate) client: Client,
    pub(crate) options: Options,
    pub(crate) clusters: Store<LatticeCluster>,
    pub(crate) board: Board,
    /// Told when there is something new on the board.
    pub(crate) changed: Arc<Notify>,
    /// Told of what agents say about places for services.
    pub(crate) tree: tree::Post,
    /// Told of the cell while there is one.
    pub(crate) downward: Downward,
}

/// Serves agents whenever there is a term, until the stop. Those of another leader are told to dial again.
pub(crate) async fn run(
    parts: Parts,
    mut terms: watch::Receiver<Option<Term>>,
    stop: CancellationToken,
) {
    while !stop.is_cancelled() {
        let term = terms.borrow_and_update().clone();
        if let Some(term) = term {
            let over = term.over.child_token();
            let ended = stop.clone().run_until_cancelled_owned({
                let over = over.clone();
                async move { over.cancelled().await }
            });
            let serving = serve(&parts, over.clone());
            tokio::pin!(serving);
            let result = tokio::select! {
                result = &mut serving => result,
                _ = ended => {
                    over.cancel();
                    serving.await
                }
            };
            parts.board.clear();
            parts.downward.set(None);
            parts.tree.alone();
            if let Err(error) = result {
                tracing::error!(%error, "agents cannot be served");
                let _ = tokio::time::timeout(PAUSE, stop.cancelled()).await;
            }
            if !term.over.is_cancelled() {
                continue;
            }
        }
        tokio::select! {
            changed = terms.changed() => if changed.is_err() { return },
            () = stop.cancelled() => return,
        }
    }
}

async fn serve(parts: &Parts, over: CancellationToken) -> Result<(), CellError> {
    let authorities = Kept::follow(&parts.client, &over).await?;
    let hosts = &parts.options.hosts;
    let showing = credentials(&authorities, hosts)?;
    let server = Server::bind(&Tcp, parts.options.listen, &showing).await?;
    tracing::info!(address = %parts.options.listen, "agents are served");
    let rotation = server.rotation();
    let renewing = {
        let (mut authorities, hosts) = (authorities.clone(), hosts.clone());
        async move {
            loop {
                authorities.renewal().await;
                let renewed = credentials(&authorities, &hosts);
                let replaced = renewed.map(|next| rotation.replace(&next));
                if let Err(error) = replaced {
                    tracing::error!(%error, "the certificate for agents could not be renewed");
                }
            }
        }
    };
    let fleet = Fleet {
        client: parts.client.clone(),
        clusters: parts.clusters.clone(),
        board: parts.board.clone(),
        changed: Arc::clone(&parts.changed),
        tree: parts.tree.clone(),
        authorities,
    };
    let cell = Cell::new(&parts.options.name, fleet);
    tokio::spawn(over.clone().run_until_cancelled_owned(renewing));
    let settling = {
        let (board, changed, began) = (parts.board.clone(), Arc::clone(&parts.changed), Utc::now());
        async move {
            tokio::time::sleep(GRACE).await;
            board.settle(began);
            changed.notify_one();
        }
    };
    tokio::spawn(over.clone().run_until_cancelled_owned(settling));
    parts.downward.set(Some(cell.clone()));
    Ok(cell.serve(server, over).await?)
}

fn credentials(authorities: &Kept, hosts: &[String]) -> Result<Credentials, CellError> {
    let (certificate, key) = authorities.certify(hosts)?;
    Ok(Credentials {
        certificate,
        key,
        authorities: authorities.now().trusted(),
    })
}
