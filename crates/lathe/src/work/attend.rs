//! One attempt, attended from its claim to its end.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use futures::stream;
use lathe_access::tokens::revoke_token;
use lathe_core::{Ctx, Error, Result};
use lathe_objects::Object;
use lathe_tracking::RunStatus;
use lathe_tracking::runs::{UpdateRun, update_run};
use lathe_workflows::AttemptStatus;
use lathe_workflows::attempts::{Claim, Finish, LOG_FILE, Renewed, finish_attempt, finish_cached, renew_attempt};
use lathe_workflows::jobs::Outcome;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tokio::io::AsyncReadExt as _;
use tokio::time::Instant;

use super::dispatcher::{LEASE_MS, RENEWAL};
use super::launch::{self, Launched};
use super::order::{self, Ended, How, PROCESS, Process, RESULT};
use super::{Work, actions};

/// How often a process that is no child of this server is looked at.
const POLL: Duration = Duration::from_millis(200);
/// How long a runner may take to end its command after it was told to; its own grace is shorter.
const GRACE: Duration = Duration::from_secs(15);
/// How long a runner may take to say who it is.
const START: Duration = Duration::from_secs(30);
/// What is kept of a log.
const MAX_LOG_BYTES: u64 = 64 * 1024 * 1024;

/// Does an attempt, or goes on with one that another server began.
pub(super) async fn attend(work: &Work, claim: Claim) {
    let done = match claim.declaration() {
        Ok(job) if job.command().is_some() => attend_command(work, &claim).await,
        Ok(_) => attend_actions(work, &claim).await,
        Err(error) => Err(error),
    };
    let Err(error) = done else { return };
    tracing::warn!(job = %claim.job.key, run = %claim.run.id, error = %error.log_line(), "an attempt failed");
    let ended = finish(work, &claim, Finish::failed(error.message())).await;
    if let Err(error) = ended {
        // Its lease runs out, and whoever adopts it ends it.
        tracing::warn!(job = %claim.job.key, error = %error.log_line(), "an attempt could not be ended");
    }
}

/// What the server does itself, while the lease is kept; given up when the run is canceled.
async fn attend_actions(work: &Work, claim: &Claim) -> Result<()> {
    let doing = actions::perform(work, claim);
    tokio::pin!(doing);
    let mut renewals = tokio::time::interval(RENEWAL);
    renewals.tick().await;
    let finish_with = loop {
        tokio::select! {
            done = &mut doing => break match done {
                Ok(values) => Finish::succeeded(Outcome { values, ..Outcome::default() }),
                Err(error) => Finish::failed(error.message()),
            },
            _ = renewals.tick() => match renew(work, claim).await {
                Renewed::Held => {}
                Renewed::Canceled => break canceled(),
                Renewed::Lost => return Ok(()),
            },
        }
    };
    finish(work, claim, finish_with).await
}

fn canceled() -> Finish {
    Finish { status: AttemptStatus::Canceled, ..Finish::failed("canceled") }
}

/// A failure to ask is no loss: the lease holds longer than several of them.
async fn renew(work: &Work, claim: &Claim) -> Renewed {
    let renewed = renew_attempt(&work.server_ctx(), &work.rooms.workflows, &claim.attempt, LEASE_MS).await;
    renewed.unwrap_or_else(|error| {
        tracing::warn!(job = %claim.job.key, error = %error.log_line(), "a lease is not renewed; trying again");
        Renewed::Held
    })
}

async fn attend_command(work: &Work, claim: &Claim) -> Result<()> {
    let folder = launch::folder(work, claim);
    // An attempt whose folder is there was begun by a server before this one.
    if claim.attempt.fence == 1 {
        match launch::launch(work, claim, &folder).await? {
            Launched::Started => {}
            Launched::Cached(made) => {
                finish_cached(&work.server_ctx(), &work.rooms.workflows, claim, *made).await?;
                return Ok(());
            }
            Launched::Lost => return Ok(()),
        }
    }
    let ended = wait(work, claim, &folder).await?;
    let Some(ended) = ended else { return Ok(()) };
    let log = keep_log(work, &folder).await?;
    let status = match ended.how {
        How::Succeeded => AttemptStatus::Succeeded,
        How::Failed => AttemptStatus::Failed,
        How::Canceled => AttemptStatus::Canceled,
    };
    let status = if ended.reason == LOST { AttemptStatus::Lost } else { status };
    let Ended { exit_code, reason, outcome, .. } = ended;
    finish(work, claim, Finish { status, exit_code, reason, outcome, log }).await?;
    remove(&folder);
    Ok(())
}

const LOST: &str = "its process is gone and left no result";

/// Waits until the runner has ended; `None` when the attempt is no longer this server's.
async fn wait(work: &Work, claim: &Claim, folder: &Path) -> Result<Option<Ended>> {
    let begun = Instant::now();
    let mut renewed_at = Instant::now();
    let mut told_at: Option<Instant> = None;
    let mut pause = Duration::from_millis(5);
    loop {
        if let Some(ended) = order::read::<Ended>(folder, RESULT)? {
            return Ok(Some(ended));
        }
        let process = order::read::<Process>(folder, PROCESS)?;
        let is_gone = match process {
            Some(process) => !process.is_alive(),
            None => begun.elapsed() > START,
        };
        if is_gone {
            // It may have written its result between the two looks.
            if let Some(ended) = order::read::<Ended>(folder, RESULT)? {
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

/// The run ends first: a run that outlives its attempt would look as if it were at work for ever.
async fn finish(work: &Work, claim: &Claim, finish: Finish) -> Result<()> {
    let ctx = work.ctx(&claim.run.project);
    let status = match finish.status {
        AttemptStatus::Succeeded => RunStatus::Finished,
        AttemptStatus::Canceled => RunStatus::Killed,
        _ => RunStatus::Failed,
    };
    let attempts =
        lathe_workflows::jobs::list_attempts(&ctx, &work.rooms.workflows, &claim.run.id, &claim.job.key).await?;
    let current = attempts.into_iter().find(|attempt| attempt.attempt == claim.attempt.attempt);
    let made = current.and_then(|attempt| Some((attempt.run_id?, attempt.token_id?)));
    let mut claim = claim.clone();
    if let Some((run_id, token_id)) = made {
        let update = UpdateRun { status: Some(status), end_time_ms: Some(ctx.now_ms()), name: None };
        update_run(&ctx, &work.rooms.tracking, &run_id, update).await?;
        lathe_data::uses::flush(&work.rooms.data).await?;
        end_token(&ctx, work, token_id).await;
        claim.attempt.run_id = Some(run_id);
    }
    if !finish_attempt(&work.server_ctx(), &work.rooms.workflows, &claim, finish).await? {
        tracing::info!(job = %claim.job.key, run = %claim.run.id, "an attempt ended elsewhere; what this one made does not count");
    }
    Ok(())
}

async fn end_token(ctx: &Ctx, work: &Work, token: lathe_core::TokenId) {
    if let Err(error) = revoke_token(ctx, &work.rooms.access, token).await {
        tracing::warn!(error = %error.log_line(), "a run's token holds until it expires");
    }
}

/// Stores what the command printed; of a very long log, its end.
async fn keep_log(work: &Work, folder: &Path) -> Result<Option<Object>> {
    let file = folder.join(LOG_FILE);
    let Ok(mut log) = tokio::fs::File::open(&file).await else { return Ok(None) };
    let unreadable =
        |error: std::io::Error| Error::new(lathe_core::Code::Unavailable, format!("a log cannot be read: {error}"));
    let length = log.metadata().await.map_err(unreadable)?.len();
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
                let error = Error::new(lathe_core::Code::Unavailable, format!("a log cannot be read: {error}"));
                Some((Err(error), log))
            }
        }
    });
    work.rooms.objects.put(Box::pin(chunks)).await.map(Some)
}

/// The folder of an ended attempt holds nothing that is needed.
fn remove(folder: &PathBuf) {
    if let Err(error) = std::fs::remove_dir_all(folder) {
        tracing::debug!(%error, "an attempt's folder is left behind");
    }
}
