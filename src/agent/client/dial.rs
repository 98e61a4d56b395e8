//! Connections to the cell.

use std::{io, sync::Arc, time::Duration};

use chrono::Utc;
use hyper_util::rt::TokioIo;
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
use rustls::pki_types::ServerName;
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint, Uri};

use super::{Credentials, Host, Network};
use crate::{
    agent::{
        proto::{RenewRequest, lattice_agent_client::LatticeAgentClient},
        server::{CONNECTION_WINDOW, STREAM_WINDOW},
        session::limits::{DEAD_AFTER, GREETING, HEARTBEAT, LARGEST_MESSAGE},
        tls,
    },
    clusters::bootstrap::{Leaf, renewal},
};

pub(super) type Client = LatticeAgentClient<Channel>;

/// Connects, and first renews the certificate where that is due.
pub(super) async fn dial<H: Host, N: Network>(
    network: &N,
    host: &H,
    endpoint: &str,
) -> Result<(Client, Leaf), String> {
    let credentials = host.credentials().await?;
    let leaf = credentials.leaf()?;
    let client = connect(network, endpoint, &credentials).await?;
    if Utc::now() < renewal(&leaf) {
        return Ok((client, leaf));
    }
    renew(host, client, &credentials, &leaf).await?;
    let credentials = host.credentials().await?;
    let leaf = credentials.leaf()?;
    Ok((connect(network, endpoint, &credentials).await?, leaf))
}

/// Has the same key certified again. The key stays where it is.
pub(super) async fn renew<H: Host>(
    host: &H,
    mut client: Client,
    credentials: &Credentials,
    leaf: &Leaf,
) -> Result<(), String> {
    let signing_request = request(&leaf.id.cluster, &credentials.key)?;
    let asked = client.renew(RenewRequest { signing_request }).await;
    let response = asked.map_err(|status| format!("renewal: {}", status.message()))?;
    host.renewed(response.into_inner()).await
}

fn request(cluster: &str, key: &str) -> Result<String, String> {
    let make = || {
        let key = KeyPair::from_pem(key)?;
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, cluster);
        params.serialize_request(&key)?.pem()
    };
    make().map_err(|error: rcgen::Error| format!("signing request: {error}"))
}

async fn connect<N: Network>(
    network: &N,
    endpoint: &str,
    credentials: &Credentials,
) -> Result<Client, String> {
    let tls = TlsConnector::from(Arc::new(
        tls::client(credentials).map_err(|error| error.to_string())?,
    ));
    let (host, _) = endpoint
        .rsplit_once(':')
        .ok_or_else(|| format!("the cell's endpoint `{endpoint}` is not HOST:PORT"))?;
    let host = host
        .trim_start_matches('[')
        .trim_end_matches(']')
        .to_owned();
    let name = ServerName::try_from(host).map_err(|error| error.to_string())?;
    let (network, address) = (network.clone(), endpoint.to_owned());
    let connector = tower::service_fn(move |_: Uri| {
        let (tls, name, address) = (tls.clone(), name.clone(), address.clone());
        let network = network.clone();
        async move {
            let stream = network.connect(&address).await?;
            let stream = tls.connect(name, stream).await?;
            Ok::<_, io::Error>(TokioIo::new(stream))
        }
    });
    // TLS is the connector's; to tonic it is a plain connection.
    let endpoint = Endpoint::from_shared(format!("http://{endpoint}"))
        .map_err(|error| chain(&error))?
        .connect_timeout(GREETING)
        .http2_keep_alive_interval(HEARTBEAT)
        .keep_alive_timeout(DEAD_AFTER.saturating_sub(HEARTBEAT))
        .keep_alive_while_idle(true)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW);
    let channel = endpoint.connect_with_connector(connector);
    let channel = tokio::time::timeout(GREETING + Duration::from_secs(1), channel)
        .await
        .map_err(|_| "the cell does not answer".to_owned())?
        .map_err(|error| chain(&error))?;
    Ok(LatticeAgentClient::new(channel)
        .max_decoding_message_size(2 * LARGEST_MESSAGE)
        .max_encoding_message_size(LARGEST_MESSAGE))
}

/// An error with what caused it: tonic's own says `transport error`.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}
