//! What pipelines leave in the database that nobody asks for any more.

use std::collections::HashMap;

use lathe_core::{Clock, Code, Ctx, PipelineRunId, Project, Result};
use lathe_db::FutureExt as _;
use lathe_db::once::{MadeName, forget_made, list_made};
use lathe_workflows::pipeline_runs::get_pipeline_run;

use crate::server::Rooms;

/// How long after its end a pipeline run can be retried without making anything twice.
const KEPT_MS: i64 = 90 * 24 * 3_600_000;
/// Names that are looked at, and forgotten, at once.
const PAGE: i64 = 500;

/// Forgets the changes of pipeline runs that ended long ago: who could ask for them again is a retry of the run. Answers how many.
///
/// # Errors
/// What the database answers.
pub async fn forget_changes(rooms: &Rooms, clock: &Clock) -> Result<usize> {
    let before_ms = clock.now_ms() - KEPT_MS;
    let (mut after, mut ended, mut forgotten) = (None, HashMap::new(), 0);
    loop {
        let page = list_made(&rooms.db, before_ms, after.as_ref(), PAGE).await?;
        let Some(last) = page.last() else { return Ok(forgotten) };
        after = Some(last.clone());
        let mut going = Vec::new();
        for name in page {
            let Some(run) = run_of(&name) else { continue };
            let has_ended = match ended.get(&run) {
                Some(has_ended) => *has_ended,
                None => ended_before(rooms, clock, &name.project, &run, before_ms).await?,
            };
            ended.insert(run, has_ended);
            if has_ended {
                going.push(name);
            }
        }
        if going.is_empty() {
            continue;
        }
        forgotten += going.len();
        let forgetting = rooms.db.write(move |tx| {
            async move {
                for name in &going {
                    forget_made(tx, name).await?;
                }
                Ok(())
            }
            .boxed()
        });
        forgetting.await?;
    }
}

/// The run that a change was made for: all names that jobs give begin with it.
fn run_of(name: &MadeName) -> Option<PipelineRunId> {
    let (run, _) = name.key.split_once('/')?;
    PipelineRunId::parse(run).ok()
}

async fn ended_before(
    rooms: &Rooms,
    clock: &Clock,
    project: &Project,
    run: &PipelineRunId,
    before_ms: i64,
) -> Result<bool> {
    let ctx = Ctx { clock: clock.clone(), ..Ctx::system("gc", project.clone()) };
    match get_pipeline_run(&ctx, &rooms.workflows, run).await {
        Ok(run) => Ok(run.ended_at_ms.is_some_and(|at_ms| at_ms < before_ms)),
        Err(error) if error.code() == Code::NotFound => Ok(true),
        Err(error) => Err(error),
    }
}
