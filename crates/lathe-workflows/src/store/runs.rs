//! SQL of pipeline runs.

use lathe_core::{Actor, ActorKind, Error, PipelineRunId, Project, Result};
use lathe_db::{Db, Lock, Query, Row, Tx, lock, query};

use super::{from_json, reason, to_json};
use crate::PipelineName;
use crate::pipeline_runs::{ListPipelineRuns, PipelineRun, Trigger};
use crate::status::PipelineRunStatus;

fn select() -> Query {
    query(
        "SELECT pipeline_run_id, project, pipeline, number, file_hash, code_id, status, trigger_kind, trigger_detail, params, \
         concurrency_group, actor_kind, actor, reason, is_canceled, pins, created_at_ms, started_at_ms, ended_at_ms FROM pipeline_runs ",
    )
}

fn read(row: &Row) -> Result<PipelineRun> {
    let (status, trigger_detail, params): (String, String, String) = (row.get(6)?, row.get(8)?, row.get(9)?);
    let kind: String = row.get(11)?;
    Ok(PipelineRun {
        id: PipelineRunId::from_trusted(row.get(0)?),
        project: Project::from_trusted(row.get(1)?),
        pipeline: PipelineName::from_trusted(row.get(2)?),
        number: row.get(3)?,
        file_hash: row.get(4)?,
        code_id: row.get(5)?,
        status: PipelineRunStatus::parse(&status)?,
        trigger: Trigger { kind: row.get(7)?, detail: from_json(&trigger_detail)? },
        params: from_json(&params)?,
        concurrency_group: row.get(10)?,
        actor: Actor { kind: actor_kind(&kind)?, name: row.get(12)? },
        reason: row.get(13)?,
        is_canceled: row.get(14)?,
        pins: from_json(&row.get::<String>(15)?)?,
        created_at_ms: row.get(16)?,
        started_at_ms: row.get(17)?,
        ended_at_ms: row.get(18)?,
    })
}

fn actor_kind(text: &str) -> Result<ActorKind> {
    [ActorKind::User, ActorKind::Service, ActorKind::Run, ActorKind::System]
        .into_iter()
        .find(|kind| kind.as_str() == text)
        .ok_or_else(|| Error::internal(format!("a pipeline run was started by the unknown kind {text:?}")))
}

pub(crate) async fn insert(tx: &mut Tx, run: &PipelineRun) -> Result<()> {
    let statement = query(
        "INSERT INTO pipeline_runs (pipeline_run_id, project, pipeline, number, file_hash, code_id, status, trigger_kind, \
         trigger_detail, params, concurrency_group, actor_kind, actor, reason, is_canceled, pins, created_at_ms, started_at_ms, \
         ended_at_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)",
    )
    .bind(run.id.as_str())
    .bind(run.project.as_str())
    .bind(run.pipeline.as_str())
    .bind(run.number)
    .bind(&run.file_hash)
    .bind(run.code_id.clone())
    .bind(run.status.as_str())
    .bind(&run.trigger.kind)
    .bind(to_json(&run.trigger.detail)?)
    .bind(to_json(&run.params)?)
    .bind(run.concurrency_group.clone())
    .bind(run.actor.kind.as_str())
    .bind(&run.actor.name)
    .bind(reason(&run.reason))
    .bind(run.is_canceled)
    .bind(to_json(&run.pins)?)
    .bind(run.created_at_ms)
    .bind(run.started_at_ms)
    .bind(run.ended_at_ms);
    tx.execute(statement).await.map(|_| ())
}

pub(crate) async fn find(db: &Db, id: &PipelineRunId) -> Result<Option<PipelineRun>> {
    db.fetch_optional(by_id(id)).await?.as_ref().map(read).transpose()
}

/// Reads a run and holds it until the transaction ends: what decides over its jobs does so alone.
pub(crate) async fn hold(tx: &mut Tx, id: &PipelineRunId) -> Result<Option<PipelineRun>> {
    let statement = lock(tx.kind(), Lock::Exclusive, by_id(id));
    tx.fetch_optional(statement).await?.as_ref().map(read).transpose()
}

fn by_id(id: &PipelineRunId) -> Query {
    let mut statement = select();
    statement.push("WHERE pipeline_run_id = ").push_bind(id.as_str());
    statement
}

pub(crate) async fn list(
    db: &Db,
    project: &Project,
    request: &ListPipelineRuns,
    offset: i64,
    limit: i64,
) -> Result<Vec<PipelineRun>> {
    let mut statement = select();
    statement.push("WHERE project = ").push_bind(project.as_str());
    if let Some(pipeline) = &request.pipeline {
        statement.push(" AND pipeline = ").push_bind(pipeline.as_str());
    }
    if let Some(status) = request.status {
        statement.push(" AND status = ").push_bind(status.as_str());
    }
    if let Some(number) = request.number {
        statement.push(" AND number = ").push_bind(number);
    }
    statement.push(" ORDER BY created_at_ms DESC, pipeline_run_id DESC LIMIT ").push_bind(limit);
    statement.push(" OFFSET ").push_bind(offset);
    db.fetch_all(statement).await?.iter().map(read).collect()
}

/// Every run of every project that has not ended, oldest first.
pub(crate) async fn list_live(db: &Db) -> Result<Vec<PipelineRun>> {
    let mut statement = select();
    statement.push("WHERE status IN ('queued', 'running') ORDER BY created_at_ms, pipeline_run_id");
    db.fetch_all(statement).await?.iter().map(read).collect()
}

/// The other runs of a group that have not ended, or have attempts that have not, oldest first.
pub(crate) async fn list_group(tx: &mut Tx, run: &PipelineRun, group: &str) -> Result<Vec<PipelineRun>> {
    let mut statement = select();
    // A run whose file cannot be read has ended before what is at work in it.
    statement.push(
        "WHERE pipeline_run_id IN (SELECT pipeline_run_id FROM pipeline_runs WHERE status IN ('queued', 'running') \
         UNION SELECT pipeline_run_id FROM attempts WHERE status = 'running')",
    );
    statement.push(" AND project = ").push_bind(run.project.as_str());
    statement.push(" AND concurrency_group = ").push_bind(group);
    statement.push(" AND pipeline_run_id <> ").push_bind(run.id.as_str());
    statement.push(" ORDER BY created_at_ms, pipeline_run_id");
    tx.fetch_all(statement).await?.iter().map(read).collect()
}

/// Stores whatever changes about a run.
pub(crate) async fn update(tx: &mut Tx, run: &PipelineRun) -> Result<()> {
    let statement = query(
        "UPDATE pipeline_runs SET status = $2, reason = $3, is_canceled = $4, pins = $5, started_at_ms = $6, ended_at_ms = $7 \
         WHERE pipeline_run_id = $1",
    )
    .bind(run.id.as_str())
    .bind(run.status.as_str())
    .bind(reason(&run.reason))
    .bind(run.is_canceled)
    .bind(to_json(&run.pins)?)
    .bind(run.started_at_ms)
    .bind(run.ended_at_ms);
    tx.execute(statement).await.map(|_| ())
}
