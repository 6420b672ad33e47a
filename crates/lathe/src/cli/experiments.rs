//! `lathe exp …`

use clap::{Args, Subcommand};
use lathe_core::Result;

use super::client::Client;
use super::names;
use super::output::{Cell, Output, Table};

/// Experiments
#[derive(Debug, Args)]
pub struct ExpArgs {
    #[command(subcommand)]
    command: ExpCommand,
}

#[derive(Debug, Subcommand)]
enum ExpCommand {
    /// List the project's experiments
    List(ListArgs),
}

#[derive(Debug, Args)]
struct ListArgs {
    /// Include deleted ones
    #[arg(long)]
    deleted: bool,
}

/// Runs `lathe exp …`.
///
/// # Errors
/// As [`Client::answer`].
pub async fn run(ExpArgs { command }: ExpArgs, client: &Client, output: &Output) -> Result<()> {
    match command {
        ExpCommand::List(arguments) => list(arguments, client, output).await,
    }
}

async fn list(ListArgs { deleted }: ListArgs, client: &Client, output: &Output) -> Result<()> {
    let found = names::list_experiments(client, if deleted { "ALL" } else { "ACTIVE_ONLY" }).await?;
    let mut table = Table::new([
        ("experiment_id", "ID"),
        ("name", "NAME"),
        ("lifecycle_stage", "STAGE"),
        ("created_at_ms", "CREATED"),
        ("updated_at_ms", "UPDATED"),
    ]);
    for experiment in found {
        table.push(vec![
            Cell::Text(experiment.experiment_id),
            Cell::Text(experiment.name),
            Cell::Text(experiment.lifecycle_stage),
            Cell::Time(experiment.creation_time),
            Cell::Time(experiment.last_update_time),
        ]);
    }
    output.print_list(&table, "experiments")
}
