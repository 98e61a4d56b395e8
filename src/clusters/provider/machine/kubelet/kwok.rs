//! kwok's part: the node's heartbeat, pods that are only pretended, and ports that are forwarded.
//!
//! kwok leaves alone the pods that run as processes here. It tells them by their images, so that there is no
//! moment in which it takes one for its own.

use std::path::Path;

use super::super::{MachineError, PROGRAMS, spec::MachineSpec};
use super::container::{Launch, Restart};
use super::join::KUBECONFIG;

/// kwok's node and pod stages, with a place for the images that are not its own.
const STAGES: &str = include_str!("kwok.yaml");
const IMAGES: &str = "KNOWN_IMAGES";
const KUBELET_PORT: u16 = 10250;

/// How kwok is started for the node of this machine.
pub(super) fn launch(
    node: &str,
    spec: &MachineSpec,
    folder: &Path,
) -> Result<Launch, MachineError> {
    let config = folder.join("kwok.yaml");
    std::fs::write(&config, configuration(spec)).map_err(MachineError::file("write", &config))?;
    let (certificate, key) = (folder.join("kubelet.crt"), folder.join("kubelet.key"));
    serving_certificate(node, spec, &certificate, &key)?;
    Ok(Launch {
        program: Path::new(PROGRAMS).join("kwok"),
        arguments: vec![
            format!("--kubeconfig={KUBECONFIG}"),
            format!("--config={}", config.display()),
            format!("--manage-single-node={node}"),
            format!("--node-name={node}"),
            format!("--node-ip={}", spec.address),
            format!("--node-port={KUBELET_PORT}"),
            format!("--tls-cert-file={}", certificate.display()),
            format!("--tls-private-key-file={}", key.display()),
            "--node-lease-duration-seconds=40".to_owned(),
        ],
        environment: vec![("HOME".to_owned(), folder.display().to_string())],
        log: folder.join("log/kwok.log"),
        restart: Restart::Always,
        card: None,
    })
}

fn configuration(spec: &MachineSpec) -> String {
    let names: Vec<&str> = spec.images.keys().map(String::as_str).collect();
    // A list without an entry is refused; no image has this name.
    let names = if names.is_empty() { vec!["-"] } else { names };
    let quoted: Vec<String> = names.iter().map(|name| format!("'{name}'")).collect();
    STAGES.replace(IMAGES, &quoted.join(", "))
}

/// A certificate that nobody vouches for, as a kubelet has by default.
fn serving_certificate(
    node: &str,
    spec: &MachineSpec,
    certificate: &Path,
    key: &Path,
) -> Result<(), MachineError> {
    let names = vec![node.to_owned(), spec.address.to_string()];
    let made = rcgen::generate_simple_self_signed(names)?;
    let pairs = [
        (certificate, made.cert.pem()),
        (key, made.signing_key.serialize_pem()),
    ];
    for (path, pem) in pairs {
        std::fs::write(path, pem).map_err(MachineError::file("write", path))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::spec;
    use super::*;

    #[test]
    fn the_configuration_keeps_off_known_images() {
        let text = configuration(&spec());
        assert!(text.contains("values: ['controller', 'etcd']"), "{text}");
        assert!(!text.contains(IMAGES));
        for document in text.split("\n---\n") {
            let value: serde_json::Value = serde_saphyr::from_str(document).unwrap();
            assert!(value["kind"].is_string(), "{document}");
        }
        let mut none = spec();
        none.images.clear();
        assert!(configuration(&none).contains("values: ['-']"));
    }
}
