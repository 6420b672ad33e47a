//! Experiments: the folders that runs live in. Number 0, `Default`, exists in every project.
//!
//! Called by the MLflow door. Runs of a deleted experiment are deleted and restored with it.

use std::fmt;

use lathe_core::{Ctx, Error, Page, Result};

use crate::{LifecycleStage, Tag, Tracking, ViewType};

/// An experiment's number within its project; a decimal string on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ExperimentId(i64);

impl ExperimentId {
    /// The experiment that always exists.
    pub const DEFAULT: ExperimentId = ExperimentId(0);

    /// Parses the decimal text; an empty text is the default experiment, as MLflow's clients expect.
    ///
    /// # Errors
    /// `InvalidArgument` when it is no integer.
    pub fn parse(text: &str) -> Result<Self> {
        if text.is_empty() {
            return Ok(Self::DEFAULT);
        }
        text.trim().parse().map(Self).map_err(|_| {
            Error::invalid(format!("Invalid experiment ID '{text}'. Experiment ID must be a valid integer."))
        })
    }

    /// Takes a number, such as one read from the database.
    pub fn from_number(number: i64) -> Self {
        Self(number)
    }

    /// The number.
    pub fn number(self) -> i64 {
        self.0
    }
}

impl fmt::Display for ExperimentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An experiment with its tags.
#[derive(Debug, Clone, PartialEq)]
pub struct Experiment {
    /// Its number.
    pub id: ExperimentId,
    /// Its name, unique in the project even after deletion.
    pub name: String,
    /// Where its runs' artifacts go: `mlflow-artifacts:/<id>`, or what its creator gave; never dereferenced.
    pub artifact_location: String,
    /// Active or deleted.
    pub lifecycle_stage: LifecycleStage,
    /// When it was made.
    pub created_at_ms: i64,
    /// When its name or stage last changed.
    pub updated_at_ms: i64,
    /// Its tags, by key.
    pub tags: Vec<Tag>,
}

/// What a new experiment is made from.
#[derive(Debug, Clone, Default)]
pub struct CreateExperiment {
    /// 1-500 characters, not taken.
    pub name: String,
    /// An opaque URI; `None` for the project's own artifact store.
    pub artifact_location: Option<String>,
    /// Tags; of a key given twice the last wins.
    pub tags: Vec<Tag>,
}

/// Which experiments, in which order.
#[derive(Debug, Clone)]
pub struct SearchExperiments {
    /// MLflow's filter, for instance `name LIKE 'fraud%' AND tags.team = 'risk'`.
    pub filter: Option<String>,
    /// `name`, `experiment_id`, `creation_time` or `last_update_time`, each with ASC or DESC.
    pub order_by: Vec<String>,
    /// Active ones, deleted ones, or both.
    pub view: ViewType,
    /// 1-50,000.
    pub max_results: i64,
    /// The previous page's token.
    pub page_token: Option<String>,
}
