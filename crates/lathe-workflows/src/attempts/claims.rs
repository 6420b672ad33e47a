//! How attempts get their holder: jobs are claimed, and attempts that nobody attends any more are adopted.

use std::collections::BTreeMap;
use std::sync::Arc;

use lathe_core::{Action, Ctx, Error, PipelineRunId, Result};
use lathe_db::{FutureExt as _, Tx};

use super::{Attempt, Claim};
use crate::file::{self, Context};
use crate::jobs::Job;
use crate::pipeline_runs::PipelineRun;
use crate::status::{AttemptStatus, JobStatus};
use crate::store::jobs::{Ready, Takes};
use crate::{Capacity, JobKey, Workflows, pipeline_runs, pipelines, plan, store};

/// What a look at all jobs, or at all attempts, found to be attended.
#[derive(Debug, Default)]
pub struct Found {
    /// What is the holder's now.
    pub claims: Vec<Claim>,
    /// Runs that were passed over, and why: what is wrong is theirs alone.
    pub passed_over: Vec<(PipelineRunId, Error)>,
}

impl Found {
    /// What is taken must be attended, whatever became of the next one.
    fn or(self, error: Error) -> Result<Self> {
        if self.claims.is_empty() {
            return Err(error);
        }
        tracing::warn!(error = %error.log_line(), "not every job that could be at work is");
        Ok(self)
    }
}

/// Takes jobs whose time has come, in the order of runs and of jobs in them: up to `limit` that take no cores, and as many that fit beside
/// what is at work. Those that never fit fail.
///
/// # Errors
/// `PermissionDenied` for all but the server itself.
pub async fn claim_jobs(ctx: &Ctx, workflows: &Workflows, holder: &str, lease_ms: i64, limit: usize) -> Result<Found> {
    ctx.authorize(Action::Server)?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let list = |takes| store::jobs::list_ready(&workflows.db, takes, ctx.now_ms(), limit);
    // What takes no cores waits for nothing that does.
    let (mut taken, commands) = (list(Takes::Nothing).await?, list(Takes::Cores).await?);
    let capacity = workflows.capacity();
    let (commands, too_large): (Vec<Ready>, Vec<Ready>) =
        commands.into_iter().partition(|job| capacity.fits(job.cpu_millis, job.memory_bytes));
    if !commands.is_empty() {
        taken.extend(fitting(workflows, commands).await?);
    }
    let mut found = Found::default();
    for (run, jobs) in by_run(too_large) {
        if let Err(error) = fail_too_large(ctx, workflows, &run, jobs).await {
            match pass_over(ctx, workflows, &run, error).await {
                Ok(error) => found.passed_over.push((run, error)),
                Err(error) => return found.or(error),
            }
        }
    }
    for (run, jobs) in by_run(taken) {
        match claim_in_run(ctx, workflows, &run, jobs, holder, lease_ms).await {
            Ok(claimed) => found.claims.extend(claimed),
            Err(error) => match pass_over(ctx, workflows, &run, error).await {
                Ok(error) => found.passed_over.push((run, error)),
                Err(error) => return found.or(error),
            },
        }
    }
    Ok(found)
}

fn by_run(jobs: Vec<Ready>) -> BTreeMap<PipelineRunId, Vec<Ready>> {
    let mut runs: BTreeMap<PipelineRunId, Vec<Ready>> = BTreeMap::new();
    for job in jobs {
        runs.entry(job.pipeline_run.clone()).or_default().push(job);
    }
    runs
}

/// The first jobs that fit beside what is at work.
async fn fitting(workflows: &Workflows, jobs: Vec<Ready>) -> Result<Vec<Ready>> {
    let mut free = workflows.capacity();
    for attempt in store::attempts::list_live(&workflows.db).await? {
        free.cpu_millis -= attempt.cpu_millis;
        free.memory_bytes -= attempt.memory_bytes;
    }
    // Attempts may have begun when the server gave more: a job that claims no memory needs none to be free.
    free.memory_bytes = free.memory_bytes.max(0);
    let fits = |job: &Ready| {
        let fits = free.fits(job.cpu_millis, job.memory_bytes);
        if fits {
            free = Capacity {
                cpu_millis: free.cpu_millis - job.cpu_millis,
                memory_bytes: free.memory_bytes - job.memory_bytes,
            };
        }
        fits
    };
    // The ones behind one that does not fit wait, too: otherwise a large job would never find room.
    Ok(jobs.into_iter().take_while(fits).collect())
}

/// Fails jobs that ask for more than the server gives, as after it was started with less: they would wait forever, and all behind them.
async fn fail_too_large(ctx: &Ctx, workflows: &Workflows, id: &PipelineRunId, ready: Vec<Ready>) -> Result<()> {
    let Some(run) = store::runs::find(&workflows.db, id).await? else { return Ok(()) };
    let declared = pipelines::load(workflows, &run.project, &run.file_hash).await?;
    let (ctx, id) = (Ctx { project: run.project, ..ctx.clone() }, id.clone());
    let capacity = workflows.capacity();
    let failed = workflows.db.write(move |tx| {
        async move {
            let Some(mut run) = store::runs::hold(tx, &id).await? else { return Ok(()) };
            let mut jobs = store::jobs::list_in(tx, &id).await?;
            let before = jobs.clone();
            let is_meant =
                |job: &Job| job.status == JobStatus::Queued && ready.iter().any(|ready| ready.key == job.key);
            for job in jobs.iter_mut().filter(|job| is_meant(job)) {
                if let Some(why) = capacity.refusal(job) {
                    tracing::warn!(run = %id, job = %job.key, "{why}");
                    job.end(JobStatus::Failed, why, ctx.now_ms());
                }
            }
            pipeline_runs::settle(&ctx, tx, &declared, &mut run, &mut jobs, &before).await
        }
        .boxed()
    });
    failed.await?;
    // What needed them may move now.
    workflows.notify();
    Ok(())
}

/// Leaves out what cannot be taken because of itself, and answers why; ends its run when that is because its file cannot be read.
async fn pass_over(ctx: &Ctx, workflows: &Workflows, id: &PipelineRunId, error: Error) -> Result<Error> {
    if error.code().is_transient() {
        return Err(error);
    }
    let Some(run) = store::runs::find(&workflows.db, id).await? else { return Ok(error) };
    match pipelines::load(workflows, &run.project, &run.file_hash).await {
        Ok(_) => Ok(error),
        Err(error) if error.code().is_transient() => Err(error),
        Err(unreadable) => pipeline_runs::end_unreadable(ctx, workflows, id, &unreadable).await.map(|_| error),
    }
}

/// Takes jobs of a run. What can fail because of the run is read before anything is taken, and what the jobs before made is final by then.
async fn claim_in_run(
    ctx: &Ctx,
    workflows: &Workflows,
    id: &PipelineRunId,
    jobs: Vec<Ready>,
    holder: &str,
    lease_ms: i64,
) -> Result<Vec<Claim>> {
    let Some(run) = store::runs::find(&workflows.db, id).await? else { return Ok(Vec::new()) };
    let declared = pipelines::load(workflows, &run.project, &run.file_hash).await?;
    let names = jobs.iter().flat_map(|job| plan::before(&declared, &job.name)).collect();
    let before = store::jobs::list_named(&workflows.db, id, names).await?;
    let keys = jobs.into_iter().map(|job| job.key).collect();
    let (ctx, id, holder) = (ctx.clone(), id.clone(), holder.to_owned());
    let claimed = workflows
        .db
        .write_brief(move |tx| async move { claim(&ctx, tx, &id, keys, &holder, lease_ms).await }.boxed())
        .await?;
    Ok(claimed.into_iter().map(|(run, job, attempt)| assemble(&declared, run, &before, job, attempt)).collect())
}

/// The attempts' rows are written before anything is started for them: what is started can always be found again.
async fn claim(
    ctx: &Ctx,
    tx: &mut Tx,
    run: &PipelineRunId,
    keys: Vec<JobKey>,
    holder: &str,
    lease_ms: i64,
) -> Result<Vec<(PipelineRun, Job, Attempt)>> {
    let mut claimed = Vec::new();
    let Some(run) = store::runs::hold(tx, run).await?.filter(|run| !run.is_canceled) else { return Ok(claimed) };
    let now_ms = ctx.now_ms();
    for key in keys {
        let Some(mut job) = store::jobs::find_in(tx, &run.id, &key).await? else { continue };
        if job.status != JobStatus::Queued {
            continue;
        }
        job.attempt += 1;
        (job.status, job.started_at_ms) = (JobStatus::Running, Some(now_ms));
        job.reason.clear();
        let attempt = Attempt {
            pipeline_run: run.id.clone(),
            job: key,
            attempt: job.attempt,
            fence: 1,
            status: AttemptStatus::Running,
            holder: holder.to_owned(),
            lease_until_ms: now_ms + lease_ms,
            run_id: None,
            token_id: None,
            cpu_millis: job.cpu_millis,
            memory_bytes: job.memory_bytes,
            exit_code: None,
            reason: String::new(),
            started_at_ms: now_ms,
            ended_at_ms: None,
        };
        store::jobs::update(tx, &job).await?;
        store::attempts::insert(tx, &attempt).await?;
        claimed.push((run.clone(), job, attempt));
    }
    Ok(claimed)
}

fn assemble(declared: &Arc<file::Pipeline>, run: PipelineRun, before: &[Job], job: Job, attempt: Attempt) -> Claim {
    let context = plan::context(declared, &run, before, &job);
    Claim { attempt, run, job, declared: Some(Arc::clone(declared)), context }
}

/// Takes over the attempts whose leases ran out, with a new fence: those of other holders, and those of this one that it does not
/// attend any more, because what attended them failed. Those of a run whose file cannot be read any more are taken over, too, to be ended.
///
/// # Errors
/// `PermissionDenied` for all but the server itself.
pub async fn adopt_attempts(
    ctx: &Ctx,
    workflows: &Workflows,
    holder: &str,
    lease_ms: i64,
    is_attended: impl Fn(&Attempt) -> bool,
) -> Result<Found> {
    ctx.authorize(Action::Server)?;
    let mut found = Found::default();
    for attempt in store::attempts::list_live(&workflows.db).await? {
        if attempt.lease_until_ms > ctx.now_ms() || is_attended(&attempt) {
            continue;
        }
        let run = attempt.pipeline_run.clone();
        match adopt(ctx, workflows, attempt, holder, lease_ms).await {
            Ok(claim) => found.claims.extend(claim),
            Err(error) => match pass_over(ctx, workflows, &run, error).await {
                Ok(error) => found.passed_over.push((run, error)),
                Err(error) => return found.or(error),
            },
        }
    }
    Ok(found)
}

async fn adopt(
    ctx: &Ctx,
    workflows: &Workflows,
    mut attempt: Attempt,
    holder: &str,
    lease_ms: i64,
) -> Result<Option<Claim>> {
    let Some(run) = store::runs::find(&workflows.db, &attempt.pipeline_run).await? else { return Ok(None) };
    let Some(job) = store::jobs::find(&workflows.db, &run.id, &attempt.job).await? else {
        return Err(Error::internal(format!("attempt of the unknown job `{}`", attempt.job)));
    };
    let declared = match pipelines::load(workflows, &run.project, &run.file_hash).await {
        Ok(declared) => Some(declared),
        Err(error) if error.code().is_transient() => return Err(error),
        Err(error) => {
            pipeline_runs::end_unreadable(ctx, workflows, &run.id, &error).await?;
            None
        }
    };
    let names = declared.as_ref().map(|declared| plan::before(declared, &job.name)).unwrap_or_default();
    let before = store::jobs::list_named(&workflows.db, &run.id, names).await?;
    let (old, holder, until_ms) = (attempt.clone(), holder.to_owned(), ctx.now_ms() + lease_ms);
    let taken = workflows.db.write(move |tx| {
        async move {
            let fence = store::attempts::adopt(tx, &old, &holder, until_ms).await?;
            Ok(fence.map(|fence| (fence, holder, until_ms)))
        }
        .boxed()
    });
    let Some((fence, holder, until_ms)) = taken.await? else { return Ok(None) };
    (attempt.fence, attempt.holder, attempt.lease_until_ms) = (fence, holder, until_ms);
    Ok(Some(match declared {
        Some(declared) => assemble(&declared, run, &before, job, attempt),
        None => Claim { attempt, run, job, declared: None, context: Context::default() },
    }))
}
