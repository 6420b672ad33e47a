//! The packages of a run, and the Python that they are installed for.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use lathe_core::{Code, Error, Result};
use tokio::process::Command;

use super::super::capture;
use super::super::start::Place;
use crate::cli::output::Output;

/// Where the packages of reproductions are kept, below the user's cache folder.
const ENVIRONMENTS: &str = "lathe/environments";

/// The interpreter that packages are installed for.
pub(super) struct Python {
    program: String,
    version: Option<String>,
    /// What the run's was, if it was captured.
    wanted: Option<String>,
}

impl Python {
    /// The one of the run's version, as near as one is here.
    pub(super) async fn like(wanted: Option<&str>) -> Self {
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

    /// What of it is not as it was.
    pub(super) fn difference(&self) -> Option<String> {
        let now = self.version.as_deref().unwrap_or("none that answers");
        match &self.wanted {
            Some(wanted) if wanted == now => None,
            Some(wanted) => Some(format!("the Python: it was {wanted}, {} here is {now}", self.program)),
            None => Some(format!("the Python: its version was not captured; {} here is {now}", self.program)),
        }
    }
}

/// An environment with the captured packages, made once for each list of them and each Python; answers its folder.
pub(super) async fn install(requirements: &[u8], python: &Python, output: &Output) -> Result<PathBuf> {
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

/// The PATH that leads to an environment first.
pub(super) fn path_to(environment: &Path) -> OsString {
    let mut path = environment.join("bin").into_os_string();
    if let Some(before) = std::env::var_os("PATH") {
        path.push(":");
        path.push(before);
    }
    path
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
