//! Where etcd and kube-apiserver come from.

use std::{
    env,
    ffi::OsString,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use super::ControlPlaneError;

/// The programs a control plane consists of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binaries {
    /// The store.
    pub etcd: PathBuf,
    /// The API server.
    pub kube_apiserver: PathBuf,
}

impl Binaries {
    /// Finds both programs: `KUBEBUILDER_ASSETS`, then `LATTICE_CONTROL_PLANE_BIN`, `.lattice/bin` below
    /// the current folder, the folder of this executable, and `PATH`.
    ///
    /// # Errors
    /// If one of them is nowhere; the error names every folder that was searched.
    pub fn find() -> Result<Self, ControlPlaneError> {
        Self::find_in(&search_path(&Surroundings::of_this_process()))
    }

    /// Finds both programs in these folders, the first that has one wins.
    ///
    /// # Errors
    /// If one of them is in none.
    pub fn find_in(folders: &[PathBuf]) -> Result<Self, ControlPlaneError> {
        Ok(Self {
            etcd: first(folders, "etcd")?,
            kube_apiserver: first(folders, "kube-apiserver")?,
        })
    }
}

/// What the search depends on, apart from the files themselves.
struct Surroundings {
    assets: Option<OsString>,
    ours: Option<OsString>,
    folder: Option<PathBuf>,
    executable: Option<PathBuf>,
    path: Option<OsString>,
}

impl Surroundings {
    fn of_this_process() -> Self {
        Self {
            assets: env::var_os("KUBEBUILDER_ASSETS"),
            ours: env::var_os("LATTICE_CONTROL_PLANE_BIN"),
            folder: env::current_dir().ok(),
            executable: env::current_exe().ok(),
            path: env::var_os("PATH"),
        }
    }
}

fn search_path(from: &Surroundings) -> Vec<PathBuf> {
    let given = |value: &Option<OsString>| {
        value
            .as_ref()
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let mut folders: Vec<PathBuf> = [
        given(&from.assets),
        given(&from.ours),
        from.folder
            .as_ref()
            .map(|folder| folder.join(".lattice/bin")),
        from.executable
            .as_deref()
            .and_then(Path::parent)
            .map(Path::to_owned),
    ]
    .into_iter()
    .flatten()
    .collect();
    if let Some(path) = &from.path {
        folders.extend(env::split_paths(path).filter(|folder| !folder.as_os_str().is_empty()));
    }
    folders
}

fn first(folders: &[PathBuf], name: &'static str) -> Result<PathBuf, ControlPlaneError> {
    folders
        .iter()
        .map(|folder| folder.join(name))
        .find(|path| is_program(path))
        .ok_or_else(|| ControlPlaneError::MissingBinary {
            name,
            searched: folders
                .iter()
                .map(|folder| folder.display().to_string())
                .collect::<Vec<_>>()
                .join(", "),
        })
}

fn is_program(path: &Path) -> bool {
    path.metadata()
        .is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn program(folder: &Path, name: &str, mode: u32) {
        fs::create_dir_all(folder).unwrap();
        fs::write(folder.join(name), "").unwrap();
        fs::set_permissions(folder.join(name), fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn the_order_is_assets_ours_below_here_beside_us_path() {
        let folders = search_path(&Surroundings {
            assets: Some("/assets".into()),
            ours: Some("/ours".into()),
            folder: Some("/here".into()),
            executable: Some("/opt/bin/lattice".into()),
            path: Some("/usr/bin::/bin".into()),
        });
        let expected = [
            "/assets",
            "/ours",
            "/here/.lattice/bin",
            "/opt/bin",
            "/usr/bin",
            "/bin",
        ];
        assert_eq!(folders, expected.map(PathBuf::from));
    }

    #[test]
    fn what_is_not_set_is_not_searched() {
        let nothing = search_path(&Surroundings {
            assets: Some(OsString::new()),
            ours: None,
            folder: None,
            executable: None,
            path: None,
        });
        assert!(nothing.is_empty());
    }

    #[test]
    fn the_first_folder_with_an_executable_file_wins() {
        let root = tempfile::tempdir().unwrap();
        let folders = ["a", "b", "c"].map(|name| root.path().join(name));
        program(&folders[0], "etcd", 0o644);
        program(&folders[1], "etcd", 0o755);
        program(&folders[2], "etcd", 0o755);
        program(&folders[2], "kube-apiserver", 0o755);
        let found = Binaries::find_in(&folders).unwrap();
        assert_eq!(found.etcd, folders[1].join("etcd"));
        assert_eq!(found.kube_apiserver, folders[2].join("kube-apiserver"));
    }

    #[test]
    fn a_missing_program_says_where_it_was_sought_and_how_to_get_it() {
        let folders = [PathBuf::from("/nowhere"), PathBuf::from("/else")];
        let text = Binaries::find_in(&folders).unwrap_err().to_string();
        assert!(
            text.contains("etcd was not found; looked in /nowhere, /else"),
            "{text}"
        );
        assert!(text.contains("make control-plane"), "{text}");
    }
}
