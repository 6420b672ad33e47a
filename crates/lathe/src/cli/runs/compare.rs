//! `lathe run compare`: what is not the same.

use std::collections::BTreeMap;

use clap::Args;
use lathe_core::Result;

use super::Run;
use crate::cli::client::Client;
use crate::cli::output::{Cell, Column, ID_CHARACTERS, Output, Table};

pub(super) const EXAMPLES: &str = "Examples:
  lathe run compare 0190a1b2c3d4 0190a1b2c9f0
  lathe run compare 0190a1b2c3d4 0190a1b2c9f0 --all -o json

In JSON and CSV each run's id is the name of its column.";

#[derive(Debug, Args)]
pub(super) struct CompareArgs {
    /// The runs: their ids, the beginnings or the ends of them, or their names
    #[arg(value_name = "RUN", num_args = 2.., required = true)]
    runs: Vec<String>,
    /// Also what is the same in all runs
    #[arg(short, long)]
    all: bool,
}

pub(super) async fn run(CompareArgs { runs, all }: CompareArgs, client: &Client, output: &Output) -> Result<()> {
    let mut found = Vec::with_capacity(runs.len());
    for text in &runs {
        found.push(super::fetch(client, text).await?);
    }
    let mut columns = vec![Column::new("kind", "KIND"), Column::new("key", "KEY")];
    // Two runs often have the same name: the beginning of the id says which is which.
    columns.extend(found.iter().map(|run| {
        let start: String = run.info.run_id.chars().take(ID_CHARACTERS).collect();
        Column::new(&run.info.run_id, format!("{} ({start})", run.info.run_name))
    }));
    let mut table = Table::of(columns);
    for (kind, cells_of) in [("metric", metrics as fn(&Run) -> Vec<(String, Cell)>), ("param", params)] {
        let mut keys: BTreeMap<String, Vec<Cell>> = BTreeMap::new();
        for (place, run) in found.iter().enumerate() {
            for (key, cell) in cells_of(run) {
                let row = keys.entry(key).or_insert_with(|| vec![Cell::Missing; found.len()]);
                if let Some(at) = row.get_mut(place) {
                    *at = cell;
                }
            }
        }
        for (key, cells) in keys {
            let is_same = cells.windows(2).all(|pair| matches!(pair, [left, right] if left == right));
            if all || !is_same {
                table.push([vec![Cell::Text(kind.to_owned()), Cell::Text(key)], cells].concat());
            }
        }
    }
    let is_same = table.is_empty();
    output.print_table(&table)?;
    if is_same {
        output.note("the runs have the same metrics and params; --all prints them");
    }
    Ok(())
}

fn metrics(run: &Run) -> Vec<(String, Cell)> {
    run.data.metrics.iter().map(|metric| (metric.key.clone(), Cell::value(metric.value.clone()))).collect()
}

fn params(run: &Run) -> Vec<(String, Cell)> {
    run.data.params.iter().map(|param| (param.key.clone(), Cell::Text(param.value.clone()))).collect()
}
