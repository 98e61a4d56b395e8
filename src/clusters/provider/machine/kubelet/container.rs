//! A container that is a process: started, started again when it ends, stopped with patience.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use k8s_openapi::jiff::Timestamp;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::super::{MachineError, address};
use super::pod::Card;

/// The first wait before it is started again; each further one is twice as long.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// A process that ran for this long is not one that cannot start.
const STEADY: Duration = Duration::from_secs(120);

/// What to start.
#[derive(Clone, Debug)]
pub(super) struct Launch {
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<String>,
    pub(super) environment: Vec<(String, String)>,
    pub(super) log: PathBuf,
    pub(super) restart: Restart,
    /// The network card that it is to get, if it does not use the machine's.
    pub(super) card: Option<Card>,
}

/// When a process that has ended is started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Restart {
    Always,
    OnFailure,
    Never,
}

/// What a process is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It does not run yet, or not again.
    Waiting {
        reason: &'static str,
        message: String,
    },
    Running {
        since: Timestamp,
    },
    Ended(End),
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct End {
    pub(super) code: i32,
    pub(super) signal: Option<i32>,
    pub(super) since: Timestamp,
    pub(super) until: Timestamp,
}

/// What is known of a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Snapshot {
    pub(super) state: State,
    pub(super) last: Option<End>,
    pub(super) restarts: i32,
}

impl Snapshot {
    pub(super) fn waiting(reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            state: State::Waiting {
                reason,
                message: message.into(),
            },
            last: None,
            restarts: 0,
        }
    }
}

/// A container that is kept running.
#[derive(Debug)]
pub(super) struct Container {
    handle: Handle,
    stop: CancellationToken,
    keeper: JoinHandle<()>,
}

/// What may be known and asked of a container by those who do not own it.
#[derive(Clone, Debug)]
pub(super) struct Handle {
    seen: watch::Receiver<Snapshot>,
    kick: watch::Sender<u32>,
}

impl Handle {
    pub(super) fn snapshot(&self) -> Snapshot {
        self.seen.borrow().clone()
    }

    /// Ends the process, which is then started again.
    pub(super) fn restart(&self) {
        self.kick
            .send_modify(|count| *count = count.wrapping_add(1));
    }
}

impl Container {
    pub(super) fn start(launch: Launch) -> Self {
        let first = Snapshot::waiting("ContainerCreating", "");
        let (sender, seen) = watch::channel(first);
        let (kick, kicked) = watch::channel(0);
        let stop = CancellationToken::new();
        let keeper = tokio::spawn(keep(launch, sender, kicked, stop.clone()));
        Self {
            handle: Handle { seen, kick },
            stop,
            keeper,
        }
    }

    pub(super) fn handle(&self) -> Handle {
        self.handle.clone()
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        self.handle.snapshot()
    }

    /// Ends it for good.
    pub(super) async fn stop(self) {
        self.stop.cancel();
        // The keeper ends with the process; that it panicked would have been seen in the log.
        let _ = self.keeper.await;
    }
}

async fn keep(
    launch: Launch,
    seen: watch::Sender<Snapshot>,
    mut kicked: watch::Receiver<u32>,
    stop: CancellationToken,
) {
    let mut wait = FIRST_WAIT;
    loop {
        let begun = (Instant::now(), Timestamp::now());
        let ended = match spawn(&launch).await {
            Ok(child) => {
                seen.send_modify(|now| now.state = State::Running { since: begun.1 });
                watch_over(child, &mut kicked, &stop).await
            }
            Err(error) => {
                let message = error.to_string();
                tracing::warn!(program = %launch.program.display(), message, "not started");
                seen.send_modify(|now| {
                    now.state = State::Waiting {
                        reason: "RunContainerError",
                        message,
                    };
                });
                Err(())
            }
        };
        if let Ok(status) = ended {
            let end = end(status, begun.1);
            let again = match launch.restart {
                Restart::Always => true,
                Restart::OnFailure => end.code != 0,
                Restart::Never => false,
            };
            seen.send_modify(|now| now.state = State::Ended(end));
            if !again || stop.is_cancelled() {
                return;
            }
            if begun.0.elapsed() > STEADY {
                wait = FIRST_WAIT;
            }
            seen.send_modify(|now| {
                now.last = Some(end);
                now.restarts = now.restarts.saturating_add(1);
                now.state = State::Waiting {
                    reason: "CrashLoopBackOff",
                    message: format!("back-off {} s", wait.as_secs()),
                };
            });
        }
        let rested = stop.run_until_cancelled(tokio::time::sleep(wait)).await;
        if rested.is_none() {
            return;
        }
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

/// Waits until it ends, and sees to it where it is asked for.
async fn watch_over(
    mut child: Child,
    kicked: &mut watch::Receiver<u32>,
    stop: &CancellationToken,
) -> Result<ExitStatus, ()> {
    let patience = Duration::from_secs(10);
    tokio::select! {
        status = child.wait() => return status.map_err(drop),
        () = stop.cancelled() => {}
        _ = kicked.changed() => {}
    }
    let group = child
        .id()
        .and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
    for signal in [Signal::TERM, Signal::KILL] {
        if let Some(group) = group {
            // It may just have ended by itself.
            let _ = kill_process_group(group, signal);
        }
        if let Ok(status) = tokio::time::timeout(patience, child.wait()).await {
            return status.map_err(drop);
        }
    }
    Err(())
}

async fn spawn(launch: &Launch) -> Result<Child, MachineError> {
    let wrong = || MachineError::file("run", &launch.program);
    let (out, errors) = log(launch).map_err(wrong())?;
    let child = Command::new(&launch.program)
        .args(&launch.arguments)
        .env_clear()
        .envs(launch.environment.iter().map(|(name, value)| (name, value)))
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(out)
        .stderr(errors)
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(wrong())?;
    if let (Some(card), Some(pid)) = (&launch.card, child.id()) {
        address::attach_pod(&card.cable, pid, card.address).await?;
    }
    Ok(child)
}

fn log(launch: &Launch) -> io::Result<(File, File)> {
    if let Some(parent) = launch.log.parent() {
        std::fs::create_dir_all(parent)?;
    }
    let out = OpenOptions::new()
        .create(true)
        .append(true)
        .open(&launch.log)?;
    let errors = out.try_clone()?;
    Ok((out, errors))
}

fn end(status: ExitStatus, since: Timestamp) -> End {
    let signal = status.signal();
    End {
        code: status.code().unwrap_or(128 + signal.unwrap_or(0)),
        signal,
        since,
        until: Timestamp::now(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn launch(folder: &std::path::Path, script: &str, restart: Restart) -> Launch {
        Launch {
            program: "/bin/sh".into(),
            arguments: vec!["-c".to_owned(), script.to_owned()],
            environment: vec![("WHO".to_owned(), "me".to_owned())],
            log: folder.join("logs/0.log"),
            restart,
            card: None,
        }
    }

    async fn until(container: &Container, wanted: impl Fn(&Snapshot) -> bool) -> Snapshot {
        for _ in 0..500 {
            let snapshot = container.snapshot();
            if wanted(&snapshot) {
                return snapshot;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{:?}", container.snapshot());
    }

    #[tokio::test]
    async fn what_ends_is_started_again_and_counted() {
        let folder = tempfile::tempdir().unwrap();
        let container =
            Container::start(launch(folder.path(), "echo $WHO; exit 3", Restart::Always));
        let seen = until(&container, |seen| seen.restarts == 1).await;
        assert_eq!(seen.last.unwrap().code, 3);
        container.stop().await;
        let log = std::fs::read_to_string(folder.path().join("logs/0.log")).unwrap();
        assert!(log.starts_with("me\n"));
    }

    #[tokio::test]
    async fn what_is_done_stays_done() {
        let folder = tempfile::tempdir().unwrap();
        let container = Container::start(launch(folder.path(), "exit 0", Restart::OnFailure));
        let seen = until(&container, |seen| matches!(seen.state, State::Ended(_))).await;
        assert_eq!(seen.restarts, 0);
        container.stop().await;
    }

    #[tokio::test]
    async fn a_stop_ends_it_and_a_kick_starts_it_anew() {
        let folder = tempfile::tempdir().unwrap();
        let container = Container::start(launch(folder.path(), "sleep 60", Restart::Always));
        until(&container, |seen| {
            matches!(seen.state, State::Running { .. })
        })
        .await;
        container.handle().restart();
        let seen = until(&container, |seen| seen.restarts == 1).await;
        assert_eq!(seen.last.unwrap().signal, Some(15));
        let begun = Instant::now();
        container.stop().await;
        assert!(begun.elapsed() < Duration::from_secs(5));
    }
}
