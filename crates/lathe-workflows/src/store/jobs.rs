//! SQL of jobs.

use std::collections::BTreeSet;

use lathe_core::{PipelineRunId, Result, RunId};
use lathe_db::{Db, Query, Row, Tx, Value, query};

use super::{from_json, reason, to_json};
use crate::JobKey;
use crate::jobs::Job;
use crate::status::JobStatus;

/// How many rows are inserted by one statement.
const CHUNK: usize = 40;

fn select() -> Query {
    query(
        "SELECT job, name, cell, matrix, position, status, attempt, not_before_ms, run_id, outcome, cache_key, cache_parts, \
         cached_from, reason, queue, cpu_millis, memory_bytes, queued_at_ms, started_at_ms, ended_at_ms, pipeline_run_id, \
         attempts_before FROM jobs ",
    )
}

fn read(row: &Row) -> Result<Job> {
    let (matrix, outcome, status): (String, String, String) = (row.get(3)?, row.get(9)?, row.get(5)?);
    let (cell, parts): (i64, Option<String>) = (row.get(2)?, row.get(11)?);
    Ok(Job {
        pipeline_run: PipelineRunId::from_trusted(row.get(20)?),
        key: JobKey::from_trusted(row.get(0)?),
        name: row.get(1)?,
        cell: usize::try_from(cell).ok(),
        matrix: from_json(&matrix)?,
        position: row.get(4)?,
        status: JobStatus::parse(&status)?,
        attempt: row.get(6)?,
        attempts_before: row.get(21)?,
        not_before_ms: row.get(7)?,
        run_id: row.get::<Option<String>>(8)?.map(RunId::from_trusted),
        outcome: from_json(&outcome)?,
        cache_key: row.get(10)?,
        cache_parts: parts.as_deref().map(from_json).transpose()?,
        cached_from: row.get(12)?,
        reason: row.get(13)?,
        queue: row.get(14)?,
        cpu_millis: row.get(15)?,
        memory_bytes: row.get(16)?,
        queued_at_ms: row.get(17)?,
        started_at_ms: row.get(18)?,
        ended_at_ms: row.get(19)?,
    })
}

pub(crate) async fn insert_all(tx: &mut Tx, jobs: &[Job]) -> Result<()> {
    for chunk in jobs.chunks(CHUNK) {
        let mut statement = query(
            "INSERT INTO jobs (pipeline_run_id, job, name, cell, matrix, position, status, attempt, not_before_ms, outcome, \
             reason, queue, cpu_millis, memory_bytes) VALUES ",
        );
        let mut rows = Vec::with_capacity(chunk.len());
        for job in chunk {
            rows.push([
                Value::from(job.pipeline_run.as_str()),
                job.key.as_str().into(),
                (&job.name).into(),
                job.cell.and_then(|cell| i64::try_from(cell).ok()).unwrap_or(-1).into(),
                to_json(&job.matrix)?.into(),
                job.position.into(),
                job.status.as_str().into(),
                job.attempt.into(),
                job.not_before_ms.into(),
                to_json(&job.outcome)?.into(),
                reason(&job.reason).into(),
                (&job.queue).into(),
                job.cpu_millis.into(),
                job.memory_bytes.into(),
            ]);
        }
        statement.push_rows(rows);
        tx.execute(statement).await?;
    }
    Ok(())
}

fn of_run(run: &PipelineRunId) -> Query {
    let mut statement = select();
    statement.push("WHERE pipeline_run_id = ").push_bind(run.as_str()).push(" ORDER BY position");
    statement
}

pub(crate) async fn list(db: &Db, run: &PipelineRunId) -> Result<Vec<Job>> {
    db.fetch_all(of_run(run)).await?.iter().map(read).collect()
}

pub(crate) async fn list_in(tx: &mut Tx, run: &PipelineRunId) -> Result<Vec<Job>> {
    tx.fetch_all(of_run(run)).await?.iter().map(read).collect()
}

/// The jobs of these names, in the order of the file.
pub(crate) async fn list_named(db: &Db, run: &PipelineRunId, names: BTreeSet<&str>) -> Result<Vec<Job>> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let mut statement = select();
    statement.push("WHERE pipeline_run_id = ").push_bind(run.as_str()).push(" AND name IN ").push_list(names);
    statement.push(" ORDER BY position");
    db.fetch_all(statement).await?.iter().map(read).collect()
}

fn by_key(run: &PipelineRunId, key: &JobKey) -> Query {
    let mut statement = select();
    statement.push("WHERE pipeline_run_id = ").push_bind(run.as_str()).push(" AND job = ").push_bind(key.as_str());
    statement
}

pub(crate) async fn find(db: &Db, run: &PipelineRunId, key: &JobKey) -> Result<Option<Job>> {
    db.fetch_optional(by_key(run, key)).await?.as_ref().map(read).transpose()
}

pub(crate) async fn find_in(tx: &mut Tx, run: &PipelineRunId, key: &JobKey) -> Result<Option<Job>> {
    tx.fetch_optional(by_key(run, key)).await?.as_ref().map(read).transpose()
}

/// Whether another job of the run, or of this name in it, has not ended.
pub(crate) async fn has_unended(tx: &mut Tx, job: &Job, name: Option<&str>) -> Result<bool> {
    let mut statement = query("SELECT 1 FROM jobs WHERE pipeline_run_id = ");
    statement.push_bind(job.pipeline_run.as_str()).push(" AND job <> ").push_bind(job.key.as_str());
    if let Some(name) = name {
        statement.push(" AND name = ").push_bind(name);
    }
    let unended = JobStatus::ALL.iter().filter(|status| !status.is_terminal()).map(|status| status.as_str());
    statement.push(" AND status IN ").push_list(unended).push(" LIMIT 1");
    Ok(tx.fetch_optional(statement).await?.is_some())
}

/// A job whose time has come: what decides whether it fits.
pub(crate) struct Ready {
    pub(crate) pipeline_run: PipelineRunId,
    pub(crate) key: JobKey,
    pub(crate) name: String,
    pub(crate) cpu_millis: i64,
    pub(crate) memory_bytes: i64,
}

/// Which jobs are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Takes {
    /// What the server does itself.
    Nothing,
    /// Commands.
    Cores,
}

/// Jobs whose time has come, by run and their place in it: one that is tried again keeps its place. No more of each than decides.
pub(crate) async fn list_ready(db: &Db, takes: Takes, now_ms: i64, limit: i64) -> Result<Vec<Ready>> {
    let mut statement = query(
        "SELECT pipeline_run_id, job, name, cpu_millis, memory_bytes FROM jobs WHERE status = 'queued' AND not_before_ms <= ",
    );
    statement.push_bind(now_ms).push(match takes {
        Takes::Nothing => " AND cpu_millis = 0",
        Takes::Cores => " AND cpu_millis > 0",
    });
    statement.push(" ORDER BY pipeline_run_id, position LIMIT ").push_bind(limit);
    let read = |row: &Row| {
        Ok(Ready {
            pipeline_run: PipelineRunId::from_trusted(row.get(0)?),
            key: JobKey::from_trusted(row.get(1)?),
            name: row.get(2)?,
            cpu_millis: row.get(3)?,
            memory_bytes: row.get(4)?,
        })
    };
    db.fetch_all(statement).await?.iter().map(read).collect()
}

/// Jobs that wait for people, oldest first.
pub(crate) async fn list_awaiting(db: &Db) -> Result<Vec<Job>> {
    let mut statement = select();
    statement.push("WHERE status = 'awaiting_approval' ORDER BY queued_at_ms");
    db.fetch_all(statement).await?.iter().map(read).collect()
}

/// Stores everything about a job that changes.
pub(crate) async fn update(tx: &mut Tx, job: &Job) -> Result<()> {
    let statement = query(
        "UPDATE jobs SET status = $3, attempt = $4, not_before_ms = $5, run_id = $6, outcome = $7, cache_key = $8, \
         cache_parts = $9, cached_from = $10, reason = $11, queued_at_ms = $12, started_at_ms = $13, ended_at_ms = $14, \
         attempts_before = $15 WHERE pipeline_run_id = $1 AND job = $2",
    )
    .bind(job.pipeline_run.as_str())
    .bind(job.key.as_str())
    .bind(job.status.as_str())
    .bind(job.attempt)
    .bind(job.not_before_ms)
    .bind(job.run_id.as_ref().map(RunId::as_str))
    .bind(to_json(&job.outcome)?)
    .bind(job.cache_key.clone())
    .bind(job.cache_parts.as_ref().map(to_json).transpose()?)
    .bind(job.cached_from.clone())
    .bind(reason(&job.reason))
    .bind(job.queued_at_ms)
    .bind(job.started_at_ms)
    .bind(job.ended_at_ms)
    .bind(job.attempts_before);
    tx.execute(statement).await.map(|_| ())
}
