//! What machines are made of: programs of the host, and the images that stand for them.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::CloudError;

/// Without these there is no machine.
const NEEDED: [&str; 8] = [
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubeadm",
    "kubectl",
    "kwok",
    "lattice",
];
/// What else is given to machines where it is found. Images of these names run them.
const WANTED: [&str; 3] = [
    "cluster-api-controller",
    "kubeadm-bootstrap-controller",
    "kubeadm-control-plane-controller",
];
/// What another version of Kubernetes brings; the rest is the same for all.
const RELEASE: [&str; 4] = [
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubeadm",
];
/// Programs that are no images: what a machine has beside its containers.
const TOOLS: [&str; 3] = ["kubeadm", "kubectl", "kwok"];

/// The programs of a machine.
#[derive(Clone, Debug)]
pub struct Programs {
    /// Where each is.
    paths: BTreeMap<String, PathBuf>,
    /// Which of them an image stands for.
    pub(crate) images: BTreeMap<String, String>,
    /// The Kubernetes version that they are of.
    version: String,
    /// Those of other versions, by version.
    releases: BTreeMap<String, BTreeMap<String, PathBuf>>,
}

impl Programs {
    /// Looks in these folders, in order, and asks kubeadm which version it is. Further images are pairs of an
    /// image's name and a program of the host.
    ///
    /// # Errors
    /// If a needed one is missing, or kubeadm does not say its version.
    pub fn find(folders: &[PathBuf], further: &[(String, PathBuf)]) -> Result<Self, CloudError> {
        let mut paths = BTreeMap::new();
        for name in NEEDED {
            let path = if name == "lattice" {
                std::env::current_exe().ok()
            } else {
                None
            };
            let path = path.or_else(|| first(folders, name));
            paths.insert(name.to_owned(), path.ok_or_else(|| missing(folders, name))?);
        }
        for name in WANTED {
            if let Some(path) = first(folders, name) {
                paths.insert(name.to_owned(), path);
            }
        }
        let known = paths.keys().filter(|name| !TOOLS.contains(&name.as_str()));
        let mut images: BTreeMap<String, String> =
            known.map(|name| (name.clone(), name.clone())).collect();
        for (image, path) in further {
            images.insert(image.clone(), image.clone());
            paths.insert(image.clone(), path.clone());
        }
        let version = version(&paths["kubeadm"])?;
        Ok(Self {
            paths,
            images,
            version,
            releases: BTreeMap::new(),
        })
    }

    /// With a folder of another version of Kubernetes: kubeadm and what it runs.
    ///
    /// # Errors
    /// If one of them is missing, or kubeadm does not say its version.
    pub fn with_release(mut self, folder: PathBuf) -> Result<Self, CloudError> {
        let folders = [folder];
        let mut release = BTreeMap::new();
        for name in RELEASE {
            let path = first(&folders, name).ok_or_else(|| missing(&folders, name))?;
            release.insert(name.to_owned(), path);
        }
        let version = version(&release["kubeadm"])?;
        self.releases.insert(version, release);
        Ok(self)
    }

    /// The Kubernetes versions that there are machines of.
    #[must_use]
    pub fn versions(&self) -> Vec<&str> {
        let others = self.releases.keys().filter(|other| **other != self.version);
        [&self.version]
            .into_iter()
            .chain(others)
            .map(String::as_str)
            .collect()
    }

    /// What a machine of this version is made of; none where there is no such version.
    pub(crate) fn of(&self, version: &str) -> Option<BTreeMap<String, PathBuf>> {
        let mut paths = self.paths.clone();
        match self.releases.get(version) {
            Some(release) => paths.extend(release.clone()),
            None if version == self.version => {}
            None => return None,
        }
        Some(paths)
    }
}

/// Reads `IMAGE=PROGRAM`.
///
/// # Errors
/// If it is not of that form.
pub fn parse_image(text: &str) -> Result<(String, PathBuf), CloudError> {
    match text.split_once('=') {
        Some((image, path)) if !image.is_empty() && !image.contains('/') && !path.is_empty() => {
            Ok((image.to_owned(), PathBuf::from(path)))
        }
        _ => Err(CloudError::Image(text.to_owned())),
    }
}

fn first(folders: &[PathBuf], name: &str) -> Option<PathBuf> {
    let is_program = |path: &PathBuf| {
        path.metadata()
            .is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
    };
    folders
        .iter()
        .map(|folder| folder.join(name))
        .find(is_program)
        .and_then(|path| path.canonicalize().ok())
}

fn missing(folders: &[PathBuf], name: &'static str) -> CloudError {
    let searched: Vec<String> = folders
        .iter()
        .map(|folder| folder.display().to_string())
        .collect();
    CloudError::NoProgram {
        name,
        searched: searched.join(", "),
    }
}

fn version(kubeadm: &Path) -> Result<String, CloudError> {
    let failed = |message: String| CloudError::Command {
        command: format!("{} version -o short", kubeadm.display()),
        message,
    };
    let output = Command::new(kubeadm)
        .args(["version", "-o", "short"])
        .output()
        .map_err(|error| failed(error.to_string()))?;
    if !output.status.success() {
        return Err(failed(
            String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        ));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn program(folder: &Path, name: &str, text: &str) {
        let path = folder.join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    #[test]
    fn all_that_is_needed_is_found_or_named() {
        let folder = tempfile::tempdir().unwrap();
        let folders = [PathBuf::from("/nowhere"), folder.path().to_owned()];
        for name in NEEDED {
            if name == "lattice" {
                continue;
            }
            let error = Programs::find(&folders, &[]).unwrap_err().to_string();
            assert!(
                error.contains(&format!("{name} was not found in /nowhere")),
                "{error}"
            );
            program(folder.path(), name, "#!/bin/sh\necho v1.36.3\n");
        }
        program(folder.path(), WANTED[0], "");
        let further = [parse_image("x=/bin/x").unwrap()];
        let found = Programs::find(&folders, &further).unwrap();
        assert_eq!(found.versions(), ["v1.36.3"]);
        assert_eq!(found.images["x"], "x");
        assert_eq!(found.paths["x"], Path::new("/bin/x"));
        assert!(found.images.contains_key("etcd") && found.images.contains_key(WANTED[0]));
        assert!(!found.images.contains_key("kwok") && !found.images.contains_key(WANTED[1]));
    }

    #[test]
    fn another_version_brings_its_own_and_shares_the_rest() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for name in NEEDED {
            program(one.path(), name, "#!/bin/sh\necho v1.36.3\n");
        }
        let programs = || Programs::find(&[one.path().to_owned()], &[]).unwrap();
        for name in RELEASE {
            let error = programs()
                .with_release(other.path().to_owned())
                .unwrap_err();
            assert!(error.to_string().contains(name), "{error}");
            program(other.path(), name, "#!/bin/sh\necho v1.37.0\n");
        }
        let both = programs().with_release(other.path().to_owned()).unwrap();
        assert_eq!(both.versions(), ["v1.36.3", "v1.37.0"]);
        let of = |version: &str, name: &str| both.of(version).unwrap()[name].clone();
        assert!(of("v1.37.0", "kubeadm").starts_with(other.path()));
        assert!(of("v1.37.0", "etcd").starts_with(one.path()));
        assert!(of("v1.36.3", "kubeadm").starts_with(one.path()));
        assert_eq!(both.of("v1.38.0"), None);
    }

    #[test]
    fn an_image_is_a_name_and_a_program() {
        assert!(parse_image("a=/b").is_ok());
        for text in ["a", "=b", "a=", "r/a=b"] {
            assert!(parse_image(text).is_err(), "{text}");
        }
    }
}
