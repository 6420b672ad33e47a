//! The pipeline file: its types, its reader, its checks, its expressions and its graph. Pure: no database, no clock, no network.
//!
//! [`read`] is the way in: it gives a [`Pipeline`] that is right in itself, or everything that is wrong with the file, each with
//! line and column. What only a run knows (a parameter's value, what a job wrote) comes in as a [`Context`].

mod cache_key;
mod command;
mod diagnostic;
mod duration;
mod expression;
mod gate;
mod graph;
mod lint;
mod matrix;
mod order;
mod params;
mod paths;
mod reading;
mod schedule;
mod source;
#[cfg(test)]
mod tests;
mod text;
mod types;
mod value;
mod yaml;

pub use cache_key::{CacheParts, Difference, cache_key, explain};
pub use command::{ShellCommand, prepare};
pub(crate) use diagnostic::did_you_mean;
pub use diagnostic::{Diagnostic, Located, Position};
pub use duration::write_duration;
pub use expression::{
    Context, EvaluationError, Expression, JobFact, JobFacts, JobStatus, Reference, RunFacts, SyntaxError, should_run,
};
pub use gate::{Gate, GateBound, GateComparison, GateMetric};
pub use graph::{Graph, GraphNode, graph};
pub use matrix::{Axis, Cell, MAX_CELLS, Matrix, expand};
pub use params::{check_trigger, resolve_params};
pub use paths::matches_any;
pub use schedule::{Catchup, Schedule, ScheduleError, next_after};
pub use text::{Part, Text};
pub use types::{
    ALERT_METRICS, Action, Approval, Backoff, Best, Concurrency, DataCommit, Deploy, DeployStep, DriftAlert, Goal,
    Input, InputForm, Job, ModelAlias, Notify, NotifyOn, OnConflict, OnTimeout, Output, Param, ParamKind, Pipeline,
    Python, RegisterModel, Resources, Retry, RetryOn, SetAlias, Severity, Triggers, Variable, Watch,
};
pub use value::{Type, Value};

/// More mistakes than anybody reads are not told.
const MAX_MISTAKES: usize = 100;

/// Reads and checks a pipeline file.
///
/// # Errors
/// What is wrong with it, in the order of the file: up to 100 mistakes. One that may only follow from another, such as the name of a job
/// that cannot be read, is told once that is mended.
pub fn read(text: &str) -> Result<Pipeline, Vec<Diagnostic>> {
    let (pipeline, mut mistakes) = reading::read_partly(text).map_err(first_of)?;
    let is_whole = mistakes.is_empty();
    mistakes.extend(lint::lint(&pipeline).into_iter().filter(|mistake| is_whole || !lint::may_follow(mistake)));
    if mistakes.is_empty() {
        return Ok(pipeline);
    }
    mistakes.sort_by_key(|mistake| mistake.at);
    Err(first_of(mistakes))
}

fn first_of(mut mistakes: Vec<Diagnostic>) -> Vec<Diagnostic> {
    mistakes.truncate(MAX_MISTAKES);
    mistakes
}

/// Reads a file that passed [`read`] when it was stored. It is not judged again: what lint learns to refuse later must not end what is at work.
///
/// # Errors
/// What cannot be read any more, in the order of the file.
pub fn read_stored(text: &str) -> Result<Pipeline, Vec<Diagnostic>> {
    reading::read(text)
}

/// What a file that passed [`read`] says and that does nothing yet, in the order of the file.
pub fn warnings(pipeline: &Pipeline) -> Vec<Diagnostic> {
    lint::warnings(pipeline)
}
