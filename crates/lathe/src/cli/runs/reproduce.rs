//! `lathe run reproduce`: a run once more, from what was captured of it, and how it compares.

mod comparable;
mod compare;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};

use clap::Args;
use lathe_core::{Code, Error, Result};
use tokio::process::Command;

use super::super::client::Client;
use super::super::names;
use super::super::output::Output;
use super::start::{self, Place};
use super::{Run, fetch};

/// What `lathe run reproduce --help` shows.
pub const EXAMPLES: &str = "Examples:
  lathe run reproduce 01a2147027            inside a clone of the run's repository
  lathe run reproduce 01a2147027 --current-env
The exit code is 0 when the command ended as before and all params, metrics, artifacts and
logged models are the same, 1 when not.";

/// Where the packages of reproductions are kept, below the user's cache folder.
const ENVIRONMENTS: &str = "lathe/environments";

/// Which run, and how.
#[derive(Debug, Args)]
pub struct ReproduceArgs {
    /// The run: its id or the beginning of one, or its name
    #[arg(value_name = "RUN")]
    run: String,
    /// Use the packages of this shell instead of those that were captured
    #[arg(long)]
    current_env: bool,
}

/// What is known of a run that was started by `lathe run`.
struct Captured {
    command: Vec<String>,
    commit: Option<String>,
    folder: String,
    working_folder: PathBuf,
    diff: Vec<u8>,
    requirements: Option<Vec<u8>>,
    untracked: Vec<String>,
}

/// Runs `lathe run reproduce`.
///
/// # Errors
/// `NotFound`, `Conflict` for a run that was not started by `lathe run` or whose code is not here, and as [`start::start_in`].
pub async fn run(
    ReproduceArgs { run, current_env }: ReproduceArgs,
    client: &Client,
    output: &Output,
) -> Result<ExitCode> {
    let run_id = names::find_run_id(client, &run).await?;
    let before = fetch(client, &run_id).await?;
    let captured = Captured::of(client, &before).await?;
    let repository = captured.repository().await?;
    let requirements = captured.requirements.as_ref().filter(|_| !current_env);
    for missing in captured.missing(requirements.is_some(), current_env) {
        output.note(&format!("not reproduced: {missing}"));
    }
    output.confirm(&format!("Run `{}` again as a new run?", captured.command.join(" ")))?;

    let scratch = tempfile::Builder::new()
        .prefix("lathe-reproduce-")
        .tempdir()
        .map_err(|error| Error::new(Code::Unavailable, format!("no temporary folder can be made: {error}")))?;
    let folder = match (&repository, &captured.commit) {
        (Some(repository), Some(commit)) => {
            let code = scratch.path().join("code");
            checkout(repository, commit, &code, &captured.diff, scratch.path()).await?;
            code.join(&captured.folder)
        }
        _ => captured.working_folder.clone(),
    };
    let path = match requirements {
        Some(requirements) => Some(environment(requirements, output).await?),
        None => None,
    };
    let command: Vec<OsString> = captured.command.iter().map(OsString::from).collect();
    let place = Place { folder: Some(folder), path, reproduces: Some(run_id.clone()) };
    let started = start::start_in(place, before.info.experiment_id.clone(), None, &command, client, output).await;
    if let (Some(repository), Some(_)) = (&repository, &captured.commit) {
        // Before the error, if there is one: git must not remember the temporary folder.
        let code = scratch.path().join("code").display().to_string();
        git(repository, &["worktree", "remove", "--force", &code]).await?;
    }
    let started = started?;
    let after = fetch(client, &started.run_id).await?;
    let is_same = compare::compare(client, &before, &after, output).await?;
    Ok(if is_same { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Captured {
    async fn of(client: &Client, run: &Run) -> Result<Self> {
        let tag = |name: &str| run.data.tags.iter().find(|tag| tag.key == name).map(|tag| tag.value.clone());
        let command: Option<Vec<String>> = tag("lathe.command").and_then(|text| serde_json::from_str(&text).ok());
        let command = command.filter(|command| !command.is_empty()).ok_or_else(|| {
            Error::conflict(format!("nothing was captured of run {}", run.info.run_id))
                .with_hint("only runs that were started by `lathe run -- CMD` can be run again")
        })?;
        let kept = |name: &'static str| start::read_captured(client, &run.info.artifact_uri, name);
        Ok(Self {
            command,
            commit: tag("mlflow.source.git.commit"),
            folder: tag("lathe.folder").unwrap_or_default(),
            working_folder: tag("lathe.working_folder").unwrap_or_default().into(),
            diff: kept("code.diff").await?.unwrap_or_default(),
            requirements: kept("requirements.txt").await?,
            untracked: kept("untracked.txt")
                .await?
                .map(|text| String::from_utf8_lossy(&text).lines().map(str::to_owned).collect())
                .unwrap_or_default(),
        })
    }

    /// A clone here that has the run's commit; `None` when the run had none.
    async fn repository(&self) -> Result<Option<PathBuf>> {
        let Some(commit) = &self.commit else { return Ok(None) };
        let object = format!("{commit}^{{commit}}");
        for folder in [PathBuf::from("."), self.working_folder.clone()] {
            if folder.is_dir() && git(&folder, &["cat-file", "-e", &object]).await.is_ok() {
                return Ok(Some(folder));
            }
        }
        Err(Error::conflict(format!("commit {commit} of the run's code is not here"))
            .with_hint("call this inside a clone of the run's repository that has it"))
    }

    /// What cannot be as it was, named before anything starts.
    fn missing(&self, has_packages: bool, is_by_choice: bool) -> Vec<String> {
        let mut missing = Vec::new();
        if self.commit.is_none() {
            let folder = self.working_folder.display();
            missing.push(format!("the code: it was in no git repository; {folder} is taken as it is now"));
        }
        if !self.untracked.is_empty() {
            let count = self.untracked.len();
            missing.push(format!("{count} files that git did not know, among them {}", self.untracked[0]));
        }
        match (has_packages, is_by_choice) {
            (true, _) => {}
            (false, true) => missing.push("the packages: those of this shell are taken".to_owned()),
            (false, false) => {
                missing.push("the packages: none were captured; those of this shell are taken".to_owned())
            }
        }
        missing.push("what the command reads elsewhere than in repositories of Lathe, and the machine".to_owned());
        missing
    }
}

/// The code as it was: the commit, and on it what was not committed.
async fn checkout(repository: &Path, commit: &str, code: &Path, diff: &[u8], scratch: &Path) -> Result<()> {
    let shown = code.display().to_string();
    git(repository, &["worktree", "add", "--quiet", "--detach", &shown, commit]).await?;
    if diff.is_empty() {
        return Ok(());
    }
    let patch = scratch.join("code.diff");
    std::fs::write(&patch, diff)
        .map_err(|error| Error::new(Code::OutOfSpace, format!("{} cannot be written: {error}", patch.display())))?;
    git(code, &["apply", "--whitespace=nowarn", &patch.display().to_string()]).await
}

async fn git(folder: &Path, arguments: &[&str]) -> Result<()> {
    let mut command = Command::new("git");
    command.arg("-C").arg(folder).args(arguments).stdin(Stdio::null());
    let done =
        command.output().await.map_err(|error| Error::new(Code::Unavailable, format!("git cannot be run: {error}")))?;
    if done.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&done.stderr);
    Err(Error::conflict(format!("git {}: {}", arguments.join(" "), said.trim())))
}

/// An environment with the captured packages, made once for each list of them; answers the PATH that leads to it.
async fn environment(requirements: &[u8], output: &Output) -> Result<OsString> {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache")));
    let cache = cache.ok_or_else(|| Error::new(Code::Unavailable, "there is no home folder to keep packages in"))?;
    let name = blake3::hash(requirements).to_hex();
    let folder = cache.join(ENVIRONMENTS).join(name.get(..16).unwrap_or_default());
    let complete = folder.join(".complete");
    if !complete.exists() {
        output.note(&format!("installing the run's packages into {} (once)", folder.display()));
        let failed = |error: std::io::Error| Error::new(Code::Unavailable, format!("{}: {error}", folder.display()));
        std::fs::create_dir_all(&folder).map_err(failed)?;
        let list = folder.join("requirements.txt");
        std::fs::write(&list, requirements).map_err(failed)?;
        python("python3".as_ref(), &["-m".as_ref(), "venv".as_ref(), folder.as_os_str()]).await?;
        let installer = folder.join("bin/python");
        let words = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "-r"];
        let mut words: Vec<&std::ffi::OsStr> = words.iter().map(std::ffi::OsStr::new).collect();
        words.push(list.as_os_str());
        python(installer.as_os_str(), &words).await?;
        std::fs::write(&complete, b"").map_err(failed)?;
    }
    let mut path = folder.join("bin").into_os_string();
    if let Some(before) = std::env::var_os("PATH") {
        path.push(":");
        path.push(before);
    }
    Ok(path)
}

async fn python(program: &std::ffi::OsStr, words: &[&std::ffi::OsStr]) -> Result<()> {
    let mut command = Command::new(program);
    let done = command.args(words).stdin(Stdio::null()).output().await;
    let done = done.map_err(|error| Error::new(Code::Unavailable, format!("Python cannot be run: {error}")))?;
    if done.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&done.stderr);
    let last = said.trim().lines().last().unwrap_or_default().to_owned();
    Err(Error::new(Code::Unavailable, format!("the run's packages cannot be installed: {last}"))
        .with_hint("take those of this shell: --current-env"))
}
