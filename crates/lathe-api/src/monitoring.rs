//! Monitoring of deployments: how, rules and alerts, labels. What windows show is in `reports`, what they are compared with in
//! `references`.

pub(crate) mod references;
pub(crate) mod reports;
pub mod training_data;

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use futures::StreamExt as _;
use http::StatusCode;
use lathe_core::Ctx;
use lathe_http::{Caller, Failure};
use lathe_models::model_versions::get_model_version;
use lathe_monitoring::alerts::{self, OnlyOpen};
use lathe_monitoring::quality::{self, NewLabel, RequestRef};
use lathe_monitoring::rules::{self, Metric, Served, Severity, StandingRule};
use lathe_monitoring::settings::{self, Change, Settings, Task};
use lathe_serving::Signature;
use lathe_tracking::ArtifactPath;
use lathe_tracking::artifacts::{get_artifact, path_of_uri};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use crate::deployments::parse_name;
use crate::extract::{Body, Captured, Query};
use crate::state::ApiState;

/// More than a model says of itself.
const MAX_MLMODEL_BYTES: usize = 1024 * 1024;

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

/// What is looked at in each window.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlertMetric {
    /// The share of the input columns that have drifted; raised from the threshold on.
    DriftShare,
    /// The share of the output columns that have drifted, where the reference has outputs; raised from the threshold on.
    PredictionDriftShare,
    /// The population stability index of `column`; raised from the threshold on.
    Psi,
    /// The p-value of the Kolmogorov-Smirnov test of `column`, of numbers; raised below the threshold.
    KsPValue,
    /// The p-value of the chi-squared test of `column`, of categories; raised below the threshold.
    ChiSquaredPValue,
    /// The Jensen-Shannon distance of `column`, from 0 to 0.8325; raised from the threshold on.
    JensenShannon,
    /// The Wasserstein distance of `column`, of numbers, in standard deviations of the reference; raised from the threshold on.
    NormedWasserstein,
    /// The share of the values of `column`, of categories, that the reference does not have; raised above the threshold.
    NewCategoryShare,
    /// The share of rows without a value of `column`; raised above the threshold.
    MissingShare,
    /// How many input columns are missing, new or of another kind than in the reference; raised above the threshold.
    SchemaChanges,
    /// The share of failed requests; raised above the threshold.
    ErrorRate,
    /// The 95 % latency in milliseconds; raised above the threshold.
    P95LatencyMs,
    /// The measure of quality named by `measure`; raised below the threshold, for `mae`, `rmse`, `brier` and `log_loss` above it.
    Quality,
    /// Rows in the window; raised below the threshold.
    Rows,
}

impl From<AlertMetric> for Metric {
    fn from(metric: AlertMetric) -> Self {
        match metric {
            AlertMetric::DriftShare => Metric::DriftShare,
            AlertMetric::PredictionDriftShare => Metric::PredictionDriftShare,
            AlertMetric::Psi => Metric::Psi,
            AlertMetric::KsPValue => Metric::KsPValue,
            AlertMetric::ChiSquaredPValue => Metric::ChiSquaredPValue,
            AlertMetric::JensenShannon => Metric::JensenShannon,
            AlertMetric::NormedWasserstein => Metric::NormedWasserstein,
            AlertMetric::NewCategoryShare => Metric::NewCategoryShare,
            AlertMetric::MissingShare => Metric::MissingShare,
            AlertMetric::SchemaChanges => Metric::SchemaChanges,
            AlertMetric::ErrorRate => Metric::ErrorRate,
            AlertMetric::P95LatencyMs => Metric::P95LatencyMs,
            AlertMetric::Quality => Metric::Quality,
            AlertMetric::Rows => Metric::Rows,
        }
    }
}

impl From<Metric> for AlertMetric {
    fn from(metric: Metric) -> Self {
        match metric {
            Metric::DriftShare => AlertMetric::DriftShare,
            Metric::PredictionDriftShare => AlertMetric::PredictionDriftShare,
            Metric::Psi => AlertMetric::Psi,
            Metric::KsPValue => AlertMetric::KsPValue,
            Metric::ChiSquaredPValue => AlertMetric::ChiSquaredPValue,
            Metric::JensenShannon => AlertMetric::JensenShannon,
            Metric::NormedWasserstein => AlertMetric::NormedWasserstein,
            Metric::NewCategoryShare => AlertMetric::NewCategoryShare,
            Metric::MissingShare => AlertMetric::MissingShare,
            Metric::SchemaChanges => AlertMetric::SchemaChanges,
            Metric::ErrorRate => AlertMetric::ErrorRate,
            Metric::P95LatencyMs => AlertMetric::P95LatencyMs,
            Metric::Quality => AlertMetric::Quality,
            Metric::Rows => AlertMetric::Rows,
        }
    }
}

/// How bad it is.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum AlertSeverity {
    /// Good to know.
    Info,
    /// Someone should look.
    Warning,
    /// Someone must act.
    Critical,
}

/// An alert rule to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAlertRule {
    /// What people call it; unique for its deployment.
    name: String,
    /// What is looked at.
    metric: AlertMetric,
    /// Of a metric of one column: which input column, or which output column where no input has the name.
    column: Option<String>,
    /// Of `quality`: `accuracy`, `precision`, `recall`, `f1`, `brier`, `log_loss`, `auc`, `mae`, `rmse` or `r2`.
    measure: Option<String>,
    /// See the metric.
    threshold: f64,
    /// `info`, `warning` (if absent) or `critical`.
    severity: Option<AlertSeverity>,
    /// Fewer rows (of `quality`: rows with labels) than this say nothing; 1 if absent.
    #[serde(default = "one")]
    min_rows: i64,
    /// For so long after an alert no other one of this rule is raised, in milliseconds of the windows' time.
    #[serde(default)]
    cool_down_ms: i64,
}

fn one() -> i64 {
    1
}

/// An alert rule.
#[derive(Debug, Serialize, ToSchema)]
pub struct AlertRule {
    /// Its id.
    id: String,
    /// What people call it.
    name: String,
    /// What is looked at.
    metric: AlertMetric,
    /// Of a metric of one column: which one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    column: Option<String>,
    /// Of `quality`: which measure.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    measure: Option<String>,
    /// See the metric.
    threshold: f64,
    /// How bad it is.
    severity: AlertSeverity,
    /// Fewer rows (of `quality`: rows with labels) than this say nothing.
    min_rows: i64,
    /// For so long after an alert no other one is raised, in milliseconds of the windows' time.
    cool_down_ms: i64,
    /// When it was made, in milliseconds since 1970.
    created_at_ms: i64,
}

/// The alert rules of a deployment.
#[derive(Debug, Serialize, ToSchema)]
pub struct AlertRuleList {
    /// Oldest first.
    alert_rules: Vec<AlertRule>,
}

impl From<NewAlertRule> for rules::Rule {
    fn from(new: NewAlertRule) -> Self {
        let NewAlertRule { name, metric, column, measure, threshold, severity, min_rows, cool_down_ms } = new;
        let severity = match severity.unwrap_or(AlertSeverity::Warning) {
            AlertSeverity::Info => Severity::Info,
            AlertSeverity::Warning => Severity::Warning,
            AlertSeverity::Critical => Severity::Critical,
        };
        Self { name, metric: metric.into(), column, measure, threshold, severity, min_rows, cool_down_ms }
    }
}

impl From<StandingRule> for AlertRule {
    fn from(standing: StandingRule) -> Self {
        let StandingRule { id, rule, created_at_ms } = standing;
        let rules::Rule { name, metric, column, measure, threshold, severity, min_rows, cool_down_ms } = rule;
        let severity = match severity {
            Severity::Info => AlertSeverity::Info,
            Severity::Warning => AlertSeverity::Warning,
            Severity::Critical => AlertSeverity::Critical,
        };
        Self {
            id,
            name,
            metric: metric.into(),
            column,
            measure,
            threshold,
            severity,
            min_rows,
            cool_down_ms,
            created_at_ms,
        }
    }
}

/// An alert: a rule's condition began to hold.
#[derive(Debug, Serialize, ToSchema)]
pub struct Alert {
    /// Its id.
    id: String,
    /// The deployment.
    deployment: String,
    /// The name of its rule.
    rule: String,
    /// `info`, `warning` or `critical`.
    severity: String,
    /// The window in which the condition began to hold.
    window_start_ms: i64,
    /// What was seen.
    value: f64,
    /// What the rule allowed.
    threshold: f64,
    /// When it was raised, in milliseconds since 1970.
    raised_at_ms: i64,
    /// When it was resolved.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    resolved_at_ms: Option<i64>,
    /// The window that resolved it; absent while it is open, and when it ended because its rule was deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    resolved_window_start_ms: Option<i64>,
}

impl From<alerts::Alert> for Alert {
    fn from(alert: alerts::Alert) -> Self {
        Self {
            id: alert.id,
            deployment: alert.deployment,
            rule: alert.rule,
            severity: alert.severity,
            window_start_ms: alert.window_start_ms,
            value: alert.value,
            threshold: alert.threshold,
            raised_at_ms: alert.raised_at_ms,
            resolved_at_ms: alert.resolved_at_ms,
            resolved_window_start_ms: alert.resolved_window_start_ms,
        }
    }
}

/// Alerts, newest first, up to 500.
#[derive(Debug, Serialize, ToSchema)]
pub struct AlertList {
    /// Newest first.
    alerts: Vec<Alert>,
}

/// What a check of the rules did.
#[derive(Debug, Serialize, ToSchema)]
pub struct AlertCheck {
    /// How many windows were looked at.
    windows: usize,
    /// Alerts that this check raised.
    raised: Vec<Alert>,
    /// Alerts that this check resolved.
    resolved: Vec<Alert>,
}

/// Which alerts.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AlertQuery {
    /// Leave out what is resolved.
    #[serde(default)]
    only_open: bool,
}

/// What a row of a request should have been answered.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Label {
    /// The request's id: `x-request-id` of the answer.
    request_id: Option<String>,
    /// The client's own id: `x-request-id` of the request.
    client_request_id: Option<String>,
    /// Which row of the request, from 0.
    #[serde(default)]
    row: i64,
    /// A number, a text or a boolean.
    #[schema(value_type = Object)]
    label: Value,
}

/// Labels to add, up to 10,000.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewLabels {
    /// Sent again they change nothing; another label of a row replaces it.
    labels: Vec<Label>,
}

/// What became of labels.
#[derive(Debug, Serialize, ToSchema)]
pub struct LabelsAdded {
    /// Labels that are new or changed.
    added: u64,
    /// Labels that were there already.
    unchanged: u64,
    /// Labels of requests whose rows are not known (yet: they come about a second after the answer).
    unknown_labels: u64,
    /// Ids of such requests, up to 100.
    unknown: Vec<String>,
}

/// The deployment exists: a name that is mistyped must not be monitored in silence.
async fn check_exists(ctx: &Ctx, api: &ApiState, deployment: &str) -> lathe_core::Result<()> {
    lathe_serving::deployments::get_deployment(ctx, &api.serving, &parse_name(deployment)?).await.map(|_| ())
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

/// A deployment's alert rules.
#[utoipa::path(get, path = "/api/v1/deployments/{deployment}/alert-rules", tag = "monitoring",
    params(("deployment" = String, Path, description = "The deployment")), responses((status = 200, body = AlertRuleList)))]
pub(crate) async fn list_rules(
    State(api): State<ApiState>,
    Caller(ctx): Caller,
    Captured(deployment): Captured<String>,
) -> Result<Json<AlertRuleList>, Failure> {
    check_exists(&ctx, &api, &deployment).await?;
    let standing = rules::list_rules(&ctx, &api.monitoring, &deployment).await?;
    Ok(Json(AlertRuleList { alert_rules: standing.into_iter().map(AlertRule::from).collect() }))
}

/// What is known of the primary: what it says while it answers, and before that its model's file.
async fn find_served(ctx: &Ctx, api: &ApiState, deployment: &str) -> lathe_core::Result<Served> {
    let name = parse_name(deployment)?;
    let found = lathe_serving::deployments::get_deployment(ctx, &api.serving, &name).await?;
    let Some(primary) = found.version(lathe_serving::Role::Primary) else { return Ok(Served::default()) };
    let version = primary.version;
    let answering = lathe_serving::metadata(ctx, &api.serving, &name).ok();
    let signature = match answering.filter(|known| known.version == version) {
        Some(known) => Some(known.signature),
        None => read_signature(ctx, api, &primary.model, version).await.ok().flatten().map(Arc::new),
    };
    Ok(match signature {
        Some(signature) => {
            Served { version, columns: signature.column_names().into(), outputs: signature.output_names().into() }
        }
        None => Served { version, ..Served::default() },
    })
}

/// The signature of a model version that does not answer yet.
async fn read_signature(ctx: &Ctx, api: &ApiState, model: &str, version: i64) -> lathe_core::Result<Option<Signature>> {
    let location = get_model_version(ctx, &api.models, model, version).await?.storage_location;
    let path = path_of_uri(&location)?.join(&ArtifactPath::parse("MLmodel")?)?;
    let mut content = get_artifact(ctx, &api.tracking, &path, None).await?.object.stream;
    let mut text = Vec::new();
    while let Some(chunk) = content.next().await {
        text.extend_from_slice(&chunk?);
        if text.len() > MAX_MLMODEL_BYTES {
            return Ok(None);
        }
    }
    (api.read_signature)(&String::from_utf8_lossy(&text))
}

/// Makes an alert rule. It is applied to the latest window that has ended, to every later one, and again when labels change one.
#[utoipa::path(post, path = "/api/v1/deployments/{deployment}/alert-rules", tag = "monitoring",
    params(("deployment" = String, Path, description = "The deployment")), request_body = NewAlertRule,
    responses((status = 201, body = AlertRule)))]
pub(crate) async fn create_rule(
    State(api): State<ApiState>,
    Caller(ctx): Caller,
    Captured(deployment): Captured<String>,
    Body(new): Body<NewAlertRule>,
) -> Result<Response, Failure> {
    let served = find_served(&ctx, &api, &deployment).await?;
    let rule = rules::Rule::from(new);
    rules::check_columns(&ctx, &api.monitoring, &deployment, &rule, &served).await?;
    let made = rules::create_rule(&ctx, &api.monitoring, &deployment, rule).await?;
    Ok((StatusCode::CREATED, Json(AlertRule::from(made))).into_response())
}

/// Deletes an alert rule, by id or name; its open alerts are resolved.
#[utoipa::path(delete, path = "/api/v1/deployments/{deployment}/alert-rules/{rule}", tag = "monitoring",
    params(("deployment" = String, Path, description = "The deployment"), ("rule" = String, Path, description = "Its id or name")),
    responses((status = 204)))]
pub(crate) async fn delete_rule(
    State(api): State<ApiState>,
    Caller(ctx): Caller,
    Captured((deployment, rule)): Captured<(String, String)>,
) -> Result<StatusCode, Failure> {
    check_exists(&ctx, &api, &deployment).await?;
    rules::delete_rule(&ctx, &api.monitoring, &deployment, &rule).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A deployment's alerts.
#[utoipa::path(get, path = "/api/v1/deployments/{deployment}/alerts", tag = "monitoring",
    params(("deployment" = String, Path, description = "The deployment"), AlertQuery), responses((status = 200, body = AlertList)))]
pub(crate) async fn list_deployment_alerts(
    State(api): State<ApiState>,
    Caller(ctx): Caller,
    Captured(deployment): Captured<String>,
    Query(query): Query<AlertQuery>,
) -> Result<Json<AlertList>, Failure> {
    check_exists(&ctx, &api, &deployment).await?;
    list(&ctx, &api, Some(&deployment), query).await
}

/// The project's alerts.
#[utoipa::path(get, path = "/api/v1/alerts", tag = "monitoring", params(AlertQuery), responses((status = 200, body = AlertList)))]
pub(crate) async fn list_alerts(
    State(api): State<ApiState>,
    Caller(ctx): Caller,
    Query(query): Query<AlertQuery>,
) -> Result<Json<AlertList>, Failure> {
    list(&ctx, &api, None, query).await
}

async fn list(
    ctx: &Ctx,
    api: &ApiState,
    deployment: Option<&str>,
    AlertQuery { only_open }: AlertQuery,
) -> Result<Json<AlertList>, Failure> {
    let only_open = if only_open { OnlyOpen::Yes } else { OnlyOpen::No };
    let found = alerts::list_alerts(ctx, &api.monitoring, deployment, only_open).await?;
    Ok(Json(AlertList { alerts: found.into_iter().map(Alert::from).collect() }))
}

/// Applies the alert rules to the windows that have ended, now: the server does so every few seconds by itself.
#[utoipa::path(post, path = "/api/v1/deployments/{deployment}/check", tag = "monitoring",
    params(("deployment" = String, Path, description = "The deployment")), responses((status = 200, body = AlertCheck)))]
pub(crate) async fn check(
    State(api): State<ApiState>,
    Caller(ctx): Caller,
    Captured(deployment): Captured<String>,
) -> Result<Json<AlertCheck>, Failure> {
    check_exists(&ctx, &api, &deployment).await?;
    let alerts::Checked { windows, raised, resolved } =
        alerts::check_deployment_now(&ctx, &api.monitoring, &deployment).await?;
    let shown = |alerts: Vec<alerts::Alert>| alerts.into_iter().map(Alert::from).collect();
    Ok(Json(AlertCheck { windows, raised: shown(raised), resolved: shown(resolved) }))
}

/// Adds labels: what should have been answered, known later.
#[utoipa::path(post, path = "/api/v1/deployments/{deployment}/labels", tag = "monitoring",
    params(("deployment" = String, Path, description = "The deployment")), request_body = NewLabels,
    responses((status = 200, body = LabelsAdded)))]
pub(crate) async fn add_labels(
    State(api): State<ApiState>,
    Caller(ctx): Caller,
    Captured(deployment): Captured<String>,
    Body(NewLabels { labels }): Body<NewLabels>,
) -> Result<Json<LabelsAdded>, Failure> {
    check_exists(&ctx, &api, &deployment).await?;
    let labels = labels.into_iter().map(new_label).collect::<lathe_core::Result<Vec<_>>>()?;
    let quality::LabelsAdded { added, unchanged, unknown, unknown_labels } =
        quality::add_labels(&ctx, &api.monitoring, &deployment, labels).await?;
    Ok(Json(LabelsAdded { added, unchanged, unknown_labels, unknown }))
}

fn new_label(Label { request_id, client_request_id, row, label }: Label) -> lathe_core::Result<NewLabel> {
    let id = match (request_id, client_request_id) {
        (Some(id), None) => RequestRef::Server(id),
        (None, Some(id)) => RequestRef::Client(id),
        _ => {
            return Err(lathe_core::Error::invalid("a label needs `request_id` or `client_request_id`, and not both"));
        }
    };
    Ok(NewLabel { id, row, label })
}

#[cfg(test)]
mod tests {
    use lathe_monitoring::rules::Metric;
    use lathe_workflows::file::ALERT_METRICS;

    #[test]
    fn pipelines_know_what_rules_look_at() {
        assert_eq!(ALERT_METRICS.map(|(metric, _)| metric), Metric::ALL.map(Metric::as_str));
    }
}
