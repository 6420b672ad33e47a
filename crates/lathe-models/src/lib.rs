//! The model repository: registered models, their versions, stages, aliases and tags.
//!
//! Called by the MLflow door and the native API. Where a version's files lie and which run made them is told by the caller:
//! this room knows ids, not the runs behind them, and never opens a URI that a client names.

mod filter;
pub mod model_versions;
mod models;
pub mod registered_models;
mod schema;
mod source;
mod store;
mod validate;

pub use model_versions::{ModelVersion, Stage};
pub use models::Models;
pub use registered_models::{Alias, RegisteredModel};
pub use schema::SCHEMA;

/// The tag of MLflow's prompts, which its clients keep as registered models and versions.
const PROMPT_TAG: &str = "mlflow.prompt.is_prompt";

/// A key and a value set by the user.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tag {
    /// The key.
    pub key: String,
    /// The value.
    pub value: String,
}
