//! The webhook itself.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, Query, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::post,
};
use chrono::Utc;
use kube::Client;
use serde::Deserialize;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::{Options, answer, authority::Kept, error::BootstrapError, store::Grants};
use crate::{
    clusters::bootstrap::{Admission, LONGEST_REQUEST, Refusal, SigningRequest, Token, admit},
    operator::https::{Certified, Https, NO_BEARER, bearer},
};

/// Answers under way at a time; machines try again.
const AT_ONCE: usize = 64;
/// Times that a grant is read again because others wrote it.
const ATTEMPTS: usize = 5;

/// A webhook that listens, but does not serve yet.
pub struct Server {
    https: Https,
    cell: Arc<Cell>,
}

struct Cell {
    client: Client,
    options: Options,
    authorities: Kept,
    grants: Grants,
    free: Semaphore,
}

impl Server {
    /// Listens, with a certificate of the cell's authority, which is made if there is none.
    ///
    /// # Errors
    /// If the authority cannot be read or kept, or the address is taken.
    pub async fn bind(
        client: Client,
        options: Options,
        stop: &CancellationToken,
    ) -> Result<Self, BootstrapError> {
        let authorities = Kept::follow(&client, stop).await?;
        let certified = Certified {
            hosts: options.hosts.clone(),
            authorities: authorities.clone(),
        };
        Ok(Server {
            https: Https::bind(options.listen, certified)?,
            cell: Arc::new(Cell {
                grants: Grants::new(client.clone()),
                free: Semaphore::new(AT_ONCE),
                client,
                options,
                authorities,
            }),
        })
    }

    /// Where it listens, which matters for port 0.
    pub fn port(&self) -> u16 {
        self.https.port()
    }

    /// The certificate of the cell's authority as it is now, PEM, which machines must know to call it.
    pub fn authority(&self) -> String {
        self.cell
            .authorities
            .now()
            .current()
            .certificate()
            .to_owned()
    }

    /// The cell's authorities.
    pub(crate) fn authorities(&self) -> Kept {
        self.cell.authorities.clone()
    }
}

/// Serves until the stop.
///
/// # Errors
/// If the listener fails.
pub async fn serve(server: Server, stop: CancellationToken) -> Result<(), BootstrapError> {
    let router = Router::new()
        .route("/api/clusters/register", post(register))
        .layer(DefaultBodyLimit::max(LONGEST_REQUEST))
        .with_state(server.cell);
    Ok(server.https.serve(router, &stop).await?)
}

#[derive(Deserialize)]
struct Asked {
    cluster: String,
}

async fn register(
    State(cell): State<Arc<Cell>>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
    body: String,
) -> Response {
    let Ok(_free) = cell.free.try_acquire() else {
        return said(
            StatusCode::SERVICE_UNAVAILABLE,
            "too many machines at once; try again",
        );
    };
    let Some(token) = bearer(&headers).map(Token::shown) else {
        return said(StatusCode::UNAUTHORIZED, NO_BEARER);
    };
    let request = match SigningRequest::from_pem(&body) {
        Ok(request) => request,
        Err(why) => return said(StatusCode::BAD_REQUEST, &why.to_string()),
    };
    match cell.admit(&asked.cluster, &token, &request).await {
        Ok(Ok(certificate)) => cell.welcome(&asked.cluster, certificate).await,
        Ok(Err(refusal)) => {
            tracing::warn!(cluster = asked.cluster, %refusal, "a machine was not admitted");
            said(status(&refusal), &refusal.to_string())
        }
        Err(error) => failed(&asked.cluster, &error),
    }
}

impl Cell {
    /// The certificate of the machine's key, recorded before it is returned, or why there is none.
    async fn admit(
        &self,
        cluster: &str,
        token: &Token,
        request: &SigningRequest,
    ) -> Result<Result<String, Refusal>, BootstrapError> {
        if !is_name(cluster) {
            return Ok(Err(Refusal::Unknown));
        }
        for _ in 0..ATTEMPTS {
            let now = Utc::now();
            let kept = self.grants.of(cluster).await?;
            let grant = kept.as_ref().map(|kept| &kept.grant);
            let (grant, answer) = match (admit(grant, token, request, now), grant) {
                (Ok(Admission::Again(certificate)), _) => return Ok(Ok(certificate)),
                (Ok(Admission::First), Some(grant)) => {
                    let authorities = self.authorities.now();
                    let authority = authorities.current();
                    let certificate = authority.certify_agent(request, &grant.uid, now)?;
                    let used = grant.clone().used(&request.key_digest(), &certificate, now);
                    (used, Ok(certificate))
                }
                (Err(refusal), Some(grant)) => match grant.clone().refused(&refusal, now) {
                    Some(noted) => (noted, Err(refusal)),
                    None => return Ok(Err(refusal)),
                },
                (_, None) => return Ok(Err(Refusal::Unknown)),
            };
            if let Some(kept) = kept
                && self.grants.replace(kept, &grant).await?
            {
                return Ok(answer);
            }
        }
        Err(BootstrapError::Contended(cluster.to_owned()))
    }

    async fn welcome(&self, cluster: &str, certificate: String) -> Response {
        let authorities = self.authorities.now().trusted();
        let admitted = (cluster, certificate);
        match answer::welcome(&self.client, &self.options, admitted, &authorities).await {
            Ok(welcome) => Json(welcome.list()).into_response(),
            Err(error) => failed(cluster, &error),
        }
    }
}

/// What is wrong here is for the parent's log; the machine is told to try again.
fn failed(cluster: &str, error: &BootstrapError) -> Response {
    tracing::error!(cluster, %error, "a machine could not be answered");
    said(
        StatusCode::INTERNAL_SERVER_ERROR,
        "the parent could not answer; its log says why; try again",
    )
}

/// Whether it can be the name of a LatticeCluster, and so part of a Secret's.
fn is_name(text: &str) -> bool {
    let ok = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
    !text.is_empty() && text.len() <= 240 && text.chars().all(ok)
}

fn status(refusal: &Refusal) -> StatusCode {
    match refusal {
        Refusal::Unknown => StatusCode::UNAUTHORIZED,
        Refusal::Used(_) => StatusCode::CONFLICT,
        _ => StatusCode::FORBIDDEN,
    }
}

fn said(status: StatusCode, text: &str) -> Response {
    (status, format!("{text}\n")).into_response()
}
