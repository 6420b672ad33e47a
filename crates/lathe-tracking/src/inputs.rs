//! What runs read (datasets, logged models) and what they made (logged models).
//!
//! Called by the MLflow door (`log-inputs`, `outputs`). Each becomes an edge of the lineage graph.

use lathe_core::{Ctx, LoggedModelId, Result, RunId};

use crate::{Tag, Tracking};

/// A dataset as a run saw it; name and digest together name it in the project.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Dataset {
    /// 1-500 characters.
    pub name: String,
    /// At most 36 characters.
    pub digest: String,
    /// The kind of source: `s3`, `local`, `http`, `code`, …
    pub source_type: String,
    /// Where it came from; opaque, never dereferenced.
    pub source: String,
    /// Its schema as JSON text.
    pub schema: Option<String>,
    /// Its profile (row counts and the like) as JSON text.
    pub profile: Option<String>,
}

/// A dataset that a run read, with the tags of that reading (`mlflow.data.context` is `training` or `eval`).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DatasetInput {
    /// The dataset.
    pub dataset: Dataset,
    /// Tags of this input.
    pub tags: Vec<Tag>,
}

/// A logged model that a run made.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelOutput {
    /// The model.
    pub model_id: LoggedModelId,
    /// The step at which it was made.
    pub step: i64,
}
