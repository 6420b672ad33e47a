//! Code of pipelines: git bundles, pushed once for each commit.

use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use lathe_core::Result;
use lathe_http::upload::Upload;
use lathe_http::{Caller, Failure};
use lathe_workflows::code::{self, PushCode};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::bundles;
use crate::extract::Query;
use crate::state::ApiState;

/// The largest bundle.
pub(crate) const MAX_BUNDLE_BYTES: usize = 512 * 1024 * 1024;

/// Which commit.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct BundleQuery {
    /// The code repository's name.
    repository: String,
    /// The commit.
    commit: String,
}

/// Whether a commit's bundle is there.
#[derive(Debug, Serialize, ToSchema)]
pub struct BundleState {
    /// Whether it is.
    pub is_pushed: bool,
}

impl BundleQuery {
    fn into_push(self) -> PushCode {
        let BundleQuery { repository, commit } = self;
        PushCode { repository, commit, folder: String::new(), diff: String::new() }
    }
}

/// Whether a bundle of the commit was pushed.
#[utoipa::path(get, path = "/api/v1/code-bundles", tag = "pipelines", params(BundleQuery), responses((status = 200, body = BundleState)))]
pub(crate) async fn get_bundle(
    State(api): State<ApiState>,
    Caller(ctx): Caller,
    Query(query): Query<BundleQuery>,
) -> Result<Json<BundleState>, Failure> {
    let is_pushed = code::is_pushed(&ctx, &api.workflows, &query.into_push()).await?;
    Ok(Json(BundleState { is_pushed }))
}

/// Stores a git bundle that holds the commit, in place of an earlier one. It must stand alone: `git bundle create FILE HEAD`.
#[utoipa::path(post, path = "/api/v1/code-bundles", tag = "pipelines", params(BundleQuery),
    request_body(content = String, content_type = "application/octet-stream"), responses((status = 201, body = BundleState)))]
pub(crate) async fn push_bundle(
    State(api): State<ApiState>,
    Caller(ctx): Caller,
    Query(query): Query<BundleQuery>,
    request: Request,
) -> Result<Response, Failure> {
    let push = query.into_push();
    push.check()?;
    let upload = Upload::new(request.into_body());
    let stored = api.workflows.objects().put(Box::pin(upload.stream())).await;
    let bundle = upload.settle(stored).await?;
    bundles::check(api.workflows.objects(), &bundle.hash, &push.commit, &api.work_folder.join("code")).await?;
    code::push_code(&ctx, &api.workflows, push, Some(bundle.hash)).await?;
    Ok((StatusCode::CREATED, Json(BundleState { is_pushed: true })).into_response())
}
