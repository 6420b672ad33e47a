//! `lathe run reproduce`: a run once more, from what was captured of it, and how it compares.

mod captured;
mod changes;
mod checkout;
mod comparable;
mod compare;
mod environment;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use lathe_core::{Code, Error, Result};
use reqwest::Method;

use self::captured::Captured;
use self::changes::Changes;
use self::checkout::Checkout;
use self::environment::Python;
use super::super::client::Client;
use super::super::names;
use super::super::output::Output;
use super::fetch;
use super::start::{self, Place, Signals};

/// What `lathe run reproduce --help` shows.
pub const EXAMPLES: &str = "Examples:
  lathe run reproduce 01a2147027            inside a clone of the run's repository
  lathe run reproduce 01a2147027 --current-env
The exit code is 0 when the command ended as before and all params, metrics, artifacts and
logged models are the same, 1 when not.";

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
            let path = environment.map(|environment| environment::path_to(&environment));
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
        Some(requirements) => Some(environment::install(requirements, python, output).await?),
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
