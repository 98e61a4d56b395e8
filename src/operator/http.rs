//! Metrics and health over HTTP.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{Router, extract::State, http::StatusCode, routing::get};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{error::OperatorError, metrics::Metrics};

/// A main loop that has not come round for this long will not do so by itself.
const DEAD_AFTER: Duration = Duration::from_secs(300);

/// What the pages show.
#[derive(Clone, Debug)]
pub(crate) struct Health {
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) synced: Arc<AtomicBool>,
}

/// Listens; the port is known when this returns, which matters for port 0.
pub(crate) async fn bind(address: SocketAddr) -> Result<TcpListener, OperatorError> {
    TcpListener::bind(address)
        .await
        .map_err(|source| OperatorError::Listen { address, source })
}

/// Serves until the stop.
pub(crate) async fn serve(listener: TcpListener, health: Health, stop: CancellationToken) {
    let serving = axum::serve(listener, router(health));
    tokio::select! {
        () = stop.cancelled() => {}
        result = serving => if let Err(error) = result {
            tracing::error!(%error, "the page of metrics and health has ended");
        }
    }
}

fn router(health: Health) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .with_state(health)
}

async fn metrics(State(health): State<Health>) -> Result<String, StatusCode> {
    health
        .metrics
        .text()
        .map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
}

async fn healthz(State(health): State<Health>) -> (StatusCode, String) {
    let age = health.metrics.age();
    let status = if age < DEAD_AFTER {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, format!("last pass {} s ago\n", age.as_secs()))
}

async fn readyz(State(health): State<Health>) -> (StatusCode, &'static str) {
    if health.synced.load(Ordering::Acquire) {
        (StatusCode::OK, "ready\n")
    } else {
        (
            StatusCode::SERVICE_UNAVAILABLE,
            "the watches are not complete yet\n",
        )
    }
}
