//! SQL of runs, their params and tags, and the latest of everything for pages of runs.

use std::collections::{BTreeMap, HashMap};

use lathe_core::{Project, Result, RunId};
use lathe_db::{Db, Query, Row, Tx, Value, query};

use super::{IDS_PER_STATEMENT, ROWS_PER_STATEMENT, run_key};
use crate::{ExperimentId, LifecycleStage, Metric, Param, RunInfo, RunStatus, Tag};

const COLUMNS: &str = "r.run_id, r.name, r.experiment, r.user_id, r.status, r.start_time_ms, r.end_time_ms, r.artifact_uri, \
                       r.lifecycle_stage";

/// The run of this id in this project.
pub(crate) fn by_id(project: &Project, run_id: &RunId) -> Query {
    let mut statement = query("SELECT ");
    statement.push(COLUMNS).push(" FROM runs r WHERE r.run_key = ").push_bind(run_key(run_id));
    statement.push(" AND r.run_id = ").push_bind(run_id.as_str());
    statement.push(" AND r.project = ").push_bind(project.as_str());
    statement
}

pub(crate) fn read(row: &Row) -> Result<RunInfo> {
    let status: String = row.get(4)?;
    let stage: String = row.get(8)?;
    Ok(RunInfo {
        run_id: RunId::from_trusted(row.get(0)?),
        name: row.get(1)?,
        experiment_id: ExperimentId::from_number(row.get(2)?),
        user_id: row.get(3)?,
        status: RunStatus::parse(&status).unwrap_or(RunStatus::Running),
        start_time_ms: row.get(5)?,
        end_time_ms: row.get(6)?,
        artifact_uri: row.get(7)?,
        lifecycle_stage: LifecycleStage::from_sql(&stage),
    })
}

/// Runs by their keys, in any order.
pub(crate) async fn by_keys(db: &Db, run_keys: &[i64]) -> Result<HashMap<i64, RunInfo>> {
    let mut found = HashMap::with_capacity(run_keys.len());
    for chunk in run_keys.chunks(IDS_PER_STATEMENT) {
        let mut statement = query("SELECT ");
        statement.push(COLUMNS).push(" FROM runs r WHERE r.run_key IN ").push_list(super::padded(chunk));
        for row in db.fetch_all(statement).await? {
            let info = read(&row)?;
            found.insert(run_key(&info.run_id), info);
        }
    }
    Ok(found)
}

/// Which of these runs exist in the project, with their keys; in the order given.
pub(crate) async fn existing(db: &Db, project: &Project, run_ids: &[RunId]) -> Result<Vec<(RunId, i64)>> {
    let mut found = HashMap::new();
    for chunk in run_ids.chunks(IDS_PER_STATEMENT) {
        let mut statement = query("SELECT run_key, run_id FROM runs WHERE project = $1 AND run_key IN ").bind(project.as_str());
        statement.push_list(chunk.iter().map(run_key));
        for row in db.fetch_all(statement).await? {
            found.insert(row.get::<String>(1)?, row.get::<i64>(0)?);
        }
    }
    Ok(run_ids.iter().filter_map(|id| found.get(id.as_str()).map(|key| (id.clone(), *key))).collect())
}

/// # Errors
/// `AlreadyExists` when the key or the id is taken.
pub(crate) async fn insert(tx: &mut Tx, project: &Project, info: &RunInfo) -> Result<()> {
    let RunInfo {
        run_id,
        name,
        experiment_id,
        user_id,
        status,
        start_time_ms,
        end_time_ms,
        artifact_uri,
        lifecycle_stage,
    } = info;
    tx.execute(
        query(
            "INSERT INTO runs (run_key, run_id, project, experiment, name, user_id, status, start_time_ms, end_time_ms, \
               artifact_uri, lifecycle_stage) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        )
        .bind(run_key(run_id))
        .bind(run_id.as_str())
        .bind(project.as_str())
        .bind(experiment_id.number())
        .bind(name)
        .bind(user_id)
        .bind(status.as_str())
        .bind(*start_time_ms)
        .bind(*end_time_ms)
        .bind(artifact_uri)
        .bind(lifecycle_stage.as_str()),
    )
    .await
    .map(|_| ())
}

/// Writes what can change of a run.
pub(crate) async fn update(tx: &mut Tx, info: &RunInfo) -> Result<()> {
    tx.execute(
        query("UPDATE runs SET name = $2, status = $3, end_time_ms = $4 WHERE run_key = $1")
            .bind(run_key(&info.run_id))
            .bind(&info.name)
            .bind(info.status.as_str())
            .bind(info.end_time_ms),
    )
    .await
    .map(|_| ())
}

pub(crate) async fn set_name(tx: &mut Tx, run_id: &RunId, name: &str) -> Result<()> {
    tx.execute(query("UPDATE runs SET name = $2 WHERE run_key = $1").bind(run_key(run_id)).bind(name)).await.map(|_| ())
}

/// Moves a run to a stage; answers whether it was elsewhere.
pub(crate) async fn set_stage(tx: &mut Tx, run_id: &RunId, stage: LifecycleStage, now_ms: i64) -> Result<bool> {
    let changed = tx
        .execute(
            query("UPDATE runs SET lifecycle_stage = $2, deleted_at_ms = $3 WHERE run_key = $1 AND lifecycle_stage <> $2")
                .bind(run_key(run_id))
                .bind(stage.as_str())
                .bind((stage == LifecycleStage::Deleted).then_some(now_ms)),
        )
        .await?;
    Ok(changed > 0)
}

/// The values that these params have already.
pub(crate) async fn find_params(tx: &mut Tx, run_key: i64, params: &[Param]) -> Result<BTreeMap<String, String>> {
    let mut statement = query("SELECT key, value FROM run_params WHERE run_key = $1 AND key IN ").bind(run_key);
    statement.push_list(params.iter().map(|param| param.key.as_str()));
    let rows = tx.fetch_all(statement).await?;
    rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
}

/// Inserts params, in the order of their keys; answers how many were new.
pub(crate) async fn insert_params(tx: &mut Tx, run_key: i64, params: &[Param]) -> Result<u64> {
    let mut inserted = 0;
    let mut rows: Vec<[Value; 3]> =
        params.iter().map(|param| [Value::from(run_key), Value::from(&param.key), Value::from(&param.value)]).collect();
    while !rows.is_empty() {
        let chunk = rows.drain(..rows.len().min(ROWS_PER_STATEMENT));
        let mut statement = query("INSERT INTO run_params (run_key, key, value) VALUES ");
        statement.push_rows(chunk);
        statement.push(" ON CONFLICT DO NOTHING");
        inserted += tx.execute(statement).await?;
    }
    Ok(inserted)
}

/// Sets tags; they must be in the order of their keys, each once.
pub(crate) async fn upsert_tags(tx: &mut Tx, run_key: i64, tags: &[Tag]) -> Result<()> {
    for chunk in tags.chunks(ROWS_PER_STATEMENT) {
        let mut statement = query("INSERT INTO run_tags (run_key, key, value) VALUES ");
        statement.push_rows(
            chunk.iter().map(|tag| [Value::from(run_key), Value::from(&tag.key), Value::from(&tag.value)]),
        );
        statement.push(" ON CONFLICT (run_key, key) DO UPDATE SET value = excluded.value");
        tx.execute(statement).await?;
    }
    Ok(())
}

pub(crate) async fn find_tag(tx: &mut Tx, run_key: i64, key: &str) -> Result<Option<String>> {
    let select = query("SELECT value FROM run_tags WHERE run_key = $1 AND key = $2").bind(run_key).bind(key);
    tx.fetch_optional(select).await?.map(|row| row.get(0)).transpose()
}

/// Removes a tag; answers whether it was there.
pub(crate) async fn delete_tag(tx: &mut Tx, run_key: i64, key: &str) -> Result<bool> {
    let deleted =
        tx.execute(query("DELETE FROM run_tags WHERE run_key = $1 AND key = $2").bind(run_key).bind(key)).await?;
    Ok(deleted > 0)
}

/// What is asked for of each run's keys: all of them, or those named.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Keys<'a> {
    All,
    Named(&'a [&'a str]),
}

/// `SELECT run_key, key, value` of params or tags of runs.
fn select_texts(table: &'static str, run_keys: &[i64], keys: Keys<'_>) -> Query {
    let mut statement = query("SELECT run_key, key, value FROM ");
    statement.push(table).push(" WHERE run_key IN ").push_list(super::padded(run_keys));
    if let Keys::Named(names) = keys {
        statement.push(" AND key IN ").push_list(super::padded(names));
    }
    statement.push(" ORDER BY run_key, key");
    statement
}

async fn load_texts(
    db: &Db,
    table: &'static str,
    run_keys: &[i64],
    keys: Keys<'_>,
    mut add: impl FnMut(i64, String, String),
) -> Result<()> {
    if matches!(keys, Keys::Named([])) {
        return Ok(());
    }
    for chunk in run_keys.chunks(IDS_PER_STATEMENT) {
        for row in db.fetch_all(select_texts(table, chunk, keys)).await? {
            add(row.get(0)?, row.get(1)?, row.get(2)?);
        }
    }
    Ok(())
}

/// The params of runs, by run.
pub(crate) async fn load_params(db: &Db, run_keys: &[i64], keys: Keys<'_>) -> Result<HashMap<i64, Vec<Param>>> {
    let mut found: HashMap<i64, Vec<Param>> = HashMap::with_capacity(run_keys.len());
    load_texts(db, "run_params", run_keys, keys, |run, key, value| {
        found.entry(run).or_default().push(Param { key, value });
    })
    .await?;
    Ok(found)
}

/// The tags of runs, by run.
pub(crate) async fn load_tags(db: &Db, run_keys: &[i64], keys: Keys<'_>) -> Result<HashMap<i64, Vec<Tag>>> {
    let mut found: HashMap<i64, Vec<Tag>> = HashMap::with_capacity(run_keys.len());
    load_texts(db, "run_tags", run_keys, keys, |run, key, value| {
        found.entry(run).or_default().push(Tag { key, value });
    })
    .await?;
    Ok(found)
}

/// The latest metrics of runs, by run; `keys` are metric ids, `None` for all.
pub(crate) async fn load_metrics(
    db: &Db,
    run_keys: &[i64],
    keys: Option<&[i64]>,
) -> Result<HashMap<i64, Vec<(i64, Metric)>>> {
    let mut found: HashMap<i64, Vec<(i64, Metric)>> = HashMap::with_capacity(run_keys.len());
    if keys.is_some_and(<[i64]>::is_empty) {
        return Ok(found);
    }
    for chunk in run_keys.chunks(IDS_PER_STATEMENT) {
        let mut statement =
            query("SELECT run_key, key_id, value, timestamp_ms, step FROM latest_metrics WHERE run_key IN ");
        statement.push_list(super::padded(chunk));
        if let Some(keys) = keys {
            statement.push(" AND key_id IN ").push_list(super::padded(keys));
        }
        for row in db.fetch_all(statement).await? {
            let value: Option<f64> = row.get(2)?;
            let metric = Metric {
                key: String::new(),
                value: value.unwrap_or(f64::NAN),
                timestamp_ms: row.get(3)?,
                step: row.get(4)?,
            };
            found.entry(row.get(0)?).or_default().push((row.get(1)?, metric));
        }
    }
    Ok(found)
}

/// The names of metric ids.
pub(crate) async fn metric_names(db: &Db, key_ids: &[i64]) -> Result<HashMap<i64, String>> {
    let mut names = HashMap::with_capacity(key_ids.len());
    for chunk in key_ids.chunks(IDS_PER_STATEMENT) {
        let mut statement = query("SELECT key_id, name FROM metric_keys WHERE key_id IN ");
        statement.push_list(super::padded(chunk));
        for row in db.fetch_all(statement).await? {
            names.insert(row.get(0)?, row.get(1)?);
        }
    }
    Ok(names)
}
