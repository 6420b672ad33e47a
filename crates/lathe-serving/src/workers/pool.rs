//! The workers of one model version behind one queue. A worker takes what waits, asks it as one question, and gives each
//! caller its own rows; no timer delays anybody. One that ends or hangs is replaced, with growing pauses.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use lathe_core::{Code, Error, Result};
use serde_json::{Map, Value};
use tokio::sync::{Mutex, mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use super::batch;
use super::process::{Gone, Process, Ready};
use crate::payload::{Inputs, Outputs};

const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// A worker that lived this long does not count as one that keeps failing.
const STEADY: Duration = Duration::from_secs(60);
/// How long a request may take: it is the inference door's limit, too.
pub(crate) const ANSWER_TIMEOUT: Duration = Duration::from_secs(120);

/// How a worker is started.
#[derive(Debug, Clone)]
pub struct Launch {
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// Its working folder, and what it takes for its user's.
    pub home: PathBuf,
    /// What logs call it.
    pub label: String,
    /// How many processes.
    pub workers: usize,
    /// Whether requests that wait at the same time may be one question.
    pub is_batching: bool,
    /// Time and size.
    pub limits: Limits,
}

/// What a pool allows.
#[derive(Debug, Clone)]
pub struct Limits {
    /// For loading the model.
    pub start_timeout: Duration,
    /// For an answer, and for waiting in the queue.
    pub answer_timeout: Duration,
    /// Rows of one question; a single request may have more.
    pub max_batch_rows: usize,
    /// Requests that wait.
    pub max_waiting: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            start_timeout: Duration::from_secs(300),
            answer_timeout: ANSWER_TIMEOUT,
            max_batch_rows: 1024,
            max_waiting: 1024,
        }
    }
}

#[derive(Debug)]
struct Job {
    inputs: Arc<Inputs>,
    params: Arc<Map<String, Value>>,
    reply: oneshot::Sender<Result<Outputs>>,
}

/// What no worker has taken yet.
#[derive(Debug)]
struct Waiting {
    /// What a worker met in the queue and could not ask with the rest: the next one to take something takes it.
    next: Option<Job>,
    queue: mpsc::Receiver<Job>,
}

#[derive(Debug)]
struct Shared {
    launch: Launch,
    waiting: Mutex<Waiting>,
    alive: AtomicUsize,
    /// False where it was not wanted, and once the model answered several rows with another number of them.
    is_batching: AtomicBool,
    ids: std::sync::Mutex<Vec<Option<u32>>>,
}

/// The workers of one model version.
#[derive(Debug)]
pub struct Pool {
    queue: mpsc::Sender<Job>,
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

impl Pool {
    /// Starts the workers; answers once each has loaded the model.
    ///
    /// # Errors
    /// `Unavailable` with what the first one that failed said; then none is left running.
    pub(crate) async fn start(launch: Launch) -> Result<(Self, Ready)> {
        let (queue, receiver) = mpsc::channel(launch.limits.max_waiting.max(1));
        let (stop, stopping) = watch::channel(false);
        let workers = launch.workers.max(1);
        let shared = Arc::new(Shared {
            waiting: Mutex::new(Waiting { next: None, queue: receiver }),
            alive: AtomicUsize::new(0),
            is_batching: AtomicBool::new(launch.is_batching),
            ids: std::sync::Mutex::new(vec![None; workers]),
            launch,
        });
        let mut tasks = Vec::with_capacity(workers);
        let mut starts = Vec::with_capacity(workers);
        for index in 0..workers {
            let (started, start) = oneshot::channel();
            tasks.push(tokio::spawn(run_worker(Arc::clone(&shared), index, started, stopping.clone())));
            starts.push(start);
        }
        let pool = Self { queue, shared, stop, tasks: Mutex::new(tasks) };
        let mut ready = None;
        for start in starts {
            match start.await.unwrap_or_else(|_| Err(Error::internal("a worker's task ended early"))) {
                Ok(one) => ready = Some(one),
                Err(error) => {
                    pool.stop().await;
                    return Err(error);
                }
            }
        }
        let ready = ready.ok_or_else(|| Error::internal("a pool without workers"))?;
        Ok((pool, ready))
    }

    /// Asks the model.
    ///
    /// # Errors
    /// `ModelFailed` with what the model raised, `Unavailable` when the queue is full or the worker ended, `TimedOut`.
    pub(crate) async fn ask(&self, inputs: Arc<Inputs>, params: Arc<Map<String, Value>>) -> Result<Outputs> {
        self.check_alive()?;
        let label = &self.shared.launch.label;
        let (reply, answer) = oneshot::channel();
        self.queue.try_send(Job { inputs, params, reply }).map_err(|refused| match refused {
            mpsc::error::TrySendError::Full(_) => Error::new(
                Code::Unavailable,
                format!(
                    "{} requests wait for {label} already; try again in a moment",
                    self.shared.launch.limits.max_waiting
                ),
            ),
            mpsc::error::TrySendError::Closed(_) => stopped(label),
        })?;
        match tokio::time::timeout(self.shared.launch.limits.answer_timeout, answer).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(stopped(label)),
            Err(_) => Err(timed_out(&self.shared)),
        }
    }

    /// Fails while no worker can answer.
    ///
    /// # Errors
    /// `Unavailable`.
    pub(crate) fn check_alive(&self) -> Result<()> {
        if self.shared.alive.load(Ordering::Relaxed) > 0 {
            return Ok(());
        }
        let message = format!("{} is being started again; try again in a moment", self.shared.launch.label);
        Err(Error::new(Code::Unavailable, message))
    }

    /// The process ids of its workers that run.
    pub fn process_ids(&self) -> Vec<u32> {
        self.shared.ids.lock().map(|ids| ids.iter().flatten().copied().collect()).unwrap_or_default()
    }

    /// Ends the workers, also in the midst of a question; whoever still waits is told so.
    pub async fn stop(&self) {
        let _ = self.stop.send(true);
        for task in self.tasks.lock().await.drain(..) {
            // A task that panicked has dropped, and so killed, its process.
            let _ = task.await;
        }
        let mut waiting = self.shared.waiting.lock().await;
        waiting.queue.close();
        waiting.next = None;
        while waiting.queue.try_recv().is_ok() {}
    }
}

fn stopped(label: &str) -> Error {
    Error::new(Code::Unavailable, format!("the worker of {label} ended before it answered; try again"))
}

fn timed_out(shared: &Shared) -> Error {
    let seconds = shared.launch.limits.answer_timeout.as_secs();
    Error::new(Code::TimedOut, format!("{} did not answer within {seconds} s", shared.launch.label))
}

async fn run_worker(
    shared: Arc<Shared>,
    index: usize,
    started: oneshot::Sender<Result<Ready>>,
    mut stopping: watch::Receiver<bool>,
) {
    let mut started = Some(started);
    let mut pause = FIRST_PAUSE;
    loop {
        let start = tokio::select! {
            start = Process::start(&shared.launch) => start,
            _ = stopping.wait_for(|is_stopping| *is_stopping) => return,
        };
        let began = Instant::now();
        match start {
            Ok((process, ready)) => {
                if let Some(started) = started.take() {
                    let _ = started.send(Ok(ready));
                }
                if serve(&shared, index, process, &mut stopping).await == Ended::Stopped {
                    return;
                }
                tracing::warn!(worker.model = shared.launch.label, "a worker ended; it is started again");
            }
            Err(error) => {
                if let Some(started) = started.take() {
                    let _ = started.send(Err(error));
                    return;
                }
                tracing::warn!(worker.model = shared.launch.label, error = %error.log_line(), "a worker cannot be started again yet");
            }
        }
        if began.elapsed() > STEADY {
            pause = FIRST_PAUSE;
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = stopping.wait_for(|is_stopping| *is_stopping) => return,
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Ended {
    Stopped,
    Crashed,
}

/// Answers until told to stop or until the process is of no use.
async fn serve(shared: &Shared, index: usize, mut process: Process, stopping: &mut watch::Receiver<bool>) -> Ended {
    note_id(shared, index, process.id());
    shared.alive.fetch_add(1, Ordering::Relaxed);
    let ended = loop {
        let jobs = tokio::select! {
            biased;
            _ = stopping.wait_for(|is_stopping| *is_stopping) => break Ended::Stopped,
            () = process.wait() => break Ended::Crashed,
            jobs = take_jobs(shared) => jobs,
        };
        let answered = tokio::select! {
            biased;
            answered = answer_jobs(shared, &mut process, jobs) => answered,
            // Who stops the pool has waited for as long as is right.
            _ = stopping.wait_for(|is_stopping| *is_stopping) => break Ended::Stopped,
        };
        if answered.is_err() {
            break Ended::Crashed;
        }
    };
    shared.alive.fetch_sub(1, Ordering::Relaxed);
    note_id(shared, index, None);
    match ended {
        Ended::Stopped => process.end().await,
        Ended::Crashed => {
            process.kill();
            process.wait().await;
        }
    }
    ended
}

fn note_id(shared: &Shared, index: usize, id: Option<u32>) {
    if let Ok(mut ids) = shared.ids.lock()
        && let Some(slot) = ids.get_mut(index)
    {
        *slot = id;
    }
}

/// Waits for a request, and takes with it those that wait, can be one question with it and leave the other workers their share.
async fn take_jobs(shared: &Shared) -> Vec<Job> {
    let mut waiting = shared.waiting.lock().await;
    let first = match waiting.next.take() {
        Some(job) => job,
        None => match waiting.queue.recv().await {
            Some(job) => job,
            // The pool is gone: its stop signal is on the way.
            None => std::future::pending().await,
        },
    };
    let mut jobs = vec![first];
    take_alike(shared, &mut waiting, &mut jobs);
    jobs
}

fn take_alike(shared: &Shared, waiting: &mut Waiting, jobs: &mut Vec<Job>) {
    if !shared.is_batching.load(Ordering::Relaxed) {
        return;
    }
    let share = waiting.queue.len().div_ceil(shared.alive.load(Ordering::Relaxed).max(1));
    let mut rows: usize = jobs.iter().map(|job| job.inputs.rows()).sum();
    for _ in 0..share {
        let Ok(job) = waiting.queue.try_recv() else { return };
        rows += job.inputs.rows();
        let is_alike = |first: &Job| first.params == job.params && batch::is_alike(&first.inputs, &job.inputs);
        if rows > shared.launch.limits.max_batch_rows || !jobs.first().is_some_and(is_alike) {
            waiting.next = Some(job);
            return;
        }
        jobs.push(job);
    }
}

/// Answers each job; an error says that the process is of no use any more.
async fn answer_jobs(shared: &Shared, process: &mut Process, mut jobs: Vec<Job>) -> std::result::Result<(), Gone> {
    // Nobody waits for the answers of those who left.
    jobs.retain(|job| !job.reply.is_closed());
    if jobs.len() > 1 {
        jobs = answer_together(shared, process, jobs).await?;
    }
    for job in jobs {
        match process.ask(&job.inputs, &job.params, shared.launch.limits.answer_timeout).await {
            Ok(result) => drop(job.reply.send(result)),
            Err(gone) => return Err(tell_gone(shared, vec![job], gone)),
        }
    }
    Ok(())
}

/// Asks all as one question; answers those that must be asked one by one: all, when the model fails or does not answer by row.
async fn answer_together(
    shared: &Shared,
    process: &mut Process,
    jobs: Vec<Job>,
) -> std::result::Result<Vec<Job>, Gone> {
    let requests: Vec<&Inputs> = jobs.iter().map(|job| job.inputs.as_ref()).collect();
    let (Some(merged), Some(first)) = (batch::merge(&requests), jobs.first()) else { return Ok(jobs) };
    let outputs = match process.ask(&merged, &first.params, shared.launch.limits.answer_timeout).await {
        Ok(Ok(outputs)) => outputs,
        Ok(Err(_)) => return Ok(jobs),
        Err(gone) => return Err(tell_gone(shared, jobs, gone)),
    };
    let row_counts: Vec<usize> = requests.iter().map(|inputs| inputs.rows()).collect();
    let Some(parts) = batch::split(&outputs, &row_counts) else {
        shared.is_batching.store(false, Ordering::Relaxed);
        return Ok(jobs);
    };
    for (job, part) in jobs.into_iter().zip(parts) {
        let _ = job.reply.send(Ok(part));
    }
    Ok(Vec::new())
}

/// Tells the callers why there is no answer. Those of an ended worker hear it from their closed channel.
fn tell_gone(shared: &Shared, jobs: Vec<Job>, gone: Gone) -> Gone {
    if gone == Gone::TimedOut {
        for job in jobs {
            let _ = job.reply.send(Err(timed_out(shared)));
        }
    }
    gone
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::{Column, Table, Values};

    /// Says that it is ready, and answers nothing.
    const SILENT: &str = r#"printf '\035\0\0\0\0\0\0\0{"op":"ready","signature":{}}' >&0; sleep 3600"#;

    fn launch(script: &str, workers: usize) -> Launch {
        Launch {
            program: "/bin/sh".into(),
            arguments: vec!["-c".into(), script.into()],
            home: std::env::temp_dir(),
            label: "model/1".to_owned(),
            workers,
            is_batching: true,
            limits: Limits { answer_timeout: Duration::from_secs(3600), ..Limits::default() },
        }
    }

    fn inputs(values: Values) -> Arc<Inputs> {
        Arc::new(Inputs::Table(Table { columns: vec![Column { name: "a".to_owned(), values }] }))
    }

    #[tokio::test]
    async fn stopping_waits_for_no_question_that_is_under_way_or_in_the_queue() {
        let (pool, _) = Pool::start(launch(SILENT, 1)).await.unwrap();
        let pool = Arc::new(pool);
        let ask = |number: f64| {
            let pool = Arc::clone(&pool);
            tokio::spawn(async move { pool.ask(inputs(Values::Float64(vec![number])), Arc::default()).await })
        };
        let asked: Vec<_> = [1.0, 2.0].into_iter().map(ask).collect();
        // Both are with the worker or in the queue once its capacity is less by them, or the worker has taken them.
        tokio::time::sleep(Duration::from_millis(50)).await;
        let stopped = tokio::time::timeout(Duration::from_secs(600), async {
            pool.stop().await;
            for one in asked {
                assert_eq!(one.await.unwrap().unwrap_err().code(), Code::Unavailable);
            }
        });
        stopped.await.unwrap();
    }

    #[tokio::test]
    async fn what_cannot_be_asked_with_the_rest_is_for_the_next_worker() {
        let (queue, receiver) = mpsc::channel(8);
        let shared = Shared {
            launch: launch("", 2),
            waiting: Mutex::new(Waiting { next: None, queue: receiver }),
            alive: AtomicUsize::new(1),
            is_batching: AtomicBool::new(true),
            ids: std::sync::Mutex::default(),
        };
        for values in [Values::Float64(vec![1.0]), Values::Float64(vec![2.0]), Values::Int64(vec![3])] {
            let (reply, _) = oneshot::channel();
            queue.try_send(Job { inputs: inputs(values), params: Arc::default(), reply }).unwrap();
        }
        assert_eq!(take_jobs(&shared).await.len(), 2);
        // The first worker is at work; another takes what it left.
        let left = take_jobs(&shared).await;
        assert_eq!(left.first().map(|job| Arc::clone(&job.inputs)), Some(inputs(Values::Int64(vec![3]))));
        assert_eq!(left.len(), 1);
    }

    #[tokio::test]
    async fn requests_are_asked_one_by_one_where_batching_is_off() {
        let (queue, receiver) = mpsc::channel(8);
        let shared = Shared {
            launch: launch("", 1),
            waiting: Mutex::new(Waiting { next: None, queue: receiver }),
            alive: AtomicUsize::new(1),
            is_batching: AtomicBool::new(false),
            ids: std::sync::Mutex::default(),
        };
        for number in [1.0, 2.0] {
            let (reply, _) = oneshot::channel();
            let inputs = inputs(Values::Float64(vec![number]));
            queue.try_send(Job { inputs, params: Arc::default(), reply }).unwrap();
        }
        assert_eq!(take_jobs(&shared).await.len(), 1);
    }
}
