//! Servers over TLS, with certificates of the cell's authority.

use std::{
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};

use axum::Router;
use axum_server::{Handle, tls_rustls::RustlsConfig};
use http::{HeaderMap, header::AUTHORIZATION};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tokio_util::sync::CancellationToken;

use super::bootstrap::authority::Kept;
use crate::clusters::bootstrap::AuthorityError;

/// Longest time that a stop waits for answers under way.
const PATIENCE: Duration = Duration::from_secs(5);
/// What callers are told who do not say who they are.
pub(crate) const NO_BEARER: &str = "the header `Authorization: Bearer TOKEN` is missing";

/// Why nothing is served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HttpsError {
    /// TLS could not be set up.
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
    /// Certificate or key are no PEM.
    #[error("the server's certificate: {0}")]
    Pem(#[from] rustls::pki_types::pem::Error),
    /// Nothing can be certified.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// Nothing listens.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
}

/// Who a server is: names and addresses under which it is reached, and the authorities that certify them.
pub(crate) struct Certified {
    pub(crate) hosts: Vec<String>,
    pub(crate) authorities: Kept,
}

/// A server that listens, but does not serve yet.
pub(crate) struct Https {
    listener: TcpListener,
    address: SocketAddr,
    port: u16,
    certified: Certified,
    tls: RustlsConfig,
}

impl Https {
    /// Listens.
    pub(crate) fn bind(address: SocketAddr, certified: Certified) -> Result<Self, HttpsError> {
        let listen = || {
            let listener = TcpListener::bind(address)?;
            listener.set_nonblocking(true)?;
            let port = listener.local_addr()?.port();
            Ok((listener, port))
        };
        let (listener, port) = listen().map_err(|source| HttpsError::Listen { address, source })?;
        Ok(Https {
            listener,
            address,
            port,
            tls: RustlsConfig::from_config(Arc::new(tls(&certified)?)),
            certified,
        })
    }

    /// Where it listens, which matters for port 0.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Serves until the stop, with a certificate that is made anew in time.
    pub(crate) async fn serve(
        self,
        router: Router,
        stop: &CancellationToken,
    ) -> Result<(), HttpsError> {
        let address = self.address;
        let renewing = renew(self.certified, self.tls.clone());
        let listen = |source| HttpsError::Listen { address, source };
        let handle = Handle::new();
        let serving = axum_server::from_tcp_rustls(self.listener, self.tls)
            .map_err(listen)?
            .handle(handle.clone())
            .serve(router.into_make_service());
        tokio::pin!(serving);
        tokio::select! {
            result = &mut serving => return result.map_err(listen),
            () = renewing => {}
            () = stop.cancelled() => handle.graceful_shutdown(Some(PATIENCE)),
        }
        serving.await.map_err(listen)
    }
}

/// Never returns. Connections that are open stay as they are.
async fn renew(mut certified: Certified, config: RustlsConfig) {
    loop {
        certified.authorities.renewal().await;
        match tls(&certified) {
            Ok(renewed) => config.reload_from_config(Arc::new(renewed)),
            Err(error) => tracing::error!(%error, "a server's certificate could not be renewed"),
        }
    }
}

fn tls(certified: &Certified) -> Result<ServerConfig, HttpsError> {
    let (chain, key) = certified.authorities.certify(&certified.hosts)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(chain.as_bytes()).collect();
    let (chain, key) = (chain?, PrivateKeyDer::from_pem_slice(key.as_bytes())?);
    let mut config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// The token by which a caller says who they are.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let token = value.strip_prefix("Bearer ")?.trim();
    (!token.is_empty()).then_some(token)
}
