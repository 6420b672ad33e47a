//! Jobs of a pipeline run, their attempts and what these printed.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use lathe_core::{Code, Error, PipelineRunId, Result};
use lathe_http::{Caller, Failure};
use lathe_workflows::attempts::{self, LOG_FILE, LogPart, read_log};
use lathe_workflows::{JobKey, jobs as room};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use utoipa::{IntoParams, ToSchema};

use crate::extract::{Captured, Query};
use crate::state::ApiState;

/// What one answer holds of a log.
const MAX_CHUNK_BYTES: u64 = 1024 * 1024;

/// A job of a run; of a matrix, a cell.
#[derive(Debug, Serialize, ToSchema)]
pub struct Job {
    /// Its name in the run: `train`, or `train[2]`.
    pub job: String,
    /// Its name in the file.
    pub name: String,
    /// The values of its cell.
    #[schema(value_type = Object)]
    pub matrix: BTreeMap<String, Value>,
    /// `waiting`, `queued`, `running`, `awaiting_approval`, `succeeded`, `cached`, `failed`, `skipped` or `canceled`.
    pub status: String,
    /// Its newest attempt, from 1; 0 before the first.
    pub attempt: i64,
    /// When it is tried again, in milliseconds since 1970; 0 for at once.
    pub not_before_ms: i64,
    /// The run whose outputs count.
    pub run_id: Option<String>,
    /// The lines that it wrote to `$LATHE_VALUES`, or what it did.
    pub values: BTreeMap<String, String>,
    /// Its outputs.
    pub outputs: BTreeMap<String, JobOutput>,
    /// Why it is as it is; empty when that is plain. Of a job that may be cached, why it was not.
    pub reason: String,
    /// The job whose outputs it took, as `<pipeline run>/<job>`.
    pub cached_from: Option<String>,
    /// When it became ready, in milliseconds since 1970.
    pub queued_at_ms: Option<i64>,
    /// When its newest attempt began.
    pub started_at_ms: Option<i64>,
    /// When it ended.
    pub ended_at_ms: Option<i64>,
}

/// An output that was made.
#[derive(Debug, Serialize, ToSchema)]
pub struct JobOutput {
    /// BLAKE3 over its files.
    pub hash: String,
    /// Their bytes.
    pub size_bytes: u64,
    /// How many files it is.
    pub files: u64,
}

impl From<room::Job> for Job {
    fn from(job: room::Job) -> Self {
        let outputs = job.outcome.outputs.into_iter().map(|(name, made)| {
            let room::Made { hash, size_bytes, files, file: _ } = made;
            (name, JobOutput { hash, size_bytes, files })
        });
        Self {
            job: job.key.to_string(),
            name: job.name,
            matrix: job.matrix,
            status: job.status.as_str().to_owned(),
            attempt: job.attempt,
            not_before_ms: job.not_before_ms,
            run_id: job.run_id.map(|id| id.to_string()),
            values: job.outcome.values,
            outputs: outputs.collect(),
            reason: job.reason,
            cached_from: job.cached_from,
            queued_at_ms: job.queued_at_ms,
            started_at_ms: job.started_at_ms,
            ended_at_ms: job.ended_at_ms,
        }
    }
}

/// A try of a job.
#[derive(Debug, Serialize, ToSchema)]
pub struct Attempt {
    /// Which try, from 1.
    pub attempt: i64,
    /// `running`, `succeeded`, `failed`, `lost` or `canceled`.
    pub status: String,
    /// The run that it is.
    pub run_id: Option<String>,
    /// How its command ended.
    pub exit_code: Option<i64>,
    /// Why it ended so; empty when that is plain.
    pub reason: String,
    /// When it began, in milliseconds since 1970.
    pub started_at_ms: i64,
    /// When it ended.
    pub ended_at_ms: Option<i64>,
}

/// The attempts of a job.
#[derive(Debug, Serialize, ToSchema)]
pub struct AttemptList {
    /// Oldest first.
    pub attempts: Vec<Attempt>,
}

/// A part of a log.
#[derive(Debug, Serialize, ToSchema)]
pub struct JobLog {
    /// Whose.
    pub attempt: i64,
    /// The text; bytes that are no UTF-8 are replaced.
    pub text: String,
    /// Where the next part begins, in bytes.
    pub next_offset: i64,
    /// Whether nothing will follow.
    pub is_complete: bool,
}

/// Which part of a log.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct LogQuery {
    /// Whose; the newest attempt if absent.
    attempt: Option<i64>,
    /// Where it begins, in bytes; what a part said comes next.
    offset: Option<i64>,
}

fn parse(run: &str, job: &str) -> Result<(PipelineRunId, JobKey)> {
    Ok((PipelineRunId::parse(run)?, JobKey::parse(job)?))
}

/// The attempts of a job.
#[utoipa::path(get, path = "/api/v1/pipeline-runs/{id}/jobs/{job}/attempts", tag = "pipelines",
    params(("id" = String, Path, description = "The run's id"), ("job" = String, Path, description = "The job")),
    responses((status = 200, body = AttemptList)))]
pub(crate) async fn list_attempts(
    State(api): State<ApiState>,
    Caller(ctx): Caller,
    Captured((run, job)): Captured<(String, String)>,
) -> Result<Json<AttemptList>, Failure> {
    let (run, job) = parse(&run, &job)?;
    let attempts = room::list_attempts(&ctx, &api.workflows, &run, &job).await?;
    let attempts = attempts.into_iter().map(|one| Attempt {
        attempt: one.attempt,
        status: one.status.as_str().to_owned(),
        run_id: one.run_id.map(|id| id.to_string()),
        exit_code: one.exit_code,
        reason: one.reason,
        started_at_ms: one.started_at_ms,
        ended_at_ms: one.ended_at_ms,
    });
    Ok(Json(AttemptList { attempts: attempts.collect() }))
}

/// What an attempt of a job printed, from an offset on; while it is at work, as far as it is.
#[utoipa::path(get, path = "/api/v1/pipeline-runs/{id}/jobs/{job}/logs", tag = "pipelines",
    params(("id" = String, Path, description = "The run's id"), ("job" = String, Path, description = "The job"), LogQuery),
    responses((status = 200, body = JobLog)))]
pub(crate) async fn read_job_log(
    State(api): State<ApiState>,
    Caller(ctx): Caller,
    Captured((run, job)): Captured<(String, String)>,
    Query(LogQuery { attempt, offset }): Query<LogQuery>,
) -> Result<Json<JobLog>, Failure> {
    let (run, job) = parse(&run, &job)?;
    let found = room::get_job(&ctx, &api.workflows, &run, &job).await?;
    let attempt = attempt.unwrap_or(found.attempt);
    let offset = offset.unwrap_or_default();
    if offset < 0 || !(0..=found.attempt).contains(&attempt) {
        return Err(Error::invalid(format!(
            "job `{job}` has {} attempts, and an offset is not negative",
            found.attempt
        ))
        .into());
    }
    let at = (&run, &job, attempt);
    let stored = read_log(&ctx, &api.workflows, at, offset.unsigned_abs(), MAX_CHUNK_BYTES).await?;
    if let Some(LogPart { mut bytes, next_offset, is_last }) = stored {
        let read = bytes.len();
        if !is_last {
            keep_whole_characters(&mut bytes);
        }
        let next_offset = next_offset - (read - bytes.len()) as u64;
        let next_offset = i64::try_from(next_offset).unwrap_or(i64::MAX);
        return Ok(Json(JobLog { attempt, text: text(&bytes), next_offset, is_complete: is_last }));
    }
    let is_ended = found.status.is_terminal() || attempt < found.attempt;
    let file = attempts::folder(&api.work_folder, &run, &job, attempt).join(LOG_FILE);
    let bytes = read_live(&file, offset).await?;
    let next_offset = offset + i64::try_from(bytes.len()).unwrap_or_default();
    Ok(Json(JobLog { attempt, text: text(&bytes), next_offset, is_complete: is_ended && bytes.is_empty() }))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What is written so far; nothing when the attempt is at work elsewhere, or has not printed yet.
async fn read_live(file: &std::path::Path, offset: i64) -> Result<Vec<u8>> {
    let unreadable = |error: std::io::Error| Error::new(Code::Unavailable, format!("the log cannot be read: {error}"));
    let mut file = match tokio::fs::File::open(file).await {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unreadable(error)),
    };
    file.seek(std::io::SeekFrom::Start(offset.unsigned_abs())).await.map_err(unreadable)?;
    let mut bytes = Vec::new();
    file.take(MAX_CHUNK_BYTES).read_to_end(&mut bytes).await.map_err(unreadable)?;
    keep_whole_characters(&mut bytes);
    Ok(bytes)
}

/// A character of which only the beginning is here comes with the next part.
fn keep_whole_characters(bytes: &mut Vec<u8>) {
    let mut from = 0;
    while let Err(error) = std::str::from_utf8(bytes.get(from..).unwrap_or_default()) {
        match error.error_len() {
            // What is no character at all is shown as it is.
            Some(length) => from += error.valid_up_to() + length,
            None => return bytes.truncate(from + error.valid_up_to()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_log_ends_with_a_whole_character() {
        let kept = |bytes: &[u8]| {
            let mut bytes = bytes.to_vec();
            keep_whole_characters(&mut bytes);
            bytes
        };
        assert_eq!(kept("aü".as_bytes()), "aü".as_bytes());
        assert_eq!(kept(&"aü".as_bytes()[..2]), b"a");
        assert_eq!(kept(&"\u{1f600}".as_bytes()[..3]), b"");
        assert_eq!(kept(b"\xff\xfeb"), b"\xff\xfeb", "what is no character stays");
        assert_eq!(kept(b"\xffa\xc3"), b"\xffa");
    }
}
