//! A machine's own folders, laid over those of the host.

use std::ffi::CString;
use std::fs;
use std::path::Path;

use rustix::mount::{MountFlags, mount, mount_bind, mount_bind_recursive};

use super::{MachineError, spec::MachineSpec};

/// Lays everything out. Runs in a mount namespace that is nobody else's.
pub(super) fn arrange(folder: &Path, spec: &MachineSpec) -> Result<(), MachineError> {
    // Made aside and then put over /run, because the machine's folder may itself be below that.
    let run = folder.join("run");
    make(&run)?;
    temporary(&run)?;
    let machine = run.join("lattice/machine");
    make(&machine)?;
    bind(folder, &machine)?;
    let programs = run.join("lattice/bin");
    make(&programs)?;
    for (name, program) in &spec.programs {
        let place = programs.join(name);
        fs::write(&place, "").map_err(MachineError::file("make", &place))?;
        bind(program, &place)?;
    }
    for name in ["lock", "kubeadm", "cluster-api"] {
        make(&run.join(name))?;
    }
    overlay(folder, Path::new("/etc"))?;
    let state = folder.join("var-lib");
    make(&state)?;
    bind(&state, Path::new("/var/lib"))?;
    mount_bind_recursive(&run, "/run").map_err(failed("/run"))?;
    name_services(spec)
}

/// Who the machine itself is, and nobody else.
fn name_services(spec: &MachineSpec) -> Result<(), MachineError> {
    let hosts = format!("127.0.0.1 localhost\n{} {}\n", spec.address, spec.name);
    let name = format!("{}\n", spec.name);
    for (path, content) in [("/etc/hosts", hosts), ("/etc/hostname", name)] {
        let path = Path::new(path);
        // Where it is a link to a place that is not there inside, a file takes its place.
        let _ = fs::remove_file(path);
        fs::write(path, content).map_err(MachineError::file("write", path))?;
    }
    Ok(())
}

/// What is changed below this folder goes into the machine's, the rest shows through.
fn overlay(folder: &Path, over: &Path) -> Result<(), MachineError> {
    let name = over.file_name().unwrap_or_default();
    let (upper, work) = (folder.join(name), folder.join("work").join(name));
    make(&upper)?;
    make(&work)?;
    let options = format!(
        "lowerdir={},upperdir={},workdir={}",
        over.display(),
        upper.display(),
        work.display()
    );
    let mounted = |more: &str| {
        let options = CString::new(format!("{options}{more}"))?;
        mount(
            "overlay",
            over,
            "overlay",
            MountFlags::empty(),
            Some(options.as_c_str()),
        )
        .map_err(std::io::Error::from)
    };
    // In a user namespace only the second way is allowed.
    mounted("")
        .or_else(|_| mounted(",userxattr"))
        .map_err(|source| MachineError::Mount {
            what: format!("an overlay on {}", over.display()),
            source,
        })
}

/// A file system in memory.
pub(super) fn temporary(path: &Path) -> Result<(), MachineError> {
    mount("tmpfs", path, "tmpfs", MountFlags::NODEV, Some(c"mode=755")).map_err(failed(path))
}

/// Makes one place show what is in another.
pub(super) fn bind(from: &Path, to: &Path) -> Result<(), MachineError> {
    mount_bind(from, to).map_err(failed(from))
}

pub(super) fn make(path: &Path) -> Result<(), MachineError> {
    fs::create_dir_all(path).map_err(MachineError::file("make", path))
}

/// The error of a mount, named.
pub(super) fn failed(path: impl AsRef<Path>) -> impl FnOnce(rustix::io::Errno) -> MachineError {
    let what = path.as_ref().display().to_string();
    move |error| MachineError::Mount {
        what,
        source: error.into(),
    }
}
