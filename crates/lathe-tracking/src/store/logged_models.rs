//! SQL of logged models, their params, tags and metrics.

use std::collections::{BTreeMap, HashMap};

use lathe_core::{LoggedModelId, Project, Result, RunId};
use lathe_db::{Db, Query, Row, Tx, Value, query};

use super::{IDS_PER_STATEMENT, ROWS_PER_STATEMENT};
use crate::logged_models::LoggedModelMetric;
use crate::{ExperimentId, LifecycleStage, LoggedModel, LoggedModelStatus, Param, Tag};

const COLUMNS: &str = "m.model_id, m.experiment, m.name, m.artifact_uri, m.created_at_ms, m.updated_at_ms, m.status, \
                       m.lifecycle_stage, m.model_type, m.source_run_id";

/// `SELECT` of the columns that [`read`] reads, up to `FROM logged_models m`.
pub(crate) fn select() -> Query {
    let mut statement = query("SELECT ");
    statement.push(COLUMNS).push(" FROM logged_models m ");
    statement
}

pub(crate) fn by_id(project: &Project, model_id: &str) -> Query {
    let mut statement = select();
    statement.push("WHERE m.model_id = ").push_bind(model_id);
    statement.push(" AND m.project = ").push_bind(project.as_str());
    statement
}

/// A logged model without its params, tags and metrics.
pub(crate) fn read(row: &Row) -> Result<LoggedModel> {
    let (status, stage): (String, String) = (row.get(6)?, row.get(7)?);
    Ok(LoggedModel {
        model_id: LoggedModelId::from_trusted(row.get(0)?),
        experiment_id: ExperimentId::from_number(row.get(1)?),
        name: row.get(2)?,
        artifact_uri: row.get(3)?,
        created_at_ms: row.get(4)?,
        updated_at_ms: row.get(5)?,
        status: LoggedModelStatus::from_sql(&status),
        lifecycle_stage: LifecycleStage::from_sql(&stage),
        model_type: row.get(8)?,
        source_run_id: row.get(9)?,
        params: Vec::new(),
        tags: Vec::new(),
        metrics: Vec::new(),
    })
}

/// Those of these models that are in the project and not deleted, each with its source run.
pub(crate) async fn find_sources(
    tx: &mut Tx,
    project: &Project,
    model_ids: &[&str],
) -> Result<BTreeMap<String, Option<String>>> {
    let mut found = BTreeMap::new();
    for chunk in model_ids.chunks(IDS_PER_STATEMENT) {
        let mut statement = query(
            "SELECT model_id, source_run_id FROM logged_models \
             WHERE project = $1 AND lifecycle_stage = 'active' AND model_id IN ",
        )
        .bind(project.as_str());
        statement.push_list(chunk.iter().copied());
        for row in tx.fetch_all(statement).await? {
            found.insert(row.get(0)?, row.get(1)?);
        }
    }
    Ok(found)
}

pub(crate) async fn insert(tx: &mut Tx, project: &Project, model: &LoggedModel) -> Result<()> {
    tx.execute(
        query(
            "INSERT INTO logged_models (model_id, project, experiment, name, artifact_uri, created_at_ms, updated_at_ms, \
               status, lifecycle_stage, model_type, source_run_id) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        )
        .bind(model.model_id.as_str())
        .bind(project.as_str())
        .bind(model.experiment_id.number())
        .bind(&model.name)
        .bind(&model.artifact_uri)
        .bind(model.created_at_ms)
        .bind(model.updated_at_ms)
        .bind(model.status.as_sql())
        .bind(model.lifecycle_stage.as_str())
        .bind(&model.model_type)
        .bind(model.source_run_id.clone()),
    )
    .await?;
    upsert_params(tx, &model.model_id, &model.params).await?;
    upsert_tags(tx, &model.model_id, &model.tags).await
}

pub(crate) async fn set_status(
    tx: &mut Tx,
    model_id: &LoggedModelId,
    status: LoggedModelStatus,
    now_ms: i64,
) -> Result<()> {
    tx.execute(
        query("UPDATE logged_models SET status = $2, updated_at_ms = $3 WHERE model_id = $1")
            .bind(model_id.as_str())
            .bind(status.as_sql())
            .bind(now_ms),
    )
    .await
    .map(|_| ())
}

pub(crate) async fn delete(tx: &mut Tx, model_id: &LoggedModelId, now_ms: i64) -> Result<()> {
    tx.execute(
        query("UPDATE logged_models SET lifecycle_stage = 'deleted', updated_at_ms = $2 WHERE model_id = $1")
            .bind(model_id.as_str())
            .bind(now_ms),
    )
    .await
    .map(|_| ())
}

async fn upsert_texts(
    tx: &mut Tx,
    insert: &'static str,
    model_id: &LoggedModelId,
    pairs: impl Iterator<Item = (&String, &String)>,
) -> Result<()> {
    let mut rows: Vec<[Value; 3]> =
        pairs.map(|(key, value)| [Value::from(model_id.as_str()), Value::from(key), Value::from(value)]).collect();
    while !rows.is_empty() {
        let chunk = rows.drain(..rows.len().min(ROWS_PER_STATEMENT));
        let mut statement = query(insert);
        statement.push_rows(chunk);
        statement.push(" ON CONFLICT (model_id, key) DO UPDATE SET value = excluded.value");
        tx.execute(statement).await?;
    }
    Ok(())
}

/// Sets params; each key once, in order.
pub(crate) async fn upsert_params(tx: &mut Tx, model_id: &LoggedModelId, params: &[Param]) -> Result<()> {
    let insert = "INSERT INTO logged_model_params (model_id, key, value) VALUES ";
    upsert_texts(tx, insert, model_id, params.iter().map(|param| (&param.key, &param.value))).await
}

/// Sets tags; each key once, in order.
pub(crate) async fn upsert_tags(tx: &mut Tx, model_id: &LoggedModelId, tags: &[Tag]) -> Result<()> {
    let insert = "INSERT INTO logged_model_tags (model_id, key, value) VALUES ";
    upsert_texts(tx, insert, model_id, tags.iter().map(|tag| (&tag.key, &tag.value))).await
}

/// The params of a model.
pub(crate) async fn find_params(tx: &mut Tx, model_id: &LoggedModelId) -> Result<BTreeMap<String, String>> {
    let select = query("SELECT key, value FROM logged_model_params WHERE model_id = $1").bind(model_id.as_str());
    let rows = tx.fetch_all(select).await?;
    rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
}

/// Removes a tag; answers whether it was there.
pub(crate) async fn delete_tag(tx: &mut Tx, model_id: &LoggedModelId, key: &str) -> Result<bool> {
    let deleted = tx
        .execute(
            query("DELETE FROM logged_model_tags WHERE model_id = $1 AND key = $2").bind(model_id.as_str()).bind(key),
        )
        .await?;
    Ok(deleted > 0)
}

/// Fills in params, tags and metrics: three statements for any number of models.
pub(crate) async fn complete(db: &Db, models: &mut [LoggedModel]) -> Result<()> {
    for chunk in models.chunks_mut(IDS_PER_STATEMENT) {
        let ids: Vec<String> = chunk.iter().map(|model| model.model_id.as_str().to_owned()).collect();
        let places: HashMap<&str, usize> = ids.iter().enumerate().map(|(at, id)| (id.as_str(), at)).collect();
        let of = |statement: &'static str, order: &'static str| {
            let mut statement = query(statement);
            statement.push_list(ids.iter()).push(order);
            statement
        };
        let place = |row: &Row| -> Result<Option<usize>> { Ok(places.get(row.get::<String>(0)?.as_str()).copied()) };

        let params = "SELECT model_id, key, value FROM logged_model_params WHERE model_id IN ";
        for row in db.fetch_all(of(params, " ORDER BY model_id, key")).await? {
            if let Some(model) = place(&row)?.and_then(|at| chunk.get_mut(at)) {
                model.params.push(Param { key: row.get(1)?, value: row.get(2)? });
            }
        }
        let tags = "SELECT model_id, key, value FROM logged_model_tags WHERE model_id IN ";
        for row in db.fetch_all(of(tags, " ORDER BY model_id, key")).await? {
            if let Some(model) = place(&row)?.and_then(|at| chunk.get_mut(at)) {
                model.tags.push(Tag { key: row.get(1)?, value: row.get(2)? });
            }
        }
        let metrics = "SELECT model_id, run_id, key, timestamp_ms, step, value, dataset_name, dataset_digest \
                       FROM logged_model_metrics WHERE model_id IN ";
        for row in db.fetch_all(of(metrics, " ORDER BY model_id, run_id, key, timestamp_ms, step")).await? {
            if let Some(model) = place(&row)?.and_then(|at| chunk.get_mut(at)) {
                let value: Option<f64> = row.get(5)?;
                model.metrics.push(LoggedModelMetric {
                    key: row.get(2)?,
                    value: value.unwrap_or(f64::NAN),
                    timestamp_ms: row.get(3)?,
                    step: row.get(4)?,
                    run_id: RunId::from_trusted(row.get(1)?),
                    dataset_name: row.get(6)?,
                    dataset_digest: row.get(7)?,
                });
            }
        }
    }
    Ok(())
}
