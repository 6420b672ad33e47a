//! One attempt, attended from its claim to its end.

use std::path::Path;
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable as _};
use bytes::Bytes;
use futures::{StreamExt as _, stream};
use lathe_access::tokens::revoke_token_in;
use lathe_core::{Code, Ctx, Error, Result, RunId, TokenId};
use lathe_db::{FutureExt as _, Tx};
use lathe_objects::Object;
use lathe_tracking::RunStatus;
use lathe_tracking::runs::{UpdateRun, update_run_in};
use lathe_workflows::AttemptStatus;
use lathe_workflows::attempts::{
    Claim, Ending, Finish, LOG_FILE, MAX_LOG_BYTES, Renewed, cut_line, finish_attempt_in, renew_attempt,
};
use lathe_workflows::file::write_duration;
use lathe_workflows::jobs::Outcome;
use rustix::process::{Pid, Signal, kill_process};
use serde::de::DeserializeOwned;
use tokio::io::AsyncReadExt as _;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::dispatcher::{LEASE_MS, RENEWAL};
use super::launch::{self, Launched};
use super::order::{self, Ended, How, ORDER, PROCESS, Process, RESULT};
use super::{Work, actions, folders};

/// How often a process that is no child of this server is looked at.
const POLL: Duration = Duration::from_millis(200);
/// How long a runner may take to end its command after it was told to; its own grace is shorter.
const GRACE: Duration = Duration::from_secs(15);
/// How long a runner may take to say who it is.
const START: Duration = Duration::from_secs(30);
/// How often, at the most, is tried again what the database or the object store did not answer.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// How long a log may wait for the object store.
const LOG_PATIENCE: Duration = Duration::from_secs(60);
/// How much longer than its job's timeout an action may take to find that it is over.
const SLACK: Duration = Duration::from_secs(5);
/// How long a file of the folder may be unreadable.
const FILE_PATIENCE: Duration = Duration::from_secs(10);

/// What an attempt came to.
enum End {
    /// It is to be ended so.
    Finish(Finish),
    /// It is somebody else's.
    Elsewhere,
}

/// Does an attempt, or goes on with one that another server began.
pub(super) async fn attend(work: &Work, claim: Claim) {
    let done = match claim.declaration() {
        // Only to be ended, whatever it is: what the server does itself has no process.
        _ if claim.declared.is_none() => attend_command(work, &claim).await,
        Ok(job) if job.command().is_some() => attend_command(work, &claim).await,
        Ok(job) => attend_actions(work, &claim, job.timeout).await,
        Err(error) => Err(error),
    };
    let end = done.unwrap_or_else(|error| {
        tracing::warn!(job = %claim.job.key, run = %claim.run.id, error = %error.log_line(), "an attempt failed");
        End::Finish(Finish::failed(error.message()))
    });
    // It ended; that this cannot be stored now must not make it something else.
    let ended = match end {
        End::Finish(how) => patiently(None, || finish(work, &claim, how.clone())).await,
        End::Elsewhere => Ok(false),
    };
    match ended {
        Ok(true) => folders::remove(&launch::folder(work, &claim)).await,
        Ok(false) => {
            tracing::info!(job = %claim.job.key, run = %claim.run.id, "an attempt is somebody else's; what was made here does not count");
        }
        // Its lease runs out, and whoever adopts it ends it.
        Err(error) => {
            tracing::warn!(job = %claim.job.key, error = %error.log_line(), "an attempt could not be ended");
        }
    }
}

/// Does something again, with growing pauses, while what it needs does not answer; for so long, or until it does.
async fn patiently<T, F: Future<Output = Result<T>>>(
    for_at_most: Option<Duration>,
    doing: impl FnMut() -> F,
) -> Result<T> {
    let pauses = ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(50))
        .with_max_delay(LONGEST_PAUSE)
        .without_max_times()
        .with_total_delay(for_at_most);
    doing.retry(pauses).when(|error: &Error| error.code() == Code::Unavailable).await
}

/// Does something while the attempt's lease is kept; gives up when what became of the lease says so.
async fn while_held<T>(
    work: &Work,
    claim: &Claim,
    gives_up: impl Fn(Renewed) -> bool,
    doing: impl Future<Output = T>,
) -> std::result::Result<T, Renewed> {
    tokio::pin!(doing);
    let mut renewals = tokio::time::interval(RENEWAL);
    renewals.tick().await;
    loop {
        tokio::select! {
            done = &mut doing => return Ok(done),
            _ = renewals.tick() => {
                let renewed = renew(work, claim).await;
                if gives_up(renewed) {
                    return Err(renewed);
                }
            }
        }
    }
}

/// An attempt that was told to end, or is no longer this server's.
fn given_up(renewed: Renewed) -> End {
    match renewed {
        Renewed::Canceled => End::Finish(Finish { status: AttemptStatus::Canceled, ..Finish::failed("canceled") }),
        Renewed::Held | Renewed::Lost => End::Elsewhere,
    }
}

/// What the server does itself. Each change is made once, so all of it can be done again when the database was away.
async fn attend_actions(work: &Work, claim: &Claim, timeout: Duration) -> Result<End> {
    let left = time_left(timeout, claim.attempt.started_at_ms, work.clock.now_ms());
    let deadline = Instant::now() + left;
    let doing = patiently(Some(left), || actions::perform(work, claim, deadline));
    // What waits for something ends by itself at the deadline, and says for what.
    let doing = tokio::time::timeout_at(deadline + SLACK, doing);
    match while_held(work, claim, |renewed| renewed != Renewed::Held, doing).await {
        Ok(Ok(Ok(values))) => Ok(End::Finish(Finish::succeeded(Outcome { values, ..Outcome::default() }))),
        Ok(Ok(Err(error))) => Err(error),
        Ok(Err(_)) => Ok(End::Finish(Finish::failed(format!("it took longer than {}", write_duration(timeout))))),
        Err(renewed) => Ok(given_up(renewed)),
    }
}

/// What is left of an attempt's time, which an earlier server may have begun.
fn time_left(timeout: Duration, started_at_ms: i64, now_ms: i64) -> Duration {
    // The clock may have been set back.
    let spent_ms = u64::try_from(now_ms.saturating_sub(started_at_ms)).unwrap_or(0);
    timeout.saturating_sub(Duration::from_millis(spent_ms))
}

/// A failure to ask is no loss: the lease holds longer than several of them.
async fn renew(work: &Work, claim: &Claim) -> Renewed {
    let renewed = renew_attempt(&work.server_ctx(), &work.rooms.workflows, &claim.attempt, LEASE_MS).await;
    renewed.unwrap_or_else(|error| {
        tracing::warn!(job = %claim.job.key, error = %error.log_line(), "a lease is not renewed; trying again");
        Renewed::Held
    })
}

async fn attend_command(work: &Work, claim: &Claim) -> Result<End> {
    let folder = launch::folder(work, claim);
    let mut exit = None;
    // An attempt with a later fence was claimed before, by a server that is gone.
    if claim.attempt.fence > 1 {
        if !has_runner(&folder).await? {
            return Ok(End::Finish(Finish { status: AttemptStatus::Lost, ..Finish::failed(NEVER_BEGAN) }));
        }
    } else {
        let launching = launch::launch(work, claim, &folder);
        match while_held(work, claim, |renewed| renewed != Renewed::Held, launching).await {
            Ok(Ok(Launched::Started(process))) => exit = Some(process),
            Ok(Ok(Launched::Cached(made))) => return Ok(End::Finish(Finish::cached(made))),
            Ok(Ok(Launched::Lost)) => return Ok(End::Elsewhere),
            // Nothing of it has run: it is as if its process had been lost at once.
            Ok(Err(error)) if error.code().is_transient() => {
                let how = Finish::failed(error.message());
                return Ok(End::Finish(Finish { status: AttemptStatus::Lost, ..how }));
            }
            Ok(Err(error)) => return Err(error),
            Err(renewed) => return Ok(given_up(renewed)),
        }
    }
    let Some(ended) = wait(work, claim, &folder, exit).await? else { return Ok(End::Elsewhere) };
    let keeping = patiently(Some(LOG_PATIENCE), || keep_log(work, &folder));
    let log = match while_held(work, claim, |renewed| renewed == Renewed::Lost, keeping).await {
        Ok(Ok(log)) => log,
        Ok(Err(error)) => {
            tracing::warn!(job = %claim.job.key, run = %claim.run.id, error = %error.log_line(), "what a job printed is not kept");
            None
        }
        Err(_) => return Ok(End::Elsewhere),
    };
    let status = match ended.how {
        How::Succeeded => AttemptStatus::Succeeded,
        How::Failed => AttemptStatus::Failed,
        How::Canceled => AttemptStatus::Canceled,
    };
    let status = if ended.reason == LOST { AttemptStatus::Lost } else { status };
    let Ended { exit_code, reason, outcome, .. } = ended;
    Ok(End::Finish(Finish { status, exit_code, reason, outcome, log, cached: None }))
}

const LOST: &str = "its process is gone and left no result";
const NEVER_BEGAN: &str = "the server ended before its process began";

/// Whether the server that claimed the attempt came to start its runner. The order is taken away first: a runner that comes so late finds
/// none, or cannot remove it, and does nothing.
async fn has_runner(folder: &Path) -> Result<bool> {
    match tokio::fs::remove_file(folder.join(ORDER)).await {
        Ok(()) => Ok(false),
        // Removed by the runner, which has said who it is by then; or never written.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Ok(look::<Process>(folder, PROCESS).await?.is_some())
        }
        Err(error) => Err(Error::new(Code::Unavailable, format!("an attempt's order cannot be removed: {error}"))),
    }
}

/// Waits until the runner has ended; `None` when the attempt is no longer this server's. A process of this server tells by its exit, one of
/// an earlier server is looked at again and again.
async fn wait(work: &Work, claim: &Claim, folder: &Path, mut exit: Option<JoinHandle<()>>) -> Result<Option<Ended>> {
    let begun = Instant::now();
    let mut renewed_at = Instant::now();
    let mut told_at: Option<Instant> = None;
    let mut has_exited = false;
    // Of a process that was started just now there is nothing to see yet.
    let mut is_new = exit.is_some();
    loop {
        if !std::mem::take(&mut is_new) {
            if let Some(ended) = look::<Ended>(folder, RESULT).await? {
                return Ok(Some(ended));
            }
            let process = look::<Process>(folder, PROCESS).await?;
            let is_gone = match process {
                _ if has_exited => true,
                Some(process) => !process.is_alive(),
                None => begun.elapsed() > START,
            };
            if is_gone {
                // It may have written its result between the two looks.
                if let Some(ended) = look::<Ended>(folder, RESULT).await? {
                    return Ok(Some(ended));
                }
                process.into_iter().for_each(Process::kill);
                let reason = LOST.to_owned();
                return Ok(Some(Ended { how: How::Failed, exit_code: None, reason, outcome: Outcome::default() }));
            }
        }
        if renewed_at.elapsed() >= RENEWAL {
            renewed_at = Instant::now();
            match renew(work, claim).await {
                Renewed::Held => {}
                Renewed::Lost => return Ok(None),
                Renewed::Canceled => {
                    let process = look::<Process>(folder, PROCESS).await?;
                    let told = *told_at.get_or_insert_with(|| {
                        ask_to_end(process);
                        Instant::now()
                    });
                    if told.elapsed() > GRACE {
                        process.into_iter().for_each(Process::kill);
                    }
                }
            }
        }
        match &mut exit {
            None => tokio::time::sleep(POLL).await,
            Some(process) => {
                if tokio::time::timeout(RENEWAL, process).await.is_ok() {
                    (exit, has_exited) = (None, true);
                }
            }
        }
    }
}

/// Reads a file of the folder; that it cannot be read just now says nothing of the attempt.
async fn look<T: DeserializeOwned>(folder: &Path, name: &str) -> Result<Option<T>> {
    patiently(Some(FILE_PATIENCE), || async { order::read(folder, name) }).await
}

fn ask_to_end(process: Option<Process>) {
    if let Some(pid) = process.filter(|process| process.is_alive()).and_then(|process| Pid::from_raw(process.pid)) {
        // It may have ended just now.
        let _ = kill_process(pid, Signal::TERM);
    }
}

/// Ends an attempt, its run and that run's token, all in one transaction; answers whether it has ended.
async fn finish(work: &Work, claim: &Claim, finish: Finish) -> Result<bool> {
    // What its run read is told before the run ends.
    lathe_data::uses::flush(&work.rooms.data).await?;
    let (ctx, server_ctx, claim) = (work.ctx(&claim.run.project), work.server_ctx(), claim.clone());
    let project = claim.run.project.clone();
    let ending = work.rooms.access.change(move |tx| {
        async move {
            let ending = finish_attempt_in(&server_ctx, tx, &claim, &finish).await?;
            if let Ending::Ended { run_id: Some(run_id), .. } = &ending {
                end_run(&ctx, tx, run_id, finish.status).await?;
            }
            if let Ending::Ended { token_id: Some(token_id), .. } = &ending {
                end_token(&ctx, tx, token_id).await?;
            }
            Ok(ending)
        }
        .boxed()
    });
    let ending = ending.await?;
    if let Ending::Ended { run_id: Some(run_id), .. } = &ending {
        work.rooms.tracking.tell_changed(&project, run_id);
    }
    work.rooms.workflows.notify();
    Ok(ending != Ending::Elsewhere)
}

async fn end_run(ctx: &Ctx, tx: &mut Tx, run_id: &RunId, status: AttemptStatus) -> Result<()> {
    let status = match status {
        AttemptStatus::Succeeded => RunStatus::Finished,
        AttemptStatus::Canceled => RunStatus::Killed,
        _ => RunStatus::Failed,
    };
    let update = UpdateRun { status: Some(status), end_time_ms: Some(ctx.now_ms()), name: None };
    match update_run_in(ctx, tx, run_id, update).await {
        // Such as one that somebody deleted meanwhile. The attempt ends all the same.
        Err(error) if is_refusal(&error) => {
            tracing::warn!(run = %run_id, error = %error.log_line(), "the run of an attempt keeps its state");
            Ok(())
        }
        ended => ended.map(|_| ()),
    }
}

async fn end_token(ctx: &Ctx, tx: &mut Tx, token: &TokenId) -> Result<()> {
    match revoke_token_in(ctx, tx, token).await {
        // Such as one that somebody revoked meanwhile.
        Err(error) if is_refusal(&error) => {
            tracing::warn!(error = %error.log_line(), "a run's token is not revoked");
            Ok(())
        }
        ended => ended,
    }
}

/// Whether a room said no, and it was not the database that failed.
fn is_refusal(error: &Error) -> bool {
    matches!(error.code(), Code::NotFound | Code::InvalidArgument | Code::Conflict | Code::PermissionDenied)
}

/// Stores what the command printed; of a very long log, its end, below a line that says so.
async fn keep_log(work: &Work, folder: &Path) -> Result<Option<Object>> {
    let file = folder.join(LOG_FILE);
    let unreadable = |error: std::io::Error| Error::new(Code::Unavailable, format!("a log cannot be read: {error}"));
    let length = std::fs::metadata(&file).map_or(0, |found| found.len());
    if length == 0 {
        return Ok(None);
    }
    let mut log = tokio::fs::File::open(&file).await.map_err(unreadable)?;
    let cut_bytes = length.saturating_sub(MAX_LOG_BYTES);
    let line = (cut_bytes > 0).then(|| Ok(Bytes::from(cut_line(cut_bytes))));
    tokio::io::AsyncSeekExt::seek(&mut log, std::io::SeekFrom::Start(cut_bytes)).await.map_err(unreadable)?;
    // What is added meanwhile comes too late.
    let chunks = stream::unfold(log.take(MAX_LOG_BYTES), |mut log| async move {
        let mut buffer = vec![0; 64 * 1024];
        match log.read(&mut buffer).await {
            Ok(0) => None,
            Ok(length) => {
                buffer.truncate(length);
                Some((Ok(Bytes::from(buffer)), log))
            }
            Err(error) => {
                let error = Error::new(Code::Unavailable, format!("a log cannot be read: {error}"));
                Some((Err(error), log))
            }
        }
    });
    work.rooms.objects.put(Box::pin(stream::iter(line).chain(chunks))).await.map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attempt_has_its_time_once() {
        let left = |now_ms| time_left(Duration::from_secs(60), 1_000, now_ms);
        assert_eq!(left(1_000), Duration::from_secs(60));
        assert_eq!(left(21_000), Duration::from_secs(40));
        assert_eq!(left(100_000), Duration::ZERO);
        assert_eq!(left(0), Duration::from_secs(60), "a clock that was set back takes nothing away");
    }
}
