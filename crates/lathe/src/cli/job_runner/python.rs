//! Python environments, one for each lock file and version, made once.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use lathe_core::{Code, Error, Result};
use tokio::process::Command;

use crate::caches;
use crate::work::order::PythonOrder;

/// Says that an environment is whole.
const COMPLETE: &str = ".complete";

/// The environment's folder; makes it if it is not there.
pub(super) async fn prepare(wanted: &PythonOrder, at: &Path, note: impl Fn(&str)) -> Result<PathBuf> {
    let requirements = at.join(&wanted.requirements);
    let bytes = std::fs::read(&requirements)
        .map_err(|error| Error::not_found(format!("the lock file {} cannot be read: {error}", wanted.requirements)))?;
    let version = wanted.version.as_deref().unwrap_or_default();
    let mut hasher = blake3::Hasher::new();
    hasher.update(version.as_bytes()).update(b"\n").update(&bytes);
    let key: String = hasher.finalize().to_hex().chars().take(24).collect();
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
    if is_there("uv").await {
        let python = ["--python", version];
        let choice: &[&str] = if version.is_empty() { &[] } else { &python };
        call("uv", &[&["venv", "--quiet"], choice, &[&target]].concat()).await?;
        let interpreter = folder.join("bin/python").display().to_string();
        call("uv", &["pip", "install", "--quiet", "--python", &interpreter, "-r", &listed]).await?;
    } else {
        let interpreter = if version.is_empty() { "python3".to_owned() } else { format!("python{version}") };
        call(&interpreter, &["-m", "venv", &target]).await?;
        let pip = folder.join("bin/pip").display().to_string();
        call(&pip, &["install", "--quiet", "--disable-pip-version-check", "-r", &listed]).await?;
    }
    File::create(folder.join(COMPLETE)).map_err(|error| super::unusable(&folder, &error))?;
    Ok(folder)
}

async fn is_there(program: &str) -> bool {
    let mut command = Command::new(program);
    command.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().await.is_ok_and(|status| status.success())
}

async fn call(program: &str, arguments: &[&str]) -> Result<()> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
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
