//! `lathe run -- CMD…`: any command as a run.

use std::ffi::{OsStr, OsString};
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{ExitCode, ExitStatus, Stdio};
use std::time::Duration;

use clap::Args;
use lathe_core::{Clock, Code, Error, Result};
use reqwest::{Method, RequestBuilder};
use rustix::process::{Pid, kill_process};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::process::{Child, Command};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::super::client::Client;
use super::super::names;
use super::super::others::{OF_AWS, OF_MLFLOW};
use super::super::output::Output;
use super::super::text::shell_word;
use super::capture::{self, Code as GitCode, Packages};
use super::log::{Log, copy};
use super::sender::Sender;

/// After the command's end, how long what is on its way to the server is waited for.
const GRACE: Duration = Duration::from_secs(10);
/// A grandchild may hold the pipes open after the command's end: it is not listened to for longer than this.
const LAST_WORDS: Duration = Duration::from_secs(5);
/// How long the run's credentials hold; while the command goes on, they are renewed. They outlive a keeper that was killed by no more.
pub(super) const TTL_SECONDS: i64 = 60 * 60;
/// What the command's end was, as a shell would answer it.
pub const EXIT_CODE_TAG: &str = "lathe.exit_code";
/// Whether the code differed from its commit: `true`, `false` or [`UNKNOWN`].
pub const DIRTY_TAG: &str = "lathe.git.dirty";
/// When git did not say it.
pub const UNKNOWN: &str = "unknown";
/// Packages of which no registry has the same, among what was captured.
pub const LEFT_OUT: &str = "packages-left-out.txt";
/// Where what was captured lies among the run's artifacts.
pub const FOLDER: &str = "lathe";

/// The command and what the run is called.
#[derive(Debug, Args)]
pub struct StartArgs {
    /// Experiment of the new run, made when it is missing [default: Default]
    #[arg(short, long, value_name = "NAME")]
    experiment: Option<String>,
    /// Name of the new run [default: chosen by the server]
    #[arg(short, long, value_name = "NAME")]
    name: Option<String>,
    /// The command to run as a run
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

#[derive(Debug, Deserialize)]
struct Created {
    run: CreatedRun,
}

#[derive(Debug, Deserialize)]
struct CreatedRun {
    info: CreatedInfo,
}

#[derive(Debug, Deserialize)]
struct CreatedInfo {
    run_id: String,
    run_name: String,
    artifact_uri: String,
}

#[derive(Debug, Clone, Deserialize)]
struct Credentials {
    token_id: String,
    token: String,
    s3: Keys,
}

#[derive(Debug, Clone, Deserialize)]
struct Keys {
    access_key_id: String,
    secret_access_key: String,
}

#[derive(Debug, Deserialize)]
struct Endpoint {
    endpoint_url: String,
    region: String,
}

/// Starts a command as a run, and answers its exit code.
///
/// # Errors
/// `NotFound` when the command cannot be started, and as [`Client::answer`] before it starts: afterwards it goes on, whatever
/// the server does.
pub async fn start(arguments: StartArgs, client: &Client, output: &Output) -> Result<ExitCode> {
    let StartArgs { experiment, name, command } = arguments;
    if command.is_empty() {
        return Err(Error::invalid("name the command to run behind --").with_hint("lathe run -- python train.py"));
    }
    let experiment_id = experiment_id(client, experiment.as_deref()).await?;
    let started = start_in(Place::default(), experiment_id, name, &command, client, output).await?;
    Ok(ExitCode::from(started.code))
}

/// Where and how a command runs, when not here and as it is.
#[derive(Debug, Default)]
pub struct Place {
    /// The working folder.
    pub folder: Option<PathBuf>,
    /// The PATH.
    pub path: Option<OsString>,
    /// The run that this one runs again: it gets the same pins.
    pub reproduces: Option<String>,
}

/// A command that was started as a run, and has ended.
#[derive(Debug)]
pub struct Started {
    /// The run.
    pub run_id: String,
    /// What a shell would answer.
    pub code: u8,
}

/// Starts a command as a run of an experiment and waits for its end.
///
/// # Errors
/// As [`start`].
pub async fn start_in(
    place: Place,
    experiment_id: String,
    name: Option<String>,
    command: &[OsString],
    client: &Client,
    output: &Output,
) -> Result<Started> {
    let words: Vec<String> = command.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let Some((program, rest)) = command.split_first() else {
        return Err(Error::invalid("name the command to run behind --").with_hint("lathe run -- python train.py"));
    };
    // Before there is a run: from then on, whatever ends this ends that, too.
    let mut signals = Signals::listen()?;
    let captured = tokio::select! {
        captured = Captured::of(&place, &words) => captured,
        () = signals.any() => return Err(stopped()),
    };
    if captured.misses_changes() {
        output.note(&format!(
            "not captured: what differs from the commit; git failed, or took over {} s",
            capture::PATIENCE.as_secs()
        ));
    }
    let log = tempfile::NamedTempFile::with_prefix("lathe-run-")
        .map_err(|error| Error::new(Code::Unavailable, format!("no temporary file can be made: {error}")))?
        .into_temp_path();
    let mut run = Run {
        client,
        info: create(client, &place, &experiment_id, name, &words, &captured).await?,
        credentials: None,
        log,
    };
    let begun = tokio::select! {
        begun = run.begin(&place, captured, program, rest, output) => begun.map_err(|error| ("FAILED", error)),
        // One that comes later is for the command.
        () = signals.any() => Err(("KILLED", stopped())),
    };
    let mut child = match begun {
        Ok(child) => child,
        Err((status, error)) => {
            run.end(status, None, &mut signals, output).await;
            return Err(error);
        }
    };
    let status = match run.attend(&mut child, &mut signals, output).await {
        Ok(status) => status,
        Err(error) => {
            // It may have ended.
            let _ = child.kill().await;
            run.end("FAILED", None, &mut signals, output).await;
            return Err(error);
        }
    };
    let word = match (status.signal(), status.success()) {
        (Some(_), _) => "KILLED",
        (None, true) => "FINISHED",
        (None, false) => "FAILED",
    };
    let code = code_of(status);
    run.end(word, Some(code), &mut signals, output).await;
    Ok(Started { run_id: run.info.run_id, code })
}

/// Ctrl-C and SIGTERM, which end the command and not its run's keeper.
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    pub(super) fn listen() -> Result<Self> {
        let listen = |kind| signal(kind).map_err(signals_failed);
        Ok(Self { interrupt: listen(SignalKind::interrupt())?, terminate: listen(SignalKind::terminate())? })
    }

    /// The next one of either, for what comes after the command's end.
    pub(super) async fn any(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// What a shell would answer.
fn code_of(status: ExitStatus) -> u8 {
    let code = status.code().or(status.signal().map(|signal| 128 + signal)).unwrap_or(1);
    u8::try_from(code & 0xff).unwrap_or(1)
}

async fn experiment_id(client: &Client, name: Option<&str>) -> Result<String> {
    #[derive(Deserialize)]
    struct Made {
        experiment_id: String,
    }
    let Some(name) = name else { return Ok("0".to_owned()) };
    match names::find_experiments(client, &[name.to_owned()]).await {
        Ok(found) => found
            .into_iter()
            .next()
            .map(|experiment| experiment.experiment_id)
            .ok_or_else(|| Error::not_found(format!("experiment {name} does not exist"))),
        Err(error) if error.code() == Code::NotFound => {
            let request = client.mlflow(Method::POST, "experiments/create").json(&json!({ "name": name }));
            client.answer::<Made>(request).await.map(|made| made.experiment_id)
        }
        Err(error) => Err(error),
    }
}

/// What a run is made from besides its command.
struct Captured {
    code: GitCode,
    packages: Option<Packages>,
}

impl Captured {
    async fn of(place: &Place, words: &[String]) -> Self {
        let program = words.first().map_or("", String::as_str);
        let (code, packages) = tokio::join!(capture::code(place), capture::packages(place, program));
        Self { code, packages }
    }

    /// Whether the code may differ from its commit and nobody knows how.
    fn misses_changes(&self) -> bool {
        self.code.commit.is_some() && self.code.diff.is_none()
    }
}

async fn create(
    client: &Client,
    place: &Place,
    experiment_id: &str,
    name: Option<String>,
    words: &[String],
    captured: &Captured,
) -> Result<CreatedInfo> {
    let shown = words.iter().map(|word| shell_word(word)).collect::<Vec<_>>().join(" ");
    let Captured { code, packages } = captured;
    let folder = place.folder.clone().or_else(|| std::env::current_dir().ok()).unwrap_or_default();
    let command = serde_json::to_string(words).unwrap_or_default();
    let is_dirty = code.diff.as_ref().is_some_and(|diff| !diff.is_empty()) || !code.untracked.is_empty();
    let dirty = if captured.misses_changes() { UNKNOWN.to_owned() } else { is_dirty.to_string() };
    let of_commit = |value: String| code.commit.as_ref().map(|_| value);
    let tags: Vec<Value> = [
        ("mlflow.source.name", Some(shown)),
        ("mlflow.source.type", Some("LOCAL".to_owned())),
        ("mlflow.source.git.commit", code.commit.clone()),
        ("mlflow.source.git.branch", code.branch.clone()),
        ("mlflow.source.git.repoURL", code.remote.clone()),
        // The server makes it an edge of the lineage graph.
        ("lathe.code", code.name.as_ref().zip(code.commit.as_ref()).map(|(name, commit)| format!("{name}@{commit}"))),
        ("mlflow.user", std::env::var("USER").ok()),
        ("lathe.command", Some(command)),
        ("lathe.folder", code.folder.clone().filter(|folder| !folder.is_empty())),
        ("lathe.working_folder", Some(folder.display().to_string())),
        (DIRTY_TAG, of_commit(dirty)),
        ("lathe.reproduces", place.reproduces.clone()),
        ("lathe.python", packages.as_ref().map(|packages| packages.python.display().to_string())),
        ("lathe.python.version", packages.as_ref().map(|packages| packages.version.clone())),
    ]
    .into_iter()
    .filter_map(|(key, value)| Some(json!({ "key": key, "value": value? })))
    .collect();
    let body = json!({
        "experiment_id": experiment_id, "run_name": name, "start_time": Clock::System.now_ms(), "tags": tags,
    });
    let created: Created = client.answer(client.mlflow(Method::POST, "runs/create").json(&body)).await?;
    Ok(created.run.info)
}

/// A run under way.
struct Run<'c> {
    client: &'c Client,
    info: CreatedInfo,
    /// None until it has some.
    credentials: Option<Credentials>,
    log: tempfile::TempPath,
}

impl Run<'_> {
    /// Gets the run's credentials, stores what was captured, and starts the command.
    async fn begin(
        &mut self,
        place: &Place,
        captured: Captured,
        program: &OsString,
        rest: &[OsString],
        output: &Output,
    ) -> Result<Child> {
        let request = self.client.native(Method::POST, &["run-credentials"]);
        let request = request
            .json(&json!({ "run_id": self.info.run_id, "ttl_seconds": TTL_SECONDS, "reproduces": place.reproduces }));
        let credentials: Credentials = self.client.answer(request).await?;
        let credentials = self.credentials.insert(credentials).clone();
        let Captured { code, packages } = captured;
        let (list, left_out) = packages.map(|packages| (packages.list, packages.left_out)).unzip();
        let untracked = code.untracked.join("\n");
        for (name, bytes) in [
            ("code.diff", code.diff.unwrap_or_default()),
            ("untracked.txt", untracked.into_bytes()),
            (LEFT_OUT, left_out.unwrap_or_default().join("\n").into_bytes()),
        ] {
            if !bytes.is_empty() {
                self.upload(name, bytes).await?;
            }
        }
        if let Some(list) = list {
            self.upload("requirements.txt", list.into_bytes()).await?;
        }
        output.note(&format!("run {} ({}): {}", self.info.run_name, self.info.run_id, self.page()));
        self.command(place, program, rest, &credentials).await?.spawn().map_err(|error| {
            let shown = shell_word(&program.to_string_lossy());
            Error::new(Code::NotFound, format!("{shown} cannot be started: {error}"))
        })
    }

    fn page(&self) -> String {
        self.client.page(&["runs", &self.info.run_id])
    }

    /// The command with the environment that makes its clients this run.
    async fn command(
        &self,
        place: &Place,
        program: &OsString,
        rest: &[OsString],
        credentials: &Credentials,
    ) -> Result<Command> {
        let mut command = place.command(program);
        command.args(rest).stdout(Stdio::piped()).stderr(Stdio::piped());
        for name in OF_MLFLOW {
            command.env_remove(name);
        }
        command
            .env("MLFLOW_TRACKING_URI", self.client.tracking_uri())
            .env("MLFLOW_TRACKING_TOKEN", &credentials.token)
            .env("MLFLOW_RUN_ID", &self.info.run_id)
            .env("LATHE_URL", self.client.url())
            .env("LATHE_TOKEN", &credentials.token)
            .env("LATHE_PROJECT", self.client.project().as_str());
        if std::env::var_os("PYTHONUNBUFFERED").is_none() {
            // Into a pipe, Python would hold its output back until the end.
            command.env("PYTHONUNBUFFERED", "1");
        }
        match self.client.get::<Endpoint>(&["s3-credentials"]).await {
            Ok(Endpoint { endpoint_url, region }) => {
                for name in OF_AWS {
                    command.env_remove(name);
                }
                command
                    .env("AWS_ENDPOINT_URL", endpoint_url)
                    .env("AWS_REGION", &region)
                    .env("AWS_DEFAULT_REGION", region)
                    .env("AWS_ACCESS_KEY_ID", &credentials.s3.access_key_id)
                    .env("AWS_SECRET_ACCESS_KEY", &credentials.s3.secret_access_key);
            }
            // A server without the S3 door: the command goes on with what it has.
            Err(error) if error.code() == Code::NotFound => {}
            Err(error) => return Err(error),
        }
        Ok(command)
    }

    /// Shows, keeps and sends the output, sends the machine's load, and passes signals on until the command ends.
    async fn attend(&self, child: &mut Child, signals: &mut Signals, output: &Output) -> Result<ExitStatus> {
        let (lines, mut kept) = mpsc::channel::<Vec<u8>>(64);
        if let Some(pipe) = child.stdout.take() {
            tokio::spawn(copy(pipe, tokio::io::stdout(), lines.clone()));
        }
        if let Some(pipe) = child.stderr.take() {
            tokio::spawn(copy(pipe, tokio::io::stderr(), lines));
        }
        let mut log = Log::create(&self.log).await?;
        let token_id = self.credentials.as_ref().map_or("", |credentials| &credentials.token_id);
        let sender = Sender::new(self.client, (&self.info.run_id, token_id), &self.info.artifact_uri, &self.log);
        let stop = CancellationToken::new();
        // Boxed, so that what is not waited for is dropped: a request that is on its way then ends.
        let mut sending = Box::pin(sender.run(&stop, output));
        let mut is_open = true;
        let status = loop {
            tokio::select! {
                chunk = kept.recv(), if is_open => match chunk {
                    Some(chunk) => sender.set_kept(log.keep(&chunk, output).await),
                    None => is_open = false,
                },
                ended = child.wait() => break ended.map_err(signals_failed)?,
                // The terminal has told the command already.
                _ = signals.interrupt.recv() => {}
                _ = signals.terminate.recv() => terminate_child(child),
                // It ends when it is stopped.
                _ = &mut sending => {}
            }
        };
        let rest = async {
            let last_words = async {
                while let Some(chunk) = kept.recv().await {
                    log.keep(&chunk, output).await;
                }
            };
            // Not having heard all of a grandchild that goes on is no failure.
            let _ = timeout(LAST_WORDS, last_words).await;
            stop.cancel();
            // A log that is on its way must not arrive after the last one.
            let sent_bytes = timeout(GRACE, sending).await.unwrap_or_default();
            if log.bytes == 0 || sent_bytes < log.bytes { sender.send_log(log.bytes).await } else { Ok(()) }
        };
        let stored = tokio::select! {
            stored = rest => stored,
            () = signals.any() => Err(interrupted()),
        };
        if let Err(error) = stored {
            output.note(&format!("the output is not stored: {}", error.message()));
        }
        Ok(status)
    }

    async fn upload(&self, name: &str, bytes: Vec<u8>) -> Result<()> {
        let path = format!("{FOLDER}/{name}");
        let request = artifact(self.client, Method::PUT, &self.info.artifact_uri, &path)?.body(bytes);
        self.client.answer::<Value>(request).await.map(|_| ())
    }

    /// Ends the run and its credentials; what of that does not work is told.
    async fn end(&self, status: &str, code: Option<u8>, signals: &mut Signals, output: &Output) {
        let finished = tokio::select! {
            finished = self.finish(status, code) => finished,
            () = signals.any() => Err(interrupted()),
        };
        if let Err(error) = finished {
            output.note(&format!("the run's end is not recorded: {}", error.message()));
        }
    }

    /// Each part is tried, whatever became of the ones before; answers the first error.
    async fn finish(&self, status: &str, code: Option<u8>) -> Result<()> {
        let tag = code.map(|code| {
            let tag = json!({ "run_id": self.info.run_id, "key": EXIT_CODE_TAG, "value": code.to_string() });
            self.client.mlflow(Method::POST, "runs/set-tag").json(&tag)
        });
        let body = json!({ "run_id": self.info.run_id, "status": status, "end_time": Clock::System.now_ms() });
        let update = self.client.mlflow(Method::POST, "runs/update").json(&body);
        let credentials = self.credentials.as_ref();
        let revocation = credentials.map(|held| self.client.native(Method::DELETE, &["tokens", &held.token_id]));
        let mut done = Ok(());
        for request in [tag, Some(update), revocation].into_iter().flatten() {
            let answered = self.client.answer::<Value>(request).await.map(|_| ());
            done = done.and(answered);
        }
        done
    }
}

impl Place {
    /// A program as it is found and started there.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        if let Some(path) = &self.path {
            // A relative program is looked for in the new PATH, too.
            command.env("PATH", path);
        }
        command
    }
}

pub(super) fn artifact(client: &Client, method: Method, artifact_uri: &str, path: &str) -> Result<RequestBuilder> {
    let segments: Vec<&str> = place_of(artifact_uri)?.split('/').chain(path.split('/')).collect();
    Ok(client.artifact(method, &segments))
}

/// Where in the server's store an artifact address leads.
fn place_of(artifact_uri: &str) -> Result<&str> {
    let root = artifact_uri.strip_prefix("mlflow-artifacts:/").ok_or_else(|| {
        Error::conflict("the run's artifacts are not kept by the server, so what was captured has no place")
    })?;
    Ok(root.trim_matches('/'))
}

/// The request for what is in a folder below an artifact address; its files are named as they are in that folder.
///
/// # Errors
/// `Conflict` when the server does not keep what is there.
pub fn list_artifacts(client: &Client, artifact_uri: &str, folder: &str) -> Result<RequestBuilder> {
    let root = place_of(artifact_uri)?;
    let path = if folder.is_empty() { root.to_owned() } else { format!("{root}/{folder}") };
    Ok(client.artifact(Method::GET, &[]).query(&[("path", path)]))
}

/// An artifact of a run, whole; `None` when there is none.
///
/// # Errors
/// As [`Client::answer`].
pub async fn read_artifact(client: &Client, artifact_uri: &str, path: &str) -> Result<Option<Vec<u8>>> {
    let response = match client.stream(artifact(client, Method::GET, artifact_uri, path)?).await {
        Ok(response) => response,
        Err(error) if error.code() == Code::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let bytes = response.bytes().await;
    bytes
        .map(|bytes| Some(bytes.to_vec()))
        .map_err(|error| Error::new(Code::Unavailable, format!("{path} broke off")).with_source(error))
}

/// What was captured of a run under a name; `None` when nothing was.
///
/// # Errors
/// As [`Client::answer`].
pub async fn read_captured(client: &Client, artifact_uri: &str, name: &str) -> Result<Option<Vec<u8>>> {
    read_artifact(client, artifact_uri, &format!("{FOLDER}/{name}")).await
}

fn terminate_child(child: &Child) {
    let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    if let Some(pid) = pid {
        // It may have ended just now.
        let _ = kill_process(pid, rustix::process::Signal::TERM);
    }
}

/// The error that a signal is, before the command is started.
pub(super) fn stopped() -> Error {
    Error::new(Code::Unavailable, "stopped before the command was started")
}

fn interrupted() -> Error {
    Error::new(Code::Unavailable, "a signal came before the server had it")
}

fn signals_failed(error: std::io::Error) -> Error {
    Error::internal("the command cannot be attended").with_source(error)
}
