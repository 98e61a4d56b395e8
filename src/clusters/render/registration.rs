//! How a new cluster tells its parent that it is there.
//!
//! The first machine of the control plane calls the parent's webhook and applies the manifests that it answers with.
//! Where the parent is, its CA and the token come from a Secret: nothing secret is in a spec, and no spec changes when
//! one of them does, so that no machine is ever replaced for it.

use serde_json::{Value, json};

/// Path of the parent's webhook.
pub const REGISTER_PATH: &str = "/api/clusters/register";

/// Key of the registration Secret with the webhook's URL, as [`register_url`] makes it.
pub const URL_KEY: &str = "url";

/// Key of the registration Secret with the CA bundle, in PEM, that the webhook's certificate has to be of.
pub const CA_KEY: &str = "ca.crt";

/// Key of the registration Secret with the token that the call carries.
pub const TOKEN_KEY: &str = "token";

/// Where the files are on the machine.
const FOLDER: &str = "/etc/kubernetes/lattice";

/// The Secret in the cluster's namespace with what a cluster needs to call its parent.
///
/// It has to stay there, and to move with the cluster: Cluster API reads it for each new machine of the control plane.
pub fn registration_secret(cluster: &str) -> String {
    format!("{cluster}-registration")
}

/// The URL of a parent's webhook.
pub fn register_url(host: &str, port: u16) -> String {
    let host = match host.contains(':') && !host.starts_with('[') {
        true => format!("[{host}]"),
        false => host.to_owned(),
    };
    format!("https://{host}:{port}{REGISTER_PATH}")
}

/// How a machine of the control plane reaches its own API server.
#[derive(Clone, Copy, Debug)]
pub(super) struct Access {
    pub kubectl: &'static str,
    pub kubeconfig: &'static str,
}

/// The files that the call needs, as Cluster API's bootstrap providers take them.
pub(super) fn files(cluster: &str, access: Access) -> Vec<Value> {
    let secret = registration_secret(cluster);
    let mut files: Vec<Value> = [URL_KEY, CA_KEY, TOKEN_KEY]
        .iter()
        .map(|key| {
            json!({
                "path": format!("{FOLDER}/{key}"),
                "owner": "root:root",
                "permissions": "0600",
                "contentFrom": {"secret": {"name": secret, "key": key}},
            })
        })
        .collect();
    files.push(json!({
        "path": format!("{FOLDER}/register.sh"),
        "owner": "root:root",
        "permissions": "0700",
        "content": script(cluster, access),
    }));
    files
}

/// The command that calls the parent.
pub(super) fn command() -> String {
    format!("/bin/sh {FOLDER}/register.sh")
}

fn script(cluster: &str, access: Access) -> String {
    SCRIPT
        .replace("@FOLDER@", FOLDER)
        .replace("@CLUSTER@", cluster)
        .replace("@KUBECTL@", access.kubectl)
        .replace("@KUBECONFIG@", access.kubeconfig)
}

/// Does nothing where the cluster is registered already, so it may run twice, and on further machines of the control plane.
const SCRIPT: &str = include_str!("register.sh");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_has_no_gaps_and_no_secret() {
        let access = Access {
            kubectl: "kubectl",
            kubeconfig: "/etc/kubernetes/admin.conf",
        };
        let files = files("prod", access);
        let script = files[3]["content"].as_str().unwrap();
        for gap in ["@FOLDER@", "@CLUSTER@", "@KUBECTL@", "@KUBECONFIG@"] {
            assert!(!script.contains(gap), "{gap}");
        }
        for file in &files[..3] {
            assert!(file.get("content").is_none());
            assert_eq!(file["contentFrom"]["secret"]["name"], "prod-registration");
        }
    }

    #[test]
    fn a_url_names_host_port_and_path() {
        assert_eq!(
            register_url("cell.example.com", 8443),
            "https://cell.example.com:8443/api/clusters/register"
        );
        assert!(register_url("fd00::1", 1).starts_with("https://[fd00::1]:1/"));
    }
}
