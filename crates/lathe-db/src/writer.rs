//! The single writer of SQLite: group commit.
//!
//! Every write is a job in a bounded queue. The writer opens one transaction, runs each waiting job in a savepoint of its
//! own, commits once for all of them, and only then acknowledges: one fsync serves everybody who waited, and a job that
//! fails rolls back alone.

use std::panic::AssertUnwindSafe;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use lathe_core::{Code, Error, Result};
use tokio::sync::mpsc;

use crate::{Tx, query};

/// How many writes may wait; one more is answered `Unavailable`.
const QUEUE_LENGTH: usize = 4096;
/// How many jobs share one commit at the most, so that the first never waits long for the last.
const GROUP_LENGTH: usize = 256;

/// Tells a waiting caller how its job ended; called after COMMIT.
pub(crate) type Acknowledge = Box<dyn FnOnce(Result<()>) + Send>;

/// A job answers whether it failed (its savepoint is then rolled back) and how to tell its caller.
pub(crate) type Job = Box<dyn for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, (bool, Acknowledge)> + Send>;

/// The queue's entrance.
#[derive(Debug, Clone)]
pub(crate) struct Writer {
    queue: mpsc::Sender<Job>,
}

impl Writer {
    /// Starts the writer on its own connection. It ends when the last `Writer` is dropped.
    pub(crate) fn start(tx: Tx, on_events: impl Fn() + Send + 'static) -> Result<Self> {
        let (queue, jobs) = mpsc::channel(QUEUE_LENGTH);
        // A thread of its own: SQLite's calls block, and a job that never leaves its thread costs no switch per statement.
        let thread = std::thread::Builder::new().name("sqlite-writer".to_owned());
        thread
            .spawn(move || futures::executor::block_on(run(tx, jobs, on_events)))
            .map_err(|error| Error::internal("the writer's thread cannot be started").with_source(error))?;
        Ok(Self { queue })
    }

    pub(crate) fn submit(&self, job: Job) -> Result<()> {
        self.queue.try_send(job).map_err(|_| {
            Error::new(Code::Unavailable, "too many writes are waiting; try again in a moment")
                .with_context("writer queue full or closed")
        })
    }
}

async fn run(mut tx: Tx, mut jobs: mpsc::Receiver<Job>, on_events: impl Fn()) {
    while let Some(first) = jobs.recv().await {
        tx.has_events = false;
        let mut acknowledgements = Vec::new();
        let outcome = run_group(&mut tx, first, &mut jobs, &mut acknowledgements).await;
        if let Err(error) = &outcome {
            tracing::warn!(error = %error.log_line(), jobs = acknowledgements.len(), "a group of writes was rolled back");
            // A failed BEGIN or COMMIT may or may not have left a transaction open.
            let _ = tx.execute(query("ROLLBACK")).await;
        }
        let has_committed_events = outcome.is_ok() && tx.has_events;
        for acknowledge in acknowledgements {
            acknowledge(match &outcome {
                Ok(()) => Ok(()),
                Err(error) => Err(error.duplicate()),
            });
        }
        if has_committed_events {
            on_events();
        }
    }
}

async fn run_group(
    tx: &mut Tx,
    first: Job,
    jobs: &mut mpsc::Receiver<Job>,
    acknowledgements: &mut Vec<Acknowledge>,
) -> Result<()> {
    if let Err(error) = tx.execute(query("BEGIN IMMEDIATE")).await {
        return Err(refuse_job(tx, first, error, acknowledgements).await);
    }
    let mut next = Some(first);
    while let Some(job) = next {
        // A job that is alone needs no savepoint: the whole transaction is its own.
        let is_alone = acknowledgements.is_empty() && jobs.is_empty();
        if !is_alone && let Err(error) = tx.execute(query("SAVEPOINT job")).await {
            return Err(refuse_job(tx, job, error, acknowledgements).await);
        }
        tx.failure = None;
        let (is_ok, acknowledge) = job(tx).await;
        acknowledgements.push(acknowledge);
        if let Some(failure) = tx.failure.take()
            && matches!(failure.code(), Code::OutOfSpace | Code::Unavailable)
        {
            // After such a failure SQLite may have rolled back everything: nobody of this group may be told otherwise.
            return Err(failure);
        }
        if is_alone && !is_ok {
            tx.execute(query("ROLLBACK")).await?;
            return Ok(());
        }
        if !is_alone {
            if !is_ok {
                tx.execute(query("ROLLBACK TO job")).await?;
            }
            tx.execute(query("RELEASE job")).await?;
        }
        next = if acknowledgements.len() < GROUP_LENGTH && !is_alone { jobs.try_recv().ok() } else { None };
    }
    tx.execute(query("COMMIT")).await.map(|_| ())
}

/// Runs a job that has no transaction, so that its caller is told: each of its statements is refused.
async fn refuse_job(tx: &mut Tx, job: Job, error: Error, acknowledgements: &mut Vec<Acknowledge>) -> Error {
    tx.refusal = Some(error.duplicate());
    let (_, acknowledge) = job(tx).await;
    acknowledgements.push(acknowledge);
    tx.refusal = None;
    error
}

/// Runs a caller's closure; a panic inside becomes an error of that caller alone.
pub(crate) async fn run_caught<T>(
    work: impl for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T>>,
    tx: &mut Tx,
) -> Result<T> {
    match AssertUnwindSafe(async { work(tx).await }).catch_unwind().await {
        Ok(result) => tx.ignored_failure(result),
        Err(_) => Err(Error::internal("a write panicked")),
    }
}
