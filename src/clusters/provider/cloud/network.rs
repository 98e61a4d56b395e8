//! The cloud's network: a bridge on the host, a cable to each machine, an address for each endpoint.

use std::net::Ipv4Addr;
use std::path::Path;
use std::str::FromStr;

use tokio::process::Command;

use super::CloudError;

/// How many leading bits the network has, and each machine's part of it.
pub(crate) const NETWORK_BITS: u8 = 16;
pub(crate) const OWN_BITS: u8 = 24;
/// The kernel takes no longer names of cards, and a cable's name ends in a dash and three digits.
const LONGEST_BRIDGE: usize = 11;

/// The network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    bridge: String,
    base: [u8; 2],
}

impl Network {
    /// A bridge of this name with the network `a.b.0.0/16`.
    ///
    /// # Errors
    /// If the name is too long for the kernel, or the network is none or has another length.
    pub fn new(bridge: &str, subnet: &str) -> Result<Self, CloudError> {
        let plain = |c: char| c.is_ascii_alphanumeric();
        if bridge.is_empty() || bridge.len() > LONGEST_BRIDGE || !bridge.chars().all(plain) {
            return Err(CloudError::Bridge(bridge.to_owned()));
        }
        let wrong = || CloudError::Subnet(subnet.to_owned());
        let (address, bits) = subnet.split_once('/').ok_or_else(wrong)?;
        let [a, b, c, d] = Ipv4Addr::from_str(address).map_err(|_| wrong())?.octets();
        if bits != "16" || (c, d) != (0, 0) {
            return Err(wrong());
        }
        Ok(Self {
            bridge: bridge.to_owned(),
            base: [a, b],
        })
    }

    /// The host's own address on the bridge.
    #[must_use]
    pub fn gateway(&self) -> Ipv4Addr {
        self.address(0, 1)
    }

    /// The address of a machine.
    pub(crate) fn machine(&self, index: u8) -> Ipv4Addr {
        self.address(index, 1)
    }

    /// The address of an endpoint.
    pub(crate) fn endpoint(&self, index: u8) -> Ipv4Addr {
        self.address(0, index)
    }

    const fn address(&self, third: u8, fourth: u8) -> Ipv4Addr {
        Ipv4Addr::new(self.base[0], self.base[1], third, fourth)
    }

    fn cable(&self, index: u8) -> String {
        format!("{}-{index}", self.bridge)
    }

    /// Makes the bridge, unless it is there.
    pub(crate) async fn raise(&self) -> Result<(), CloudError> {
        if !is_card(&self.bridge) {
            ip(&["link", "add", &self.bridge, "type", "bridge"]).await?;
        }
        let address = format!("{}/{NETWORK_BITS}", self.gateway());
        ip(&["address", "replace", &address, "dev", &self.bridge]).await?;
        ip(&["link", "set", &self.bridge, "up"]).await
    }

    /// Takes the bridge away.
    pub(crate) async fn fell(&self) -> Result<(), CloudError> {
        if is_card(&self.bridge) {
            ip(&["link", "delete", &self.bridge]).await?;
        }
        Ok(())
    }

    /// Whether the machine's cable is plugged in at both ends.
    pub(crate) fn is_attached(&self, index: u8) -> bool {
        is_card(&format!("{}/master", self.cable(index)))
    }

    /// Plugs a cable into the network namespace of this process, or goes on with one that was left half plugged in.
    pub(crate) async fn attach(&self, index: u8, pid: u32) -> Result<(), CloudError> {
        let cable = self.cable(index);
        if !is_card(&cable) {
            let pid = pid.to_string();
            ip(&[
                "link", "add", &cable, "type", "veth", "peer", "name", "eth0", "netns", &pid,
            ])
            .await?;
        }
        self.cut(index, false).await?;
        // The last: by this it is seen that all of it was done.
        ip(&["link", "set", &cable, "master", &self.bridge]).await
    }

    /// Pulls the cable, or plugs it in again.
    pub(crate) async fn cut(&self, index: u8, cut: bool) -> Result<(), CloudError> {
        let cable = self.cable(index);
        if !is_card(&cable) {
            return Ok(());
        }
        ip(&["link", "set", &cable, if cut { "down" } else { "up" }]).await
    }

    /// Removes the cable, where the end of the machine did not.
    pub(crate) async fn detach(&self, index: u8) -> Result<(), CloudError> {
        let cable = self.cable(index);
        if !is_card(&cable) {
            return Ok(());
        }
        match ip(&["link", "delete", &cable]).await {
            // It goes with its machine, which may have been just now.
            Err(_) if !is_card(&cable) => Ok(()),
            other => other,
        }
    }

    /// Gives the bridge the address.
    pub(crate) async fn add_endpoint(&self, index: u8) -> Result<(), CloudError> {
        let address = format!("{}/32", self.endpoint(index));
        ip(&["address", "replace", &address, "dev", &self.bridge]).await
    }

    /// Takes the address away, whether or not it was there.
    pub(crate) async fn remove_endpoint(&self, index: u8) -> Result<(), CloudError> {
        self.add_endpoint(index).await?;
        let address = format!("{}/32", self.endpoint(index));
        ip(&["address", "delete", &address, "dev", &self.bridge]).await
    }
}

fn is_card(name: &str) -> bool {
    Path::new("/sys/class/net").join(name).exists()
}

async fn ip(arguments: &[&str]) -> Result<(), CloudError> {
    let failed = |message: String| CloudError::Command {
        command: format!("ip {}", arguments.join(" ")),
        message,
    };
    let output = Command::new("ip")
        .args(arguments)
        .output()
        .await
        .map_err(|error| failed(error.to_string()))?;
    if output.status.success() {
        return Ok(());
    }
    Err(failed(
        String::from_utf8_lossy(&output.stderr).trim().to_owned(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_index_has_its_address() {
        let network = Network::new("lattice0", "10.213.0.0/16").unwrap();
        assert_eq!(network.gateway(), Ipv4Addr::new(10, 213, 0, 1));
        assert_eq!(network.machine(7), Ipv4Addr::new(10, 213, 7, 1));
        assert_eq!(network.endpoint(2), Ipv4Addr::new(10, 213, 0, 2));
        assert_eq!(network.cable(250), "lattice0-250");
    }

    #[test]
    fn what_the_kernel_would_refuse_is_refused_with_words() {
        for (bridge, subnet) in [
            ("", "10.0.0.0/16"),
            ("a-very-long-name", "10.0.0.0/16"),
            ("a/b", "10.0.0.0/16"),
            ("a", "10.0.0.0/24"),
            ("a", "10.0.1.0/16"),
            ("a", "ten"),
        ] {
            assert!(Network::new(bridge, subnet).is_err(), "{bridge} {subnet}");
        }
    }
}
