//! Addresses inside a machine: its own, and those of the pods that it runs as processes.
//!
//! Pods have addresses of the machine's own range. The machine answers for them on its network, so that every
//! other machine, and the host, reaches them without knowing of routes.

use std::net::Ipv4Addr;
use std::time::Duration;

use tokio::process::Command;

use super::{MachineError, spec::MachineSpec};

/// The network card, in a machine as in a pod.
pub(super) const CARD: &str = "eth0";
const CARD_WITHIN: Duration = Duration::from_secs(30);

/// Gives the machine its address, as soon as the daemon has attached it.
pub(super) async fn configure_machine(spec: &MachineSpec) -> Result<(), MachineError> {
    await_card().await?;
    let address = format!("{}/{}", spec.address, spec.network_bits);
    configure(&address, spec.gateway).await?;
    for path in [
        "/proc/sys/net/ipv4/ip_forward",
        "/proc/sys/net/ipv4/conf/all/proxy_arp",
        "/proc/sys/net/ipv4/conf/eth0/proxy_arp",
    ] {
        std::fs::write(path, "1").map_err(MachineError::file("write", path.as_ref()))?;
    }
    Ok(())
}

/// Gives a pod, whose namespace this is, its address.
pub(super) async fn configure_pod(
    address: Ipv4Addr,
    gateway: Ipv4Addr,
) -> Result<(), MachineError> {
    await_card().await?;
    let own = format!("{address}/32");
    ip(&["link", "set", "lo", "up"]).await?;
    ip(&["address", "replace", &own, "dev", CARD]).await?;
    ip(&["link", "set", CARD, "up"]).await?;
    let gateway = gateway.to_string();
    ip(&["route", "replace", &gateway, "dev", CARD]).await?;
    ip(&["route", "replace", "default", "via", &gateway, "dev", CARD]).await
}

async fn configure(address: &str, gateway: Ipv4Addr) -> Result<(), MachineError> {
    let gateway = gateway.to_string();
    ip(&["link", "set", "lo", "up"]).await?;
    ip(&["address", "replace", address, "dev", CARD]).await?;
    ip(&["link", "set", CARD, "up"]).await?;
    ip(&["route", "replace", "default", "via", &gateway]).await
}

/// Attaches a card to the namespace of this process and sends the pod's traffic to it.
pub(super) async fn attach_pod(
    cable: &str,
    pid: u32,
    address: Ipv4Addr,
) -> Result<(), MachineError> {
    let pid = pid.to_string();
    // One of an earlier start may be there for a moment longer.
    let _ = ip(&["link", "delete", cable]).await;
    ip(&[
        "link", "add", cable, "type", "veth", "peer", "name", CARD, "netns", &pid,
    ])
    .await?;
    ip(&["link", "set", cable, "up"]).await?;
    let path = format!("/proc/sys/net/ipv4/conf/{cable}/proxy_arp");
    std::fs::write(&path, "1").map_err(MachineError::file("write", path.as_ref()))?;
    ip(&["route", "replace", &format!("{address}/32"), "dev", cable]).await
}

async fn await_card() -> Result<(), MachineError> {
    let attempts = CARD_WITHIN.as_millis() / 20;
    for _ in 0..attempts {
        let cards = std::fs::read_to_string("/proc/self/net/dev").unwrap_or_default();
        if cards
            .lines()
            .any(|line| line.trim_start().starts_with("eth0:"))
        {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Err(MachineError::NoCard(CARD_WITHIN.as_secs()))
}

async fn ip(arguments: &[&str]) -> Result<(), MachineError> {
    let output = Command::new("ip")
        .args(arguments)
        .output()
        .await
        .map_err(MachineError::file("run", "ip".as_ref()))?;
    if output.status.success() {
        return Ok(());
    }
    Err(MachineError::Command {
        command: format!("ip {}", arguments.join(" ")),
        message: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
    })
}
