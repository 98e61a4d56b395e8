//! The one cryptographic provider of the process: aws-lc in its FIPS mode, or nothing.

use std::ffi::OsString;

use rustls::crypto::CryptoProvider;

/// What the Kubernetes client reads to act as somebody else, or to talk to somebody else. A debugging
/// aid of the client library that nobody may slip into a running operator.
const DEBUG_OVERRIDES: [&str; 3] = [
    "KUBE_RS_DEBUG_IMPERSONATE_USER",
    "KUBE_RS_DEBUG_IMPERSONATE_GROUP",
    "KUBE_RS_DEBUG_OVERRIDE_URL",
];

/// Why the process must not go on.
#[derive(Debug, thiserror::Error)]
pub enum CryptoError {
    /// The library is linked, but does not run in FIPS mode.
    #[error("the cryptographic library is not in FIPS mode: {0}")]
    NotInFipsMode(&'static str),
    /// Something else installed a provider first.
    #[error("another TLS provider, one without FIPS validation, was installed first")]
    ForeignProvider,
    /// A debugging aid of the Kubernetes client is switched on.
    #[error("{0} is set: it changes who or what the Kubernetes client talks as; unset it")]
    DebugOverride(&'static str),
}

/// Makes the FIPS provider the default of the process. To be called before anything opens a connection;
/// calling it again does no harm.
///
/// # Errors
/// If FIPS mode is not to be had, another provider is in place, or a `KUBE_RS_DEBUG_*` override is set.
pub fn install_fips_provider() -> Result<(), CryptoError> {
    refuse_overrides(|name| std::env::var_os(name))?;
    aws_lc_rs::try_fips_mode().map_err(CryptoError::NotInFipsMode)?;
    // Only the first call of a process succeeds; which provider won is what matters.
    let _ = rustls::crypto::default_fips_provider().install_default();
    match CryptoProvider::get_default() {
        Some(provider) if provider.fips() => Ok(()),
        _ => Err(CryptoError::ForeignProvider),
    }
}

fn refuse_overrides(lookup: impl Fn(&str) -> Option<OsString>) -> Result<(), CryptoError> {
    match DEBUG_OVERRIDES
        .iter()
        .find(|name| lookup(name).is_some_and(|value| !value.is_empty()))
    {
        Some(name) => Err(CryptoError::DebugOverride(name)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_provider_is_fips_and_installing_twice_is_fine() {
        install_fips_provider().unwrap();
        install_fips_provider().unwrap();
        assert!(CryptoProvider::get_default().unwrap().fips());
    }

    #[test]
    fn every_override_is_refused_by_name() {
        for name in DEBUG_OVERRIDES {
            let refused = refuse_overrides(|asked| (asked == name).then(|| OsString::from("x")));
            assert!(refused.unwrap_err().to_string().starts_with(name));
        }
        assert!(refuse_overrides(|_| None).is_ok());
        assert!(refuse_overrides(|_| Some(OsString::new())).is_ok());
    }
}
