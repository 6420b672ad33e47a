//! `lathe monitor settings`: how a deployment is monitored.

use clap::Args;
use lathe_core::Result;
use reqwest::Method;
use serde_json::{Value, json};

use super::super::client::Client;
use super::super::output::Output;
use super::NameArgs;

#[derive(Debug, Args)]
pub(super) struct SettingsArgs {
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

/// Changes what is named, and prints all settings.
///
/// # Errors
/// As [`Client::answer`].
pub(super) async fn settings(arguments: SettingsArgs, client: &Client, output: &Output) -> Result<()> {
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
