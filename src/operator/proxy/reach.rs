//! How the cell itself reaches its clusters: through their agents while they are there, so that nothing need lead into a cluster
//! from outside.

use kube::Client;
use tower::{BoxError, service_fn};

use super::Downward;
use crate::agent::proxy::{ask, chunks, framed};

/// A client of a cluster: each request goes through the cluster's agent if it is there just then, else over `direct`.
pub(crate) fn reaching(direct: Client, downward: &Downward, cluster: &str) -> Client {
    let namespace = direct.default_namespace().to_owned();
    let (downward, cluster) = (downward.clone(), cluster.to_owned());
    let service = service_fn(move |request| {
        let (direct, downward, cluster) = (direct.clone(), downward.clone(), cluster.clone());
        async move {
            match downward.cell() {
                Some(cell) if cell.is_connected(&cluster).await => {
                    ask(&cell, &cluster, request).await.map_err(BoxError::from)
                }
                _ => {
                    let answer = direct.send(request).await?;
                    Ok(answer.map(|body| framed(chunks(body))))
                }
            }
        }
    });
    Client::new(service, namespace)
}
