//! Runs of pipelines: started, listed, canceled, tried again.

mod groups;
mod progress;
mod start;

use std::collections::{BTreeMap, BTreeSet};

use lathe_core::{Action, Actor, Ctx, Error, Event, Kind, Name, Page, PageToken, PipelineRunId, Project, Result};
use lathe_db::FutureExt as _;
use serde_json::{Value, json};

use self::groups::{hold_group, join_group};
use self::start::authorize_cancel;
use crate::jobs::Job;
use crate::pipelines::{self, overread, page_size};
use crate::status::{JobStatus, PipelineRunStatus};
use crate::{PipelineName, Workflows, file, plan, store};

pub(crate) use progress::{end_unreadable, settle};
pub use progress::{list_live, move_on};
pub(crate) use start::authorize_actions;
pub use start::{StartPipelineRun, start_pipeline_run};

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
        authorize_cancel(ctx, declared, run)?;
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
/// `PermissionDenied` for whoever may not do by hand what its jobs do, or may not cancel what its group says to cancel; `NotFound`; `InvalidArgument` for jobs that no machine here can run;
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
