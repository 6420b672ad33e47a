//! Finding runs: MLflow's search, the runs table of the UI, and the columns it can show.
//!
//! Called by both doors. The filter language is parsed by `lathe-search`; here it becomes a plan (see `plan`), and `store`
//! makes SQL of it.

use lathe_core::{Ctx, Page, Result, RunId};

use crate::{ExperimentId, LifecycleStage, Run, RunStatus, Tracking, ViewType};

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
