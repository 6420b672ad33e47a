//! Experiment tracking: experiments, runs, their metrics, params, tags, inputs and outputs, logged models and artifacts.
//!
//! The doors call this room: `lathe-mlflow` for MLflow's clients, `lathe-api` for the UI and the CLI. Every public function
//! takes the request's [`lathe_core::Ctx`] first and checks the permission in its first line; it touches only the project of
//! that context. SQL lives in `store` alone. The registry of models (names, versions, aliases) is another room.
//!
//! **Errors.** Messages are MLflow's where its clients read them. Codes are chosen so that one table turns them into MLflow's:
//! `InvalidArgument` where MLflow says INVALID_PARAMETER_VALUE (also for writes on deleted runs and for changed params),
//! `NotFound` for RESOURCE_DOES_NOT_EXIST, `AlreadyExists` for RESOURCE_ALREADY_EXISTS, `Conflict` for INVALID_STATE.

pub mod artifact_path;
pub mod artifacts;
pub mod experiments;
pub mod inputs;
pub mod logged_models;
pub mod metrics;
pub mod runs;
mod schema;
pub mod search;
mod store;
mod tracking;
pub mod validate;

pub use artifact_path::ArtifactPath;
pub use experiments::{Experiment, ExperimentId};
pub use inputs::{Dataset, DatasetInput, ModelOutput};
pub use logged_models::{LoggedModel, LoggedModelStatus};
pub use metrics::{Metric, MetricPoint, NewMetric};
pub use runs::{LifecycleStage, Param, Run, RunInfo, RunStatus, Tag, ViewType};
pub use schema::{LIVE_OBJECTS, SCHEMA};
pub use tracking::{RunChange, Tracking};
