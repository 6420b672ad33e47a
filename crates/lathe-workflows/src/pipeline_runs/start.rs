//! Runs are started.

use std::collections::BTreeMap;

use lathe_core::{Action, Ctx, Error, Event, Kind, Name, PipelineRunId, Result};
use lathe_db::FutureExt as _;
use serde_json::{Value, json};

use super::groups::{group_of, hold_group, join_group};
use super::progress::finished;
use super::{MANUAL, PipelineRun, Trigger};
use crate::file;
use crate::jobs::{Job, Outcome};
use crate::pipelines::{self, Pipeline};
use crate::status::{JobStatus, PipelineRunStatus};
use crate::{JobKey, PipelineName, Workflows, plan, store};

/// What a run is started with.
#[derive(Debug, Clone)]
pub struct StartPipelineRun {
    /// The pipeline.
    pub pipeline: PipelineName,
    /// Values for its parameters; those left out have their defaults.
    pub params: BTreeMap<String, Value>,
    /// What starts it.
    pub trigger: Trigger,
    /// What it comes from: a commit, a window, a model version.
    pub from: Vec<Name>,
    /// A cause that starts the pipeline once only.
    pub cause: Option<String>,
}

/// Starts a run of the pipeline's newest file and code. `None` when its cause has started it before.
///
/// # Errors
/// `NotFound` for the pipeline, `InvalidArgument` for parameters that it does not take, for what no trigger has, and for jobs that no
/// machine here can run, `Conflict` when another run of its group is at work and the file says `skip`, `PermissionDenied` when it says to
/// cancel one that this caller may not cancel.
pub async fn start_pipeline_run(
    ctx: &Ctx,
    workflows: &Workflows,
    request: StartPipelineRun,
) -> Result<Option<PipelineRun>> {
    ctx.authorize(Action::Write)?;
    let pipeline = pipelines::get_pipeline(ctx, workflows, &request.pipeline).await?;
    let declared = pipelines::load(workflows, &ctx.project, &pipeline.file_hash).await?;
    authorize_actions(ctx, &declared)?;
    let params = take_params(&declared, &request.params)?;
    if request.trigger.kind == MANUAL {
        file::check_trigger(&request.trigger.detail)
            .map_err(|wrong| Error::invalid(format!("trigger: {}", wrong.join("; "))))?;
    }
    let mut run = new_run(ctx, &pipeline, params, request.trigger);
    let mut jobs = plan_jobs(&declared, &run)?;
    workflows.capacity().check(&jobs)?;
    run.concurrency_group = group_of(&declared, &run)?;
    let code = match &run.code_id {
        Some(id) => Some(crate::code::get_code(ctx, workflows, id).await?),
        None => None,
    };
    let (ctx, from, cause) = (ctx.clone(), request.from, request.cause);
    let started = workflows
        .db
        .write(move |tx| {
            async move {
                if let Some(cause) = &cause
                    && !store::triggers::fire(tx, &ctx.project, &run.pipeline, cause, ctx.now_ms()).await?
                {
                    return Ok(None);
                }
                let number = store::pipelines::next_number(tx, &ctx.project, &run.pipeline).await?;
                run.number = number.ok_or_else(|| pipelines::not_found(&run.pipeline))?;
                hold_group(tx, &run).await?;
                join_group(&ctx, tx, &declared, &mut run).await?;
                let now_ms = ctx.now_ms();
                run.started_at_ms = (run.status == PipelineRunStatus::Running).then_some(now_ms);
                plan::advance(&declared, &mut run, &mut jobs, now_ms);
                store::runs::insert(tx, &run).await?;
                store::jobs::insert_all(tx, &jobs).await?;
                for job in jobs.iter().filter(|job| job.status != JobStatus::Waiting) {
                    store::jobs::update(tx, job).await?;
                }
                let name = Name::new(&ctx.project, Kind::PipelineRun, &run.id);
                let detail = json!({
                    "pipeline": run.pipeline.as_str(), "number": run.number, "trigger": run.trigger.kind,
                    "detail": run.trigger.detail, "params": run.params,
                });
                let mut event = Event::new("pipeline_run.started", name.clone(), detail).with_edge(
                    run.pipeline.name(&ctx.project),
                    name.clone(),
                    "ran",
                );
                for cause in from {
                    event = event.with_edge(cause, name.clone(), "triggered");
                }
                if let Some(code) = code {
                    event = event.with_edge(code.name(&ctx.project), name.clone(), "ran");
                }
                tx.record(&ctx, event).await?;
                if run.status.is_terminal() {
                    tx.record(&ctx, finished(&run)).await?;
                }
                Ok(Some(run))
            }
            .boxed()
        })
        .await?;
    workflows.notify();
    Ok(started)
}

/// Moving an alias and changing a deployment needs the same right as by hand, whoever's pipeline does it.
pub(crate) fn authorize_actions(ctx: &Ctx, declared: &file::Pipeline) -> Result<()> {
    let Some(job) = declared.managing_job() else { return Ok(()) };
    ctx.authorize(Action::Manage).map_err(|error| {
        let why = format!("job `{}` changes a deployment or moves an alias", job.name.value);
        Error::new(error.code(), format!("{}: {why}", error.message()))
    })
}

/// Whoever started a run may cancel it. Others may when they may start it: it may wait for an approval or watch a canary, which is for those
/// to end who may begin it.
pub(super) fn authorize_cancel(ctx: &Ctx, declared: &file::Pipeline, run: &PipelineRun) -> Result<()> {
    if run.actor == ctx.actor { Ok(()) } else { authorize_actions(ctx, declared) }
}

fn new_run(ctx: &Ctx, pipeline: &Pipeline, params: BTreeMap<String, Value>, trigger: Trigger) -> PipelineRun {
    PipelineRun {
        id: PipelineRunId::generate(),
        project: ctx.project.clone(),
        pipeline: pipeline.name.clone(),
        number: 0,
        file_hash: pipeline.file_hash.clone(),
        code_id: pipeline.code_id.clone(),
        status: PipelineRunStatus::Running,
        trigger,
        params,
        concurrency_group: None,
        actor: ctx.actor.clone(),
        reason: String::new(),
        is_canceled: false,
        pins: BTreeMap::new(),
        created_at_ms: ctx.now_ms(),
        started_at_ms: None,
        ended_at_ms: None,
    }
}

/// Every parameter with its value; all that is wrong is in one message.
fn take_params(declared: &file::Pipeline, given: &BTreeMap<String, Value>) -> Result<BTreeMap<String, Value>> {
    let taken = file::resolve_params(declared, given)
        .map_err(|wrong| Error::invalid(format!("parameters: {}", wrong.join("; "))))?;
    Ok(taken.into_iter().map(|(name, value)| (name, value.to_json())).collect())
}

fn plan_jobs(declared: &file::Pipeline, run: &PipelineRun) -> Result<Vec<Job>> {
    let mut jobs = Vec::new();
    for job in &declared.jobs {
        for cell in file::expand(job) {
            let number = job.matrix.as_ref().map(|_| cell.index);
            let position = i64::try_from(jobs.len()).map_err(|_| Error::invalid("the pipeline has too many jobs"))?;
            jobs.push(Job {
                pipeline_run: run.id.clone(),
                key: JobKey::new(&job.name.value, number),
                name: job.name.value.clone(),
                cell: number,
                matrix: cell.values.iter().map(|(name, value)| (name.clone(), value.to_json())).collect(),
                position,
                status: JobStatus::Waiting,
                attempt: 0,
                attempts_before: 0,
                not_before_ms: 0,
                run_id: None,
                outcome: Outcome::default(),
                cache_key: None,
                cache_parts: None,
                cached_from: None,
                reason: String::new(),
                queue: job.queue.clone(),
                cpu_millis: millis(job),
                memory_bytes: memory_bytes(job),
                queued_at_ms: None,
                started_at_ms: None,
                ended_at_ms: None,
            });
        }
    }
    Ok(jobs)
}

/// Only commands take cores, and none takes nothing; what the server does itself takes none.
#[expect(clippy::cast_possible_truncation, reason = "the lint bounds the number of cores")]
fn millis(job: &file::Job) -> i64 {
    if job.command().is_some() { ((job.resources.cpu * 1_000.0).round() as i64).max(1) } else { 0 }
}

/// As with cores: what the server does itself takes none. A file of before may ask for some.
fn memory_bytes(job: &file::Job) -> i64 {
    let asked = job.resources.memory_bytes.filter(|_| job.command().is_some());
    asked.map_or(0, |bytes| i64::try_from(bytes).unwrap_or(i64::MAX))
}
