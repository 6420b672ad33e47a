//! `lathe monitor alerts` and `lathe monitor check`.

use std::process::ExitCode;

use clap::Args;
use lathe_core::Result;
use reqwest::{Method, RequestBuilder};
use serde::Deserialize;

use super::super::client::Client;
use super::super::output::{Cell, Output, Table};
use super::super::text::count;

/// What an open alert is to a script (a gate that failed).
const GATE_FAILED: u8 = 6;

#[derive(Debug, Args)]
pub(super) struct AlertsArgs {
    /// The deployment; all of the project if absent
    #[arg(value_name = "DEPLOYMENT")]
    name: Option<String>,
    /// Leave out what is resolved
    #[arg(long)]
    open: bool,
}

#[derive(Debug, Deserialize)]
struct Alert {
    deployment: String,
    rule: String,
    severity: String,
    window_start_ms: i64,
    value: f64,
    threshold: f64,
    raised_at_ms: i64,
    resolved_at_ms: Option<i64>,
    resolved_window_start_ms: Option<i64>,
}

#[derive(Debug, Deserialize)]
struct Checked {
    windows: usize,
}

#[derive(Debug, Deserialize)]
struct AlertList {
    alerts: Vec<Alert>,
}

/// Prints alerts.
///
/// # Errors
/// As [`Client::answer`].
pub(super) async fn list(AlertsArgs { name, open }: AlertsArgs, client: &Client, output: &Output) -> Result<()> {
    let found: AlertList = client.answer(alerts_request(name.as_deref(), open, client)).await?;
    output.print_list(&alert_table(found.alerts), "alerts")
}

fn alerts_request(name: Option<&str>, only_open: bool, client: &Client) -> RequestBuilder {
    let request = match name {
        Some(name) => client.native(Method::GET, &["deployments", name, "alerts"]),
        None => client.native(Method::GET, &["alerts"]),
    };
    request.query(&[("only_open", only_open)])
}

fn alert_table(alerts: Vec<Alert>) -> Table {
    let mut table = Table::new([
        ("deployment", "DEPLOYMENT"),
        ("rule", "RULE"),
        ("severity", "SEVERITY"),
        ("window_start_ms", "FROM WINDOW"),
        ("value", "VALUE"),
        ("threshold", "THRESHOLD"),
        ("raised_at_ms", "RAISED"),
        ("resolved_window_start_ms", "UNTIL WINDOW"),
        ("resolved_at_ms", "RESOLVED"),
    ]);
    for alert in alerts {
        table.push(vec![
            Cell::Text(alert.deployment),
            Cell::Text(alert.rule),
            Cell::Text(alert.severity),
            Cell::Time(alert.window_start_ms),
            Cell::Number(alert.value),
            Cell::Number(alert.threshold),
            Cell::Time(alert.raised_at_ms),
            Cell::time(alert.resolved_window_start_ms),
            Cell::time(alert.resolved_at_ms),
        ]);
    }
    table
}

/// Applies the rules now, and prints the alerts that are open then.
///
/// # Errors
/// As [`Client::answer`].
pub(super) async fn check(name: &str, client: &Client, output: &Output) -> Result<ExitCode> {
    let Checked { windows } = client.answer(client.native(Method::POST, &["deployments", name, "check"])).await?;
    output.note(&format!("looked at {}", count(windows, "window")));
    let found: AlertList = client.answer(alerts_request(Some(name), true, client)).await?;
    let is_quiet = found.alerts.is_empty();
    output.print_list(&alert_table(found.alerts), "open alerts")?;
    Ok(if is_quiet { ExitCode::SUCCESS } else { ExitCode::from(GATE_FAILED) })
}
