//! The agent's end of a tunnel.

use std::{future::Future, sync::Arc};

use bytes::{Bytes, BytesMut};
use futures::{StreamExt, stream};
use http::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use kube::client::Body;
use tokio::sync::{Mutex, mpsc};
use tonic::Streaming;

use super::{
    Chunks, LARGEST_CHUNK, ProxyError,
    ask::chunks,
    headers::{self, Passed},
    join::join,
    upgrade,
};
use crate::agent::proto::{
    RequestHead, ResponseHead, TunnelDown, TunnelError, TunnelUp, tunnel_down, tunnel_up,
};

/// Longest body of a request, bytes. Kubernetes' own limit is 3 MiB.
const LONGEST_BODY: usize = 4 << 20;

/// The clusters below the agent's own.
pub trait Below: Send + Sync {
    /// Sends a request on to the first cluster of its route, if the caller may.
    fn forward(
        &self,
        head: RequestHead,
        body: Chunks,
    ) -> impl Future<Output = Result<Response<Chunks>, ProxyError>> + Send;
}

/// Answers the request that comes through a tunnel.
pub async fn serve<B: Below>(
    client: &kube::Client,
    below: &B,
    mut down: Streaming<TunnelDown>,
    up: mpsc::Sender<TunnelUp>,
) {
    let Ok(Some(TunnelDown {
        frame: Some(tunnel_down::Frame::Head(mut head)),
    })) = down.message().await
    else {
        return;
    };
    head.caller = head.caller.map(headers::known_below);
    let down = Arc::new(Mutex::new(down));
    let answering = async {
        let body = pieces(Arc::clone(&down));
        match (head.route.is_empty(), head.upgrade) {
            (false, _) => below.forward(head, body).await,
            (true, false) => ask(client, head, body).await,
            (true, true) => switch(client, head, body).await,
        }
    };
    let answer = tokio::select! {
        answer = answering => answer,
        () = up.closed() => return,
    };
    match answer {
        Ok(response) => send(response, &up).await,
        Err(error) => fail(&up, error).await,
    }
    drop(up);
    // What was sent may be on its way still, and letting go of the stream would take it back.
    while let Ok(Some(_)) = down.lock().await.message().await {}
}

/// Asks the cluster's own API server, on the caller's behalf.
async fn ask(
    client: &kube::Client,
    head: RequestHead,
    body: Chunks,
) -> Result<Response<Chunks>, ProxyError> {
    let body = whole(body).await?;
    let body = match body.is_empty() {
        true => Body::empty(),
        false => Body::from(body),
    };
    Ok(answer_of(client, head, body).await?.map(chunks))
}

/// Asks it to make of the connection another. What the caller says goes to it once it has done so, and not before.
async fn switch(
    client: &kube::Client,
    head: RequestHead,
    said: Chunks,
) -> Result<Response<Chunks>, ProxyError> {
    let mut response = answer_of(client, head, Body::empty()).await?;
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Ok(response.map(chunks));
    }
    let connection = hyper::upgrade::on(&mut response).await;
    let connection = connection.map_err(|error| ProxyError::new(502, error.to_string()))?;
    Ok(response.map(|_| join(TokioIo::new(connection), said)))
}

async fn answer_of(
    client: &kube::Client,
    head: RequestHead,
    body: Body,
) -> Result<Response<Body>, ProxyError> {
    let bad = |error: &dyn std::fmt::Display| ProxyError::new(400, error.to_string());
    let asked = upgrade::asked(&head);
    let passed = Passed {
        headers: head.headers,
        upgrade: head.upgrade,
    };
    let headers = headers::on_behalf(passed, &head.caller.unwrap_or_default())
        .map_err(|error| bad(&error))?;
    let mut request = Request::builder()
        .method(head.method.as_str())
        .uri(head.path)
        .body(body)
        .map_err(|error| bad(&error))?;
    *request.headers_mut() = headers;
    let no_answer = |why: &dyn std::fmt::Display| {
        ProxyError::new(
            502,
            format!("the cluster's API server does not answer: {why}"),
        )
    };
    let answered = client.send(request).await;
    let response = answered.map_err(|error| no_answer(&error))?;
    match upgrade::is_answer(response.status(), response.headers(), asked) {
        true => Ok(response),
        false => Err(no_answer(&"it switches to what was not asked for")),
    }
}

/// A body from its pieces. An API server takes none that is much longer than what it stores, so it need not be passed on piece
/// by piece.
async fn whole(mut chunks: Chunks) -> Result<Bytes, ProxyError> {
    let mut body = BytesMut::new();
    while let Some(piece) = chunks.next().await {
        let piece = piece.map_err(|why| ProxyError::new(400, why))?;
        if body.len() + piece.len() > LONGEST_BODY {
            let why = format!("the body is longer than {LONGEST_BODY} bytes");
            return Err(ProxyError::new(413, why));
        }
        body.extend_from_slice(&piece);
    }
    Ok(body.freeze())
}

async fn send(response: Response<Chunks>, up: &mpsc::Sender<TunnelUp>) {
    let head = ResponseHead {
        status: u32::from(response.status().as_u16()),
        headers: headers::answer(response.status(), response.headers()),
    };
    if !say(up, tunnel_up::Frame::Head(head)).await {
        return;
    }
    let mut body = response.into_body();
    loop {
        let piece = tokio::select! {
            piece = body.next() => piece,
            // The caller has gone.
            () = up.closed() => return,
        };
        match piece {
            Some(Ok(bytes)) => {
                for chunk in bytes.chunks(LARGEST_CHUNK) {
                    if !say(up, tunnel_up::Frame::Chunk(chunk.to_vec())).await {
                        return;
                    }
                }
            }
            Some(Err(why)) => return fail(up, ProxyError::new(502, why)).await,
            None => return,
        }
    }
}

async fn fail(up: &mpsc::Sender<TunnelUp>, error: ProxyError) {
    let error = TunnelError {
        status: u32::from(error.status),
        message: error.message,
    };
    say(up, tunnel_up::Frame::Error(error)).await;
}

async fn say(up: &mpsc::Sender<TunnelUp>, frame: tunnel_up::Frame) -> bool {
    up.send(TunnelUp { frame: Some(frame) }).await.is_ok()
}

/// Shared, because the stream must not be let go of before the answer is over: that would end the answer.
type Shared = Arc<Mutex<Streaming<TunnelDown>>>;

/// What comes after the head of a request.
fn pieces(down: Shared) -> Chunks {
    stream::unfold(Some(down), |down| async move {
        let down = down?;
        let next = piece(&down).await?;
        let is_over = next.is_err();
        Some((next, (!is_over).then_some(down)))
    })
    .boxed()
}

/// One piece; none at the end, and an error where the stream ends before.
async fn piece(down: &Shared) -> Option<Result<Bytes, String>> {
    match down.lock().await.message().await {
        Ok(Some(TunnelDown {
            frame: Some(tunnel_down::Frame::Chunk(chunk)),
        })) => Some(Ok(Bytes::from(chunk))),
        Ok(Some(TunnelDown {
            frame: Some(tunnel_down::Frame::End(_)),
        })) => None,
        Ok(_) => Some(Err("the request was cut off".to_owned())),
        Err(status) => Some(Err(status.message().to_owned())),
    }
}
