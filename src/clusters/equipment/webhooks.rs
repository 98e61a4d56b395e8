//! Who serves webhooks, and whom their callers trust.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use serde_json::Value;

/// Key of a serving certificate's Secret with the certificate, PEM.
pub const CERTIFICATE_KEY: &str = "tls.crt";
/// Its key with the private key, PEM.
pub const KEY_KEY: &str = "tls.key";
/// Its key with the authority that signed the certificate, PEM.
pub const ROOT_KEY: &str = "ca.crt";

/// A Service behind which webhooks are served.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Endpoint {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub service: String,
}

impl Endpoint {
    /// The Secret with the serving certificate, as all of Cluster API's providers name it.
    pub fn secret(&self) -> String {
        format!("{}-cert", self.service)
    }

    /// The names under which API servers call it.
    pub fn hosts(&self) -> Vec<String> {
        let host = format!("{}.{}.svc", self.service, self.namespace);
        vec![format!("{host}.cluster.local"), host]
    }
}

/// Where the object has callers sent.
pub(super) fn endpoints(object: &Value) -> Vec<Endpoint> {
    let mut object = object.clone();
    clients(&mut object)
        .into_iter()
        .filter_map(endpoint)
        .collect()
}

/// Has the callers trust these authorities.
pub(super) fn trust(object: &mut Value, authorities: &BTreeMap<Endpoint, String>) {
    for client in clients(object) {
        let authority = endpoint(client).and_then(|endpoint| authorities.get(&endpoint));
        if let Some(authority) = authority {
            let bytes = ByteString(authority.as_bytes().to_vec());
            client["caBundle"] = serde_json::to_value(bytes).unwrap_or_default();
        }
    }
}

/// The `clientConfig` of each webhook of an object.
fn clients(object: &mut Value) -> Vec<&mut Value> {
    if object["kind"] == "CustomResourceDefinition" {
        let client = object.pointer_mut("/spec/conversion/webhook/clientConfig");
        return client.into_iter().collect();
    }
    let hooks = object.get_mut("webhooks").and_then(Value::as_array_mut);
    let hooks = hooks.into_iter().flatten();
    hooks
        .filter_map(|hook| hook.get_mut("clientConfig"))
        .collect()
}

fn endpoint(client: &mut Value) -> Option<Endpoint> {
    let service = client.get("service")?;
    Some(Endpoint {
        namespace: service["namespace"].as_str()?.to_owned(),
        service: service["name"].as_str()?.to_owned(),
    })
}
