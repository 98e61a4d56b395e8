//! The cell's certificate authority, kept in a Secret.

use chrono::{DateTime, Utc};
use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::{
    Api, Client,
    api::{ObjectMeta, PostParams},
};

use super::error::BootstrapError;
use crate::{clusters::bootstrap::Authority, operator::decision_log::NAMESPACE};

const NAME: &str = "lattice-cell-authority";
const CERTIFICATE: &str = "tls.crt";
const PRIVATE_KEY: &str = "tls.key";

/// The authority that was made before, or a new one. Of two that make one at the same time, one wins and both
/// have that.
pub(crate) async fn ensure(
    client: &Client,
    now: DateTime<Utc>,
) -> Result<Authority, BootstrapError> {
    let secrets: Api<Secret> = Api::namespaced(client.clone(), NAMESPACE);
    if let Some(secret) = secrets.get_opt(NAME).await? {
        return read(&secret);
    }
    let authority = Authority::generate("lattice-cell-authority", now)?;
    let secret = Secret {
        metadata: ObjectMeta {
            name: Some(NAME.to_owned()),
            ..ObjectMeta::default()
        },
        string_data: Some(
            [
                (CERTIFICATE.to_owned(), authority.certificate().to_owned()),
                (PRIVATE_KEY.to_owned(), authority.key()),
            ]
            .into(),
        ),
        type_: Some("kubernetes.io/tls".to_owned()),
        ..Secret::default()
    };
    match secrets.create(&PostParams::default(), &secret).await {
        Ok(_) => Ok(authority),
        Err(kube::Error::Api(status)) if status.is_already_exists() => {
            read(&secrets.get(NAME).await?)
        }
        Err(error) => Err(error.into()),
    }
}

fn read(secret: &Secret) -> Result<Authority, BootstrapError> {
    Ok(Authority::from_pem(
        &text(secret, CERTIFICATE)?,
        &text(secret, PRIVATE_KEY)?,
    )?)
}

fn text(secret: &Secret, key: &'static str) -> Result<String, BootstrapError> {
    let data = secret.data.as_ref().and_then(|data| data.get(key));
    let text = data.and_then(|ByteString(bytes)| String::from_utf8(bytes.clone()).ok());
    text.ok_or_else(|| BootstrapError::Missing {
        name: NAME.to_owned(),
        key,
    })
}
