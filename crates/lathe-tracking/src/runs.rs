//! Runs: made, changed, logged to, deleted and restored.
//!
//! Called by the MLflow door. One log request is one transaction: all of it is stored, or nothing.

use lathe_core::{Ctx, Error, LoggedModelId, Result, RunId};

use crate::{DatasetInput, ExperimentId, Metric, ModelOutput, NewMetric, Tracking};

/// A key and a value set by the user; the value can change.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tag {
    /// The key.
    pub key: String,
    /// The value.
    pub value: String,
}

/// A key and a value that a run was made with; the value cannot change.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Param {
    /// The key.
    pub key: String,
    /// The value.
    pub value: String,
}

/// Whether a thing is in use or in the bin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LifecycleStage {
    /// In use.
    Active,
    /// In the bin: hidden, unchangeable, restorable.
    Deleted,
}

impl LifecycleStage {
    /// The stage as it stands in JSON and SQL.
    pub fn as_str(self) -> &'static str {
        match self {
            LifecycleStage::Active => "active",
            LifecycleStage::Deleted => "deleted",
        }
    }

    pub(crate) fn from_sql(text: &str) -> Self {
        if text == "deleted" { LifecycleStage::Deleted } else { LifecycleStage::Active }
    }
}

/// Which stages a list shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ViewType {
    /// What is in use.
    #[default]
    ActiveOnly,
    /// What is in the bin.
    DeletedOnly,
    /// Both.
    All,
}

impl ViewType {
    /// The stages shown.
    pub fn stages(self) -> &'static [LifecycleStage] {
        match self {
            ViewType::ActiveOnly => &[LifecycleStage::Active],
            ViewType::DeletedOnly => &[LifecycleStage::Deleted],
            ViewType::All => &[LifecycleStage::Active, LifecycleStage::Deleted],
        }
    }
}

/// What a run is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RunStatus {
    /// It runs.
    Running,
    /// It waits to run.
    Scheduled,
    /// It ended well.
    Finished,
    /// It ended badly.
    Failed,
    /// It was stopped.
    Killed,
}

impl RunStatus {
    /// All statuses.
    pub const ALL: [RunStatus; 5] =
        [RunStatus::Running, RunStatus::Scheduled, RunStatus::Finished, RunStatus::Failed, RunStatus::Killed];

    /// The status as it stands in JSON and SQL.
    pub fn as_str(self) -> &'static str {
        match self {
            RunStatus::Running => "RUNNING",
            RunStatus::Scheduled => "SCHEDULED",
            RunStatus::Finished => "FINISHED",
            RunStatus::Failed => "FAILED",
            RunStatus::Killed => "KILLED",
        }
    }

    /// The status of that name.
    pub fn parse(text: &str) -> Option<Self> {
        RunStatus::ALL.into_iter().find(|status| status.as_str() == text)
    }

    /// Whether the run is over.
    pub fn is_terminal(self) -> bool {
        matches!(self, RunStatus::Finished | RunStatus::Failed | RunStatus::Killed)
    }
}

/// A run without what was logged to it.
#[derive(Debug, Clone, PartialEq)]
pub struct RunInfo {
    /// 32 hex digits.
    pub run_id: RunId,
    /// Its name; several may have the same.
    pub name: String,
    /// The experiment it belongs to.
    pub experiment_id: ExperimentId,
    /// Who it says made it; may be empty.
    pub user_id: String,
    /// What it is doing.
    pub status: RunStatus,
    /// When it started, as its client said.
    pub start_time_ms: i64,
    /// When it ended.
    pub end_time_ms: Option<i64>,
    /// `mlflow-artifacts:/<experiment>/<run id>/artifacts`, or below its experiment's own location.
    pub artifact_uri: String,
    /// Active or deleted.
    pub lifecycle_stage: LifecycleStage,
}

/// A run with the latest of everything logged to it.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// The run itself.
    pub info: RunInfo,
    /// The latest value of each metric, by key.
    pub metrics: Vec<Metric>,
    /// Its params, by key.
    pub params: Vec<Param>,
    /// Its tags, by key.
    pub tags: Vec<Tag>,
    /// The datasets it read, in the order they were logged.
    pub dataset_inputs: Vec<DatasetInput>,
    /// The logged models it read.
    pub model_inputs: Vec<LoggedModelId>,
    /// The logged models it made.
    pub model_outputs: Vec<ModelOutput>,
}

/// What a new run is made from.
#[derive(Debug, Clone, Default)]
pub struct CreateRun {
    /// The experiment's number.
    pub experiment_id: i64,
    /// Who makes it; may be empty.
    pub user_id: String,
    /// When it started.
    pub start_time_ms: i64,
    /// Its name; `None` for tag `mlflow.runName`, or a made-up one.
    pub name: Option<String>,
    /// Its first tags; of a key given twice the last wins.
    pub tags: Vec<Tag>,
}

/// What changes of a run; `None` leaves it as it is.
#[derive(Debug, Clone, Default)]
pub struct UpdateRun {
    /// What it is doing.
    pub status: Option<RunStatus>,
    /// When it ended.
    pub end_time_ms: Option<i64>,
    /// Its name; empty leaves it.
    pub name: Option<String>,
}

/// One log request.
#[derive(Debug, Clone, Default)]
pub struct LogBatch {
    /// At most 1,000 points.
    pub metrics: Vec<NewMetric>,
    /// At most 100 params, each key once.
    pub params: Vec<Param>,
    /// At most 100 tags; of a key given twice the last wins.
    pub tags: Vec<Tag>,
}

/// Parses a run's id.
///
/// # Errors
/// `NotFound`, in MLflow's words, when the text has not the form of an id: no such run can exist.
pub fn parse_run_id(text: &str) -> Result<RunId> {
    RunId::parse(text).map_err(|_| not_found(text))
}

pub(crate) fn not_found(run_id: &str) -> Error {
    Error::not_found(format!("Run with id={run_id} not found"))
}
