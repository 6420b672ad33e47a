//! `lathe doctor`: what may be wrong between a person and a working Lathe, and what to do about it.

use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use jiff::fmt::rfc2822;
use lathe_core::{Clock, Code, Result};
use lathe_db::{Db, DbOptions};
use lathe_objects::Objects;
use tokio::net::TcpListener;

use super::client::{Client, ConnectionArgs, Credential};
use super::output::{Cell, Output, Table};
use super::python;
use super::serve::{MIN_FREE_BYTES, StoreArgs};
use super::status::{ServerInfo, WhoAmI};
use super::text;
use crate::server::Options;

/// What to examine.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    connection: ConnectionArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Ok,
    Warn,
    Fail,
}

impl State {
    fn as_str(self) -> &'static str {
        match self {
            State::Ok => "ok",
            State::Warn => "warn",
            State::Fail => "fail",
        }
    }
}

#[derive(Debug)]
struct Check {
    name: &'static str,
    state: State,
    found: String,
    advice: String,
}

impl Check {
    fn ok(name: &'static str, found: impl Into<String>) -> Self {
        Self { name, state: State::Ok, found: found.into(), advice: String::new() }
    }

    fn warn(name: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { name, state: State::Warn, found: found.into(), advice: advice.into() }
    }

    fn fail(name: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { name, state: State::Fail, found: found.into(), advice: advice.into() }
    }
}

const FREE_SPACE: &str = "free space";
/// Models are large.
const COMFORTABLE_FREE_BYTES: u64 = 2 * 1024 * 1024 * 1024;
/// No Lathe is older: a clock before this is wrong.
const EARLIEST_MS: i64 = 1_735_689_600_000;
const TOLERATED_SKEW_MS: i64 = 5_000;

/// Runs `lathe doctor`: exits 1 when a check failed.
///
/// # Errors
/// `InvalidArgument` for a URL or project that cannot be.
pub async fn run(DoctorArgs { store, connection }: DoctorArgs, output: &Output) -> Result<ExitCode> {
    let client = connection.connect()?;
    let options = store.into_options();
    let waiting = output.spinner("examining");
    let server = client.server_info().await;
    let mut checks = vec![check_server(&client, &server).await];
    if let Ok(server) = &server {
        checks.push(check_sign_in(&client, server).await);
    }
    checks.push(check_clock(&client).await);
    // A server elsewhere has its data elsewhere.
    if client.is_local() {
        checks.push(check_folder(&options.data_dir));
        checks.extend(check_space(&options.data_dir));
        checks.push(check_database(&options).await);
        checks.push(check_objects(&options).await);
    }
    checks.extend(check_python(server.as_ref().ok()).await);
    waiting.finish_and_clear();

    let failed = checks.iter().filter(|check| check.state == State::Fail).count();
    let mut table = Table::new([("state", "STATE"), ("check", "CHECK"), ("found", "FOUND"), ("advice", "WHAT TO DO")]);
    for Check { name, state, found, advice } in checks {
        table.push(vec![
            Cell::Text(state.as_str().to_owned()),
            Cell::Text(name.to_owned()),
            Cell::Text(found),
            Cell::text(advice),
        ]);
    }
    output.print_table(&table)?;
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn check_server(client: &Client, server: &Result<ServerInfo>) -> Check {
    const NAME: &str = "server";
    let url = client.url();
    let error = match server {
        Ok(server) => {
            return Check::ok(NAME, format!("Lathe {} answers at {url} ({} mode)", server.version, server.mode));
        }
        Err(error) => error,
    };
    if !client.is_local() {
        return Check::fail(NAME, error.message(), "check the address and the network between here and there");
    }
    match (TcpListener::bind(("127.0.0.1", client.port())).await, client.plain_url()) {
        (Ok(_), _) => {
            let start = error.hint().unwrap_or("lathe serve");
            Check::warn(NAME, format!("nothing answers at {url}; port {} is free", client.port()), start)
        }
        (Err(bind), _) if bind.kind() == ErrorKind::PermissionDenied => Check::fail(
            NAME,
            format!("port {} is not allowed to you", client.port()),
            "choose one above 1023: lathe serve --listen 127.0.0.1:4400",
        ),
        (Err(_), Some(plain)) => {
            Check::fail(NAME, error.message(), format!("what answers there may speak no TLS: --url {plain}"))
        }
        (Err(_), None) => Check::fail(
            NAME,
            format!("port {} is used by something that is no Lathe", client.port()),
            format!("choose another port: lathe serve --listen 127.0.0.1:{}", client.port().saturating_add(1)),
        ),
    }
}

async fn check_sign_in(client: &Client, server: &ServerInfo) -> Check {
    const NAME: &str = "sign-in";
    if !server.has_login() {
        return Check::ok(NAME, "not needed: the server has no login");
    }
    match client.get::<WhoAmI>(&["whoami"]).await {
        Ok(who) => Check::ok(NAME, format!("{} on project {}", who.actor.name, client.project())),
        Err(error) if error.code() == Code::Unauthenticated && *client.credential() == Credential::None => {
            Check::fail(NAME, "not signed in", client.server_command("login"))
        }
        Err(error) => Check::fail(
            NAME,
            error.message(),
            error.hint().map_or_else(|| client.server_command("login"), str::to_owned),
        ),
    }
}

async fn check_clock(client: &Client) -> Check {
    const NAME: &str = "clock";
    let now_ms = Clock::System.now_ms();
    let advice = "set the clock, by NTP for instance: times of runs and the end of tokens depend on it";
    if now_ms < EARLIEST_MS {
        return Check::fail(NAME, format!("it is {} here", text::time(now_ms)), advice);
    }
    let Some(date) = client.date().await else { return Check::ok(NAME, format!("{} here", text::time(now_ms))) };
    let Ok(there) = rfc2822::parse(&date) else { return Check::ok(NAME, format!("{} here", text::time(now_ms))) };
    // The header has whole seconds.
    let skew_ms = (Clock::System.now_ms() - there.timestamp().as_millisecond() - 500).abs();
    if skew_ms <= TOLERATED_SKEW_MS {
        Check::ok(NAME, "the same here and on the server")
    } else {
        Check::warn(NAME, format!("{} apart from the server's", text::duration(skew_ms)), advice)
    }
}

fn check_folder(folder: &Path) -> Check {
    const NAME: &str = "data folder";
    let shown = folder.display();
    let metadata = match std::fs::metadata(folder) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Check::ok(NAME, format!("{shown} does not exist yet; a server makes it"));
        }
        Err(error) => return Check::fail(NAME, format!("{shown}: {error}"), "name another with --data-dir"),
    };
    let mode = metadata.permissions().mode() & 0o777;
    let word = text::shell_word(&folder.to_string_lossy());
    if !metadata.is_dir() {
        return Check::fail(NAME, format!("{shown} is no folder"), "name another with --data-dir");
    }
    if rustix::fs::access(folder, rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK).is_err() {
        return Check::fail(NAME, format!("{shown} cannot be written"), format!("chmod u+rwx {word}"));
    }
    if mode & 0o077 != 0 {
        return Check::warn(
            NAME,
            format!("{shown} can be read by others (mode {mode:o})"),
            format!("chmod 700 {word}"),
        );
    }
    Check::ok(NAME, format!("{shown} can be written, and only by you"))
}

fn check_space(folder: &Path) -> Option<Check> {
    let folder = std::path::absolute(folder).ok()?;
    let existing = folder.ancestors().find(|folder| folder.exists())?;
    let stat = rustix::fs::statvfs(existing).ok()?;
    Some(judge_space(stat.f_bavail.saturating_mul(stat.f_frsize), existing))
}

fn judge_space(free_bytes: u64, folder: &Path) -> Check {
    let found = format!("{} on the disk of {}", text::bytes(free_bytes), folder.display());
    match free_bytes {
        0..MIN_FREE_BYTES => Check::fail(FREE_SPACE, found, "make room: below 256 MiB a server refuses writes"),
        MIN_FREE_BYTES..COMFORTABLE_FREE_BYTES => Check::warn(FREE_SPACE, found, "make room soon: models are large"),
        _ => Check::ok(FREE_SPACE, found),
    }
}

async fn check_database(options: &Options) -> Check {
    const NAME: &str = "database";
    let url = options.database_url();
    if let Some(path) = url.strip_prefix("sqlite://")
        && !Path::new(path).exists()
    {
        return Check::ok(NAME, format!("{path} does not exist yet; a server makes it"));
    }
    let answer = async {
        let db = Db::open(&url, &DbOptions { max_connections: 1, ..DbOptions::default() }).await?;
        let kind = db.kind().as_str();
        let answer = db.ping().await;
        db.close().await;
        answer.map(|()| kind)
    };
    match answer.await {
        Ok(kind) => Check::ok(NAME, format!("{kind} answers")),
        Err(error) => Check::fail(NAME, error.message(), error.hint().unwrap_or("check --database-url")),
    }
}

async fn check_objects(options: &Options) -> Check {
    const NAME: &str = "object store";
    let url = options.objects_url();
    // To examine makes no folders.
    if let Some(folder) = url.strip_prefix("file://").map(Path::new)
        && !folder.is_dir()
    {
        let shown = folder.display();
        return if folder.exists() {
            Check::fail(NAME, format!("{shown} is no folder"), "name another with --objects")
        } else {
            Check::ok(NAME, format!("{shown} does not exist yet; a server makes it"))
        };
    }
    match Objects::check(&url).await {
        Ok(()) => Check::ok(NAME, format!("{url} answers")),
        Err(error) => Check::fail(NAME, error.message(), error.hint().unwrap_or("check --objects")),
    }
}

async fn check_python(server: Option<&ServerInfo>) -> Vec<Check> {
    let python = match python::find().await {
        Ok(python) => python,
        Err(error) => return vec![Check::warn("python", error.message(), error.hint().unwrap_or_default())],
    };
    let found = format!("Python {}", python.shown_version());
    let (major, minor) = python::OLDEST;
    let version = if python.is_new_enough() {
        Check::ok("python", found)
    } else {
        Check::warn("python", found, format!("MLflow 3 wants Python {major}.{minor} or newer"))
    };
    let spoken = server.map_or(lathe_api::MLFLOW_VERSION, |server| server.mlflow_version.as_str());
    let install = format!("python3 -m pip install mlflow=={spoken}");
    let client = match python.mlflow {
        None => Check::warn("mlflow client", "not installed for this Python", install),
        Some(version) if version.split('.').next() == spoken.split('.').next() => {
            Check::ok("mlflow client", format!("mlflow {version}; the server speaks {spoken}"))
        }
        Some(version) => Check::warn("mlflow client", format!("mlflow {version}; the server speaks {spoken}"), install),
    };
    vec![version, client]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_space_is_judged_by_what_a_server_needs() {
        let state = |free_bytes| judge_space(free_bytes, Path::new("/data")).state;
        assert_eq!(state(0), State::Fail);
        assert_eq!(state(MIN_FREE_BYTES - 1), State::Fail);
        assert_eq!(state(MIN_FREE_BYTES), State::Warn);
        assert_eq!(state(COMFORTABLE_FREE_BYTES - 1), State::Warn);
        assert_eq!(state(COMFORTABLE_FREE_BYTES), State::Ok);
        assert!(judge_space(0, Path::new("/data")).found.contains("/data"));
    }
}
