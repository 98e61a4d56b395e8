//! One child process: started apart from the terminal, logged, stopped with patience and then without.

use std::{
    env,
    ffi::OsString,
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    process::{Child, Command},
    time::timeout,
};

use super::{ControlPlaneError, layout::create_private_file};

const TAIL_LINES: usize = 20;
const TAIL_BYTES: u64 = 16 * 1024;
/// All that the children get to see of our environment: both read settings from variables, and whatever
/// a user has set there for programs of the same name is not meant for these.
const PASSED_ON: [&str; 4] = ["PATH", "HOME", "TMPDIR", "TZ"];

#[derive(Debug)]
pub(crate) struct Process {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts the program in a process group of its own, so that a Ctrl-C reaches us and not it.
    pub(crate) fn start(
        name: &'static str,
        program: &Path,
        arguments: &[OsString],
        log: PathBuf,
    ) -> Result<Self, ControlPlaneError> {
        Self::start_with(name, program, arguments, &[], log)
    }

    /// The same, with variables of its own.
    pub(crate) fn start_with(
        name: &'static str,
        program: &Path,
        arguments: &[OsString],
        variables: &[(&str, &str)],
        log: PathBuf,
    ) -> Result<Self, ControlPlaneError> {
        let (out, err) = open_log(&log).map_err(ControlPlaneError::file("open", &log))?;
        let child = Command::new(program)
            .args(arguments)
            .env_clear()
            .envs(
                PASSED_ON
                    .iter()
                    .filter_map(|name| Some((name, env::var_os(name)?))),
            )
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(failed("start", name))?;
        Ok(Self { name, child, log })
    }

    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// `None` once it has ended.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// An error if it has ended.
    pub(crate) fn still_runs(&mut self) -> Result<(), ControlPlaneError> {
        match self.child.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => Err(self.exit(status)),
            Err(source) => Err(failed("wait for", self.name)(source)),
        }
    }

    /// Waits for its end, which nobody asked for.
    pub(crate) async fn ended(&mut self) -> ControlPlaneError {
        match self.child.wait().await {
            Ok(status) => self.exit(status),
            Err(source) => failed("wait for", self.name)(source),
        }
    }

    /// Asks it to end, and makes it after `patience`. Returns when it has ended.
    pub(crate) async fn stop(&mut self, patience: Duration) -> Result<(), ControlPlaneError> {
        let Some(pid) = self.pid().and_then(to_pid) else {
            return Ok(());
        };
        match kill_process(pid, Signal::TERM) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => {}
            Err(error) => return Err(failed("signal", self.name)(error.into())),
        }
        match timeout(patience, self.child.wait()).await {
            Ok(waited) => waited.map(drop).map_err(failed("wait for", self.name)),
            Err(_) => {
                tracing::debug!(program = self.name, "still busy, killing it");
                self.child.kill().await.map_err(failed("kill", self.name))
            }
        }
    }

    pub(crate) fn tail(&self) -> String {
        tail(&self.log).unwrap_or_else(|error| format!("(no log: {error})"))
    }

    fn exit(&self, status: ExitStatus) -> ControlPlaneError {
        ControlPlaneError::Exited {
            name: self.name,
            status,
            log: self.log.clone(),
            tail: self.tail(),
        }
    }
}

pub(crate) fn to_pid(number: u32) -> Option<Pid> {
    Pid::from_raw(i32::try_from(number).ok()?)
}

pub(crate) fn failed(
    action: &'static str,
    name: &'static str,
) -> impl FnOnce(io::Error) -> ControlPlaneError {
    move |source| ControlPlaneError::Process {
        action,
        name,
        source,
    }
}

/// A fresh log; the last run's stays beside it, as that is the one to read after a crash.
fn open_log(path: &Path) -> io::Result<(File, File)> {
    match fs::rename(path, path.with_extension("previous.log")) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let file = create_private_file(path)?;
    Ok((file.try_clone()?, file))
}

fn tail(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    Ok(lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, folder: &Path) -> Process {
        let arguments = ["-c".into(), script.into()];
        Process::start(
            "sh",
            Path::new("/bin/sh"),
            &arguments,
            folder.join("sh.log"),
        )
        .unwrap()
    }

    #[tokio::test]
    async fn an_unasked_end_carries_status_and_the_last_lines() {
        let folder = tempfile::tempdir().unwrap();
        let mut process = shell("seq 1 100; exit 3", folder.path());
        let text = process.ended().await.to_string();
        assert!(text.contains("exit status: 3"), "{text}");
        assert!(text.ends_with("\n99\n100"), "{text}");
        assert!(
            !text.contains("\n80\n") && text.contains("\n81\n"),
            "{text}"
        );
        assert!(process.still_runs().is_err());
        process.stop(Duration::from_secs(1)).await.unwrap();
    }

    #[tokio::test]
    async fn who_does_not_listen_is_killed() {
        let folder = tempfile::tempdir().unwrap();
        let mut process = shell(
            "trap '' TERM; echo deaf; while :; do sleep 0.01; done",
            folder.path(),
        );
        while !process.tail().contains("deaf") {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        process.still_runs().unwrap();
        process.stop(Duration::from_millis(50)).await.unwrap();
        assert!(process.pid().is_none());
    }

    #[tokio::test]
    async fn settings_for_programs_of_that_name_are_not_passed_on() {
        let folder = tempfile::tempdir().unwrap();
        let mut process = shell("env", folder.path());
        process.ended().await;
        let names: Vec<String> = process
            .tail()
            .lines()
            .filter_map(|line| Some(line.split_once('=')?.0.to_owned()))
            .collect();
        let of_the_shell = ["PWD", "SHLVL", "_", "OLDPWD"];
        for name in names {
            assert!(
                PASSED_ON.contains(&name.as_str()) || of_the_shell.contains(&name.as_str()),
                "{name}"
            );
        }
    }

    #[tokio::test]
    async fn the_last_log_is_kept_once() {
        let folder = tempfile::tempdir().unwrap();
        shell("echo first", folder.path()).ended().await;
        shell("echo second", folder.path()).ended().await;
        let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
        assert_eq!(read("sh.previous.log"), "first\n");
        assert_eq!(read("sh.log"), "second\n");
    }
}
