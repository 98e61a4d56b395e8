//! Cells in network namespaces of their own: an API server and an operator that have no network but loopback and the links that
//! the test lays. Needs root.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use kube::{Client, Config};

use super::{fleet, managers::program};

/// Where agents are served.
pub const PORT: u16 = 7443;
/// Where the test reaches an API server.
const OUTLET: u16 = 8001;

/// A cell, until it is let go of.
pub struct Apart {
    /// What it is called, and its namespace.
    pub name: &'static str,
    /// An administrator's client, over a link of its own that nobody else uses.
    pub client: Client,
    folder: PathBuf,
    namespace: String,
    children: Vec<Child>,
}

fn ip(words: &[&str]) {
    let output = Command::new("ip").args(words).output().unwrap();
    assert!(output.status.success(), "ip {words:?}: {output:?}");
}

/// Removes what tests left that were killed.
fn sweep() {
    let listed = Command::new("ip").args(["netns", "list"]).output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    for name in listed.lines().filter_map(|line| line.split(' ').next()) {
        let process = name.strip_prefix("lattice-");
        let process = process.and_then(|rest| rest.split('-').next()?.parse::<u32>().ok());
        if process.is_some_and(|process| !Path::new(&format!("/proc/{process}")).exists()) {
            let _ = Command::new("ip").args(["netns", "delete", name]).output();
        }
    }
}

/// Lays a link between two cells, and says where the upper one is for the lower one. The numbers must be of no other link.
pub fn link(above: &Apart, below: &Apart, number: u8) -> String {
    let (upper, lower) = (&above.namespace, &below.namespace);
    let card = card(below.name);
    ip(&[
        "link", "add", &card, "netns", upper, "type", "veth", "peer", "name", "above", "netns",
        lower,
    ]);
    let address = |last: u8| format!("10.232.{number}.{last}");
    for (namespace, card, last) in [(upper, card.as_str(), 1), (lower, "above", 2)] {
        let address = format!("{}/30", address(last));
        ip(&["-n", namespace, "address", "add", &address, "dev", card]);
        ip(&["-n", namespace, "link", "set", card, "up"]);
    }
    address(1)
}

/// The end of a link at the upper cell.
fn card(below: &str) -> String {
    format!("to-{below}")
}

impl Apart {
    /// An API server in a namespace of its own, with Lattice's kinds. The number is from 1 to 4, and that of no other cell.
    pub async fn start(name: &'static str, number: u8, folder: &Path) -> Self {
        // Of this process, so that tests can run beside each other.
        let process = std::process::id();
        let namespace = format!("lattice-{process}-{name}");
        sweep();
        ip(&["netns", "add", &namespace]);
        ip(&["-n", &namespace, "link", "set", "lo", "up"]);
        let outlet = format!("lat{process}o{number}");
        // With four cells to a test, tests of 63 processes have each their own.
        let number = number + 4 * u8::try_from(process % 63).unwrap();
        ip(&[
            "link", "add", &outlet, "type", "veth", "peer", "name", "outlet", "netns", &namespace,
        ]);
        let (near, far) = (format!("10.231.{number}.1"), format!("10.231.{number}.2"));
        ip(&["address", "add", &format!("{near}/30"), "dev", &outlet]);
        ip(&["link", "set", &outlet, "up"]);
        ip(&[
            "-n",
            &namespace,
            "address",
            "add",
            &format!("{far}/30"),
            "dev",
            "outlet",
        ]);
        ip(&["-n", &namespace, "link", "set", "outlet", "up"]);
        let config = Config::new(format!("http://{far}:{OUTLET}").parse().unwrap());
        let mut apart = Self {
            name,
            client: Client::try_from(config).unwrap(),
            folder: folder.join(name),
            namespace,
            children: Vec::new(),
        };
        fs::create_dir_all(&apart.folder).unwrap();
        let data = apart.folder.join("up").display().to_string();
        let lattice = Path::new(env!("CARGO_BIN_EXE_lattice"));
        apart.run("plane", lattice, &["up", "--no-operator", "--data", &data]);
        fleet::eventually("a kubeconfig", || async {
            apart.kubeconfig().exists().then_some(())
        })
        .await;
        let words = [
            "--kubeconfig",
            &apart.kubeconfig().display().to_string(),
            "proxy",
        ]
        .map(str::to_owned);
        let further = [
            format!("--address={far}"),
            format!("--port={OUTLET}"),
            "--accept-hosts=.*".to_owned(),
        ];
        let words: Vec<&str> = words.iter().chain(&further).map(String::as_str).collect();
        apart.run("outlet", &program("kubectl"), &words);
        let client = apart.client.clone();
        fleet::eventually("an API server", || async {
            client.apiserver_version().await.ok()
        })
        .await;
        fleet::install_kinds(&client).await;
        apart
    }

    fn kubeconfig(&self) -> PathBuf {
        self.folder.join("up/kubeconfig")
    }

    /// Starts the operator, as a cell that is reached at these addresses if there are any.
    pub fn operate(&mut self, hosts: &[String]) {
        let kubeconfig = self.kubeconfig().display().to_string();
        let listen = format!("0.0.0.0:{PORT}");
        let mut words = vec!["operator", "--kubeconfig", &kubeconfig];
        words.extend(["--identity", self.name, "--http", "127.0.0.1:0"]);
        if !hosts.is_empty() {
            words.extend(["--cell-listen", &listen, "--cell-name", self.name]);
        }
        for host in hosts {
            words.extend(["--cell-host", host]);
        }
        self.run("operator", Path::new(env!("CARGO_BIN_EXE_lattice")), &words);
    }

    /// Cuts the link to a cell below, or lets it be again.
    pub fn set_link(&self, below: &str, is_up: bool) {
        let word = if is_up { "up" } else { "down" };
        ip(&["-n", &self.namespace, "link", "set", &card(below), word]);
    }

    /// The end of what a program has said.
    pub fn said(&self, name: &str) -> String {
        let text = fs::read_to_string(self.folder.join(format!("{name}.log"))).unwrap_or_default();
        let lines: Vec<&str> = text.lines().rev().take(20).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }

    fn run(&mut self, name: &str, program: &Path, words: &[&str]) {
        let log = fs::File::create(self.folder.join(format!("{name}.log"))).unwrap();
        let child = Command::new("ip")
            .args(["netns", "exec", &self.namespace])
            .arg(program)
            .args(words)
            .env("HOME", &self.folder)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        self.children.push(child);
    }
}

impl Drop for Apart {
    fn drop(&mut self) {
        for child in self.children.iter_mut().rev() {
            // `ip` has become the program itself; what that has started ends with it.
            let _ = child.kill();
            let _ = child.wait();
        }
        let _ = Command::new("ip")
            .args(["netns", "delete", &self.namespace])
            .output();
    }
}
