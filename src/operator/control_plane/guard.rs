//! Sees to it that the children do not outlive us, however we end.
//!
//! A shell waits for the end of its standard input, whose other end only we hold. The kernel closes that
//! when we are gone, by whatever signal, and the shell then stops the children in order.

use std::{ffi::OsString, process::Stdio};

use tokio::process::{Child, Command};

use super::{ControlPlaneError, arguments, layout::Layout, process::failed};

/// Called with pairs of a process number and the mark its command line must bear: the number may have
/// been given to somebody else meanwhile.
const SCRIPT: &str = r#"
cat >/dev/null
while [ $# -ge 2 ]; do
    if grep -qsaF -- "$2" "/proc/$1/cmdline"; then
        kill -TERM "$1"
        left=50
        while [ "$left" -gt 0 ] && grep -qsaF -- "$2" "/proc/$1/cmdline"; do
            sleep 0.1
            left=$((left - 1))
        done
        [ "$left" -gt 0 ] || kill -KILL "$1"
    fi
    shift 2
done
"#;

#[derive(Debug)]
pub(crate) struct Guard {
    shell: Child,
}

impl Guard {
    /// Watches over these processes, to be stopped in this order.
    pub(crate) fn over(
        layout: &Layout,
        processes: &[(&str, Option<u32>)],
    ) -> Result<Self, ControlPlaneError> {
        let pairs = processes
            .iter()
            .filter_map(|(name, pid)| Some((name, (*pid)?)));
        let words: Vec<OsString> = pairs
            .flat_map(|(name, pid)| [pid.to_string().into(), arguments::mark(layout, name)])
            .collect();
        let shell = Command::new("/bin/sh")
            .args(["-c", SCRIPT, "lattice-guard"])
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(failed("start", "the guard"))?;
        Ok(Self { shell })
    }

    /// Ends the watch; the children are in good hands.
    pub(crate) async fn dismiss(mut self) -> Result<(), ControlPlaneError> {
        self.shell
            .kill()
            .await
            .map_err(failed("dismiss", "the guard"))
    }
}

#[cfg(test)]
mod tests {
    use std::{os::unix::fs::symlink, time::Duration};

    use super::*;

    #[tokio::test]
    async fn the_end_of_its_input_ends_the_marked_and_spares_the_others() {
        let root = tempfile::tempdir().unwrap();
        let layout = Layout::prepare(root.path()).unwrap();
        let program = root.path().join("pretender");
        symlink("/bin/sh", &program).unwrap();
        let child = |last: OsString| {
            Command::new(&program)
                .args(["-c", "while :; do sleep 0.01; done"])
                .arg(last)
                .kill_on_drop(true)
                .spawn()
                .unwrap()
        };
        let mut ours = child(arguments::mark(&layout, "etcd"));
        let mut foreign = child("--data-dir=/somewhere/else".into());
        let watched = [("etcd", ours.id()), ("etcd", foreign.id())];
        let mut guard = Guard::over(&layout, &watched).unwrap();
        drop(guard.shell.stdin.take());
        assert!(!ours.wait().await.unwrap().success());
        guard.shell.wait().await.unwrap();
        assert!(foreign.try_wait().unwrap().is_none());
    }

    #[tokio::test]
    async fn a_dismissed_guard_does_nothing() {
        let root = tempfile::tempdir().unwrap();
        let layout = Layout::prepare(root.path()).unwrap();
        let mut child = Command::new("/bin/sh")
            .args(["-c", "while :; do sleep 0.01; done"])
            .arg(arguments::mark(&layout, "etcd"))
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let guard = Guard::over(&layout, &[("etcd", child.id())]).unwrap();
        guard.dismiss().await.unwrap();
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert!(child.try_wait().unwrap().is_none());
    }
}
