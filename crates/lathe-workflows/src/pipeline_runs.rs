//! Runs of pipelines: started, listed, canceled, tried again.

use std::collections::{BTreeMap, BTreeSet};

use lathe_core::{Action, Actor, Ctx, Error, Event, Kind, Name, Page, PageToken, PipelineRunId, Project, Result};
use lathe_db::{FutureExt as _, Tx};
use serde_json::{Value, json};

use crate::file::{self, OnConflict};
use crate::jobs::{Job, Outcome};
use crate::pipelines::{self, Pipeline, overread, page_size};
use crate::status::{JobStatus, PipelineRunStatus};
use crate::{JobKey, PipelineName, Workflows, plan, store};

/// The kind of trigger of what a person or a program asks for.
const MANUAL: &str = "manual";

/// A run of a pipeline.
#[derive(Debug, Clone, PartialEq)]
pub struct PipelineRun {
    /// Its id.
    pub id: PipelineRunId,
    /// The project it belongs to.
    pub project: Project,
    /// Whose run it is.
    pub pipeline: PipelineName,
    /// Which of the pipeline's runs it is, from 1.
    pub number: i64,
    /// The file it runs.
    pub file_hash: String,
    /// The code it runs.
    pub code_id: Option<String>,
    /// How far it is.
    pub status: PipelineRunStatus,
    /// What started it.
    pub trigger: Trigger,
    /// What it was asked for, defaults filled in.
    pub params: BTreeMap<String, Value>,
    /// Runs of the same group are at work one after the other.
    pub concurrency_group: Option<String>,
    /// Who started it.
    pub actor: Actor,
    /// Why it is as it is; empty when that is plain.
    pub reason: String,
    /// Whether it was told to end.
    pub is_canceled: bool,
    /// Which commit each ref (`repository@ref`) is to all its jobs.
    pub pins: BTreeMap<String, String>,
    /// When it was asked for, in milliseconds since 1970.
    pub created_at_ms: i64,
    /// When its first jobs became ready.
    pub started_at_ms: Option<i64>,
    /// When it ended.
    pub ended_at_ms: Option<i64>,
}

impl PipelineRun {
    /// Whether what is at work in it is to be ended: it was told to end, or ended without waiting for that.
    pub(crate) fn is_to_end(&self) -> bool {
        self.is_canceled || self.status.is_terminal()
    }
}

/// What started a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Trigger {
    /// `manual`, `schedule`, `data_commit`, `model_alias` or `drift_alert`.
    pub kind: String,
    /// What that kind tells: `commit`, `repository`, `branch`, `model`, `alias`, `version`, `deployment`, `severity`, …
    pub detail: BTreeMap<String, Value>,
}

impl Trigger {
    /// A person or a program asks.
    pub fn manual() -> Self {
        Self { kind: MANUAL.to_owned(), detail: BTreeMap::new() }
    }
}

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

/// Which runs to list.
#[derive(Debug, Clone, Default)]
pub struct ListPipelineRuns {
    /// Of this pipeline only.
    pub pipeline: Option<PipelineName>,
    /// In this state only.
    pub status: Option<PipelineRunStatus>,
    /// The ones of this number only.
    pub number: Option<i64>,
    /// The previous page's token.
    pub page_token: Option<String>,
    /// 1-1,000.
    pub max_results: usize,
}

/// Starts a run of the pipeline's newest file and code. `None` when its cause has started it before.
///
/// # Errors
/// `NotFound` for the pipeline, `InvalidArgument` for parameters that it does not take, for what no trigger has, and for jobs that no
/// machine here can run, `Conflict` when another run of its group is at work and the file says `skip`.
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
    let moves = |action: &file::Action| match action {
        file::Action::SetAlias(_) | file::Action::Deploy(_) => true,
        file::Action::RegisterModel(register) => register.alias.is_some(),
        file::Action::Run(_) | file::Action::Approval(_) => false,
    };
    let Some(job) = declared.jobs.iter().find(|job| job.actions.iter().any(moves)) else { return Ok(()) };
    ctx.authorize(Action::Manage).map_err(|error| {
        let why = format!("job `{}` changes a deployment or moves an alias", job.name.value);
        Error::new(error.code(), format!("{}: {why}", error.message()))
    })
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

fn group_of(declared: &file::Pipeline, run: &PipelineRun) -> Result<Option<String>> {
    let Some(concurrency) = &declared.concurrency else { return Ok(None) };
    let context = plan::run_context(run);
    concurrency.group.evaluate(&context).map(Some).map_err(|error| Error::invalid(error.to_string()))
}

/// Keeps the other runs of a group from joining it or moving on in it until the transaction ends. Held before any run is: who
/// holds a run waits for no group.
async fn hold_group(tx: &mut Tx, run: &PipelineRun) -> Result<()> {
    match &run.concurrency_group {
        Some(group) => tx.hold(&format!("concurrency group {group} of {}", run.project)).await,
        None => Ok(()),
    }
}

/// Waits behind the group's other runs, cancels them, or does not start. The group is held.
async fn join_group(ctx: &Ctx, tx: &mut Tx, declared: &file::Pipeline, run: &mut PipelineRun) -> Result<()> {
    let (Some(group), Some(concurrency)) = (run.concurrency_group.clone(), &declared.concurrency) else {
        return Ok(());
    };
    let others = store::runs::list_group(tx, run, &group).await?;
    if others.is_empty() {
        return Ok(());
    }
    match concurrency.on_conflict {
        OnConflict::Queue => {}
        OnConflict::Skip => {
            return Err(Error::conflict(format!(
                "another run of the group `{group}` is at work, and the file says to skip"
            )));
        }
        OnConflict::CancelRunning => {
            for other in others {
                // As it is now: one that has ended meanwhile stays as it ended.
                let other = store::runs::hold(tx, &other.id).await?;
                let Some(mut other) = other.filter(|other| !other.status.is_terminal()) else { continue };
                other.is_canceled = true;
                other.reason = format!("run {} of `{}` took its place", run.number, run.pipeline);
                store::runs::update(tx, &other).await?;
                let name = Name::new(&ctx.project, Kind::PipelineRun, &other.id);
                tx.record(ctx, Event::new("pipeline_run.cancel_asked", name, json!({ "by": run.id.as_str() }))).await?;
            }
        }
    }
    // The dispatcher starts it once the others have ended.
    run.status = PipelineRunStatus::Queued;
    Ok(())
}

pub(crate) fn finished(run: &PipelineRun) -> Event {
    let name = Name::new(&run.project, Kind::PipelineRun, &run.id);
    let detail = json!({ "pipeline": run.pipeline.as_str(), "number": run.number, "status": run.status.as_str() });
    Event::new("pipeline_run.finished", name, detail)
}

/// A run.
///
/// # Errors
/// `NotFound`.
pub async fn get_pipeline_run(ctx: &Ctx, workflows: &Workflows, id: &PipelineRunId) -> Result<PipelineRun> {
    ctx.authorize(Action::Read)?;
    let found = store::runs::find(&workflows.db, id).await?;
    found.filter(|run| run.project == ctx.project).ok_or_else(|| not_found(id))
}

pub(crate) fn not_found(id: &PipelineRunId) -> Error {
    Error::not_found(format!("pipeline run {id} does not exist")).with_hint("lathe pipeline list")
}

/// Runs of the project, newest first.
///
/// # Errors
/// `InvalidArgument` for a bad page.
pub async fn list_pipeline_runs(
    ctx: &Ctx,
    workflows: &Workflows,
    request: &ListPipelineRuns,
) -> Result<Page<PipelineRun>> {
    ctx.authorize(Action::Read)?;
    let limit = page_size(request.max_results)?;
    let query =
        format!("pipeline runs {} {:?} {:?} {:?}", ctx.project, request.pipeline, request.status, request.number);
    let token = PageToken::read(request.page_token.as_deref(), &query)?;
    let rows = store::runs::list(&workflows.db, &ctx.project, request, token.offset_sql(), overread(limit)).await?;
    Ok(Page::from_overread(rows, &token, limit))
}

/// Asks a run to end: what waits is canceled now, what runs is told to end.
///
/// # Errors
/// `PermissionDenied` for whoever neither started it nor may start it; `NotFound`; `Conflict` when it has ended.
pub async fn cancel_pipeline_run(ctx: &Ctx, workflows: &Workflows, id: &PipelineRunId) -> Result<PipelineRun> {
    ctx.authorize(Action::Write)?;
    change(ctx, workflows, id, |ctx, declared, run, _jobs| {
        if run.actor != ctx.actor {
            // It may wait for an approval or watch a canary, which is for those to end who may begin it.
            authorize_actions(ctx, declared)?;
        }
        if run.status.is_terminal() {
            return Err(Error::conflict(format!("run {} of `{}` has ended already", run.number, run.pipeline)));
        }
        run.is_canceled = true;
        run.reason = format!("canceled by {}", ctx.actor.name);
        if run.status == PipelineRunStatus::Queued {
            // It holds nothing: its jobs are canceled like those of a running one.
            run.status = PipelineRunStatus::Running;
        }
        Ok("pipeline_run.cancel_asked")
    })
    .await
}

/// Tries again what failed in a run or was canceled, and whatever needs that: what was left out because of it, and what was done because it
/// failed, such as a rollback. What else succeeded stays, and so does what its own condition left out. The run joins its group anew.
///
/// # Errors
/// `PermissionDenied` for whoever may not do by hand what its jobs do; `NotFound`; `InvalidArgument` for jobs that no machine here can run;
/// `Conflict` while it goes on, when nothing failed, and when another run of its group is at work and the file says `skip`.
pub async fn retry_pipeline_run(ctx: &Ctx, workflows: &Workflows, id: &PipelineRunId) -> Result<PipelineRun> {
    ctx.authorize(Action::Write)?;
    let capacity = workflows.capacity();
    change(ctx, workflows, id, move |ctx, declared, run, jobs| {
        // They act as whoever started the run; who tries them again needs the right, too.
        authorize_actions(ctx, declared)?;
        if !run.status.is_terminal() {
            return Err(Error::conflict(format!("run {} of `{}` has not ended yet", run.number, run.pipeline)));
        }
        // A run whose file could not be read has ended before what is at work in it.
        if jobs.iter().any(|job| job.status == JobStatus::Running) {
            return Err(Error::conflict(format!(
                "jobs of run {} of `{}` are still being ended",
                run.number, run.pipeline
            )));
        }
        if run.status == PipelineRunStatus::Succeeded {
            return Err(Error::conflict(format!("nothing failed in run {} of `{}`", run.number, run.pipeline)));
        }
        (run.status, run.is_canceled, run.ended_at_ms) = (PipelineRunStatus::Running, false, None);
        run.reason.clear();
        let has_failed = |job: &Job| matches!(job.status, JobStatus::Failed | JobStatus::Canceled);
        let failed: BTreeSet<String> = jobs.iter().filter(|job| has_failed(job)).map(|job| job.name.clone()).collect();
        let needs_one = |name: &str| plan::before(declared, name).iter().any(|need| failed.contains(*need));
        for job in jobs.iter_mut().filter(|job| has_failed(job) || needs_one(&job.name)) {
            job.begin_anew();
        }
        // The server may give its jobs less than it did when the run started.
        capacity.check(jobs.iter().filter(|job| job.status == JobStatus::Waiting))?;
        Ok("pipeline_run.retried")
    })
    .await
}

/// Changes a run and its jobs, and goes on from there, in one transaction. A run that had ended and goes on joins its group anew.
async fn change(
    ctx: &Ctx,
    workflows: &Workflows,
    id: &PipelineRunId,
    edit: impl FnOnce(&Ctx, &file::Pipeline, &mut PipelineRun, &mut [Job]) -> Result<&'static str> + Send + 'static,
) -> Result<PipelineRun> {
    let run = get_pipeline_run(ctx, workflows, id).await?;
    let declared = pipelines::load(workflows, &ctx.project, &run.file_hash).await?;
    let (ctx, id) = (ctx.clone(), id.clone());
    let changed = workflows
        .db
        .write(move |tx| {
            async move {
                hold_group(tx, &run).await?;
                let mut run = store::runs::hold(tx, &id).await?.ok_or_else(|| not_found(&id))?;
                let mut jobs = store::jobs::list_in(tx, &id).await?;
                let (had_ended, before) = (run.status.is_terminal(), jobs.clone());
                let action = edit(&ctx, &declared, &mut run, &mut jobs)?;
                if had_ended && !run.status.is_terminal() {
                    join_group(&ctx, tx, &declared, &mut run).await?;
                }
                for (job, old) in jobs.iter().zip(&before) {
                    if job.status == JobStatus::Waiting && old.status != JobStatus::Waiting {
                        store::approvals::delete(tx, &id, &job.key).await?;
                    }
                }
                let name = Name::new(&ctx.project, Kind::PipelineRun, &id);
                tx.record(&ctx, Event::new(action, name, json!({ "number": run.number }))).await?;
                settle(&ctx, tx, &declared, &mut run, &mut jobs, &before).await?;
                Ok(run)
            }
            .boxed()
        })
        .await?;
    workflows.notify();
    Ok(changed)
}

/// Goes on from changed jobs: moves what can move, and stores the run and every job that differs from `before`.
pub(crate) async fn settle(
    ctx: &Ctx,
    tx: &mut Tx,
    declared: &file::Pipeline,
    run: &mut PipelineRun,
    jobs: &mut [Job],
    before: &[Job],
) -> Result<()> {
    let was_ended = run.status.is_terminal();
    plan::advance(declared, run, jobs, ctx.now_ms());
    for (job, _) in jobs.iter().zip(before).filter(|(job, old)| job != old) {
        store::jobs::update(tx, job).await?;
    }
    store::runs::update(tx, run).await?;
    if !was_ended && run.status.is_terminal() {
        tx.record(ctx, finished(run)).await?;
    }
    Ok(())
}

/// Every run of every project that has not ended, oldest first: what a dispatcher looks after.
///
/// # Errors
/// `PermissionDenied` for all but the server itself.
pub async fn list_live(ctx: &Ctx, workflows: &Workflows) -> Result<Vec<PipelineRun>> {
    ctx.authorize(Action::Server)?;
    store::runs::list_live(&workflows.db).await
}

/// Starts a run that waited for its group, and ends one that was canceled meanwhile; answers whether anything changed.
///
/// # Errors
/// `PermissionDenied` for all but the server itself.
pub async fn move_on(ctx: &Ctx, workflows: &Workflows, run: &PipelineRun) -> Result<bool> {
    ctx.authorize(Action::Server)?;
    let declared = match pipelines::load(workflows, &run.project, &run.file_hash).await {
        Ok(declared) => declared,
        Err(error) if error.code().is_transient() => return Err(error),
        Err(error) => return end_unreadable(ctx, workflows, &run.id, &error).await,
    };
    let (ctx, run) = (Ctx { project: run.project.clone(), ..ctx.clone() }, run.clone());
    workflows
        .db
        .write(move |tx| {
            async move {
                hold_group(tx, &run).await?;
                let Some(mut run) = store::runs::hold(tx, &run.id).await? else { return Ok(false) };
                let mut jobs = store::jobs::list_in(tx, &run.id).await?;
                let before = (run.clone(), jobs.clone());
                if run.status == PipelineRunStatus::Queued {
                    let group = run.concurrency_group.clone().unwrap_or_default();
                    let others = store::runs::list_group(tx, &run, &group).await?;
                    let is_first = others.iter().all(|other| {
                        other.status == PipelineRunStatus::Queued
                            && (other.created_at_ms, other.id.as_str()) > (run.created_at_ms, run.id.as_str())
                    });
                    if !is_first && !run.is_canceled {
                        return Ok(false);
                    }
                    run.status = PipelineRunStatus::Running;
                    // One that is tried again has begun before.
                    run.started_at_ms.get_or_insert(ctx.now_ms());
                }
                settle(&ctx, tx, &declared, &mut run, &mut jobs, &before.1).await?;
                Ok((run, jobs) != before)
            }
            .boxed()
        })
        .await
}

/// Ends a run whose file cannot be read: nobody can say what comes next in it. Jobs that are at work are ended by whoever attends them,
/// with their processes, runs and tokens. Answers whether anything changed.
pub(crate) async fn end_unreadable(
    ctx: &Ctx,
    workflows: &Workflows,
    id: &PipelineRunId,
    error: &Error,
) -> Result<bool> {
    let reason = format!("its file cannot be read: {}", error.message());
    let (ctx, run_id) = (ctx.clone(), id.clone());
    let ended = workflows.db.write(move |tx| {
        async move {
            let Some(mut run) = store::runs::hold(tx, &run_id).await? else { return Ok(false) };
            if run.status.is_terminal() {
                return Ok(false);
            }
            let now_ms = ctx.now_ms();
            let is_waiting = |job: &Job| !job.status.is_terminal() && job.status != JobStatus::Running;
            for mut job in store::jobs::list_in(tx, &run_id).await?.into_iter().filter(is_waiting) {
                job.end(JobStatus::Canceled, "", now_ms);
                store::jobs::update(tx, &job).await?;
            }
            (run.status, run.reason, run.ended_at_ms) = (PipelineRunStatus::Failed, reason, Some(now_ms));
            store::runs::update(tx, &run).await?;
            tx.record(&Ctx { project: run.project.clone(), ..ctx }, finished(&run)).await?;
            Ok(true)
        }
        .boxed()
    });
    let ended = ended.await?;
    if ended {
        tracing::warn!(run = %id, error = %error.log_line(), "a pipeline run ends: its file cannot be read");
    }
    Ok(ended)
}

/// Says which commit a ref is to all jobs of a run; the first to say decides. Answers what holds.
///
/// # Errors
/// `PermissionDenied` for all but the server itself, `NotFound` for the run.
pub async fn pin(
    ctx: &Ctx,
    workflows: &Workflows,
    id: &PipelineRunId,
    named: String,
    commit: String,
) -> Result<String> {
    ctx.authorize(Action::Server)?;
    let id = id.clone();
    workflows
        .db
        .write(move |tx| {
            async move {
                let mut run = store::runs::hold(tx, &id).await?.ok_or_else(|| not_found(&id))?;
                let held = run.pins.entry(named).or_insert(commit).clone();
                store::runs::update(tx, &run).await?;
                Ok(held)
            }
            .boxed()
        })
        .await
}
