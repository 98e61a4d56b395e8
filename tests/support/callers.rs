//! Whoever asks clusters through their cell.

use k8s_openapi::api::{
    authentication::v1::TokenRequest,
    core::v1::{ConfigMap, ServiceAccount},
};
use kube::{Api, Client, Config, api::PostParams, config::AuthInfo};
use serde_json::{Value, json};

use super::fleet;

/// A token of a service account of this name.
pub async fn token(client: &Client, name: &str) -> String {
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), "default");
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": "default"}});
    fleet::apply(client, &account).await;
    let request: TokenRequest = serde_json::from_value(json!({"spec": {"audiences": []}})).unwrap();
    let made = accounts
        .create_token_request(name, &PostParams::default(), &request)
        .await
        .unwrap();
    made.status.unwrap().token.unwrap()
}

pub async fn bind(client: &Client, name: &str, user: &str, rule: Value) {
    let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": name}, "rules": [rule]});
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}],
    });
    fleet::apply(client, &role).await;
    fleet::apply(client, &binding).await;
}

/// A client of a cluster below, by the cell's own word of where that is.
pub async fn through(parent: &Client, path: &str, token: &str) -> (Client, String, String) {
    let maps: Api<ConfigMap> = Api::namespaced(parent.clone(), "lattice-system");
    let map = fleet::eventually("the proxy's address", || async {
        maps.get_opt("lattice-cell").await.unwrap()
    })
    .await;
    let data = map.data.unwrap();
    let (url, authority) = (
        format!("https://{}{path}", data["proxy"]),
        data["ca.crt"].clone(),
    );
    let mut config = Config::new(url.parse().unwrap());
    let pem = rustls::pki_types::pem::PemObject::from_pem_slice(authority.as_bytes()).unwrap();
    let der: rustls::pki_types::CertificateDer = pem;
    config.root_cert = Some(vec![der.to_vec()]);
    config.auth_info = AuthInfo {
        token: Some(token.to_owned().into()),
        ..AuthInfo::default()
    };
    config.proxy_url = None;
    (Client::try_from(config).unwrap(), url, authority)
}
