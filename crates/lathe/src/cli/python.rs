//! The Python on this machine: which one, and which packages it has.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use lathe_core::{Code, Error, Result};
use serde::Deserialize;
use tokio::process::Command;

/// What the examples and MLflow 3 run on.
pub const OLDEST: (u32, u32) = (3, 11);

/// A Python interpreter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Python {
    /// Where it is.
    pub program: PathBuf,
    /// Its version.
    pub version: (u32, u32, u32),
    /// Whether it can make an environment with pip in it.
    pub makes_environments: bool,
    /// The version of the `mlflow` package in it, if it has one.
    pub mlflow: Option<String>,
    /// Those of the asked modules that it lacks.
    pub missing: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Said {
    version: (u32, u32, u32),
    makes_environments: bool,
    mlflow: Option<String>,
    missing: Vec<String>,
}

/// Looks up what is installed without importing it: importing MLflow alone takes seconds.
const QUESTION: &str = r#"
import importlib.metadata, importlib.util, json, sys

def version(package):
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None

print(json.dumps({
    "version": sys.version_info[:3],
    "makes_environments": all(importlib.util.find_spec(name) for name in ("venv", "ensurepip")),
    "mlflow": version("mlflow") or version("mlflow-skinny"),
    "missing": [name for name in sys.argv[1:] if importlib.util.find_spec(name) is None],
}))
"#;

/// Asks an interpreter about itself.
///
/// # Errors
/// `Unavailable` when it cannot be run.
pub async fn ask(program: &Path, modules: &[&str]) -> Result<Python> {
    let failed =
        |cause: String| Error::new(Code::Unavailable, format!("{} is no Python that runs: {cause}", program.display()));
    let mut command = Command::new(program);
    command.arg("-c").arg(QUESTION).args(modules).stdin(Stdio::null()).kill_on_drop(true);
    let answer = command.output().await.map_err(|error| failed(error.to_string()))?;
    if !answer.status.success() {
        let said = String::from_utf8_lossy(&answer.stderr);
        return Err(failed(said.lines().last().unwrap_or("it failed without a word").to_owned()));
    }
    let Said { version, makes_environments, mlflow, missing } =
        serde_json::from_slice(&answer.stdout).map_err(|error| failed(error.to_string()))?;
    Ok(Python { program: program.to_owned(), version, makes_environments, mlflow, missing })
}

/// The Python that a shell would run.
///
/// # Errors
/// `Unavailable` when there is none.
pub async fn find() -> Result<Python> {
    for name in ["python3", "python"] {
        if let Ok(python) = ask(Path::new(name), &[]).await {
            return Ok(python);
        }
    }
    Err(Error::new(Code::Unavailable, "no Python was found (python3, python)")
        .with_hint(format!("install Python {}.{} or newer", OLDEST.0, OLDEST.1)))
}

impl Python {
    /// Whether it is new enough.
    pub fn is_new_enough(&self) -> bool {
        (self.version.0, self.version.1) >= OLDEST
    }

    /// `3.12.4`.
    pub fn shown_version(&self) -> String {
        let (major, minor, patch) = self.version;
        format!("{major}.{minor}.{patch}")
    }
}
