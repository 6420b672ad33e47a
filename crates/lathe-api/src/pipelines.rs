//! Pipelines: pushed, listed, started, paused.

pub(crate) mod approvals;
pub mod bundles;
pub(crate) mod code;
pub(crate) mod jobs;
pub(crate) mod runs;

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use lathe_core::{Code, Ctx, Result};
use lathe_data::refs::resolve_ref;
use lathe_data::{Data, RepositoryName, Revision};
use lathe_http::{Caller, Failure};
use lathe_workflows::code::{PushCode, push_code};
use lathe_workflows::file::{self, ParamKind};
use lathe_workflows::pipeline_runs::{StartPipelineRun, Trigger, start_pipeline_run};
use lathe_workflows::pipelines as room;
use lathe_workflows::triggers::next_run_at;
use lathe_workflows::{PipelineName, Workflows};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use crate::extract::{Body, Captured, Query};
use crate::state::ApiState;
use runs::PipelineRun;

const DEFAULT_PAGE: usize = 100;

/// A pipeline's file, and the code it belongs to.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPipeline {
    /// The text of the file.
    pub file: String,
    /// The code that its jobs run; its bundle was pushed before.
    pub code: Option<NewCode>,
}

/// A state of a code repository.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCode {
    /// The repository's name.
    pub repository: String,
    /// The commit, as 40 or 64 hex digits.
    pub commit: String,
    /// The folder of the pipeline's file, seen from the repository's own; empty for that itself.
    #[serde(default)]
    pub folder: String,
    /// What differs from the commit, as `git apply` reads it.
    #[serde(default)]
    pub diff: String,
}

/// A pipeline.
#[derive(Debug, Serialize, ToSchema)]
pub struct Pipeline {
    /// Its name.
    pub name: String,
    /// BLAKE3 of its file's text.
    pub file_hash: String,
    /// The code that its jobs run.
    pub code_id: Option<String>,
    /// Whether nothing starts it by itself.
    pub is_paused: bool,
    /// Whether starting it takes a maintainer: it deploys, or moves an alias. False while its file cannot be read: nobody starts it then.
    pub needs_maintainer: bool,
    /// How many runs it has had.
    pub runs: i64,
    /// When it was first pushed, in milliseconds since 1970.
    pub created_at_ms: i64,
    /// When it was last pushed, in milliseconds since 1970.
    pub updated_at_ms: i64,
    /// What starts it, a line each, for people.
    pub triggers: Vec<String>,
    /// When its schedules start it next, in milliseconds since 1970; absent without a schedule and while it is paused.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub next_run_at_ms: Option<i64>,
}

/// A page of pipelines.
#[derive(Debug, Serialize, ToSchema)]
pub struct PipelinePage {
    /// By name.
    pub pipelines: Vec<Pipeline>,
    /// Where the next page starts; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub next_page_token: Option<String>,
}

/// A pipeline with its file.
#[derive(Debug, Serialize, ToSchema)]
pub struct PipelineDetail {
    /// The pipeline.
    pub pipeline: Pipeline,
    /// The text of its file.
    pub file: String,
    /// What a run can be asked for.
    pub params: Vec<PipelineParam>,
    /// Its jobs, in the order of the file.
    pub jobs: Vec<PipelineJob>,
}

/// What a run can be asked for.
#[derive(Debug, Serialize, ToSchema)]
pub struct PipelineParam {
    /// Its name.
    pub name: String,
    /// `str`, `int`, `float`, `bool` or `choice`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its value when a run does not say; without one, a run must say.
    #[schema(value_type = Object)]
    pub default: Option<Value>,
    /// The smallest.
    #[schema(value_type = Object)]
    pub min: Option<Value>,
    /// The largest.
    #[schema(value_type = Object)]
    pub max: Option<Value>,
    /// What it may be, of a choice.
    pub choices: Vec<String>,
}

/// A job of a file.
#[derive(Debug, Serialize, ToSchema)]
pub struct PipelineJob {
    /// Its name.
    pub name: String,
    /// The jobs that end before it begins.
    pub needs: Vec<String>,
    /// What it does: `run`, `register_model`, `set_alias`, `deploy`, `approval`; several are joined by `+`. Empty when the file cannot be read.
    pub action: String,
    /// Its layer in the graph: one more than the largest of what it needs.
    pub layer: usize,
    /// How many cells its matrix has; 1 without one.
    pub cells: usize,
}

/// Which pipelines.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PipelinesQuery {
    /// 1-1,000 (100 if absent).
    max_results: Option<usize>,
    /// The previous page's token.
    page_token: Option<String>,
}

/// What a run is started with.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPipelineRun {
    /// Values for its parameters; those left out have their defaults.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub params: BTreeMap<String, Value>,
    /// What `trigger.…` tells in expressions: texts, such as `commit`, and times in milliseconds since 1970. A pipeline that starts on commits
    /// of a branch gets that branch's newest one when this names none.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub trigger: BTreeMap<String, Value>,
}

/// Stores a pipeline's file under the name that stands in it.
#[utoipa::path(post, path = "/api/v1/pipelines", tag = "pipelines", request_body = NewPipeline, responses((status = 201, body = Pipeline)))]
pub(crate) async fn push_pipeline(
    State(api): State<ApiState>,
    Caller(ctx): Caller,
    Body(NewPipeline { file, code }): Body<NewPipeline>,
) -> Result<Response, Failure> {
    let code_id = match code {
        Some(NewCode { repository, commit, folder, diff }) => {
            let push = PushCode { repository, commit, folder, diff };
            Some(push_code(&ctx, &api.workflows, push, None).await?.id)
        }
        None => None,
    };
    let pipeline = room::push_pipeline(&ctx, &api.workflows, file, code_id).await?;
    let (pipeline, declared) = room::read_pipeline(&ctx, &api.workflows, &pipeline.name).await?;
    Ok((StatusCode::CREATED, Json(Pipeline::new(&ctx, pipeline, Some(&declared))?)).into_response())
}

/// The project's pipelines.
#[utoipa::path(get, path = "/api/v1/pipelines", tag = "pipelines", params(PipelinesQuery), responses((status = 200, body = PipelinePage)))]
pub(crate) async fn list_pipelines(
    State(api): State<ApiState>,
    Caller(ctx): Caller,
    Query(PipelinesQuery { max_results, page_token }): Query<PipelinesQuery>,
) -> Result<Json<PipelinePage>, Failure> {
    let limit = max_results.unwrap_or(DEFAULT_PAGE);
    let page = room::list_pipelines(&ctx, &api.workflows, page_token.as_deref(), limit).await?;
    let mut pipelines = Vec::with_capacity(page.items.len());
    for pipeline in page.items {
        pipelines.push(describe_pipeline(&api, &ctx, pipeline).await?);
    }
    Ok(Json(PipelinePage { pipelines, next_page_token: page.next.map(|token| token.encode()) }))
}

/// A pipeline with its file, its parameters and its graph.
#[utoipa::path(get, path = "/api/v1/pipelines/{pipeline}", tag = "pipelines",
    params(("pipeline" = String, Path, description = "The pipeline")), responses((status = 200, body = PipelineDetail)))]
pub(crate) async fn get_pipeline(
    State(api): State<ApiState>,
    Caller(ctx): Caller,
    Captured(name): Captured<String>,
) -> Result<Json<PipelineDetail>, Failure> {
    let (pipeline, declared) = room::read_pipeline(&ctx, &api.workflows, &parse_name(&name)?).await?;
    let file = room::get_file(&ctx, &api.workflows, &pipeline.file_hash).await?;
    let params = declared.params.iter().map(PipelineParam::new).collect();
    let jobs = PipelineJob::all(&declared);
    Ok(Json(PipelineDetail { pipeline: Pipeline::new(&ctx, pipeline, Some(&declared))?, file, params, jobs }))
}

/// Keeps a pipeline from starting by itself.
#[utoipa::path(post, path = "/api/v1/pipelines/{pipeline}/pause", tag = "pipelines",
    params(("pipeline" = String, Path, description = "The pipeline")), responses((status = 200, body = Pipeline)))]
pub(crate) async fn pause_pipeline(
    State(api): State<ApiState>,
    Caller(ctx): Caller,
    Captured(name): Captured<String>,
) -> Result<Json<Pipeline>, Failure> {
    set_paused(&api, &ctx, &name, true).await
}

/// Lets a pipeline start by itself again.
#[utoipa::path(post, path = "/api/v1/pipelines/{pipeline}/resume", tag = "pipelines",
    params(("pipeline" = String, Path, description = "The pipeline")), responses((status = 200, body = Pipeline)))]
pub(crate) async fn resume_pipeline(
    State(api): State<ApiState>,
    Caller(ctx): Caller,
    Captured(name): Captured<String>,
) -> Result<Json<Pipeline>, Failure> {
    set_paused(&api, &ctx, &name, false).await
}

async fn set_paused(api: &ApiState, ctx: &Ctx, name: &str, is_paused: bool) -> Result<Json<Pipeline>, Failure> {
    let name = parse_name(name)?;
    let pipeline = room::set_paused(ctx, &api.workflows, &name, is_paused).await?;
    Ok(Json(describe_pipeline(api, ctx, pipeline).await?))
}

/// Also one whose file cannot be read any more is shown.
async fn describe_pipeline(api: &ApiState, ctx: &Ctx, pipeline: room::Pipeline) -> Result<Pipeline> {
    match room::read_pipeline(ctx, &api.workflows, &pipeline.name).await {
        Ok((_, declared)) => Pipeline::new(ctx, pipeline, Some(&declared)),
        Err(error) if error.code() == Code::InvalidArgument => Pipeline::new(ctx, pipeline, None),
        Err(error) => Err(error),
    }
}

/// Starts a run of a pipeline.
#[utoipa::path(post, path = "/api/v1/pipelines/{pipeline}/runs", tag = "pipelines",
    params(("pipeline" = String, Path, description = "The pipeline")), request_body = NewPipelineRun,
    responses((status = 201, body = PipelineRun)))]
pub(crate) async fn create_pipeline_run(
    State(api): State<ApiState>,
    Caller(ctx): Caller,
    Captured(name): Captured<String>,
    Body(NewPipelineRun { params, mut trigger }): Body<NewPipelineRun>,
) -> Result<Response, Failure> {
    let pipeline = parse_name(&name)?;
    trigger.retain(|_, value| !value.is_null());
    let trigger = Trigger { detail: trigger, ..Trigger::manual() };
    let start = StartPipelineRun { pipeline, params, trigger, from: Vec::new(), cause: None };
    let start = complete(&ctx, &api.workflows, &api.data, start).await?;
    let run = start_pipeline_run(&ctx, &api.workflows, start).await?;
    let run = run.ok_or_else(|| lathe_core::Error::internal("a run without a cause was taken for a second one"))?;
    Ok((StatusCode::CREATED, Json(PipelineRun::from(run))).into_response())
}

/// Fills in what an expression of the pipeline may ask of its trigger: the newest commit of the branch that it starts on.
///
/// # Errors
/// `NotFound` for the pipeline, or for the branch.
pub async fn complete(
    ctx: &Ctx,
    workflows: &Workflows,
    data: &Data,
    mut start: StartPipelineRun,
) -> Result<StartPipelineRun> {
    let (_, declared) = room::read_pipeline(ctx, workflows, &start.pipeline).await?;
    let detail = &mut start.trigger.detail;
    if let Some(wanted) = declared.triggers.data_commits.first()
        && !detail.contains_key("commit")
    {
        let repository = RepositoryName::parse(&wanted.repository.value)?;
        let commit = resolve_ref(ctx, data, &repository, &Revision::parse(&wanted.branch.value)?).await?;
        detail.insert("commit".to_owned(), commit.id.to_string().into());
        detail.insert("repository".to_owned(), wanted.repository.value.clone().into());
        detail.insert("branch".to_owned(), wanted.branch.value.clone().into());
        start.from.push(lathe_core::Name::commit(&ctx.project, repository.as_str(), commit.id.as_str()));
    }
    Ok(start)
}

/// A pipeline of a path: a text that cannot be one's name names none.
fn parse_name(text: &str) -> Result<PipelineName> {
    PipelineName::parse(text).map_err(|_| {
        lathe_core::Error::not_found(format!("pipeline {text:?} does not exist")).with_hint("lathe pipeline list")
    })
}

impl Pipeline {
    /// Without what it declares, its file cannot be read any more.
    fn new(ctx: &Ctx, pipeline: room::Pipeline, declared: Option<&file::Pipeline>) -> Result<Self> {
        let (next_run_at_ms, triggers) = match declared {
            Some(declared) => (next_run_at(ctx, &pipeline, declared)?, describe(&declared.triggers)),
            None => (None, vec!["its file cannot be read".to_owned()]),
        };
        let room::Pipeline { name, file_hash, code_id, is_paused, runs, created_at_ms, updated_at_ms } = pipeline;
        Ok(Self {
            name: name.to_string(),
            file_hash,
            code_id,
            is_paused,
            needs_maintainer: declared.is_some_and(|declared| declared.managing_job().is_some()),
            runs,
            created_at_ms,
            updated_at_ms,
            triggers,
            next_run_at_ms,
        })
    }
}

fn describe(triggers: &file::Triggers) -> Vec<String> {
    let schedules = triggers.schedules.iter().map(|one| format!("schedule {} ({})", one.cron, one.tz));
    let commits =
        triggers.data_commits.iter().map(|one| format!("commit on {}@{}", one.repository.value, one.branch.value));
    let aliases = triggers.model_aliases.iter().map(|one| format!("alias {}@{}", one.model.value, one.alias.value));
    let alerts = triggers.drift_alerts.iter().map(|one| {
        let about: Vec<&str> = one.metrics.iter().copied().chain(one.rules.iter().map(String::as_str)).collect();
        match about.as_slice() {
            [] => format!("drift alert of {}", one.deployment),
            about => format!("alert of {} about {}", one.deployment, about.join(", ")),
        }
    });
    schedules.chain(commits).chain(aliases).chain(alerts).collect()
}

impl PipelineParam {
    fn new(param: &file::Param) -> Self {
        let (kind, min, max, choices) = match &param.kind {
            ParamKind::Str => ("str", None, None, Vec::new()),
            ParamKind::Bool => ("bool", None, None, Vec::new()),
            ParamKind::Int { min, max } => ("int", min.map(Value::from), max.map(Value::from), Vec::new()),
            ParamKind::Float { min, max } => ("float", min.map(Value::from), max.map(Value::from), Vec::new()),
            ParamKind::Choice(choices) => ("choice", None, None, choices.clone()),
        };
        let default = param.default.as_ref().map(file::Value::to_json);
        Self { name: param.name.value.clone(), kind: kind.to_owned(), default, min, max, choices }
    }
}

impl PipelineJob {
    /// The jobs with their layers.
    pub(crate) fn all(declared: &file::Pipeline) -> Vec<Self> {
        let mut layers: BTreeMap<&str, usize> = BTreeMap::new();
        // A file whose jobs went in a circle was refused; what a job needs may stand behind it.
        for _ in &declared.jobs {
            for job in &declared.jobs {
                let below = job.needs.iter().map(|need| layers.get(need.value.as_str()).map_or(0, |layer| layer + 1));
                layers.insert(&job.name.value, below.max().unwrap_or(0));
            }
        }
        let one = |job: &file::Job| Self {
            name: job.name.value.clone(),
            needs: job.needs.iter().map(|need| need.value.clone()).collect(),
            action: job.actions.iter().map(action_name).collect::<Vec<_>>().join("+"),
            layer: layers.get(job.name.value.as_str()).copied().unwrap_or_default(),
            cells: file::expand(job).len(),
        };
        declared.jobs.iter().map(one).collect()
    }

    /// The jobs as far as the plan of a run tells them: without what needs what.
    pub(crate) fn of_plan(planned: &[lathe_workflows::jobs::Job]) -> Vec<Self> {
        let mut all: Vec<Self> = Vec::new();
        for job in planned {
            match all.iter_mut().find(|one| one.name == job.name) {
                Some(one) => one.cells += 1,
                None => all.push(Self {
                    name: job.name.clone(),
                    needs: Vec::new(),
                    action: String::new(),
                    layer: 0,
                    cells: 1,
                }),
            }
        }
        all
    }
}

fn action_name(action: &file::Action) -> &'static str {
    match action {
        file::Action::Run(_) => "run",
        file::Action::RegisterModel(_) => "register_model",
        file::Action::SetAlias(_) => "set_alias",
        file::Action::Deploy(_) => "deploy",
        file::Action::Approval(_) => "approval",
    }
}
