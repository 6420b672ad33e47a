//! Runs of pipelines: listed, shown, canceled, tried again.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use lathe_core::{PipelineRunId, Result};
use lathe_http::{Caller, Failure};
use lathe_workflows::pipeline_runs::{self as room, ListPipelineRuns};
use lathe_workflows::{PipelineRunStatus, jobs, pipelines};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::jobs::Job;
use super::{DEFAULT_PAGE, PipelineJob, parse_name};
use crate::extract::{Captured, Query};
use crate::state::ApiState;

/// A run of a pipeline.
#[derive(Debug, Serialize, ToSchema)]
pub struct PipelineRun {
    /// Its id.
    pub id: String,
    /// Whose run it is.
    pub pipeline: String,
    /// Which of the pipeline's runs it is, from 1.
    pub number: i64,
    /// `queued`, `running`, `succeeded`, `failed` or `canceled`.
    pub status: String,
    /// What started it: `manual`, `schedule`, `data_commit`, `model_alias` or `drift_alert`.
    pub trigger: String,
    /// What that tells.
    #[schema(value_type = Object)]
    pub trigger_detail: BTreeMap<String, Value>,
    /// What it was asked for, defaults filled in.
    #[schema(value_type = Object)]
    pub params: BTreeMap<String, Value>,
    /// Who started it.
    pub actor: String,
    /// Why it is as it is; empty when that is plain.
    pub reason: String,
    /// Whether it was told to end.
    pub is_canceled: bool,
    /// Which commit each ref (`repository@ref`) is to all its jobs.
    pub pins: BTreeMap<String, String>,
    /// The code it runs.
    pub code_id: Option<String>,
    /// When it was asked for, in milliseconds since 1970.
    pub created_at_ms: i64,
    /// When its first jobs became ready.
    pub started_at_ms: Option<i64>,
    /// When it ended.
    pub ended_at_ms: Option<i64>,
}

impl From<room::PipelineRun> for PipelineRun {
    fn from(run: room::PipelineRun) -> Self {
        Self {
            id: run.id.to_string(),
            pipeline: run.pipeline.to_string(),
            number: run.number,
            status: run.status.as_str().to_owned(),
            trigger: run.trigger.kind,
            trigger_detail: run.trigger.detail,
            params: run.params,
            actor: run.actor.name,
            reason: run.reason,
            is_canceled: run.is_canceled,
            pins: run.pins,
            code_id: run.code_id,
            created_at_ms: run.created_at_ms,
            started_at_ms: run.started_at_ms,
            ended_at_ms: run.ended_at_ms,
        }
    }
}

/// A page of runs.
#[derive(Debug, Serialize, ToSchema)]
pub struct PipelineRunPage {
    /// Newest first.
    pub runs: Vec<PipelineRun>,
    /// Where the next page starts; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub next_page_token: Option<String>,
}

/// A run with its jobs.
#[derive(Debug, Serialize, ToSchema)]
pub struct PipelineRunDetail {
    /// The run.
    pub run: PipelineRun,
    /// Whether it takes a maintainer to retry it, or to cancel what another started: its file deploys, or moves an alias.
    pub needs_maintainer: bool,
    /// The jobs of its file, which are its graph.
    pub graph: Vec<PipelineJob>,
    /// Its jobs in the order of the file; of a matrix, each cell.
    pub jobs: Vec<Job>,
}

/// Which runs.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PipelineRunsQuery {
    /// Of this pipeline only.
    pipeline: Option<String>,
    /// In this state only.
    status: Option<String>,
    /// Of this number only.
    number: Option<i64>,
    /// 1-1,000 (100 if absent).
    max_results: Option<usize>,
    /// The previous page's token.
    page_token: Option<String>,
}

/// Runs of the project's pipelines, newest first.
#[utoipa::path(get, path = "/api/v1/pipeline-runs", tag = "pipelines", params(PipelineRunsQuery),
    responses((status = 200, body = PipelineRunPage)))]
pub(crate) async fn list_pipeline_runs(
    State(api): State<ApiState>,
    Caller(ctx): Caller,
    Query(query): Query<PipelineRunsQuery>,
) -> Result<Json<PipelineRunPage>, Failure> {
    let PipelineRunsQuery { pipeline, status, number, max_results, page_token } = query;
    let request = ListPipelineRuns {
        pipeline: pipeline.as_deref().map(parse_name).transpose()?,
        status: status.as_deref().map(PipelineRunStatus::parse).transpose()?,
        number,
        page_token,
        max_results: max_results.unwrap_or(DEFAULT_PAGE),
    };
    let page = room::list_pipeline_runs(&ctx, &api.workflows, &request).await?;
    let next_page_token = page.next.map(|token| token.encode());
    Ok(Json(PipelineRunPage { runs: page.items.into_iter().map(PipelineRun::from).collect(), next_page_token }))
}

/// A run with its graph and its jobs.
#[utoipa::path(get, path = "/api/v1/pipeline-runs/{id}", tag = "pipelines",
    params(("id" = String, Path, description = "The run's id")), responses((status = 200, body = PipelineRunDetail)))]
pub(crate) async fn get_pipeline_run(
    State(api): State<ApiState>,
    Caller(ctx): Caller,
    Captured(id): Captured<String>,
) -> Result<Json<PipelineRunDetail>, Failure> {
    let id = PipelineRunId::parse(&id)?;
    let run = room::get_pipeline_run(&ctx, &api.workflows, &id).await?;
    let jobs = jobs::list_jobs(&ctx, &api.workflows, &id).await?;
    let (graph, needs_maintainer) = match pipelines::read_declared(&ctx, &api.workflows, &run).await {
        Ok(declared) => (PipelineJob::all(&declared), declared.managing_job().is_some()),
        // Also a run whose file cannot be read any more is shown: its jobs say what became of it.
        Err(error) if !error.code().is_transient() => (PipelineJob::of_plan(&jobs), false),
        Err(error) => return Err(error.into()),
    };
    let jobs = jobs.into_iter().map(Job::from).collect();
    Ok(Json(PipelineRunDetail { run: run.into(), needs_maintainer, graph, jobs }))
}

/// Asks a run to end.
#[utoipa::path(post, path = "/api/v1/pipeline-runs/{id}/cancel", tag = "pipelines",
    params(("id" = String, Path, description = "The run's id")), responses((status = 200, body = PipelineRun)))]
pub(crate) async fn cancel_pipeline_run(
    State(api): State<ApiState>,
    Caller(ctx): Caller,
    Captured(id): Captured<String>,
) -> Result<Json<PipelineRun>, Failure> {
    let run = room::cancel_pipeline_run(&ctx, &api.workflows, &PipelineRunId::parse(&id)?).await?;
    Ok(Json(run.into()))
}

/// Tries again what failed in a run, and what was left out because of it.
#[utoipa::path(post, path = "/api/v1/pipeline-runs/{id}/retry", tag = "pipelines",
    params(("id" = String, Path, description = "The run's id")), responses((status = 200, body = PipelineRun)))]
pub(crate) async fn retry_pipeline_run(
    State(api): State<ApiState>,
    Caller(ctx): Caller,
    Captured(id): Captured<String>,
) -> Result<Json<PipelineRun>, Failure> {
    let run = room::retry_pipeline_run(&ctx, &api.workflows, &PipelineRunId::parse(&id)?).await?;
    Ok(Json(run.into()))
}
