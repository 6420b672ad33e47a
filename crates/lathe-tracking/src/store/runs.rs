//! SQL of runs, their params and tags, and the latest of everything for pages of runs.

mod packed;

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

// Beside a list of keys the project is compared as an expression: SQLite takes a bare column for a better start than the list, and
// would walk the index of the whole project.

/// Which of these runs exist in the project, with their keys; in the order given.
pub(crate) async fn existing(db: &Db, project: &Project, run_ids: &[RunId]) -> Result<Vec<(RunId, i64)>> {
    let mut found = HashMap::new();
    for chunk in run_ids.chunks(IDS_PER_STATEMENT) {
        let mut statement = query("SELECT run_key, run_id FROM runs WHERE COALESCE(project, '') = $1 AND run_key IN ")
            .bind(project.as_str());
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
            query(
                "UPDATE runs SET lifecycle_stage = $2, deleted_at_ms = $3 WHERE run_key = $1 AND lifecycle_stage <> $2",
            )
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
        statement
            .push_rows(chunk.iter().map(|tag| [Value::from(run_key), Value::from(&tag.key), Value::from(&tag.value)]));
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

/// Which of a run's keys are asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Keys<'a, K> {
    All,
    Named(&'a [K]),
}

/// What is asked for of runs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'a> {
    pub(crate) params: Keys<'a, &'a str>,
    pub(crate) tags: Keys<'a, &'a str>,
    /// By metric id.
    pub(crate) metrics: Keys<'a, i64>,
}

impl Wanted<'_> {
    pub(crate) const ALL: Wanted<'static> = Wanted { params: Keys::All, tags: Keys::All, metrics: Keys::All };
}

/// A run with what was asked for of it.
#[derive(Debug)]
pub(crate) struct RunRecord {
    pub(crate) info: RunInfo,
    /// By key.
    pub(crate) params: Vec<Param>,
    /// By key.
    pub(crate) tags: Vec<Tag>,
    /// By metric id; the names are not filled in.
    pub(crate) metrics: Vec<(i64, Metric)>,
    pub(crate) has_datasets: bool,
    pub(crate) has_models: bool,
}

/// Runs of a project by their keys, with what is asked for of them: one row each. (A row per param, tag and metric would cost
/// the driver more than everything else in a search.)
pub(crate) async fn load(
    db: &Db,
    project: &Project,
    run_keys: &[i64],
    wanted: Wanted<'_>,
) -> Result<HashMap<i64, RunRecord>> {
    let mut found = HashMap::with_capacity(run_keys.len());
    for chunk in run_keys.chunks(IDS_PER_STATEMENT) {
        let mut statement = query("SELECT ");
        statement.push(COLUMNS);
        push_packed_texts(&mut statement, "run_params", wanted.params);
        push_packed_texts(&mut statement, "run_tags", wanted.tags);
        push_packed_metrics(&mut statement, wanted.metrics);
        statement.push(
            ", CAST(CASE WHEN EXISTS (SELECT 1 FROM run_datasets x WHERE x.run_key = r.run_key) THEN 1 ELSE 0 END AS BIGINT), \
             CAST(CASE WHEN EXISTS (SELECT 1 FROM run_models x WHERE x.run_key = r.run_key) THEN 1 ELSE 0 END AS BIGINT) \
             FROM runs r WHERE r.run_key IN ",
        );
        statement.push_list(super::padded(chunk)).push(" AND COALESCE(r.project, '') = ").push_bind(project.as_str());
        for row in db.fetch_all(statement).await? {
            let info = read(&row)?;
            let texts = |column: usize| -> Result<Vec<(String, String)>> {
                packed::read_texts(&row.get::<Option<String>>(column)?.unwrap_or_default())
            };
            let record = RunRecord {
                params: texts(9)?.into_iter().map(|(key, value)| Param { key, value }).collect(),
                tags: texts(10)?.into_iter().map(|(key, value)| Tag { key, value }).collect(),
                metrics: packed::read_metrics(&row.get::<Option<String>>(11)?.unwrap_or_default())?,
                has_datasets: row.get::<i64>(12)? == 1,
                has_models: row.get::<i64>(13)? == 1,
                info,
            };
            found.insert(run_key(&record.info.run_id), record);
        }
    }
    Ok(found)
}

fn push_packed_texts(statement: &mut Query, table: &'static str, keys: Keys<'_, &str>) {
    statement.push(", (SELECT ").push(packed::TEXTS).push(" FROM ").push(table).push(" x WHERE x.run_key = r.run_key");
    if let Keys::Named(names) = keys {
        statement.push(" AND x.key IN ").push_list(super::padded(names));
    }
    statement.push(")");
}

fn push_packed_metrics(statement: &mut Query, keys: Keys<'_, i64>) {
    statement.push(", (SELECT ").push(packed::METRICS).push(" FROM latest_metrics x WHERE x.run_key = r.run_key");
    if let Keys::Named(ids) = keys {
        statement.push(" AND x.key_id IN ").push_list(super::padded(ids));
    }
    statement.push(")");
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
