//! `/runs/search` and `/runs/columns`: the runs table with chosen columns and a true total.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use lathe_core::{Error, Result};
use lathe_http::{Caller, Failure};
use lathe_tracking::search::{self, Cell, Column, ListColumns, SearchRuns};
use lathe_tracking::{ExperimentId, ViewType};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::extract::{Body, Query};
use crate::number::Number;
use crate::state::ApiState;

const DEFAULT_PAGE: i64 = 100;
const MAX_COLUMNS: usize = 500;

/// Which runs, and what to show of them.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RunsQuery {
    /// In these experiments.
    pub experiment_ids: Vec<String>,
    /// MLflow's filter, for instance `metrics.acc > 0.9`.
    pub filter: Option<String>,
    /// For instance `metrics.acc DESC`.
    #[serde(default)]
    pub order_by: Vec<String>,
    /// `ACTIVE_ONLY` (if absent), `DELETED_ONLY` or `ALL`.
    pub run_view_type: Option<String>,
    /// The columns to show: `metrics.acc`, `params.lr`, `tags.team`.
    #[serde(default)]
    pub columns: Vec<String>,
    /// At most this many (100 if absent).
    pub max_results: Option<i64>,
    /// The token of the previous page.
    pub page_token: Option<String>,
}

/// A cell of the runs table: a metric's number or a param's or tag's text.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum CellValue {
    /// A metric's latest value.
    Number(Number),
    /// A param or a tag.
    Text(String),
}

/// A row of the runs table.
#[derive(Debug, Serialize, ToSchema)]
pub struct RunRow {
    /// The run's id.
    pub run_id: String,
    /// Its name.
    pub run_name: String,
    /// Its experiment.
    pub experiment_id: String,
    /// That experiment's name.
    pub experiment_name: String,
    /// `RUNNING`, `FINISHED`, `FAILED`, `KILLED` or `SCHEDULED`.
    pub status: String,
    /// Who made it.
    pub user: String,
    /// When it started, in milliseconds since 1970.
    pub start_time_ms: i64,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub end_time_ms: Option<i64>,
    /// `active` or `deleted`.
    pub lifecycle_stage: String,
    /// What kind of program made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub source_type: Option<String>,
    /// The asked columns that it has.
    pub values: BTreeMap<String, CellValue>,
}

/// A page of the runs table.
#[derive(Debug, Serialize, ToSchema)]
pub struct RunsPage {
    /// The rows.
    pub runs: Vec<RunRow>,
    /// How many runs match on all pages.
    pub total: i64,
    /// Where the next page starts; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub next_page_token: Option<String>,
}

/// The runs table.
#[utoipa::path(post, path = "/api/v1/runs/search", tag = "runs", request_body = RunsQuery, responses((status = 200, body = RunsPage)))]
pub(crate) async fn search_runs(
    State(api): State<ApiState>,
    Caller(ctx): Caller,
    Body(query): Body<RunsQuery>,
) -> Result<Json<RunsPage>, Failure> {
    let RunsQuery { experiment_ids, filter, order_by, run_view_type, columns, max_results, page_token } = query;
    if columns.len() > MAX_COLUMNS {
        return Err(Error::invalid(format!(
            "{} columns were asked for; at most {MAX_COLUMNS} fit one request",
            columns.len()
        ))
        .into());
    }
    let request = SearchRuns {
        experiment_ids: experiment_ids.iter().map(|id| ExperimentId::parse(id)).collect::<Result<_>>()?,
        filter,
        view: view_type(run_view_type.as_deref())?,
        max_results: max_results.unwrap_or(DEFAULT_PAGE),
        order_by,
        page_token,
    };
    let columns = columns.iter().map(|column| parse_column(column)).collect::<Result<Vec<_>>>()?;
    let found = search::search_runs_table(&ctx, &api.tracking, request, &columns).await?;
    Ok(Json(RunsPage {
        runs: found.page.items.into_iter().map(run_row).collect(),
        total: found.total,
        next_page_token: found.page.next.map(|token| token.encode()),
    }))
}

fn view_type(text: Option<&str>) -> Result<ViewType> {
    match text {
        None | Some("ACTIVE_ONLY") => Ok(ViewType::ActiveOnly),
        Some("DELETED_ONLY") => Ok(ViewType::DeletedOnly),
        Some("ALL") => Ok(ViewType::All),
        Some(other) => Err(Error::invalid(format!(
            "run_view_type {other:?} does not exist; it is ACTIVE_ONLY, DELETED_ONLY or ALL"
        ))),
    }
}

fn parse_column(text: &str) -> Result<Column> {
    let (entity, key) = text.split_once('.').unwrap_or((text, ""));
    match entity {
        "metrics" if !key.is_empty() => Ok(Column::Metric(key.to_owned())),
        "params" if !key.is_empty() => Ok(Column::Param(key.to_owned())),
        "tags" if !key.is_empty() => Ok(Column::Tag(key.to_owned())),
        _ => Err(Error::invalid(format!(
            "column {text:?} does not exist; columns are metrics.<key>, params.<key> and tags.<key>"
        ))),
    }
}

fn column_name(column: &Column) -> String {
    match column {
        Column::Metric(key) => format!("metrics.{key}"),
        Column::Param(key) => format!("params.{key}"),
        Column::Tag(key) => format!("tags.{key}"),
    }
}

/// A room's row as the API shows it.
pub(crate) fn run_row(row: search::RunRow) -> RunRow {
    let search::RunRow {
        run_id,
        run_name,
        experiment_id,
        experiment_name,
        status,
        user,
        start_time_ms,
        end_time_ms,
        lifecycle_stage,
        source_type,
        values,
    } = row;
    let cell = |cell| match cell {
        Cell::Number(value) => CellValue::Number(Number(value)),
        Cell::Text(text) => CellValue::Text(text),
    };
    RunRow {
        run_id: run_id.to_string(),
        run_name,
        experiment_id: experiment_id.to_string(),
        experiment_name,
        status: status.as_str().to_owned(),
        user,
        start_time_ms,
        end_time_ms,
        lifecycle_stage: lifecycle_stage.as_str().to_owned(),
        source_type,
        values: values.into_iter().map(|(column, value)| (column_name(&column), cell(value))).collect(),
    }
}

/// Which columns.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ColumnsQuery {
    /// Of runs in these experiments, separated by commas.
    experiment_ids: String,
    /// Only keys that contain this, in any case.
    search: Option<String>,
    /// At most this many of each kind (200 if absent).
    max_results: Option<i64>,
}

/// The columns that runs have, most used first.
#[derive(Debug, Serialize, ToSchema)]
pub struct Columns {
    /// Metric keys.
    pub metrics: Vec<String>,
    /// Param keys.
    pub params: Vec<String>,
    /// Tag keys.
    pub tags: Vec<String>,
    /// Whether there are more.
    pub truncated: bool,
}

/// The metric, param and tag keys of some experiments' runs.
#[utoipa::path(get, path = "/api/v1/runs/columns", tag = "runs", params(ColumnsQuery), responses((status = 200, body = Columns)))]
pub(crate) async fn list_columns(
    State(api): State<ApiState>,
    Caller(ctx): Caller,
    Query(query): Query<ColumnsQuery>,
) -> Result<Json<Columns>, Failure> {
    let experiment_ids =
        query.experiment_ids.split(',').filter(|id| !id.is_empty()).map(ExperimentId::parse).collect::<Result<_>>()?;
    let request = ListColumns { experiment_ids, search: query.search, max_results: query.max_results.unwrap_or(200) };
    let search::Columns { metrics, params, tags, is_truncated } =
        search::list_columns(&ctx, &api.tracking, request).await?;
    Ok(Json(Columns { metrics, params, tags, truncated: is_truncated }))
}
