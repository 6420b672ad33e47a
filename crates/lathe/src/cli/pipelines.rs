//! `lathe pipeline …`: pipeline files and runs. `lint` and `graph` need no server.

mod files;
mod graph;
mod lint;
mod push;
mod runs;

use std::process::ExitCode;

use clap::{Args, Subcommand};
use lathe_core::Result;

use super::client::ConnectionArgs;
use super::output::Output;

pub const EXAMPLES: &str = "Examples:
  lathe pipeline lint                          check lathe.yaml and pipelines/*.yaml
  lathe pipeline graph --format mermaid        draw the jobs of lathe.yaml
  lathe pipeline run --wait                    push lathe.yaml and its code, run it, and say what happens
  lathe pipeline run churn -P trials=10        a pipeline that was pushed, with a parameter
  lathe pipeline logs churn train[2] --follow  what a job of its newest run prints
  lathe pipeline retry churn/12                what failed in a run, again";

/// Pipelines: their files and their runs
#[derive(Debug, Args)]
pub struct PipelineArgs {
    #[command(subcommand)]
    command: PipelineCommand,
    #[command(flatten)]
    connection: ConnectionArgs,
}

#[derive(Debug, Subcommand)]
enum PipelineCommand {
    /// Check pipeline files; every mistake with line and column
    Lint(lint::LintArgs),
    /// Draw the jobs of a pipeline file
    Graph(graph::GraphArgs),
    /// Store a pipeline's file and the code that its jobs run
    Push(push::PushArgs),
    /// Start a run; a file is pushed first
    Run(runs::RunArgs),
    /// List pipelines, or the runs of one
    List(runs::ListArgs),
    /// Show a run with its jobs
    Show(runs::RunRef),
    /// Print what a job printed
    Logs(runs::LogArgs),
    /// End a run
    Cancel(runs::RunRef),
    /// Try again what failed in a run
    Retry(runs::RunRef),
    /// List jobs that wait for people
    Approvals,
    /// Let a job that waits go on
    Approve(runs::DecideArgs),
    /// Let a job that waits fail
    Reject(runs::DecideArgs),
    /// Keep a pipeline from starting by itself
    Pause(runs::NameArgs),
    /// Let a pipeline start by itself again
    Resume(runs::NameArgs),
}

/// Runs the command.
///
/// # Errors
/// What the command answers.
pub async fn run(PipelineArgs { command, connection }: PipelineArgs, output: &Output) -> Result<ExitCode> {
    match command {
        PipelineCommand::Lint(arguments) => return lint::run(&arguments, output),
        PipelineCommand::Graph(arguments) => return graph::run(&arguments, output),
        PipelineCommand::Run(arguments) => return runs::start(arguments, &connection.connect()?, output).await,
        PipelineCommand::Push(arguments) => push::run(arguments, &connection.connect()?, output).await,
        PipelineCommand::List(arguments) => runs::list(arguments, &connection.connect()?, output).await,
        PipelineCommand::Show(run) => runs::show(run, &connection.connect()?, output).await,
        PipelineCommand::Logs(arguments) => runs::logs(arguments, &connection.connect()?, output).await,
        PipelineCommand::Cancel(run) => runs::act(run, "cancel", "canceling", &connection.connect()?, output).await,
        PipelineCommand::Retry(run) => runs::act(run, "retry", "trying again", &connection.connect()?, output).await,
        PipelineCommand::Approvals => runs::approvals(&connection.connect()?, output).await,
        PipelineCommand::Approve(one) => runs::decide(one, "approve", &connection.connect()?, output).await,
        PipelineCommand::Reject(one) => runs::decide(one, "reject", &connection.connect()?, output).await,
        PipelineCommand::Pause(name) => runs::set_paused(name, "pause", &connection.connect()?, output).await,
        PipelineCommand::Resume(name) => runs::set_paused(name, "resume", &connection.connect()?, output).await,
    }?;
    Ok(ExitCode::SUCCESS)
}
