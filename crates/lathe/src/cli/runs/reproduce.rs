//! `lathe run reproduce`: a run once more, from what was captured of it, and how it compares.

mod comparable;
mod compare;

use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};
use std::process::{ExitCode, Stdio};

use clap::Args;
use lathe_core::{Code, Error, Kind, Name, Result};
use reqwest::Method;
use serde::Deserialize;
use tokio::process::Command;

use super::super::client::Client;
use super::super::names;
use super::super::output::Output;
use super::super::text;
use super::start::{self, Place, Signals};
use super::{Run, capture, fetch};

/// What `lathe run reproduce --help` shows.
pub const EXAMPLES: &str = "Examples:
  lathe run reproduce 01a2147027            inside a clone of the run's repository
  lathe run reproduce 01a2147027 --current-env
The exit code is 0 when the command ended as before and all params, metrics, artifacts and
logged models are the same, 1 when not.";

/// Where the packages of reproductions are kept, below the user's cache folder.
const ENVIRONMENTS: &str = "lathe/environments";

/// How many events of one kind are looked through.
const MAX_EVENTS: usize = 1_000;
/// So many files of those that are not committed are named.
const MAX_NAMED: usize = 5;

/// Where what is written again goes to.
const AS_IT_IS_NOW: &str = "; the branch as it is now is written to";

/// Which run, and how.
#[derive(Debug, Args)]
pub struct ReproduceArgs {
    /// The run: its id, the beginning or the end of it, or its name
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
    python: Option<String>,
    /// The program that was asked for the packages.
    interpreter: Option<PathBuf>,
    diff: Vec<u8>,
    requirements: Option<Vec<u8>>,
    untracked: Vec<String>,
    /// Packages that cannot be installed again, with where they came from.
    left_out: Vec<String>,
    /// Whether nobody knows how the code differed from its commit.
    misses_changes: bool,
}

/// Runs `lathe run reproduce`.
///
/// # Errors
/// `NotFound`, `PermissionDenied`, `Conflict` for a run that was not started by `lathe run` or whose code is not here, and as
/// [`start::start_in`].
pub async fn run(
    ReproduceArgs { run, current_env }: ReproduceArgs,
    client: &Client,
    output: &Output,
) -> Result<ExitCode> {
    let run_id = names::find_run_id(client, &run).await?;
    let before = fetch(client, &run_id).await?;
    let captured = Captured::of(client, &before).await?;
    check_may_write(client).await?;
    let repository = captured.repository().await?;
    let requirements = captured.requirements.as_ref().filter(|_| !current_env);
    let python = Python::like(captured.python.as_deref()).await;
    let submodules = captured.submodules(repository.as_deref()).await;
    let program = captured.program(repository.as_deref(), requirements.is_some()).await;
    let changes = Changes::of(client, &run_id).await?;
    let missing = captured.missing(requirements.is_some(), current_env, &python).into_iter();
    for missing in missing.chain(program).chain(submodules).chain(changes.missing()) {
        output.note(&format!("not reproduced: {missing}"));
    }
    for again in changes.again {
        output.note(&format!("happens again: the run {again}"));
    }
    output.confirm(&format!("Run `{}` again as a new run?", captured.command.join(" ")))?;

    let scratch = tempfile::Builder::new()
        .prefix("lathe-reproduce-")
        .tempdir()
        .map_err(|error| Error::new(Code::Unavailable, format!("no temporary folder can be made: {error}")))?;
    let code = Checkout { repository: repository.as_deref(), scratch: scratch.path() };
    let prepared = tokio::select! {
        prepared = prepare(&captured, &code, requirements.map(Vec::as_slice), &python, output) => prepared,
        // The command's own signals are its keeper's; before it starts, they end this.
        stopped = stop_signal() => Err(stopped),
    };
    let started = match prepared {
        Ok((folder, environment)) => {
            let command = captured.command_in(&folder, environment.as_deref());
            let path = environment.map(|environment| path_to(&environment));
            let place = Place { folder: Some(folder), path, reproduces: Some(run_id.clone()) };
            start::start_in(place, before.info.experiment_id.clone(), None, &command, client, output).await
        }
        Err(error) => Err(error),
    };
    // Before the error, if there is one: git must not remember the temporary folder.
    let removed = code.remove().await;
    let started = started?;
    removed?;
    let after = fetch(client, &started.run_id).await?;
    let is_same = compare::compare(client, &before, &after, output).await?;
    Ok(if is_same { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Whoever may not write is told so before packages are installed. The server looks at that before the request, which names no run and so
/// makes nothing.
async fn check_may_write(client: &Client) -> Result<()> {
    let request = client.native(Method::POST, &["run-credentials"]).json(&serde_json::json!({}));
    match client.answer::<serde_json::Value>(request).await {
        Err(error) if error.code() != Code::InvalidArgument => Err(error),
        _ => Ok(()),
    }
}

/// Where the command runs again, and the environment with its packages.
async fn prepare(
    captured: &Captured,
    code: &Checkout<'_>,
    requirements: Option<&[u8]>,
    python: &Python,
    output: &Output,
) -> Result<(PathBuf, Option<PathBuf>)> {
    let folder = match &captured.commit {
        Some(commit) => code.make(commit, &captured.diff).await?.join(&captured.folder),
        None => captured.working_folder.clone(),
    };
    let environment = match requirements {
        Some(requirements) => Some(environment(requirements, python, output).await?),
        None => None,
    };
    Ok((folder, environment))
}

/// The error that a signal is.
async fn stop_signal() -> Error {
    match Signals::listen() {
        Ok(mut signals) => {
            signals.any().await;
            start::stopped()
        }
        Err(error) => error,
    }
}

/// What a run changed in repositories and among the models.
struct Changes {
    /// The commits that it wrote and those that it moved a branch to, what it left uncommitted, and the versions that it registered.
    again: Vec<String>,
    /// Whether it did something with a commit that it may have named by a branch.
    takes_names: bool,
}

impl Changes {
    async fn of(client: &Client, run_id: &str) -> Result<Self> {
        #[derive(Deserialize)]
        struct Graph {
            edges: Vec<Edge>,
        }
        #[derive(Deserialize)]
        struct Edge {
            kind: String,
            to: String,
        }
        let name = Name::new(client.project(), Kind::Run, run_id);
        let query = [("name", name.as_str()), ("direction", "down"), ("depth", "1")];
        let Graph { edges } = client.answer(client.native(Method::GET, &["lineage"]).query(&query)).await?;
        let written = edges.into_iter().filter(|edge| edge.kind == "wrote");
        let mut again: Vec<String> =
            written.map(|edge| format!("wrote {}{AS_IT_IS_NOW}", without_project(&edge.to))).collect();

        let merges = events(client, run_id, "data.merged", MAX_EVENTS).await?;
        // No commit came of these, and so no edge.
        let moves = merges.iter().filter(|merge| merge.detail.fast_forward);
        again.extend(moves.rev().map(|merge| {
            let branch = merge.detail.branch.as_deref().unwrap_or_default();
            format!("moved the branch `{branch}` to {}{AS_IT_IS_NOW}", without_project(&merge.subject))
        }));
        let Writes { writes } = client.get(&["runs", run_id, "reads"]).await?;
        again.extend(writes.iter().filter_map(Write::uncommitted));
        let versions = events(client, run_id, "version.created", MAX_EVENTS).await?;
        again.extend(versions.iter().rev().map(|made| {
            format!("registered {}; another version of the model is made", without_project(&made.subject))
        }));
        let mut takes_names = !merges.is_empty();
        for action in ["data.reverted", "data.branch_created", "data.tagged"] {
            takes_names = takes_names || !events(client, run_id, action, 1).await?.is_empty();
        }
        Ok(Self { again, takes_names })
    }

    /// What nothing keeps: only what a run reads stays what it was.
    fn missing(&self) -> Option<String> {
        self.takes_names.then(|| {
            "what the command merges, reverts, branches from or tags by a name that it has not read: that is taken as it is now"
                .to_owned()
        })
    }
}

/// What a run wrote.
#[derive(Deserialize)]
struct Writes {
    /// From a server that is older than this program: not told.
    #[serde(default)]
    writes: Vec<Write>,
}

#[derive(Deserialize)]
struct Write {
    repository: String,
    branch: String,
    staged: Vec<String>,
}

impl Write {
    /// What no commit has taken; nothing when all of it was.
    fn uncommitted(&self) -> Option<String> {
        let Self { repository, branch, staged } = self;
        let mut named: Vec<&str> = staged.iter().take(MAX_NAMED).map(String::as_str).collect();
        if named.is_empty() {
            return None;
        }
        if staged.len() > named.len() {
            named.push("…");
        }
        Some(format!("wrote {} on {repository}@{branch} and did not commit it{AS_IT_IS_NOW}", named.join(", ")))
    }
}

/// Something that a run did.
#[derive(Deserialize)]
struct Happened {
    subject: String,
    detail: Detail,
}

#[derive(Deserialize)]
struct Detail {
    branch: Option<String>,
    #[serde(default)]
    fast_forward: bool,
}

/// The newest events of a run with this action.
async fn events(client: &Client, run_id: &str, action: &str, count: usize) -> Result<Vec<Happened>> {
    #[derive(Deserialize)]
    struct Page {
        events: Vec<Happened>,
    }
    let request = client.native(Method::GET, &["activity"]).query(&[("actor", run_id), ("action", action)]);
    client.answer(request.query(&[("max_results", count)])).await.map(|Page { events }| events)
}

/// A canonical name as it is shown within its project.
fn without_project(name: &str) -> &str {
    name.split_once('/').map_or("", |(_, path)| path)
}

/// The interpreter that packages are installed for.
struct Python {
    program: String,
    version: Option<String>,
    /// What the run's was, if it was captured.
    wanted: Option<String>,
}

impl Python {
    /// The one of the run's version, as near as one is here.
    async fn like(wanted: Option<&str>) -> Self {
        // Numbers only: it is a tag that anybody may have written, and becomes a program's name.
        let mut parts = wanted.unwrap_or_default().split('.').map(str::parse::<u8>);
        let minor = match (parts.next(), parts.next()) {
            (Some(Ok(major)), Some(Ok(minor))) => Some(format!("python{major}.{minor}")),
            _ => None,
        };
        let place = Place::default();
        let mut found = Self { program: "python3".to_owned(), version: None, wanted: wanted.map(str::to_owned) };
        found.version = capture::python_version(&place, &found.program).await;
        if found.version != found.wanted
            && let Some(minor) = minor
            && let Some(version) = capture::python_version(&place, &minor).await
        {
            found.program = minor;
            found.version = Some(version);
        }
        found
    }
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
            python: tag("lathe.python.version"),
            interpreter: tag("lathe.python").map(PathBuf::from),
            diff: kept("code.diff").await?.unwrap_or_default(),
            requirements: kept("requirements.txt").await?,
            untracked: lines(kept("untracked.txt").await?),
            left_out: lines(kept(start::LEFT_OUT).await?),
            misses_changes: tag(start::DIRTY_TAG).is_some_and(|dirty| dirty == start::UNKNOWN),
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

    /// The command, with the program that is started again.
    fn command_in(&self, folder: &Path, environment: Option<&Path>) -> Vec<OsString> {
        let mut command: Vec<OsString> = self.command.iter().map(OsString::from).collect();
        if let Some(program) = command.first_mut() {
            *program = self.program_in(folder, environment);
        }
        command
    }

    /// A Python, and a script that was installed beside it, are the environment's own, or without one, this shell's of the same name: the
    /// run's may be another one by now. Another program that the code lacks is the one where the run was started.
    fn program_in(&self, folder: &Path, environment: Option<&Path>) -> OsString {
        let program = Path::new(&self.command[0]);
        let name = program.file_name().unwrap_or(program.as_os_str());
        let here = self.working_folder.join(program);
        if capture::is_python(&self.command[0]) {
            return environment.map_or_else(|| name.to_owned(), |environment| environment.join("bin/python").into());
        }
        if self.is_installed_script() {
            let Some(environment) = environment else { return name.to_owned() };
            let own = environment.join("bin").join(name);
            return if own.is_file() { own.into() } else { here.into() };
        }
        let is_lacking = self.command[0].contains('/') && !folder.join(program).exists();
        if is_lacking { here.into() } else { program.into() }
    }

    /// Whether the program is a script that its packages brought, named by its path: it lies beside its interpreter.
    fn is_installed_script(&self) -> bool {
        let place = self.working_folder.join(&self.command[0]);
        let beside = self.own_interpreter().and_then(Path::parent);
        self.command[0].contains('/') && beside.is_some() && place.parent() == beside
    }

    /// The interpreter that the program names itself, when it is a script that does.
    fn own_interpreter(&self) -> Option<&Path> {
        let interpreter = self.interpreter.as_deref().filter(|interpreter| interpreter.is_absolute())?;
        (!capture::is_python(&self.command[0])).then_some(interpreter)
    }

    /// Names the program, when another one is started or nothing keeps what it was.
    async fn program(&self, repository: Option<&Path>, has_packages: bool) -> Option<String> {
        let program = &self.command[0];
        if !program.contains('/') {
            return None;
        }
        if capture::is_python(program) {
            let by = if has_packages { "one with the captured packages" } else { "that of this shell" };
            return Some(format!("the interpreter {program}: {by} is started"));
        }
        Some(match (self.is_installed_script(), has_packages) {
            (true, true) => format!(
                "the program {program}: the one of the captured packages is started, or if they have none, this one as it is now"
            ),
            (true, false) => format!("the program {program}: that of this shell is started"),
            (false, _) => {
                let own = self.own_interpreter().map(|_| "with the packages of its own interpreter");
                match (self.is_code(repository, program).await, own) {
                    (true, None) => return None,
                    (true, Some(own)) => format!("the program {program}: it is started {own}, as they are now"),
                    (false, None) => format!("the program {program}: it is started as it is here now"),
                    (false, Some(own)) => format!("the program {program}: it is started as it is here now, {own}"),
                }
            }
        })
    }

    /// Whether a file, named from the folder of the command, comes with the commit or with what was added to it.
    async fn is_code(&self, repository: Option<&Path>, file: &str) -> bool {
        let (Some(repository), Some(commit)) = (repository, &self.commit) else { return false };
        let Some(path) = path_in_code(&self.folder, file) else { return false };
        let is_added = String::from_utf8_lossy(&self.diff).contains(&format!("diff --git a/{path} b/{path}\n"));
        is_added || git(repository, &["cat-file", "-e", &format!("{commit}:{path}")]).await.is_ok()
    }

    /// Names the submodules of the code: a worktree has none.
    async fn submodules(&self, repository: Option<&Path>) -> Option<String> {
        let (repository, commit) = (repository?, self.commit.as_ref()?);
        git(repository, &["cat-file", "-e", &format!("{commit}:.gitmodules")]).await.ok()?;
        Some("the submodules: their folders are empty".to_owned())
    }

    /// What cannot be as it was, named before anything starts.
    fn missing(&self, has_packages: bool, is_by_choice: bool, python: &Python) -> Vec<String> {
        let mut missing = Vec::new();
        if self.commit.is_none() {
            let folder = self.working_folder.display();
            missing.push(format!("the code: it was in no git repository; {folder} is taken as it is now"));
        }
        if !self.untracked.is_empty() {
            let count = self.untracked.len();
            missing.push(format!(
                "{} that git did not know, among them {}",
                text::count(count, "file"),
                self.untracked[0]
            ));
        }
        if self.misses_changes {
            missing.push("what differed from the commit: git did not say it when the run was started".to_owned());
        }
        if has_packages && !self.left_out.is_empty() {
            let count = text::count(self.left_out.len(), "package");
            missing.push(format!("{count} that came from no registry: {}", self.left_out.join(", ")));
        }
        match (has_packages, is_by_choice) {
            (true, _) => missing.extend(python.difference()),
            (false, true) => missing.push("the packages: those of this shell are taken".to_owned()),
            (false, false) => {
                missing.push("the packages: none were captured; those of this shell are taken".to_owned())
            }
        }
        missing.push(
            "environment variables and standard input: those of this shell are taken, none were captured".to_owned(),
        );
        missing.push("what the command reads elsewhere than in repositories of Lathe, and the machine".to_owned());
        missing
    }
}

impl Python {
    /// What of it is not as it was.
    fn difference(&self) -> Option<String> {
        let now = self.version.as_deref().unwrap_or("none that answers");
        match &self.wanted {
            Some(wanted) if wanted == now => None,
            Some(wanted) => Some(format!("the Python: it was {wanted}, {} here is {now}", self.program)),
            None => Some(format!("the Python: its version was not captured; {} here is {now}", self.program)),
        }
    }
}

/// The code as it was, in a temporary folder that git knows as a worktree of the repository.
struct Checkout<'a> {
    repository: Option<&'a Path>,
    scratch: &'a Path,
}

impl Checkout<'_> {
    fn folder(&self) -> PathBuf {
        self.scratch.join("code")
    }

    /// The commit, and on it what was not committed.
    async fn make(&self, commit: &str, diff: &[u8]) -> Result<PathBuf> {
        let code = self.folder();
        let Some(repository) = self.repository else { return Ok(code) };
        let shown = code.display().to_string();
        git(repository, &["worktree", "add", "--quiet", "--detach", &shown, commit]).await?;
        if diff.is_empty() {
            return Ok(code);
        }
        let patch = self.scratch.join("code.diff");
        std::fs::write(&patch, diff)
            .map_err(|error| Error::new(Code::OutOfSpace, format!("{} cannot be written: {error}", patch.display())))?;
        git(&code, &["apply", "--whitespace=nowarn", &patch.display().to_string()]).await?;
        Ok(code)
    }

    async fn remove(&self) -> Result<()> {
        match self.repository {
            Some(repository) => {
                git(repository, &["worktree", "remove", "--force", &self.folder().display().to_string()]).await
            }
            None => Ok(()),
        }
    }
}

async fn git(folder: &Path, arguments: &[&str]) -> Result<()> {
    let mut command = Command::new("git");
    command.arg("-C").arg(folder).args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    let done =
        command.output().await.map_err(|error| Error::new(Code::Unavailable, format!("git cannot be run: {error}")))?;
    if done.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&done.stderr);
    Err(Error::conflict(format!("git {}: {}", arguments.join(" "), said.trim())))
}

/// An environment with the captured packages, made once for each list of them and each Python; answers its folder.
async fn environment(requirements: &[u8], python: &Python, output: &Output) -> Result<PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache")));
    let cache = cache.ok_or_else(|| Error::new(Code::Unavailable, "there is no home folder to keep packages in"))?;
    let mut hasher = blake3::Hasher::new();
    hasher.update(python.version.as_deref().unwrap_or_default().as_bytes()).update(b"\n").update(requirements);
    let name = hasher.finalize().to_hex();
    let folder = cache.join(ENVIRONMENTS).join(name.get(..16).unwrap_or_default());
    let complete = folder.join(".complete");
    if !complete.exists() {
        output.note(&format!("installing the run's packages into {} (once)", folder.display()));
        let failed = |error: std::io::Error| Error::new(Code::Unavailable, format!("{}: {error}", folder.display()));
        std::fs::create_dir_all(&folder).map_err(failed)?;
        let list = folder.join("requirements.txt");
        std::fs::write(&list, requirements).map_err(failed)?;
        run_python(python.program.as_ref(), &["-m".as_ref(), "venv".as_ref(), folder.as_os_str()]).await?;
        let installer = folder.join("bin/python");
        let words = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "-r"];
        let mut words: Vec<&std::ffi::OsStr> = words.iter().map(std::ffi::OsStr::new).collect();
        words.push(list.as_os_str());
        run_python(installer.as_os_str(), &words).await?;
        std::fs::write(&complete, b"").map_err(failed)?;
    }
    Ok(folder)
}

/// Where in the code a path leads from a folder of it; `None` when it leads out.
fn path_in_code(folder: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    let whole = Path::new(folder).join(path);
    for part in whole.components() {
        match part {
            Component::Normal(part) => parts.push(part.to_str()?),
            Component::CurDir => {}
            Component::ParentDir => drop(parts.pop()?),
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(parts.join("/"))
}

/// The PATH that leads to an environment first.
fn path_to(environment: &Path) -> OsString {
    let mut path = environment.join("bin").into_os_string();
    if let Some(before) = std::env::var_os("PATH") {
        path.push(":");
        path.push(before);
    }
    path
}

fn lines(text: Option<Vec<u8>>) -> Vec<String> {
    let text = text.unwrap_or_default();
    String::from_utf8_lossy(&text).lines().map(str::to_owned).collect()
}

async fn run_python(program: &std::ffi::OsStr, words: &[&std::ffi::OsStr]) -> Result<()> {
    let mut command = Command::new(program);
    let done = command.args(words).stdin(Stdio::null()).kill_on_drop(true).output().await;
    let done = done.map_err(|error| Error::new(Code::Unavailable, format!("Python cannot be run: {error}")))?;
    if done.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&done.stderr);
    let last = said.trim().lines().last().unwrap_or_default().to_owned();
    Err(Error::new(Code::Unavailable, format!("the run's packages cannot be installed: {last}"))
        .with_hint("take those of this shell: --current-env"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn captured(program: &str, interpreter: Option<&str>) -> Captured {
        Captured {
            command: vec![program.to_owned()],
            commit: None,
            folder: String::new(),
            working_folder: "/code/sub".into(),
            python: None,
            interpreter: interpreter.map(PathBuf::from),
            diff: Vec::new(),
            requirements: None,
            untracked: Vec::new(),
            left_out: Vec::new(),
            misses_changes: false,
        }
    }

    #[test]
    fn a_program_is_started_again_from_the_packages_the_code_or_where_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let (code, environment) = (folder.path().join("code"), folder.path().join("environment"));
        for file in [code.join("tool.sh"), environment.join("bin/pytest")] {
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, "").unwrap();
        }
        let venv = "/code/sub/.venv/bin/python3";
        let own = |name: &str| environment.join("bin").join(name).display().to_string();
        for (program, interpreter, with, without) in [
            ("python3", "python3", own("python"), "python3"),
            (".venv/bin/python3", ".venv/bin/python3", own("python"), "python3"),
            ("pytest", venv, "pytest".to_owned(), "pytest"),
            (".venv/bin/pytest", venv, own("pytest"), "pytest"),
            ("./.venv/bin/pytest", venv, own("pytest"), "pytest"),
            ("/code/sub/.venv/bin/pytest", venv, own("pytest"), "pytest"),
            ("/elsewhere/bin/pytest", venv, "/elsewhere/bin/pytest".to_owned(), "/elsewhere/bin/pytest"),
            // Of a package that came from no registry.
            (".venv/bin/mine", venv, "/code/sub/.venv/bin/mine".to_owned(), "mine"),
            ("./tool.sh", "python3", "./tool.sh".to_owned(), "./tool.sh"),
            ("./tool.sh", venv, "./tool.sh".to_owned(), "./tool.sh"),
            ("./ignored.sh", "python3", "/code/sub/./ignored.sh".to_owned(), "/code/sub/./ignored.sh"),
        ] {
            let captured = captured(program, Some(interpreter));
            assert_eq!(captured.program_in(&code, Some(&environment)), OsString::from(&with), "{program}");
            assert_eq!(captured.program_in(&code, None), OsString::from(without), "{program}");
        }
        assert_eq!(captured("make", None).program_in(&code, Some(&environment)), OsString::from("make"));
    }

    #[test]
    fn what_is_not_committed_is_named_in_part() {
        let write = |staged: &[&str]| Write {
            repository: "churn".to_owned(),
            branch: "main".to_owned(),
            staged: staged.iter().map(|path| (*path).to_owned()).collect(),
        };
        assert_eq!(write(&[]).uncommitted(), None);
        let one = write(&["pred/p.csv"]).uncommitted().unwrap();
        assert!(one.starts_with("wrote pred/p.csv on churn@main and did not commit it"), "{one}");
        let many = write(&["1", "2", "3", "4", "5", "6"]).uncommitted().unwrap();
        assert!(many.starts_with("wrote 1, 2, 3, 4, 5, … on churn@main"), "{many}");
    }

    #[test]
    fn a_path_is_followed_within_the_code() {
        for (folder, path, found) in [
            ("", "./run.sh", Some("run.sh")),
            ("sub/", "run.sh", Some("sub/run.sh")),
            ("sub/", "../tools/./run.sh", Some("tools/run.sh")),
            ("sub/", "../../run.sh", None),
            ("sub/", "/bin/sh", None),
        ] {
            assert_eq!(path_in_code(folder, path).as_deref(), found, "{folder}{path}");
        }
    }
}
