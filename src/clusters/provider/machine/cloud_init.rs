//! User data as cloud-init reads it: a template, then files to write and commands to run.
//!
//! What Cluster API's bootstrap provider generates is understood, and what people add to it there. Keys that
//! set up what a process has no use for (users, disks, clocks) are passed over and named.

use std::io::Read;
use std::path::PathBuf;

use flate2::read::GzDecoder;
use k8s_openapi::ByteString;
use serde::{Deserialize, Serialize};

/// The first line of user data that is a template.
const TEMPLATE: &str = "## template: jinja";
/// No file that a machine starts with is larger than this when unpacked.
const LARGEST_FILE: u64 = 64 << 20;
/// Keys that are acted on.
const KNOWN: [&str; 3] = ["write_files", "bootcmd", "runcmd"];

/// Why user data cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CloudInitError {
    /// The template is wrong, or names something that no machine has.
    #[error("the user data's template is wrong: {0}")]
    Template(#[from] minijinja::Error),
    /// What the template made is no cloud-config.
    #[error("the user data is no cloud-config: {0}")]
    Yaml(#[from] serde_saphyr::Error),
    /// The first line says that it is something else.
    #[error("the user data starts with `{0}`; only #cloud-config is understood")]
    Format(String),
    /// A file's content is not what its encoding says.
    #[error("the content of {} in write_files is not {encoding}", path.display())]
    Encoding {
        /// The file.
        path: PathBuf,
        /// What it is said to be.
        encoding: String,
    },
    /// A file's permissions are not an octal number.
    #[error("the permissions of {} in write_files are `{permissions}`, not an octal number", path.display())]
    Permissions {
        /// The file.
        path: PathBuf,
        /// What they are said to be.
        permissions: String,
    },
}

/// What a machine knows of itself, as templates name it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Metadata {
    /// Its host name.
    pub(crate) local_hostname: String,
    /// Its name at the provider.
    pub(crate) instance_id: String,
    /// What the provider calls it.
    pub(crate) provider_id: String,
    /// Its region, if it is in one.
    pub(crate) region: String,
    /// Its zone, if it is in one.
    pub(crate) zone: String,
    /// Its address.
    pub(crate) local_ipv4: String,
}

/// What a machine does when it first starts.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct CloudConfig {
    /// Files, in order.
    pub(crate) files: Vec<File>,
    /// Commands to run before everything else.
    pub(crate) boot_commands: Vec<Command>,
    /// Commands to run when the files are there.
    pub(crate) commands: Vec<Command>,
    /// Keys that have no meaning for a process.
    pub(crate) passed_over: Vec<String>,
}

/// A file to write.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct File {
    pub(crate) path: PathBuf,
    pub(crate) content: Vec<u8>,
    pub(crate) mode: u32,
    pub(crate) append: bool,
}

/// A command: a line for the shell, or words that it must take as they are.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub(crate) enum Command {
    Line(String),
    Words(Vec<String>),
}

#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    write_files: Vec<WriteFile>,
    #[serde(default)]
    bootcmd: Vec<Command>,
    #[serde(default)]
    runcmd: Vec<Command>,
}

#[derive(Deserialize)]
struct WriteFile {
    path: PathBuf,
    #[serde(default)]
    content: String,
    #[serde(default)]
    encoding: Option<String>,
    #[serde(default)]
    permissions: Option<String>,
    #[serde(default)]
    append: bool,
}

/// Reads user data for the machine with this metadata.
pub(crate) fn parse(user_data: &str, metadata: &Metadata) -> Result<CloudConfig, CloudInitError> {
    let text = match user_data.strip_prefix(TEMPLATE) {
        Some(template) => render(template, metadata)?,
        None => user_data.to_owned(),
    };
    let first = text.trim_start().lines().next().unwrap_or_default();
    if first.trim_end() != "#cloud-config" {
        return Err(CloudInitError::Format(first.chars().take(80).collect()));
    }
    let keys: std::collections::BTreeMap<String, serde::de::IgnoredAny> =
        serde_saphyr::from_str(&text)?;
    let document: Document = serde_saphyr::from_str(&text)?;
    let files: Result<Vec<File>, CloudInitError> =
        document.write_files.into_iter().map(file).collect();
    Ok(CloudConfig {
        files: files?,
        boot_commands: document.bootcmd,
        commands: document.runcmd,
        passed_over: keys
            .into_keys()
            .filter(|key| !KNOWN.contains(&key.as_str()))
            .collect(),
    })
}

fn render(template: &str, metadata: &Metadata) -> Result<String, CloudInitError> {
    let mut environment = minijinja::Environment::new();
    // A name that nobody knows would otherwise become nothing, and a broken machine.
    environment.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
    environment.set_keep_trailing_newline(true);
    let context = minijinja::context! {
        ds => minijinja::context! { meta_data => metadata },
        v1 => metadata,
    };
    Ok(environment.render_str(template, context)?)
}

fn file(entry: WriteFile) -> Result<File, CloudInitError> {
    let mode = match &entry.permissions {
        None => 0o644,
        Some(text) => u32::from_str_radix(text.trim_start_matches("0o"), 8).map_err(|_| {
            CloudInitError::Permissions {
                path: entry.path.clone(),
                permissions: text.clone(),
            }
        })?,
    };
    let encoding = entry.encoding.as_deref().unwrap_or("text/plain");
    let content = decode(encoding, &entry.content).ok_or_else(|| CloudInitError::Encoding {
        path: entry.path.clone(),
        encoding: encoding.to_owned(),
    })?;
    Ok(File {
        path: entry.path,
        content,
        mode,
        append: entry.append,
    })
}

fn decode(encoding: &str, content: &str) -> Option<Vec<u8>> {
    match encoding {
        "text/plain" => Some(content.as_bytes().to_vec()),
        "b64" | "base64" => from_base64(content),
        "gz" | "gzip" => unpack(content.as_bytes()),
        "gz+b64" | "gzip+b64" | "gz+base64" | "gzip+base64" => unpack(&from_base64(content)?),
        _ => None,
    }
}

fn from_base64(content: &str) -> Option<Vec<u8>> {
    let compact: String = content.split_whitespace().collect();
    let ByteString(bytes) = serde_json::from_value(compact.into()).ok()?;
    Some(bytes)
}

fn unpack(packed: &[u8]) -> Option<Vec<u8>> {
    let mut content = Vec::new();
    GzDecoder::new(packed)
        .take(LARGEST_FILE)
        .read_to_end(&mut content)
        .ok()?;
    Some(content)
}

/// The commands as one script, as cloud-init does it: one that fails does not stop the others.
pub(crate) fn script(commands: &[Command]) -> String {
    let mut text = String::from("#!/bin/sh\n");
    for command in commands {
        match command {
            Command::Line(line) => text.push_str(line.trim_end()),
            Command::Words(words) => {
                let quoted: Vec<String> = words.iter().map(|word| quote(word)).collect();
                text.push_str(&quoted.join(" "));
            }
        }
        text.push('\n');
    }
    text
}

fn quote(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata() -> Metadata {
        Metadata {
            local_hostname: "web-1".to_owned(),
            instance_id: "i-7".to_owned(),
            provider_id: "local:///i-7".to_owned(),
            region: "here".to_owned(),
            zone: "a".to_owned(),
            local_ipv4: "10.0.0.1".to_owned(),
        }
    }

    const GENERATED: &str = r#"## template: jinja
#cloud-config

write_files:
-   path: /etc/kubernetes/pki/ca.crt
    owner: root:root
    permissions: '0640'
    content: |
      -----BEGIN CERTIFICATE-----
      abc
-   path: /run/kubeadm/kubeadm.yaml
    owner: root:root
    permissions: '0640'
    content: |
      ---
      nodeRegistration:
        name: '{{ ds.meta_data.local_hostname }}'
-   path: /packed
    encoding: gzip+base64
    append: true
    content: H4sIAAAAAAAAA8tIzcnJBwCGphA2BQAAAA==
-   path: /plain
    encoding: base64
    content: aGVsbG8=
runcmd:
  - 'kubeadm init --config /run/kubeadm/kubeadm.yaml  && echo success > /run/cluster-api/bootstrap-success.complete'
  - [ "echo", "it's", "{{ v1.instance_id }}" ]
ntp:
  enabled: true
"#;

    #[test]
    fn what_cluster_api_generates_is_read() {
        let config = parse(GENERATED, &metadata()).unwrap();
        assert_eq!(config.files.len(), 4);
        assert_eq!(config.files[0].mode, 0o640);
        assert!(config.files[0].content.ends_with(b"abc\n"));
        let kubeadm = String::from_utf8(config.files[1].content.clone()).unwrap();
        assert_eq!(kubeadm, "---\nnodeRegistration:\n  name: 'web-1'\n");
        assert_eq!(config.files[2].content, b"hello");
        assert!(config.files[2].append);
        assert_eq!(config.files[3].content, b"hello");
        assert_eq!(config.files[3].mode, 0o644);
        assert_eq!(config.passed_over, ["ntp"]);
        let script = script(&config.commands);
        assert_eq!(
            script.lines().nth(1).unwrap(),
            "kubeadm init --config /run/kubeadm/kubeadm.yaml  && echo success > /run/cluster-api/bootstrap-success.complete"
        );
        assert_eq!(script.lines().nth(2).unwrap(), r"'echo' 'it'\''s' 'i-7'");
    }

    #[test]
    fn without_the_first_line_nothing_is_replaced() {
        let config = parse("#cloud-config\nruncmd: ['echo {{ x }}']\n", &metadata()).unwrap();
        assert_eq!(config.commands, [Command::Line("echo {{ x }}".to_owned())]);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, words) in [
            ("#!/bin/sh\n", "starts with `#!/bin/sh`"),
            (
                "## template: jinja\n#cloud-config\nruncmd: ['{{ ds.nothing }}']",
                "template",
            ),
            ("#cloud-config\nruncmd: 7\n", "no cloud-config"),
            (
                "#cloud-config\nwrite_files: [{path: /a, content: '%', encoding: b64}]\n",
                "/a in write_files is not b64",
            ),
            (
                "#cloud-config\nwrite_files: [{path: /a, permissions: rw}]\n",
                "`rw`, not an octal number",
            ),
        ] {
            let error = parse(text, &metadata()).unwrap_err().to_string();
            assert!(error.contains(words), "{text}: {error}");
        }
    }
}
