//! Alerts.

use axum::Json;
use axum::extract::State;
use lathe_core::Ctx;
use lathe_http::{Caller, Failure};
use lathe_monitoring::alerts::{self, OnlyOpen};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::check_exists;
use crate::extract::{Captured, Query};
use crate::state::ApiState;

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
