//! The loopback ports of a control plane: the same as last time if they are to be had.

use std::{
    fs, io,
    net::{Ipv4Addr, TcpListener},
    path::Path,
};

use serde::{Deserialize, Serialize};

use super::{ControlPlaneError, layout::write_private};

/// The ports on 127.0.0.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ports {
    /// The API server's.
    pub(crate) api: u16,
    /// etcd's, for the API server.
    pub(crate) store: u16,
    /// etcd's for its peers, of which there are none; it insists on listening.
    pub(crate) peer: u16,
}

impl Ports {
    pub(crate) fn all(self) -> [u16; 3] {
        [self.api, self.store, self.peer]
    }
}

/// Picks the ports and writes them down for the next start.
pub(crate) fn settle(file: &Path) -> Result<Ports, ControlPlaneError> {
    // What cannot be read is as good as nothing remembered.
    let remembered = fs::read(file)
        .ok()
        .and_then(|text| serde_json::from_slice(&text).ok());
    let ports = choose(remembered, listen).map_err(ControlPlaneError::Ports)?;
    let text = format!(
        "{{\"api\":{},\"store\":{},\"peer\":{}}}\n",
        ports.api, ports.store, ports.peer
    );
    write_private(file, text.as_bytes())?;
    Ok(ports)
}

/// Makes the next `settle` pick afresh.
pub(crate) fn forget(file: &Path) -> Result<(), ControlPlaneError> {
    fs::remove_file(file).map_err(ControlPlaneError::file("remove", file))
}

/// Whether nothing listens on the port.
pub(crate) fn is_free(port: u16) -> bool {
    listen(port).is_ok()
}

/// `reserve` takes a port (0: any) and gives its number and a hold on it. All holds are kept until the
/// choice is complete, so no port is chosen twice.
fn choose<Hold>(
    remembered: Option<Ports>,
    mut reserve: impl FnMut(u16) -> io::Result<(u16, Hold)>,
) -> io::Result<Ports> {
    let mut holds = Vec::with_capacity(3);
    let mut pick = |wanted: Option<u16>| -> io::Result<u16> {
        let kept = wanted
            .filter(|port| *port != 0)
            .and_then(|port| reserve(port).ok());
        let (port, hold) = match kept {
            Some(kept) => kept,
            None => reserve(0)?,
        };
        holds.push(hold);
        Ok(port)
    };
    Ok(Ports {
        api: pick(remembered.map(|ports| ports.api))?,
        store: pick(remembered.map(|ports| ports.store))?,
        peer: pick(remembered.map(|ports| ports.peer))?,
    })
}

fn listen(port: u16) -> io::Result<(u16, TcpListener)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    Ok((listener.local_addr()?.port(), listener))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAST: Ports = Ports {
        api: 10,
        store: 20,
        peer: 30,
    };

    fn world(busy: &[u16]) -> impl FnMut(u16) -> io::Result<(u16, ())> {
        let mut taken = busy.to_vec();
        move |wanted| {
            let port = if wanted == 0 {
                (100..).find(|port| !taken.contains(port)).unwrap()
            } else {
                wanted
            };
            if taken.contains(&port) {
                return Err(io::ErrorKind::AddrInUse.into());
            }
            taken.push(port);
            Ok((port, ()))
        }
    }

    #[test]
    fn remembered_ports_are_taken_again() {
        assert_eq!(choose(Some(LAST), world(&[])).unwrap(), LAST);
    }

    #[test]
    fn only_the_occupied_one_changes() {
        let ports = choose(Some(LAST), world(&[20])).unwrap();
        assert_eq!(ports, Ports { store: 100, ..LAST });
    }

    #[test]
    fn nothing_remembered_or_nonsense_gives_three_different_ports() {
        let nonsense = Ports {
            api: 0,
            store: 7,
            peer: 7,
        };
        for remembered in [None, Some(nonsense)] {
            let ports = choose(remembered, world(&[])).unwrap();
            assert!(ports.api != ports.store && ports.store != ports.peer);
            assert!(!ports.all().contains(&0));
        }
    }

    #[test]
    fn the_choice_survives_in_the_file_and_yields_to_a_listener() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ports.json");
        let first = settle(&file).unwrap();
        assert_eq!(settle(&file).unwrap(), first);
        let _listener = listen(first.api).unwrap();
        assert!(!is_free(first.api));
        let second = settle(&file).unwrap();
        assert_ne!(second.api, first.api);
        assert_eq!(second.store, first.store);
        fs::write(&file, "{").unwrap();
        settle(&file).unwrap();
        forget(&file).unwrap();
        assert!(!file.exists());
    }
}
