//! `lathe monitor …`: what the windows of a deployment show, labels, and alert rules; a file for each noun.

mod alerts;
mod drift;
mod labels;
mod reference;
mod rules;
mod settings;
mod windows;

use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use lathe_core::Result;

use super::client::Client;
use super::output::{Cell, Output};

pub const EXAMPLES: &str = "Examples:
  lathe monitor drift scorer                                    its latest window against what its model learnt from
  lathe monitor quality scorer                                  how good its answers were, by the labels that are there
  lathe monitor labels scorer @labels.csv                       columns request_id (or client_request_id), row, label
  lathe monitor rule create scorer drift --metric drift-share --threshold 0.3
  lathe monitor check scorer                                    apply the rules now; exits 6 when an alert is open";

/// What deployments answer, over time: traffic, drift, quality, alerts
#[derive(Debug, Args)]
pub struct MonitorArgs {
    #[command(subcommand)]
    command: MonitorCommand,
}

#[derive(Debug, Subcommand)]
enum MonitorCommand {
    /// Requests, errors and latencies by window and version
    Traffic(windows::WindowsArgs),
    /// The columns of a window against the reference
    Drift(drift::DriftArgs),
    /// How good the answers were, by the labels that are there
    Quality(windows::WindowsArgs),
    /// Add labels: what should have been answered
    Labels(labels::LabelsArgs),
    /// Show or set what windows are compared with
    Reference(reference::ReferenceArgs),
    /// Show or change how a deployment is monitored
    Settings(settings::SettingsArgs),
    /// Alert rules
    Rule(rules::RuleArgs),
    /// List alerts
    Alerts(alerts::AlertsArgs),
    /// Apply the alert rules now; exits 6 when an alert is open
    Check(NameArgs),
}

#[derive(Debug, Args)]
struct NameArgs {
    /// The deployment
    #[arg(value_name = "DEPLOYMENT")]
    name: String,
}

/// Runs `lathe monitor …`.
///
/// # Errors
/// As [`Client::answer`].
pub async fn run(MonitorArgs { command }: MonitorArgs, client: &Client, output: &Output) -> Result<ExitCode> {
    match command {
        MonitorCommand::Traffic(arguments) => windows::traffic(arguments, client, output).await,
        MonitorCommand::Drift(arguments) => drift::drift(arguments, client, output).await,
        MonitorCommand::Quality(arguments) => windows::quality(arguments, client, output).await,
        MonitorCommand::Labels(arguments) => labels::add(arguments, client, output).await,
        MonitorCommand::Reference(arguments) => reference::reference(arguments, client, output).await,
        MonitorCommand::Settings(arguments) => settings::settings(arguments, client, output).await,
        MonitorCommand::Rule(arguments) => rules::run(arguments, client, output).await,
        MonitorCommand::Alerts(arguments) => alerts::list(arguments, client, output).await,
        MonitorCommand::Check(NameArgs { name }) => return alerts::check(&name, client, output).await,
    }
    .map(|()| ExitCode::SUCCESS)
}

/// A length of time as people write it.
fn duration(text: &str) -> std::result::Result<Duration, String> {
    humantime::parse_duration(text).map_err(|_| format!("`{text}` is no duration; write 30s, 5m, 1h or 7d"))
}

/// A length of time as the server takes it.
fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A number that can be compared with others: the server is told no other.
fn finite(text: &str) -> std::result::Result<f64, String> {
    let number = text.parse::<f64>().ok().filter(|number| number.is_finite());
    number.ok_or_else(|| format!("`{text}` is no number; write one such as 0.3"))
}

fn number(value: Option<f64>) -> Cell {
    value.map_or(Cell::Missing, Cell::Number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_duration_or_number_is_refused_in_words() {
        assert_eq!(duration("1h 30m").unwrap(), Duration::from_secs(5_400));
        assert_eq!(duration("abc").unwrap_err(), "`abc` is no duration; write 30s, 5m, 1h or 7d");
        assert_eq!(finite("-0.5"), Ok(-0.5));
        for wrong in ["nan", "inf", "x", ""] {
            assert!(finite(wrong).unwrap_err().contains("is no number"), "{wrong}");
        }
    }
}
