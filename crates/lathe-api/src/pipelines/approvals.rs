//! Jobs that wait for people.

use axum::Json;
use axum::extract::State;
use lathe_core::{Ctx, PipelineRunId, Result};
use lathe_http::{Caller, Failure};
use lathe_workflows::JobKey;
use lathe_workflows::approvals::{self as room, Verdict};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::runs::PipelineRun;
use crate::extract::{Body, Captured};
use crate::state::ApiState;

/// A job that waits for people.
#[derive(Debug, Serialize, ToSchema)]
pub struct Approval {
    /// The run.
    pub pipeline_run_id: String,
    /// Its pipeline.
    pub pipeline: String,
    /// Its number.
    pub number: i64,
    /// The job.
    pub job: String,
    /// Who started the run.
    pub requested_by: String,
    /// Since when it waits, in milliseconds since 1970.
    pub since_ms: i64,
    /// Until when it waits.
    pub until_ms: i64,
    /// How many must approve.
    pub min: u32,
    /// What was decided so far.
    pub decisions: Vec<Decision>,
}

/// What a person decided.
#[derive(Debug, Serialize, ToSchema)]
pub struct Decision {
    /// Who.
    pub username: String,
    /// `approve` or `reject`.
    pub decision: String,
    /// Why.
    pub comment: String,
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
}

/// Jobs that wait for people.
#[derive(Debug, Serialize, ToSchema)]
pub struct ApprovalList {
    /// Oldest first.
    pub approvals: Vec<Approval>,
}

/// Why.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewDecision {
    /// Why.
    #[serde(default)]
    pub comment: String,
}

/// The project's jobs that wait for people.
#[utoipa::path(get, path = "/api/v1/approvals", tag = "pipelines", responses((status = 200, body = ApprovalList)))]
pub(crate) async fn list_approvals(
    State(api): State<ApiState>,
    Caller(ctx): Caller,
) -> Result<Json<ApprovalList>, Failure> {
    let awaiting = room::list_approvals(&ctx, &api.workflows).await?;
    let approvals = awaiting.into_iter().map(|one| Approval {
        pipeline_run_id: one.run.id.to_string(),
        pipeline: one.run.pipeline.to_string(),
        number: one.run.number,
        job: one.job.key.to_string(),
        requested_by: one.run.actor.name,
        since_ms: one.job.queued_at_ms.unwrap_or_default(),
        until_ms: one.until_ms,
        min: one.min,
        decisions: one.decisions.into_iter().map(Decision::from).collect(),
    });
    Ok(Json(ApprovalList { approvals: approvals.collect() }))
}

impl From<room::Decision> for Decision {
    fn from(room::Decision { username, verdict, comment, at_ms }: room::Decision) -> Self {
        Self { username, decision: verdict.as_str().to_owned(), comment, at_ms }
    }
}

/// Approves a job that waits for people.
#[utoipa::path(post, path = "/api/v1/pipeline-runs/{id}/jobs/{job}/approve", tag = "pipelines",
    params(("id" = String, Path, description = "The run's id"), ("job" = String, Path, description = "The job")),
    request_body = NewDecision, responses((status = 200, body = PipelineRun)))]
pub(crate) async fn approve_job(
    State(api): State<ApiState>,
    Caller(ctx): Caller,
    Captured((run, job)): Captured<(String, String)>,
    Body(NewDecision { comment }): Body<NewDecision>,
) -> Result<Json<PipelineRun>, Failure> {
    decide(&api, &ctx, (&run, &job), Verdict::Approve, comment).await
}

/// Rejects a job that waits for people: it fails.
#[utoipa::path(post, path = "/api/v1/pipeline-runs/{id}/jobs/{job}/reject", tag = "pipelines",
    params(("id" = String, Path, description = "The run's id"), ("job" = String, Path, description = "The job")),
    request_body = NewDecision, responses((status = 200, body = PipelineRun)))]
pub(crate) async fn reject_job(
    State(api): State<ApiState>,
    Caller(ctx): Caller,
    Captured((run, job)): Captured<(String, String)>,
    Body(NewDecision { comment }): Body<NewDecision>,
) -> Result<Json<PipelineRun>, Failure> {
    decide(&api, &ctx, (&run, &job), Verdict::Reject, comment).await
}

async fn decide(
    api: &ApiState,
    ctx: &Ctx,
    (run, job): (&str, &str),
    verdict: Verdict,
    comment: String,
) -> Result<Json<PipelineRun>, Failure> {
    let (run, job) = (PipelineRunId::parse(run)?, JobKey::parse(job)?);
    let run = room::decide(ctx, &api.workflows, &run, &job, verdict, comment).await?;
    Ok(Json(run.into()))
}
