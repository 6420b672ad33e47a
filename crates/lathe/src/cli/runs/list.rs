//! `lathe run list`: the runs table.

use std::collections::BTreeMap;

use clap::Args;
use lathe_core::{Code, Error, Result};
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::cli::client::Client;
use crate::cli::names;
use crate::cli::output::{Cell, Column, Format, Output, Table};

pub(super) const EXAMPLES: &str = "Examples:
  lathe run list --experiment digits --order-by 'metrics.test_accuracy DESC'
  lathe run list --filter \"metrics.test_accuracy > 0.97 and params.optimizer = 'adam'\"
  lathe run list --columns metrics.loss,params.lr,tags.team --limit 200
  lathe run list -o csv --all > runs.csv";

const PAGE: usize = 1000;
/// How many metrics and params a table shows unless told which.
const SHOWN_METRICS: usize = 3;
const SHOWN_PARAMS: usize = 2;
/// How many of each a program gets unless it says which.
const WRITTEN_KEYS: usize = 200;

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// Only of this experiment, by name or number; may be given several times
    #[arg(short, long = "experiment", value_name = "NAME")]
    experiments: Vec<String>,
    /// Only those that match, in MLflow's search language
    #[arg(short, long, value_name = "FILTER")]
    filter: Option<String>,
    /// `metrics.loss ASC`, `start_time DESC`, …; may be given several times
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    order_by: Vec<String>,
    /// The columns to show: `metrics.loss`, `params.lr`, `tags.team` [default: the most used]
    #[arg(short, long, value_name = "COLUMNS", value_delimiter = ',')]
    columns: Vec<String>,
    /// At most this many
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 50)]
    limit: usize,
    /// All of them, however many
    #[arg(short, long, conflicts_with = "limit")]
    all: bool,
    /// Deleted runs instead of active ones
    #[arg(long)]
    deleted: bool,
}

#[derive(Debug, Deserialize)]
struct Page {
    runs: Vec<Row>,
    total: usize,
    next_page_token: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Row {
    run_id: String,
    run_name: String,
    experiment_name: String,
    status: String,
    user: String,
    start_time_ms: i64,
    end_time_ms: Option<i64>,
    values: BTreeMap<String, Value>,
}

#[derive(Debug, Deserialize)]
struct KnownColumns {
    metrics: Vec<String>,
    params: Vec<String>,
    truncated: bool,
}

pub(super) async fn run(arguments: ListArgs, client: &Client, output: &Output) -> Result<()> {
    let ListArgs { experiments, filter, order_by, columns, limit, all, deleted } = arguments;
    let experiments = names::find_experiments(client, &experiments).await?;
    let ids: Vec<String> = experiments.into_iter().map(|experiment| experiment.experiment_id).collect();
    let is_chosen = !columns.is_empty();
    let columns = if is_chosen { columns } else { usual_columns(client, &ids, output).await? };
    let limit = if all { usize::MAX } else { limit };

    let mut rows: Vec<Row> = Vec::new();
    let (mut total, mut token) = (0, None);
    while rows.len() < limit && !ids.is_empty() {
        let body = json!({
            "experiment_ids": ids,
            "filter": filter,
            "order_by": order_by,
            "columns": columns,
            "run_view_type": if deleted { "DELETED_ONLY" } else { "ACTIVE_ONLY" },
            "max_results": PAGE.min(limit - rows.len()),
            "page_token": token,
        });
        let page = client.answer(client.native(Method::POST, &["runs", "search"]).json(&body)).await;
        let page: Page = page.map_err(|error| wrong_filter(error, filter.is_some()))?;
        rows.extend(page.runs);
        (total, token) = (page.total, page.next_page_token);
        if token.is_none() {
            break;
        }
    }
    let shown = rows.len();
    let title = |column: &str| column.split_once('.').map_or(column, |(_, key)| key).to_owned();
    let value_columns = columns.iter().map(|column| {
        let shown = Column::new(column, title(column));
        if is_chosen { shown } else { shown.optional() }
    });
    let mut table = table(rows, &columns, value_columns).for_programs(["user"]);
    if ids.len() == 1 {
        table = table.for_programs(["experiment"]);
    }
    output.print_list(&table, "runs")?;
    if 0 < shown && shown < total {
        output.note(&format!("{shown} of {total} runs; --all prints the rest"));
    }
    Ok(())
}

fn wrong_filter(error: Error, has_filter: bool) -> Error {
    match (error.code(), error.hint()) {
        (Code::InvalidArgument, None) if has_filter => {
            error.with_hint("write for instance: --filter \"metrics.loss < 1 and params.optimizer = 'adam'\"")
        }
        _ => error,
    }
}

fn table(rows: Vec<Row>, columns: &[String], value_columns: impl Iterator<Item = Column>) -> Table {
    let fixed = [
        ("run_id", "RUN"),
        ("run_name", "NAME"),
        ("experiment", "EXPERIMENT"),
        ("status", "STATUS"),
        ("user", "USER"),
        ("started_at_ms", "STARTED"),
        ("duration_ms", "TOOK"),
    ];
    let fixed = fixed.map(|(key, title)| Column::new(key, title));
    let mut table = Table::of(fixed.into_iter().chain(value_columns).collect());
    for mut row in rows {
        let mut cells = vec![
            Cell::Id(row.run_id),
            Cell::Text(row.run_name),
            Cell::Text(row.experiment_name),
            Cell::Text(row.status),
            Cell::text(row.user),
            Cell::Time(row.start_time_ms),
            row.end_time_ms.map_or(Cell::Missing, |end_ms| Cell::Duration(end_ms - row.start_time_ms)),
        ];
        cells.extend(columns.iter().map(|column| row.values.remove(column).map_or(Cell::Missing, Cell::value)));
        table.push(cells);
    }
    table
}

/// A person sees the most used columns; a program gets all.
async fn usual_columns(client: &Client, experiment_ids: &[String], output: &Output) -> Result<Vec<String>> {
    if experiment_ids.is_empty() {
        return Ok(Vec::new());
    }
    let is_for_people = output.format() == Format::Table;
    let most = if is_for_people { SHOWN_METRICS.max(SHOWN_PARAMS) } else { WRITTEN_KEYS };
    let query = [("experiment_ids", experiment_ids.join(",")), ("max_results", most.to_string())];
    let known: KnownColumns = client.answer(client.native(Method::GET, &["runs", "columns"]).query(&query)).await?;
    if known.truncated && !is_for_people {
        output.note(&format!(
            "only the {WRITTEN_KEYS} most used metrics and params are columns; choose others by --columns"
        ));
    }
    let (metrics, params) = if is_for_people { (SHOWN_METRICS, SHOWN_PARAMS) } else { (WRITTEN_KEYS, WRITTEN_KEYS) };
    // The load of the machine is not what runs are compared by.
    let metrics = known
        .metrics
        .into_iter()
        .filter(|key| !key.starts_with("system/"))
        .take(metrics)
        .map(|key| format!("metrics.{key}"));
    let params = known.params.into_iter().take(params).map(|key| format!("params.{key}"));
    Ok(metrics.chain(params).collect())
}
