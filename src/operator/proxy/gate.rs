//! Who may ask clusters below: whoever the cell's own API server knows and lets.

use k8s_openapi::api::{
    authentication::v1::{TokenReview, TokenReviewSpec, UserInfo},
    authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec},
};
use kube::{Api, Client, api::PostParams};

use crate::agent::{
    proto::{Caller, Extra, RequestHead},
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

/// Lets a caller through to a cluster with a request, or not.
pub(super) async fn authorize(
    client: &Client,
    caller: &Caller,
    request: &RequestHead,
    cluster: &str,
) -> Result<(), ProxyError> {
    for verb in verbs(&request.method, request.upgrade)? {
        review(client, caller, verb, cluster).await?;
    }
    Ok(())
}

async fn review(
    client: &Client,
    caller: &Caller,
    verb: &str,
    cluster: &str,
) -> Result<(), ProxyError> {
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

/// What a request takes. A connection that becomes another carries what is no reading, whichever method it begins with: WebSockets
/// begin with GET. So API servers ask for `create` as well since Kubernetes 1.35 (KEP-4006).
fn verbs(method: &str, upgrade: bool) -> Result<Vec<&'static str>, ProxyError> {
    let verb = match method {
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
    };
    let further = (upgrade && verb != "create").then_some("create");
    Ok([verb].into_iter().chain(further).collect())
}

fn unavailable(error: kube::Error) -> ProxyError {
    tracing::warn!(%error, "a caller could not be reviewed");
    ProxyError::new(503, "the cell's API server does not answer who may ask")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_is_not_enough_where_bytes_go_both_ways() {
        assert_eq!(verbs("GET", false).unwrap(), ["get"]);
        assert_eq!(verbs("GET", true).unwrap(), ["get", "create"]);
        assert_eq!(verbs("POST", true).unwrap(), ["create"]);
        assert_eq!(verbs("DELETE", false).unwrap(), ["delete"]);
        assert_eq!(verbs("CONNECT", true).unwrap_err().status, 405);
    }
}
