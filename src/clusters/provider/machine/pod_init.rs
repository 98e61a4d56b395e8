//! The first moments of a pod that is a process: its own root, name and address, and then its program.

use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};

use rustix::mount::{MountFlags, mount_bind_recursive, mount_remount};
use serde::{Deserialize, Serialize};

use super::{MachineError, PROGRAMS, address, mounts, spec};

/// What a pod sees of the machine's files: enough for a program that was built for it.
const SHOWN: [&str; 7] = ["/usr", "/bin", "/sbin", "/lib", "/lib64", "/dev", "/proc"];
const SHOWN_SETTINGS: [&str; 10] = [
    "alternatives",
    "ca-certificates",
    "hosts",
    "ld.so.cache",
    "nsswitch.conf",
    "passwd",
    "group",
    "pki",
    "resolv.conf",
    "ssl",
];

/// What a pod's process is before it is its program.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PodSpace {
    pub(super) hostname: String,
    pub(super) network: Option<PodNetwork>,
    /// An empty folder.
    pub(super) root: PathBuf,
    pub(super) mounts: Vec<PodMount>,
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<String>,
    pub(super) working_folder: String,
}

/// Its own address and that of its machine.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PodNetwork {
    pub(super) address: Ipv4Addr,
    pub(super) gateway: Ipv4Addr,
}

/// Something of the machine that the pod sees elsewhere.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PodMount {
    pub(super) from: PathBuf,
    pub(super) to: PathBuf,
    pub(super) read_only: bool,
}

/// Makes this process the pod that the file describes. It comes back only if that fails.
///
/// # Errors
/// If the kernel refuses, or the pod's network card does not come.
pub async fn run(file: &Path) -> Result<std::convert::Infallible, MachineError> {
    let space: PodSpace = spec::read(file)?;
    if let Some(network) = space.network {
        address::configure_pod(network.address, network.gateway).await?;
    }
    rustix::system::sethostname(space.hostname.as_bytes())
        .map_err(mounts::failed("the host name"))?;
    furnish(&space)?;
    rustix::process::chroot(&space.root).map_err(mounts::failed(&space.root))?;
    let error = std::process::Command::new(&space.program)
        .args(&space.arguments)
        .current_dir(&space.working_folder)
        .exec();
    Err(MachineError::file("run", &space.program)(error))
}

fn furnish(space: &PodSpace) -> Result<(), MachineError> {
    let root = &space.root;
    mounts::make(root)?;
    mounts::temporary(root)?;
    for shown in SHOWN {
        show(Path::new(shown), &within(root, Path::new(shown)))?;
    }
    for shown in SHOWN_SETTINGS {
        let path = Path::new("/etc").join(shown);
        show(&path, &within(root, &path))?;
    }
    for own in ["tmp", "run", "var", "root"] {
        mounts::make(&root.join(own))?;
    }
    let link = root.join("var/run");
    std::os::unix::fs::symlink("/run", &link).map_err(MachineError::file("make", &link))?;
    show(Path::new(PROGRAMS), &within(root, Path::new(PROGRAMS)))?;
    for mount in &space.mounts {
        // The service account's place is below /var/run, which is a link that must lead inside.
        let to = match mount.to.strip_prefix("/var/run") {
            Ok(rest) => Path::new("/run").join(rest),
            Err(_) => mount.to.clone(),
        };
        let target = within(root, &to);
        show(&mount.from, &target)?;
        if mount.read_only {
            let flags = MountFlags::BIND | MountFlags::RDONLY;
            mount_remount(&target, flags, c"").map_err(mounts::failed(&to))?;
        }
    }
    Ok(())
}

fn within(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

/// Makes the target show what is there; what is not there is left out.
fn show(from: &Path, target: &Path) -> Result<(), MachineError> {
    let Ok(kind) = fs::symlink_metadata(from) else {
        return Ok(());
    };
    let wrong = || MachineError::file("make", target);
    if let Some(parent) = target.parent() {
        mounts::make(parent)?;
    }
    if kind.is_symlink() {
        let to = fs::read_link(from).map_err(wrong())?;
        return std::os::unix::fs::symlink(to, target).map_err(wrong());
    }
    if kind.is_dir() {
        mounts::make(target)?;
    } else {
        fs::write(target, "").map_err(wrong())?;
    }
    mount_bind_recursive(from, target).map_err(mounts::failed(from))
}
