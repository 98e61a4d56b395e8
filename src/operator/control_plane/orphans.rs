//! Children of an earlier run that was killed without a chance to stop them.
//!
//! They are found by their command line, not by a recorded number: a number may have been given to
//! somebody else since, and may not have been written down yet when the end came.

use std::{
    ffi::OsStr,
    fs, io,
    os::unix::ffi::OsStrExt,
    path::Path,
    time::{Duration, Instant},
};

use rustix::process::{Signal, kill_process};

use super::{
    ControlPlaneError, arguments,
    layout::Layout,
    process::{failed, to_pid},
};

const PATIENCE: Duration = Duration::from_secs(5);

/// Stops whatever still runs out of this folder. To be called with the folder's lock held.
pub(crate) async fn stop(layout: &Layout) -> Result<(), ControlPlaneError> {
    // The API server before the store it writes to.
    for name in ["kube-apiserver", "etcd"] {
        let orphans = running(layout, name).map_err(failed("look for", name))?;
        for pid in orphans {
            tracing::info!(
                program = name,
                pid,
                "stopping what an earlier run left behind"
            );
            end(layout, name, pid).await?;
        }
    }
    Ok(())
}

async fn end(layout: &Layout, name: &'static str, pid: u32) -> Result<(), ControlPlaneError> {
    for signal in [Signal::TERM, Signal::KILL] {
        let deadline = Instant::now() + PATIENCE;
        if let Some(target) = to_pid(pid) {
            match kill_process(target, signal) {
                Ok(()) | Err(rustix::io::Errno::SRCH) => {}
                Err(error) => return Err(failed("stop an earlier", name)(error.into())),
            }
        }
        while Instant::now() < deadline {
            if !is_ours(layout, name, pid) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    Err(failed("stop an earlier", name)(
        io::ErrorKind::TimedOut.into(),
    ))
}

fn running(layout: &Layout, name: &str) -> io::Result<Vec<u32>> {
    let mut found: Vec<u32> = fs::read_dir("/proc")?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|pid| is_ours(layout, name, *pid))
        .collect();
    found.sort_unstable();
    Ok(found)
}

/// A process that has ended, but was not waited for, has no command line and so is nobody's.
fn is_ours(layout: &Layout, name: &str, pid: u32) -> bool {
    fs::read(format!("/proc/{pid}/cmdline"))
        .is_ok_and(|line| matches(&line, name, &arguments::mark(layout, name)))
}

/// Whether the command line is of that program and has the argument that names the folder.
fn matches(line: &[u8], name: &str, mark: &OsStr) -> bool {
    let mut words = line.split(|byte| *byte == 0).map(OsStr::from_bytes);
    let is_program = words
        .next()
        .is_some_and(|program| Path::new(program).file_name() == Some(OsStr::new(name)));
    is_program && words.any(|word| word == mark)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_program_with_this_very_folder_matches() {
        let mark = arguments::mark(&Layout::unprepared("/data/a"), "etcd");
        let line = b"/bin/etcd\0--name=x\0--data-dir=/data/a/etcd\0";
        assert!(matches(line, "etcd", &mark));
        assert!(!matches(line, "kube-apiserver", &mark));
        for other in ["/data", "/data/a/etcd", "/data/ab"] {
            let mark = arguments::mark(&Layout::unprepared(other), "etcd");
            assert!(!matches(line, "etcd", &mark), "{other}");
        }
        assert!(!matches(b"vi\0--data-dir=/data/a/etcd\0", "etcd", &mark));
        assert!(!matches(b"", "etcd", &mark));
    }

    #[tokio::test]
    async fn an_orphan_is_stopped() {
        let root = tempfile::tempdir().unwrap();
        let layout = Layout::prepare(root.path()).unwrap();
        // A shell that passes for etcd: what counts is how it was called.
        let program = root.path().join("etcd");
        fs::remove_dir(&program).unwrap();
        std::os::unix::fs::symlink("/bin/sh", &program).unwrap();
        let data = format!("--data-dir={}", layout.store().display());
        let mut orphan = tokio::process::Command::new(&program)
            .args(["-c", "while :; do sleep 0.01; done", &data])
            .spawn()
            .unwrap();
        while running(&layout, "etcd").unwrap().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let (stopped, status) = tokio::join!(stop(&layout), orphan.wait());
        stopped.unwrap();
        assert!(!status.unwrap().success());
        assert!(running(&layout, "etcd").unwrap().is_empty());
    }
}
