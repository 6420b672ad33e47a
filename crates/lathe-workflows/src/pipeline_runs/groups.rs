//! Concurrency groups: runs of the same one are at work one after the other.

use lathe_core::{Action, Ctx, Error, Event, Kind, Name, Result};
use lathe_db::Tx;
use serde_json::json;

use super::PipelineRun;
use super::start::authorize_cancel;
use crate::file::{self, OnConflict};
use crate::status::PipelineRunStatus;
use crate::{pipelines, plan, store};

pub(super) fn group_of(declared: &file::Pipeline, run: &PipelineRun) -> Result<Option<String>> {
    let Some(concurrency) = &declared.concurrency else { return Ok(None) };
    let context = plan::run_context(run);
    concurrency.group.evaluate(&context).map(Some).map_err(|error| Error::invalid(error.to_string()))
}

/// Keeps the other runs of a group from joining it or moving on in it until the transaction ends. Held before any run is: who
/// holds a run waits for no group.
pub(super) async fn hold_group(tx: &mut Tx, run: &PipelineRun) -> Result<()> {
    match &run.concurrency_group {
        Some(group) => tx.hold(&format!("concurrency group {group} of {}", run.project)).await,
        None => Ok(()),
    }
}

/// Waits behind the group's other runs, cancels them, or does not start. The group is held.
///
/// # Errors
/// `Conflict` when the file says to skip; `PermissionDenied` when it says to cancel a run that this caller may not cancel.
pub(super) async fn join_group(ctx: &Ctx, tx: &mut Tx, declared: &file::Pipeline, run: &mut PipelineRun) -> Result<()> {
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
                may_cancel(ctx, tx, &other).await.map_err(|error| {
                    let why = format!("run {} of `{}` is at work in the group `{group}`", other.number, other.pipeline);
                    Error::new(error.code(), format!("{why}, and is not yours to cancel: {}", error.message()))
                })?;
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

/// As [`authorize_cancel`], of a run whose file is only read where it decides. One that cannot be read is taken for one that deploys.
async fn may_cancel(ctx: &Ctx, tx: &mut Tx, run: &PipelineRun) -> Result<()> {
    if run.actor == ctx.actor {
        return Ok(());
    }
    match pipelines::load_in(tx, &run.project, &run.file_hash).await {
        Ok(declared) => authorize_cancel(ctx, &declared, run),
        Err(error) if error.code().is_transient() => Err(error),
        Err(_) => ctx.authorize(Action::Manage),
    }
}
