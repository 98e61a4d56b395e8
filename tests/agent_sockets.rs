//! Agents and their cell over real sockets and TLS.

#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "support/agents.rs"]
mod agents;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use agents::{Machine, Running, Shared, eventually};
use chrono::{TimeDelta, Utc};
use lattice::{
    agent::{
        client::Report,
        proto::{
            AgentState, ClusterHealth, ReconcileCommand, TunnelDown, agent_message::Payload,
            cell_command::Command, tunnel_down, tunnel_up,
        },
        server::NoTunnel,
        session::{Event, News},
    },
    clusters::bootstrap::Authority,
};
use tokio::{
    net::{TcpListener, TcpStream},
    time::timeout,
};

const ANY: &str = "127.0.0.1:0";

fn reconcile() -> Command {
    Command::Reconcile(ReconcileCommand {})
}

fn is_up(cluster: &str, event: &Event) -> bool {
    cluster == "east" && matches!(event, Event::Up(_))
}

fn is_down(cluster: &str, event: &Event) -> bool {
    cluster == "east" && matches!(event, Event::Down(_))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_go_down_and_reports_come_up_over_restarts_of_the_cell() {
    let fleet = Shared::new();
    fleet.add("east");
    let running = Running::start(&fleet, ANY.parse().unwrap()).await;
    let address = running.address;
    // Before the agent is there.
    let first = running.cell.issue("east", reconcile()).await.unwrap();
    let machine = Machine::new("east", &fleet.0.authority, Utc::now());
    let (reports, stop) = machine.run(address);
    let answered = |fleet: &Shared, id: (u64, u64)| {
        fleet.heard(|_, event| matches!(event, Event::Answer(known, _) if *known == id.1))
    };
    eventually("the first command is answered", 20, || {
        answered(&fleet, first)
    })
    .await;
    let health = ClusterHealth {
        ready_nodes: 2,
        total_nodes: 3,
        conditions: Vec::new(),
        ..ClusterHealth::default()
    };
    let report = Report::Latest(Box::new(Payload::ClusterHealth(health.clone())));
    reports.send(report).await.unwrap();
    reports
        .send(Report::State(AgentState::Degraded))
        .await
        .unwrap();
    let reported = Event::Report(Payload::ClusterHealth(health));
    eventually("health comes up", 10, || {
        fleet.heard(|_, event| *event == reported)
    })
    .await;

    // The cell's operator stops, and another one begins with what the first has kept.
    let second = running.cell.issue("east", reconcile()).await.unwrap();
    eventually("the second is answered", 10, || answered(&fleet, second)).await;
    running.end().await;
    fleet.0.events.lock().unwrap().clear();
    let running = Running::start(&fleet, address).await;
    let third = running.cell.issue("east", reconcile()).await.unwrap();
    assert_eq!((third.0, third.1), (first.0, 3));
    eventually("the third is answered", 20, || answered(&fleet, third)).await;
    eventually("health comes again", 10, || {
        fleet.heard(|_, event| *event == reported)
    })
    .await;
    eventually("the state comes with heartbeats", 10, || {
        fleet.heard(|_, event| {
            let Event::Report(Payload::Heartbeat(beat)) = event else {
                return false;
            };
            beat.state() == AgentState::Degraded && beat.timestamp.is_some()
        })
    })
    .await;
    let ids: Vec<u64> = machine
        .applied
        .lock()
        .unwrap()
        .iter()
        .map(|(id, _)| id.1)
        .collect();
    assert_eq!(ids, [1, 2, 3]);
    stop.cancel();
    eventually("the cell notices", 10, || fleet.heard(is_down)).await;
    running.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_long_absence_the_same_key_is_certified_again() {
    let fleet = Shared::new();
    fleet.add("east");
    let running = Running::start(&fleet, ANY.parse().unwrap()).await;
    let long_ago = Utc::now() - TimeDelta::days(40);
    let machine = Machine::new("east", &fleet.0.authority, long_ago);
    let before = machine.certificate.lock().unwrap().clone();
    machine.run(running.address);
    eventually("it is back", 20, || fleet.heard(is_up)).await;
    assert_eq!(*machine.renewals.lock().unwrap(), 1);
    assert_ne!(*machine.certificate.lock().unwrap(), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_is_renewed_while_the_stream_is_open() {
    let fleet = Shared::new();
    fleet.add("east");
    let running = Running::start(&fleet, ANY.parse().unwrap()).await;
    // Two thirds of its time, which began an hour before it was made, are over in four seconds.
    let at = Utc::now() - TimeDelta::minutes(15 * 60 + 40) + TimeDelta::seconds(4);
    let machine = Machine::new("east", &fleet.0.authority, at);
    machine.run(running.address);
    eventually("it is there", 20, || fleet.heard(is_up)).await;
    let renewals = || *machine.renewals.lock().unwrap();
    assert_eq!(renewals(), 0);
    eventually("it is renewed", 20, || renewals() == 1).await;
    assert!(!fleet.heard(is_down));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_not_known_or_revoked_or_of_another_authority_is_kept_out() {
    let fleet = Shared::new();
    fleet.add("east");
    let running = Running::start(&fleet, ANY.parse().unwrap()).await;

    let unknown = Machine::new("west", &fleet.0.authority, Utc::now());
    unknown.run(running.address);
    eventually("refused", 20, || {
        unknown.lost_because("there is no LatticeCluster west")
    })
    .await;

    let foreign = Authority::generate("foreign", Utc::now()).unwrap();
    let stranger = Machine::new("east", &foreign, Utc::now());
    // It would trust the cell.
    *stranger.authorities.lock().unwrap() = fleet.0.authority.certificate().to_owned();
    stranger.run(running.address);
    eventually("refused", 20, || !stranger.news.lock().unwrap().is_empty()).await;

    let impostor = Authority::generate("impostor", Utc::now()).unwrap();
    let careful = Machine::new("east", &fleet.0.authority, Utc::now());
    *careful.authorities.lock().unwrap() = impostor.certificate().to_owned();
    careful.run(running.address);
    eventually("the cell is not trusted", 20, || {
        careful.lost_because("certificate")
    })
    .await;
    assert!(!fleet.heard(is_up));

    // On a stream that is open.
    let machine = Machine::new("east", &fleet.0.authority, Utc::now());
    machine.run(running.address);
    eventually("there", 20, || fleet.heard(is_up)).await;
    let soon = Utc::now() + TimeDelta::hours(2);
    fleet
        .0
        .known
        .lock()
        .unwrap()
        .get_mut("east")
        .unwrap()
        .revoked_before = Some(soon);
    eventually("revoked", 5, || fleet.heard(is_down)).await;
    eventually("told why", 5, || machine.lost_because("revoked")).await;
    assert!(!running.cell.is_connected("east").await);
}

fn chunk(bytes: usize) -> TunnelDown {
    TunnelDown {
        frame: Some(tunnel_down::Frame::Chunk(vec![7; bytes])),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stalled_tunnel_holds_up_no_other() {
    const OTHERS: usize = 40;
    const ROUNDS: usize = 20;
    let fleet = Shared::new();
    fleet.add("east");
    let running = Running::start(&fleet, ANY.parse().unwrap()).await;
    assert_eq!(
        running.cell.open_tunnel("east").await.err(),
        Some(NoTunnel::Away)
    );
    let machine = Machine::new("east", &fleet.0.authority, Utc::now());
    machine.run(running.address);
    eventually("there", 20, || fleet.heard(is_up)).await;
    // What comes back on these is never read; what goes down is soon held back.
    let mut stalled = Vec::new();
    for _ in 0..4 {
        let tunnel = running.cell.open_tunnel("east").await.unwrap();
        let mut taken = 0;
        while let Ok(Ok(())) = timeout(
            Duration::from_millis(300),
            tunnel.down.send(Ok(chunk(32 << 10))),
        )
        .await
        {
            taken += 1;
            assert!(taken < 200, "nothing holds it back");
        }
        stalled.push(tunnel);
    }
    let others = (0..OTHERS).map(|_| async {
        let mut tunnel = running.cell.open_tunnel("east").await.unwrap();
        for _ in 0..ROUNDS {
            tunnel.down.send(Ok(chunk(32 << 10))).await.unwrap();
            let back = tunnel.up.message().await.unwrap().unwrap();
            assert!(matches!(back.frame, Some(tunnel_up::Frame::Chunk(bytes)) if bytes.len() == 32 << 10));
        }
    });
    timeout(Duration::from_secs(60), futures::future::join_all(others))
        .await
        .expect("the others are held up");
    assert!(running.cell.is_connected("east").await);
}

/// Passes bytes on, as long as it is let.
async fn relay(to: std::net::SocketAddr, open: Arc<AtomicBool>) -> std::net::SocketAddr {
    let listener = TcpListener::bind(ANY).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            let far = TcpStream::connect(to).await.unwrap();
            let (near, far) = (near.into_split(), far.into_split());
            tokio::spawn(pass(near.0, far.1, Arc::clone(&open)));
            tokio::spawn(pass(far.0, near.1, Arc::clone(&open)));
        }
    });
    address
}

async fn pass(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    open: Arc<AtomicBool>,
) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut buffer = vec![0; 16 << 10];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        while !open.load(Ordering::Acquire) {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        if to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_link_is_noticed_by_both_and_the_session_comes_back() {
    let fleet = Shared::new();
    fleet.add("east");
    let running = Running::start(&fleet, ANY.parse().unwrap()).await;
    let open = Arc::new(AtomicBool::new(true));
    let address = relay(running.address, Arc::clone(&open)).await;
    let machine = Machine::new("east", &fleet.0.authority, Utc::now());
    machine.run(address);
    eventually("there", 20, || fleet.heard(is_up)).await;
    open.store(false, Ordering::Release);
    let cut = Instant::now();
    let lost = |machine: &Machine| {
        let news = machine.news.lock().unwrap();
        news.iter().any(|news| matches!(news, News::Lost { .. }))
    };
    eventually("both notice", 20, || fleet.heard(is_down) && lost(&machine)).await;
    eprintln!("a dead link was noticed after {:?}", cut.elapsed());
    assert!(cut.elapsed() < Duration::from_secs(19));
    let id = running.cell.issue("east", reconcile()).await.unwrap();
    fleet.0.events.lock().unwrap().clear();
    open.store(true, Ordering::Release);
    eventually("what waited is done", 30, || {
        fleet.heard(|_, event| matches!(event, Event::Answer(known, _) if *known == id.1))
    })
    .await;
}
