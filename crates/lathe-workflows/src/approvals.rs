//! Jobs that wait for people, and what these decide.

use lathe_core::{Action, Ctx, Error, Event, PipelineRunId, Result};
use lathe_db::FutureExt as _;
use serde_json::json;

use crate::file::OnTimeout;
use crate::jobs::{self, Job};
use crate::pipeline_runs::{self, PipelineRun, settle};
use crate::status::JobStatus;
use crate::{JobKey, Workflows, pipelines, store};

const MAX_COMMENT_BYTES: usize = 4_096;

/// What a person says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It may go on.
    Approve,
    /// It must not.
    Reject,
}

impl Verdict {
    /// The verdict as it stands in JSON and SQL.
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Approve => "approve",
            Verdict::Reject => "reject",
        }
    }

    pub(crate) fn parse(text: &str) -> Result<Self> {
        match text {
            "approve" => Ok(Verdict::Approve),
            "reject" => Ok(Verdict::Reject),
            _ => Err(Error::internal(format!("a decision has the unknown verdict {text:?}"))),
        }
    }
}

/// What a person decided about a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Who.
    pub username: String,
    /// What.
    pub verdict: Verdict,
    /// Why.
    pub comment: String,
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
}

/// A job that waits for people.
#[derive(Debug, Clone, PartialEq)]
pub struct Awaiting {
    /// The run.
    pub run: PipelineRun,
    /// The job.
    pub job: Job,
    /// How many must approve.
    pub min: u32,
    /// Until when it waits, in milliseconds since 1970.
    pub until_ms: i64,
    /// What was decided so far.
    pub decisions: Vec<Decision>,
}

/// The project's jobs that wait for people, oldest first.
///
/// # Errors
/// What the database answers.
pub async fn list_approvals(ctx: &Ctx, workflows: &Workflows) -> Result<Vec<Awaiting>> {
    ctx.authorize(Action::Read)?;
    let mut awaiting = Vec::new();
    for job in store::jobs::list_awaiting(&workflows.db).await? {
        let Some(run) = store::runs::find(&workflows.db, &job.pipeline_run).await? else { continue };
        if run.project != ctx.project {
            continue;
        }
        let declared = match pipelines::load(workflows, &ctx.project, &run.file_hash).await {
            Ok(declared) => declared,
            Err(error) if error.code().is_transient() => return Err(error),
            // The dispatcher ends its run.
            Err(_) => continue,
        };
        let Some(approval) = declared.job(&job.name).and_then(|job| job.approval()) else { continue };
        let decisions = store::approvals::list(&workflows.db, &run.id, &job.key).await?;
        let until_ms = until_ms(&job, approval.timeout);
        awaiting.push(Awaiting { min: approval.min, until_ms, run, job, decisions });
    }
    Ok(awaiting)
}

/// What was decided about a job.
///
/// # Errors
/// `NotFound` for the job.
pub async fn list_decisions(
    ctx: &Ctx,
    workflows: &Workflows,
    run: &PipelineRunId,
    key: &JobKey,
) -> Result<Vec<Decision>> {
    jobs::get_job(ctx, workflows, run, key).await?;
    store::approvals::list(&workflows.db, run, key).await
}

fn until_ms(job: &Job, timeout: std::time::Duration) -> i64 {
    let length = i64::try_from(timeout.as_millis()).unwrap_or(i64::MAX);
    job.queued_at_ms.unwrap_or_default().saturating_add(length)
}

/// Records what a person decides. One rejection fails the job; it succeeds when enough approve.
///
/// # Errors
/// `PermissionDenied` for all but maintainers, and for whoever started the run unless they administer the server; `NotFound`;
/// `Conflict` when the job does not wait for people.
pub async fn decide(
    ctx: &Ctx,
    workflows: &Workflows,
    run_id: &PipelineRunId,
    key: &JobKey,
    verdict: Verdict,
    comment: String,
) -> Result<PipelineRun> {
    ctx.authorize(Action::Manage)?;
    if comment.len() > MAX_COMMENT_BYTES || comment.contains('\0') {
        return Err(Error::invalid(format!("a comment has at most {MAX_COMMENT_BYTES} bytes and no NUL")));
    }
    let run = pipeline_runs::get_pipeline_run(ctx, workflows, run_id).await?;
    if run.actor == ctx.actor && verdict == Verdict::Approve && !ctx.grant.is_server_admin {
        return Err(Error::new(
            lathe_core::Code::PermissionDenied,
            format!("{} started this run; another person must approve it", ctx.actor.name),
        ));
    }
    let decision = Decision { username: ctx.actor.name.clone(), verdict, comment, at_ms: ctx.now_ms() };
    close(
        ctx,
        workflows,
        &run,
        key,
        move |job, min, decisions| {
            let approvals = decisions.iter().filter(|one| one.verdict == Verdict::Approve).count();
            match decisions.iter().find(|one| one.verdict == Verdict::Reject) {
                Some(rejection) => Some((JobStatus::Failed, format!("rejected by {}", rejection.username))),
                None if approvals >= usize::try_from(min).unwrap_or(usize::MAX) => {
                    Some((JobStatus::Succeeded, String::new()))
                }
                None => {
                    job.reason = format!("{approvals} of {min} approved");
                    None
                }
            }
        },
        Some(decision),
    )
    .await
}

/// Ends a job whose time to be decided is over, as its file says; answers whether it was.
///
/// # Errors
/// `PermissionDenied` for all but the server itself.
pub async fn expire(ctx: &Ctx, workflows: &Workflows) -> Result<()> {
    ctx.authorize(Action::Server)?;
    for job in store::jobs::list_awaiting(&workflows.db).await? {
        let Some(run) = store::runs::find(&workflows.db, &job.pipeline_run).await? else { continue };
        let declared = match pipelines::load(workflows, &run.project, &run.file_hash).await {
            Ok(declared) => declared,
            Err(error) if error.code().is_transient() => return Err(error),
            Err(error) => {
                pipeline_runs::end_unreadable(ctx, workflows, &run.id, &error).await?;
                continue;
            }
        };
        let Some(approval) = declared.job(&job.name).and_then(|job| job.approval()) else { continue };
        if until_ms(&job, approval.timeout) > ctx.now_ms() {
            continue;
        }
        let end = match approval.on_timeout {
            OnTimeout::Approve => JobStatus::Succeeded,
            OnTimeout::Reject => JobStatus::Failed,
        };
        let ctx = Ctx { project: run.project.clone(), ..ctx.clone() };
        let expired = close(
            &ctx,
            workflows,
            &run,
            &job.key,
            move |_, _, _| Some((end, "nobody decided in time".to_owned())),
            None,
        );
        match expired.await {
            Err(error) if error.code().is_transient() => return Err(error),
            // Such as one that somebody decided just now.
            Err(error) => {
                tracing::warn!(job = %job.key, run = %run.id, error = %error.log_line(), "an approval is not ended");
            }
            Ok(_) => {}
        }
    }
    Ok(())
}

/// Stores a decision, and ends the job if `judge` says how.
async fn close(
    ctx: &Ctx,
    workflows: &Workflows,
    run: &PipelineRun,
    key: &JobKey,
    judge: impl FnOnce(&mut Job, u32, &[Decision]) -> Option<(JobStatus, String)> + Send + 'static,
    decision: Option<Decision>,
) -> Result<PipelineRun> {
    let declared = pipelines::load(workflows, &run.project, &run.file_hash).await?;
    let (ctx, id, key) = (ctx.clone(), run.id.clone(), key.clone());
    let changed = workflows
        .db
        .write(move |tx| {
            async move {
                let mut run = store::runs::hold(tx, &id).await?.ok_or_else(|| pipeline_runs::not_found(&id))?;
                let mut jobs = store::jobs::list_in(tx, &id).await?;
                let before = jobs.clone();
                let job = jobs.iter_mut().find(|job| job.key == key).ok_or_else(|| jobs::not_found(&id, &key))?;
                if job.status != JobStatus::AwaitingApproval {
                    return Err(Error::conflict(format!(
                        "job `{key}` does not wait for an approval; it is {}",
                        job.status.as_str()
                    )));
                }
                if let Some(decision) = &decision {
                    store::approvals::upsert(tx, &id, &key, decision).await?;
                }
                let decisions = store::approvals::list_in(tx, &id, &key).await?;
                let min = declared.job(&job.name).and_then(|job| job.approval()).map_or(1, |approval| approval.min);
                let ended = judge(job, min, &decisions);
                let detail = json!({
                    "decision": decision.as_ref().map(|one| one.verdict.as_str()),
                    "comment": decision.as_ref().map(|one| one.comment.as_str()),
                    "status": ended.as_ref().map_or("awaiting_approval", |(status, _)| status.as_str()),
                });
                if let Some((status, reason)) = ended {
                    job.end(status, reason, ctx.now_ms());
                }
                tx.record(&ctx, Event::new("job.decided", key.name(&ctx.project, &id), detail)).await?;
                settle(&ctx, tx, &declared, &mut run, &mut jobs, &before).await?;
                Ok(run)
            }
            .boxed()
        })
        .await?;
    workflows.notify();
    Ok(changed)
}
