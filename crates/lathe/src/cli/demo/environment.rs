//! The demo's Python environment: made once, in the data folder.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use lathe_core::{Code, Error, Result};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::Command;

use crate::cli::output::Output;
use crate::cli::python::{self, Python};
use crate::cli::text::shell_word;

const REQUIREMENTS: &str = include_str!("../../../../../examples/digits/requirements.txt");
const FOLDER: &str = "demo-env";
/// Holds what was installed: an environment without it is not finished, one with other requirements is old.
const MARKER: &str = "lathe-requirements.txt";
/// What train.py imports.
const MODULES: [&str; 6] = ["matplotlib", "mlflow", "numpy", "pandas", "skops", "sklearn"];

/// The Python to train with: the given one, or one of the demo's own.
pub(super) async fn prepare(data_dir: &Path, given: Option<PathBuf>, output: &Output) -> Result<PathBuf> {
    match given {
        Some(program) => check_given(&program).await,
        None => make(data_dir, output).await,
    }
}

async fn check_given(program: &Path) -> Result<PathBuf> {
    let Python { missing, .. } = python::ask(program, &MODULES).await?;
    if missing.is_empty() {
        return Ok(program.to_owned());
    }
    let pins: Vec<_> = pins().collect();
    Err(Error::new(Code::Unavailable, format!("{} lacks {}", program.display(), missing.join(", ")))
        .with_hint(format!("{} -m pip install {}", shell_word(&program.to_string_lossy()), pins.join(" "))))
}

fn pins() -> impl Iterator<Item = &'static str> {
    REQUIREMENTS.lines().filter(|line| !line.starts_with('#') && !line.is_empty())
}

async fn make(data_dir: &Path, output: &Output) -> Result<PathBuf> {
    let folder = data_dir.join(FOLDER);
    let program = folder.join("bin").join("python");
    if std::fs::read_to_string(folder.join(MARKER)).is_ok_and(|installed| installed == REQUIREMENTS) {
        return Ok(program);
    }
    let base = python::find().await?;
    let found = format!("Python {} was found ({})", base.shown_version(), base.program.display());
    if !base.is_new_enough() {
        let (major, minor) = python::OLDEST;
        return Err(Error::new(Code::Unavailable, format!("{found}, and the demo needs {major}.{minor} or newer"))
            .with_hint("name a newer one that has the packages: lathe demo --python PATH"));
    }
    if !base.makes_environments {
        return Err(Error::new(Code::Unavailable, format!("{found}, and it lacks the modules venv and ensurepip"))
            .with_hint("on Debian and Ubuntu: sudo apt install python3-venv"));
    }
    output.note("installing, once; it takes a minute or two");
    std::fs::create_dir_all(data_dir)
        .map_err(|error| Error::new(Code::Unavailable, format!("{}: {error}", data_dir.display())))?;
    let mut venv = Command::new(&base.program);
    venv.args(["-m", "venv", "--clear"]).arg(&folder);
    run(venv, "making the environment", output).await?;
    let mut pip = Command::new(&program);
    pip.args(["-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--progress-bar", "off"]);
    pip.args(pins());
    run(pip, "installing packages", output).await?;
    std::fs::write(folder.join(MARKER), REQUIREMENTS)
        .map_err(|error| Error::new(Code::Unavailable, format!("{}: {error}", folder.display())))?;
    Ok(program)
}

/// Runs a step and shows its last line while it works.
async fn run(mut command: Command, step: &str, output: &Output) -> Result<()> {
    let failed = |cause: String| {
        Error::new(Code::Unavailable, format!("{step} failed: {cause}"))
            .with_hint("use a Python that has the packages: lathe demo --python PATH")
    };
    let spinner = output.spinner(step);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().map_err(|error| failed(error.to_string()))?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let follow = async {
        if let Some(stdout) = stdout {
            let mut lines = BufReader::new(stdout).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                spinner.set_message(format!("{step}: {}", crate::cli::text::clean(line.trim())));
            }
        }
    };
    let collect = async {
        let mut said = String::new();
        if let Some(mut stderr) = stderr {
            // What cannot be read is missing in a message only.
            let _ = stderr.read_to_string(&mut said).await;
        }
        said
    };
    let ((), said) = tokio::join!(follow, collect);
    let status = child.wait().await.map_err(|error| failed(error.to_string()))?;
    spinner.finish_and_clear();
    if status.success() {
        return Ok(());
    }
    let lines: Vec<_> = said.lines().filter(|line| !line.trim().is_empty()).collect();
    let last = lines.iter().rev().take(5).rev().copied().collect::<Vec<_>>().join("; ");
    Err(failed(if last.is_empty() { status.to_string() } else { last }))
}
