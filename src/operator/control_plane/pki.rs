//! Certificates of one control plane.
//!
//! Two authorities, one for the API and one for the store, sign two leaves each. Neither authority's key is
//! kept: when a leaf is about to expire, or anything is missing, broken or readable by others, the whole set
//! is made anew. The service accounts' key is kept apart from that, so that their tokens survive a renewal.

use std::{fs, path::Path, sync::Arc, time::Duration};

use chrono::{DateTime, Datelike, Days, Utc};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use rustls::{
    RootCertStore,
    client::{WebPkiServerVerifier, danger::ServerCertVerifier},
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject},
    server::WebPkiClientVerifier,
    sign::CertifiedKey,
};

use super::{
    ControlPlaneError,
    layout::{Layout, Pair, is_private, write_private},
};

const VALID_DAYS: u64 = 365;
/// A control plane that starts with less than this left gets new certificates, so that it can run for a
/// month without a restart.
const RENEW_DAYS_BEFORE: u64 = 30;

/// The names under which the API server is reached.
const API_SERVER_NAMES: [&str; 6] = [
    "127.0.0.1",
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
];
const STORE_NAMES: [&str; 2] = ["127.0.0.1", "localhost"];

/// Makes sure that a complete, valid set is in the folder.
pub(crate) fn ensure(layout: &Layout, now: DateTime<Utc>) -> Result<(), ControlPlaneError> {
    if !is_usable(layout, now + Days::new(RENEW_DAYS_BEFORE)) {
        issue(layout, now)?;
    }
    let (path, public) = layout.service_accounts();
    let key = match signing_key(&path) {
        Some(key) => key,
        None => {
            let key = KeyPair::generate()?;
            write_private(&path, key.serialize_pem().as_bytes())?;
            key
        }
    };
    write_private(&public, key.public_key_pem().as_bytes())
}

fn issue(layout: &Layout, now: DateTime<Utc>) -> Result<(), ControlPlaneError> {
    let both = [
        ExtendedKeyUsagePurpose::ServerAuth,
        ExtendedKeyUsagePurpose::ClientAuth,
    ];
    let [serve, connect] = both.clone();
    let cluster = Authority::new("lattice-cluster", now)?;
    let server = leaf("kube-apiserver", None, &API_SERVER_NAMES, &[serve], now)?;
    cluster.sign(server, &layout.api_server())?;
    let administrator = leaf(
        "lattice-administrator",
        Some("system:masters"),
        &[],
        std::slice::from_ref(&connect),
        now,
    )?;
    cluster.sign(administrator, &layout.administrator())?;
    write_private(&layout.cluster_authority(), cluster.certificate.as_bytes())?;

    let store = Authority::new("lattice-store", now)?;
    // etcd is its own peer, and as such also a client of itself.
    store.sign(
        leaf("etcd", None, &STORE_NAMES, &both, now)?,
        &layout.store_server(),
    )?;
    let client = leaf("kube-apiserver", None, &[], &[connect], now)?;
    store.sign(client, &layout.store_client())?;
    write_private(&layout.store_authority(), store.certificate.as_bytes())
}

struct Authority {
    certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new(name: &str, now: DateTime<Utc>) -> Result<Self, ControlPlaneError> {
        let mut params = named(name, now);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![
            KeyUsagePurpose::KeyCertSign,
            KeyUsagePurpose::DigitalSignature,
        ];
        let key = KeyPair::generate()?;
        Ok(Self {
            certificate: params.self_signed(&key)?.pem(),
            issuer: Issuer::new(params, key),
        })
    }

    fn sign(&self, params: CertificateParams, pair: &Pair) -> Result<(), ControlPlaneError> {
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        write_private(&pair.key, key.serialize_pem().as_bytes())?;
        write_private(&pair.certificate, certificate.pem().as_bytes())
    }
}

fn leaf(
    name: &str,
    group: Option<&str>,
    hosts: &[&str],
    purposes: &[ExtendedKeyUsagePurpose],
    now: DateTime<Utc>,
) -> Result<CertificateParams, ControlPlaneError> {
    let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
    let mut params = named(name, now);
    params.subject_alt_names = CertificateParams::new(hosts)?.subject_alt_names;
    if let Some(group) = group {
        params
            .distinguished_name
            .push(DnType::OrganizationName, group);
    }
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = purposes.to_vec();
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

fn named(name: &str, now: DateTime<Utc>) -> CertificateParams {
    let day = |time: DateTime<Utc>| {
        let narrow = |number: u32| u8::try_from(number).unwrap_or(1);
        date_time_ymd(time.year(), narrow(time.month()), narrow(time.day()))
    };
    let mut params = CertificateParams::default();
    params.not_before = day(now - Days::new(1));
    params.not_after = day(now + Days::new(VALID_DAYS));
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

fn signing_key(path: &Path) -> Option<KeyPair> {
    let text = fs::read_to_string(path).ok()?;
    KeyPair::from_pem(&text).ok().filter(|_| is_private(path))
}

fn is_usable(layout: &Layout, at: DateTime<Utc>) -> bool {
    let Ok(seconds) = u64::try_from(at.timestamp()) else {
        return false;
    };
    let check = Check {
        at: UnixTime::since_unix_epoch(Duration::from_secs(seconds)),
        provider: Arc::new(rustls::crypto::default_fips_provider()),
    };
    let (cluster, store) = (layout.cluster_authority(), layout.store_authority());
    check.server(&cluster, &layout.api_server(), &API_SERVER_NAMES)
        && check.client(&cluster, &layout.administrator())
        && check.server(&store, &layout.store_server(), &STORE_NAMES)
        && check.client(&store, &layout.store_client())
}

/// Holds a pair against its authority the way its counterpart in a TLS handshake would.
struct Check {
    at: UnixTime,
    provider: Arc<CryptoProvider>,
}

impl Check {
    fn server(&self, authority: &Path, pair: &Pair, names: &[&str]) -> bool {
        let verify = || {
            let leaf = self.matching(pair)?;
            let verifier = WebPkiServerVerifier::builder_with_provider(
                roots(authority)?,
                self.provider.clone(),
            )
            .build()
            .ok()?;
            names
                .iter()
                .all(|name| {
                    ServerName::try_from(*name).is_ok_and(|name| {
                        verifier
                            .verify_server_cert(&leaf, &[], &name, &[], self.at)
                            .is_ok()
                    })
                })
                .then_some(())
        };
        verify().is_some()
    }

    fn client(&self, authority: &Path, pair: &Pair) -> bool {
        let verify = || {
            let leaf = self.matching(pair)?;
            WebPkiClientVerifier::builder_with_provider(roots(authority)?, self.provider.clone())
                .build()
                .ok()?
                .verify_client_cert(&leaf, &[], self.at)
                .ok()
        };
        verify().is_some()
    }

    /// The certificate, if the key beside it is its own and private.
    fn matching(&self, pair: &Pair) -> Option<CertificateDer<'static>> {
        if !is_private(&pair.key) {
            return None;
        }
        let certificate = CertificateDer::from_pem_file(&pair.certificate).ok()?;
        let key = PrivateKeyDer::from_pem_file(&pair.key).ok()?;
        CertifiedKey::from_der(vec![certificate.clone()], key, &self.provider).ok()?;
        Some(certificate)
    }
}

fn roots(authority: &Path) -> Option<Arc<RootCertStore>> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(authority).ok()?)
        .ok()?;
    Some(Arc::new(roots))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn prepared() -> (tempfile::TempDir, Layout, DateTime<Utc>) {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::prepare(folder.path()).unwrap();
        let now = Utc::now();
        ensure(&layout, now).unwrap();
        (folder, layout, now)
    }

    fn serving(layout: &Layout) -> Vec<u8> {
        fs::read(layout.api_server().certificate).unwrap()
    }

    fn accounts(layout: &Layout) -> (Vec<u8>, Vec<u8>) {
        let (key, public) = layout.service_accounts();
        (fs::read(key).unwrap(), fs::read(public).unwrap())
    }

    #[test]
    fn a_fresh_set_is_usable_private_and_kept() {
        let (_folder, layout, now) = prepared();
        assert!(is_usable(&layout, now));
        for entry in fs::read_dir(layout.pki()).unwrap() {
            assert!(is_private(&entry.unwrap().path()));
        }
        let (before, key) = (serving(&layout), accounts(&layout));
        ensure(&layout, now + Days::new(300)).unwrap();
        assert_eq!(serving(&layout), before);
        assert_eq!(accounts(&layout), key);
    }

    #[test]
    fn it_is_renewed_before_it_expires_but_the_accounts_key_stays() {
        let (_folder, layout, now) = prepared();
        let (before, key) = (serving(&layout), accounts(&layout));
        let later = now + Days::new(340);
        assert!(!is_usable(&layout, now + Days::new(366)));
        ensure(&layout, later).unwrap();
        assert_ne!(serving(&layout), before);
        assert!(is_usable(&layout, later));
        assert_eq!(accounts(&layout), key);
    }

    #[test]
    fn whatever_is_broken_missing_swapped_or_open_is_replaced() {
        let (_folder, layout, now) = prepared();
        let damages: [fn(&Layout); 6] = [
            |layout| fs::write(layout.cluster_authority(), "-----BEGIN").unwrap(),
            |layout| fs::remove_file(layout.administrator().key).unwrap(),
            |layout| fs::write(layout.store_server().certificate, "").unwrap(),
            |layout| {
                fs::copy(layout.store_client().key, layout.administrator().key).unwrap();
            },
            |layout| {
                fs::copy(layout.store_authority(), layout.cluster_authority()).unwrap();
            },
            |layout| {
                let open = fs::Permissions::from_mode(0o644);
                fs::set_permissions(layout.api_server().key, open).unwrap();
            },
        ];
        for (number, damage) in damages.into_iter().enumerate() {
            damage(&layout);
            assert!(!is_usable(&layout, now), "damage {number}");
            ensure(&layout, now).unwrap();
            assert!(is_usable(&layout, now), "after damage {number}");
        }
        let key = layout.service_accounts().0;
        fs::write(&key, "nonsense").unwrap();
        ensure(&layout, now).unwrap();
        assert!(signing_key(&key).is_some());
    }

    #[test]
    fn no_certificate_of_the_cluster_opens_the_store() {
        let (_folder, layout, now) = prepared();
        let check = Check {
            at: UnixTime::since_unix_epoch(Duration::from_secs(
                now.timestamp().try_into().unwrap(),
            )),
            provider: Arc::new(rustls::crypto::default_fips_provider()),
        };
        assert!(check.client(&layout.store_authority(), &layout.store_client()));
        assert!(!check.client(&layout.store_authority(), &layout.administrator()));
        assert!(!check.client(&layout.cluster_authority(), &layout.api_server()));
    }
}
