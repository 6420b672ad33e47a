//! Finding runs: MLflow's search, the runs table of the UI, and the columns it can show.
//!
//! Called by both doors. The filter language is parsed by `lathe-search`; `filter` turns it into a plan, and `store::search`
//! into SQL.

pub(crate) mod experiments;
mod filter;
pub(crate) mod logged_models;

use std::collections::{HashMap, HashSet};

use lathe_core::{Action, Ctx, Error, Page, PageToken, Result, RunId};

use crate::runs::load;
use crate::store::runs::{Keys, RunRecord, Wanted};
use crate::store::search::{Plan, Scope, Texts};
use crate::{ExperimentId, LifecycleStage, Param, Run, RunStatus, Tag, Tracking, ViewType, store, validate};

/// How many columns the runs table may show.
const MAX_COLUMNS: usize = 500;
/// How many columns of each kind a list of columns may have.
const MAX_LISTED_COLUMNS: i64 = 1_000;

/// Which runs, in which order.
#[derive(Debug, Clone, Default)]
pub struct SearchRuns {
    /// In these experiments; none finds nothing.
    pub experiment_ids: Vec<ExperimentId>,
    /// MLflow's filter, for instance `metrics.acc > 0.9 AND params.lr = '0.01'`.
    pub filter: Option<String>,
    /// Active ones, deleted ones, or both.
    pub view: ViewType,
    /// 1-50,000.
    pub max_results: i64,
    /// `metrics.acc DESC`, `attributes.start_time`, …; newest first when empty.
    pub order_by: Vec<String>,
    /// The previous page's token.
    pub page_token: Option<String>,
}

/// A column of the runs table.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Column {
    /// The latest value of a metric.
    Metric(String),
    /// A param.
    Param(String),
    /// A tag.
    Tag(String),
}

/// A value in the runs table.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// Of a metric; may be NaN or infinite.
    Number(f64),
    /// Of a param or tag.
    Text(String),
}

/// A row of the runs table.
#[derive(Debug, Clone, PartialEq)]
pub struct RunRow {
    /// 32 hex digits.
    pub run_id: RunId,
    /// Its name.
    pub run_name: String,
    /// The experiment it belongs to.
    pub experiment_id: ExperimentId,
    /// That experiment's name.
    pub experiment_name: String,
    /// What it is doing.
    pub status: RunStatus,
    /// Who made it: tag `mlflow.user`, or the run's `user_id`.
    pub user: String,
    /// When it started.
    pub start_time_ms: i64,
    /// When it ended.
    pub end_time_ms: Option<i64>,
    /// Active or deleted.
    pub lifecycle_stage: LifecycleStage,
    /// Tag `mlflow.source.type`.
    pub source_type: Option<String>,
    /// The asked columns that it has.
    pub values: Vec<(Column, Cell)>,
}

/// A page of the runs table.
#[derive(Debug, Clone, PartialEq)]
pub struct RunsTable {
    /// The rows.
    pub page: Page<RunRow>,
    /// How many runs there are on all pages.
    pub total: i64,
}

/// The columns that the runs of some experiments have.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Columns {
    /// Metric keys, most used first.
    pub metrics: Vec<String>,
    /// Param keys, most used first.
    pub params: Vec<String>,
    /// Tag keys, most used first.
    pub tags: Vec<String>,
    /// Whether there are more than asked for.
    pub is_truncated: bool,
}

/// Which columns.
#[derive(Debug, Clone, Default)]
pub struct ListColumns {
    /// Of runs in these experiments.
    pub experiment_ids: Vec<ExperimentId>,
    /// Only keys that contain this, in any case.
    pub search: Option<String>,
    /// How many of each kind, 1-1,000.
    pub max_results: i64,
}

/// Numbers for the home page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Active experiments.
    pub experiments: i64,
    /// Active runs.
    pub runs: i64,
}

/// Runs that match, with everything logged to them, newest first unless asked otherwise.
///
/// # Errors
/// `InvalidArgument` for a bad filter, order, page size or token.
pub async fn search_runs(ctx: &Ctx, tracking: &Tracking, request: SearchRuns) -> Result<Page<Run>> {
    ctx.authorize(Action::Read)?;
    let (Page { items, next }, _) = find_page(ctx, tracking, &request).await?;
    Ok(Page { items: load::load_runs(ctx, tracking, &items).await?, next })
}

/// Runs that match, with some columns only, and how many there are in all.
///
/// # Errors
/// As [`search_runs`]; `InvalidArgument` for too many columns.
pub async fn search_runs_table(
    ctx: &Ctx,
    tracking: &Tracking,
    request: SearchRuns,
    columns: &[Column],
) -> Result<RunsTable> {
    ctx.authorize(Action::Read)?;
    if columns.len() > MAX_COLUMNS {
        return Err(Error::invalid(format!("a table shows at most {MAX_COLUMNS} columns, got {}", columns.len())));
    }
    let (page, plan) = find_page(ctx, tracking, &request).await?;
    let is_whole = request.page_token.as_deref().unwrap_or_default().is_empty() && page.next.is_none();
    let total = if is_whole {
        i64::try_from(page.items.len()).unwrap_or(i64::MAX)
    } else {
        store::search::count(&tracking.db, &plan).await?
    };
    let Page { items, next } = page;
    Ok(RunsTable { page: Page { items: load_rows(ctx, tracking, &items, columns).await?, next }, total })
}

/// The active runs of the project that were made last, with some columns only.
///
/// # Errors
/// What the database answers.
pub async fn list_newest_runs(ctx: &Ctx, tracking: &Tracking, limit: i64, columns: &[Column]) -> Result<Vec<RunRow>> {
    ctx.authorize(Action::Read)?;
    let run_keys = store::search::newest(&tracking.db, &ctx.project, limit.clamp(1, 1_000)).await?;
    load_rows(ctx, tracking, &run_keys, columns).await
}

/// How many experiments and runs the project has.
///
/// # Errors
/// What the database answers.
pub async fn count_project(ctx: &Ctx, tracking: &Tracking) -> Result<Counts> {
    ctx.authorize(Action::Read)?;
    let (experiments, runs) = store::count_active(&tracking.db, &ctx.project).await?;
    Ok(Counts { experiments, runs })
}

/// The columns that the runs of some experiments have: all metrics, and the params and tags of their 2,000 newest runs.
///
/// # Errors
/// `InvalidArgument` for a bad limit.
pub async fn list_columns(ctx: &Ctx, tracking: &Tracking, request: ListColumns) -> Result<Columns> {
    ctx.authorize(Action::Read)?;
    let ListColumns { experiment_ids, search, max_results } = request;
    if !(1..=MAX_LISTED_COLUMNS).contains(&max_results) {
        return Err(Error::invalid(format!(
            "max_results must be between 1 and {MAX_LISTED_COLUMNS}, got {max_results}"
        )));
    }
    if experiment_ids.is_empty() {
        return Ok(Columns::default());
    }
    if let Some(search) = &search {
        validate::no_nul("search", search)?;
    }
    let scope = scope(ctx, &experiment_ids, ViewType::ActiveOnly);
    let (db, search, asked) = (&tracking.db, search.as_deref(), max_results + 1);
    let mut metrics = store::search::metric_columns(db, &scope, search, asked).await?;
    let mut params = store::search::text_columns(db, &scope, Texts::Params, search, asked).await?;
    let mut tags = store::search::text_columns(db, &scope, Texts::Tags, search, asked).await?;
    let limit = usize::try_from(max_results).unwrap_or(usize::MAX);
    let is_truncated = [&metrics, &params, &tags].iter().any(|keys| keys.len() > limit);
    for keys in [&mut metrics, &mut params, &mut tags] {
        keys.truncate(limit);
    }
    Ok(Columns { metrics, params, tags, is_truncated })
}

/// The keys of a page of runs, and the plan that found them.
async fn find_page(ctx: &Ctx, tracking: &Tracking, request: &SearchRuns) -> Result<(Page<i64>, Plan)> {
    let SearchRuns { experiment_ids, filter, view, max_results, order_by, page_token } = request;
    let limit = validate::max_results(*max_results)?;
    let fingerprint = format!("runs {experiment_ids:?} {filter:?} {view:?} {order_by:?}");
    let token = PageToken::read(page_token.as_deref(), &fingerprint)?;
    let plan = filter::plan_runs(ctx, tracking, scope(ctx, experiment_ids, *view), filter.as_deref(), order_by).await?;
    let run_keys = store::search::find(&tracking.db, &plan, max_results + 1, token.offset_sql()).await?;
    Ok((Page::from_overread(run_keys, &token, limit), plan))
}

fn scope(ctx: &Ctx, experiment_ids: &[ExperimentId], view: ViewType) -> Scope {
    let mut experiments = experiment_ids.to_vec();
    experiments.sort_unstable();
    experiments.dedup();
    Scope { project: ctx.project.clone(), experiments, stages: view.stages() }
}

/// The tags that the runs table always reads.
const USER_TAG: &str = "mlflow.user";
const SOURCE_TYPE_TAG: &str = "mlflow.source.type";

async fn load_rows(ctx: &Ctx, tracking: &Tracking, run_keys: &[i64], columns: &[Column]) -> Result<Vec<RunRow>> {
    let (mut metric_keys, mut param_keys, mut tag_keys) = (Vec::new(), Vec::new(), vec![USER_TAG, SOURCE_TYPE_TAG]);
    for column in columns {
        match column {
            Column::Metric(key) => metric_keys.push(key.as_str()),
            Column::Param(key) => param_keys.push(key.as_str()),
            Column::Tag(key) => tag_keys.push(key.as_str()),
        }
    }
    let key_ids = tracking.find_keys(&ctx.project, metric_keys).await?;
    let names: HashMap<i64, &String> = key_ids.iter().map(|(name, id)| (*id, name)).collect();
    let ids: Vec<i64> = key_ids.values().copied().collect();
    let wanted = Wanted { params: Keys::Named(&param_keys), tags: Keys::Named(&tag_keys), metrics: Keys::Named(&ids) };
    let mut records = store::runs::load(&tracking.db, &ctx.project, run_keys, wanted).await?;
    let experiment_ids: HashSet<ExperimentId> = records.values().map(|record| record.info.experiment_id).collect();
    let experiment_ids: Vec<ExperimentId> = experiment_ids.into_iter().collect();
    let experiment_names = store::experiments::names(&tracking.db, &ctx.project, &experiment_ids).await?;

    let mut rows = Vec::with_capacity(run_keys.len());
    for run_key in run_keys {
        let Some(RunRecord { info, params, tags, metrics, .. }) = records.remove(run_key) else { continue };
        let tag = |key: &str| tags.iter().find(|tag| tag.key == key).map(|tag| tag.value.clone());
        let (user, source_type) = (tag(USER_TAG), tag(SOURCE_TYPE_TAG));
        let mut cells: HashMap<Column, Cell> = HashMap::new();
        for (key_id, metric) in metrics {
            if let Some(name) = names.get(&key_id) {
                cells.insert(Column::Metric((*name).clone()), Cell::Number(metric.value));
            }
        }
        cells.extend(params.into_iter().map(|Param { key, value }| (Column::Param(key), Cell::Text(value))));
        cells.extend(tags.into_iter().map(|Tag { key, value }| (Column::Tag(key), Cell::Text(value))));
        let values = columns.iter().filter_map(|column| cells.get(column).map(|cell| (column.clone(), cell.clone())));
        rows.push(RunRow {
            values: values.collect(),
            experiment_name: experiment_names.get(&info.experiment_id).cloned().unwrap_or_default(),
            user: user.unwrap_or(info.user_id),
            source_type,
            run_id: info.run_id,
            run_name: info.name,
            experiment_id: info.experiment_id,
            status: info.status,
            start_time_ms: info.start_time_ms,
            end_time_ms: info.end_time_ms,
            lifecycle_stage: info.lifecycle_stage,
        });
    }
    Ok(rows)
}
