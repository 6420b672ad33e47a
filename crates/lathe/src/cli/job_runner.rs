//! The process that does one attempt of a job: `lathe job-runner FOLDER`, started by the server and not for people.
//!
//! It leads a session of its own, so that it goes on when the server stops: the next server finds it by pid and start time. It says
//! what it does in files of its folder, the last of which is how it ended.

mod fetch;
mod mask;
mod publish;
mod python;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable as _};
use lathe_core::{Code, Error, Result};
use lathe_workflows::attempts::LOG_FILE;
use lathe_workflows::file::write_duration;
use lathe_workflows::jobs::Outcome;
use rustix::process::{Pid, Signal, kill_process_group, setsid};
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::Instant;

use self::mask::Mask;
use super::client::Client;
use super::output::Output;
use crate::caches;
use crate::work::order::{self, Ended, How, ORDER, Order, Outlives, PROCESS, Process, RESULT};

/// The first argument of the program that makes it a runner; the second is the attempt's folder.
pub const WORD: &str = "job-runner";
/// How long a command may take to end after it was told to.
const GRACE: Duration = Duration::from_secs(10);
/// How long what a command printed may take to be copied, when it was told to end; that and the grace are less than the server waits.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// How long the server may be away.
const PATIENCE: Duration = Duration::from_secs(10 * 60);
/// The longest file of values.
const MAX_VALUES_BYTES: u64 = 64 * 1024;
/// What a command gets of the server's environment.
const PASSED_ON: &[&str] = &["PATH", "LANG", "LC_ALL", "TZ", "TMPDIR", "USER", "LOGNAME", "VIRTUAL_ENV"];

/// Does what the folder's order says. Every job pays for this start, so it is a small one: no command line is parsed, no settings are
/// read, and one thread is enough.
///
/// # Errors
/// As [`run`], and `Internal` when there can be no runtime.
pub(super) fn main(folder: &Path) -> Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Error::internal("the runtime cannot start").with_source(error))?;
    let ended = runtime.block_on(run(folder, &Output::quiet()));
    // Without waiting for what blocks: a lock of somebody else, or a pipe that something in the background holds open.
    runtime.shutdown_background();
    ended
}

/// Does what the folder's order says.
///
/// # Errors
/// `Unavailable` when the folder cannot be read or written; whatever happens after that is in its result.
async fn run(folder: &Path, output: &Output) -> Result<ExitCode> {
    // Before anybody knows of this process: who does may tell it to end.
    let told = signal(SignalKind::terminate())
        .map_err(|error| Error::internal("signals cannot be attended").with_source(error))?;
    // Fails when it leads a session already, as when a person starts it.
    let _ = setsid();
    let order: Order =
        order::read(folder, ORDER)?.ok_or_else(|| Error::not_found(format!("{} has no {ORDER}", folder.display())))?;
    let timeout = Duration::from_millis(order.timeout_ms);
    let mut stop = Stop { told, deadline: Instant::now() + timeout, timeout, has_come: false };
    let mut process = Process { pid: own_pid()?, started: 0, boot: order::boot(), group: None, group_started: None };
    process.started = order::start_of(process.pid)
        .ok_or_else(|| Error::new(Code::Unavailable, "this system does not say when a process started"))?;
    order::write(folder, PROCESS, &process, Outlives::Process)?;
    // Nobody needs it any more, and other jobs are of the same user. Where it is gone, another server has given this attempt up.
    std::fs::remove_file(folder.join(ORDER)).map_err(|error| unusable(&folder.join(ORDER), &error))?;
    let ended = match work(folder, &order, process, &mut stop, output).await {
        Ok(ended) => ended,
        Err(error) => {
            note(folder, &format!("error: {}", error.message()));
            failed(None, error.message().to_owned())
        }
    };
    order::write(folder, RESULT, &ended, Outlives::Machine)?;
    if stop.has_come {
        // With what makes a Python environment and did not end when it was told to; so this process ends here, too.
        end_group(Some(process.pid), Signal::KILL);
    }
    Ok(ExitCode::SUCCESS)
}

fn own_pid() -> Result<i32> {
    i32::try_from(std::process::id()).map_err(|error| Error::internal("a pid is too large").with_source(error))
}

fn failed(exit_code: Option<i64>, reason: String) -> Ended {
    Ended { how: How::Failed, exit_code, reason, outcome: Outcome::default() }
}

/// A line of the runner's own in the command's log.
fn note(folder: &Path, line: &str) {
    if let Ok(mut log) = open_log(folder) {
        // The log is all there is to say it in.
        let _ = writeln!(log, "[lathe] {line}");
    }
}

fn open_log(folder: &Path) -> Result<File> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(folder.join(LOG_FILE))
        .map_err(|error| Error::new(Code::Unavailable, format!("the log cannot be written: {error}")))
}

/// What ends an attempt before its work is done.
struct Stop {
    told: tokio::signal::unix::Signal,
    deadline: Instant,
    timeout: Duration,
    has_come: bool,
}

impl Stop {
    /// How the attempt ends, once it has to; `doing` says during what.
    async fn wait(&mut self, doing: &str) -> Ended {
        let ended = tokio::select! {
            _ = self.told.recv() => {
                Ended { how: How::Canceled, ..failed(None, "canceled".to_owned()) }
            }
            () = tokio::time::sleep_until(self.deadline) => {
                failed(None, format!("it took longer than {}{doing}", write_duration(self.timeout)))
            }
        };
        self.has_come = true;
        ended
    }
}

/// All that a command needs.
struct Prepared {
    at: PathBuf,
    variables: BTreeMap<String, String>,
    /// Its Python environment.
    environment: Option<PathBuf>,
    values: PathBuf,
}

async fn work(folder: &Path, order: &Order, process: Process, stop: &mut Stop, output: &Output) -> Result<Ended> {
    // Made only where it is of use: it reads the certificates of this machine.
    let needs_client = !(order.inputs.is_empty() && order.outputs.is_empty());
    let client = needs_client.then(|| Client::with_token(&order.server, &order.project, &order.token)).transpose()?;
    let mut preparing = Box::pin(prepare(folder, order, client.as_ref(), output));
    let Prepared { at, variables, environment, values } = tokio::select! {
        prepared = &mut preparing => prepared?,
        ended = stop.wait(" before its command began: its inputs and its Python environment count") => {
            // While the environment is still locked: nobody else may begin with it before those who make it are told to end.
            end_group(Some(process.pid), Signal::TERM);
            return Ok(ended);
        }
    };
    drop(preparing);
    let mask = Mask::new(&order.secrets)?;
    let (child, copying) = start(order, folder, &at, variables, environment.as_deref(), mask.clone())?;
    let ended = tokio::select! {
        ended = attend(child, folder, process, stop) => ended?,
        never = keep_marked(environment) => match never {},
    };
    // The server that told it to end waits little longer than the command may take to end.
    let patience = if stop.has_come { LAST_WORDS } else { GRACE };
    copied(copying, folder, patience).await;
    if ended.how != How::Succeeded {
        return Ok(ended);
    }
    let mut values = read_values(&values)?;
    values.values_mut().for_each(|value| *value = mask.cover(value));
    let Some(client) = &client else { return Ok(Ended { outcome: Outcome { values, ..Outcome::default() }, ..ended }) };
    let found = publish::find(order, &at, |line| note(folder, &mask.cover(line)))?;
    tokio::select! {
        outcome = patiently(|| publish::publish(client, order, &found, values.clone())) => {
            Ok(Ended { outcome: outcome?, ..ended })
        }
        stopped = stop.wait(", until its outputs were kept") => Ok(stopped),
    }
}

async fn prepare(folder: &Path, order: &Order, client: Option<&Client>, output: &Output) -> Result<Prepared> {
    let place = folder.join("work");
    let at = place.join(&order.folder);
    match &order.code {
        Some(code) => copy_tree(code, &place)?,
        None => make_folder(&place)?,
    }
    make_folder(&at)?;
    let mut variables = order.variables.clone();
    let inputs = folder.join("inputs");
    if let Some(client) = client {
        for input in &order.inputs {
            let local = patiently(|| fetch::fetch(client, input, &inputs, output)).await?;
            variables.insert(order::variable("IN", &input.name), local.display().to_string());
        }
    }
    for output in &order.outputs {
        let path = at.join(&output.path);
        if let Some(parent) = path.parent() {
            make_folder(parent)?;
        }
        variables.insert(order::variable("OUT", &output.name), path.display().to_string());
    }
    let values = folder.join("values");
    File::create(&values).map_err(|error| unusable(&values, &error))?;
    variables.insert("LATHE_VALUES".to_owned(), values.display().to_string());
    // Its own: the server's holds what belongs to the server's user, such as keys of other services.
    let home = folder.join("home");
    make_folder(&home)?;
    variables.entry("HOME".to_owned()).or_insert_with(|| home.display().to_string());
    let environment = match &order.python {
        Some(wanted) => Some(python::prepare(wanted, &place, &order.folder, |line| note(folder, line)).await?),
        None => None,
    };
    Ok(Prepared { at, variables, environment, values })
}

/// Does it again while the server does not answer: it may be restarting, and finds this process again.
async fn patiently<T, F: Future<Output = Result<T>>>(request: impl FnMut() -> F) -> Result<T> {
    let waits = ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(200))
        .with_max_delay(Duration::from_secs(5))
        .without_max_times()
        .with_total_delay(Some(PATIENCE));
    request.retry(waits).when(|error| error.code() == Code::Unavailable).await
}

fn start(
    order: &Order,
    folder: &Path,
    at: &Path,
    variables: BTreeMap<String, String>,
    environment: Option<&Path>,
    mask: Mask,
) -> Result<(Child, Copying)> {
    let log = open_log(folder)?;
    let unstarted =
        |error: std::io::Error| Error::new(Code::Unavailable, format!("the command cannot be started: {error}"));
    let (reader, writer) = std::io::pipe().map_err(unstarted)?;
    let copying = tokio::task::spawn_blocking(move || mask.copy(reader, log));
    let mut command = Command::new("/bin/sh");
    command.arg("-e").arg("-c").arg(&order.command).current_dir(at).env_clear();
    command.envs(PASSED_ON.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
    // Into a pipe, Python would hold its output back until the end.
    command.env("PYTHONUNBUFFERED", "1").envs(variables);
    if let Some(environment) = environment {
        let rest = std::env::var("PATH").unwrap_or_default();
        command.env("VIRTUAL_ENV", environment).env("PATH", format!("{}:{rest}", environment.join("bin").display()));
    }
    command.stdin(Stdio::null()).stdout(writer.try_clone().map_err(unstarted)?).stderr(writer);
    let child = command.process_group(0).kill_on_drop(true).spawn().map_err(unstarted)?;
    Ok((child, copying))
}

/// What copies the command's output into its log.
type Copying = tokio::task::JoinHandle<std::io::Result<()>>;

/// Waits until all that was printed is in the log; not for ever, because what the command started may have left its group.
async fn copied(copying: Copying, folder: &Path, patience: Duration) {
    match tokio::time::timeout(patience, copying).await {
        Ok(Ok(Ok(()))) => {}
        Ok(Ok(Err(error))) => note(folder, &format!("the rest of the output was not kept: {error}")),
        Ok(Err(_)) => note(folder, "the rest of the output was not kept"),
        Err(_) => {
            note(folder, "something that the command started still prints; what it prints from now on may not be kept")
        }
    }
}

/// Notes that the command's Python environment is in use, for as long as this goes on.
async fn keep_marked(environment: Option<PathBuf>) -> Infallible {
    loop {
        tokio::time::sleep(caches::MARKING).await;
        if let Some(environment) = &environment {
            caches::mark(environment);
        }
    }
}

/// Waits for the command, for its time to be over, or to be told to end it.
async fn attend(mut child: Child, folder: &Path, process: Process, stop: &mut Stop) -> Result<Ended> {
    let group = child.id().and_then(|id| i32::try_from(id).ok());
    let group_started = group.map(|group| order::start_of(group).unwrap_or_default());
    order::write(folder, PROCESS, &Process { group, group_started, ..process }, Outlives::Process)?;
    let stopped = tokio::select! {
        ended = child.wait() => {
            let status = ended.map_err(|error| Error::internal("the command cannot be attended").with_source(error))?;
            end_group(group, Signal::KILL);
            return Ok(judge(status));
        }
        stopped = stop.wait("") => stopped,
    };
    end_group(group, Signal::TERM);
    if tokio::time::timeout(GRACE, child.wait()).await.is_err() {
        end_group(group, Signal::KILL);
        // It cannot refuse.
        let _ = child.wait().await;
    }
    end_group(group, Signal::KILL);
    Ok(stopped)
}

fn judge(status: std::process::ExitStatus) -> Ended {
    use std::os::unix::process::ExitStatusExt as _;
    match (status.code(), status.signal()) {
        (Some(0), _) => {
            Ended { how: How::Succeeded, exit_code: Some(0), reason: String::new(), outcome: Outcome::default() }
        }
        (Some(code), _) => failed(Some(i64::from(code)), format!("the command ended with exit code {code}")),
        (None, Some(signal)) => failed(None, format!("the command was ended by signal {signal}")),
        (None, None) => failed(None, "the command ended in an unknown way".to_owned()),
    }
}

/// What a command started must not outlive it.
fn end_group(group: Option<i32>, signal: Signal) {
    if let Some(group) = group.and_then(Pid::from_raw) {
        // There may be nobody left.
        let _ = kill_process_group(group, signal);
    }
}

/// The `key=value` lines that the command wrote.
fn read_values(file: &Path) -> Result<BTreeMap<String, String>> {
    let length = std::fs::metadata(file).map_err(|error| unusable(file, &error))?.len();
    if length > MAX_VALUES_BYTES {
        return Err(Error::invalid(format!(
            "$LATHE_VALUES is {length} bytes long, and {MAX_VALUES_BYTES} are allowed"
        )));
    }
    let bytes = std::fs::read(file).map_err(|error| unusable(file, &error))?;
    let text = String::from_utf8(bytes).map_err(|_| Error::invalid("$LATHE_VALUES is not UTF-8"))?;
    let mut values = BTreeMap::new();
    for (line, number) in text.lines().zip(1..).filter(|(line, _)| !line.trim().is_empty()) {
        let (key, value) = line
            .split_once('=')
            .ok_or_else(|| Error::invalid(format!("line {number} of $LATHE_VALUES has no `=`: write key=value")))?;
        let key = key.trim();
        let is_word = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
        if key.is_empty() || !key.bytes().all(is_word) || value.contains('\0') {
            return Err(Error::invalid(format!(
                "line {number} of $LATHE_VALUES: a key is made of letters, digits, _ and -, and a value has no NUL"
            )));
        }
        values.insert(key.to_owned(), value.trim().to_owned());
    }
    Ok(values)
}

fn make_folder(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(|error| unusable(folder, &error))
}

fn unusable(path: &Path, error: &std::io::Error) -> Error {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    Error::new(Code::Unavailable, format!("{name} cannot be used: {error}"))
}

/// Copies a folder; links stay links.
fn copy_tree(from: &Path, to: &Path) -> Result<()> {
    make_folder(to)?;
    for entry in std::fs::read_dir(from).map_err(|error| unusable(from, &error))? {
        let entry = entry.map_err(|error| unusable(from, &error))?;
        let (kind, target) = (entry.file_type().map_err(|error| unusable(from, &error))?, to.join(entry.file_name()));
        if kind.is_dir() {
            copy_tree(&entry.path(), &target)?;
        } else if kind.is_symlink() {
            let link = std::fs::read_link(entry.path()).map_err(|error| unusable(from, &error))?;
            std::os::unix::fs::symlink(link, &target).map_err(|error| unusable(&target, &error))?;
        } else {
            std::fs::copy(entry.path(), &target).map_err(|error| unusable(&target, &error))?;
        }
    }
    Ok(())
}
