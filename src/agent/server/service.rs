//! The calls of agents.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::{sync::mpsc, time::timeout};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};

use super::{
    Cell, LEAVING, Registry,
    accept::PeerInfo,
    random,
    seat::{QUEUE, Seat, Stream},
    tunnel::{CHUNKS, Tunnel},
};
use crate::{
    agent::{
        proto::{
            AgentMessage, CellCommand, RenewRequest, RenewResponse, TunnelDown, TunnelUp,
            goodbye::Reason, lattice_agent_server::LatticeAgent, tunnel_up::Frame,
        },
        session::{end, limits::GREETING},
        tls::leaf_of,
    },
    clusters::bootstrap::{Leaf, SigningRequest, Standing, standing},
};

#[tonic::async_trait]
impl<R: Registry> LatticeAgent for Cell<R> {
    type ConnectStream = ReceiverStream<Result<CellCommand, Status>>;

    async fn connect(
        &self,
        request: Request<Streaming<AgentMessage>>,
    ) -> Result<Response<Self::ConnectStream>, Status> {
        let (leaf, standing) = self.peer(&request)?;
        if standing == Standing::Expired {
            let why = "the certificate is over: renew it first";
            return Err(Status::unauthenticated(why));
        }
        if self.0.leaving.is_cancelled() {
            return Err(Status::unavailable(LEAVING));
        }
        let (sender, receiver) = mpsc::channel(QUEUE);
        let stream = Stream {
            sender,
            over: CancellationToken::new(),
            leaf,
        };
        tokio::spawn(self.clone().session(stream, request.into_inner()));
        Ok(Response::new(ReceiverStream::new(receiver)))
    }

    async fn renew(
        &self,
        request: Request<RenewRequest>,
    ) -> Result<Response<RenewResponse>, Status> {
        let (leaf, _) = self.peer(&request)?;
        let now = Utc::now();
        let asked = SigningRequest::from_pem(&request.get_ref().signing_request)
            .map_err(|error| Status::invalid_argument(error.to_string()))?;
        if asked.name != leaf.id.cluster {
            let why = format!("the request must be for `{}`", leaf.id.cluster);
            return Err(Status::permission_denied(why));
        }
        let lock = self.seat(&leaf.id.cluster).await;
        let lock = lock.map_err(Status::unavailable)?;
        let mut seat = lock.lock().await;
        if now < seat.renewed_at + RENEWAL_PAUSE {
            let why = "a certificate was made for this agent just now";
            return Err(Status::resource_exhausted(why));
        }
        seat.renewed_at = now;
        let certified = self.0.registry.certify(&asked, &leaf.id.uid);
        let response = certified.map_err(Status::internal)?;
        seat.renewed_until = until(&response).or(seat.renewed_until);
        tracing::info!(
            cluster = leaf.id.cluster,
            "an agent's certificate was renewed"
        );
        Ok(Response::new(response))
    }

    type TunnelStream = ReceiverStream<Result<TunnelDown, Status>>;

    async fn tunnel(
        &self,
        request: Request<Streaming<TunnelUp>>,
    ) -> Result<Response<Self::TunnelStream>, Status> {
        let (leaf, standing) = self.peer(&request)?;
        let mut up = request.into_inner();
        let first = timeout(GREETING, up.message()).await;
        let ticket = match first {
            Ok(Ok(Some(TunnelUp {
                frame: Some(Frame::Ticket(ticket)),
            }))) if standing == Standing::Holds => ticket,
            _ => return Err(Status::invalid_argument("a tunnel begins with its ticket")),
        };
        let waiting = self.0.tickets.redeem(&ticket, &leaf.id.cluster);
        let waiting =
            waiting.ok_or_else(|| Status::permission_denied("nobody waits for this tunnel"))?;
        let (down, receiver) = mpsc::channel(CHUNKS);
        // Whoever waited has gone where that fails; the stream then ends by itself.
        let _ = waiting.send(Tunnel { up, down });
        Ok(Response::new(ReceiverStream::new(receiver)))
    }
}

/// The least time between two certificates for one agent.
const RENEWAL_PAUSE: TimeDelta = TimeDelta::seconds(1);

fn until(response: &RenewResponse) -> Option<DateTime<Utc>> {
    let leaf = leaf_of(&response.certificate).ok()?;
    Some(leaf.not_after)
}

impl<R: Registry> Cell<R> {
    /// Who asks, and what its certificate is good for now.
    fn peer<T>(&self, request: &Request<T>) -> Result<(Arc<Leaf>, Standing), Status> {
        let info = request.extensions().get::<PeerInfo>();
        let leaf = info.ok_or_else(|| Status::unauthenticated("there is no certificate"))?;
        let leaf = Arc::clone(&leaf.0);
        let known = self.0.registry.known(&leaf.id.cluster);
        match standing(&leaf, known.as_ref(), Utc::now()) {
            Ok(standing) => Ok((leaf, standing)),
            Err(why) => {
                tracing::warn!(cluster = leaf.id.cluster, %why, "an agent was refused");
                Err(Status::permission_denied(why.to_string()))
            }
        }
    }

    /// One stream, from greeting to end.
    async fn session(self, stream: Stream, mut incoming: Streaming<AgentMessage>) {
        let cluster = stream.leaf.id.cluster.clone();
        let Ok(Ok(Some(first))) = timeout(GREETING, incoming.message()).await else {
            return;
        };
        let (Ok(session), Ok(lock)) = (random(), self.seat(&cluster).await) else {
            return;
        };
        let over = stream.over.clone();
        {
            let mut seat = lock.lock().await;
            seat.streams.insert(session, stream);
            let acts = match self.0.leaving.is_cancelled() {
                true => end(session, Reason::Leaving, LEAVING),
                false => seat.parent.opened(self.now(), session, first),
            };
            if self.act(&mut seat, acts).await.is_err() {
                return;
            }
        }
        let why = loop {
            let said = tokio::select! {
                said = incoming.message() => said,
                () = over.cancelled() => return,
            };
            let message = match said {
                Ok(Some(message)) => message,
                Ok(None) => break "the agent has left".to_owned(),
                Err(status) => break status.message().to_owned(),
            };
            let mut seat = lock.lock().await;
            if self.heard(&mut seat, session, message).await.is_err() {
                return;
            }
        };
        let mut seat = lock.lock().await;
        seat.streams.remove(&session);
        let acts = seat.parent.closed(session, &why);
        // It has been logged, and the seat is gone.
        let _ = self.act(&mut seat, acts).await;
    }

    async fn heard(
        &self,
        seat: &mut Seat,
        session: u64,
        message: AgentMessage,
    ) -> Result<(), String> {
        let acts = seat.parent.heard(self.now(), session, message, random()?);
        self.act(seat, acts).await
    }
}
