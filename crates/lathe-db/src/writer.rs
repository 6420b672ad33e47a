//! The single writer of SQLite: group commit.
//!
//! Every write is a job in a bounded queue. The writer opens one transaction, runs each waiting job in a savepoint of its
//! own, commits once for all of them, and only then acknowledges: one fsync serves everybody who waited, and a job that
//! fails rolls back alone.
//!
//! A brief job that finds nobody at work is done on the thread that asks: the way to the writer's thread and back costs more
//! than its statements.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex as StdMutex, PoisonError};
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use lathe_core::{Code, Error, Result};
use tokio::sync::{Mutex, mpsc};

use crate::{Tx, query};

/// How many writes may wait; one more is answered `Unavailable`.
const QUEUE_LENGTH: usize = 4096;
/// How many jobs share one commit at the most, so that the first never waits long for the last.
const GROUP_LENGTH: usize = 256;

/// How long a writer that met others expects them to come again.
const ALONE_AFTER: Duration = Duration::from_millis(20);

/// Tells a waiting caller how its job ended; called after COMMIT.
pub(crate) type Acknowledge = Box<dyn FnOnce(Result<()>) + Send>;

/// A job answers whether it failed (its savepoint is then rolled back) and how to tell its caller.
pub(crate) type Job = Box<dyn for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, (bool, Acknowledge)> + Send>;

/// The queue's entrance.
#[derive(Debug, Clone)]
pub(crate) struct Writer {
    queue: mpsc::Sender<Job>,
    seat: Arc<Mutex<Seat>>,
    /// When a brief job last met others.
    met_others_at: Arc<StdMutex<Option<Instant>>>,
}

impl Writer {
    /// Starts the writer on its own connection. It ends when the last `Writer` is dropped.
    pub(crate) fn start(tx: Tx, on_events: impl Fn() + Send + 'static) -> Result<Self> {
        let (queue, jobs) = mpsc::channel(QUEUE_LENGTH);
        let seat = Arc::new(Mutex::new(Seat { tx, on_events: Box::new(on_events) }));
        // A thread of its own: SQLite's calls block, and a job that never leaves its thread costs no switch per statement.
        let thread = std::thread::Builder::new().name("sqlite-writer".to_owned());
        thread
            .spawn({
                let seat = Arc::clone(&seat);
                move || futures::executor::block_on(run(&seat, jobs))
            })
            .map_err(|error| Error::internal("the writer's thread cannot be started").with_source(error))?;
        Ok(Self { queue, seat, met_others_at: Arc::default() })
    }

    pub(crate) fn submit(&self, job: Job) -> Result<()> {
        self.queue.try_send(job).map_err(|_| {
            Error::new(Code::Unavailable, "too many writes are waiting; try again in a moment")
                .with_context("writer queue full or closed")
        })
    }

    /// Does the job here and now when nobody else is at work or was just now: it blocks this thread for one commit. Only one thread
    /// at a time does so. Where several write, all join the queue, and share their commits there.
    pub(crate) fn submit_brief(&self, job: Job) -> Result<()> {
        let seat = self.seat.try_lock().ok().filter(|_| self.queue.capacity() == QUEUE_LENGTH);
        let mut met_others_at = self.met_others_at.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(mut seat) = seat else {
            *met_others_at = Some(Instant::now());
            return self.submit(job);
        };
        if met_others_at.is_some_and(|at| at.elapsed() < ALONE_AFTER) {
            return self.submit(job);
        }
        drop(met_others_at);
        seat.do_now(job);
        Ok(())
    }
}

/// Where one writer at a time sits.
struct Seat {
    tx: Tx,
    on_events: Box<dyn Fn() + Send>,
}

impl std::fmt::Debug for Seat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Seat").field("tx", &self.tx).finish_non_exhaustive()
    }
}

async fn run(seat: &Mutex<Seat>, mut jobs: mpsc::Receiver<Job>) {
    while let Some(first) = jobs.recv().await {
        seat.lock().await.do_group(first, Some(&mut jobs)).await;
    }
}

impl Seat {
    fn do_now(&mut self, job: Job) {
        // Its statements run where they are asked for: there is nothing else that it may wait for.
        if self.do_group(job, None).now_or_never().is_none() {
            tracing::error!("a brief write waited for something; it was rolled back");
            let _ = self.tx.execute(query("ROLLBACK")).now_or_never();
        }
    }

    async fn do_group(&mut self, first: Job, jobs: Option<&mut mpsc::Receiver<Job>>) {
        self.tx.has_events = false;
        let mut acknowledgements = Vec::new();
        let outcome = run_group(&mut self.tx, first, jobs, &mut acknowledgements).await;
        if let Err(error) = &outcome {
            tracing::warn!(error = %error.log_line(), jobs = acknowledgements.len(), "a group of writes was rolled back");
            // A failed BEGIN or COMMIT may or may not have left a transaction open.
            let _ = self.tx.execute(query("ROLLBACK")).await;
        }
        let has_committed_events = outcome.is_ok() && self.tx.has_events;
        for acknowledge in acknowledgements {
            acknowledge(match &outcome {
                Ok(()) => Ok(()),
                Err(error) => Err(error.duplicate()),
            });
        }
        if has_committed_events {
            (self.on_events)();
        }
    }
}

async fn run_group(
    tx: &mut Tx,
    first: Job,
    mut jobs: Option<&mut mpsc::Receiver<Job>>,
    acknowledgements: &mut Vec<Acknowledge>,
) -> Result<()> {
    if let Err(error) = tx.execute(query("BEGIN IMMEDIATE")).await {
        return Err(refuse_job(tx, first, error, acknowledgements).await);
    }
    let mut next = Some(first);
    while let Some(job) = next {
        // A job that is alone needs no savepoint: the whole transaction is its own.
        let is_alone = acknowledgements.is_empty() && jobs.as_ref().is_none_or(|jobs| jobs.is_empty());
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
        let has_room = acknowledgements.len() < GROUP_LENGTH && !is_alone;
        next = jobs.as_mut().filter(|_| has_room).and_then(|jobs| jobs.try_recv().ok());
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
