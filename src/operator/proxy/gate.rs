//! Who may ask clusters below: whoever the cell's own API server knows and lets.

use k8s_openapi::api::{
    authentication::v1::{TokenReview, TokenReviewSpec, UserInfo},
    authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec},
};
use kube::{Api, Client, api::PostParams};

use crate::agent::{
    proto::{Caller, Extra},
    proxy::ProxyError,
};

/// What a caller needs: verbs on `latticeclusters/proxy` in the group `lattice.dev`, for the cluster's name.
const GROUP: &str = "lattice.dev";
const RESOURCE: &str = "latticeclusters";
const SUBRESOURCE: &str = "proxy";

/// Who shows this token.
pub(super) async fn caller(client: &Client, token: &str) -> Result<Caller, ProxyError> {
    let reviews: Api<TokenReview> = Api::all(client.clone());
    let review = TokenReview {
        spec: TokenReviewSpec {
            token: token.to_owned(),
            ..TokenReviewSpec::default()
        },
        ..TokenReview::default()
    };
    let reviewed = reviews.create(&PostParams::default(), &review).await;
    let status = reviewed.map_err(unavailable)?.status.unwrap_or_default();
    match (status.authenticated, status.user) {
        (Some(true), Some(user)) => Ok(of(user)),
        _ => Err(ProxyError::new(
            401,
            "the token is not known to the cell's API server",
        )),
    }
}

fn of(user: UserInfo) -> Caller {
    let extra = user.extra.unwrap_or_default().into_iter();
    Caller {
        user: user.username.unwrap_or_default(),
        uid: user.uid.unwrap_or_default(),
        groups: user.groups.unwrap_or_default(),
        extra: extra.map(|(key, values)| Extra { key, values }).collect(),
    }
}

/// Lets a caller through to a cluster, or not.
pub(super) async fn authorize(
    client: &Client,
    caller: &Caller,
    method: &str,
    cluster: &str,
) -> Result<(), ProxyError> {
    let verb = verb(method)?;
    let extra = caller.extra.iter();
    let review = SubjectAccessReview {
        spec: SubjectAccessReviewSpec {
            user: Some(caller.user.clone()),
            uid: Some(caller.uid.clone()),
            groups: Some(caller.groups.clone()),
            extra: Some(
                extra
                    .map(|extra| (extra.key.clone(), extra.values.clone()))
                    .collect(),
            ),
            resource_attributes: Some(ResourceAttributes {
                group: Some(GROUP.to_owned()),
                resource: Some(RESOURCE.to_owned()),
                subresource: Some(SUBRESOURCE.to_owned()),
                name: Some(cluster.to_owned()),
                verb: Some(verb.to_owned()),
                ..ResourceAttributes::default()
            }),
            ..SubjectAccessReviewSpec::default()
        },
        ..SubjectAccessReview::default()
    };
    let reviews: Api<SubjectAccessReview> = Api::all(client.clone());
    let reviewed = reviews.create(&PostParams::default(), &review).await;
    let status = reviewed.map_err(unavailable)?.status.unwrap_or_default();
    if status.allowed && status.denied != Some(true) {
        return Ok(());
    }
    let user = &caller.user;
    Err(ProxyError::new(
        403,
        format!(
            "{user} may not {verb} {RESOURCE}/{SUBRESOURCE} of {GROUP} for {cluster}: bind a role that lets them"
        ),
    ))
}

fn verb(method: &str) -> Result<&'static str, ProxyError> {
    Ok(match method {
        "GET" | "HEAD" | "OPTIONS" => "get",
        "POST" => "create",
        "PUT" => "update",
        "PATCH" => "patch",
        "DELETE" => "delete",
        _ => {
            return Err(ProxyError::new(
                405,
                format!("{method} is no method of an API server"),
            ));
        }
    })
}

fn unavailable(error: kube::Error) -> ProxyError {
    tracing::warn!(%error, "a caller could not be reviewed");
    ProxyError::new(503, "the cell's API server does not answer who may ask")
}
