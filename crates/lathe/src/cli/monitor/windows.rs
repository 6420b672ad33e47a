//! `lathe monitor traffic` and `lathe monitor quality`: windows of a deployment, one row each.

use std::collections::{BTreeMap, BTreeSet};

use clap::Args;
use lathe_core::Result;
use reqwest::Method;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::super::client::Client;
use super::super::output::{Cell, Output, Table};
use super::{NameArgs, number};

#[derive(Debug, Args)]
pub(super) struct WindowsArgs {
    #[command(flatten)]
    name: NameArgs,
    /// How many of the latest windows, up to 200
    #[arg(long, default_value_t = 24, value_name = "N")]
    windows: i64,
    /// Only this model version
    #[arg(long, value_name = "VERSION")]
    version: Option<i64>,
}

#[derive(Debug, Deserialize)]
struct Windows<T> {
    windows: Vec<T>,
}

async fn windows<T: DeserializeOwned>(
    what: &str,
    WindowsArgs { name, windows, version }: WindowsArgs,
    client: &Client,
) -> Result<Vec<T>> {
    let mut request = client.native(Method::GET, &["deployments", &name.name, what]).query(&[("windows", windows)]);
    if let Some(version) = version {
        request = request.query(&[("version", version)]);
    }
    Ok(client.answer::<Windows<T>>(request).await?.windows)
}

#[derive(Debug, Deserialize)]
struct TrafficRow {
    start_ms: i64,
    version: i64,
    variant: String,
    requests: i64,
    rows: i64,
    rate: f64,
    error_rate: f64,
    p50_ms: Option<f64>,
    p95_ms: Option<f64>,
    p99_ms: Option<f64>,
}

/// Prints requests, errors and latencies.
///
/// # Errors
/// As [`Client::answer`].
pub(super) async fn traffic(arguments: WindowsArgs, client: &Client, output: &Output) -> Result<()> {
    let mut table = Table::new([
        ("start_ms", "WINDOW"),
        ("version", "VERSION"),
        ("variant", "ROLE"),
        ("requests", "REQUESTS"),
        ("rows", "ROWS"),
        ("rate", "PER SECOND"),
        ("error_rate", "ERROR RATE"),
        ("p50_ms", "P50 MS"),
        ("p95_ms", "P95 MS"),
        ("p99_ms", "P99 MS"),
    ]);
    for row in windows::<TrafficRow>("traffic", arguments, client).await? {
        table.push(vec![
            Cell::Time(row.start_ms),
            Cell::Integer(row.version),
            Cell::Text(row.variant),
            Cell::Integer(row.requests),
            Cell::Integer(row.rows),
            Cell::Number(row.rate),
            Cell::Number(row.error_rate),
            number(row.p50_ms),
            number(row.p95_ms),
            number(row.p99_ms),
        ]);
    }
    output.print_list(&table, "windows")
}

#[derive(Debug, Deserialize)]
struct QualityRow {
    start_ms: i64,
    version: i64,
    variant: String,
    rows: i64,
    labelled: i64,
    measures: BTreeMap<String, f64>,
    problem: Option<String>,
}

/// Prints how good the answers were.
///
/// # Errors
/// As [`Client::answer`].
pub(super) async fn quality(arguments: WindowsArgs, client: &Client, output: &Output) -> Result<()> {
    let mut table = Table::new([
        ("start_ms", "WINDOW"),
        ("version", "VERSION"),
        ("variant", "ROLE"),
        ("rows", "ROWS"),
        ("labelled", "LABELLED"),
        ("measures", "MEASURES"),
    ]);
    let mut problems = BTreeSet::new();
    for row in windows::<QualityRow>("quality", arguments, client).await? {
        problems.extend(row.problem);
        let measures = row.measures.into_iter().map(|(name, value)| (name, Cell::Number(value)));
        table.push(vec![
            Cell::Time(row.start_ms),
            Cell::Integer(row.version),
            Cell::Text(row.variant),
            Cell::Integer(row.rows),
            Cell::Integer(row.labelled),
            Cell::Pairs(measures.collect()),
        ]);
    }
    problems.iter().for_each(|problem| output.note(problem));
    output.print_list(&table, "windows")
}
