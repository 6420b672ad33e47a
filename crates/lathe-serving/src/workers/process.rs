//! One child process: start, one question at a time, end. It gets a clean environment, a process group of its own and, as its
//! standard input, a socket whose end it notices.

use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lathe_core::{Code, Error, Result};
use serde_json::{Map, Value};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::UnixStream;
use tokio::process::{Child, ChildStderr, Command};

use super::frame::{self, Reply};
use super::pool::Launch;
use crate::payload::{Inputs, Outputs};
use crate::signature::Signature;

/// The Python worker's source, for whoever lays it beside the models.
pub const WORKER_SCRIPT: &str = include_str!("../../python/lathe_worker.py");

/// What a worker gets from the server's environment: nothing that could be a credential.
const PASSED_ON: [&str; 8] =
    ["PATH", "LANG", "LC_ALL", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES"];
/// How many of the last lines that a worker printed are kept to explain its end.
const KEPT_LINES: usize = 40;
/// How long a worker may take to end by itself.
const END_TIMEOUT: Duration = Duration::from_secs(2);

/// What a worker said when it was ready.
#[derive(Debug, Clone)]
pub(crate) struct Ready {
    /// What the model takes and answers.
    pub(crate) signature: Signature,
}

/// A running worker.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    /// What came is buffered: nothing comes but the answer to the question that was asked.
    socket: BufReader<UnixStream>,
    printed: Arc<Mutex<VecDeque<String>>>,
}

/// Why a question has no answer: the worker is of no use any more.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Gone {
    /// It ended, or does not keep to the form.
    Ended,
    /// It did not answer in time.
    TimedOut,
}

impl Process {
    /// Starts the process and waits until its model is loaded.
    ///
    /// # Errors
    /// `Unavailable` with what the model or the interpreter said.
    pub(super) async fn start(launch: &Launch) -> Result<(Self, Ready)> {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair().map_err(cannot_start)?;
        ours.set_nonblocking(true).map_err(cannot_start)?;
        let socket = BufReader::new(UnixStream::from_std(ours).map_err(cannot_start)?);
        let mut child = command(launch, theirs.into()).spawn().map_err(|error| {
            let program = launch.program.file_name().unwrap_or_default().to_string_lossy().into_owned();
            Error::new(Code::Unavailable, format!("the worker's program `{program}` cannot be started: {error}"))
        })?;
        let printed = Arc::default();
        if let Some(stderr) = child.stderr.take() {
            tokio::spawn(keep_lines(stderr, Arc::clone(&printed), launch.label.clone()));
        }
        let mut process = Self { child, socket, printed };
        let first = tokio::time::timeout(launch.limits.start_timeout, frame::receive(&mut process.socket)).await;
        let refusal = match first {
            Ok(Ok(Reply::Ready { signature })) => match Signature::parse(&signature) {
                Ok(signature) => return Ok((process, Ready { signature })),
                Err(error) => error.message().to_owned(),
            },
            Ok(Ok(Reply::Failed { message })) => message,
            Ok(_) => {
                let status = process.child.wait().await.ok();
                process.explain_end(status)
            }
            Err(_) => format!("the model was not ready within {} s", launch.limits.start_timeout.as_secs()),
        };
        process.kill();
        Err(Error::new(Code::Unavailable, refusal))
    }

    fn explain_end(&self, status: Option<ExitStatus>) -> String {
        let lines = self.printed.lock().map(|lines| lines.iter().cloned().collect::<Vec<_>>()).unwrap_or_default();
        let last = lines.iter().rev().find(|line| !line.trim().is_empty());
        let status = status.map_or_else(|| "without a status".to_owned(), |status| status.to_string());
        match last {
            Some(line) => format!("the worker ended ({status}): {}", line.trim()),
            None => format!("the worker ended ({status})"),
        }
    }

    /// Its process id, while it runs.
    pub(super) fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Waits for its end.
    pub(super) async fn wait(&mut self) {
        // An error means that there is nothing to wait for.
        let _ = self.child.wait().await;
    }

    /// Asks; the inner error is the model's, the outer one says that the worker is of no use any more.
    pub(super) async fn ask(
        &mut self,
        inputs: &Inputs,
        params: &Map<String, Value>,
        timeout: Duration,
    ) -> std::result::Result<Result<Outputs>, Gone> {
        let question = match frame::encode(inputs, params) {
            Ok(question) => question,
            Err(error) => return Ok(Err(error)),
        };
        let exchange = async {
            frame::send(&mut self.socket, &question).await?;
            frame::receive(&mut self.socket).await
        };
        match tokio::time::timeout(timeout, exchange).await {
            Err(_) => Err(Gone::TimedOut),
            Ok(Ok(Reply::Answer(outputs))) => Ok(Ok(outputs)),
            Ok(Ok(Reply::Refused { message })) => Ok(Err(Error::invalid(message))),
            Ok(Ok(Reply::Error { message })) => {
                Ok(Err(Error::new(Code::ModelFailed, format!("the model could not answer: {message}"))))
            }
            Ok(_) => Err(Gone::Ended),
        }
    }

    /// Lets it end by itself, and kills what is left of its process group.
    pub(super) async fn end(self) {
        let Self { mut child, socket, .. } = self;
        let group = child.id();
        drop(socket);
        let _ = tokio::time::timeout(END_TIMEOUT, child.wait()).await;
        kill_group(group);
        let _ = child.wait().await;
    }

    /// Kills its process group at once.
    pub(super) fn kill(&self) {
        kill_group(self.child.id());
    }
}

fn kill_group(group: Option<u32>) {
    let pid = group.and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw);
    if let Some(pid) = pid {
        // Nothing is left of it when this fails.
        let _ = rustix::process::kill_process_group(pid, rustix::process::Signal::KILL);
    }
}

fn cannot_start(error: std::io::Error) -> Error {
    Error::internal("a worker's socket cannot be made").with_source(error)
}

fn command(launch: &Launch, socket: OwnedFd) -> Command {
    let mut command = Command::new(&launch.program);
    command.args(&launch.arguments).current_dir(&launch.home).env_clear();
    for name in PASSED_ON {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command
        .env("HOME", &launch.home)
        .env("MLFLOW_DISABLE_TELEMETRY", "true")
        .env("DO_NOT_TRACK", "1")
        .stdin(Stdio::from(socket))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    command
}

async fn keep_lines(stderr: ChildStderr, printed: Arc<Mutex<VecDeque<String>>>, label: String) {
    let mut lines = BufReader::new(stderr).split(b'\n');
    while let Ok(Some(line)) = lines.next_segment().await {
        let line: String = String::from_utf8_lossy(&line).chars().take(2_000).collect();
        tracing::debug!(worker.model = label, "{line}");
        if let Ok(mut printed) = printed.lock() {
            if printed.len() == KEPT_LINES {
                printed.pop_front();
            }
            printed.push_back(line);
        }
    }
}
