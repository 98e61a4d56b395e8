//! What a cell itself asks the API servers of its clusters.

use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt, stream::BoxStream};
use http::{Request, Response};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use kube::client::Body;
use tokio::time::timeout;

use super::{Chunks, ProxyError, forward, headers};
use crate::agent::{
    proto::{Caller, RequestHead},
    server::{Cell, Registry},
};

/// Until an answer begins.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// What clusters below call the cell where it asks for itself.
const ITSELF: &str = "lattice:cell";

/// A body as HTTP libraries take it.
pub type Framed = StreamBody<BoxStream<'static, Result<Frame<Bytes>, String>>>;

/// Asks a cluster's API server through the cluster's agent, with the rights of whoever may do anything in the cell: it has made the
/// cluster. With this a [`kube::Client`] of the cluster is made.
///
/// # Errors
/// If the agent is not there, or does not answer. What the API server refuses is an answer.
pub async fn ask<R: Registry>(
    cell: &Cell<R>,
    cluster: &str,
    request: Request<Body>,
) -> Result<Response<Framed>, ProxyError> {
    let (parts, body) = request.into_parts();
    let passed = headers::request(&parts.headers);
    let passed = passed.map_err(|error| ProxyError::new(400, error.to_string()))?;
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let head = RequestHead {
        method: parts.method.as_str().to_owned(),
        path: path.to_owned(),
        headers: passed.headers,
        caller: Some(Caller {
            user: ITSELF.to_owned(),
            groups: vec![headers::MASTERS.to_owned()],
            ..Caller::default()
        }),
        route: vec![cluster.to_owned()],
        upgrade: false,
    };
    let answer = timeout(ANSWER_WITHIN, forward(cell, head, chunks(body))).await;
    let silent = |_| ProxyError::new(504, format!("cluster {cluster} does not answer"));
    Ok(answer.map_err(silent)??.map(framed))
}

/// A body in pieces.
pub fn chunks(body: Body) -> Chunks {
    body.into_data_stream()
        .map(|piece| piece.map_err(|error| error.to_string()))
        .boxed()
}

/// Pieces as a body.
pub fn framed(chunks: Chunks) -> Framed {
    StreamBody::new(chunks.map(|piece| piece.map(Frame::data)).boxed())
}
