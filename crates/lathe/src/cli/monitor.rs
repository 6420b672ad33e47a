//! `lathe monitor …`: what the windows of a deployment show, labels, and alert rules.

mod labels;

use std::collections::BTreeMap;
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use lathe_core::{Error, Result};
use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::client::Client;
use super::data::address::Address;
use super::output::{Cell, Format, Output, Table};
use super::text::read_time;

pub const EXAMPLES: &str = "Examples:
  lathe monitor drift scorer                                    its latest window against what its model learnt from
  lathe monitor quality scorer                                  how good its answers were, by the labels that are there
  lathe monitor labels scorer @labels.csv                       columns request_id (or client_request_id), row, label
  lathe monitor rule create scorer drift --metric drift-share --threshold 0.3
  lathe monitor check scorer                                    apply the rules now; exits 6 when an alert is open";

/// What an open alert is to a script (a gate that failed).
const GATE_FAILED: u8 = 6;

/// What deployments answer, over time: traffic, drift, quality, alerts
#[derive(Debug, Args)]
pub struct MonitorArgs {
    #[command(subcommand)]
    command: MonitorCommand,
}

#[derive(Debug, Subcommand)]
enum MonitorCommand {
    /// Requests, errors and latencies by window and version
    Traffic(WindowsArgs),
    /// The columns of a window against the reference
    Drift(DriftArgs),
    /// How good the answers were, by the labels that are there
    Quality(WindowsArgs),
    /// Add labels: what should have been answered
    Labels(labels::LabelsArgs),
    /// Show or set what windows are compared with
    Reference(ReferenceArgs),
    /// Show or change how a deployment is monitored
    Settings(SettingsArgs),
    /// Alert rules
    Rule(RuleArgs),
    /// List alerts
    Alerts(AlertsArgs),
    /// Apply the alert rules now; exits 6 when an alert is open
    Check(NameArgs),
}

#[derive(Debug, Args)]
struct NameArgs {
    /// The deployment
    #[arg(value_name = "DEPLOYMENT")]
    name: String,
}

#[derive(Debug, Args)]
struct WindowsArgs {
    #[command(flatten)]
    name: NameArgs,
    /// How many of the latest windows, up to 200
    #[arg(long, default_value_t = 24, value_name = "N")]
    windows: i64,
    /// Only this model version
    #[arg(long, value_name = "VERSION")]
    version: Option<i64>,
}

#[derive(Debug, Args)]
struct DriftArgs {
    #[command(flatten)]
    name: NameArgs,
    /// When the window begins, as tables print it, or in milliseconds since 1970; the latest if absent
    #[arg(long, value_name = "TIME", value_parser = read_time)]
    window: Option<i64>,
    /// Only this model version
    #[arg(long, value_name = "VERSION")]
    version: Option<i64>,
}

#[derive(Debug, Args)]
#[group(multiple = false)]
struct ReferenceArgs {
    #[command(flatten)]
    name: NameArgs,
    /// What the primary version's model learnt from, found by lineage
    #[arg(long)]
    training: bool,
    /// A window of the deployment, by its beginning: as tables print it, or in milliseconds since 1970
    #[arg(long, value_name = "TIME", value_parser = read_time, conflicts_with = "training")]
    window: Option<i64>,
    /// CSV or Parquet files of a repository: REPO@REF/PATH
    #[arg(long, value_name = "ADDRESS", conflicts_with_all = ["training", "window"])]
    data: Option<Address>,
}

#[derive(Debug, Args)]
struct SettingsArgs {
    #[command(flatten)]
    name: NameArgs,
    /// The length of a window, such as 1h or 7d; it cannot change once there are windows
    #[arg(long, value_name = "DURATION")]
    window: Option<humantime::Duration>,
    /// The share of requests whose rows are kept, from 0 to 1
    #[arg(long, value_name = "SHARE")]
    sample_share: Option<f64>,
    /// How long windows are kept, such as 90d
    #[arg(long, value_name = "DURATION")]
    retention: Option<humantime::Duration>,
    /// Whether clients may say when a request was made (header x-lathe-time)
    #[arg(long, value_name = "BOOL")]
    allow_replay: Option<bool>,
    /// The output column that labels are compared with
    #[arg(long, value_name = "COLUMN")]
    prediction_column: Option<String>,
    /// The output column with the score of the positive class
    #[arg(long, value_name = "COLUMN")]
    score_column: Option<String>,
    /// The class that precision, recall and scores are about
    #[arg(long, value_name = "LABEL")]
    positive_label: Option<String>,
}

#[derive(Debug, Args)]
struct RuleArgs {
    #[command(subcommand)]
    command: RuleCommand,
}

#[derive(Debug, Subcommand)]
enum RuleCommand {
    /// Make an alert rule
    Create(RuleCreateArgs),
    /// List a deployment's alert rules
    List(NameArgs),
    /// Delete an alert rule
    Delete(RuleNameArgs),
}

#[derive(Debug, Args)]
struct RuleNameArgs {
    #[command(flatten)]
    deployment: NameArgs,
    /// The rule
    #[arg(value_name = "RULE")]
    rule: String,
}

#[derive(Debug, Args)]
struct RuleCreateArgs {
    #[command(flatten)]
    name: RuleNameArgs,
    /// What is looked at in each window
    #[arg(long, value_enum)]
    metric: Metric,
    /// Of a metric of one column: which input column, or else which output column
    #[arg(long)]
    column: Option<String>,
    /// Of quality: accuracy, precision, recall, f1, brier, log_loss, auc, mae, rmse or r2
    #[arg(long)]
    measure: Option<String>,
    /// Where an alert begins: within what the metric can be
    #[arg(long, allow_negative_numbers = true)]
    threshold: f64,
    /// How bad it is
    #[arg(long, value_enum, default_value_t = Severity::Warning)]
    severity: Severity,
    /// Fewer rows (of quality: labels) than this say nothing
    #[arg(long, default_value_t = 1, value_name = "N")]
    min_rows: i64,
    /// For so long after an alert no other one is raised, in time of the windows
    #[arg(long, value_name = "DURATION")]
    cool_down: Option<humantime::Duration>,
}

#[derive(Debug, Clone, Copy, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
enum Metric {
    /// The share of the input columns that have drifted
    DriftShare,
    /// The share of the output columns that have drifted, where the reference has outputs
    PredictionDriftShare,
    /// The population stability index of a column
    Psi,
    /// The p-value of the Kolmogorov-Smirnov test of a column of numbers: below
    KsPValue,
    /// The p-value of the chi-squared test of a column of categories: below
    ChiSquaredPValue,
    /// The Jensen-Shannon distance of a column, from 0 to 0.8326
    JensenShannon,
    /// The Wasserstein distance of a column of numbers, in standard deviations of the reference
    NormedWasserstein,
    /// The share of a column's values that are categories the reference does not have
    NewCategoryShare,
    /// The share of rows without a value of a column
    MissingShare,
    /// How many input columns are missing, new or of another kind than in the reference
    SchemaChanges,
    /// The share of failed requests
    ErrorRate,
    /// The 95 % latency in milliseconds
    #[serde(rename = "p95_latency_ms")]
    P95LatencyMs,
    /// A measure of quality
    Quality,
    /// Rows in the window: too few
    Rows,
}

#[derive(Debug, Clone, Copy, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
enum Severity {
    /// Good to know
    Info,
    /// Someone should look
    Warning,
    /// Someone must act
    Critical,
}

#[derive(Debug, Args)]
struct AlertsArgs {
    /// The deployment; all of the project if absent
    #[arg(value_name = "DEPLOYMENT")]
    name: Option<String>,
    /// Leave out what is resolved
    #[arg(long)]
    open: bool,
}

/// Runs `lathe monitor …`.
///
/// # Errors
/// As [`Client::answer`].
pub async fn run(MonitorArgs { command }: MonitorArgs, client: &Client, output: &Output) -> Result<ExitCode> {
    match command {
        MonitorCommand::Traffic(arguments) => traffic(arguments, client, output).await,
        MonitorCommand::Drift(arguments) => drift(arguments, client, output).await,
        MonitorCommand::Quality(arguments) => quality(arguments, client, output).await,
        MonitorCommand::Labels(arguments) => labels::add(arguments, client, output).await,
        MonitorCommand::Reference(arguments) => reference(arguments, client, output).await,
        MonitorCommand::Settings(arguments) => settings(arguments, client, output).await,
        MonitorCommand::Rule(RuleArgs { command }) => rule(command, client, output).await,
        MonitorCommand::Alerts(AlertsArgs { name, open }) => {
            let found: AlertList = client.answer(alerts_request(name.as_deref(), open, client)).await?;
            output.print_list(&alert_table(found.alerts), "alerts")
        }
        MonitorCommand::Check(NameArgs { name }) => return check(&name, client, output).await,
    }
    .map(|()| ExitCode::SUCCESS)
}

#[derive(Debug, Deserialize)]
struct Windows<T> {
    windows: Vec<T>,
}

async fn windows<T: serde::de::DeserializeOwned>(
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

fn number(value: Option<f64>) -> Cell {
    value.map_or(Cell::Missing, Cell::Number)
}

async fn traffic(arguments: WindowsArgs, client: &Client, output: &Output) -> Result<()> {
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
}

async fn quality(arguments: WindowsArgs, client: &Client, output: &Output) -> Result<()> {
    let mut table = Table::new([
        ("start_ms", "WINDOW"),
        ("version", "VERSION"),
        ("variant", "ROLE"),
        ("rows", "ROWS"),
        ("labelled", "LABELLED"),
        ("measures", "MEASURES"),
    ]);
    for row in windows::<QualityRow>("quality", arguments, client).await? {
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
    output.print_list(&table, "windows")
}

#[derive(Debug, Deserialize)]
struct Drift {
    reference: Option<Reference>,
    windows: Vec<DriftWindow>,
}

#[derive(Debug, Deserialize)]
struct Reference {
    source: String,
    rows: i64,
}

#[derive(Debug, Deserialize)]
struct DriftWindow {
    start_ms: i64,
    rows: i64,
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

async fn drift(DriftArgs { name, window, version }: DriftArgs, client: &Client, output: &Output) -> Result<()> {
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
            Some(start_ms) => format!("deployment `{}` has no window of {}", name.name, super::text::time(start_ms)),
            None => format!("deployment `{}` has no window: nothing was asked yet", name.name),
        };
        let hint = client.command(&format!("monitor traffic {}", name.name));
        return Err(Error::not_found(missing).with_hint(format!("see its windows: {hint}")));
    };
    output.note(&format!("window {}: {rows} rows", super::text::time(start_ms)));
    match (reference, drift_share) {
        (Some(Reference { source, rows }), Some(share)) => {
            output.note(&format!("{:.0} % of the inputs have drifted from {source} ({rows} rows)", share * 100.0));
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

async fn reference(arguments: ReferenceArgs, client: &Client, output: &Output) -> Result<()> {
    let ReferenceArgs { name: NameArgs { name }, training, window, data } = arguments;
    let path = ["deployments", name.as_str(), "reference"];
    let body = match (training, window, data) {
        (true, _, _) => json!({ "from": "training" }),
        (_, Some(start_ms), _) => json!({ "from": "window", "window_start_ms": start_ms }),
        (_, _, Some(address)) => {
            let Address { repository, revision, path } = address;
            let Some(reference) = revision else {
                return Err(Error::invalid(format!("write a branch, tag or commit too: {repository}@main/{path}")));
            };
            json!({ "from": "data", "repository": repository, "ref": reference, "path": path })
        }
        _ => return output.print_json(&client.get::<Value>(&path).await?),
    };
    let Reference { source, rows } = client.answer(client.native(Method::PUT, &path).json(&body)).await?;
    output.note(&format!("{name} is compared with {source} ({rows} rows)"));
    Ok(())
}

async fn settings(arguments: SettingsArgs, client: &Client, output: &Output) -> Result<()> {
    let path = ["deployments", arguments.name.name.as_str(), "monitoring"];
    let mut settings: serde_json::Map<String, Value> = client.get(&path).await?;
    let milliseconds = |duration: humantime::Duration| json!(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX));
    let chosen = [
        ("window_ms", arguments.window.map(milliseconds)),
        ("sample_share", arguments.sample_share.map(Value::from)),
        ("retention_ms", arguments.retention.map(milliseconds)),
        ("allows_replay", arguments.allow_replay.map(Value::from)),
        ("prediction_column", arguments.prediction_column.map(Value::from)),
        ("score_column", arguments.score_column.map(Value::from)),
        ("positive_label", arguments.positive_label.map(Value::from)),
    ];
    let mut has_changed = false;
    for (key, value) in chosen {
        if let Some(value) = value {
            settings.insert(key.to_owned(), value);
            has_changed = true;
        }
    }
    if has_changed {
        settings = client.answer(client.native(Method::PUT, &path).json(&settings)).await?;
    }
    output.print_json(&settings)
}

#[derive(Debug, Deserialize)]
struct Rule {
    name: String,
    metric: String,
    column: Option<String>,
    measure: Option<String>,
    threshold: f64,
    severity: String,
    min_rows: i64,
    cool_down_ms: i64,
}

#[derive(Debug, Deserialize)]
struct RuleList {
    alert_rules: Vec<Rule>,
}

async fn rule(command: RuleCommand, client: &Client, output: &Output) -> Result<()> {
    match command {
        RuleCommand::Create(arguments) => {
            let RuleCreateArgs { name, metric, column, measure, threshold, severity, min_rows, cool_down } = arguments;
            let RuleNameArgs { deployment: NameArgs { name: deployment }, rule } = name;
            let cool_down_ms = cool_down.map_or(0, |duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX));
            let body = json!({
                "name": rule, "metric": metric, "column": column, "measure": measure, "threshold": threshold,
                "severity": severity, "min_rows": min_rows, "cool_down_ms": cool_down_ms,
            });
            let request = client.native(Method::POST, &["deployments", &deployment, "alert-rules"]);
            client.answer::<Value>(request.json(&body)).await?;
            output.note(&format!("made the alert rule {rule} of {deployment}"));
            Ok(())
        }
        RuleCommand::List(NameArgs { name }) => {
            let found: RuleList = client.get(&["deployments", &name, "alert-rules"]).await?;
            let mut table = Table::new([
                ("name", "NAME"),
                ("metric", "METRIC"),
                ("of", "OF"),
                ("threshold", "THRESHOLD"),
                ("severity", "SEVERITY"),
                ("min_rows", "MIN ROWS"),
                ("cool_down_ms", "COOL-DOWN"),
            ]);
            for rule in found.alert_rules {
                table.push(vec![
                    Cell::Text(rule.name),
                    Cell::Text(rule.metric),
                    Cell::text(rule.column.or(rule.measure)),
                    Cell::Number(rule.threshold),
                    Cell::Text(rule.severity),
                    Cell::Integer(rule.min_rows),
                    Cell::Duration(rule.cool_down_ms),
                ]);
            }
            output.print_list(&table, "alert rules")
        }
        RuleCommand::Delete(RuleNameArgs { deployment: NameArgs { name }, rule }) => {
            output.confirm(&format!("Delete the alert rule {rule} of {name}?"))?;
            let request = client.native(Method::DELETE, &["deployments", &name, "alert-rules", &rule]);
            client.answer::<Value>(request).await?;
            output.note(&format!("deleted the alert rule {rule} of {name}"));
            Ok(())
        }
    }
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
struct AlertList {
    alerts: Vec<Alert>,
}

fn alerts_request(name: Option<&str>, only_open: bool, client: &Client) -> reqwest::RequestBuilder {
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

async fn check(name: &str, client: &Client, output: &Output) -> Result<ExitCode> {
    let checked: Value = client.answer(client.native(Method::POST, &["deployments", name, "check"])).await?;
    output.note(&format!("looked at {} windows", checked["windows"]));
    let found: AlertList = client.answer(alerts_request(Some(name), true, client)).await?;
    let is_quiet = found.alerts.is_empty();
    output.print_list(&alert_table(found.alerts), "open alerts")?;
    Ok(if is_quiet { ExitCode::SUCCESS } else { ExitCode::from(GATE_FAILED) })
}
