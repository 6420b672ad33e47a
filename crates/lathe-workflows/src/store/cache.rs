//! SQL of the step cache.

use lathe_core::{PipelineRunId, Project, Result};
use lathe_db::{Db, Tx, query};

use crate::JobKey;

/// Remembers which job made what belongs to a key; the newest stands.
pub(crate) async fn upsert(
    tx: &mut Tx,
    project: &Project,
    key: &str,
    run: &PipelineRunId,
    job: &JobKey,
    now_ms: i64,
) -> Result<()> {
    let statement = query(
        "INSERT INTO cached_jobs (project, cache_key, pipeline_run_id, job, at_ms) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (project, cache_key) DO UPDATE SET pipeline_run_id = excluded.pipeline_run_id, job = excluded.job, \
           at_ms = excluded.at_ms",
    )
    .bind(project.as_str())
    .bind(key)
    .bind(run.as_str())
    .bind(job.as_str())
    .bind(now_ms);
    tx.execute(statement).await.map(|_| ())
}

pub(crate) async fn find(db: &Db, project: &Project, key: &str) -> Result<Option<(PipelineRunId, JobKey)>> {
    let statement = query("SELECT pipeline_run_id, job FROM cached_jobs WHERE project = $1 AND cache_key = $2")
        .bind(project.as_str())
        .bind(key);
    let row = db.fetch_optional(statement).await?;
    row.map(|row| Ok((PipelineRunId::from_trusted(row.get(0)?), JobKey::from_trusted(row.get(1)?)))).transpose()
}

/// The newest earlier job of the same name in the same pipeline that has a key: what a miss is compared with.
pub(crate) async fn find_previous(
    db: &Db,
    project: &Project,
    pipeline: &str,
    job: &JobKey,
    before: &PipelineRunId,
) -> Result<Option<String>> {
    let statement = query(
        "SELECT jobs.cache_parts FROM pipeline_runs \
         JOIN jobs ON jobs.pipeline_run_id = pipeline_runs.pipeline_run_id AND jobs.job = $3 \
         WHERE pipeline_runs.project = $1 AND pipeline_runs.pipeline = $2 AND pipeline_runs.pipeline_run_id < $4 \
           AND jobs.cache_parts IS NOT NULL ORDER BY pipeline_runs.number DESC LIMIT 1",
    )
    .bind(project.as_str())
    .bind(pipeline)
    .bind(job.as_str())
    .bind(before.as_str());
    db.fetch_optional(statement).await?.map(|row| row.get(0)).transpose()
}
