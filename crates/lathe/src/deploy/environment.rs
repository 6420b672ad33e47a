//! The interpreter for a model: the one that was given, or an environment made from the model's own requirements, once for all
//! models with the same.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use lathe_core::{Code, Error, Result};
use tokio::process::Command;
use tokio::sync::Mutex;

use super::Settings;
use super::files::cannot_write;
use crate::caches;

/// Large frameworks take minutes to fetch.
const BUILD_TIMEOUT: Duration = Duration::from_secs(1800);
/// What helps when no environment can be made.
const GIVE_PYTHON: &str = "give the server an interpreter with mlflow: lathe serve --serving-python PROGRAM";
/// What an installer gets of the server's environment: where programs, caches, mirrors and proxies are.
const PASSED_ON: [&str; 18] = [
    "PATH",
    "HOME",
    "LANG",
    "TMPDIR",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "SSL_CERT_FILE",
    "UV_CACHE_DIR",
    "UV_INDEX_URL",
    "UV_DEFAULT_INDEX",
    "PIP_INDEX_URL",
    "PIP_CACHE_DIR",
    "PIP_CERT",
    "XDG_CACHE_HOME",
];

/// The environments of this server. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Environments {
    given: Option<PathBuf>,
    folder: PathBuf,
    /// One is made at a time.
    making: Arc<Mutex<()>>,
}

impl Environments {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            given: settings.python.clone(),
            folder: settings.folder.join("environments"),
            making: Arc::new(Mutex::new(())),
        }
    }

    /// The interpreter that was given.
    pub(super) fn given(&self) -> Option<&Path> {
        self.given.as_deref()
    }

    /// The interpreter for the model in a folder.
    ///
    /// # Errors
    /// `Unavailable` with what the installer said.
    pub(super) async fn python_for(&self, model: &Path) -> Result<PathBuf> {
        if let Some(python) = &self.given {
            return Ok(python.clone());
        }
        let requirements = model.join("requirements.txt");
        let text = tokio::fs::read(&requirements).await.map_err(|error| {
            Error::new(Code::NotFound, "the model has no requirements.txt, so no environment can be made for it")
                .with_hint(GIVE_PYTHON)
                .with_source(error)
        })?;
        let requirements = requirements.display().to_string();
        self.make(&text, &["-r", &requirements]).await
    }

    /// The interpreter of the environment that holds what is `wanted`; it is made if it is not there. `named` names it by what it holds.
    ///
    /// # Errors
    /// `Unavailable` with what the installer said.
    pub(super) async fn make(&self, named: &[u8], wanted: &[&str]) -> Result<PathBuf> {
        let environment = self.folder.join(blake3::hash(named).to_hex().as_str());
        let (python, mark) = (environment.join("bin").join("python"), environment.join("complete"));
        let _one_at_a_time = self.making.lock().await;
        if tokio::fs::try_exists(&mark).await.unwrap_or(false) {
            caches::mark(&environment);
            return Ok(python);
        }
        // What an ended server left half made.
        let _ = tokio::fs::remove_dir_all(&environment).await;
        tokio::fs::create_dir_all(&self.folder).await.map_err(cannot_write)?;
        let (environment, python_text) = (environment.display().to_string(), python.display().to_string());
        let (make, fill): (Vec<&str>, Vec<&str>) = if has_uv().await {
            let fill = vec!["uv", "pip", "install", "--quiet", "--python", &python_text];
            (vec!["uv", "venv", "--quiet", &environment], fill)
        } else {
            let fill = vec![python_text.as_str(), "-m", "pip", "install", "--quiet"];
            (vec!["python3", "-m", "venv", &environment], fill)
        };
        tracing::info!("an environment for models is made; this takes a while");
        run(&make).await?;
        run(&[fill.as_slice(), wanted].concat()).await?;
        tokio::fs::write(&mark, b"").await.map_err(cannot_write)?;
        Ok(python)
    }
}

pub(super) fn command(words: &[&str]) -> Command {
    let (program, arguments) = words.split_first().unwrap_or((&"false", &[]));
    let mut command = Command::new(program);
    command.args(arguments).env_clear().stdin(Stdio::null()).kill_on_drop(true);
    for name in PASSED_ON {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command
}

async fn has_uv() -> bool {
    let probe = command(&["uv", "--version"]).stdout(Stdio::null()).stderr(Stdio::null()).status().await;
    probe.is_ok_and(|status| status.success())
}

async fn run(words: &[&str]) -> Result<()> {
    let unavailable = |what: String| {
        Error::new(Code::Unavailable, format!("the model's environment cannot be made: {what}")).with_hint(GIVE_PYTHON)
    };
    let program = words.first().copied().unwrap_or_default();
    let output = tokio::time::timeout(BUILD_TIMEOUT, command(words).output()).await;
    let output = output.map_err(|_| unavailable("it took too long".to_owned()))?;
    let output = output.map_err(|error| unavailable(format!("`{program}` cannot be started")).with_source(error))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let last = lines.get(lines.len().saturating_sub(3)..).unwrap_or_default().join(" ");
    Err(unavailable(last))
}
