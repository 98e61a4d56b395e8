//! One control plane per data folder.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{self, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use super::{ControlPlaneError, layout::Layout};

/// Held as long as the control plane lives. The kernel lets go of it when the process ends, however it
/// ends, so there is no stale lock to clean up.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    pub(crate) fn take(layout: &Layout) -> Result<Self, ControlPlaneError> {
        let path = layout.lock();
        let mut file = open(&path).map_err(ControlPlaneError::file("open", &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(ControlPlaneError::InUse {
                    holder: holder(&mut file),
                    folder: layout.root().to_owned(),
                });
            }
            Err(TryLockError::Error(error)) => {
                return Err(ControlPlaneError::file("lock", &path)(error));
            }
        }
        sign(&mut file).map_err(ControlPlaneError::file("write", &path))?;
        Ok(Self { _file: file })
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
}

fn sign(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    writeln!(file, "{}", std::process::id())
}

fn holder(file: &mut File) -> String {
    let mut text = String::new();
    match file.read_to_string(&mut text) {
        Ok(_) if !text.trim().is_empty() => format!("pid {}", text.trim()),
        _ => "pid unknown".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_told_who_was_first_and_the_third_gets_it() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::prepare(folder.path()).unwrap();
        let first = Lock::take(&layout).unwrap();
        let text = Lock::take(&layout).unwrap_err().to_string();
        let expected = format!("another lattice up (pid {}) uses ", std::process::id());
        assert!(text.starts_with(&expected), "{text}");
        drop(first);
        Lock::take(&layout).unwrap();
    }
}
