#![allow(clippy::unwrap_used)]

use chrono::{DateTime, TimeDelta, Utc};
use k8s_openapi::ByteString;
use rcgen::{CertificateParams, DistinguishedName, DnType, IsCa, KeyPair, SignatureAlgorithm};
use rustls::RootCertStore;
use rustls::pki_types::{CertificateDer, UnixTime, pem::PemObject};
use rustls::server::WebPkiClientVerifier;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

use super::*;

fn now() -> DateTime<Utc> {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

fn hours(n: i64) -> TimeDelta {
    TimeDelta::hours(n)
}

fn asking(name: &str, change: impl FnOnce(&mut CertificateParams), key: &KeyPair) -> String {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    change(&mut params);
    params.serialize_request(key).unwrap().pem().unwrap()
}

fn request(name: &str, key: &KeyPair) -> SigningRequest {
    SigningRequest::from_pem(&asking(name, |_| {}, key)).unwrap()
}

fn token() -> Token {
    Token::new([7; 32])
}

fn grant() -> Grant {
    Grant::new("us-1", "uid-1", &token(), now(), hours(2))
}

#[test]
fn a_token_is_kept_by_its_digest_and_shown_to_nobody() {
    let (token, grant) = (token(), grant());
    assert_eq!(token.reveal().len(), 64);
    assert!(!format!("{token:?}").contains(token.reveal()));
    let kept = serde_json::to_string(&grant).unwrap();
    assert!(!kept.contains(token.reveal()));
    assert_eq!(serde_json::from_str::<Grant>(&kept).unwrap(), grant);
    // FIPS 180-4's own example.
    assert_eq!(
        Token::shown("abc").digest(),
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    );
}

#[test]
fn the_first_key_is_admitted_again_and_no_other_ever() {
    let (first, second) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let admitted =
        |grant: &Grant, key: &KeyPair, at| admit(Some(grant), &token(), &request("us-1", key), at);
    let fresh = grant();
    assert_eq!(admitted(&fresh, &first, now()), Ok(Admission::First));
    let digest = request("us-1", &first).key_digest();
    let used = fresh.used(&digest, "PEM", now());
    let later = now() + hours(1);
    assert_eq!(
        admitted(&used, &first, later),
        Ok(Admission::Again("PEM".into()))
    );
    assert_eq!(admitted(&used, &second, later), Err(Refusal::Used(now())));
    let end = now() + hours(2);
    assert_eq!(admitted(&used, &first, end), Err(Refusal::Expired(end)));
}

#[test]
fn a_wrong_token_is_told_no_more_than_an_unknown_cluster() {
    let key = KeyPair::generate().unwrap();
    let wrong = Token::new([8; 32]);
    // Even if the name, the time and the use would be refused as well.
    let used = grant().used("other", "PEM", now());
    for (grant, token) in [(Some(&used), wrong), (None, token())] {
        let refused = admit(grant, &token, &request("us-2", &key), now() + hours(9));
        assert_eq!(refused, Err(Refusal::Unknown));
    }
}

#[test]
fn the_key_is_certified_for_the_cluster_and_no_other_name() {
    let key = KeyPair::generate().unwrap();
    let refused = admit(Some(&grant()), &token(), &request("us-2", &key), now());
    let refused = refused.unwrap_err();
    assert_eq!(refused.reason(), "WrongName");
    assert_eq!(
        refused.to_string(),
        "the certificate signing request is for `us-2`, but the token is for `us-1`"
    );
}

#[test]
fn what_went_wrong_is_noted_once_and_a_guess_never() {
    let noted = grant().refused(&Refusal::Used(now()), now()).unwrap();
    let note = noted.refused.clone().unwrap();
    assert_eq!((note.reason.as_str(), note.at), ("TokenUsed", now()));
    assert_eq!(noted.clone().refused(&Refusal::Used(now()), now()), None);
    let other = noted.refused(&Refusal::Expired(now()), now()).unwrap();
    assert_eq!(other.refused.unwrap().reason, "TokenExpired");
    assert_eq!(grant().refused(&Refusal::Unknown, now()), None);
}

fn refused(text: &str) -> RequestError {
    SigningRequest::from_pem(text).unwrap_err()
}

#[test]
fn a_request_asks_for_a_name_and_nothing_else() {
    let key = KeyPair::generate().unwrap();
    let with = |change: &dyn Fn(&mut CertificateParams)| asking("us-1", |p| change(p), &key);
    let names = with(&|p| {
        p.subject_alt_names = CertificateParams::new(["us-2".to_owned()])
            .unwrap()
            .subject_alt_names;
    });
    assert_eq!(refused(&names), RequestError::Beyond("other names"));
    let authority = with(&|p| p.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained));
    assert_eq!(
        refused(&authority),
        RequestError::Beyond("a certificate authority")
    );
    let group = with(&|p| {
        p.distinguished_name
            .push(DnType::OrganizationName, "system:masters");
    });
    assert_eq!(
        refused(&group),
        RequestError::Beyond("a subject of several parts")
    );
    let nameless = with(&|p| p.distinguished_name = DistinguishedName::new());
    assert_eq!(refused(&nameless), RequestError::Nameless);
}

#[test]
fn what_is_no_request_of_an_approved_key_is_refused() {
    assert!(matches!(refused("hello"), RequestError::Unreadable(_)));
    assert_eq!(refused(&"x".repeat(20_000)), RequestError::TooLong);
    // Another key's signature.
    let text = asking("us-1", |_| {}, &KeyPair::generate().unwrap());
    let lines: Vec<&str> = text.lines().collect();
    let mut broken = lines.clone();
    let at = lines.len() - 2;
    let turned: String = lines[at].chars().rev().collect();
    broken[at] = &turned;
    assert!(matches!(
        refused(&broken.join("\n")),
        RequestError::Unreadable(_)
    ));
    let sort = |algorithm: &'static SignatureAlgorithm| {
        let key = KeyPair::generate_for(algorithm).unwrap();
        SigningRequest::from_pem(&asking("us-1", |_| {}, &key)).map(|_| ())
    };
    assert_eq!(sort(&rcgen::PKCS_ED25519), Err(RequestError::Key));
    assert_eq!(sort(&rcgen::PKCS_ECDSA_P384_SHA384), Ok(()));
}

#[test]
fn a_kept_authority_signs_what_its_certificate_verifies() {
    let made = Authority::generate("root", now()).unwrap();
    let kept = Authority::from_pem(made.certificate(), &made.key()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = kept
        .certify_agent(&request("us-1", &key), "uid-1", now())
        .unwrap();
    let der = CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap();
    let leaf = Leaf::from_der(&der).unwrap();
    assert_eq!(
        leaf.id.to_string(),
        "spiffe://cell.lattice.dev/cluster/us-1/uid-1"
    );
    assert!(leaf.not_before < now() && leaf.not_after == now() + TimeDelta::days(1));
    let verify = |authority: &Authority, at: DateTime<Utc>| {
        let mut roots = RootCertStore::empty();
        let root = CertificateDer::from_pem_slice(authority.certificate().as_bytes()).unwrap();
        roots.add(root).unwrap();
        let provider = Arc::new(rustls::crypto::default_fips_provider());
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
        let leaf = CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap();
        let at = Duration::from_secs(at.timestamp().try_into().unwrap());
        verifier
            .unwrap()
            .verify_client_cert(&leaf, &[], UnixTime::since_unix_epoch(at))
            .is_ok()
    };
    assert!(verify(&made, now()));
    assert!(verify(&made, now() + TimeDelta::hours(23)));
    assert!(!verify(&made, now() + TimeDelta::hours(25)));
    let foreign = Authority::generate("root", now()).unwrap();
    assert!(!verify(&foreign, now()));
}

#[test]
fn the_welcome_is_a_list_in_which_each_object_finds_what_it_needs() {
    let welcome = Welcome {
        cluster: "us-1".into(),
        certificate: "LEAF".into(),
        parent: Parent {
            endpoint: "root.example.com:8443".into(),
            authority: "ROOT".into(),
        },
        image: "registry.example.com/lattice:1".into(),
        registries: vec![Registry {
            name: "main".into(),
            docker_config: ByteString(b"{}".to_vec()),
        }],
        kinds: vec![json!({"kind": "CustomResourceDefinition"})],
        additions: vec![json!({"kind": "DaemonSet"})],
    };
    let list = welcome.list();
    let items = list["items"].as_array().unwrap();
    let kinds: Vec<&str> = items.iter().map(|i| i["kind"].as_str().unwrap()).collect();
    assert_eq!(
        kinds,
        [
            "Namespace",
            "CustomResourceDefinition",
            "Secret",
            "Secret",
            "ConfigMap",
            "DaemonSet",
            "ServiceAccount",
            "ClusterRoleBinding",
            "Deployment"
        ]
    );
    assert!(!list.to_string().contains("PRIVATE KEY"));
    let inputs = |welcome: &Welcome| {
        let list = welcome.list();
        let template = &list["items"][8]["spec"]["template"];
        template["metadata"]["annotations"]["lattice.dev/inputs"].clone()
    };
    let renewed = Welcome {
        certificate: "NEXT".into(),
        ..welcome.clone()
    };
    assert_eq!(inputs(&welcome), inputs(&welcome.clone()));
    assert_ne!(inputs(&welcome), inputs(&renewed));
}
