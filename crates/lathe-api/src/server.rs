//! `/healthz`, `/readyz`, `/metrics` and `/api/v1/server`: the server about itself.

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use http::header;
use lathe_access::projects::list_projects;
use lathe_core::Error;
use lathe_http::{Caller, Failure};
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::registry::Registry;
use serde::Serialize;
use utoipa::ToSchema;

use crate::state::ApiState;

/// The version of MLflow whose API is spoken.
pub const MLFLOW_VERSION: &str = "3.17.2";

/// The server about itself.
#[derive(Debug, Serialize, ToSchema)]
pub struct Server {
    /// Lathe's version.
    pub version: String,
    /// `local` (no login, loopback only) or `login`.
    pub mode: String,
    /// The version of MLflow whose API is spoken.
    pub mlflow_version: String,
    /// `sqlite` or `postgres`.
    pub database: String,
    /// When the server started, in milliseconds since 1970.
    pub started_at_ms: i64,
}

/// Version, mode and database of the server.
#[utoipa::path(get, path = "/api/v1/server", tag = "server", responses((status = 200, body = Server)))]
pub(crate) async fn get_server(State(api): State<ApiState>) -> Json<Server> {
    Json(Server {
        version: api.version.to_owned(),
        mode: api.access.mode().as_str().to_owned(),
        mlflow_version: MLFLOW_VERSION.to_owned(),
        database: api.db.kind().as_str().to_owned(),
        started_at_ms: api.started_at_ms,
    })
}

/// Whether the process lives.
pub(crate) async fn healthz() -> &'static str {
    "ok"
}

/// Whether requests can be served: the database answers.
pub(crate) async fn readyz(State(api): State<ApiState>) -> Result<&'static str, Failure> {
    api.db.ping().await?;
    Ok("ready")
}

/// The server's metrics in OpenMetrics text, with those of the projects that the caller sees.
pub(crate) async fn metrics(State(api): State<ApiState>, Caller(ctx): Caller) -> Result<impl IntoResponse, Failure> {
    let visible = list_projects(&ctx, &api.access).await?.into_iter().map(|info| info.project).collect();
    let text = encode(&[&api.registry, &api.serving.metrics_of(&visible)])
        .map_err(|error| Error::internal("metrics could not be encoded").with_source(error))?;
    Ok(([(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text))
}

fn encode(registries: &[&Registry]) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    for registry in registries {
        encode_registry(&mut text, registry)?;
    }
    encode_eof(&mut text)?;
    Ok(text)
}
