//! Tries of jobs: claimed under a lease, attended, ended once.
//!
//! Each attempt has one holder at a time, and a fence that grows with each holder. Whoever changes an attempt names both; a
//! holder that lost it changes nothing. What an attempt made counts when [`finish_attempt_in`] stores it, in one transaction
//! with what comes next, so that a job's outputs are published once, however often it ran.

mod claims;
mod finish;
mod log;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use lathe_core::{Action, Ctx, Error, Event, Kind, Name, PipelineRunId, Result, RunId, TokenId};
use lathe_db::{FutureExt as _, Tx};
use serde_json::json;

use crate::file::{self, CacheParts, Context};
use crate::jobs::Job;
use crate::pipeline_runs::PipelineRun;
use crate::status::{AttemptStatus, JobStatus};
use crate::{JobKey, Workflows, store};

pub use claims::{Found, adopt_attempts, claim_jobs};
pub use finish::{Ending, Finish, finish_attempt_in};
pub use log::{LOG_FILE, LogPart, MAX_LOG_BYTES, cut_line, read_log};

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

/// Where the files of an attempt are while it is at work: `train-1`, and `train.2-1` of the cell `train[2]`. Commands get paths below it, so
/// its name means nothing in a pattern, a shell or an address; a dot is in no job's name.
pub fn folder(root: &Path, run: &PipelineRunId, job: &JobKey, attempt: i64) -> PathBuf {
    let run = root.join("attempts").join(run.as_str());
    let plain = job.as_str().replace('[', ".").replace(']', "");
    // An attempt that a server of before began is where that put it.
    let old = run.join(format!("{job}-{attempt}"));
    if plain != job.as_str() && old.is_dir() { old } else { run.join(format!("{plain}-{attempt}")) }
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

/// The job that succeeded under a key of the cache. Whether what it made is there still, its room does not know.
///
/// # Errors
/// `PermissionDenied` for all but the server itself.
pub async fn find_made(ctx: &Ctx, workflows: &Workflows, key: &str) -> Result<Option<Job>> {
    ctx.authorize(Action::Server)?;
    let Some((run, job)) = store::cache::find(&workflows.db, &ctx.project, key).await? else { return Ok(None) };
    Ok(store::jobs::find(&workflows.db, &run, &job).await?.filter(|job| job.status.is_success()))
}

/// What is left of an earlier job with the same key.
#[derive(Debug, Clone)]
pub enum Earlier {
    /// There was none.
    Unknown,
    /// What it made is gone.
    Gone,
    /// All that it made.
    Kept(Box<Job>),
}

/// Records what a job would be found under in the cache, and how that differs from the last time it ran when nothing earlier stands for it.
///
/// # Errors
/// `PermissionDenied` for all but the server itself.
pub async fn find_cached(
    ctx: &Ctx,
    workflows: &Workflows,
    claim: &Claim,
    (key, parts): (&str, CacheParts),
    earlier: Earlier,
) -> Result<Cached> {
    ctx.authorize(Action::Server)?;
    let project = &claim.run.project;
    let gone = "what it made is gone";
    let why = match &earlier {
        Earlier::Kept(_) => String::new(),
        Earlier::Gone => gone.to_owned(),
        Earlier::Unknown => {
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
                    if found.is_empty() { gone.to_owned() } else { found.join("; ") }
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
    Ok(match earlier {
        Earlier::Kept(made) => Cached::Found(made),
        Earlier::Unknown | Earlier::Gone => Cached::Missed { why },
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_no_pattern_in_its_name_and_one_of_before_is_found() {
        let root = tempfile::tempdir().unwrap();
        let (run, cell) = (PipelineRunId::generate(), JobKey::new("train", Some(0)));
        let folder = |job: &JobKey| folder(root.path(), &run, job, 1);
        let at = |name: &str| root.path().join("attempts").join(run.as_str()).join(name);
        assert_eq!(folder(&cell), at("train.0-1"));
        assert_eq!(folder(&JobKey::new("train-0", None)), at("train-0-1"));
        std::fs::create_dir_all(at("train[0]-1")).unwrap();
        assert_eq!(folder(&cell), at("train[0]-1"));
        assert_eq!(folder(&JobKey::new("train", Some(1))), at("train.1-1"));
    }
}
