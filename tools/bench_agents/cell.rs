//! The cell, as a process of its own that is asked over its standard input and can be killed.

use std::{
    collections::BTreeMap,
    error::Error,
    io::{self, BufRead, BufReader, Write},
    net::SocketAddr,
    path::Path,
    process::{self, ChildStdin, ChildStdout, Command, Stdio},
    sync::Mutex,
    time::Duration,
};

use chrono::Utc;
use lattice::{
    agent::{
        client::Tcp,
        proto::{OutboxRecord, RenewResponse},
        server::{Cell, Credentials, Registry, Server},
        session::Event,
    },
    clusters::bootstrap::{Authority, Known, SigningRequest},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio_util::sync::CancellationToken;

use super::{
    Arguments,
    agents::uid,
    process::memory,
    report::Spread,
    streams::{self, Streams},
};

/// Tries to listen: an agent that dials where nobody listens can be given the same port for itself.
const BINDS: u32 = 100;

/// What is asked of the cell.
#[derive(Deserialize, Serialize)]
enum Asked {
    Usage,
    Open(u64),
    Speak(bool),
}

/// What a process has used.
#[derive(Deserialize, Serialize)]
pub struct Usage {
    /// KiB.
    pub memory: u64,
    pub spent: Duration,
}

/// The cell's process, for the one that started it.
pub struct Child {
    process: process::Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Child {
    /// Returns once it listens.
    pub fn start(folder: &Path, listen: SocketAddr) -> Result<Self, Box<dyn Error>> {
        let mut process = Command::new(std::env::current_exe()?)
            .arg("--cell")
            .arg(folder)
            .args(["--listen", &listen.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let (input, output) = (process.stdin.take(), process.stdout.take());
        let mut child = Self {
            process,
            input: input.ok_or("no input")?,
            output: BufReader::new(output.ok_or("no output")?),
        };
        child.read::<()>()?;
        Ok(child)
    }

    pub fn usage(&mut self) -> Result<Usage, Box<dyn Error>> {
        self.ask(&Asked::Usage)
    }

    /// Opens streams over the connection of one agent.
    pub fn open(&mut self, count: u64) -> Result<(), Box<dyn Error>> {
        self.ask(&Asked::Open(count))
    }

    /// Says something on all streams again and again, and how long it takes to come back; on all but one if that is to stall.
    pub fn speak(&mut self, stalled: bool) -> Result<Spread, Box<dyn Error>> {
        self.ask(&Asked::Speak(stalled))
    }

    /// As a crash does it.
    pub fn kill(mut self) -> io::Result<()> {
        self.process.kill()?;
        self.process.wait().map(drop)
    }

    fn ask<T: DeserializeOwned>(&mut self, asked: &Asked) -> Result<T, Box<dyn Error>> {
        writeln!(self.input, "{}", serde_json::to_string(asked)?)?;
        self.read()
    }

    fn read<T: DeserializeOwned>(&mut self) -> Result<T, Box<dyn Error>> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        Ok(serde_json::from_str(&line)?)
    }
}

/// Processor time of this process.
pub fn processor_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // proc(5): the 14th and 15th fields, in ticks of which Linux says a hundred a second; the second may have spaces.
    let after = stat.rsplit(')').next().unwrap_or_default();
    let ticks = after.split_whitespace().skip(11).take(2);
    let ticks: u64 = ticks.flat_map(str::parse::<u64>).sum();
    Duration::from_millis(ticks * 10)
}

/// Serves agents and answers questions until there are no more.
pub async fn run(folder: &Path, arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let read = |name: &str| std::fs::read_to_string(folder.join(name));
    let authority = Authority::from_pem(&read("ca.crt")?, &read("ca.key")?)?;
    let (certificate, key) = authority.certify_server(&["127.0.0.1".to_owned()], Utc::now())?;
    let credentials = Credentials {
        certificate,
        key,
        authorities: authority.certificate().to_owned(),
    };
    let server = bound(arguments.listen, &credentials).await?;
    let cell = Cell::new("bench", Everyone::default());
    let serving = {
        let cell = cell.clone();
        tokio::spawn(async move { cell.serve(server, CancellationToken::new()).await })
    };
    say(&())?;
    let mut open: Option<Streams> = None;
    loop {
        let line = tokio::task::spawn_blocking(|| io::stdin().lines().next());
        let Some(line) = line.await? else { break };
        match serde_json::from_str::<Asked>(&line?)? {
            Asked::Usage => say(&Usage {
                memory: memory(),
                spent: processor_time(),
            })?,
            Asked::Open(count) => {
                open = Some(streams::open(&cell, count).await?);
                say(&())?;
            }
            Asked::Speak(stalled) => {
                let streams = open.as_mut().ok_or("no streams are open")?;
                say(&streams::speak(&cell, streams, stalled).await?)?;
            }
        }
    }
    serving.abort();
    Ok(())
}

async fn bound(address: SocketAddr, credentials: &Credentials) -> Result<Server, Box<dyn Error>> {
    for _ in 0..BINDS {
        if let Ok(server) = Server::bind(&Tcp, address, credentials).await {
            return Ok(server);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(Server::bind(&Tcp, address, credentials).await?)
}

fn say<T: Serialize>(said: &T) -> Result<(), Box<dyn Error>> {
    println!("{}", serde_json::to_string(said)?);
    Ok(io::stdout().flush()?)
}

/// A registry that knows every cluster and keeps what it is given in memory.
#[derive(Default)]
pub struct Everyone(Mutex<BTreeMap<String, OutboxRecord>>);

impl Registry for Everyone {
    fn known(&self, cluster: &str) -> Option<Known> {
        Some(Known {
            uid: uid(cluster),
            revoked_before: None,
        })
    }
    async fn load(&self, cluster: &str) -> Result<Option<OutboxRecord>, String> {
        Ok(self.0.lock().unwrap().get(cluster).cloned())
    }
    async fn keep(&self, cluster: &str, record: OutboxRecord) -> Result<(), String> {
        self.0.lock().unwrap().insert(cluster.to_owned(), record);
        Ok(())
    }
    fn told(&self, _: &str, _: Event) {}
    fn certify(&self, _: &SigningRequest, _: &str) -> Result<RenewResponse, String> {
        Err("nothing here lasts that long".to_owned())
    }
}
