//! Logged models: the models that runs write, with their own params, tags, metrics and artifact folder.
//!
//! Called by the MLflow door; every `log_model` of a 3.x client makes one. Registered names and versions are another room.

use lathe_core::{Ctx, Error, LoggedModelId, Page, Result, RunId};

use crate::artifacts::ArtifactList;
use crate::{ExperimentId, LifecycleStage, Param, Tag, Tracking};

/// How far the upload of a logged model is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoggedModelStatus {
    /// Not said.
    Unspecified,
    /// Its files are being written.
    Pending,
    /// Complete.
    Ready,
    /// The upload failed.
    Failed,
}

/// A metric of a logged model, on a dataset or on none.
#[derive(Debug, Clone, PartialEq)]
pub struct LoggedModelMetric {
    /// Its name.
    pub key: String,
    /// Its value; may be NaN.
    pub value: f64,
    /// When it was measured.
    pub timestamp_ms: i64,
    /// The training step.
    pub step: i64,
    /// The run that logged it.
    pub run_id: RunId,
    /// The dataset it was measured on.
    pub dataset_name: Option<String>,
    /// That dataset's digest.
    pub dataset_digest: Option<String>,
}

/// A logged model with everything known of it.
#[derive(Debug, Clone, PartialEq)]
pub struct LoggedModel {
    /// `m-` and 32 hex digits.
    pub model_id: LoggedModelId,
    /// The experiment it belongs to.
    pub experiment_id: ExperimentId,
    /// Its name; several may have the same.
    pub name: String,
    /// `mlflow-artifacts:/<experiment>/models/<model id>/artifacts`.
    pub artifact_uri: String,
    /// When it was made.
    pub created_at_ms: i64,
    /// When its status or stage last changed.
    pub updated_at_ms: i64,
    /// How far its upload is.
    pub status: LoggedModelStatus,
    /// Active or deleted.
    pub lifecycle_stage: LifecycleStage,
    /// A word for its kind, for instance `agent`; may be empty.
    pub model_type: String,
    /// The run that made it, if one did.
    pub source_run_id: Option<String>,
    /// Its params, by key.
    pub params: Vec<Param>,
    /// Its tags, by key.
    pub tags: Vec<Tag>,
    /// All its metrics, by run, key, timestamp and step.
    pub metrics: Vec<LoggedModelMetric>,
}

/// What a new logged model is made from.
#[derive(Debug, Clone, Default)]
pub struct CreateLoggedModel {
    /// The experiment's number.
    pub experiment_id: i64,
    /// `None` for a made-up name.
    pub name: Option<String>,
    /// A word for its kind.
    pub model_type: String,
    /// The run that makes it.
    pub source_run_id: Option<String>,
    /// Its params.
    pub params: Vec<Param>,
    /// Its tags.
    pub tags: Vec<Tag>,
}

/// A dataset that metrics of a search must be measured on.
#[derive(Debug, Clone, Default)]
pub struct DatasetFilter {
    /// Its name.
    pub name: String,
    /// Its digest, or any.
    pub digest: Option<String>,
}

/// One key of a search's order.
#[derive(Debug, Clone)]
pub struct LoggedModelOrder {
    /// An attribute (`creation_time`, `name`, …) or `metrics.<name>`.
    pub field_name: String,
    /// Smallest first.
    pub direction: Direction,
    /// Only metrics on this dataset.
    pub dataset_name: Option<String>,
    /// Only metrics on this digest.
    pub dataset_digest: Option<String>,
}

/// Which way a list runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Smallest first.
    Ascending,
    /// Largest first.
    Descending,
}

/// Which logged models, in which order.
#[derive(Debug, Clone, Default)]
pub struct SearchLoggedModels {
    /// In these experiments.
    pub experiment_ids: Vec<ExperimentId>,
    /// MLflow's filter over attributes, params, tags and metrics.
    pub filter: Option<String>,
    /// Metrics of the filter must be on one of these; without a metric in the filter, the model must have any metric there.
    pub datasets: Vec<DatasetFilter>,
    /// Page size, 0 for the default of 100.
    pub max_results: i64,
    /// The order; newest first when empty.
    pub order_by: Vec<LoggedModelOrder>,
    /// The previous page's token.
    pub page_token: Option<String>,
}
