//! Alert rules.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use lathe_http::{Caller, Failure};
use lathe_monitoring::rules::{self, Metric, Severity, StandingRule};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::check_exists;
use super::served::find_served;
use crate::extract::{Body, Captured};
use crate::state::ApiState;

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

#[cfg(test)]
mod tests {
    use lathe_monitoring::rules::Metric;
    use lathe_workflows::file::ALERT_METRICS;

    #[test]
    fn pipelines_know_what_rules_look_at() {
        assert_eq!(ALERT_METRICS.map(|(metric, _)| metric), Metric::ALL.map(Metric::as_str));
    }
}
