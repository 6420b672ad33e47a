//! The dispatcher: what has to be done next, found again and again in the rows.

use std::collections::HashMap;
use std::time::Duration;

use lathe_core::Result;
use lathe_db::lease;
use lathe_workflows::attempts::{Claim, adopt_attempts, claim_jobs};
use lathe_workflows::{PipelineRunStatus, approvals, pipeline_runs};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::{Work, attend, triggers};

const LEASE: &str = "dispatcher";
/// How long the dispatcher's lease and those of attempts hold. A dead server's work goes on after this time.
pub(super) const LEASE_MS: i64 = 10_000;
/// How often they are renewed: five may fail before anything is lost.
pub(super) const RENEWAL: Duration = Duration::from_millis(2_000);
/// How often the rows are looked at when nobody says that something changed.
const INTERVAL: Duration = Duration::from_millis(500);
/// How many jobs are claimed at once.
const CLAIMS: usize = 32;

/// Dispatches until the server stops. Processes that are at work then go on; the next server finds them.
pub async fn run(work: Work, mut stopping: watch::Receiver<bool>) {
    let mut tasks: JoinSet<Key> = JoinSet::new();
    let mut attended: HashMap<Key, ()> = HashMap::new();
    let mut is_failing = false;
    let mut last_round_ms = work.clock.now_ms();
    loop {
        while let Some(ended) = tasks.try_join_next() {
            match ended {
                Ok(key) => drop(attended.remove(&key)),
                Err(error) => tracing::error!(%error, "an attempt is no longer attended"),
            }
        }
        // A round that comes late, as after the machine slept, must not take others' leases for run out.
        let is_late = work.clock.now_ms() - last_round_ms > LEASE_MS / 2;
        last_round_ms = work.clock.now_ms();
        match round(&work, is_late).await {
            Ok(claims) => {
                is_failing = false;
                for claim in claims {
                    let key = key_of(&claim);
                    attended.insert(key.clone(), ());
                    let work = work.clone();
                    tasks.spawn(async move {
                        attend::attend(&work, claim).await;
                        key
                    });
                }
            }
            Err(error) => {
                if !is_failing {
                    tracing::warn!(error = %error.log_line(), "pipelines are not dispatched; trying again");
                }
                is_failing = true;
            }
        }
        tokio::select! {
            () = work.rooms.workflows.changed() => {}
            () = tokio::time::sleep(INTERVAL) => {}
            Some(ended) = tasks.join_next(), if !tasks.is_empty() => {
                if let Ok(key) = ended {
                    attended.remove(&key);
                }
            }
            _ = stopping.wait_for(|is_stopping| *is_stopping) => break,
        }
    }
    tasks.shutdown().await;
    // Free for the next server at once.
    if let Err(error) = lease::acquire(&work.rooms.db, LEASE, &work.holder, work.clock.now_ms(), 0).await {
        tracing::debug!(error = %error.log_line(), "the dispatcher's lease runs out by itself");
    }
}

type Key = (String, String, i64);

fn key_of(claim: &Claim) -> Key {
    (claim.run.id.to_string(), claim.job.key.to_string(), claim.attempt.attempt)
}

/// One look at everything; answers the attempts that nobody attends yet.
async fn round(work: &Work, is_late: bool) -> Result<Vec<Claim>> {
    let (ctx, workflows) = (work.server_ctx(), &work.rooms.workflows);
    if lease::acquire(&work.rooms.db, LEASE, &work.holder, ctx.now_ms(), LEASE_MS).await?.is_none() {
        return Ok(Vec::new());
    }
    triggers::fire(work).await?;
    let live = pipeline_runs::list_live(&ctx, workflows).await?;
    if live.is_empty() {
        return Ok(Vec::new());
    }
    for run in live.iter().filter(|run| run.is_canceled || run.status == PipelineRunStatus::Queued) {
        pipeline_runs::move_on(&ctx, workflows, run).await?;
    }
    approvals::expire(&ctx, workflows).await?;
    let mut claims = if is_late { Vec::new() } else { adopt_attempts(&ctx, workflows, &work.holder, LEASE_MS).await? };
    claims.extend(claim_jobs(&ctx, workflows, &work.holder, LEASE_MS, CLAIMS).await?);
    Ok(claims)
}
