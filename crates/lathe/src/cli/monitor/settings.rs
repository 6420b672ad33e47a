//! `lathe monitor settings`: how a deployment is monitored.

use std::time::Duration;

use clap::Args;
use lathe_core::Result;
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::super::client::Client;
use super::super::output::Output;
use super::{NameArgs, duration, finite, milliseconds};

#[derive(Debug, Args)]
pub(super) struct SettingsArgs {
    #[command(flatten)]
    name: NameArgs,
    /// The length of a window, such as 1h or 7d; it cannot change once there are windows
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    window: Option<Duration>,
    /// The share of requests whose rows are kept, from 0 to 1
    #[arg(long, value_name = "SHARE", value_parser = finite)]
    sample_share: Option<f64>,
    /// How long windows are kept, such as 90d
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    retention: Option<Duration>,
    /// Whether clients may say when a request was made (header x-lathe-time)
    #[arg(long, value_name = "BOOL")]
    allow_replay: Option<bool>,
    /// The output column that labels are compared with; "" leaves it to the server again
    #[arg(long, value_name = "COLUMN")]
    prediction_column: Option<String>,
    /// The output column with the score of the positive class; "" leaves it to the server again
    #[arg(long, value_name = "COLUMN")]
    score_column: Option<String>,
    /// The class that precision, recall and scores are about; "" leaves it to the server again
    #[arg(long, value_name = "LABEL")]
    positive_label: Option<String>,
}

/// Changes what is named, and prints all settings.
///
/// # Errors
/// As [`Client::answer`].
pub(super) async fn settings(arguments: SettingsArgs, client: &Client, output: &Output) -> Result<()> {
    let path = ["deployments", arguments.name.name.as_str(), "monitoring"];
    let text = |text: String| if text.is_empty() { Value::Null } else { Value::String(text) };
    let chosen = [
        ("window_ms", arguments.window.map(|window| json!(milliseconds(window)))),
        ("sample_share", arguments.sample_share.map(Value::from)),
        ("retention_ms", arguments.retention.map(|retention| json!(milliseconds(retention)))),
        ("allows_replay", arguments.allow_replay.map(Value::from)),
        ("prediction_column", arguments.prediction_column.map(text)),
        ("score_column", arguments.score_column.map(text)),
        ("positive_label", arguments.positive_label.map(text)),
    ];
    let change: Map<String, Value> =
        chosen.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect();
    let settings: Map<String, Value> = if change.is_empty() {
        client.get(&path).await?
    } else {
        client.answer(client.native(Method::PUT, &path).json(&change)).await?
    };
    output.print_json(&settings)
}
