//! The workflows room: pipelines, their runs and jobs, the queue, triggers.
//!
//! Called by the native API and by the dispatcher of the binary. A pipeline is a file (`file`) with the code it belongs to; a run
//! plans all its jobs as rows, and `plan` says what comes next from these rows alone, so that whatever stops the server, the next one
//! goes on from them. The room starts no process and knows no other room: it hands out claims and takes back how they ended.
//!
//! **Invariant:** an attempt ends once, by the holder of its newest fence, in one transaction with what follows from it.

pub mod approvals;
pub mod attempts;
mod capacity;
pub mod code;
pub mod file;
pub mod jobs;
mod names;
pub mod pipeline_runs;
pub mod pipelines;
mod plan;
mod room;
mod schema;
mod status;
mod store;
pub mod triggers;

pub use capacity::Capacity;
pub use names::{JobKey, PipelineName};
pub use room::Workflows;
pub use schema::{LIVE_OBJECTS, SCHEMA};
pub use status::{AttemptStatus, JobStatus, PipelineRunStatus};
