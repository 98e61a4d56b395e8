//! How a new machine gets the credentials of its node: with a token that only allows asking for them.

use std::fs;
use std::path::Path;
use std::time::Duration;

use k8s_openapi::ByteString;
use k8s_openapi::api::certificates::v1::{
    CertificateSigningRequest, CertificateSigningRequestSpec,
};
use kube::api::{ObjectMeta, PostParams};
use kube::config::{AuthInfo, KubeConfigOptions, Kubeconfig, NamedAuthInfo};
use kube::{Api, Client, ResourceExt};
use rcgen::{CertificateParams, DnType, KeyPair};

use super::super::MachineError;

pub(super) const BOOTSTRAP: &str = "/etc/kubernetes/bootstrap-kubelet.conf";
pub(super) const KUBECONFIG: &str = "/etc/kubernetes/kubelet.conf";
const KEPT: &str = "/var/lib/kubelet/pki/kubelet-client-current.pem";
const SIGNER: &str = "kubernetes.io/kube-apiserver-client-kubelet";
/// How often an answer is looked for, and how many times before another request is made.
const ASK_EVERY: Duration = Duration::from_millis(500);
const ASK_TIMES: u32 = 120;

/// A client for what this kubeconfig says, and the host and port of its API server.
pub(super) async fn client(path: &Path) -> Result<(Client, (String, String)), MachineError> {
    let wrong = |error: Box<dyn std::error::Error + Send + Sync>| MachineError::Kubeconfig {
        path: path.to_owned(),
        source: error,
    };
    let kubeconfig = Kubeconfig::read_from(path).map_err(|error| wrong(error.into()))?;
    let options = KubeConfigOptions::default();
    let mut config = kube::Config::from_custom_kubeconfig(kubeconfig, &options)
        .await
        .map_err(|error| wrong(error.into()))?;
    config.proxy_url = None;
    let server = &config.cluster_url;
    let host = server.host().unwrap_or_default().to_owned();
    let port = server.port_u16().unwrap_or(443).to_string();
    let client = Client::try_from(config).map_err(|error| wrong(error.into()))?;
    Ok((client, (host, port)))
}

/// Asks for the node's credentials and writes its kubeconfig.
pub(super) async fn bootstrap(node: &str) -> Result<(), MachineError> {
    let requests: Api<CertificateSigningRequest> = Api::all(client(Path::new(BOOTSTRAP)).await?.0);
    let key = KeyPair::generate()?;
    let request = request(node, &key)?;
    let made = requests
        .create(&PostParams::default(), &request)
        .await
        .map_err(MachineError::api("ask for the node's certificate"))?;
    let name = made.name_any();
    for _ in 0..ASK_TIMES {
        tokio::time::sleep(ASK_EVERY).await;
        let seen = requests
            .get(&name)
            .await
            .map_err(MachineError::api("look for the node's certificate"))?;
        let certificate = seen.status.and_then(|status| status.certificate);
        if let Some(ByteString(certificate)) = certificate {
            return keep(node, &certificate, &key);
        }
    }
    Err(MachineError::Pod(format!(
        "nobody signed the certificate request {name}"
    )))
}

fn request(node: &str, key: &KeyPair) -> Result<CertificateSigningRequest, MachineError> {
    let mut params = CertificateParams::default();
    params
        .distinguished_name
        .push(DnType::OrganizationName, "system:nodes");
    let user = format!("system:node:{node}");
    params.distinguished_name.push(DnType::CommonName, user);
    let pem = params.serialize_request(key)?.pem()?;
    let usages = ["digital signature", "client auth"];
    Ok(CertificateSigningRequest {
        metadata: ObjectMeta {
            generate_name: Some("csr-".to_owned()),
            ..ObjectMeta::default()
        },
        spec: CertificateSigningRequestSpec {
            request: ByteString(pem.into_bytes()),
            signer_name: SIGNER.to_owned(),
            usages: Some(usages.map(str::to_owned).to_vec()),
            ..CertificateSigningRequestSpec::default()
        },
        status: None,
    })
}

/// Writes key and certificate, then the kubeconfig that names them: kubeadm goes on when that is there.
fn keep(node: &str, certificate: &[u8], key: &KeyPair) -> Result<(), MachineError> {
    let both = [certificate, key.serialize_pem().as_bytes()].concat();
    write_private(Path::new(KEPT), &both)?;
    let wrong =
        |path: &Path, error: Box<dyn std::error::Error + Send + Sync>| MachineError::Kubeconfig {
            path: path.to_owned(),
            source: error,
        };
    let from = Path::new(BOOTSTRAP);
    let mut kubeconfig = Kubeconfig::read_from(from).map_err(|error| wrong(from, error.into()))?;
    let user = format!("system:node:{node}");
    kubeconfig.auth_infos = vec![NamedAuthInfo {
        name: user.clone(),
        auth_info: Some(AuthInfo {
            client_certificate: Some(KEPT.to_owned()),
            client_key: Some(KEPT.to_owned()),
            ..AuthInfo::default()
        }),
        ..NamedAuthInfo::default()
    }];
    for context in &mut kubeconfig.contexts {
        if let Some(context) = &mut context.context {
            context.user = Some(user.clone());
        }
    }
    let to = Path::new(KUBECONFIG);
    let text = serde_saphyr::to_string(&kubeconfig).map_err(|error| wrong(to, error.into()))?;
    write_private(to, text.as_bytes())
}

fn write_private(path: &Path, content: &[u8]) -> Result<(), MachineError> {
    use std::os::unix::fs::OpenOptionsExt;
    let wrong = || MachineError::file("write", path);
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(wrong())?;
    }
    let next = path.with_extension("next");
    // It may be left over from a start that was cut short, and open to others.
    let _ = fs::remove_file(&next);
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&next)
        .map_err(wrong())?;
    std::io::Write::write_all(&mut file, content).map_err(wrong())?;
    fs::rename(&next, path).map_err(wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_request_is_one_that_is_approved_by_itself() {
        let key = KeyPair::generate().unwrap();
        let request = request("m-1", &key).unwrap();
        assert_eq!(request.spec.signer_name, SIGNER);
        assert!(
            request
                .spec
                .request
                .0
                .starts_with(b"-----BEGIN CERTIFICATE REQUEST-----")
        );
    }
}
