//! A machine's request to have its key certified.

use rcgen::{
    CertificateSigningRequestParams, DnType, DnValue, IsCa, PublicKey, PublicKeyData,
    SignatureAlgorithm,
};

use super::token::sha256;

/// Longest request that is looked at, bytes.
pub const LONGEST_REQUEST: usize = 16 * 1024;
/// Fewest bytes of an RSA public key's encoding: its modulus alone has 2048 bits.
const SHORTEST_RSA: usize = 256;

/// What is wrong with a request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// It is no request, or not signed by its own key.
    #[error(
        "the body is no PEM certificate signing request that its own key signed: {0}; make one with `openssl req -new`"
    )]
    Unreadable(String),
    /// It is too long.
    #[error("the certificate signing request is longer than {LONGEST_REQUEST} bytes")]
    TooLong,
    /// The key is of a sort that FIPS 186 does not approve, or too short.
    #[error("the key must be of ECDSA P-256 or P-384, or of RSA with 2048 bits or more")]
    Key,
    /// It asks for more than a client's certificate.
    #[error(
        "the certificate signing request asks for {0}; it may name the cluster as its common name, and nothing else"
    )]
    Beyond(&'static str),
    /// It names nobody.
    #[error("the certificate signing request has no common name; it must be the cluster's")]
    Nameless,
}

/// A request that is signed by its own key and asks for no more than a name.
#[derive(Debug)]
pub struct SigningRequest {
    /// The name that it asks for.
    pub(crate) name: String,
    pub(crate) key: PublicKey,
}

impl SigningRequest {
    /// Reads a request and verifies that its own key signed it.
    ///
    /// # Errors
    /// If it is no such request, its key is not approved, or it asks for more than a name.
    pub fn from_pem(text: &str) -> Result<Self, RequestError> {
        if text.len() > LONGEST_REQUEST {
            return Err(RequestError::TooLong);
        }
        let CertificateSigningRequestParams { params, public_key } =
            CertificateSigningRequestParams::from_pem(text)
                .map_err(|error| RequestError::Unreadable(error.to_string()))?;
        if !is_approved(&public_key) {
            return Err(RequestError::Key);
        }
        if !matches!(params.is_ca, IsCa::NoCa | IsCa::ExplicitNoCa) {
            return Err(RequestError::Beyond("a certificate authority"));
        }
        if !params.subject_alt_names.is_empty() {
            return Err(RequestError::Beyond("other names"));
        }
        if params.distinguished_name.iter().count() > 1 {
            return Err(RequestError::Beyond("a subject of several parts"));
        }
        match params.distinguished_name.get(&DnType::CommonName) {
            Some(DnValue::Utf8String(name)) => Ok(SigningRequest {
                name: name.clone(),
                key: public_key,
            }),
            Some(DnValue::PrintableString(name)) => Ok(SigningRequest {
                name: name.as_str().to_owned(),
                key: public_key,
            }),
            Some(_) => Err(RequestError::Beyond("a name in an old encoding")),
            None => Err(RequestError::Nameless),
        }
    }

    /// SHA-256 of the key, in hexadecimal.
    pub fn key_digest(&self) -> String {
        sha256(self.key.der_bytes())
    }
}

fn is_approved(key: &PublicKey) -> bool {
    let algorithm = key.algorithm();
    let is = |approved: &[&'static SignatureAlgorithm]| approved.contains(&algorithm);
    is(&[
        &rcgen::PKCS_ECDSA_P256_SHA256,
        &rcgen::PKCS_ECDSA_P384_SHA384,
    ]) || (is(&[
        &rcgen::PKCS_RSA_SHA256,
        &rcgen::PKCS_RSA_SHA384,
        &rcgen::PKCS_RSA_SHA512,
    ]) && key.der_bytes().len() >= SHORTEST_RSA)
}
