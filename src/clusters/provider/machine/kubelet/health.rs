//! The page on which kubeadm asks whether a kubelet is there.

use std::net::{Ipv4Addr, SocketAddr};

use axum::{Router, routing::get};
use tokio::net::TcpListener;

use super::super::MachineError;

const ADDRESS: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 10248);

/// Answers until the machine is switched off.
pub(super) async fn serve() -> Result<(), MachineError> {
    let wrong = || MachineError::file("listen on", "127.0.0.1:10248".as_ref());
    let listener = TcpListener::bind(ADDRESS).await.map_err(wrong())?;
    let router = Router::new().route("/healthz", get(|| async { "ok" }));
    axum::serve(listener, router).await.map_err(wrong())
}
