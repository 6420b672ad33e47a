//! `lathe run …`

pub(super) mod capture;
mod compare;
mod list;
mod log;
mod machine;
mod reproduce;
mod sender;
mod show;
pub(super) mod start;

use std::process::ExitCode;

use clap::{Args, Subcommand};
use lathe_core::Result;
use reqwest::Method;
use serde::Deserialize;
use serde_json::Value;

use super::client::Client;
use super::names::{self, Pair};
use super::output::Output;

/// What `lathe run --help` shows.
pub const EXAMPLES: &str = "Examples:
  lathe run -- python train.py --lr 0.01      any command as a run: code, packages, output and load are captured
  lathe run -e churn -n first -- make train   in an experiment and under a name of your own
  lathe run list --filter 'metrics.loss < 1'  what has been run";

/// Runs
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct RunArgs {
    #[command(subcommand)]
    command: Option<RunCommand>,
    #[command(flatten)]
    start: start::StartArgs,
}

#[derive(Debug, Subcommand)]
enum RunCommand {
    /// List runs, newest first
    #[command(after_help = list::EXAMPLES)]
    List(list::ListArgs),
    /// Show everything logged to a run
    Show(show::ShowArgs),
    /// Compare runs: metrics and params that differ
    #[command(after_help = compare::EXAMPLES)]
    Compare(compare::CompareArgs),
    /// Run a run again from what was captured of it, and compare
    #[command(after_help = reproduce::EXAMPLES)]
    Reproduce(reproduce::ReproduceArgs),
}

/// Runs `lathe run …`.
///
/// # Errors
/// `NotFound`, and as [`Client::answer`].
pub async fn run(RunArgs { command, start }: RunArgs, client: &Client, output: &Output) -> Result<ExitCode> {
    match command {
        None => return start::start(start, client, output).await,
        Some(RunCommand::Reproduce(arguments)) => return reproduce::run(arguments, client, output).await,
        Some(RunCommand::List(arguments)) => list::run(arguments, client, output).await,
        Some(RunCommand::Show(arguments)) => show::run(arguments, client, output).await,
        Some(RunCommand::Compare(arguments)) => compare::run(arguments, client, output).await,
    }
    .map(|()| ExitCode::SUCCESS)
}

/// A run with everything logged to it.
#[derive(Debug, Deserialize)]
struct Run {
    info: RunInfo,
    data: RunData,
    #[serde(default)]
    inputs: Inputs,
    #[serde(default)]
    outputs: Outputs,
}

#[derive(Debug, Deserialize)]
struct RunInfo {
    run_id: String,
    run_name: String,
    experiment_id: String,
    user_id: String,
    status: String,
    start_time: i64,
    end_time: Option<i64>,
    artifact_uri: String,
    lifecycle_stage: String,
}

#[derive(Debug, Deserialize)]
struct RunData {
    #[serde(default)]
    metrics: Vec<Metric>,
    #[serde(default)]
    params: Vec<Pair>,
    #[serde(default)]
    tags: Vec<Pair>,
}

#[derive(Debug, Deserialize)]
struct Metric {
    key: String,
    /// A number, or a word where JSON has none.
    value: Value,
}

#[derive(Debug, Default, Deserialize)]
struct Inputs {
    #[serde(default)]
    dataset_inputs: Vec<DatasetInput>,
}

#[derive(Debug, Deserialize)]
struct DatasetInput {
    dataset: Dataset,
}

#[derive(Debug, Deserialize)]
struct Dataset {
    name: String,
    digest: String,
}

#[derive(Debug, Default, Deserialize)]
struct Outputs {
    #[serde(default)]
    model_outputs: Vec<ModelOutput>,
}

#[derive(Debug, Deserialize)]
struct ModelOutput {
    model_id: String,
}

#[derive(Debug, Deserialize)]
struct RunAnswer {
    run: Run,
}

/// A run, by its id, the beginning or the end of it.
async fn fetch(client: &Client, text: &str) -> Result<Run> {
    let run_id = names::find_run_id(client, text).await?;
    let request = client.mlflow(Method::GET, "runs/get").query(&[("run_id", run_id)]);
    Ok(client.answer::<RunAnswer>(request).await?.run)
}
