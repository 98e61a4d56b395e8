//! The cloud's API, from the outside.

use std::time::Duration;

use http::{Method, Request};
use serde::Serialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::json;

use super::model::{Credential, EndpointView, Fault, MachineRequest, MachineView};
use super::store::Access;

const PATIENCE: Duration = Duration::from_secs(10);

/// Why an answer is none.
#[derive(Debug, thiserror::Error)]
pub enum CloudClientError {
    /// The cloud says no.
    #[error("{message} ({reason})")]
    Refused {
        /// In one word.
        reason: String,
        /// In many.
        message: String,
        /// As a status code.
        code: u16,
    },
    /// There is no answer.
    #[error("the cloud at {url} does not answer: {message}")]
    Unreachable {
        /// Where it was looked for.
        url: String,
        /// Why.
        message: String,
    },
    /// The address is none.
    #[error("`{0}` is no address of a cloud")]
    Url(String),
}

impl CloudClientError {
    /// Whether what was asked for is not there.
    #[must_use]
    pub const fn is_absent(&self) -> bool {
        matches!(self, Self::Refused { code: 404, .. })
    }

    /// What it is, in one word.
    #[must_use]
    pub fn reason(&self) -> &str {
        match self {
            Self::Refused { reason, .. } => reason,
            Self::Unreachable { .. } => "CloudUnreachable",
            Self::Url(_) => "InvalidCredentials",
        }
    }
}

/// A client of one cloud, with one credential. The Kubernetes client does the work: the cloud's refusals have
/// the form of Kubernetes' own.
#[derive(Clone)]
pub struct CloudClient {
    inner: kube::Client,
    url: String,
}

impl CloudClient {
    /// A client for what this opens.
    ///
    /// # Errors
    /// If the address is none.
    pub fn new(access: &Access) -> Result<Self, CloudClientError> {
        let wrong = || CloudClientError::Url(access.url.clone());
        let mut config = kube::Config::new(access.url.parse().map_err(|_| wrong())?);
        config.auth_info.token = Some(access.token.clone().into());
        config.proxy_url = None;
        config.connect_timeout = Some(PATIENCE);
        config.read_timeout = Some(PATIENCE);
        Ok(Self {
            inner: kube::Client::try_from(config).map_err(|_| wrong())?,
            url: access.url.clone(),
        })
    }

    /// Asks for a machine.
    ///
    /// # Errors
    /// If the cloud refuses or does not answer; so for all that follow.
    pub async fn create(&self, request: &MachineRequest) -> Result<MachineView, CloudClientError> {
        self.ask(Method::POST, "/v1/machines", request).await
    }

    /// One machine.
    ///
    /// # Errors
    /// See [`CloudClient::create`].
    pub async fn get(&self, name: &str) -> Result<Option<MachineView>, CloudClientError> {
        match self
            .ask(Method::GET, &format!("/v1/machines/{name}"), &())
            .await
        {
            Err(error) if error.is_absent() => Ok(None),
            other => other.map(Some),
        }
    }

    /// All machines.
    ///
    /// # Errors
    /// See [`CloudClient::create`].
    pub async fn list(&self) -> Result<Vec<MachineView>, CloudClientError> {
        self.ask(Method::GET, "/v1/machines", &()).await
    }

    /// Lets a machine go. That there is none is fine.
    ///
    /// # Errors
    /// See [`CloudClient::create`].
    pub async fn delete(&self, name: &str) -> Result<(), CloudClientError> {
        let path = format!("/v1/machines/{name}");
        match self.ask::<IgnoredAny>(Method::DELETE, &path, &()).await {
            Err(error) if error.is_absent() => Ok(()),
            other => other.map(drop),
        }
    }

    /// `stop`, `start`, `cut` or `restore` a machine.
    ///
    /// # Errors
    /// See [`CloudClient::create`].
    pub async fn act(&self, name: &str, action: &str) -> Result<(), CloudClientError> {
        let path = format!("/v1/machines/{name}/{action}");
        self.ask::<IgnoredAny>(Method::POST, &path, &())
            .await
            .map(drop)
    }

    /// The endpoint of a cluster.
    ///
    /// # Errors
    /// See [`CloudClient::create`].
    pub async fn endpoint(&self, name: &str, port: u16) -> Result<EndpointView, CloudClientError> {
        let path = format!("/v1/endpoints/{name}");
        self.ask(Method::PUT, &path, &json!({"port": port})).await
    }

    /// Lets the endpoint of a cluster go.
    ///
    /// # Errors
    /// See [`CloudClient::create`].
    pub async fn release(&self, name: &str) -> Result<(), CloudClientError> {
        let path = format!("/v1/endpoints/{name}");
        self.ask::<IgnoredAny>(Method::DELETE, &path, &())
            .await
            .map(drop)
    }

    /// Breaks something.
    ///
    /// # Errors
    /// See [`CloudClient::create`].
    pub async fn fail(&self, fault: &Fault) -> Result<(), CloudClientError> {
        self.ask::<IgnoredAny>(Method::POST, "/v1/faults", fault)
            .await
            .map(drop)
    }

    /// Mends everything.
    ///
    /// # Errors
    /// See [`CloudClient::create`].
    pub async fn heal(&self) -> Result<(), CloudClientError> {
        self.ask::<IgnoredAny>(Method::DELETE, "/v1/faults", &())
            .await
            .map(drop)
    }

    /// Adds a credential or changes its quotas.
    ///
    /// # Errors
    /// See [`CloudClient::create`].
    pub async fn admit(&self, name: &str, quota: &Credential) -> Result<Access, CloudClientError> {
        self.ask(Method::PUT, &format!("/v1/credentials/{name}"), quota)
            .await
    }

    /// Makes a credential worthless.
    ///
    /// # Errors
    /// See [`CloudClient::create`].
    pub async fn revoke(&self, name: &str) -> Result<(), CloudClientError> {
        let path = format!("/v1/credentials/{name}");
        self.ask::<IgnoredAny>(Method::DELETE, &path, &())
            .await
            .map(drop)
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: &(impl Serialize + Sync),
    ) -> Result<T, CloudClientError> {
        let unreachable = |message: String| CloudClientError::Unreachable {
            url: self.url.clone(),
            message,
        };
        let body = serde_json::to_vec(body).map_err(|error| unreachable(error.to_string()))?;
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("Content-Type", "application/json")
            .body(body)
            .map_err(|error| unreachable(error.to_string()))?;
        let asked = tokio::time::timeout(PATIENCE, self.inner.request(request)).await;
        match asked {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(kube::Error::Api(status))) => Err(CloudClientError::Refused {
                reason: status.reason.clone(),
                message: status.message.clone(),
                code: status.code,
            }),
            Ok(Err(error)) => Err(unreachable(error.to_string())),
            Err(_) => Err(unreachable(format!(
                "no answer within {} s",
                PATIENCE.as_secs()
            ))),
        }
    }
}
