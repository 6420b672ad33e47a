//! Tries of jobs: claimed under a lease, attended, ended once.
//!
//! Each attempt has one holder at a time, and a fence that grows with each holder. Whoever changes an attempt names both; a
//! holder that lost it changes nothing. What an attempt made counts when [`finish_attempt_in`] stores it, in one transaction
//! with what comes next, so that a job's outputs are published once, however often it ran.

mod finish;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use lathe_core::{Action, Ctx, Error, Event, Kind, Name, PipelineRunId, Result, RunId, TokenId};
use lathe_db::{FutureExt as _, Tx};
use serde_json::json;

use crate::file::{self, CacheParts, Context};
use crate::jobs::Job;
use crate::pipeline_runs::PipelineRun;
use crate::status::{AttemptStatus, JobStatus};
use crate::store::jobs::Ready;
use crate::{JobKey, Workflows, pipeline_runs, pipelines, plan, store};

pub use finish::{Ending, Finish, finish_attempt_in};

/// A try of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The run.
    pub pipeline_run: PipelineRunId,
    /// The job.
    pub job: JobKey,
    /// Which try, from 1.
    pub attempt: i64,
    /// Grows with each holder.
    pub fence: i64,
    /// How far it is.
    pub status: AttemptStatus,
    /// Who attends it.
    pub holder: String,
    /// Until when it is the holder's, in milliseconds since 1970.
    pub lease_until_ms: i64,
    /// The run that it is, once that is made.
    pub run_id: Option<RunId>,
    /// The token that is that run's.
    pub token_id: Option<TokenId>,
    /// Thousandths of a core that it takes.
    pub cpu_millis: i64,
    /// Bytes of memory that it takes.
    pub memory_bytes: i64,
    /// How its command ended.
    pub exit_code: Option<i64>,
    /// Why it ended so; empty when that is plain.
    pub reason: String,
    /// When it began, in milliseconds since 1970.
    pub started_at_ms: i64,
    /// When it ended.
    pub ended_at_ms: Option<i64>,
}

/// An attempt with all that is needed to do it.
#[derive(Debug, Clone)]
pub struct Claim {
    /// The attempt.
    pub attempt: Attempt,
    /// The run it belongs to.
    pub run: PipelineRun,
    /// The job.
    pub job: Job,
    /// What the file says; `None` when it cannot be read any more, and the attempt is only to be ended.
    pub declared: Option<Arc<file::Pipeline>>,
    /// What its expressions can read.
    pub context: Context,
}

impl Claim {
    /// What the file says of the job.
    ///
    /// # Errors
    /// `Internal` when the file cannot be read, and when it has no such job, which a plan made from it rules out.
    pub fn declaration(&self) -> Result<&file::Job> {
        let declared = self.declared.as_ref().and_then(|declared| declared.job(&self.job.name));
        declared.ok_or_else(|| Error::internal(format!("job `{}` is not in its file", self.job.key)))
    }
}

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

/// What an attempt's command prints, in its folder.
pub const LOG_FILE: &str = "output.log";

/// Where the files of an attempt are while it is at work.
pub fn folder(root: &Path, run: &PipelineRunId, job: &JobKey, attempt: i64) -> PathBuf {
    root.join("attempts").join(run.as_str()).join(format!("{job}-{attempt}"))
}

/// Takes up to `limit` jobs whose time has come and that fit beside what is at work, oldest first.
///
/// # Errors
/// `PermissionDenied` for all but the server itself.
pub async fn claim_jobs(ctx: &Ctx, workflows: &Workflows, holder: &str, lease_ms: i64, limit: usize) -> Result<Found> {
    ctx.authorize(Action::Server)?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let ready = store::jobs::list_ready(&workflows.db, ctx.now_ms(), limit).await?;
    if ready.is_empty() {
        return Ok(Found::default());
    }
    let live = store::attempts::list_live(&workflows.db).await?;
    let mut free = workflows.capacity();
    for attempt in &live {
        free.cpu_millis -= attempt.cpu_millis;
        free.memory_bytes -= attempt.memory_bytes;
    }
    let mut fitting: BTreeMap<PipelineRunId, Vec<Ready>> = BTreeMap::new();
    for job in ready {
        if job.cpu_millis > free.cpu_millis.max(0) || job.memory_bytes > free.memory_bytes.max(0) {
            // The ones behind it wait, too: otherwise a large job would never find room.
            if job.cpu_millis > 0 {
                break;
            }
            continue;
        }
        free.cpu_millis -= job.cpu_millis;
        free.memory_bytes -= job.memory_bytes;
        fitting.entry(job.pipeline_run.clone()).or_default().push(job);
    }
    let mut found = Found::default();
    for (run, jobs) in fitting {
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

/// Every attempt that is at work, whoever attends it.
///
/// # Errors
/// `PermissionDenied` for all but the server itself.
pub async fn list_live(ctx: &Ctx, workflows: &Workflows) -> Result<Vec<Attempt>> {
    ctx.authorize(Action::Server)?;
    store::attempts::list_live(&workflows.db).await
}

/// Keeps an attempt; answers whether it is the holder's still, and whether its run was told to end.
///
/// # Errors
/// `PermissionDenied` for all but the server itself.
pub async fn renew_attempt(ctx: &Ctx, workflows: &Workflows, attempt: &Attempt, lease_ms: i64) -> Result<Renewed> {
    ctx.authorize(Action::Server)?;
    let (held, until_ms) = (attempt.clone(), ctx.now_ms() + lease_ms);
    let is_held =
        workflows.db.write(move |tx| async move { store::attempts::renew(tx, &held, until_ms).await }.boxed()).await?;
    if !is_held {
        return Ok(Renewed::Lost);
    }
    let run = store::runs::find(&workflows.db, &attempt.pipeline_run).await?;
    Ok(if run.is_some_and(|run| run.is_to_end()) { Renewed::Canceled } else { Renewed::Held })
}

/// What became of an attempt's lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renewed {
    /// It is the holder's.
    Held,
    /// It is the holder's, and must be ended: its run was canceled, or has ended.
    Canceled,
    /// Somebody else has it, or it ended.
    Lost,
}

/// Records which run an attempt is, and which things it is given from earlier ones; answers whether the attempt is the holder's still. In
/// the transaction that makes the run and its token: an attempt has both or neither.
///
/// # Errors
/// `PermissionDenied` for all but the server itself.
pub async fn attach_run_in(
    ctx: &Ctx,
    tx: &mut Tx,
    claim: &Claim,
    (run, token): (&RunId, &TokenId),
    given: Vec<Name>,
) -> Result<bool> {
    ctx.authorize(Action::Server)?;
    let (project, attempt) = (&claim.run.project, &claim.attempt);
    if !store::attempts::set_run(tx, attempt, run, token).await? {
        return Ok(false);
    }
    let job = attempt.job.name(project, &attempt.pipeline_run);
    let pipeline_run = Name::new(project, Kind::PipelineRun, &attempt.pipeline_run);
    let detail = json!({ "attempt": attempt.attempt, "run_id": run.as_str() });
    let run = Name::new(project, Kind::Run, run);
    let mut started = Event::new("job.started", job.clone(), detail)
        .with_edge(pipeline_run, job.clone(), "step")
        .with_edge(job, run.clone(), "ran");
    for source in given {
        started = started.with_edge(source, run.clone(), "given");
    }
    tx.record(&Ctx { project: project.clone(), ..ctx.clone() }, started).await?;
    Ok(true)
}

/// Records what a job would be found under in the cache, and how that differs from the last time it ran.
///
/// # Errors
/// `PermissionDenied` for all but the server itself.
pub async fn find_cached(
    ctx: &Ctx,
    workflows: &Workflows,
    claim: &Claim,
    key: &str,
    parts: CacheParts,
) -> Result<Cached> {
    ctx.authorize(Action::Server)?;
    let project = &claim.run.project;
    let found = store::cache::find(&workflows.db, project, key).await?;
    let made = match &found {
        Some((run, job)) => store::jobs::find(&workflows.db, run, job).await?.filter(|job| job.status.is_success()),
        None => None,
    };
    let why = match &made {
        Some(_) => String::new(),
        None => {
            let previous = store::cache::find_previous(
                &workflows.db,
                project,
                claim.run.pipeline.as_str(),
                &claim.job.key,
                &claim.run.id,
            );
            match previous.await? {
                Some(previous) => {
                    let found = file::explain(&store::from_json(&previous)?, &parts);
                    let found: Vec<String> = found.iter().map(ToString::to_string).collect();
                    if found.is_empty() { "what it made is gone".to_owned() } else { found.join("; ") }
                }
                None => "it has not run before".to_owned(),
            }
        }
    };
    let (attempt, key, reason) = (claim.attempt.clone(), key.to_owned(), why.clone());
    workflows
        .db
        .write(move |tx| {
            async move {
                // Held, so that nobody ends the attempt meanwhile; of an attempt that ended before, nothing is written.
                store::runs::hold(tx, &attempt.pipeline_run).await?;
                let found = store::jobs::find_in(tx, &attempt.pipeline_run, &attempt.job).await?;
                let is_at_work = |job: &Job| job.status == JobStatus::Running && job.attempt == attempt.attempt;
                if let Some(mut job) = found.filter(is_at_work) {
                    (job.cache_key, job.cache_parts) = (Some(key), Some(parts));
                    job.reason = if reason.is_empty() { String::new() } else { format!("not cached: {reason}") };
                    store::jobs::update(tx, &job).await?;
                }
                Ok(())
            }
            .boxed()
        })
        .await?;
    Ok(made.map_or(Cached::Missed { why }, |job| Cached::Found(Box::new(job))))
}

/// Whether an earlier job stands for this one.
#[derive(Debug, Clone)]
pub enum Cached {
    /// It does.
    Found(Box<Job>),
    /// None does.
    Missed {
        /// What is different from the last time.
        why: String,
    },
}

/// What an attempt printed: the object that holds it and its bytes; `None` when nothing is stored.
///
/// # Errors
/// `NotFound` for the job.
pub async fn find_log(
    ctx: &Ctx,
    workflows: &Workflows,
    run: &PipelineRunId,
    job: &JobKey,
    attempt: i64,
) -> Result<Option<(lathe_objects::ObjectHash, i64)>> {
    crate::jobs::get_job(ctx, workflows, run, job).await?;
    let found = store::attempts::find_log(&workflows.db, run, job, attempt).await?;
    found.map(|(hash, size)| Ok((lathe_objects::ObjectHash::parse(&hash)?, size))).transpose()
}
