//! How a deployment is monitored.

use axum::Json;
use axum::extract::State;
use lathe_http::{Caller, Failure};
use lathe_monitoring::rules;
use lathe_monitoring::settings::{self, Change, Settings, Task};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use super::check_exists;
use super::served::find_served;
use crate::extract::{Body, Captured};
use crate::state::ApiState;

/// How a deployment is monitored.
#[derive(Debug, Serialize, ToSchema)]
pub struct MonitoringSettings {
    /// The length of a window in milliseconds; an hour at first.
    window_ms: i64,
    /// The share of requests whose rows are kept, from 0 to 1; all at first. Every request is counted.
    sample_share: f64,
    /// How long windows are kept after the last sample or label came, in milliseconds; 90 days at first.
    retention_ms: i64,
    /// Whether a client may say in the header `x-lathe-time` when a request was made.
    allows_replay: bool,
    /// The output column that labels are compared with; if absent `prediction`, or the first column when there are no scores.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    prediction_column: Option<String>,
    /// The output column with the score of the positive class; if absent `score` or `probability`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    score_column: Option<String>,
    /// The class that precision, recall, Brier score, log loss and AUC are about; if absent `1` or `true`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    positive_label: Option<String>,
    /// `classification` or `regression`; if absent it is seen from the labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    task: Option<MonitoredTask>,
}

/// How a deployment is to be monitored. What is left out stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MonitoringChange {
    /// The length of a window in milliseconds, from a second to 31 days. It cannot change once there are windows.
    #[schema(nullable = false)]
    window_ms: Option<i64>,
    /// The share of requests whose rows are kept, from 0 to 1. Every request is counted.
    #[schema(nullable = false)]
    sample_share: Option<f64>,
    /// How long windows are kept after the last sample or label came, in milliseconds.
    #[schema(nullable = false)]
    retention_ms: Option<i64>,
    /// Whether a client may say in the header `x-lathe-time` when a request was made.
    #[schema(nullable = false)]
    allows_replay: Option<bool>,
    /// The output column that labels are compared with; null leaves it to the server again.
    #[serde(default, deserialize_with = "said")]
    #[schema(value_type = Option<String>)]
    prediction_column: Option<Option<String>>,
    /// The output column with the score of the positive class; null leaves it to the server again.
    #[serde(default, deserialize_with = "said")]
    #[schema(value_type = Option<String>)]
    score_column: Option<Option<String>>,
    /// The class that precision, recall, Brier score, log loss and AUC are about; null leaves it to the server again.
    #[serde(default, deserialize_with = "said")]
    #[schema(value_type = Option<String>)]
    positive_label: Option<Option<String>>,
    /// `classification` or `regression`; null lets it be seen from the labels again.
    #[serde(default, deserialize_with = "said")]
    #[schema(value_type = Option<MonitoredTask>)]
    task: Option<Option<MonitoredTask>>,
}

/// Tells null from what is left out.
fn said<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// What a model's answers are.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum MonitoredTask {
    /// Classes.
    Classification,
    /// Numbers.
    Regression,
}

impl From<Settings> for MonitoringSettings {
    fn from(settings: Settings) -> Self {
        let Settings { window_ms, sample_share, retention_ms, allows_replay, .. } = settings;
        let Settings { prediction_column, score_column, positive_label, task, .. } = settings;
        let task = task.map(|task| match task {
            Task::Classification => MonitoredTask::Classification,
            Task::Regression => MonitoredTask::Regression,
        });
        Self {
            window_ms,
            sample_share,
            retention_ms,
            allows_replay,
            prediction_column,
            score_column,
            positive_label,
            task,
        }
    }
}

impl From<MonitoringChange> for Change {
    fn from(change: MonitoringChange) -> Self {
        let MonitoringChange { window_ms, sample_share, retention_ms, allows_replay, .. } = change;
        let MonitoringChange { prediction_column, score_column, positive_label, task, .. } = change;
        let task = task.map(|task| {
            task.map(|task| match task {
                MonitoredTask::Classification => Task::Classification,
                MonitoredTask::Regression => Task::Regression,
            })
        });
        Self {
            window_ms,
            sample_share,
            retention_ms,
            allows_replay,
            prediction_column,
            score_column,
            positive_label,
            task,
        }
    }
}

/// How a deployment is monitored.
#[utoipa::path(get, path = "/api/v1/deployments/{deployment}/monitoring", tag = "monitoring",
    params(("deployment" = String, Path, description = "The deployment")), responses((status = 200, body = MonitoringSettings)))]
pub(crate) async fn get_settings(
    State(api): State<ApiState>,
    Caller(ctx): Caller,
    Captured(deployment): Captured<String>,
) -> Result<Json<MonitoringSettings>, Failure> {
    check_exists(&ctx, &api, &deployment).await?;
    Ok(Json(settings::get_settings(&ctx, &api.monitoring, &deployment).await?.into()))
}

/// Changes how a deployment is monitored. What the body leaves out stays as it is.
#[utoipa::path(put, path = "/api/v1/deployments/{deployment}/monitoring", tag = "monitoring",
    params(("deployment" = String, Path, description = "The deployment")), request_body = MonitoringChange,
    responses((status = 200, body = MonitoringSettings)))]
pub(crate) async fn set_settings(
    State(api): State<ApiState>,
    Caller(ctx): Caller,
    Captured(deployment): Captured<String>,
    Body(wanted): Body<MonitoringChange>,
) -> Result<Json<MonitoringSettings>, Failure> {
    check_exists(&ctx, &api, &deployment).await?;
    let (change, before) = (Change::from(wanted), settings::get_settings(&ctx, &api.monitoring, &deployment).await?);
    let columns =
        [(&change.prediction_column, &before.prediction_column), (&change.score_column, &before.score_column)];
    // Another column than before: who changes something else is not told of a choice that an older model was made for.
    let chosen: Vec<String> = columns
        .into_iter()
        .filter_map(|(column, before)| column.as_ref().filter(|column| *column != before)?.clone())
        .filter(|column| !column.is_empty())
        .collect();
    if !chosen.is_empty() {
        let served = find_served(&ctx, &api, &deployment).await?;
        chosen.iter().try_for_each(|column| rules::check_output(&deployment, column, &served))?;
    }
    Ok(Json(settings::set_settings(&ctx, &api.monitoring, &deployment, change).await?.into()))
}
