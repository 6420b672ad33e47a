//! `lathe monitor rule …`: alert rules.

use std::time::Duration;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand, ValueEnum};
use lathe_core::Result;
use lathe_monitoring::rules::Metric;
use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::client::Client;
use super::super::output::{Cell, Output, Table};
use super::{NameArgs, duration, finite, milliseconds};

#[derive(Debug, Args)]
pub(super) struct RuleArgs {
    #[command(subcommand)]
    command: RuleCommand,
}

#[derive(Debug, Subcommand)]
pub(super) enum RuleCommand {
    /// Make an alert rule
    Create(RuleCreateArgs),
    /// List a deployment's alert rules
    List(NameArgs),
    /// Delete an alert rule
    Delete(RuleNameArgs),
}

#[derive(Debug, Args)]
pub(super) struct RuleNameArgs {
    #[command(flatten)]
    deployment: NameArgs,
    /// The rule
    #[arg(value_name = "RULE")]
    rule: String,
}

#[derive(Debug, Args)]
pub(super) struct RuleCreateArgs {
    #[command(flatten)]
    name: RuleNameArgs,
    /// What is looked at in each window
    #[arg(long, value_parser = metrics())]
    metric: Metric,
    /// Of a metric of one column: which input column, or else which output column
    #[arg(long)]
    column: Option<String>,
    /// Of quality: accuracy, precision, recall, f1, brier, log_loss, auc, mae, rmse or r2
    #[arg(long)]
    measure: Option<String>,
    /// Where an alert begins: within what the metric can be
    #[arg(long, allow_negative_numbers = true, value_parser = finite)]
    threshold: f64,
    /// How bad it is
    #[arg(long, value_enum, default_value_t = Severity::Warning)]
    severity: Severity,
    /// Fewer rows (of quality: labels) than this say nothing
    #[arg(long, default_value_t = 1, value_name = "N")]
    min_rows: i64,
    /// For so long after an alert no other one is raised, in time of the windows
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    cool_down: Option<Duration>,
}

/// The metrics by their names on the command line.
fn metrics() -> impl TypedValueParser<Value = Metric> {
    let choices = Metric::ALL
        .map(|metric| PossibleValue::new(metric.as_str().replace('_', "-")).help(metric.about().trim_end_matches('.')));
    PossibleValuesParser::new(choices)
        .try_map(|word| Metric::parse(&word.replace('-', "_")).ok_or("there is no such metric"))
}

#[derive(Debug, Clone, Copy, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Severity {
    /// Good to know
    Info,
    /// Someone should look
    Warning,
    /// Someone must act
    Critical,
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

/// Runs `lathe monitor rule …`.
///
/// # Errors
/// As [`Client::answer`].
pub(super) async fn run(RuleArgs { command }: RuleArgs, client: &Client, output: &Output) -> Result<()> {
    match command {
        RuleCommand::Create(arguments) => {
            let RuleCreateArgs { name, metric, column, measure, threshold, severity, min_rows, cool_down } = arguments;
            let RuleNameArgs { deployment: NameArgs { name: deployment }, rule } = name;
            let cool_down_ms = cool_down.map_or(0, milliseconds);
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
