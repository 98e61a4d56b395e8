//! Waiting until a child serves, and noticing at once when it ends instead.

use std::{
    net::Ipv4Addr,
    path::Path,
    time::{Duration, Instant},
};

use tokio::{
    net::TcpStream,
    time::{sleep, timeout},
};

use super::{ControlPlaneError, kubeconfig, process::Process};

const FIRST_PAUSE: Duration = Duration::from_millis(25);
const LONGEST_PAUSE: Duration = Duration::from_millis(400);
const ANSWER_WITHIN: Duration = Duration::from_secs(3);

/// Until something accepts connections on the process's port.
pub(crate) async fn listening(
    process: &mut Process,
    port: u16,
    patience: Duration,
) -> Result<(), ControlPlaneError> {
    poll(process, patience, async || {
        let connection = TcpStream::connect((Ipv4Addr::LOCALHOST, port));
        match timeout(ANSWER_WITHIN, connection).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("no answer".to_owned()),
        }
    })
    .await
}

/// Until the API server says that it is ready and has made the default namespace, which is not part of
/// being ready but what everybody needs first.
pub(crate) async fn serving(
    process: &mut Process,
    kubeconfig: &Path,
    patience: Duration,
) -> Result<(), ControlPlaneError> {
    let client = kubeconfig::client(kubeconfig).await?;
    poll(process, patience, async || {
        for path in ["/readyz", "/api/v1/namespaces/default"] {
            let request = axum::http::Request::get(path)
                .body(Vec::new())
                .map_err(|error| error.to_string())?;
            match timeout(ANSWER_WITHIN, client.request_text(request)).await {
                Ok(Ok(_)) => {}
                Ok(Err(error)) => return Err(format!("{path}: {}", causes(&error))),
                Err(_) => return Err(format!("{path}: no answer")),
            }
        }
        Ok(())
    })
    .await
}

async fn poll(
    process: &mut Process,
    patience: Duration,
    mut attempt: impl AsyncFnMut() -> Result<(), String>,
) -> Result<(), ControlPlaneError> {
    let deadline = Instant::now() + patience;
    let mut pause = FIRST_PAUSE;
    loop {
        process.still_runs()?;
        let Err(last) = attempt().await else {
            return Ok(());
        };
        if Instant::now() >= deadline {
            return Err(ControlPlaneError::NotReady {
                name: process.name(),
                seconds: patience.as_secs(),
                last,
                tail: process.tail(),
            });
        }
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, folder: &Path) -> Process {
        let arguments = ["-c".into(), script.into()];
        let log = folder.join("sh.log");
        Process::start("sh", Path::new("/bin/sh"), &arguments, log).unwrap()
    }

    #[tokio::test]
    async fn a_child_that_ends_is_noticed_before_the_deadline() {
        let folder = tempfile::tempdir().unwrap();
        let mut process = shell("echo no such flag; exit 1", folder.path());
        let waited = poll(&mut process, Duration::from_secs(60), async || {
            Err("refused".to_owned())
        });
        let text = waited.await.unwrap_err().to_string();
        assert!(text.ends_with("no such flag"), "{text}");
    }

    #[tokio::test]
    async fn a_child_that_only_sits_there_runs_into_the_deadline() {
        let folder = tempfile::tempdir().unwrap();
        let mut process = shell("echo starting; exec sleep 60", folder.path());
        while process.tail().is_empty() {
            sleep(Duration::from_millis(5)).await;
        }
        let waited = poll(&mut process, Duration::from_millis(60), async || {
            Err("refused".to_owned())
        });
        let text = waited.await.unwrap_err().to_string();
        assert!(
            text.contains("(refused)") && text.ends_with("starting"),
            "{text}"
        );
    }
}
