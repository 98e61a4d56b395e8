//! A cloud of local machines as a process, and what runs beside it.

use std::{
    fs,
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

use kube::Client;
use lattice::operator::decision_log::{NAMESPACE, ensure_namespace};
use serde_json::Value;

use super::{fleet, managers};

/// How much of what somebody said is shown.
const LAST_LINES: usize = 12;

/// A network that no other test uses.
#[derive(Clone, Copy)]
pub struct Place {
    pub bridge: &'static str,
    pub subnet: &'static str,
    /// The network's first address: the host's own, which all machines reach.
    pub host: &'static str,
}

/// A cloud, and programs that end with it. Whatever becomes of the test, nothing of them is left.
pub struct Cloud {
    pub data: tempfile::TempDir,
    place: Place,
    daemon: Option<Child>,
    children: Vec<Child>,
}

impl Cloud {
    pub fn start(place: Place) -> Self {
        let mut cloud = Self {
            data: tempfile::tempdir().unwrap(),
            place,
            daemon: None,
            children: Vec::new(),
        };
        cloud.serve();
        cloud
    }

    /// Starts the daemon.
    ///
    /// # Panics
    /// If it does not serve; it says why.
    pub fn serve(&mut self) {
        let mut words: Vec<String> = vec!["cloud".to_owned(), "serve".to_owned()];
        words.extend(self.place.words());
        for folder in managers::program_folders() {
            words.extend(["--programs".to_owned(), folder.display().to_string()]);
        }
        if let Some(release) = managers::next_release() {
            words.extend(["--release".to_owned(), release.display().to_string()]);
        }
        words.extend(["--data".to_owned(), self.folder().display().to_string()]);
        self.daemon = Some(self.spawned("serve", &words));
        let access = self.folder().join("default.json");
        for _ in 0..200 {
            if access.exists() && self.call(&["machines"]).status.success() {
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("no cloud: {}", self.said("serve"));
    }

    /// Runs `lattice` with these words until the cloud is dropped.
    pub fn run(&mut self, name: &str, words: &[String]) {
        let child = self.spawned(name, words);
        self.children.push(child);
    }

    /// Runs `lattice` with these words; whoever asked for it ends it.
    pub fn spawned(&self, name: &str, words: &[String]) -> Child {
        let log = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.log(name))
            .unwrap();
        Command::new(env!("CARGO_BIN_EXE_lattice"))
            .args(words)
            .current_dir(self.data.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap()
    }

    /// The daemon's folder.
    pub fn folder(&self) -> PathBuf {
        self.data.path().join("cloud")
    }

    /// What a program said.
    pub fn said(&self, name: &str) -> String {
        fs::read_to_string(self.log(name)).unwrap_or_default()
    }

    /// How its machines and the programs beside it are, and the last that each of them said.
    pub fn findings(&self) -> String {
        // The daemon may be what is missing.
        let table = self.call(&["machines"]);
        let table = [table.stdout, table.stderr].concat();
        let mut all = String::from_utf8_lossy(&table).into_owned();
        let machines = fs::read_dir(self.folder().join("machines")).into_iter();
        let machines = machines.flatten().flatten().map(|machine| machine.path());
        let said = machines.flat_map(|machine| {
            ["report.json", "console.log", "cloud-init-output.log"].map(|name| machine.join(name))
        });
        let logs = fs::read_dir(self.data.path()).into_iter().flatten();
        let logs = logs.flatten().map(|log| log.path());
        let mut said: Vec<PathBuf> = said.chain(logs.filter(|path| path.is_file())).collect();
        said.sort();
        for path in said {
            let text = fs::read_to_string(&path).unwrap_or_default();
            let lines: Vec<&str> = text.lines().collect();
            all += &format!("{}:\n", path.display());
            for line in &lines[lines.len().saturating_sub(LAST_LINES)..] {
                all += &format!("  {line}\n");
            }
        }
        all
    }

    fn log(&self, name: &str) -> PathBuf {
        self.data.path().join(format!("{name}.log"))
    }

    fn call(&self, words: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_lattice"))
            .arg("cloud")
            .arg("--data")
            .arg(self.folder())
            .args(words)
            .output()
            .unwrap()
    }

    /// What `lattice cloud` says to these words.
    ///
    /// # Panics
    /// If it fails.
    pub fn told(&self, words: &[&str]) -> String {
        let output = self.call(words);
        assert!(output.status.success(), "{words:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Puts a credential where a pool that names this Secret finds it.
    pub async fn hand_over(&self, client: &Client, credential: &str, name: &str) {
        ensure_namespace(client).await.unwrap();
        let words = ["secret", "--namespace", NAMESPACE, "--name", name];
        let words = [&words[..], &["--credential", credential]].concat();
        let secret: Value = serde_saphyr::from_str(&self.told(&words)).unwrap();
        fleet::apply(client, &secret).await;
    }

    /// What people give: credentials, capacity and a service.
    pub async fn ask_for_a_service(&self, client: &Client) {
        self.hand_over(client, "default", "local-credentials").await;
        let text = include_str!("../data/clusters/fleet.yaml");
        let text = text.replace("VERSION", &managers::version());
        for document in serde_saphyr::from_multiple::<Value>(&text).unwrap() {
            fleet::apply(client, &document).await;
        }
    }

    /// Kills the daemon without a warning; its machines must not notice.
    pub fn kill_daemon(&mut self) {
        end(self.daemon.as_mut());
        self.daemon = None;
    }

    /// Kills all that was run beside the daemon.
    pub fn kill_the_rest(&mut self) {
        self.children.iter_mut().for_each(|child| end(Some(child)));
        self.children.clear();
    }
}

impl Place {
    fn words(&self) -> [String; 4] {
        ["--bridge", self.bridge, "--subnet", self.subnet].map(str::to_owned)
    }

    /// The cables to machines that `ip` would show.
    pub fn cables(&self) -> Vec<String> {
        let cards = fs::read_dir("/sys/class/net").unwrap();
        let names = cards.map(|card| card.unwrap().file_name().into_string().unwrap());
        names
            .filter(|name| name.starts_with(&format!("{}-", self.bridge)))
            .collect()
    }
}

fn end(child: Option<&mut Child>) {
    if let Some(child) = child {
        let _ = child.kill();
        let _ = child.wait();
    }
}

impl Drop for Cloud {
    fn drop(&mut self) {
        self.kill_the_rest();
        self.kill_daemon();
        let place = self.place.words();
        let words: Vec<&str> = ["down"]
            .into_iter()
            .chain(place.iter().map(String::as_str))
            .collect();
        let down = self.call(&words);
        if !down.status.success() {
            eprintln!("{down:?}");
        }
    }
}
