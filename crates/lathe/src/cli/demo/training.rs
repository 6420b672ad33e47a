//! The demo's training: the tutorial's own script, as any user would run it.

use std::path::Path;
use std::process::Stdio;

use lathe_core::{Code, Error, Result};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

use crate::cli::client::Client;

const SCRIPT: &str = include_str!("../../../../../examples/digits/train.py");
/// MLflow says on standard error what the script says better.
const REPEATED: [&str; 3] = ["Successfully registered", "Created version", "Registered model"];

/// Ends a process with all that it started.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(pid) = self.0 {
            // It may have ended by itself.
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }
}

/// Runs the script against the server; dropping the future ends it.
pub(super) async fn run(client: &Client, data_dir: &Path, python: &Path) -> Result<()> {
    let failed = |cause: String| Error::new(Code::Unavailable, format!("the training cannot be started: {cause}"));
    let script = data_dir.join("demo-train.py");
    std::fs::create_dir_all(data_dir)
        .and_then(|()| std::fs::write(&script, SCRIPT))
        .map_err(|error| failed(format!("{}: {error}", script.display())))?;
    let mut command = Command::new(python);
    command.arg(&script).env("PYTHONUNBUFFERED", "1").env("MLFLOW_DISABLE_TELEMETRY", "true");
    command.env("MLFLOW_TRACKING_URI", client.tracking_uri()).env_remove("MLFLOW_REGISTRY_URI");
    match client.token() {
        Some(token) => command
            .env("MLFLOW_TRACKING_TOKEN", token)
            .env_remove("MLFLOW_TRACKING_USERNAME")
            .env_remove("MLFLOW_TRACKING_PASSWORD"),
        None => command.env_remove("MLFLOW_TRACKING_TOKEN"),
    };
    // In a group of its own: Ctrl-C reaches this process only, which then ends it without a traceback.
    command.stdin(Stdio::null()).stderr(Stdio::piped()).process_group(0);
    let mut child = command.spawn().map_err(|error| failed(error.to_string()))?;
    let mut group = Group(child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw));
    if let Some(stderr) = child.stderr.take() {
        let mut lines = BufReader::new(stderr).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            if !REPEATED.iter().any(|start| line.starts_with(start)) {
                eprintln!("{line}");
            }
        }
    }
    let status = child.wait().await.map_err(|error| failed(error.to_string()))?;
    // It has ended; its number may soon be another's.
    group.0 = None;
    if status.success() {
        return Ok(());
    }
    Err(Error::new(Code::Internal, format!("the training failed ({status})"))
        .with_hint(format!("what it said is above; the script is {}", script.display())))
}
