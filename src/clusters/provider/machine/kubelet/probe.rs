//! Whether a process serves: asked as its pod says, of readiness and of life.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use k8s_openapi::api::core::v1::{Container, Probe};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// What is asked. Where a probe speaks TLS, that a connection is accepted is enough.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Question {
    target: SocketAddr,
    path: Option<String>,
    pub(super) delay: Duration,
    pub(super) every: Duration,
    patience: Duration,
    pub(super) failures: u32,
}

/// What a container's probe asks, if it is one that can be asked from outside the process.
pub(super) fn question(
    container: &Container,
    probe: Option<&Probe>,
    address: Ipv4Addr,
) -> Option<Question> {
    let probe = probe?;
    let (port, host, path) = match (&probe.http_get, &probe.tcp_socket) {
        (Some(get), _) => {
            let plain = get.scheme.as_deref() != Some("HTTPS");
            let path = get.path.clone().unwrap_or_else(|| "/".to_owned());
            (&get.port, &get.host, plain.then_some(path))
        }
        (None, Some(socket)) => (&socket.port, &socket.host, None),
        (None, None) => return None,
    };
    let host = host.as_deref().and_then(|host| host.parse::<IpAddr>().ok());
    let seconds = |value: Option<i32>, default: u64| {
        Duration::from_secs(value.and_then(|v| u64::try_from(v).ok()).unwrap_or(default))
    };
    Some(Question {
        target: SocketAddr::new(host.unwrap_or(address.into()), number(container, port)?),
        path,
        delay: seconds(probe.initial_delay_seconds, 0),
        every: seconds(probe.period_seconds, 10).max(Duration::from_secs(1)),
        patience: seconds(probe.timeout_seconds, 1).max(Duration::from_secs(1)),
        failures: probe
            .failure_threshold
            .and_then(|count| u32::try_from(count).ok())
            .unwrap_or(3),
    })
}

fn number(container: &Container, port: &IntOrString) -> Option<u16> {
    let number = match port {
        IntOrString::Int(number) => *number,
        IntOrString::String(name) => {
            let mut ports = container.ports.iter().flatten();
            ports
                .find(|port| port.name.as_ref() == Some(name))?
                .container_port
        }
    };
    u16::try_from(number).ok()
}

/// Asks once.
pub(super) async fn ask(question: &Question) -> bool {
    let answer = timeout(question.patience, answer(question)).await;
    matches!(answer, Ok(Ok(true)))
}

async fn answer(question: &Question) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect(question.target).await?;
    let Some(path) = &question.path else {
        return Ok(true);
    };
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {}\r\nUser-Agent: lattice\r\nConnection: close\r\n\r\n",
        question.target
    );
    stream.write_all(request.as_bytes()).await?;
    let mut head = [0; 12];
    stream.read_exact(&mut head).await?;
    Ok(matches!(head[9], b'2' | b'3'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container() -> Container {
        serde_json::from_value(serde_json::json!({
            "name": "c",
            "ports": [{"name": "healthz", "containerPort": 9440}],
            "readinessProbe": {"httpGet": {"path": "/readyz", "port": "healthz"}, "periodSeconds": 3},
            "livenessProbe": {"httpGet": {"port": 6443, "scheme": "HTTPS", "host": "10.0.0.9"}},
            "startupProbe": {"exec": {"command": ["x"]}},
        }))
        .unwrap()
    }

    #[test]
    fn a_probe_is_read_as_it_is_meant() {
        let container = container();
        let own = Ipv4Addr::new(10, 0, 0, 2);
        let ready = question(&container, container.readiness_probe.as_ref(), own).unwrap();
        assert_eq!(ready.target, "10.0.0.2:9440".parse().unwrap());
        assert_eq!(ready.path.as_deref(), Some("/readyz"));
        assert_eq!(ready.every, Duration::from_secs(3));
        let alive = question(&container, container.liveness_probe.as_ref(), own).unwrap();
        assert_eq!(alive.target, "10.0.0.9:6443".parse().unwrap());
        assert_eq!(alive.path, None);
        assert_eq!(
            question(&container, container.startup_probe.as_ref(), own),
            None
        );
        assert_eq!(question(&container, None, own), None);
    }

    #[tokio::test]
    async fn the_first_line_of_the_answer_decides() {
        for (line, wanted) in [("HTTP/1.1 200 OK", true), ("HTTP/1.1 503 No", false)] {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let port = listener.local_addr().unwrap().port();
            tokio::spawn(async move {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = [0; 1024];
                let _ = stream.read(&mut request).await.unwrap();
                stream
                    .write_all(format!("{line}\r\n\r\n").as_bytes())
                    .await
                    .unwrap();
            });
            let mut container = container();
            let probe = container.readiness_probe.as_mut().unwrap();
            probe.http_get.as_mut().unwrap().port = IntOrString::Int(port.into());
            let asked = question(
                &container,
                container.readiness_probe.as_ref(),
                Ipv4Addr::LOCALHOST,
            );
            assert_eq!(ask(&asked.unwrap()).await, wanted);
        }
    }
}
