//! How runs go on and end.

use lathe_core::{Action, Ctx, Error, Event, Kind, Name, PipelineRunId, Result};
use lathe_db::{FutureExt as _, Tx};
use serde_json::json;

use super::PipelineRun;
use super::groups::hold_group;
use crate::jobs::Job;
use crate::status::{JobStatus, PipelineRunStatus};
use crate::{Workflows, file, pipelines, plan, store};

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

pub(super) fn finished(run: &PipelineRun) -> Event {
    let name = Name::new(&run.project, Kind::PipelineRun, &run.id);
    let detail = json!({ "pipeline": run.pipeline.as_str(), "number": run.number, "status": run.status.as_str() });
    Event::new("pipeline_run.finished", name, detail)
}
