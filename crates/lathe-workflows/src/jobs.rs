//! Jobs of a pipeline run: what they are and what became of them.

use std::collections::BTreeMap;

use lathe_core::{Action, Ctx, Error, PipelineRunId, Result, RunId};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::attempts::Attempt;
use crate::file::{self, CacheParts};
use crate::status::JobStatus;
use crate::{JobKey, Workflows, pipeline_runs, store};

/// A job of a pipeline run; of a matrix, each cell is one.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// The run it belongs to.
    pub pipeline_run: PipelineRunId,
    /// Its name in the run.
    pub key: JobKey,
    /// Its name in the file.
    pub name: String,
    /// Its number in the matrix, from 0.
    pub cell: Option<usize>,
    /// The values of its cell.
    pub matrix: BTreeMap<String, Value>,
    /// Its place among the run's jobs.
    pub position: i64,
    /// How far it is.
    pub status: JobStatus,
    /// Its newest attempt, from 1; 0 before the first.
    pub attempt: i64,
    /// Its attempts before its run was last tried again by hand: `retry.max` counts from there.
    pub attempts_before: i64,
    /// When it may begin, in milliseconds since 1970.
    pub not_before_ms: i64,
    /// The run whose outputs count: of the attempt that succeeded, or of the job that a cached one stands for.
    pub run_id: Option<RunId>,
    /// What it made.
    pub outcome: Outcome,
    /// What an equal job would have, too.
    pub cache_key: Option<String>,
    /// What the key is made from, by part.
    pub cache_parts: Option<CacheParts>,
    /// The job whose outputs it took.
    pub cached_from: Option<String>,
    /// Why it is as it is; empty when that is plain.
    pub reason: String,
    /// The queue it waits in.
    pub queue: String,
    /// Thousandths of a core that it takes.
    pub cpu_millis: i64,
    /// Bytes of memory that it takes.
    pub memory_bytes: i64,
    /// When it became ready, in milliseconds since 1970.
    pub queued_at_ms: Option<i64>,
    /// When its newest attempt began.
    pub started_at_ms: Option<i64>,
    /// When it ended.
    pub ended_at_ms: Option<i64>,
}

/// What a job made.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Outcome {
    /// The lines of `$LATHE_VALUES`.
    pub values: BTreeMap<String, String>,
    /// Its outputs.
    pub outputs: BTreeMap<String, Made>,
}

/// An output that was made.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Made {
    /// BLAKE3 over its files, as hex.
    pub hash: String,
    /// Their bytes.
    pub size_bytes: u64,
    /// How many files it is.
    pub files: u64,
    /// Its file's name, when it is one file and no folder.
    pub file: Option<String>,
}

/// The longest title, in characters: the values of a cell can be any text.
const MAX_TITLE: usize = 120;

/// `train`, and for a cell of a matrix `train (lgbm, seed 3)`: texts speak for themselves, numbers need their name, however they are written.
fn title_of(name: &str, matrix: &BTreeMap<String, Value>) -> String {
    if matrix.is_empty() {
        return name.to_owned();
    }
    let is_number = |text: &str| file::Value::from_word(text).as_number().is_some();
    let words = matrix.iter().map(|(key, value)| match value {
        Value::String(text) if is_number(text) => format!("{key} {text}"),
        Value::String(text) => text.clone(),
        other => format!("{key} {other}"),
    });
    let title = format!("{name} ({})", words.collect::<Vec<_>>().join(", "));
    if title.chars().count() <= MAX_TITLE {
        return title;
    }
    title.chars().take(MAX_TITLE - 1).chain(['…']).collect()
}

impl Job {
    /// What a person calls it: its name, and of a matrix the values of its cell.
    pub fn title(&self) -> String {
        title_of(&self.name, &self.matrix)
    }

    /// Leaves the job ended.
    pub(crate) fn end(&mut self, status: JobStatus, reason: impl Into<String>, now_ms: i64) {
        self.status = status;
        self.reason = reason.into();
        self.ended_at_ms = Some(now_ms);
    }

    /// Leaves the job as it was before anything happened, except for the number of its attempts.
    pub(crate) fn begin_anew(&mut self) {
        let Self { status, not_before_ms, run_id, outcome, cached_from, reason, .. } = self;
        (*status, *not_before_ms, *run_id, *cached_from) = (JobStatus::Waiting, 0, None, None);
        *outcome = Outcome::default();
        reason.clear();
        (self.cache_key, self.cache_parts) = (None, None);
        self.attempts_before = self.attempt;
        (self.queued_at_ms, self.started_at_ms, self.ended_at_ms) = (None, None, None);
    }
}

/// The jobs of a run, in the order of the file.
///
/// # Errors
/// `NotFound` for the run.
pub async fn list_jobs(ctx: &Ctx, workflows: &Workflows, run: &PipelineRunId) -> Result<Vec<Job>> {
    pipeline_runs::get_pipeline_run(ctx, workflows, run).await?;
    store::jobs::list(&workflows.db, run).await
}

/// A job of a run.
///
/// # Errors
/// `NotFound`.
pub async fn get_job(ctx: &Ctx, workflows: &Workflows, run: &PipelineRunId, key: &JobKey) -> Result<Job> {
    pipeline_runs::get_pipeline_run(ctx, workflows, run).await?;
    match store::jobs::find(&workflows.db, run, key).await? {
        Some(job) => Ok(job),
        None => Err(missing(run, key, &store::jobs::list(&workflows.db, run).await?)),
    }
}

/// The attempts of a job, oldest first.
///
/// # Errors
/// `NotFound` for the job.
pub async fn list_attempts(
    ctx: &Ctx,
    workflows: &Workflows,
    run: &PipelineRunId,
    key: &JobKey,
) -> Result<Vec<Attempt>> {
    ctx.authorize(Action::Read)?;
    get_job(ctx, workflows, run, key).await?;
    store::attempts::list_of_job(&workflows.db, run, key).await
}

/// That a run has no such job, and what may be meant.
fn missing(run: &PipelineRunId, key: &JobKey, jobs: &[Job]) -> Error {
    let mut cells = jobs.iter().filter(|job| job.name == key.as_str() && job.cell.is_some()).map(|job| &job.key);
    let hint = match (cells.next(), cells.next_back()) {
        (Some(first), Some(last)) => format!("; it has a matrix: write `{first}` … `{last}`"),
        (Some(only), None) => format!("; it has a matrix: write `{only}`"),
        (None, _) => file::did_you_mean(key.as_str(), jobs.iter().map(|job| job.key.as_str())),
    };
    Error::not_found(format!("pipeline run {run} has no job `{key}`{hint}"))
}

pub(crate) fn not_found(run: &PipelineRunId, key: &JobKey) -> Error {
    Error::not_found(format!("pipeline run {run} has no job `{key}`"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_cell_is_called_by_its_values() {
        let cell = |values: Value| serde_json::from_value::<BTreeMap<String, Value>>(values).unwrap();
        assert_eq!(title_of("train", &cell(json!({}))), "train");
        let values = json!({ "model": "lgbm", "seed": 3, "deep": true, "rate": "1e-4" });
        assert_eq!(title_of("train", &cell(values)), "train (deep true, lgbm, rate 1e-4, seed 3)");
        let long = title_of("train", &cell(json!({ "text": "ä".repeat(500) })));
        assert_eq!((long.chars().count(), long.ends_with('…')), (MAX_TITLE, true));
    }
}
