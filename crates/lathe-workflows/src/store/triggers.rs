//! SQL of what starts pipelines by itself.

use lathe_core::{Project, Result};
use lathe_db::{Db, Tx, query};

use crate::PipelineName;

/// How far a reader of the ledger is; `None` when it has not begun.
pub(crate) async fn position(db: &Db, reader: &str) -> Result<Option<i64>> {
    let statement = query("SELECT position FROM positions WHERE reader = $1").bind(reader);
    db.fetch_optional(statement).await?.map(|row| row.get(0)).transpose()
}

pub(crate) async fn set_position(tx: &mut Tx, reader: &str, position: i64) -> Result<()> {
    let statement = query(
        "INSERT INTO positions (reader, position) VALUES ($1, $2) \
         ON CONFLICT (reader) DO UPDATE SET position = excluded.position",
    )
    .bind(reader)
    .bind(position);
    tx.execute(statement).await.map(|_| ())
}

/// Notes that a cause starts a pipeline; answers whether it is the first time.
pub(crate) async fn fire(
    tx: &mut Tx,
    project: &Project,
    pipeline: &PipelineName,
    cause: &str,
    now_ms: i64,
) -> Result<bool> {
    let statement =
        query("INSERT INTO fired (project, pipeline, cause, at_ms) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING")
            .bind(project.as_str())
            .bind(pipeline.as_str())
            .bind(cause)
            .bind(now_ms);
    Ok(tx.execute(statement).await? == 1)
}

/// Whether a cause was noted before.
pub(crate) async fn has_fired(db: &Db, project: &Project, pipeline: &PipelineName, cause: &str) -> Result<bool> {
    let statement = query("SELECT 1 FROM fired WHERE project = $1 AND pipeline = $2 AND cause = $3")
        .bind(project.as_str())
        .bind(pipeline.as_str())
        .bind(cause);
    Ok(db.fetch_optional(statement).await?.is_some())
}

/// When a cause that begins like this last started the pipeline.
pub(crate) async fn last_fired(
    db: &Db,
    project: &Project,
    pipeline: &PipelineName,
    prefix: &str,
) -> Result<Option<i64>> {
    let statement =
        query("SELECT MAX(at_ms) FROM fired WHERE project = $1 AND pipeline = $2 AND cause >= $3 AND cause < $4")
            .bind(project.as_str())
            .bind(pipeline.as_str())
            .bind(prefix)
            .bind(format!("{prefix}\u{10ffff}"));
    db.fetch_one(statement).await?.get(0)
}

/// The next time of a schedule, as far as it is known.
pub(crate) async fn next_at(db: &Db, project: &Project, pipeline: &PipelineName, ordinal: i64) -> Result<Option<i64>> {
    let statement = query("SELECT next_at_ms FROM schedules WHERE project = $1 AND pipeline = $2 AND ordinal = $3")
        .bind(project.as_str())
        .bind(pipeline.as_str())
        .bind(ordinal);
    db.fetch_optional(statement).await?.map(|row| row.get(0)).transpose()
}

pub(crate) async fn set_next_at(
    tx: &mut Tx,
    project: &Project,
    pipeline: &PipelineName,
    ordinal: i64,
    next_at_ms: i64,
) -> Result<()> {
    let statement = query(
        "INSERT INTO schedules (project, pipeline, ordinal, next_at_ms) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (project, pipeline, ordinal) DO UPDATE SET next_at_ms = excluded.next_at_ms",
    )
    .bind(project.as_str())
    .bind(pipeline.as_str())
    .bind(ordinal)
    .bind(next_at_ms);
    tx.execute(statement).await.map(|_| ())
}

/// Forgets the times of a pipeline whose file changed.
pub(crate) async fn delete_schedules(tx: &mut Tx, project: &Project, pipeline: &PipelineName) -> Result<()> {
    let statement = query("DELETE FROM schedules WHERE project = $1 AND pipeline = $2")
        .bind(project.as_str())
        .bind(pipeline.as_str());
    tx.execute(statement).await.map(|_| ())
}
