//! The Open Inference Protocol, version 2, over HTTP, with the extension for binary data.
//!
//! Below `/serving/<deployment>/v2` for one deployment, and below `/v2` with deployments as models, where clients look that know
//! only a host and a port.

mod answer;
mod request;

use axum::Json;
use axum::extract::{FromRequest as _, Path, Request, State};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use lathe_core::{Code, Error, Result};
use lathe_http::permission::{Infer, Public};
use lathe_http::{Caller, Door, Failure};
use lathe_serving::deployments::list_deployments;
use lathe_serving::{DeploymentName, Inference, Inputs};
use serde_json::{Value, json};

pub(crate) use self::answer::select;
use self::answer::{Envelope, JSON_LENGTH, write_infer};
use self::request::parse_infer;
pub(crate) use self::request::{OF_THE_SERVER, RequestedOutput, check_outputs};
use crate::OipState;
use crate::ask::{self, Asked, find_version, parse_deployment, read_tags};
use crate::describe::describe;
use crate::limits::{BINARY_BYTES, off_reactor};

/// What the server calls itself.
pub(crate) const SERVER: &str = "lathe";
/// The extensions that are spoken.
pub(crate) const EXTENSIONS: [&str; 2] = ["binary_tensor_data", "model_repository"];

/// The routes of the dialect.
pub(crate) fn door() -> Door<OipState> {
    Door::new("oip", render)
        .get::<Public, _>("/v2", get_server)
        .get::<Public, _>("/v2/health/live", get_live)
        .get::<Public, _>("/v2/health/ready", get_live)
        .get::<Infer, _>("/v2/models/{model}", get_model)
        .get::<Infer, _>("/v2/models/{model}/ready", get_ready)
        .get::<Infer, _>("/v2/models/{model}/config", get_config)
        .get::<Infer, _>("/v2/models/{model}/stats", get_stats)
        .post_sized::<Infer, _>("/v2/models/{model}/infer", BINARY_BYTES, infer)
        .get::<Infer, _>("/v2/models/{model}/versions/{version}", get_model)
        .get::<Infer, _>("/v2/models/{model}/versions/{version}/ready", get_ready)
        .get::<Infer, _>("/v2/models/{model}/versions/{version}/config", get_config)
        .get::<Infer, _>("/v2/models/{model}/versions/{version}/stats", get_stats)
        .post_sized::<Infer, _>("/v2/models/{model}/versions/{version}/infer", BINARY_BYTES, infer)
        .post::<Infer, _>("/v2/repository/index", get_index)
        .post::<Infer, _>("/v2/repository/models/{model}/load", refuse_loading)
        .post::<Infer, _>("/v2/repository/models/{model}/unload", refuse_loading)
        .get::<Public, _>("/serving/{deployment}/v2", get_server)
        .get::<Public, _>("/serving/{deployment}/v2/health/live", get_live)
        .get::<Infer, _>("/serving/{deployment}/v2/health/ready", get_deployment_ready)
        .get::<Infer, _>("/serving/{deployment}/v2/models/{model}", get_own_model)
        .get::<Infer, _>("/serving/{deployment}/v2/models/{model}/ready", get_own_ready)
        .post_sized::<Infer, _>("/serving/{deployment}/v2/models/{model}/infer", BINARY_BYTES, infer_own)
}

/// How the protocol says that something failed.
fn render(error: &Error, _request_id: &str) -> Response {
    let status = StatusCode::from_u16(error.code().http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, Json(json!({ "error": error.said() }))).into_response();
    if matches!(error.code(), Code::Unavailable | Code::RateLimited) {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

async fn get_server() -> Json<Value> {
    Json(json!({ "name": SERVER, "version": env!("CARGO_PKG_VERSION"), "extensions": EXTENSIONS }))
}

async fn get_live() -> StatusCode {
    StatusCode::OK
}

/// A model of a path, with its version if the path names one.
#[derive(Debug, serde::Deserialize)]
struct ModelPath {
    model: String,
    #[serde(default)]
    version: String,
}

/// A model below a deployment: by either name.
#[derive(Debug, serde::Deserialize)]
struct OwnPath {
    deployment: String,
    model: String,
}

impl OwnPath {
    /// The deployment. Clients that were given its address may call the model by the deployment's name or by its own.
    fn resolve(self, ctx: &lathe_core::Ctx, state: &OipState) -> Result<DeploymentName> {
        let deployment = parse_deployment(&self.deployment)?;
        let known = lathe_serving::metadata(ctx, &state.serving, &deployment)?;
        if self.model == deployment.as_str() || self.model == known.model {
            return Ok(deployment);
        }
        Err(Error::not_found(format!("deployment `{deployment}` serves `{}`, not `{}`", known.model, self.model)))
    }
}

async fn get_model(
    State(state): State<OipState>,
    Caller(ctx): Caller,
    Path(path): Path<ModelPath>,
) -> Result<Json<Value>, Failure> {
    Ok(Json(metadata(&ctx, &state, &parse_deployment(&path.model)?, &path.version)?))
}

async fn get_own_model(
    State(state): State<OipState>,
    Caller(ctx): Caller,
    Path(path): Path<OwnPath>,
) -> Result<Json<Value>, Failure> {
    let deployment = path.resolve(&ctx, &state)?;
    Ok(Json(metadata(&ctx, &state, &deployment, "")?))
}

fn metadata(ctx: &lathe_core::Ctx, state: &OipState, deployment: &DeploymentName, version: &str) -> Result<Value> {
    let described = describe(&find_version(ctx, state, deployment, version)?);
    Ok(json!({
        "name": deployment.as_str(), "versions": described.versions, "platform": described.platform,
        "inputs": described.inputs, "outputs": described.outputs,
    }))
}

async fn get_ready(
    State(state): State<OipState>,
    Caller(ctx): Caller,
    Path(path): Path<ModelPath>,
) -> Result<StatusCode, Failure> {
    let deployment = parse_deployment(&path.model)?;
    find_version(&ctx, &state, &deployment, &path.version)?;
    lathe_serving::check_ready(&ctx, &state.serving, &deployment)?;
    Ok(StatusCode::OK)
}

async fn get_own_ready(
    State(state): State<OipState>,
    Caller(ctx): Caller,
    Path(path): Path<OwnPath>,
) -> Result<StatusCode, Failure> {
    let deployment = path.resolve(&ctx, &state)?;
    lathe_serving::check_ready(&ctx, &state.serving, &deployment)?;
    Ok(StatusCode::OK)
}

async fn get_deployment_ready(
    State(state): State<OipState>,
    Caller(ctx): Caller,
    Path(deployment): Path<String>,
) -> Result<StatusCode, Failure> {
    lathe_serving::check_ready(&ctx, &state.serving, &parse_deployment(&deployment)?)?;
    Ok(StatusCode::OK)
}

async fn get_config(
    State(state): State<OipState>,
    Caller(ctx): Caller,
    Path(path): Path<ModelPath>,
) -> Result<Json<Value>, Failure> {
    let deployment = parse_deployment(&path.model)?;
    let described = describe(&find_version(&ctx, &state, &deployment, &path.version)?);
    let tensors = |tensors: Vec<crate::describe::TensorDescription>| -> Vec<Value> {
        tensors
            .into_iter()
            .map(|tensor| json!({ "name": tensor.name, "data_type": format!("TYPE_{}", tensor.datatype), "dims": tensor.shape }))
            .collect()
    };
    Ok(Json(json!({
        "name": deployment.as_str(), "platform": described.platform, "backend": described.platform, "max_batch_size": 0,
        "input": tensors(described.inputs), "output": tensors(described.outputs),
    })))
}

async fn get_stats(
    State(state): State<OipState>,
    Caller(ctx): Caller,
    Path(path): Path<ModelPath>,
) -> Result<Json<Value>, Failure> {
    let deployment = parse_deployment(&path.model)?;
    find_version(&ctx, &state, &deployment, &path.version)?;
    let counted = lathe_serving::reconcile::live_statistics(&ctx, &state.serving, &deployment)?;
    let one = |(version, counted): (i64, lathe_serving::Statistics)| {
        let answered = counted.requests.saturating_sub(counted.errors);
        json!({
            "name": deployment.as_str(), "version": version.to_string(), "inference_count": answered,
            "execution_count": answered,
            "inference_stats": { "success": { "count": answered, "ns": 0 }, "fail": { "count": counted.errors, "ns": 0 } },
        })
    };
    Ok(Json(json!({ "model_stats": counted.into_iter().map(one).collect::<Vec<_>>() })))
}

async fn get_index(State(state): State<OipState>, Caller(ctx): Caller) -> Result<Json<Value>, Failure> {
    let listed = list_deployments(&ctx, &state.serving).await?;
    let rows = listed.iter().map(|deployment| {
        let ready = lathe_serving::check_ready(&ctx, &state.serving, &deployment.name);
        let known = ready.and_then(|()| lathe_serving::metadata(&ctx, &state.serving, &deployment.name));
        let (version, found) = match &known {
            Ok(known) => (known.version.to_string(), "READY"),
            Err(_) => (String::new(), "UNAVAILABLE"),
        };
        json!({ "name": deployment.name.as_str(), "version": version, "state": found, "reason": "" })
    });
    Ok(Json(rows.collect()))
}

/// What is loaded is what is deployed.
async fn refuse_loading(Path(model): Path<String>) -> Failure {
    Failure(
        Error::new(
            Code::Conflict,
            format!("`{model}` is managed as a deployment: models are not loaded by their clients"),
        )
        .with_hint("lathe deploy create"),
    )
}

async fn infer(
    State(state): State<OipState>,
    Caller(ctx): Caller,
    Path(path): Path<ModelPath>,
    request: Request,
) -> Result<Response, Failure> {
    let deployment = parse_deployment(&path.model)?;
    ask_with(&ctx, &state, &deployment, path.version, request).await.map_err(Failure)
}

async fn infer_own(
    State(state): State<OipState>,
    Caller(ctx): Caller,
    Path(path): Path<OwnPath>,
    request: Request,
) -> Result<Response, Failure> {
    let deployment = path.resolve(&ctx, &state)?;
    ask_with(&ctx, &state, &deployment, String::new(), request).await.map_err(Failure)
}

async fn ask_with(
    ctx: &lathe_core::Ctx,
    state: &OipState,
    deployment: &DeploymentName,
    version: String,
    request: Request,
) -> Result<Response> {
    let (json_bytes, tags) = (json_length(request.headers())?, read_tags(request.headers())?);
    let body = Bytes::from_request(request, &()).await.map_err(|error| {
        if error.status() == StatusCode::PAYLOAD_TOO_LARGE {
            return Error::new(Code::TooLarge, format!("a request may have {BINARY_BYTES} bytes: send it in parts"));
        }
        Error::invalid("the request's body broke off before its end").with_source(error)
    })?;
    let parsed = off_reactor(body.len(), move || parse_infer(&body, json_bytes)).await?;
    let inputs = Inputs::Tensors(parsed.inputs).into();
    let params = ask::for_model(ctx, state, deployment, parsed.params)?;
    let inference = Inference { inputs, params, route_key: None, timeout: None };
    let version = Some(version).filter(|version| !version.is_empty());
    let asked = Asked { version, deadline: None, tags };
    let answer = ask::infer(ctx, state, deployment, inference, asked).await?;
    let version = answer.version.to_string();
    let envelope = Envelope { model: deployment.as_str(), version: &version, id: parsed.id.as_deref() };
    let outputs = select(answer.outputs, &parsed.outputs)?;
    write_infer(&envelope, &outputs, &parsed.outputs, parsed.is_binary)
}

/// How many bytes of the body are JSON, when the header says so.
fn json_length(headers: &HeaderMap) -> Result<Option<usize>> {
    if headers.get(header::CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity") {
        return Err(Error::invalid("compressed bodies are not read; send them without Content-Encoding"));
    }
    let Some(value) = headers.get(&JSON_LENGTH) else { return Ok(None) };
    match value.to_str().ok().and_then(|text| text.parse().ok()) {
        Some(0) => Err(Error::invalid(
            "Inference-Header-Content-Length is 0, which means a raw binary request; these are not read: send the JSON that names the \
             inputs before their data",
        )),
        Some(length) => Ok(Some(length)),
        None => Err(Error::invalid("Inference-Header-Content-Length is no number")),
    }
}
