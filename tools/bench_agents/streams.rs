//! Streams over the connection of one agent, which says back what it hears.

use std::{
    error::Error,
    time::{Duration, Instant},
};

use futures::{StreamExt, TryStreamExt, future, stream};
use lattice::agent::{
    proto::{TunnelDown, tunnel_down},
    server::{Cell, Tunnel},
};
use tokio::time::timeout;

use super::{agents::name, cell::Everyone, report::Spread};

/// Bytes that are said at a time.
const SAID: usize = 1024;
/// What a stream that is to stall is filled with.
const LARGE: usize = 32 << 10;
/// A stream takes no more when it has not taken anything for this long.
const FULL: Duration = Duration::from_millis(500);
/// How often something is said on each stream.
const EVERY: Duration = Duration::from_secs(2);
/// How long that goes on.
const SPEAKING: Duration = Duration::from_secs(12);
/// Streams that are opened at a time.
const OPENING: usize = 16;

/// Open streams.
pub type Streams = Vec<Tunnel>;

pub async fn open(cell: &Cell<Everyone>, count: u64) -> Result<Streams, Box<dyn Error>> {
    let one = |_| async { Ok::<_, Box<dyn Error>>(cell.open_tunnel(&name(0)).await?) };
    stream::iter(0..count)
        .map(one)
        .buffer_unordered(OPENING)
        .try_collect()
        .await
}

/// Says something on each stream again and again. The first stalls if it is to, and is another one afterwards.
pub async fn speak(
    cell: &Cell<Everyone>,
    streams: &mut Streams,
    stalled: bool,
) -> Result<Spread, Box<dyn Error>> {
    if stalled {
        fill(&streams[0]).await?;
    }
    let until = Instant::now() + SPEAKING;
    let count = streams.len() as u32;
    let others = streams.iter_mut().enumerate().skip(1);
    let speaking = others.map(|(number, tunnel)| {
        // Not all at once.
        let first = EVERY * number as u32 / count;
        speaks(tunnel, first, until)
    });
    let heard = future::try_join_all(speaking).await?;
    if stalled {
        drop(streams.remove(0));
        // Until the agent has noticed it has one stream too many.
        tokio::time::sleep(FULL).await;
        streams.insert(0, cell.open_tunnel(&name(0)).await?);
    }
    Ok(Spread::of(heard.into_iter().flatten().collect()))
}

/// Until it takes no more, as nobody reads what comes back.
async fn fill(tunnel: &Tunnel) -> Result<(), Box<dyn Error>> {
    let mut taken = 0;
    while let Ok(sent) = timeout(FULL, tunnel.down.send(Ok(chunk(LARGE)))).await {
        sent?;
        taken += 1;
        if taken > 1000 {
            return Err("nothing holds the stream back".into());
        }
    }
    Ok(())
}

async fn speaks(
    tunnel: &mut Tunnel,
    first: Duration,
    until: Instant,
) -> Result<Vec<Duration>, Box<dyn Error>> {
    tokio::time::sleep(first).await;
    let mut heard = Vec::new();
    while Instant::now() < until {
        let said = Instant::now();
        tunnel.down.send(Ok(chunk(SAID))).await?;
        tunnel.up.message().await?.ok_or("the stream has ended")?;
        heard.push(said.elapsed());
        tokio::time::sleep(EVERY).await;
    }
    Ok(heard)
}

fn chunk(bytes: usize) -> TunnelDown {
    TunnelDown {
        frame: Some(tunnel_down::Frame::Chunk(vec![7; bytes])),
    }
}
