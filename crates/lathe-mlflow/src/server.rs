//! What a client asks before it does anything: is the server there, which MLflow does it speak, what can it do.

use axum::response::{IntoResponse as _, Response};
use http::{HeaderValue, header};
use serde::Serialize;

use crate::wire::{Answer, LATHE_VERSION, VERSION};

/// The version of MLflow whose REST API this door speaks.
pub const MLFLOW_VERSION: &str = "3.17.2";

fn text(content_type: &'static str, text: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(content_type)),
        (LATHE_VERSION, HeaderValue::from_static(VERSION)),
    ];
    (headers, text).into_response()
}

pub(crate) async fn get_health() -> Response {
    text("text/plain; charset=utf-8", "OK")
}

pub(crate) async fn get_version() -> Response {
    text("text/html; charset=utf-8", MLFLOW_VERSION)
}

#[derive(Debug, Serialize)]
struct FeaturesBody {
    gateway: bool,
}

/// What the server can do, as clients of MLflow 3 ask for it. Public, so it says nothing of what is stored.
#[derive(Debug, Serialize)]
pub(crate) struct ServerInfoAnswer {
    store_type: &'static str,
    /// Projects are MLflow's workspaces.
    workspaces_enabled: bool,
    trace_archival_enabled: bool,
    /// One streamed PUT takes a file of any size: parts would gain nothing.
    multipart_uploads_enabled: bool,
    multipart_downloads_enabled: bool,
    presigned_upload_run_id_supported: bool,
    presigned_upload_model_id_supported: bool,
    features_enabled: FeaturesBody,
}

pub(crate) async fn get_server_info() -> Answer<ServerInfoAnswer> {
    Answer(ServerInfoAnswer {
        store_type: "SqlStore",
        workspaces_enabled: true,
        trace_archival_enabled: false,
        multipart_uploads_enabled: false,
        multipart_downloads_enabled: false,
        presigned_upload_run_id_supported: false,
        presigned_upload_model_id_supported: false,
        features_enabled: FeaturesBody { gateway: false },
    })
}
