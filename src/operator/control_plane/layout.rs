//! The data folder: what lies where, and that only its owner can read it.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use super::ControlPlaneError;

/// A certificate and the key that belongs to it.
#[derive(Debug, Clone)]
pub(crate) struct Pair {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

/// Where everything of one control plane is kept.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    root: PathBuf,
}

impl Layout {
    /// Creates what is missing of the folder and closes it to others.
    pub(crate) fn prepare(root: &Path) -> Result<Self, ControlPlaneError> {
        create_private_folder(root)?;
        // Resolved once, so that processes of an earlier run are recognised whatever way led here.
        let root = root
            .canonicalize()
            .map_err(ControlPlaneError::file("resolve", root))?;
        let layout = Self { root };
        for folder in [layout.pki(), layout.logs(), layout.store()] {
            create_private_folder(&folder)?;
        }
        Ok(layout)
    }

    #[cfg(test)]
    pub(crate) fn unprepared(root: &str) -> Self {
        Self { root: root.into() }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn lock(&self) -> PathBuf {
        self.root.join("lock")
    }

    pub(crate) fn ports(&self) -> PathBuf {
        self.root.join("ports.json")
    }

    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.root.join("kubeconfig")
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.root.join("etcd")
    }

    pub(crate) fn pki(&self) -> PathBuf {
        self.root.join("pki")
    }

    pub(crate) fn logs(&self) -> PathBuf {
        self.root.join("logs")
    }

    pub(crate) fn log(&self, program: &str) -> PathBuf {
        self.logs().join(format!("{program}.log"))
    }

    /// Signs what the API server and its clients show each other.
    pub(crate) fn cluster_authority(&self) -> PathBuf {
        self.pki().join("cluster-ca.crt")
    }

    /// Signs what etcd and the API server show each other. Kept apart, so that no certificate that opens
    /// the API opens the store behind it.
    pub(crate) fn store_authority(&self) -> PathBuf {
        self.pki().join("store-ca.crt")
    }

    pub(crate) fn api_server(&self) -> Pair {
        self.pair("api-server")
    }

    pub(crate) fn administrator(&self) -> Pair {
        self.pair("administrator")
    }

    pub(crate) fn store_server(&self) -> Pair {
        self.pair("store")
    }

    pub(crate) fn store_client(&self) -> Pair {
        self.pair("store-client")
    }

    /// What signs the service accounts' tokens, and what verifies them.
    pub(crate) fn service_accounts(&self) -> (PathBuf, PathBuf) {
        let file = |kind: &str| self.pki().join(format!("service-accounts.{kind}"));
        (file("key"), file("pub"))
    }

    fn pair(&self, name: &str) -> Pair {
        Pair {
            certificate: self.pki().join(format!("{name}.crt")),
            key: self.pki().join(format!("{name}.key")),
        }
    }
}

/// Replaces a file as a whole, readable by its owner only.
pub(crate) fn write_private(path: &Path, content: &[u8]) -> Result<(), ControlPlaneError> {
    let draft = path.with_extension("draft");
    let write = || -> io::Result<()> {
        let mut file = create_private_file(&draft)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&draft, path)
    };
    write().map_err(ControlPlaneError::file("write", path))
}

/// An empty file, readable by its owner only even if a wider one was there before.
pub(crate) fn create_private_file(path: &Path) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}

/// Whether nobody but the owner may read the file.
pub(crate) fn is_private(path: &Path) -> bool {
    path.metadata()
        .is_ok_and(|metadata| metadata.permissions().mode() & 0o077 == 0)
}

fn create_private_folder(path: &Path) -> Result<(), ControlPlaneError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(0o700)))
        .map_err(ControlPlaneError::file("create", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_and_files_are_closed_to_others() {
        let temporary = tempfile::tempdir().unwrap();
        let root = temporary.path().join("deep/data");
        let layout = Layout::prepare(&root).unwrap();
        for folder in [layout.root().to_owned(), layout.pki(), layout.store()] {
            assert!(is_private(&folder), "{}", folder.display());
        }
        let file = layout.kubeconfig();
        fs::write(&file, "old").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(!is_private(&file));
        write_private(&file, b"new").unwrap();
        assert!(is_private(&file));
        assert_eq!(fs::read(&file).unwrap(), b"new");
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let temporary = tempfile::tempdir().unwrap();
        let file = temporary.path().join("file");
        fs::write(&file, "").unwrap();
        let text = Layout::prepare(&file.join("data")).unwrap_err().to_string();
        assert!(text.contains("file/data"), "{text}");
    }
}
