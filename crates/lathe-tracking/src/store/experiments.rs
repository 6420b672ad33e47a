//! SQL of experiments and their tags.

use std::collections::HashMap;

use lathe_core::{Project, Result};
use lathe_db::{Db, Query, Row, Tx, Value, query};

use crate::{Experiment, ExperimentId, LifecycleStage, Tag};

const COLUMNS: &str = "e.number, e.name, e.artifact_location, e.lifecycle_stage, e.created_at_ms, e.updated_at_ms";

/// `SELECT` of the columns that [`read`] reads, up to `FROM experiments e`.
pub(crate) fn select() -> Query {
    let mut statement = query("SELECT ");
    statement.push(COLUMNS).push(" FROM experiments e ");
    statement
}

pub(crate) fn by_number(project: &Project, id: ExperimentId) -> Query {
    let mut statement = select();
    statement.push("WHERE e.project = ").push_bind(project.as_str());
    statement.push(" AND e.number = ").push_bind(id.number());
    statement
}

pub(crate) fn by_name(project: &Project, name: &str) -> Query {
    let mut statement = select();
    statement.push("WHERE e.project = ").push_bind(project.as_str());
    statement.push(" AND e.name = ").push_bind(name);
    statement
}

/// An experiment without its tags.
pub(crate) fn read(row: &Row) -> Result<Experiment> {
    let stage: String = row.get(3)?;
    Ok(Experiment {
        id: ExperimentId::from_number(row.get(0)?),
        name: row.get(1)?,
        artifact_location: row.get(2)?,
        lifecycle_stage: LifecycleStage::from_sql(&stage),
        created_at_ms: row.get(4)?,
        updated_at_ms: row.get(5)?,
        tags: Vec::new(),
    })
}

/// Inserts; answers whether the row is new (its number and its name were free).
pub(crate) async fn insert(tx: &mut Tx, project: &Project, experiment: &Experiment) -> Result<bool> {
    let inserted = tx
        .execute(
            query(
                "INSERT INTO experiments (project, number, name, artifact_location, lifecycle_stage, created_at_ms, updated_at_ms) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
            )
            .bind(project.as_str())
            .bind(experiment.id.number())
            .bind(&experiment.name)
            .bind(&experiment.artifact_location)
            .bind(experiment.lifecycle_stage.as_str())
            .bind(experiment.created_at_ms)
            .bind(experiment.updated_at_ms),
        )
        .await?;
    Ok(inserted == 1)
}

pub(crate) async fn upsert_tags(tx: &mut Tx, project: &Project, id: ExperimentId, tags: &[Tag]) -> Result<()> {
    for chunk in tags.chunks(super::ROWS_PER_STATEMENT) {
        let mut statement = query("INSERT INTO experiment_tags (project, number, key, value) VALUES ");
        statement.push_rows(chunk.iter().map(|tag| {
            [Value::from(project.as_str()), Value::from(id.number()), Value::from(&tag.key), Value::from(&tag.value)]
        }));
        statement.push(" ON CONFLICT (project, number, key) DO UPDATE SET value = excluded.value");
        tx.execute(statement).await?;
    }
    Ok(())
}

/// Removes a tag; answers whether it was there.
pub(crate) async fn delete_tag(tx: &mut Tx, project: &Project, id: ExperimentId, key: &str) -> Result<bool> {
    let deleted = tx
        .execute(
            query("DELETE FROM experiment_tags WHERE project = $1 AND number = $2 AND key = $3")
                .bind(project.as_str())
                .bind(id.number())
                .bind(key),
        )
        .await?;
    Ok(deleted > 0)
}

pub(crate) async fn rename(tx: &mut Tx, project: &Project, id: ExperimentId, name: &str, now_ms: i64) -> Result<()> {
    tx.execute(
        query("UPDATE experiments SET name = $3, updated_at_ms = $4 WHERE project = $1 AND number = $2")
            .bind(project.as_str())
            .bind(id.number())
            .bind(name)
            .bind(now_ms),
    )
    .await
    .map(|_| ())
}

/// Moves an experiment and all its runs to a stage; answers how many runs moved, or `None` when it was there already.
pub(crate) async fn set_stage(
    tx: &mut Tx,
    project: &Project,
    id: ExperimentId,
    stage: LifecycleStage,
    now_ms: i64,
) -> Result<Option<u64>> {
    let changed = tx
        .execute(
            query(
                "UPDATE experiments SET lifecycle_stage = $3, updated_at_ms = $4 \
                 WHERE project = $1 AND number = $2 AND lifecycle_stage <> $3",
            )
            .bind(project.as_str())
            .bind(id.number())
            .bind(stage.as_str())
            .bind(now_ms),
        )
        .await?;
    if changed == 0 {
        return Ok(None);
    }
    let deleted_at_ms = (stage == LifecycleStage::Deleted).then_some(now_ms);
    tx.execute(
        query(
            "UPDATE runs SET lifecycle_stage = $3, deleted_at_ms = $4 \
             WHERE project = $1 AND experiment = $2 AND lifecycle_stage <> $3",
        )
        .bind(project.as_str())
        .bind(id.number())
        .bind(stage.as_str())
        .bind(deleted_at_ms),
    )
    .await
    .map(Some)
}

/// The names of experiments.
pub(crate) async fn names(db: &Db, project: &Project, ids: &[ExperimentId]) -> Result<HashMap<ExperimentId, String>> {
    let mut names = HashMap::with_capacity(ids.len());
    for chunk in ids.chunks(super::IDS_PER_STATEMENT) {
        let mut statement =
            query("SELECT number, name FROM experiments WHERE project = $1 AND number IN ").bind(project.as_str());
        statement.push_list(chunk.iter().map(|id| id.number()));
        for row in db.fetch_all(statement).await? {
            names.insert(ExperimentId::from_number(row.get(0)?), row.get(1)?);
        }
    }
    Ok(names)
}

/// Fills in the tags of experiments of one project.
pub(crate) async fn load_tags(db: &Db, project: &Project, experiments: &mut [Experiment]) -> Result<()> {
    for chunk in experiments.chunks_mut(super::IDS_PER_STATEMENT) {
        let mut statement = query("SELECT number, key, value FROM experiment_tags WHERE project = $1 AND number IN ")
            .bind(project.as_str());
        statement.push_list(chunk.iter().map(|experiment| experiment.id.number()));
        statement.push(" ORDER BY number, key");
        for row in db.fetch_all(statement).await? {
            let number: i64 = row.get(0)?;
            if let Some(experiment) = chunk.iter_mut().find(|experiment| experiment.id.number() == number) {
                experiment.tags.push(Tag { key: row.get(1)?, value: row.get(2)? });
            }
        }
    }
    Ok(())
}
