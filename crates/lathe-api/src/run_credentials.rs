//! What a run is reached with, and what it has read and written.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use lathe_access::tokens::{RunToken, create_run_token, renew_run_token};
use lathe_core::{Error, Result, RunId, TokenId};
use lathe_data::uses::{self, Read, Write};
use lathe_http::{Caller, Failure};
use lathe_tracking::runs::get_run_info;
use lathe_tracking::{LifecycleStage, RunStatus};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::extract::{Body, Captured};
use crate::s3::S3Keys;
use crate::state::ApiState;

/// For which run.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRunCredentials {
    /// A run of the request's project that has not ended.
    pub run_id: String,
    /// How long they hold; a day if absent, 30 days at the most.
    pub ttl_seconds: Option<i64>,
    /// A run that this one runs again: branches are pinned to what they were to it.
    pub reproduces: Option<String>,
}

/// Credentials that are a run: what is read and written with them is recorded as its lineage.
#[derive(Debug, Serialize, ToSchema)]
pub struct RunCredentials {
    /// The id to revoke them by, as a token's.
    pub token_id: String,
    /// For `MLFLOW_TRACKING_TOKEN`.
    pub token: String,
    /// For S3 clients.
    pub s3: S3Keys,
    /// When they end, in milliseconds since 1970.
    pub expires_at_ms: i64,
}

/// Makes short-lived credentials that are a run.
#[utoipa::path(post, path = "/api/v1/run-credentials", tag = "runs", request_body = NewRunCredentials, responses((status = 201, body = RunCredentials)))]
pub(crate) async fn create_run_credentials(
    State(api): State<ApiState>,
    Caller(ctx): Caller,
    Body(NewRunCredentials { run_id, ttl_seconds, reproduces }): Body<NewRunCredentials>,
) -> Result<Response, Failure> {
    let run_id = RunId::parse(&run_id)?;
    let run = get_run_info(&ctx, &api.tracking, &run_id).await?;
    if run.lifecycle_stage == LifecycleStage::Deleted
        || !matches!(run.status, RunStatus::Running | RunStatus::Scheduled)
    {
        return Err(Error::conflict(format!("run {run_id} has ended; only a run under way gets credentials")).into());
    }
    if let Some(original) = reproduces {
        let original = RunId::parse(&original)?;
        get_run_info(&ctx, &api.tracking, &original).await?;
        uses::reproduce(&ctx, &api.data, &original, &run_id).await?;
    }
    let RunToken { id, token, expires_at_ms } = create_run_token(&ctx, &api.access, &run_id, ttl_seconds).await?;
    let s3 = api.access.s3_key_pair_of(&id, &ctx.project).into();
    let made = RunCredentials { token_id: id.to_string(), token, s3, expires_at_ms };
    Ok((StatusCode::CREATED, [(header::CACHE_CONTROL, "no-store")], Json(made)).into_response())
}

/// How long credentials hold from now.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RenewRunCredentials {
    /// A day if absent, 30 days at the most.
    pub ttl_seconds: Option<i64>,
}

/// When credentials end.
#[derive(Debug, Serialize, ToSchema)]
pub struct RenewedRunCredentials {
    /// In milliseconds since 1970.
    pub expires_at_ms: i64,
}

/// Lets credentials of a run hold longer, for whoever made them. The secrets stay as they are.
#[utoipa::path(post, path = "/api/v1/run-credentials/{id}/renew", tag = "runs",
    params(("id" = String, Path, description = "The credentials' token id")), request_body = RenewRunCredentials,
    responses((status = 200, body = RenewedRunCredentials)))]
pub(crate) async fn renew_run_credentials(
    State(api): State<ApiState>,
    Caller(ctx): Caller,
    Captured(id): Captured<String>,
    Body(RenewRunCredentials { ttl_seconds }): Body<RenewRunCredentials>,
) -> Result<Json<RenewedRunCredentials>, Failure> {
    let expires_at_ms = renew_run_token(&ctx, &api.access, TokenId::parse(&id)?, ttl_seconds).await?;
    Ok(Json(RenewedRunCredentials { expires_at_ms }))
}

/// A commit that a run read from.
#[derive(Debug, Serialize, ToSchema)]
pub struct RunRead {
    /// The repository.
    pub repository: String,
    /// The commit.
    pub commit: String,
    /// When it was first read, in milliseconds since 1970.
    pub at_ms: i64,
    /// What was read of it, in order: up to 1,000 paths.
    pub paths: Vec<String>,
}

/// A branch that a run wrote to.
#[derive(Debug, Serialize, ToSchema)]
pub struct RunWrite {
    /// The repository.
    pub repository: String,
    /// The branch.
    pub branch: String,
    /// What it wrote there and no commit has taken, in order: up to 1,000 paths.
    pub staged: Vec<String>,
}

/// What a run has read from repositories, and where it wrote to, with its own credentials.
#[derive(Debug, Serialize, ToSchema)]
pub struct RunUses {
    /// By repository and time.
    pub reads: Vec<RunRead>,
    /// By repository and branch.
    pub writes: Vec<RunWrite>,
}

/// Lists the commits and paths that a run has read, and the branches that it wrote to.
#[utoipa::path(get, path = "/api/v1/runs/{run_id}/uses", tag = "runs", params(("run_id" = String, Path, description = "The run's id")), responses((status = 200, body = RunUses)))]
pub(crate) async fn list_run_uses(
    State(api): State<ApiState>,
    Caller(ctx): Caller,
    Captured(run_id): Captured<String>,
) -> Result<Json<RunUses>, Failure> {
    let run_id = RunId::parse(&run_id)?;
    get_run_info(&ctx, &api.tracking, &run_id).await?;
    let reads = uses::list_reads(&ctx, &api.data, &run_id).await?;
    let reads = reads.into_iter().map(|Read { repository, commit_id, at_ms, paths }| RunRead {
        repository: repository.to_string(),
        commit: commit_id.to_string(),
        at_ms,
        paths,
    });
    let writes = uses::list_writes(&ctx, &api.data, &run_id).await?;
    let writes = writes.into_iter().map(|Write { repository, branch, staged }| RunWrite {
        repository: repository.to_string(),
        branch: branch.to_string(),
        staged,
    });
    Ok(Json(RunUses { reads: reads.collect(), writes: writes.collect() }))
}
