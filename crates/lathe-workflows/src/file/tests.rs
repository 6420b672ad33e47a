//! Tests of pipeline files as text in, types or mistakes out.

mod commands;
mod expressions;
mod hostile;
mod mistakes;
mod plans;
mod schedules;

use super::{Pipeline, read};

/// A pipeline of some jobs.
fn jobs(jobs: &str) -> Pipeline {
    let text = format!("name: p\njobs:\n{jobs}");
    read(&text).unwrap_or_else(|mistakes| panic!("{mistakes:#?}"))
}

/// The first block of YAML of the reference.
fn example() -> String {
    let reference = include_str!("../../../../docs/reference/pipeline-file.md");
    let block = reference.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next());
    block.map(str::to_owned).unwrap_or_default()
}
