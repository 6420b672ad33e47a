//! Python environments, one for each interpreter and lock file with what that includes, made once.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use lathe_core::{Code, Error, Result};
use tokio::process::Command;

use crate::caches;
use crate::work::order::PythonOrder;
use crate::work::requirements;

/// Says that an environment is whole.
const COMPLETE: &str = ".complete";

/// The environment's folder; makes it if it is not there. `code` is what the command's folder lies in.
pub(super) async fn prepare(wanted: &PythonOrder, code: &Path, folder: &str, note: impl Fn(&str)) -> Result<PathBuf> {
    let at = code.join(folder);
    let requirements = at.join(&wanted.requirements);
    let lock = requirements::hash(code, folder, &wanted.requirements)?;
    let version = wanted.version.as_deref().unwrap_or_default();
    let interpreter = Interpreter::find(version, &at).await;
    let mut hasher = blake3::Hasher::new();
    hasher.update(version.as_bytes()).update(b"\n").update(interpreter.about.as_bytes()).update(b"\n");
    let key: String = hasher.update(lock.as_bytes()).finalize().to_hex().chars().take(24).collect();
    let folder = wanted.environments.join(&key);
    super::make_folder(&wanted.environments)?;
    // Of two attempts at once, the second waits and then finds the work done.
    let lock = File::create(wanted.environments.join(format!("{key}.lock")));
    let lock = lock.map_err(|error| super::unusable(&wanted.environments, &error))?;
    let held = tokio::task::spawn_blocking(move || lock.lock().map(|()| lock)).await;
    let _held = held
        .map_err(|error| Error::internal("a lock cannot be waited for").with_source(error))?
        .map_err(|error| super::unusable(&wanted.environments, &error))?;
    if folder.join(COMPLETE).is_file() {
        caches::mark(&folder);
        return Ok(folder);
    }
    note(&format!("making the Python environment of {}", wanted.requirements));
    if folder.exists() {
        std::fs::remove_dir_all(&folder).map_err(|error| super::unusable(&folder, &error))?;
    }
    let target = folder.display().to_string();
    let listed = requirements.display().to_string();
    if interpreter.has_uv {
        let python = ["--python", &interpreter.program];
        let choice: &[&str] = if interpreter.program.is_empty() { &[] } else { &python };
        call(&at, "uv", &[&["venv", "--quiet"], choice, &[&target]].concat()).await?;
        let installed = folder.join("bin/python").display().to_string();
        call(&at, "uv", &["pip", "install", "--quiet", "--python", &installed, "-r", &listed]).await?;
    } else {
        call(&at, &interpreter.program, &["-m", "venv", &target]).await?;
        let pip = folder.join("bin/pip").display().to_string();
        call(&at, &pip, &["install", "--quiet", "--disable-pip-version-check", "-r", &listed]).await?;
    }
    File::create(folder.join(COMPLETE)).map_err(|error| super::unusable(&folder, &error))?;
    Ok(folder)
}

/// The Python that an environment is made of.
struct Interpreter {
    has_uv: bool,
    /// Its program; a version, or nothing, for one that only uv knows.
    program: String,
    /// Its own version and place: an environment holds for no other one.
    about: String,
}

impl Interpreter {
    async fn find(version: &str, at: &Path) -> Self {
        let has_uv = answer(at, "uv", &["--version"]).await.is_some();
        let chosen: &[&str] = if version.is_empty() { &[] } else { &[version] };
        let program = match has_uv {
            true => answer(at, "uv", &[&["python", "find", "--system"], chosen].concat()).await,
            false => Some(format!("python{}", if version.is_empty() { "3" } else { version })),
        };
        let about = match &program {
            Some(program) => answer(at, program, &["-c", "import sys; print(sys.version, sys.base_prefix)"]).await,
            None => None,
        };
        let program = program.unwrap_or_else(|| version.to_owned());
        Self { has_uv, program, about: about.unwrap_or_default() }
    }
}

/// What a program says; `None` when it is not there or fails.
async fn answer(at: &Path, program: &str, arguments: &[&str]) -> Option<String> {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(at).stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let done = command.output().await.ok().filter(|done| done.status.success())?;
    Some(String::from_utf8_lossy(&done.stdout).trim().to_owned())
}

async fn call(at: &Path, program: &str, arguments: &[&str]) -> Result<()> {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(at).stdin(Stdio::null()).kill_on_drop(true);
    let done = command.output().await.map_err(|error| {
        Error::new(Code::Unavailable, format!("{program} cannot be started: {error}"))
            .with_hint("install Python with its module venv, or uv, where the server runs")
    })?;
    if done.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&done.stderr);
    let last: Vec<&str> = said.lines().rev().take(20).collect();
    let last: Vec<&str> = last.into_iter().rev().collect();
    Err(Error::invalid(format!("the Python environment cannot be made:\n{}", last.join("\n"))))
}
