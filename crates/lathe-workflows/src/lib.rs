//! The workflows room: pipelines, their runs and jobs, the queue, triggers.

mod room;
mod schema;

pub use room::Workflows;
pub use schema::{LIVE_OBJECTS, SCHEMA};
