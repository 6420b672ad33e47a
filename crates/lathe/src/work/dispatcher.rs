//! The dispatcher: what has to be done next, found again and again in the rows.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use lathe_core::{PipelineRunId, Result};
use lathe_db::lease;
use lathe_workflows::attempts::{Attempt, Claim, Found, adopt_attempts, claim_jobs};
use lathe_workflows::pipeline_runs::{self, PipelineRun};
use lathe_workflows::{PipelineRunStatus, approvals};
use tokio::sync::watch;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::Instant;

use super::{Work, attend, folders, triggers};

const LEASE: &str = "dispatcher";
/// How long the dispatcher's lease and those of attempts hold. A dead server's work goes on after this time.
pub(super) const LEASE_MS: i64 = 10_000;
/// How often they are renewed: five may fail before anything is lost.
pub(super) const RENEWAL: Duration = Duration::from_millis(2_000);
/// How often the rows are looked at when nobody says that something changed.
const INTERVAL: Duration = Duration::from_millis(500);
/// How long changes gather before they are looked at.
const GATHER: Duration = Duration::from_millis(10);
/// How many jobs are claimed at once.
const CLAIMS: usize = 32;

/// Dispatches until the server stops. Processes that are at work then go on; the next server finds them.
pub async fn run(work: Work, mut stopping: watch::Receiver<bool>) {
    let mut attended = Attended::default();
    let mut upkeep = Upkeep::default();
    let mut is_failing = false;
    let mut is_swept = false;
    let mut last_round_ms = work.clock.now_ms();
    loop {
        while let Some(ended) = attended.tasks.try_join_next_with_id() {
            attended.forget(ended);
        }
        // A round that comes late, as after the machine slept, must not take others' leases for run out.
        let is_late = work.clock.now_ms() - last_round_ms > LEASE_MS / 2;
        last_round_ms = work.clock.now_ms();
        if !is_swept {
            is_swept = sweep(&work).await;
        }
        match round(&work, &attended, &mut upkeep, is_late).await {
            Ok(claims) => {
                is_failing = false;
                claims.into_iter().for_each(|claim| attended.begin(&work, claim));
            }
            Err(error) => {
                if !is_failing {
                    tracing::warn!(error = %error.log_line(), "pipelines are not dispatched; trying again");
                }
                is_failing = true;
            }
        }
        let gather = tokio::select! {
            () = work.rooms.workflows.changed() => GATHER,
            () = tokio::time::sleep(INTERVAL) => Duration::ZERO,
            Some(ended) = attended.tasks.join_next_with_id(), if !attended.tasks.is_empty() => {
                attended.forget(ended);
                GATHER
            }
            _ = stopping.wait_for(|is_stopping| *is_stopping) => break,
        };
        tokio::time::sleep(gather).await;
    }
    attended.tasks.shutdown().await;
    // Free for the next server at once.
    if let Err(error) = lease::acquire(&work.rooms.db, LEASE, &work.holder, work.clock.now_ms(), 0).await {
        tracing::debug!(error = %error.log_line(), "the dispatcher's lease runs out by itself");
    }
}

/// The attempts that this server attends, each by a task of its own.
#[derive(Debug, Default)]
struct Attended {
    tasks: JoinSet<()>,
    attempts: HashMap<Id, Attempt>,
}

impl Attended {
    fn begin(&mut self, work: &Work, claim: Claim) {
        let (work, attempt) = (work.clone(), claim.attempt.clone());
        let task = self.tasks.spawn(async move { attend::attend(&work, claim).await });
        self.attempts.insert(task.id(), attempt);
    }

    fn forget(&mut self, ended: Result<(Id, ()), JoinError>) {
        let id = match ended {
            Ok((id, ())) => id,
            Err(error) => {
                tracing::error!(%error, "an attempt is no longer attended; it is taken up again when its lease runs out");
                error.id()
            }
        };
        self.attempts.remove(&id);
    }

    fn has(&self, other: &Attempt) -> bool {
        let is_same = |one: &Attempt| {
            (&one.pipeline_run, &one.job, one.attempt) == (&other.pipeline_run, &other.job, other.attempt)
        };
        self.attempts.values().any(is_same)
    }
}

/// Removes what earlier servers left behind; answers whether that is done.
async fn sweep(work: &Work) -> bool {
    let swept = folders::sweep(work).await;
    if let Err(error) = &swept {
        tracing::debug!(error = %error.log_line(), "the folders of ended attempts are not removed yet");
    }
    swept.is_ok()
}

/// What a round does only now and then, because nobody waits for it: each of it costs every other round as much as the round itself.
#[derive(Debug, Default)]
struct Upkeep {
    last: Option<Instant>,
    holds_lease: bool,
    failing: Failing,
}

impl Upkeep {
    fn is_due(&mut self) -> bool {
        let is_due = self.last.is_none_or(|last| last.elapsed() >= INTERVAL);
        if is_due {
            self.last = Some(Instant::now());
        }
        is_due
    }
}

/// What of a round fails, and why: the rest goes on.
#[derive(Debug, Default)]
struct Failing(BTreeMap<(&'static str, Option<PipelineRunId>), String>);

impl Failing {
    /// Takes note of how a part of a round went, as a whole or for one run. A failure is told once, until it is another one or gone; answers
    /// whether it is told now.
    fn tell(&mut self, part: &'static str, run: Option<&PipelineRunId>, done: Result<()>) -> bool {
        let key = (part, run.cloned());
        let Err(error) = done else {
            self.0.remove(&key);
            return false;
        };
        let why = error.log_line();
        if self.0.get(&key) == Some(&why) {
            return false;
        }
        let run = run.map(PipelineRunId::as_str);
        tracing::warn!(part, run, error = %why, "a part of the dispatcher fails; trying again");
        self.0.insert(key, why);
        true
    }

    /// What was found for each run it was looked for; answers what is to be attended.
    fn tell_found(&mut self, part: &'static str, found: Result<Found>) -> Vec<Claim> {
        let (found, done) = match found {
            Ok(found) => (found, Ok(())),
            Err(error) => (Found::default(), Err(error)),
        };
        self.tell(part, None, done);
        for claim in &found.claims {
            self.tell(part, Some(&claim.run.id), Ok(()));
        }
        for (run, error) in found.passed_over {
            self.tell(part, Some(&run), Err(error));
        }
        found.claims
    }

    /// Forgets runs that have ended.
    fn keep(&mut self, live: &[PipelineRun]) {
        self.0.retain(|(_, run), _| run.as_ref().is_none_or(|run| live.iter().any(|one| one.id == *run)));
    }
}

/// One look at what there is to do; answers the attempts that nobody attends yet.
async fn round(work: &Work, attended: &Attended, upkeep: &mut Upkeep, is_late: bool) -> Result<Vec<Claim>> {
    let (ctx, workflows) = (work.server_ctx(), &work.rooms.workflows);
    let is_upkeep = upkeep.is_due();
    if is_upkeep {
        // A failure to ask must not leave an old answer standing.
        upkeep.holds_lease = false;
        upkeep.holds_lease =
            lease::acquire(&work.rooms.db, LEASE, &work.holder, ctx.now_ms(), LEASE_MS).await?.is_some();
        if upkeep.holds_lease {
            upkeep.failing.tell("triggers", None, triggers::fire(work).await);
            upkeep.failing.tell("approvals", None, approvals::expire(&ctx, workflows).await);
        }
    }
    if !upkeep.holds_lease {
        return Ok(Vec::new());
    }
    let live = pipeline_runs::list_live(&ctx, workflows).await?;
    upkeep.failing.keep(&live);
    let mut claims = Vec::new();
    // Also where no run is live: one that ended because of its file may have left attempts to be ended.
    if is_upkeep && !is_late {
        let is_attended = |attempt: &Attempt| attended.has(attempt);
        let adopted = adopt_attempts(&ctx, workflows, &work.holder, LEASE_MS, is_attended).await;
        claims.extend(upkeep.failing.tell_found("adoption", adopted));
    }
    if live.is_empty() {
        return Ok(claims);
    }
    for run in live.iter().filter(|run| run.is_canceled || run.status == PipelineRunStatus::Queued) {
        let moved = pipeline_runs::move_on(&ctx, workflows, run).await;
        upkeep.failing.tell("runs", Some(&run.id), moved.map(|_| ()));
    }
    // What is taken already must be attended, whatever becomes of the rest.
    let claimed = claim_jobs(&ctx, workflows, &work.holder, LEASE_MS, CLAIMS).await;
    claims.extend(upkeep.failing.tell_found("claims", claimed));
    Ok(claims)
}

#[cfg(test)]
mod tests {
    use lathe_core::Error;

    use super::*;

    #[test]
    fn a_failure_is_told_once_until_it_is_another_one_or_gone() {
        let mut failing = Failing::default();
        let (good, bad) = (PipelineRunId::generate(), PipelineRunId::generate());
        let fails = |why: &str| Err(Error::conflict(why));
        for is_first in [true, false, false] {
            assert_eq!(failing.tell("runs", Some(&bad), fails("no")), is_first);
            assert!(!failing.tell("runs", Some(&good), Ok(())), "what works says nothing of another run");
            assert_eq!(failing.tell("claims", None, fails("no")), is_first);
        }
        assert!(failing.tell("runs", Some(&bad), fails("another reason")));
        assert!(failing.tell("runs", Some(&good), fails("another reason")), "a run of its own");
        failing.tell("runs", Some(&bad), Ok(()));
        assert!(failing.tell("runs", Some(&bad), fails("another reason")), "it worked between");
        failing.keep(&[]);
        assert_eq!(failing.0.into_keys().collect::<Vec<_>>(), [("claims", None)]);
    }
}
