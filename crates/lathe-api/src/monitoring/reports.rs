//! What the windows of a deployment show: traffic, drift, quality.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use lathe_http::{Caller, Failure};
use lathe_monitoring::drift;
use lathe_monitoring::windows::Span;
use lathe_monitoring::{quality, report, traffic};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::check_exists;
use super::references::Reference;
use crate::extract::{Captured, Query};
use crate::state::ApiState;

/// Which windows: the latest ones that begin in a span of time.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct WindowsQuery {
    /// Windows that begin at this time or later, in milliseconds since 1970.
    from_ms: Option<i64>,
    /// Windows that begin before this time.
    to_ms: Option<i64>,
    /// How many, 1-200; 48 if absent.
    windows: Option<i64>,
    /// Only of this model version.
    version: Option<i64>,
}

impl WindowsQuery {
    fn span(&self) -> Span {
        let usual = Span::default();
        Span {
            from_ms: self.from_ms.unwrap_or(usual.from_ms),
            to_ms: self.to_ms.unwrap_or(usual.to_ms),
            windows: self.windows.unwrap_or(usual.windows),
        }
    }

    fn wants(&self, version: i64) -> bool {
        self.version.is_none_or(|wanted| wanted == version)
    }
}

/// A version's traffic in a window.
#[derive(Debug, Serialize, ToSchema)]
pub struct TrafficRow {
    /// When the window begins, in milliseconds since 1970.
    start_ms: i64,
    /// Its length.
    length_ms: i64,
    /// The model version.
    version: i64,
    /// `primary`, `canary` or `shadow`.
    variant: String,
    /// Requests.
    requests: u64,
    /// Rows.
    rows: u64,
    /// Requests per second, over the whole window.
    rate: f64,
    /// The share of failed requests among those that were asked well (without `invalid_argument` and other faults of callers).
    error_rate: f64,
    /// Failed requests by code.
    errors: BTreeMap<String, u64>,
    /// Half of the answers took up to this, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    p50_ms: Option<f64>,
    /// 95 % did.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    p95_ms: Option<f64>,
    /// 99 % did.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    p99_ms: Option<f64>,
}

/// The traffic of a deployment.
#[derive(Debug, Serialize, ToSchema)]
pub struct Traffic {
    /// By time, version and variant.
    windows: Vec<TrafficRow>,
    /// Samples of this server that were not kept because too many came at once, since it started.
    dropped_samples: i64,
}

/// How good a version was in a window.
#[derive(Debug, Serialize, ToSchema)]
pub struct QualityRow {
    /// When the window begins, in milliseconds since 1970.
    start_ms: i64,
    /// Its length.
    length_ms: i64,
    /// The model version.
    version: i64,
    /// `primary`, `canary` or `shadow`.
    variant: String,
    /// Rows that were answered and kept.
    rows: i64,
    /// Rows of these that have a label.
    labelled: i64,
    /// `accuracy`, `f1`, `brier`, `rmse`, … of the rows with labels.
    measures: BTreeMap<String, f64>,
    /// What keeps scores from being measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    problem: Option<String>,
}

/// The quality of a deployment.
#[derive(Debug, Serialize, ToSchema)]
pub struct Quality {
    /// By time, version and variant.
    windows: Vec<QualityRow>,
}

/// The windows of a deployment against the reference.
#[derive(Debug, Serialize, ToSchema)]
pub struct Drift {
    /// What the latest window is compared with.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    reference: Option<Reference>,
    /// Oldest first.
    windows: Vec<DriftWindow>,
}

/// A window against the reference.
#[derive(Debug, Serialize, ToSchema)]
pub struct DriftWindow {
    /// When the window begins, in milliseconds since 1970.
    start_ms: i64,
    /// Its length.
    length_ms: i64,
    /// How many rows of samples it has.
    rows: u64,
    /// The share of the input columns that have drifted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    drift_share: Option<f64>,
    /// The share of the output columns that have drifted, where the reference has outputs.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    prediction_drift_share: Option<f64>,
    /// Inputs, then outputs, by name.
    columns: Vec<ColumnDrift>,
}

/// A column of a window against the reference.
#[derive(Debug, Serialize, ToSchema)]
pub struct ColumnDrift {
    /// `input` or `output`.
    part: String,
    /// Its name.
    name: String,
    /// `number` or `category`.
    kind: String,
    /// Whether it has drifted; absent when one side has no values.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    is_drifted: Option<bool>,
    /// All tests.
    tests: Vec<DriftTest>,
    /// What the window holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    current: Option<ColumnSummary>,
    /// What the reference holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    reference: Option<ColumnSummary>,
    /// Of categories: the share of the window's values that the reference does not have.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    new_category_share: Option<f64>,
    /// What is wrong with the values, as sentences.
    problems: Vec<String>,
    /// Shares of both sides over the same bins.
    bins: Vec<DriftBin>,
}

/// What a test found.
#[derive(Debug, Serialize, ToSchema)]
pub struct DriftTest {
    /// `psi`, `ks_p_value`, `chi_squared_p_value`, `jensen_shannon` or `normed_wasserstein`.
    test: String,
    /// Its p-value or distance.
    value: f64,
    /// From it on (of p-values: below it) the column has drifted.
    threshold: f64,
    /// Whether it says that the column has drifted.
    is_drifted: bool,
    /// Whether it is the one that decides.
    decides: bool,
}

/// A bin of a column.
#[derive(Debug, Serialize, ToSchema)]
pub struct DriftBin {
    /// The category, or `<= edge`.
    label: String,
    /// The share of the reference's values.
    reference_share: f64,
    /// The share of the window's.
    current_share: f64,
}

/// A column in short.
#[derive(Debug, Serialize, ToSchema)]
pub struct ColumnSummary {
    /// Rows that have the column.
    rows: u64,
    /// The share of rows without a value; of an input of requests, of all rows: they may leave it out.
    missing_share: f64,
    /// About how many different values there are.
    distinct: f64,
    /// Of numbers: the mean.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    mean: Option<f64>,
    /// Of numbers: the standard deviation.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    std: Option<f64>,
    /// Of numbers: the smallest.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    min: Option<f64>,
    /// Of numbers: the largest.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    max: Option<f64>,
    /// Of numbers: 5, 25, 50, 75 and 95 %.
    quantiles: Vec<f64>,
    /// Of categories: the most frequent ones.
    top: Vec<CategoryCount>,
}

/// A category with how often it came.
#[derive(Debug, Serialize, ToSchema)]
pub struct CategoryCount {
    /// The category.
    value: String,
    /// How often.
    count: u64,
}

/// How much a deployment was asked, how fast it answered, what failed.
#[utoipa::path(get, path = "/api/v1/deployments/{deployment}/traffic", tag = "monitoring",
    params(("deployment" = String, Path, description = "The deployment"), WindowsQuery), responses((status = 200, body = Traffic)))]
pub(crate) async fn get_traffic(
    State(api): State<ApiState>,
    Caller(ctx): Caller,
    Captured(deployment): Captured<String>,
    Query(query): Query<WindowsQuery>,
) -> Result<Json<Traffic>, Failure> {
    check_exists(&ctx, &api, &deployment).await?;
    let rows = traffic::list_traffic(&ctx, &api.monitoring, &deployment, query.span()).await?;
    let windows = rows.into_iter().filter(|row| query.wants(row.version)).map(TrafficRow::from).collect();
    Ok(Json(Traffic { windows, dropped_samples: api.monitoring.dropped_samples() }))
}

/// How good a deployment's answers were, by the labels that are there.
#[utoipa::path(get, path = "/api/v1/deployments/{deployment}/quality", tag = "monitoring",
    params(("deployment" = String, Path, description = "The deployment"), WindowsQuery), responses((status = 200, body = Quality)))]
pub(crate) async fn get_quality(
    State(api): State<ApiState>,
    Caller(ctx): Caller,
    Captured(deployment): Captured<String>,
    Query(query): Query<WindowsQuery>,
) -> Result<Json<Quality>, Failure> {
    check_exists(&ctx, &api, &deployment).await?;
    let rows = quality::list_quality(&ctx, &api.monitoring, &deployment, query.span()).await?;
    let windows = rows.into_iter().filter(|row| query.wants(row.version)).map(QualityRow::from).collect();
    Ok(Json(Quality { windows }))
}

/// How far a deployment's inputs and outputs are from the reference.
#[utoipa::path(get, path = "/api/v1/deployments/{deployment}/drift", tag = "monitoring",
    params(("deployment" = String, Path, description = "The deployment"), WindowsQuery), responses((status = 200, body = Drift)))]
pub(crate) async fn get_drift(
    State(api): State<ApiState>,
    Caller(ctx): Caller,
    Captured(deployment): Captured<String>,
    Query(query): Query<WindowsQuery>,
) -> Result<Json<Drift>, Failure> {
    check_exists(&ctx, &api, &deployment).await?;
    let found = report::report_drift(&ctx, &api.monitoring, &deployment, query.version, query.span()).await?;
    Ok(Json(Drift {
        reference: found.reference.map(Reference::from),
        windows: found.windows.into_iter().map(DriftWindow::from).collect(),
    }))
}

impl From<traffic::TrafficRow> for TrafficRow {
    fn from(row: traffic::TrafficRow) -> Self {
        let traffic::TrafficRow { start_ms, length_ms, version, variant, requests, rows, rate, error_rate, .. } = row;
        let traffic::TrafficRow { errors, p50_ms, p95_ms, p99_ms, .. } = row;
        Self { start_ms, length_ms, version, variant, requests, rows, rate, error_rate, errors, p50_ms, p95_ms, p99_ms }
    }
}

impl From<quality::QualityRow> for QualityRow {
    fn from(row: quality::QualityRow) -> Self {
        let quality::QualityRow { start_ms, length_ms, version, variant, rows, labelled, measures, problem } = row;
        let measures = measures.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Self { start_ms, length_ms, version, variant, rows, labelled, measures, problem }
    }
}

impl From<report::WindowReport> for DriftWindow {
    fn from(window: report::WindowReport) -> Self {
        let report::WindowReport { start_ms, length_ms, rows, drift_share, prediction_drift_share, columns } = window;
        let columns = columns.into_iter().map(ColumnDrift::from).collect();
        Self { start_ms, length_ms, rows, drift_share, prediction_drift_share, columns }
    }
}

impl From<drift::ColumnReport> for ColumnDrift {
    fn from(column: drift::ColumnReport) -> Self {
        let drift::ColumnReport { part, name, kind, is_drifted, tests, current, reference, problems, bins, .. } =
            column;
        let drift::ColumnReport { new_category_share, has_schema_problem: _, .. } = column;
        let test = |drift::TestResult { test, value, is_drifted, decides }| DriftTest {
            test: test.as_str().to_owned(),
            value,
            threshold: test.threshold(),
            is_drifted,
            decides,
        };
        let bin =
            |drift::Bin { label, reference_share, current_share }| DriftBin { label, reference_share, current_share };
        Self {
            part: part.as_str().to_owned(),
            name,
            kind: kind.as_str().to_owned(),
            is_drifted,
            tests: tests.into_iter().map(test).collect(),
            current: current.map(ColumnSummary::from),
            reference: reference.map(ColumnSummary::from),
            new_category_share,
            problems,
            bins: bins.into_iter().map(bin).collect(),
        }
    }
}

impl From<drift::ColumnSummary> for ColumnSummary {
    fn from(summary: drift::ColumnSummary) -> Self {
        let drift::ColumnSummary { rows, missing_share, distinct, mean, std, min, max, quantiles, top } = summary;
        let top = top.into_iter().map(|(value, count)| CategoryCount { value, count }).collect();
        Self { rows, missing_share, distinct, mean, std, min, max, quantiles, top }
    }
}
