//! The cloud's API over HTTP.

use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Extension, Json, Router};
use serde_json::json;
use tokio::net::TcpListener;

use super::model::{Credential, EndpointView, Fault, MachineRequest, MachineView, Refusal};
use super::store::Access;
use super::work::Daemon;
use super::{ADMINISTRATOR, CloudError, Options};

/// Who asks.
#[derive(Clone)]
struct Who(String);

/// Listens on the network's first address.
pub(crate) async fn listen(options: &Options) -> Result<TcpListener, CloudError> {
    let address = (options.network.gateway(), options.port);
    let named = std::path::PathBuf::from(options.url());
    TcpListener::bind(address)
        .await
        .map_err(CloudError::file("listen on", &named))
}

/// Answers until this is dropped.
pub(crate) async fn serve(listener: TcpListener, daemon: Daemon) -> Result<(), CloudError> {
    axum::serve(listener, router(daemon))
        .await
        .map_err(CloudError::file(
            "serve",
            std::path::Path::new("the cloud's API"),
        ))
}

fn router(daemon: Daemon) -> Router {
    let breaking = Router::new()
        .route("/v1/faults", get(faults).post(add_fault).delete(heal))
        .route("/v1/credentials/{name}", put(admit).delete(revoke))
        .layer(middleware::from_fn(only_administrator));
    Router::new()
        .route("/v1/machines", get(list).post(create))
        .route("/v1/machines/{name}", get(show).delete(delete))
        .route("/v1/machines/{name}/{action}", post(act))
        .route("/v1/endpoints/{name}", put(endpoint).delete(release))
        .merge(breaking)
        .layer(middleware::from_fn_with_state(daemon.clone(), authenticate))
        .with_state(daemon)
}

async fn authenticate(
    State(daemon): State<Daemon>,
    headers: HeaderMap,
    mut request: Request,
    next: Next,
) -> Result<Response, Refusal> {
    let given = headers.get(header::AUTHORIZATION);
    let token = given
        .and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "))
        .unwrap_or_default();
    let who = daemon.who(token).await?;
    request.extensions_mut().insert(Who(who));
    Ok(next.run(request).await)
}

async fn only_administrator(
    Extension(Who(who)): Extension<Who>,
    request: Request,
    next: Next,
) -> Result<Response, Refusal> {
    if who != ADMINISTRATOR {
        return Err(Refusal::Forbidden);
    }
    Ok(next.run(request).await)
}

async fn list(
    State(daemon): State<Daemon>,
    Extension(Who(who)): Extension<Who>,
) -> Json<Vec<MachineView>> {
    Json(daemon.list(&who).await)
}

async fn create(
    State(daemon): State<Daemon>,
    Extension(Who(who)): Extension<Who>,
    Json(request): Json<MachineRequest>,
) -> Result<Json<MachineView>, Refusal> {
    daemon.create(&who, &request).await.map(Json)
}

async fn show(
    State(daemon): State<Daemon>,
    Extension(Who(who)): Extension<Who>,
    Path(name): Path<String>,
) -> Result<Json<MachineView>, Refusal> {
    daemon.get(&who, &name).await.map(Json)
}

async fn delete(
    State(daemon): State<Daemon>,
    Extension(Who(who)): Extension<Who>,
    Path(name): Path<String>,
) -> Result<Json<()>, Refusal> {
    daemon
        .alter(&who, &name, |record| record.deleting = true)
        .await
        .map(Json)
}

async fn act(
    State(daemon): State<Daemon>,
    Extension(Who(who)): Extension<Who>,
    Path((name, action)): Path<(String, String)>,
) -> Result<Json<()>, Refusal> {
    let done = match action.as_str() {
        "stop" => daemon.alter(&who, &name, |record| record.on = false).await,
        "start" => daemon.alter(&who, &name, |record| record.on = true).await,
        "cut" => daemon.cut(&who, &name, true).await,
        "restore" => daemon.cut(&who, &name, false).await,
        other => Err(Refusal::NotFound(format!("action {other}"))),
    };
    done.map(Json)
}

/// Which port an endpoint is to have.
#[derive(serde::Deserialize)]
struct Port {
    port: u16,
}

async fn endpoint(
    State(daemon): State<Daemon>,
    Extension(Who(who)): Extension<Who>,
    Path(name): Path<String>,
    Json(wanted): Json<Port>,
) -> Result<Json<EndpointView>, Refusal> {
    daemon.endpoint(&who, &name, wanted.port).await.map(Json)
}

async fn release(
    State(daemon): State<Daemon>,
    Extension(Who(who)): Extension<Who>,
    Path(name): Path<String>,
) -> Result<Json<()>, Refusal> {
    daemon.release(&who, &name).await.map(Json)
}

async fn faults(State(daemon): State<Daemon>) -> Json<Vec<Fault>> {
    Json(daemon.faults().await)
}

async fn add_fault(
    State(daemon): State<Daemon>,
    Json(fault): Json<Fault>,
) -> Result<Json<()>, Refusal> {
    let added = daemon.change(|cloud| {
        if !cloud.faults.contains(&fault) {
            cloud.faults.push(fault);
        }
        Ok(())
    });
    added.await.map(Json)
}

/// Everything works again; machines that never started do so now.
async fn heal(State(daemon): State<Daemon>) -> Result<Json<()>, Refusal> {
    let healed = daemon.change(|cloud| {
        cloud.faults.clear();
        for record in cloud.machines.values_mut() {
            record.starts = true;
        }
        Ok(())
    });
    healed.await.map(Json)
}

async fn admit(
    State(daemon): State<Daemon>,
    Path(name): Path<String>,
    Json(quota): Json<Credential>,
) -> Result<Json<Access>, Refusal> {
    daemon.admit(&name, &quota).await.map(Json)
}

async fn revoke(
    State(daemon): State<Daemon>,
    Path(name): Path<String>,
) -> Result<Json<()>, Refusal> {
    let revoked = daemon.change(|cloud| match cloud.credentials.remove(&name) {
        Some(_) if name != ADMINISTRATOR => Ok(()),
        Some(_) => Err(Refusal::Forbidden),
        None => Err(Refusal::NotFound(format!("credential {name}"))),
    });
    revoked.await.map(Json)
}

/// Refusals have the form of Kubernetes' own, which its clients understand.
impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (code, reason) = self.code();
        let status = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = json!({
            "kind": "Status",
            "apiVersion": "v1",
            "status": "Failure",
            "code": code,
            "reason": reason,
            "message": self.to_string(),
        });
        (status, Json(body)).into_response()
    }
}
