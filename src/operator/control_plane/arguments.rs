//! The command lines of etcd and kube-apiserver, as pure functions of folder and ports.

use std::{ffi::OsString, path::Path};

use super::{layout::Layout, ports::Ports};

/// etcd's arguments. Every listener asks for a certificate of the store's own authority: being on the
/// same machine opens nothing.
pub(crate) fn etcd(layout: &Layout, ports: Ports, fsync: bool) -> Vec<OsString> {
    let client = format!("https://127.0.0.1:{}", ports.store);
    let peer = format!("https://127.0.0.1:{}", ports.peer);
    let (authority, own) = (layout.store_authority(), layout.store_server());
    let mut list = Arguments::default();
    list.text("name", "lattice");
    list.path("data-dir", &layout.store());
    list.text("listen-client-urls", &client);
    list.text("advertise-client-urls", &client);
    list.text("listen-peer-urls", &peer);
    list.text("initial-advertise-peer-urls", &peer);
    list.text("initial-cluster", &format!("lattice={peer}"));
    for side in ["", "peer-"] {
        list.path(&format!("{side}cert-file"), &own.certificate);
        list.path(&format!("{side}key-file"), &own.key);
        list.path(&format!("{side}trusted-ca-file"), &authority);
        list.text(&format!("{side}client-cert-auth"), "true");
    }
    list.text("log-level", "warn");
    if !fsync {
        list.text("unsafe-no-fsync", "true");
    }
    list.0
}

/// kube-apiserver's arguments.
pub(crate) fn kube_apiserver(layout: &Layout, ports: Ports) -> Vec<OsString> {
    let (own, store) = (layout.api_server(), layout.store_client());
    let (signing, verifying) = layout.service_accounts();
    let mut list = Arguments::default();
    list.text("bind-address", "127.0.0.1");
    // Else it looks for an address of the machine, and fails where there is only the loopback one.
    list.text("advertise-address", "127.0.0.1");
    list.text("secure-port", &ports.api.to_string());
    list.path("cert-dir", &layout.pki());
    list.path("tls-cert-file", &own.certificate);
    list.path("tls-private-key-file", &own.key);
    list.path("client-ca-file", &layout.cluster_authority());
    list.text(
        "etcd-servers",
        &format!("https://127.0.0.1:{}", ports.store),
    );
    list.path("etcd-cafile", &layout.store_authority());
    list.path("etcd-certfile", &store.certificate);
    list.path("etcd-keyfile", &store.key);
    list.text("authorization-mode", "RBAC");
    list.text("anonymous-auth", "false");
    let issuer = "https://kubernetes.default.svc";
    list.text("service-account-issuer", issuer);
    list.path("service-account-key-file", &verifying);
    list.path("service-account-signing-key-file", &signing);
    list.text("service-cluster-ip-range", "10.96.0.0/16");
    // There are no nodes: nothing reaches the API by a Service, and a loopback address may not be
    // advertised as one.
    list.text("endpoint-reconciler-type", "none");
    // Nor is there a controller that would give each namespace the account this plugin asks for.
    list.text("disable-admission-plugins", "ServiceAccount");
    list.text("profiling", "false");
    // Nothing here forwards the addresses of Services: webhooks are reached where their EndpointSlices say.
    list.text("enable-aggregator-routing", "true");
    list.0
}

/// The argument by which a running child of this folder is told from all others. It has to be among
/// what the functions above give.
pub(crate) fn mark(layout: &Layout, program: &str) -> OsString {
    let mut list = Arguments::default();
    match program {
        "etcd" => list.path("data-dir", &layout.store()),
        _ => list.path("cert-dir", &layout.pki()),
    }
    list.0.remove(0)
}

#[derive(Default)]
struct Arguments(Vec<OsString>);

impl Arguments {
    fn text(&mut self, flag: &str, value: &str) {
        self.0.push(format!("--{flag}={value}").into());
    }

    fn path(&mut self, flag: &str, value: &Path) {
        let mut argument = OsString::from(format!("--{flag}="));
        argument.push(value);
        self.0.push(argument);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PORTS: Ports = Ports {
        api: 1,
        store: 2,
        peer: 3,
    };

    #[test]
    fn the_mark_is_among_the_arguments() {
        let layout = Layout::unprepared("/data");
        assert!(etcd(&layout, PORTS, true).contains(&mark(&layout, "etcd")));
        let list = kube_apiserver(&layout, PORTS);
        assert!(list.contains(&mark(&layout, "kube-apiserver")));
    }

    fn lines(list: Vec<OsString>) -> Vec<String> {
        list.into_iter()
            .map(|item| item.into_string().unwrap())
            .collect()
    }

    fn has(list: &[String], wanted: &str) -> bool {
        list.iter().any(|item| item == wanted)
    }

    #[test]
    fn etcd_listens_on_loopback_and_asks_for_certificates() {
        let list = lines(etcd(&Layout::unprepared("/data"), PORTS, true));
        assert!(has(&list, "--listen-client-urls=https://127.0.0.1:2"));
        assert!(has(&list, "--listen-peer-urls=https://127.0.0.1:3"));
        assert!(has(&list, "--client-cert-auth=true"));
        assert!(has(&list, "--peer-client-cert-auth=true"));
        assert!(has(&list, "--trusted-ca-file=/data/pki/store-ca.crt"));
        assert!(has(&list, "--data-dir=/data/etcd"));
        assert!(!list.iter().any(|item| item.contains("http://")));
    }

    #[test]
    fn data_is_left_unsynced_only_when_asked() {
        let layout = Layout::unprepared("/data");
        let flag = "--unsafe-no-fsync=true";
        assert!(!has(&lines(etcd(&layout, PORTS, true)), flag));
        assert!(has(&lines(etcd(&layout, PORTS, false)), flag));
    }

    #[test]
    fn the_api_server_is_on_loopback_with_rbac_and_its_own_authorities() {
        let list = lines(kube_apiserver(&Layout::unprepared("/data"), PORTS));
        assert!(has(&list, "--bind-address=127.0.0.1"));
        assert!(has(&list, "--secure-port=1"));
        assert!(has(&list, "--etcd-servers=https://127.0.0.1:2"));
        assert!(has(&list, "--authorization-mode=RBAC"));
        assert!(has(&list, "--anonymous-auth=false"));
        assert!(has(&list, "--client-ca-file=/data/pki/cluster-ca.crt"));
        assert!(has(&list, "--etcd-cafile=/data/pki/store-ca.crt"));
    }
}
