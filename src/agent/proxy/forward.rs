//! The cell's end of a tunnel.

use bytes::Bytes;
use futures::{StreamExt, stream};
use http::{Response, StatusCode};
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::{Status, Streaming};

use super::{Chunks, LARGEST_CHUNK, ProxyError, headers, upgrade};
use crate::agent::{
    proto::{End, RequestHead, TunnelDown, TunnelUp, tunnel_down, tunnel_up},
    server::{Cell, NoTunnel, Registry, Tunnel},
};

/// Sends a request to the first cluster of its route, and returns the answer as soon as it begins. Where that is a 101, the
/// bodies of both are from there on what goes over the connection.
///
/// # Errors
/// If there is none.
pub async fn forward<R: Registry>(
    cell: &Cell<R>,
    mut head: RequestHead,
    body: Chunks,
) -> Result<Response<Chunks>, ProxyError> {
    if head.route.is_empty() {
        return Err(ProxyError::new(400, "the request names no cluster"));
    }
    let cluster = head.route.remove(0);
    let fail = |status, why: &str| ProxyError::new(status, format!("cluster {cluster}: {why}"));
    let asked = upgrade::asked(&head);
    let opened = cell.open_tunnel(&cluster).await;
    let Tunnel { mut up, down } = opened.map_err(|error| match error {
        NoTunnel::TooMany => fail(429, &error.to_string()),
        _ => fail(503, &error.to_string()),
    })?;
    let first = TunnelDown {
        frame: Some(tunnel_down::Frame::Head(head)),
    };
    let gone = |_| fail(502, "its agent has left");
    down.send(Ok(first)).await.map_err(gone)?;
    let answered = CancellationToken::new();
    let pumping = answered.clone().run_until_cancelled_owned(pump(body, down));
    tokio::spawn(pumping);
    // The agent keeps its end open until ours is closed, which is when the answer is over.
    let answered = answered.drop_guard();
    match up.message().await {
        Ok(Some(TunnelUp {
            frame: Some(tunnel_up::Frame::Head(head)),
        })) => {
            let status = u16::try_from(head.status).unwrap_or_default();
            let status = StatusCode::from_u16(status)
                .map_err(|_| fail(502, "its agent answers with no status"))?;
            let headers = headers::of_answer(status, head.headers);
            if !upgrade::is_answer(status, &headers, asked) {
                return Err(fail(502, "its agent answers what was not asked for"));
            }
            let mut response = Response::new(pieces(up, answered));
            *response.status_mut() = status;
            *response.headers_mut() = headers;
            Ok(response)
        }
        Ok(Some(TunnelUp {
            frame: Some(tunnel_up::Frame::Error(error)),
        })) => {
            let status = u16::try_from(error.status).unwrap_or(502);
            Err(ProxyError::new(status, error.message))
        }
        Ok(_) => Err(fail(502, "its agent does not answer")),
        Err(status) => Err(fail(502, status.message())),
    }
}

/// Until the body is over or nobody wants it any more.
async fn pump(mut body: Chunks, down: mpsc::Sender<Result<TunnelDown, Status>>) {
    loop {
        let piece = tokio::select! {
            piece = body.next() => piece,
            () = down.closed() => return,
        };
        let bytes = match piece {
            Some(Ok(bytes)) => bytes,
            // The agent sees a stream that is cut off, not one that is over.
            Some(Err(why)) => return drop(down.send(Err(Status::cancelled(why))).await),
            None => break,
        };
        for chunk in bytes.chunks(LARGEST_CHUNK) {
            let frame = Some(tunnel_down::Frame::Chunk(chunk.to_vec()));
            if down.send(Ok(TunnelDown { frame })).await.is_err() {
                return;
            }
        }
    }
    let frame = Some(tunnel_down::Frame::End(End {}));
    if down.send(Ok(TunnelDown { frame })).await.is_ok() {
        // The stream stays open for the answer.
        down.closed().await;
    }
}

fn pieces(up: Streaming<TunnelUp>, answered: DropGuard) -> Chunks {
    stream::try_unfold((up, answered), |(mut up, answered)| async move {
        match up.message().await {
            Ok(Some(TunnelUp {
                frame: Some(tunnel_up::Frame::Chunk(chunk)),
            })) => Ok(Some((Bytes::from(chunk), (up, answered)))),
            Ok(None) => Ok(None),
            Ok(Some(TunnelUp {
                frame: Some(tunnel_up::Frame::Error(error)),
            })) => Err(error.message),
            Ok(Some(_)) => Err("the agent has sent what no answer has".to_owned()),
            Err(status) => Err(status.message().to_owned()),
        }
    })
    .boxed()
}
