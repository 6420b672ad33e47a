//! One attempt, attended from its claim to its end.

use std::path::Path;
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable as _};
use bytes::Bytes;
use futures::stream;
use lathe_access::tokens::revoke_token;
use lathe_core::{Code, Ctx, Error, Result, RunId};
use lathe_db::once;
use lathe_objects::Object;
use lathe_tracking::RunStatus;
use lathe_tracking::runs::{UpdateRun, update_run};
use lathe_workflows::AttemptStatus;
use lathe_workflows::attempts::{
    Attempt, Claim, Finish, LOG_FILE, Renewed, finish_attempt, finish_cached, renew_attempt,
};
use lathe_workflows::jobs::{Job, Outcome};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use serde::de::DeserializeOwned;
use tokio::io::AsyncReadExt as _;
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
/// What is kept of a log.
const MAX_LOG_BYTES: u64 = 64 * 1024 * 1024;
/// How often, at the most, is tried again what the database or the object store did not answer.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// How long a log may wait for the object store.
const LOG_PATIENCE: Duration = Duration::from_secs(60);
/// How long a file of the folder may be unreadable.
const FILE_PATIENCE: Duration = Duration::from_secs(10);

/// What an attempt came to.
enum End {
    /// It is to be ended so.
    Finish(Finish),
    /// It is to be ended by what an earlier job made.
    Cached(Box<Job>),
    /// It is somebody else's.
    Elsewhere,
}

/// Does an attempt, or goes on with one that another server began.
pub(super) async fn attend(work: &Work, claim: Claim) {
    let done = match claim.declaration() {
        Ok(job) if job.command().is_some() => attend_command(work, &claim).await,
        Ok(job) => attend_actions(work, &claim, job.timeout).await,
        Err(error) => Err(error),
    };
    let end = done.unwrap_or_else(|error| {
        tracing::warn!(job = %claim.job.key, run = %claim.run.id, error = %error.log_line(), "an attempt failed");
        End::Finish(Finish::failed(error.message()))
    });
    let ctx = work.server_ctx();
    // It ended; that this cannot be stored now must not make it something else.
    let ended = match end {
        End::Finish(how) => patiently(None, || finish(work, &claim, how.clone())).await,
        End::Cached(made) => {
            patiently(None, || finish_cached(&ctx, &work.rooms.workflows, &claim, (*made).clone())).await
        }
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
    let doing = patiently(Some(timeout), || actions::perform(work, claim));
    match while_held(work, claim, |renewed| renewed != Renewed::Held, doing).await {
        Ok(Ok(values)) => Ok(End::Finish(Finish::succeeded(Outcome { values, ..Outcome::default() }))),
        Ok(Err(error)) => Err(error),
        Err(renewed) => Ok(given_up(renewed)),
    }
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
    // An attempt with a later fence was claimed before, by a server that is gone.
    if claim.attempt.fence > 1 {
        if !has_runner(&folder).await? {
            return Ok(End::Finish(Finish { status: AttemptStatus::Lost, ..Finish::failed(NEVER_BEGAN) }));
        }
    } else {
        let launching = launch::launch(work, claim, &folder);
        match while_held(work, claim, |renewed| renewed != Renewed::Held, launching).await {
            Ok(Ok(Launched::Started)) => {}
            Ok(Ok(Launched::Cached(made))) => return Ok(End::Cached(made)),
            Ok(Ok(Launched::Lost)) => return Ok(End::Elsewhere),
            // Nothing of it has run: it is as if its process had been lost at once.
            Ok(Err(error)) if error.code() == Code::Unavailable => {
                let how = Finish::failed(error.message());
                return Ok(End::Finish(Finish { status: AttemptStatus::Lost, ..how }));
            }
            Ok(Err(error)) => return Err(error),
            Err(renewed) => return Ok(given_up(renewed)),
        }
    }
    let Some(ended) = wait(work, claim, &folder).await? else { return Ok(End::Elsewhere) };
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
    Ok(End::Finish(Finish { status, exit_code, reason, outcome, log }))
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

/// Waits until the runner has ended; `None` when the attempt is no longer this server's.
async fn wait(work: &Work, claim: &Claim, folder: &Path) -> Result<Option<Ended>> {
    let begun = Instant::now();
    let mut renewed_at = Instant::now();
    let mut told_at: Option<Instant> = None;
    let mut pause = Duration::from_millis(5);
    loop {
        if let Some(ended) = look::<Ended>(folder, RESULT).await? {
            return Ok(Some(ended));
        }
        let process = look::<Process>(folder, PROCESS).await?;
        let is_gone = match process {
            Some(process) => !process.is_alive(),
            None => begun.elapsed() > START,
        };
        if is_gone {
            // It may have written its result between the two looks.
            if let Some(ended) = look::<Ended>(folder, RESULT).await? {
                return Ok(Some(ended));
            }
            end_group(process);
            let reason = LOST.to_owned();
            return Ok(Some(Ended { how: How::Failed, exit_code: None, reason, outcome: Outcome::default() }));
        }
        if renewed_at.elapsed() >= RENEWAL {
            renewed_at = Instant::now();
            match renew(work, claim).await {
                Renewed::Held => {}
                Renewed::Lost => return Ok(None),
                Renewed::Canceled => {
                    let told = *told_at.get_or_insert_with(|| {
                        signal(process, Signal::TERM);
                        Instant::now()
                    });
                    if told.elapsed() > GRACE {
                        signal(process, Signal::KILL);
                        end_group(process);
                    }
                }
            }
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(POLL);
    }
}

/// Reads a file of the folder; that it cannot be read just now says nothing of the attempt.
async fn look<T: DeserializeOwned>(folder: &Path, name: &str) -> Result<Option<T>> {
    patiently(Some(FILE_PATIENCE), || async { order::read(folder, name) }).await
}

fn signal(process: Option<Process>, signal: Signal) {
    if let Some(pid) = process.filter(|process| process.is_alive()).and_then(|process| Pid::from_raw(process.pid)) {
        // It may have ended just now.
        let _ = kill_process(pid, signal);
    }
}

/// A runner that was killed leaves its command behind.
fn end_group(process: Option<Process>) {
    if let Some(group) = process.and_then(|process| process.group).and_then(Pid::from_raw) {
        // There may be nobody left.
        let _ = kill_process_group(group, Signal::KILL);
    }
}

/// Ends an attempt; answers whether it has ended. The run ends first: a run that outlives its attempt would look as if it were at work
/// for ever.
async fn finish(work: &Work, claim: &Claim, finish: Finish) -> Result<bool> {
    let ctx = work.ctx(&claim.run.project);
    let status = match finish.status {
        AttemptStatus::Succeeded => RunStatus::Finished,
        AttemptStatus::Canceled => RunStatus::Killed,
        _ => RunStatus::Failed,
    };
    let attempts =
        lathe_workflows::jobs::list_attempts(&ctx, &work.rooms.workflows, &claim.run.id, &claim.job.key).await?;
    let current = attempts.into_iter().find(|attempt| attempt.attempt == claim.attempt.attempt);
    let Some(current) = current else { return Ok(false) };
    if current.status != AttemptStatus::Running {
        return Ok(true);
    }
    if current.fence != claim.attempt.fence {
        return Ok(false);
    }
    if let Some(run_id) = run_of(work, claim, &current).await? {
        let update = UpdateRun { status: Some(status), end_time_ms: Some(ctx.now_ms()), name: None };
        match update_run(&ctx, &work.rooms.tracking, &run_id, update).await {
            Err(error) if error.code() == Code::Unavailable => return Err(error),
            // Such as one that somebody deleted meanwhile. The attempt ends all the same.
            Err(error) => {
                tracing::warn!(run = %run_id, error = %error.log_line(), "the run of an attempt keeps its state");
            }
            Ok(_) => {}
        }
        lathe_data::uses::flush(&work.rooms.data).await?;
    }
    if let Some(token_id) = current.token_id {
        end_token(&ctx, work, token_id).await?;
    }
    let claim = Claim { attempt: Attempt { run_id: current.run_id, ..claim.attempt.clone() }, ..claim.clone() };
    finish_attempt(&work.server_ctx(), &work.rooms.workflows, &claim, finish).await
}

/// The run that an attempt is, also when a crash kept it from being attached.
async fn run_of(work: &Work, claim: &Claim, current: &Attempt) -> Result<Option<RunId>> {
    if let Some(run_id) = &current.run_id {
        return Ok(Some(run_id.clone()));
    }
    let made = once::look_up(&work.rooms.db, &launch::naming_run(work, claim)).await?;
    made.map(|made| RunId::parse(&made)).transpose()
}

async fn end_token(ctx: &Ctx, work: &Work, token: lathe_core::TokenId) -> Result<()> {
    match revoke_token(ctx, &work.rooms.access, token).await {
        Err(error) if error.code() == Code::Unavailable => return Err(error),
        Err(error) => tracing::warn!(error = %error.log_line(), "a run's token holds until it expires"),
        Ok(()) => {}
    }
    Ok(())
}

/// Stores what the command printed; of a very long log, its end.
async fn keep_log(work: &Work, folder: &Path) -> Result<Option<Object>> {
    let file = folder.join(LOG_FILE);
    let Ok(mut log) = tokio::fs::File::open(&file).await else { return Ok(None) };
    let unreadable = |error: std::io::Error| Error::new(Code::Unavailable, format!("a log cannot be read: {error}"));
    let length = log.metadata().await.map_err(unreadable)?.len();
    if length == 0 {
        return Ok(None);
    }
    if length > MAX_LOG_BYTES {
        tokio::io::AsyncSeekExt::seek(&mut log, std::io::SeekFrom::Start(length - MAX_LOG_BYTES))
            .await
            .map_err(unreadable)?;
    }
    let chunks = stream::unfold(log, |mut log| async move {
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
    work.rooms.objects.put(Box::pin(chunks)).await.map(Some)
}
