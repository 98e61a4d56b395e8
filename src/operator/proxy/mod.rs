//! The API servers of clusters below, at `/clusters/NAME/...` of the cell.

mod below;
mod gate;
mod reach;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, HttpBody},
    extract::{Request, State},
    response::IntoResponse,
};
use futures::StreamExt;
use http::{Response, StatusCode};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, Client,
    api::{Patch, PatchParams},
};
use serde_json::json;
use tokio::sync::{Semaphore, oneshot};
use tokio_util::sync::CancellationToken;

pub(crate) use self::{
    below::{Downward, Guarded},
    reach::reaching,
};
use super::{
    bootstrap::authority::Kept,
    cell::CellError,
    decision_log::NAMESPACE,
    https::{Certified, Https, NO_BEARER, bearer},
};
use crate::agent::{
    proto::RequestHead,
    proxy::{Below, Chunks, ProxyError, headers, join, later, path},
};

/// Requests that wait for the head of their answer at a time.
const AT_ONCE: usize = 4096;
/// Time between tries to serve.
const PAUSE: Duration = Duration::from_secs(2);
/// Where callers find the address and the authority of its certificate.
pub(crate) const PUBLISHED: &str = "lattice-cell";
const FIELD_MANAGER: &str = "lattice.dev/cell";

/// How callers reach the proxy.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Names and addresses under which callers reach it, the one that they are told first.
    pub hosts: Vec<String>,
}

struct Proxy {
    client: Client,
    guarded: Guarded,
    free: Semaphore,
}

/// Serves callers until the stop.
pub(crate) async fn run(
    client: Client,
    options: Options,
    downward: Downward,
    stop: CancellationToken,
) {
    while !stop.is_cancelled() {
        if let Err(error) = serve(&client, &options, &downward, &stop).await {
            tracing::error!(%error, "clusters below cannot be reached through this operator");
        }
        let _ = tokio::time::timeout(PAUSE, stop.cancelled()).await;
    }
}

async fn serve(
    client: &Client,
    options: &Options,
    downward: &Downward,
    stop: &CancellationToken,
) -> Result<(), CellError> {
    let mut authorities = Kept::follow(client, stop).await?;
    let certified = Certified {
        hosts: options.hosts.clone(),
        authorities: authorities.clone(),
    };
    let server = Https::bind(options.listen, certified)?;
    let port = server.port();
    publish(client, options, port, &authorities).await?;
    let publishing = async {
        loop {
            authorities.renewal().await;
            if let Err(error) = publish(client, options, port, &authorities).await {
                tracing::error!(%error, "callers are not told of the cell's new authority");
            }
        }
    };
    let proxy = Arc::new(Proxy {
        client: client.clone(),
        guarded: Guarded {
            client: client.clone(),
            downward: downward.clone(),
        },
        free: Semaphore::new(AT_ONCE),
    });
    let router = Router::new().fallback(handle).with_state(proxy);
    tokio::select! {
        served = server.serve(router, stop) => Ok(served?),
        () = publishing => Ok(()),
    }
}

/// Says where the proxy is, and what its certificate is of.
async fn publish(
    client: &Client,
    options: &Options,
    port: u16,
    authorities: &Kept,
) -> Result<(), CellError> {
    let host = options.hosts.first().cloned().unwrap_or_default();
    let map = json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": PUBLISHED, "namespace": NAMESPACE},
        "data": {"proxy": format!("{host}:{port}"), "ca.crt": authorities.now().trusted()},
    });
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), NAMESPACE);
    let params = PatchParams::apply(FIELD_MANAGER).force();
    maps.patch(PUBLISHED, &params, &Patch::Apply(&map)).await?;
    Ok(())
}

async fn handle(State(proxy): State<Arc<Proxy>>, request: Request) -> Response<Body> {
    match proxy.answer(request).await {
        Ok(response) => response,
        Err(error) => said(&error),
    }
}

impl Proxy {
    async fn answer(&self, mut request: Request) -> Result<Response<Body>, ProxyError> {
        let _free = self
            .free
            .try_acquire()
            .map_err(|_| ProxyError::new(429, "too many requests at once; try again"))?;
        let switching = hyper::upgrade::on(&mut request);
        let (parts, body) = request.into_parts();
        let bad = |error: &dyn std::fmt::Display| ProxyError::new(400, error.to_string());
        let whole = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let route = path::parse(whole).map_err(|error| ProxyError::new(404, error.to_string()))?;
        let passed = headers::request(&parts.headers).map_err(|error| bad(&error))?;
        if passed.upgrade && !body.is_end_stream() {
            let why = "a request that is to make another of its connection has no body";
            return Err(ProxyError::new(400, why));
        }
        let token = bearer(&parts.headers).ok_or_else(|| ProxyError::new(401, NO_BEARER))?;
        let caller = gate::caller(&self.client, token).await?;
        let head = RequestHead {
            method: parts.method.as_str().to_owned(),
            path: route.path,
            headers: passed.headers,
            caller: Some(caller),
            route: route.clusters,
            upgrade: passed.upgrade,
        };
        if passed.upgrade {
            let (read, said) = later();
            let response = self.guarded.forward(head, said).await?;
            return Ok(switched(response, switching, read));
        }
        let body = body.into_data_stream();
        let body = body
            .map(|piece| piece.map_err(|error| error.to_string()))
            .boxed();
        Ok(self.guarded.forward(head, body).await?.map(streamed))
    }
}

/// Makes another of the caller's connection if the answer says so; else it stays one for requests.
fn switched(
    response: Response<Chunks>,
    switching: OnUpgrade,
    read: oneshot::Sender<Chunks>,
) -> Response<Body> {
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        return response.map(streamed);
    }
    let (parts, said) = response.into_parts();
    tokio::spawn(async move {
        match switching.await {
            // Whoever would have read has gone where that fails.
            Ok(connection) => drop(read.send(join(TokioIo::new(connection), said))),
            Err(error) => tracing::debug!(%error, "a caller's connection did not switch"),
        }
    });
    Response::from_parts(parts, Body::empty())
}

fn streamed(chunks: Chunks) -> Body {
    Body::from_stream(chunks.map(|piece| piece.map_err(std::io::Error::other)))
}

/// As an API server says it, so that kubectl shows it.
fn said(error: &ProxyError) -> Response<Body> {
    let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::BAD_GATEWAY);
    let reason = match error.status {
        400 => "BadRequest",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "NotFound",
        405 => "MethodNotAllowed",
        429 => "TooManyRequests",
        503 => "ServiceUnavailable",
        _ => "InternalError",
    };
    let body = json!({
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": error.message,
        "reason": reason,
        "code": status.as_u16(),
    });
    (status, axum::Json(body)).into_response()
}
