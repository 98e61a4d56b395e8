//! The cloud's memory: one file, replaced as a whole.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::CloudError;
use super::model::{Cloud, Record};
use crate::clusters::provider::machine::{self, Report};

/// Where everything is, below one folder.
#[derive(Clone, Debug)]
pub(crate) struct Folder {
    root: PathBuf,
}

impl Folder {
    /// Makes the folder if it is not there, for nobody else to look into.
    pub(crate) fn open(root: &Path) -> Result<Self, CloudError> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(root)
            .map_err(CloudError::file("make", root))?;
        let root = fs::canonicalize(root).map_err(CloudError::file("find", root))?;
        Ok(Self { root })
    }

    pub(crate) fn machines(&self) -> PathBuf {
        self.root.join("machines")
    }

    pub(crate) fn machine(&self, name: &str) -> PathBuf {
        self.machines().join(name)
    }

    /// Keeps others out for as long as what is returned lives.
    pub(crate) fn lock(&self) -> Result<fs::File, CloudError> {
        let path = self.root.join("lock");
        let file = fs::File::create(&path).map_err(CloudError::file("make", &path))?;
        rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive)
            .map_err(|_| CloudError::Running(self.root.clone()))?;
        Ok(file)
    }

    fn state(&self) -> PathBuf {
        self.root.join("cloud.json")
    }

    /// What an earlier daemon knew, or nothing.
    pub(crate) fn load(&self) -> Result<Cloud, CloudError> {
        let path = self.state();
        if !path.exists() {
            return Ok(Cloud::default());
        }
        let bytes = fs::read(&path).map_err(CloudError::file("read", &path))?;
        serde_json::from_slice(&bytes)
            .map_err(|error| CloudError::file("read", &path)(error.into()))
    }

    pub(crate) fn save(&self, cloud: &Cloud) -> Result<(), CloudError> {
        let path = self.state();
        let bytes = serde_json::to_vec_pretty(cloud)
            .map_err(|error| CloudError::file("write", &path)(error.into()))?;
        write_private(&path, &bytes)
    }

    /// Writes what `lattice cloud`'s other commands need to reach the daemon.
    pub(crate) fn save_access(&self, name: &str, access: &Access) -> Result<(), CloudError> {
        let path = self.access(name);
        let bytes = serde_json::to_vec_pretty(access)
            .map_err(|error| CloudError::file("write", &path)(error.into()))?;
        write_private(&path, &bytes)
    }

    fn access(&self, name: &str) -> PathBuf {
        self.root.join(format!("{name}.json"))
    }

    /// How far the machine is with its first start.
    pub(crate) fn report(&self, name: &str) -> Report {
        machine::read(&self.machine(name).join(machine::REPORT_FILE)).unwrap_or_default()
    }

    /// Makes the machine's folder, with what it does at its first start.
    pub(crate) fn prepare(&self, record: &Record, user_data: &str) -> Result<(), CloudError> {
        let folder = self.machine(&record.request.name);
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&folder)
            .map_err(CloudError::file("make", &folder))?;
        write_private(&folder.join(machine::USER_DATA_FILE), user_data.as_bytes())
    }

    pub(crate) fn remove(&self, name: &str) -> Result<(), CloudError> {
        let folder = self.machine(name);
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(CloudError::file("remove", &folder)(error))
            }
            _ => Ok(()),
        }
    }
}

/// How the API is reached, and by whom.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Access {
    /// Where the API is.
    pub url: String,
    /// What opens it.
    pub token: String,
}

impl Access {
    /// What the daemon of this folder wrote for one of its credentials.
    ///
    /// # Errors
    /// If no daemon ran there, or there is no such credential.
    pub fn read(root: &Path, name: &str) -> Result<Self, CloudError> {
        let path = root.join(format!("{name}.json"));
        let bytes = fs::read(&path).map_err(CloudError::file("read", &path))?;
        serde_json::from_slice(&bytes)
            .map_err(|error| CloudError::file("read", &path)(error.into()))
    }
}

fn write_private(path: &Path, content: &[u8]) -> Result<(), CloudError> {
    let wrong = || CloudError::file("write", path);
    let next = path.with_extension("next");
    // One of a daemon that was killed while it wrote.
    let _ = fs::remove_file(&next);
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&next)
        .map_err(wrong())?;
    file.write_all(content).map_err(wrong())?;
    file.sync_all().map_err(wrong())?;
    fs::rename(&next, path).map_err(wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_saved_is_there_again_and_private() {
        use std::os::unix::fs::PermissionsExt;
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::open(&root.path().join("cloud")).unwrap();
        assert_eq!(folder.load().unwrap(), Cloud::default());
        let mut cloud = Cloud::default();
        cloud
            .credentials
            .insert("me".to_owned(), super::super::model::Credential::default());
        folder.save(&cloud).unwrap();
        assert_eq!(folder.load().unwrap(), cloud);
        let mode = fs::metadata(folder.state()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let held = folder.lock().unwrap();
        assert!(folder.lock().unwrap_err().to_string().contains("another"));
        drop(held);
        folder.lock().unwrap();
    }
}
