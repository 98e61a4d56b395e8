//! The cell's server and agents' clients as they are, TLS and gRPC included, on a simulated network in simulated time: links break
//! and stall, agents and the cell crash and come back, all by a seed. `SEED=n` runs one, `SEEDS=n` so many.

#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "support/agents.rs"]
mod agents;

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use agents::{Machine, Shared};
use chrono::Utc;
use lattice::agent::{
    client::{self, Network},
    proto::{
        BootstrapCommand, TunnelDown, TunnelUp, cell_command::Command, tunnel_down, tunnel_up,
    },
    server::{Cell, Credentials, Server},
    session::{Event, Identity, News},
};
use tokio::{sync::mpsc, time::sleep};
use tokio_util::sync::CancellationToken;
use turmoil::{
    Builder, Sim,
    net::{TcpListener, TcpStream},
};

const SEEDS: u64 = 12;
const AGENTS: [&str; 3] = ["east", "north", "west"];
const CELL: &str = "cell";
const PORT: u16 = 8443;
/// How long things go wrong, and how long nothing does afterwards.
const HARD: Duration = Duration::from_secs(120);
const CALM: Duration = Duration::from_secs(60);
/// Time between two misfortunes, at most.
const PEACE_MS: u64 = 6_000;
/// How long one lasts, at most: longer than it takes to find that a side is dead.
const MISFORTUNE_MS: u64 = 30_000;

/// Numbers by a seed: Steele, Lea and Flood's SplitMix64.
#[derive(Clone)]
struct Luck(Arc<Mutex<u64>>);

impl Luck {
    fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(seed)))
    }

    fn next(&self) -> u64 {
        let mut state = self.0.lock().unwrap();
        *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = *state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&self, most: u64) -> u64 {
        self.next() % most
    }

    fn within(&self, milliseconds: u64) -> Duration {
        Duration::from_millis(1 + self.below(milliseconds))
    }
}

/// The simulation's network.
#[derive(Clone)]
struct Simulated(Luck);

impl Network for Simulated {
    type Stream = TcpStream;
    type Listener = TcpListener;

    async fn connect(&self, endpoint: &str) -> io::Result<TcpStream> {
        TcpStream::connect(endpoint).await
    }
    async fn listen(&self, address: SocketAddr) -> io::Result<TcpListener> {
        TcpListener::bind(address).await
    }
    fn address(listener: &TcpListener) -> io::Result<SocketAddr> {
        listener.local_addr()
    }
    async fn accept(listener: &TcpListener) -> io::Result<TcpStream> {
        Ok(listener.accept().await?.0)
    }
    fn luck(&self) -> u64 {
        self.0.next()
    }
}

/// What the cell is to do for its people.
enum Wish {
    /// Has an agent apply a command with this content.
    Apply(usize, u64),
    /// Sends this through a tunnel of the agent.
    Call(usize, u64),
}

struct Taken {
    agent: usize,
    /// Epoch and number.
    id: (u64, u64),
    content: u64,
}

#[derive(Default)]
struct Office {
    wishes: Mutex<Vec<Wish>>,
    /// Commands that the cell has taken.
    taken: Mutex<Vec<Taken>>,
    called: Mutex<BTreeSet<u64>>,
}

/// A cell at work; what it must not forget is in the registry.
async fn work(registry: Shared, office: Arc<Office>, luck: Luck) {
    let authority = &registry.0.authority;
    let (certificate, key) = authority
        .certify_server(&[CELL.to_owned()], Utc::now())
        .unwrap();
    let credentials = Credentials {
        certificate,
        key,
        authorities: authority.certificate().to_owned(),
    };
    let address = SocketAddr::from(([0, 0, 0, 0], PORT));
    let server = Server::bind(&Simulated(luck), address, &credentials).await;
    let cell = Cell::new(CELL, registry);
    let serving = tokio::spawn({
        let cell = cell.clone();
        async move { cell.serve(server.unwrap(), CancellationToken::new()).await }
    });
    while !serving.is_finished() {
        let wishes = std::mem::take(&mut *office.wishes.lock().unwrap());
        for wish in wishes {
            match wish {
                Wish::Apply(agent, content) => {
                    let command = Command::Bootstrap(BootstrapCommand {
                        flux_manifests: content.to_le_bytes().to_vec(),
                    });
                    let id = cell.issue(AGENTS[agent], command).await.unwrap();
                    let taken = Taken { agent, id, content };
                    office.taken.lock().unwrap().push(taken);
                }
                Wish::Call(agent, content) => {
                    let (cell, office) = (cell.clone(), Arc::clone(&office));
                    tokio::spawn(async move {
                        if call(&cell, AGENTS[agent], content).await.is_some() {
                            office.called.lock().unwrap().insert(content);
                        }
                    });
                }
            }
        }
        sleep(Duration::from_millis(50)).await;
    }
}

/// Sends something through a tunnel, and waits until it comes back.
async fn call(cell: &Cell<Shared>, agent: &str, content: u64) -> Option<()> {
    let mut tunnel = cell.open_tunnel(agent).await.ok()?;
    let bytes = content.to_le_bytes().to_vec();
    let frame = Some(tunnel_down::Frame::Chunk(bytes.clone()));
    tunnel.down.send(Ok(TunnelDown { frame })).await.ok()?;
    let back = TunnelUp {
        frame: Some(tunnel_up::Frame::Chunk(bytes)),
    };
    (tunnel.up.message().await.ok()?? == back).then_some(())
}

/// A cell and its agents, and what is wrong with them.
struct World<'a> {
    sim: Sim<'a>,
    luck: Luck,
    registry: Shared,
    office: Arc<Office>,
    machines: Vec<Arc<Machine>>,
    /// What ends when.
    ends: BTreeMap<Duration, Vec<Misfortune>>,
    crashes: Vec<u32>,
    wished: u64,
}

#[derive(Clone, Copy, Debug)]
enum Misfortune {
    /// Nothing comes through between the cell and an agent, and what was under way is lost.
    Cut(usize),
    /// It waits.
    Stalled(usize),
    Crashed(usize),
    CellCrashed,
}

impl World<'_> {
    fn new(seed: u64) -> Self {
        let luck = Luck::new(seed);
        let mut sim = Builder::new()
            .simulation_duration(HARD + CALM + CALM)
            .tick_duration(Duration::from_millis(5))
            .min_message_latency(Duration::from_millis(1))
            .max_message_latency(luck.within(150) + Duration::from_millis(1))
            .tcp_capacity(1024)
            .rng_seed(seed)
            .enable_random_order()
            .build();
        let (registry, office) = (Shared::new(), Arc::new(Office::default()));
        sim.host(CELL, {
            let (registry, office) = (registry.clone(), Arc::clone(&office));
            let luck = luck.clone();
            move || {
                let working = work(registry.clone(), Arc::clone(&office), luck.clone());
                async move {
                    working.await;
                    Ok(())
                }
            }
        });
        let machines = AGENTS.map(|name| {
            registry.add(name);
            let machine = Machine::new(name, &registry.0.authority, Utc::now());
            let (agent, luck) = (Arc::clone(&machine), luck.clone());
            sim.host(name, move || {
                let (agent, network) = (Arc::clone(&agent), Simulated(luck.clone()));
                async move {
                    let (_reports, receiver) = mpsc::channel(1);
                    let identity = Identity {
                        cluster: name.to_owned(),
                        agent_version: "1.0.0".to_owned(),
                        kubernetes_version: "v1.36.3".to_owned(),
                    };
                    let endpoint = format!("{CELL}:{PORT}");
                    let stop = CancellationToken::new();
                    client::run(network, agent, endpoint, identity, receiver, stop).await?;
                    Ok(())
                }
            });
            machine
        });
        Self {
            sim,
            luck,
            registry,
            office,
            machines: machines.into(),
            ends: BTreeMap::new(),
            crashes: vec![0; AGENTS.len()],
            wished: 0,
        }
    }

    fn until(&mut self, end: Duration) {
        while self.sim.elapsed() < end {
            let now = self.sim.elapsed();
            while let Some(entry) = self.ends.first_entry().filter(|entry| *entry.key() <= now) {
                for misfortune in entry.remove() {
                    self.mend(misfortune);
                }
            }
            self.sim.step().unwrap();
        }
    }

    fn live(&mut self) {
        while self.sim.elapsed() < HARD {
            let next = self.sim.elapsed() + self.luck.within(PEACE_MS);
            self.until(next);
            let agent = self.luck.below(AGENTS.len() as u64) as usize;
            for _ in 0..self.luck.below(4) {
                self.wish(agent);
            }
            match self.luck.below(10) {
                0..=2 => self.befall(Misfortune::Cut(agent)),
                3..=4 => self.befall(Misfortune::Stalled(agent)),
                5..=6 => self.befall(Misfortune::Crashed(agent)),
                7 => self.befall(Misfortune::CellCrashed),
                _ => {}
            }
        }
        let ends = std::mem::take(&mut self.ends);
        ends.into_values().flatten().for_each(|it| self.mend(it));
        self.until(HARD + CALM);
    }

    fn wish(&mut self, agent: usize) {
        self.wished += 1;
        let wish = match self.wished.is_multiple_of(3) {
            true => Wish::Call(agent, self.wished),
            false => Wish::Apply(agent, self.wished),
        };
        self.office.wishes.lock().unwrap().push(wish);
    }

    fn befall(&mut self, misfortune: Misfortune) {
        match misfortune {
            Misfortune::Cut(agent) => self.sim.partition(CELL, AGENTS[agent]),
            Misfortune::Stalled(agent) => self.sim.hold(CELL, AGENTS[agent]),
            Misfortune::Crashed(agent) => {
                self.crashes[agent] += 1;
                self.sim.crash(AGENTS[agent]);
            }
            Misfortune::CellCrashed => self.sim.crash(CELL),
        }
        let end = self.sim.elapsed() + self.luck.within(MISFORTUNE_MS);
        self.ends.entry(end).or_default().push(misfortune);
    }

    fn mend(&mut self, misfortune: Misfortune) {
        match misfortune {
            Misfortune::Cut(agent) => self.sim.repair(CELL, AGENTS[agent]),
            Misfortune::Stalled(agent) => self.sim.release(CELL, AGENTS[agent]),
            Misfortune::Crashed(agent) => self.sim.bounce(AGENTS[agent]),
            Misfortune::CellCrashed => self.sim.bounce(CELL),
        }
    }

    /// Every agent is there, and can be called.
    fn all_are_there(&mut self, seed: u64) {
        let first = self.wished + 1_000;
        for agent in 0..AGENTS.len() {
            let wish = Wish::Call(agent, first + agent as u64);
            self.office.wishes.lock().unwrap().push(wish);
        }
        self.until(HARD + CALM + Duration::from_secs(10));
        let called = self.office.called.lock().unwrap();
        for (agent, name) in AGENTS.iter().enumerate() {
            assert!(
                called.contains(&(first + agent as u64)),
                "seed {seed}: {name} is not there"
            );
        }
    }

    /// What the cell has taken was applied once, in order, and answered.
    fn all_is_applied(&self, seed: u64) {
        let events = self.registry.0.events.lock().unwrap();
        for (agent, machine) in self.machines.iter().enumerate() {
            let name = AGENTS[agent];
            let applied = machine.applied.lock().unwrap();
            let mut ids: Vec<_> = applied.iter().map(|(id, _)| *id).collect();
            ids.dedup();
            let again = applied.len() - ids.len();
            // It may have crashed between having applied one and having noted it.
            assert!(again <= self.crashes[agent] as usize, "seed {seed}: {name}");
            assert!(ids.is_sorted(), "seed {seed}: {name}: {ids:?}");
            assert_eq!(
                ids.iter().collect::<BTreeSet<_>>().len(),
                ids.len(),
                "seed {seed}: {name}: {ids:?}"
            );
            let taken = self.office.taken.lock().unwrap();
            for Taken { id, content, .. } in taken.iter().filter(|taken| taken.agent == agent) {
                let (_, command) = (applied.iter())
                    .find(|(known, _)| known == id)
                    .unwrap_or_else(|| panic!("seed {seed}: {name}: {id:?} was not applied"));
                let Command::Bootstrap(command) = command else {
                    panic!("seed {seed}: {name}: {command:?}");
                };
                assert_eq!(command.flux_manifests, content.to_le_bytes());
                let is_answer = |(who, event): &(String, Event)| {
                    who == name && matches!(event, Event::Answer(number, _) if *number == id.1)
                };
                assert!(
                    events.iter().any(is_answer),
                    "seed {seed}: {name}: {id:?} was not answered"
                );
            }
        }
    }

    fn sessions(&self) -> usize {
        let news = self.machines.iter().map(|m| m.news.lock().unwrap().clone());
        news.flatten()
            .filter(|news| matches!(news, News::Connected { .. }))
            .count()
    }
}

#[test]
fn what_a_cell_has_taken_is_applied_once_whatever_breaks() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse().unwrap());
    let seeds = match number("SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("SEEDS").unwrap_or(SEEDS),
    };
    let (mut sessions, mut taken, mut called) = (0, 0, 0);
    let count = seeds.end - seeds.start;
    for seed in seeds {
        let mut world = World::new(seed);
        world.live();
        world.all_are_there(seed);
        world.all_is_applied(seed);
        sessions += world.sessions();
        taken += world.office.taken.lock().unwrap().len();
        called += world.office.called.lock().unwrap().len();
    }
    println!(
        "{count} seeds: {sessions} sessions, {taken} commands, {called} calls through tunnels"
    );
    assert!(taken > 0 && called > 0);
}
