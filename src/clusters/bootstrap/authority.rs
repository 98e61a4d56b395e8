//! The parent's certificate authority, which certifies the keys of its children's agents and its own server's.

use std::time::Duration;

use aws_lc_rs::digest;
use chrono::{DateTime, Datelike, TimeDelta, Timelike, Utc};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PublicKeyData, SanType, date_time_ymd,
};
use x509_parser::pem::parse_x509_pem;

use super::identity::SpiffeId;
use super::request::SigningRequest;

/// The organisation in an agent's certificate, by which the server knows what it is for.
pub(crate) const AGENTS: &str = "lattice:agents";

const AUTHORITY_LIFE: TimeDelta = TimeDelta::days(3650);
/// A year, as kubeadm gives to what it certifies.
const SERVER_LIFE: TimeDelta = TimeDelta::days(365);
/// Agents renew theirs long before, while they are connected.
const AGENT_LIFE: TimeDelta = TimeDelta::days(1);
/// Other machines' clocks may be behind.
const LEEWAY: TimeDelta = TimeDelta::hours(1);

/// What went wrong with certificates.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuthorityError {
    /// A stored authority cannot be read, or something cannot be signed.
    #[error("certificate authority: {0}")]
    Certificate(#[from] rcgen::Error),
    /// A certificate is none.
    #[error("the authority's certificate cannot be read")]
    Unreadable,
    /// What is kept of earlier authorities does not fit together.
    #[error("{earlier} earlier authorities are kept with {bridges} bridges")]
    Bridges {
        /// Certificates of earlier authorities.
        earlier: usize,
        /// Certificates that they gave their successors.
        bridges: usize,
    },
}

/// What people tell certificates by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// From when on it holds.
    pub since: DateTime<Utc>,
    /// Until when.
    pub until: DateTime<Utc>,
    /// SHA-256 of the certificate, as `openssl x509 -fingerprint -sha256` shows it.
    pub fingerprint: String,
}

impl Facts {
    /// Those of a certificate in PEM.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn of(certificate: &str) -> Result<Self, AuthorityError> {
        let unreadable = || AuthorityError::Unreadable;
        let (_, pem) = parse_x509_pem(certificate.as_bytes()).map_err(|_| unreadable())?;
        let parsed = pem.parse_x509().map_err(|_| unreadable())?;
        let time = |seconds| DateTime::from_timestamp(seconds, 0).ok_or_else(unreadable);
        let digest = digest::digest(&digest::SHA256, &pem.contents);
        let bytes = digest.as_ref().iter();
        let pairs: Vec<String> = bytes.map(|byte| format!("{byte:02X}")).collect();
        Ok(Self {
            since: time(parsed.validity().not_before.timestamp())?,
            until: time(parsed.validity().not_after.timestamp())?,
            fingerprint: pairs.join(":"),
        })
    }
}

/// A certificate authority with its key.
pub struct Authority {
    certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// A new authority of this name, P-256.
    ///
    /// # Errors
    /// If no key can be made.
    pub fn generate(name: &str, now: DateTime<Utc>) -> Result<Self, AuthorityError> {
        let params = authority(name, now);
        let key = KeyPair::generate()?;
        Ok(Authority {
            certificate: params.self_signed(&key)?.pem(),
            issuer: Issuer::new(params, key),
        })
    }

    /// A new authority that takes this one's place, and a certificate of the new one's key by this one, PEM: who trusts this one
    /// trusts, with that, what the new one certifies.
    ///
    /// # Errors
    /// If no key can be made, or nothing can be signed.
    pub fn succeeded(
        &self,
        name: &str,
        now: DateTime<Utc>,
    ) -> Result<(Self, String), AuthorityError> {
        let next = Self::generate(name, now)?;
        let mut params = authority(name, now);
        params.use_authority_key_identifier_extension = true;
        let bridge = self.sign(params, next.issuer.key())?;
        Ok((next, bridge))
    }

    /// An authority that was kept.
    ///
    /// # Errors
    /// If certificate or key cannot be read.
    pub fn from_pem(certificate: &str, key: &str) -> Result<Self, AuthorityError> {
        let key = KeyPair::from_pem(key)?;
        Ok(Authority {
            certificate: certificate.to_owned(),
            issuer: Issuer::from_ca_cert_pem(certificate, key)?,
        })
    }

    /// Its certificate, PEM, for all to see.
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// From when on it holds; nothing that it certifies holds from before.
    ///
    /// # Errors
    /// If its certificate cannot be read.
    pub fn since(&self) -> Result<DateTime<Utc>, AuthorityError> {
        Ok(Facts::of(&self.certificate)?.since)
    }

    /// Its key, PEM, to be kept where nobody else reads it.
    pub fn key(&self) -> String {
        self.issuer.key().serialize_pem()
    }

    /// Certifies an agent's key for the name that was asked for, of the LatticeCluster with this UID; that it may have
    /// the name is for [`admit`](super::admit) or [`standing`](super::standing) to say. Returns PEM.
    ///
    /// # Errors
    /// If it cannot be signed.
    pub fn certify_agent(
        &self,
        request: &SigningRequest,
        uid: &str,
        now: DateTime<Utc>,
    ) -> Result<String, AuthorityError> {
        let client = ExtendedKeyUsagePurpose::ClientAuth;
        let mut params = leaf(&request.name, client, now, AGENT_LIFE);
        let id = SpiffeId {
            cluster: request.name.clone(),
            uid: uid.to_owned(),
        };
        params.subject_alt_names = vec![SanType::URI(id.to_string().try_into()?)];
        params
            .distinguished_name
            .push(DnType::OrganizationName, AGENTS);
        self.sign(params, &request.key)
    }

    /// A key and certificate for the parent's own server, which is reached under these names and addresses:
    /// certificate and key, PEM.
    ///
    /// # Errors
    /// If a name is none, or nothing can be signed.
    pub fn certify_server(
        &self,
        hosts: &[String],
        now: DateTime<Utc>,
    ) -> Result<(String, String), AuthorityError> {
        let server = ExtendedKeyUsagePurpose::ServerAuth;
        let params = leaf("lattice-cell", server, now, SERVER_LIFE);
        self.certify_hosts(params, hosts)
    }

    /// The same for a webhook, valid as long as the authority: only the API server that the webhook belongs to trusts
    /// either, and nobody would renew it.
    ///
    /// # Errors
    /// If a name is none, or nothing can be signed.
    pub fn certify_webhook(
        &self,
        hosts: &[String],
        now: DateTime<Utc>,
    ) -> Result<(String, String), AuthorityError> {
        let server = ExtendedKeyUsagePurpose::ServerAuth;
        let params = leaf("webhook", server, now, AUTHORITY_LIFE);
        self.certify_hosts(params, hosts)
    }

    fn certify_hosts(
        &self,
        mut params: CertificateParams,
        hosts: &[String],
    ) -> Result<(String, String), AuthorityError> {
        params.subject_alt_names = CertificateParams::new(hosts)?.subject_alt_names;
        let key = KeyPair::generate()?;
        Ok((self.sign(params, &key)?, key.serialize_pem()))
    }

    fn sign(
        &self,
        params: CertificateParams,
        key: &impl PublicKeyData,
    ) -> Result<String, AuthorityError> {
        Ok(params.signed_by(key, &self.issuer)?.pem())
    }
}

fn authority(name: &str, now: DateTime<Utc>) -> CertificateParams {
    let mut params = valid(name, now, AUTHORITY_LIFE);
    // Those after it are certified by it, and certify in their turn.
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![
        KeyUsagePurpose::KeyCertSign,
        KeyUsagePurpose::DigitalSignature,
    ];
    params
}

fn leaf(
    name: &str,
    purpose: ExtendedKeyUsagePurpose,
    now: DateTime<Utc>,
    life: TimeDelta,
) -> CertificateParams {
    let mut params = valid(name, now, life);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![purpose];
    params.use_authority_key_identifier_extension = true;
    params
}

fn valid(name: &str, now: DateTime<Utc>, life: TimeDelta) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    let narrow = |number: u32| u8::try_from(number).unwrap_or(1);
    let second = |at: DateTime<Utc>| {
        let day = date_time_ymd(at.year(), narrow(at.month()), narrow(at.day()));
        day + Duration::from_secs(u64::from(at.num_seconds_from_midnight()))
    };
    params.not_before = second(now - LEEWAY);
    params.not_after = second(now + life);
    params
}
