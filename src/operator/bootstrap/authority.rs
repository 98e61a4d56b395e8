//! The cell's certificate authorities, kept in a Secret.

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::{
    Api, Client,
    api::{ObjectMeta, PostParams},
};
use tokio::{sync::watch, time::sleep};
use tokio_util::sync::CancellationToken;

use super::error::BootstrapError;
use crate::{
    clusters::bootstrap::{Authorities, Authority, AuthorityError, Earlier},
    operator::decision_log::NAMESPACE,
};

const NAME: &str = "lattice-cell-authority";
const CERTIFICATE: &str = "tls.crt";
const PRIVATE_KEY: &str = "tls.key";
const EARLIER: &str = "earlier.crt";
const BRIDGES: &str = "bridges.crt";
/// Certificates from before this time do not count.
const SINCE: &str = "since";

/// How often it is looked whether there is another authority.
const LOOK: Duration = Duration::from_secs(5);
/// How often servers make their certificates anew.
const RENEWAL: Duration = Duration::from_secs(24 * 60 * 60);

/// The authorities as they are now, for as long as somebody looks after them.
#[derive(Clone)]
pub(crate) struct Kept(watch::Receiver<Arc<Authorities>>);

impl Kept {
    /// Those that were made before, or a new one. Until the stop it is looked whether there are others.
    pub(crate) async fn follow(
        client: &Client,
        stop: &CancellationToken,
    ) -> Result<Self, BootstrapError> {
        let first = Arc::new(ensure(client, Utc::now()).await?);
        let (shown, seen) = watch::channel(first);
        let secrets = secrets(client);
        let looking = async move {
            loop {
                sleep(LOOK).await;
                let found = async { read(&secrets.get(NAME).await?) };
                match found.await {
                    Ok(found) => {
                        let known = Arc::clone(&shown.borrow());
                        let is_new =
                            (found.trusted(), found.since()) != (known.trusted(), known.since());
                        if is_new {
                            tracing::info!("the cell has another authority");
                            shown.send_replace(Arc::new(found));
                        }
                    }
                    Err(error) => tracing::warn!(%error, "the cell's authority cannot be read"),
                }
            }
        };
        tokio::spawn(stop.clone().run_until_cancelled_owned(looking));
        Ok(Self(seen))
    }

    /// Those of now.
    pub(crate) fn now(&self) -> Arc<Authorities> {
        Arc::clone(&self.0.borrow())
    }

    /// Chain and key for a server that is reached under these names and addresses, PEM.
    pub(crate) fn certify(&self, hosts: &[String]) -> Result<(String, String), AuthorityError> {
        self.now().certify_server(hosts, Utc::now())
    }

    /// Returns when a server's certificate is to be made anew.
    pub(crate) async fn renewal(&mut self) {
        tokio::select! {
            () = sleep(RENEWAL) => {}
            // When nobody looks any more, the server is about to end too.
            Ok(()) = self.0.changed() => {}
        }
    }
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Kept(…)")
    }
}

/// Has the cell certify by a new authority. Whoever knows one of those before is still known, and still knows the cell.
pub(crate) async fn rotate(client: &Client) -> Result<Authorities, BootstrapError> {
    let now = Utc::now();
    // Told apart by their names too, in what tools show of certificates.
    let name = format!("{NAME} {}", now.format("%Y-%m-%dT%H:%M:%SZ"));
    change(client, |all| all.rotated(&name, now)).await
}

/// Has the cell know its present authority alone. Who has a certificate of another one has to register anew.
pub(crate) async fn forget(client: &Client) -> Result<Authorities, BootstrapError> {
    change(client, Authorities::alone).await
}

/// Those that are there, if any.
pub(crate) async fn look(client: &Client) -> Result<Option<Authorities>, BootstrapError> {
    let found = secrets(client).get_opt(NAME).await?;
    found.as_ref().map(read).transpose()
}

async fn change(
    client: &Client,
    to: impl FnOnce(Authorities) -> Result<Authorities, AuthorityError>,
) -> Result<Authorities, BootstrapError> {
    let secrets = secrets(client);
    let mut secret = secrets.get(NAME).await?;
    let changed = to(read(&secret)?)?;
    secret.data = None;
    secret.string_data = Some(written(&changed));
    // Under the version that was read: of two at a time one is told to try again.
    let params = PostParams::default();
    match secrets.replace(NAME, &params, &secret).await {
        Ok(_) => Ok(changed),
        Err(kube::Error::Api(status)) if status.is_conflict() => {
            Err(BootstrapError::Contended(NAME.to_owned()))
        }
        Err(error) => Err(error.into()),
    }
}

/// Of two that make one at the same time, one wins and both have that.
async fn ensure(client: &Client, now: DateTime<Utc>) -> Result<Authorities, BootstrapError> {
    let secrets = secrets(client);
    if let Some(found) = look(client).await? {
        return Ok(found);
    }
    let made = Authorities::new(Authority::generate(NAME, now)?, Vec::new());
    let secret = Secret {
        metadata: ObjectMeta {
            name: Some(NAME.to_owned()),
            ..ObjectMeta::default()
        },
        string_data: Some(written(&made)),
        type_: Some("kubernetes.io/tls".to_owned()),
        ..Secret::default()
    };
    match secrets.create(&PostParams::default(), &secret).await {
        Ok(_) => Ok(made),
        Err(kube::Error::Api(status)) if status.is_already_exists() => {
            read(&secrets.get(NAME).await?)
        }
        Err(error) => Err(error.into()),
    }
}

fn secrets(client: &Client) -> Api<Secret> {
    Api::namespaced(client.clone(), NAMESPACE)
}

fn written(all: &Authorities) -> BTreeMap<String, String> {
    let of = |text: fn(&Earlier) -> &str| all.earlier().iter().map(text).collect();
    let mut written = BTreeMap::from([
        (
            CERTIFICATE.to_owned(),
            all.current().certificate().to_owned(),
        ),
        (PRIVATE_KEY.to_owned(), all.current().key()),
    ]);
    if !all.earlier().is_empty() {
        written.insert(EARLIER.to_owned(), of(|one| &one.certificate));
        written.insert(BRIDGES.to_owned(), of(|one| &one.bridge));
    }
    if let Some(since) = all.since() {
        written.insert(SINCE.to_owned(), since.to_rfc3339());
    }
    written
}

fn read(secret: &Secret) -> Result<Authorities, BootstrapError> {
    let pair = (text(secret, CERTIFICATE), text(secret, PRIVATE_KEY));
    let missing = |key| BootstrapError::Missing {
        name: NAME.to_owned(),
        key,
    };
    let certificate = pair.0.ok_or_else(|| missing(CERTIFICATE))?;
    let key = pair.1.ok_or_else(|| missing(PRIVATE_KEY))?;
    let earlier = text(secret, EARLIER).unwrap_or_default();
    let bridges = text(secret, BRIDGES).unwrap_or_default();
    let all = Authorities::from_pem((&certificate, &key), (&earlier, &bridges))?;
    let since = text(secret, SINCE).map(|since| {
        // What cannot be read lets nobody in: whoever wrote it meant to keep somebody out.
        let read = DateTime::parse_from_rfc3339(since.trim());
        read.map_or(DateTime::<Utc>::MAX_UTC, |since| since.to_utc())
    });
    Ok(all.with_since(since))
}

fn text(secret: &Secret, key: &str) -> Option<String> {
    let data = secret.data.as_ref().and_then(|data| data.get(key));
    data.and_then(|ByteString(bytes)| String::from_utf8(bytes.clone()).ok())
}
