//! The end of an attempt: what it means for its job, and for those that wait for it.

use lathe_core::{Action, Ctx, Event, Kind, Name, Project, Result, RunId, TokenId};
use lathe_db::Tx;
use lathe_objects::Object;
use serde_json::json;

use super::{Attempt, Claim};
use crate::file::{self, RetryOn};
use crate::jobs::{Job, Outcome};
use crate::pipeline_runs::{self, PipelineRun, settle};
use crate::status::{AttemptStatus, JobStatus};
use crate::store::attempts::Ended;
use crate::{plan, store};

/// How an attempt ended.
#[derive(Debug, Clone)]
pub struct Finish {
    /// How.
    pub status: AttemptStatus,
    /// How its command ended.
    pub exit_code: Option<i64>,
    /// Why; empty when that is plain.
    pub reason: String,
    /// What it made.
    pub outcome: Outcome,
    /// What it printed.
    pub log: Option<Object>,
    /// The earlier job that stands for it, if it is not what ran.
    pub cached: Option<Box<Job>>,
}

impl Finish {
    /// It did what it should.
    pub fn succeeded(outcome: Outcome) -> Self {
        let (status, reason) = (AttemptStatus::Succeeded, String::new());
        Self { status, exit_code: None, reason, outcome, log: None, cached: None }
    }

    /// What an earlier job made stands for it.
    pub fn cached(made: Box<Job>) -> Self {
        Self { cached: Some(made.clone()), ..Self::succeeded(made.outcome) }
    }

    /// It ended otherwise.
    pub fn failed(reason: impl Into<String>) -> Self {
        Self { status: AttemptStatus::Failed, reason: reason.into(), ..Self::succeeded(Outcome::default()) }
    }
}

/// What came of ending an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// It has ended now. The run that it was, and that run's token, are to end with it.
    Ended {
        /// The run.
        run_id: Option<RunId>,
        /// The token.
        token_id: Option<TokenId>,
    },
    /// It had ended before.
    Before,
    /// It is not the holder's to end, and nothing that was made here counts.
    Elsewhere,
}

/// Ends an attempt and goes on from there, in a transaction of the caller's, who ends the attempt's run and its token in the same one, and
/// wakes the dispatcher once it is committed ([`crate::Workflows::notify`]).
///
/// # Errors
/// `PermissionDenied` for all but the server itself.
pub async fn finish_attempt_in(ctx: &Ctx, tx: &mut Tx, claim: &Claim, finish: &Finish) -> Result<Ending> {
    ctx.authorize(Action::Server)?;
    let ctx = &Ctx { project: claim.run.project.clone(), ..ctx.clone() };
    let (id, key) = (&claim.run.id, &claim.job.key);
    let mut run = store::runs::hold(tx, id).await?.ok_or_else(|| pipeline_runs::not_found(id))?;
    let now_ms = ctx.now_ms();
    let row = Ended { status: finish.status, exit_code: finish.exit_code, reason: &finish.reason, at_ms: now_ms };
    let Some((run_id, token_id)) = store::attempts::finish(tx, &claim.attempt, &row).await? else {
        let status = store::attempts::find_status(tx, &claim.attempt).await?;
        let has_ended = status.is_some_and(|status| status != AttemptStatus::Running);
        return Ok(if has_ended { Ending::Before } else { Ending::Elsewhere });
    };
    if let Some(log) = &finish.log {
        store::attempts::insert_log(tx, &claim.attempt, log.hash.as_str(), log.size_bytes).await?;
    }
    let mut job = store::jobs::find_in(tx, id, key).await?.ok_or_else(|| crate::jobs::not_found(id, key))?;
    let retry = claim.declaration().map(|job| job.retry.clone()).unwrap_or_default();
    conclude(&mut job, &claim.attempt, run_id.as_ref(), finish, &retry, run.is_to_end(), now_ms);
    if job.status == JobStatus::Succeeded
        && let Some(cache_key) = &job.cache_key
    {
        store::cache::upsert(tx, &ctx.project, cache_key, id, key, now_ms).await?;
    }
    tx.record(ctx, finished(&job, &claim.attempt, finish, run_id.is_some(), &ctx.project)).await?;
    match &claim.declared {
        Some(declared) if lets_others_move(tx, declared, &run, &job).await? => {
            let mut jobs = store::jobs::list_in(tx, id).await?;
            let before = jobs.clone();
            jobs.iter_mut().filter(|one| one.key == *key).for_each(|one| one.clone_from(&job));
            settle(ctx, tx, declared, &mut run, &mut jobs, &before).await?;
        }
        _ => store::jobs::update(tx, &job).await?,
    }
    Ok(Ending::Ended { run_id, token_id })
}

/// Whether what became of a job may move others or end its run. Everything that could move before has moved, so that a run of many cells is
/// not read as a whole at the end of each.
async fn lets_others_move(tx: &mut Tx, declared: &file::Pipeline, run: &PipelineRun, job: &Job) -> Result<bool> {
    if run.is_canceled {
        return Ok(true);
    }
    if !job.status.is_terminal() || store::jobs::has_unended(tx, job, Some(&job.name)).await? {
        return Ok(false);
    }
    Ok(plan::is_needed(declared, &job.name) || !store::jobs::has_unended(tx, job, None).await?)
}

fn finished(job: &Job, attempt: &Attempt, finish: &Finish, had_run: bool, project: &Project) -> Event {
    let detail = json!({
        "attempt": attempt.attempt, "status": job.status.as_str(), "exit_code": finish.exit_code,
        "reason": job.reason, "cached_from": job.cached_from,
    });
    let name = job.key.name(project, &job.pipeline_run);
    let mut event = Event::new("job.finished", name.clone(), detail);
    if !had_run {
        // Without a run of its own, nothing has said yet where it belongs.
        let pipeline_run = Name::new(project, Kind::PipelineRun, &job.pipeline_run);
        event = event.with_edge(pipeline_run, name.clone(), "step");
    }
    if let Some(source) = finish.cached.as_ref().and_then(|made| made.run_id.as_ref()) {
        event = event.with_edge(Name::new(project, Kind::Run, source), name, "cached");
    }
    event
}

/// What an ended attempt means for its job: done, tried again later, or failed.
fn conclude(
    job: &mut Job,
    attempt: &Attempt,
    run_id: Option<&RunId>,
    finish: &Finish,
    retry: &file::Retry,
    is_to_end: bool,
    now_ms: i64,
) {
    if finish.status == AttemptStatus::Succeeded {
        job.outcome = finish.outcome.clone();
        let made = finish.cached.as_deref();
        job.run_id = made.map_or_else(|| run_id.cloned(), |made| made.run_id.clone());
        job.cached_from = made.map(|made| format!("{}/{}", made.pipeline_run, made.key));
        let status = if made.is_some() { JobStatus::Cached } else { JobStatus::Succeeded };
        let reason = std::mem::take(&mut job.reason);
        job.end(status, reason, now_ms);
        return;
    }
    // What it logged until then is in its run.
    job.run_id = run_id.cloned();
    if is_to_end || finish.status == AttemptStatus::Canceled {
        job.end(JobStatus::Canceled, "", now_ms);
        return;
    }
    let applies = retry.on.iter().any(|on| match on {
        RetryOn::Lost => finish.status == AttemptStatus::Lost,
        RetryOn::Failed => finish.status == AttemptStatus::Failed,
        RetryOn::Exit(code) => finish.exit_code == Some(i64::from(*code)),
    });
    // A retry by hand begins a new count.
    let failed = job.attempt - job.attempts_before;
    if !applies || failed > i64::from(retry.max) {
        job.end(JobStatus::Failed, finish.reason.clone(), now_ms);
        return;
    }
    let failed = u32::try_from(failed).unwrap_or(u32::MAX);
    let wait_ms = i64::try_from(retry.wait(failed).as_millis()).unwrap_or(i64::MAX);
    job.status = JobStatus::Queued;
    job.not_before_ms = now_ms.saturating_add(wait_ms);
    job.reason = format!("attempt {} {}: {}", attempt.attempt, finish.status.as_str(), finish.reason);
}
