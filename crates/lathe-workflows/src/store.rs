//! The room's SQL.

pub(crate) mod approvals;
pub(crate) mod attempts;
pub(crate) mod cache;
pub(crate) mod jobs;
pub(crate) mod pipelines;
pub(crate) mod runs;
pub(crate) mod triggers;

use lathe_core::text::escape_controls;
use lathe_core::{Error, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A reason as a column holds it. It may repeat what came from outside, such as a value or what a program said: `PostgreSQL` takes no NUL, and
/// no terminal should obey it.
pub(crate) fn reason(text: &str) -> String {
    escape_controls(text, &['\n', '\t']).into_owned()
}

/// JSON of the room's own, as a column holds it.
pub(crate) fn to_json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| Error::internal("a value has no JSON").with_source(error))
}

pub(crate) fn from_json<T: DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| Error::internal("a stored JSON cannot be read").with_source(error))
}
