//! `lathe monitor drift`: the columns of a window against the reference.

use clap::Args;
use lathe_core::{Error, Result};
use reqwest::Method;
use serde::Deserialize;
use serde_json::Value;

use super::super::client::Client;
use super::super::output::{Cell, Format, Output, Table};
use super::super::text::{count, read_time, time};
use super::reference::Reference;
use super::{NameArgs, number};

#[derive(Debug, Args)]
pub(super) struct DriftArgs {
    #[command(flatten)]
    name: NameArgs,
    /// When the window begins, as tables print it, or in milliseconds since 1970; the latest if absent
    #[arg(long, value_name = "TIME", value_parser = read_time)]
    window: Option<i64>,
    /// Only this model version
    #[arg(long, value_name = "VERSION")]
    version: Option<i64>,
}

#[derive(Debug, Deserialize)]
struct Drift {
    reference: Option<Reference>,
    windows: Vec<DriftWindow>,
}

#[derive(Debug, Deserialize)]
struct DriftWindow {
    start_ms: i64,
    rows: usize,
    drift_share: Option<f64>,
    columns: Vec<ColumnDrift>,
}

#[derive(Debug, Deserialize)]
struct ColumnDrift {
    part: String,
    name: String,
    is_drifted: Option<bool>,
    tests: Vec<DriftTest>,
    problems: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct DriftTest {
    test: String,
    value: f64,
    decides: bool,
}

/// Prints the drift of a window.
///
/// # Errors
/// `NotFound` for the window, and as [`Client::answer`].
pub(super) async fn drift(
    DriftArgs { name, window, version }: DriftArgs,
    client: &Client,
    output: &Output,
) -> Result<()> {
    let mut request = client.native(Method::GET, &["deployments", &name.name, "drift"]).query(&[("windows", 1)]);
    if let Some(start_ms) = window {
        request = request.query(&[("from_ms", start_ms), ("to_ms", start_ms.saturating_add(1))]);
    }
    if let Some(version) = version {
        request = request.query(&[("version", version)]);
    }
    if output.format() == Format::Json {
        return output.print_json(&client.answer::<Value>(request).await?);
    }
    let Drift { reference, mut windows } = client.answer(request).await?;
    let Some(DriftWindow { start_ms, rows, drift_share, columns }) = windows.pop() else {
        let missing = match window {
            Some(start_ms) => format!("deployment `{}` has no window of {}", name.name, time(start_ms)),
            None => format!("deployment `{}` has no window: nothing was asked yet", name.name),
        };
        let hint = client.command(&format!("monitor traffic {}", name.name));
        return Err(Error::not_found(missing).with_hint(format!("see its windows: {hint}")));
    };
    output.note(&format!("window {}: {}", time(start_ms), count(rows, "row")));
    match (reference, drift_share) {
        (Some(Reference { source, rows }), Some(share)) => {
            let rows = count(rows, "row");
            output.note(&format!("{:.0} % of the inputs have drifted from {source} ({rows})", share * 100.0));
        }
        _ => output.note(&format!(
            "there is no reference yet; set one with {}",
            client.command(&format!("monitor reference {}", name.name))
        )),
    }
    let mut table = Table::new([
        ("part", "PART"),
        ("column", "COLUMN"),
        ("drifted", "DRIFTED"),
        ("psi", "PSI"),
        ("test", "DECIDED BY"),
        ("value", "VALUE"),
        ("problems", "PROBLEMS"),
    ]);
    for column in columns {
        let psi = column.tests.iter().find(|test| test.test == "psi").map(|test| test.value);
        let decisive = column.tests.iter().find(|test| test.decides);
        table.push(vec![
            Cell::Text(column.part),
            Cell::Text(column.name),
            column.is_drifted.map_or(Cell::Missing, Cell::Flag),
            number(psi),
            Cell::text(decisive.map(|test| test.test.clone())),
            number(decisive.map(|test| test.value)),
            Cell::Texts(column.problems),
        ]);
    }
    output.print_list(&table, "columns")
}
