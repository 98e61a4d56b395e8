//! TLS of the agents' stream: 1.3, certificates on both sides, by the process's FIPS provider.

use std::{fmt, sync::Arc, time::Duration};

use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, Error, RootCertStore,
    ServerConfig, SignatureScheme,
    client::danger::HandshakeSignatureValid,
    pki_types::{CertificateDer, PrivateKeyDer, UnixTime, pem::PemObject},
    server::{
        WebPkiClientVerifier,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
    version::TLS13,
};

use crate::clusters::bootstrap::Leaf;

/// What TLS cannot be made of.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// PEM of a certificate or key.
    #[error("certificate or key: {0}")]
    Pem(#[from] rustls::pki_types::pem::Error),
    /// What rustls says.
    #[error("TLS: {0}")]
    Rustls(#[from] Error),
    /// What rustls says of the authorities.
    #[error("certificate authorities: {0}")]
    Verifier(#[from] rustls::server::VerifierBuilderError),
}

/// A certificate with its key, and the authorities that the other side may be of. All PEM.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The certificate.
    pub certificate: String,
    /// Its key.
    pub key: String,
    /// Authorities, one after the other.
    pub authorities: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(…)")
    }
}

impl Credentials {
    fn chain(&self) -> Result<Vec<CertificateDer<'static>>, TlsError> {
        certificates(&self.certificate)
    }

    fn private_key(&self) -> Result<PrivateKeyDer<'static>, TlsError> {
        Ok(PrivateKeyDer::from_pem_slice(self.key.as_bytes())?)
    }

    fn roots(&self) -> Result<Arc<RootCertStore>, TlsError> {
        let mut roots = RootCertStore::empty();
        for authority in certificates(&self.authorities)? {
            roots.add(authority)?;
        }
        Ok(Arc::new(roots))
    }

    /// The agent's name and times, from its certificate.
    pub(crate) fn leaf(&self) -> Result<Leaf, String> {
        leaf_of(&self.certificate)
    }
}

/// The name and times of an agent's certificate in PEM.
pub(crate) fn leaf_of(certificate: &str) -> Result<Leaf, String> {
    let chain = certificates(certificate).map_err(|error| error.to_string())?;
    let first = chain.first().ok_or("there is no certificate")?;
    Leaf::from_der(first).map_err(|error| error.to_string())
}

fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    Ok(all?)
}

/// The cell's side. A client whose certificate is over gets in: what it may do is for whoever it asks.
pub(crate) fn server(credentials: &Credentials) -> Result<ServerConfig, TlsError> {
    let inner = WebPkiClientVerifier::builder(credentials.roots()?).build()?;
    let verifier = Arc::new(Lenient(inner));
    let mut config = ServerConfig::builder_with_protocol_versions(&[&TLS13])
        .with_client_cert_verifier(verifier)
        .with_single_cert(credentials.chain()?, credentials.private_key()?)?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(config)
}

/// The agent's side.
pub(crate) fn client(credentials: &Credentials) -> Result<ClientConfig, TlsError> {
    let mut config = ClientConfig::builder_with_protocol_versions(&[&TLS13])
        .with_root_certificates(credentials.roots()?)
        .with_client_auth_cert(credentials.chain()?, credentials.private_key()?)?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(config)
}

/// Takes a certificate that is over for one that held at its last moment. Everything else about it is verified as ever.
#[derive(Debug)]
struct Lenient(Arc<dyn ClientCertVerifier>);

impl ClientCertVerifier for Lenient {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.0.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verify = |at| self.0.verify_client_cert(end_entity, intermediates, at);
        match verify(now) {
            Err(Error::InvalidCertificate(
                CertificateError::Expired | CertificateError::ExpiredContext { .. },
            )) => {
                let leaf = Leaf::from_der(end_entity)
                    .map_err(|_| Error::InvalidCertificate(CertificateError::BadEncoding))?;
                let last = u64::try_from(leaf.not_after.timestamp() - 1).unwrap_or_default();
                verify(UnixTime::since_unix_epoch(Duration::from_secs(last)))
            }
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests {
    use chrono::{TimeDelta, Utc};
    use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
    use rustls::{ClientConnection, ServerConnection, pki_types::ServerName};

    use super::*;
    use crate::clusters::bootstrap::{Authorities, Authority, SigningRequest};

    /// Whether both sides take the other's certificate.
    fn shake(cell: &Credentials, agent: &Credentials) -> Result<(), Error> {
        let name = ServerName::try_from("cell.example.com").unwrap();
        let mut client = ClientConnection::new(Arc::new(client(agent).unwrap()), name)?;
        let mut server = ServerConnection::new(Arc::new(server(cell).unwrap()))?;
        while client.is_handshaking() || server.is_handshaking() {
            let mut wire = Vec::new();
            client.write_tls(&mut wire).unwrap();
            server.read_tls(&mut wire.as_slice()).unwrap();
            server.process_new_packets()?;
            wire.clear();
            server.write_tls(&mut wire).unwrap();
            client.read_tls(&mut wire.as_slice()).unwrap();
            client.process_new_packets()?;
        }
        Ok(())
    }

    fn cell(all: &Authorities) -> Credentials {
        let hosts = ["cell.example.com".to_owned()];
        let (certificate, key) = all.certify_server(&hosts, Utc::now()).unwrap();
        Credentials {
            certificate,
            key,
            authorities: all.trusted(),
        }
    }

    fn agent(all: &Authorities, age: TimeDelta) -> Credentials {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, "east");
        let request = params.serialize_request(&key).unwrap().pem().unwrap();
        let request = SigningRequest::from_pem(&request).unwrap();
        let certified = all
            .current()
            .certify_agent(&request, "u-1", Utc::now() - age);
        Credentials {
            certificate: certified.unwrap(),
            key: key.serialize_pem(),
            authorities: all.trusted(),
        }
    }

    fn authorities() -> Authorities {
        let _ = rustls::crypto::default_fips_provider().install_default();
        let first = Authority::generate("cell", Utc::now()).unwrap();
        Authorities::new(first, Vec::new())
    }

    #[test]
    fn an_agent_that_was_away_for_three_rotations_and_the_cell_still_know_each_other() {
        let mut all = authorities();
        let mut agents = Vec::new();
        for number in 0..4 {
            agents.push(agent(&all, TimeDelta::zero()));
            // One whose certificate is over since.
            agents.push(agent(&all, TimeDelta::days(3)));
            for agent in &agents {
                shake(&cell(&all), agent).unwrap();
            }
            all = all.rotated(&format!("cell {number}"), Utc::now()).unwrap();
        }
        for agent in &agents {
            shake(&cell(&all), agent).unwrap();
        }
    }

    #[test]
    fn who_is_of_a_forgotten_authority_is_a_stranger() {
        let all = authorities();
        let before = agent(&all, TimeDelta::zero());
        let all = all.rotated("cell 2", Utc::now()).unwrap();
        let after = agent(&all, TimeDelta::zero());
        let forgot = all.alone().unwrap();
        shake(&cell(&forgot), &after).unwrap();
        shake(&cell(&forgot), &before).unwrap_err();
        // Nor is a cell of another authority taken for this one.
        shake(&cell(&authorities()), &after).unwrap_err();
    }
}
