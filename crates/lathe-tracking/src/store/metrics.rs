//! SQL of metric points: names to ids, the latest value of each metric, and the blocks of points.

use std::collections::BTreeMap;

use lathe_core::{Project, Result, RunId};
use lathe_db::{Db, Query, Tx, Value, query};

use super::{IDS_PER_STATEMENT, ROWS_PER_STATEMENT};
use crate::MetricPoint;
use crate::metrics::{blocks, sortable};

/// Metric names to their ids.
pub(crate) type KeyIds = BTreeMap<String, i64>;

fn select_keys<'a>(project: &Project, names: impl IntoIterator<Item = &'a str>) -> Query {
    let mut statement =
        query("SELECT name, key_id FROM metric_keys WHERE project = $1 AND name IN ").bind(project.as_str());
    statement.push_list(names);
    statement
}

/// The ids of those names that have one.
pub(crate) async fn find_keys(db: &Db, project: &Project, names: &[&str]) -> Result<KeyIds> {
    let mut found = KeyIds::new();
    for chunk in names.chunks(IDS_PER_STATEMENT) {
        for row in db.fetch_all(select_keys(project, chunk.iter().copied())).await? {
            found.insert(row.get(0)?, row.get(1)?);
        }
    }
    Ok(found)
}

/// The ids of all names; those that have none get one.
pub(crate) async fn intern_keys(tx: &mut Tx, project: &Project, names: &[String]) -> Result<KeyIds> {
    let mut known = read_keys(tx, project, names).await?;
    let missing =
        |known: &KeyIds| -> Vec<String> { names.iter().filter(|name| !known.contains_key(*name)).cloned().collect() };
    let wanted = missing(&known);
    if wanted.is_empty() {
        return Ok(known);
    }
    // Taking numbers makes other transactions that add names wait for this one's end: after it, a second look sees all theirs.
    let count = i64::try_from(wanted.len()).unwrap_or(i64::MAX);
    let first = super::take_numbers(tx, "", "metric_key", count).await?;
    known.append(&mut read_keys(tx, project, &wanted).await?);
    let new: Vec<(String, i64)> = missing(&known).into_iter().zip(first..).collect();
    for chunk in new.chunks(ROWS_PER_STATEMENT) {
        let mut statement = query("INSERT INTO metric_keys (key_id, project, name) VALUES ");
        statement.push_rows(
            chunk.iter().map(|(name, id)| [Value::from(*id), Value::from(project.as_str()), Value::from(name)]),
        );
        tx.execute(statement).await?;
    }
    known.extend(new);
    Ok(known)
}

async fn read_keys(tx: &mut Tx, project: &Project, names: &[String]) -> Result<KeyIds> {
    let mut found = KeyIds::new();
    for chunk in names.chunks(IDS_PER_STATEMENT) {
        for row in tx.fetch_all(select_keys(project, chunk.iter().map(String::as_str))).await? {
            found.insert(row.get(0)?, row.get(1)?);
        }
    }
    Ok(found)
}

/// Appends points to the metrics of a run: the latest values first, whose rows then guard the blocks until the commit.
pub(crate) async fn append(
    tx: &mut Tx,
    run_key: i64,
    experiment: i64,
    points: &BTreeMap<i64, Vec<MetricPoint>>,
) -> Result<()> {
    let counts = upsert_latest(tx, run_key, experiment, points).await?;
    let mut rows = Vec::new();
    for (key_id, new) in points {
        let after = counts.get(key_id).copied().unwrap_or_default();
        let before = after - i64::try_from(new.len()).unwrap_or_default();
        for (block, bytes) in blocks::split(before, new) {
            rows.push([Value::from(run_key), Value::from(*key_id), Value::from(block), Value::from(bytes)]);
        }
    }
    while !rows.is_empty() {
        let chunk = rows.drain(..rows.len().min(ROWS_PER_STATEMENT));
        let mut statement = query("INSERT INTO metric_blocks (run_key, key_id, block_number, points) VALUES ");
        statement.push_rows(chunk);
        statement.push(
            " ON CONFLICT (run_key, key_id, block_number) DO UPDATE SET points = metric_blocks.points || excluded.points",
        );
        tx.execute(statement).await?;
    }
    Ok(())
}

/// Keeps the latest value of each metric; answers how many points each has now.
///
/// Keys are upserted in order: two requests for one run then wait for each other instead of blocking each other.
async fn upsert_latest(
    tx: &mut Tx,
    run_key: i64,
    experiment: i64,
    points: &BTreeMap<i64, Vec<MetricPoint>>,
) -> Result<BTreeMap<i64, i64>> {
    let mut rows: Vec<[Value; 7]> = points
        .iter()
        .filter_map(|(key_id, new)| {
            let latest = blocks::latest(new)?;
            Some([
                Value::from(run_key),
                Value::from(*key_id),
                Value::from(experiment),
                Value::Int(sortable::from_f64(latest.value)),
                Value::from(latest.step),
                Value::from(latest.timestamp_ms),
                Value::from(i64::try_from(new.len()).unwrap_or_default()),
            ])
        })
        .collect();
    let mut counts = BTreeMap::new();
    while !rows.is_empty() {
        let chunk = rows.drain(..rows.len().min(ROWS_PER_STATEMENT));
        let mut statement = query(
            "INSERT INTO latest_metrics (run_key, key_id, experiment, sortable_value, step, timestamp_ms, point_count) VALUES ",
        );
        statement.push_rows(chunk);
        statement.push(UPSERT_LATEST);
        for row in tx.fetch_all(statement).await? {
            counts.insert(row.get(0)?, row.get(1)?);
        }
    }
    Ok(counts)
}

/// A NaN is NULL, and the smallest of values at the same step and time.
const UPSERT_LATEST: &str = " ON CONFLICT (run_key, key_id) DO UPDATE SET \
     point_count = latest_metrics.point_count + excluded.point_count, \
     sortable_value = CASE WHEN (excluded.step, excluded.timestamp_ms) > (latest_metrics.step, latest_metrics.timestamp_ms) \
                    OR (excluded.step = latest_metrics.step AND excluded.timestamp_ms = latest_metrics.timestamp_ms \
                        AND (latest_metrics.sortable_value IS NULL OR excluded.sortable_value > latest_metrics.sortable_value)) \
                  THEN excluded.sortable_value ELSE latest_metrics.sortable_value END, \
     timestamp_ms = CASE WHEN excluded.step > latest_metrics.step \
                           OR (excluded.step = latest_metrics.step AND excluded.timestamp_ms > latest_metrics.timestamp_ms) \
                         THEN excluded.timestamp_ms ELSE latest_metrics.timestamp_ms END, \
     step = CASE WHEN excluded.step > latest_metrics.step THEN excluded.step ELSE latest_metrics.step END \
     RETURNING key_id, point_count";

/// A value as a column of logged models holds it: NaN is NULL.
fn stored_value(value: f64) -> Value {
    Value::Real((!value.is_nan()).then_some(value))
}

/// All points of some runs' metrics, in arrival order within each: `(run_key, key_id)` to points.
pub(crate) async fn read_points(
    db: &Db,
    run_keys: &[i64],
    key_ids: &[i64],
) -> Result<BTreeMap<(i64, i64), Vec<MetricPoint>>> {
    let mut all: BTreeMap<(i64, i64), Vec<MetricPoint>> = BTreeMap::new();
    for chunk in run_keys.chunks(IDS_PER_STATEMENT) {
        let mut statement = query("SELECT run_key, key_id, points FROM metric_blocks WHERE run_key IN ");
        statement.push_list(super::padded(chunk));
        statement.push(" AND key_id IN ").push_list(super::padded(key_ids));
        statement.push(" ORDER BY run_key, key_id, block_number");
        for row in db.fetch_all(statement).await? {
            let points = all.entry((row.get(0)?, row.get(1)?)).or_default();
            blocks::decode(&row.get::<Vec<u8>>(2)?, points)?;
        }
    }
    Ok(all)
}

/// All points of one metric of one run, in arrival order.
pub(crate) async fn read_metric(db: &Db, run_key: i64, key_id: i64) -> Result<Vec<MetricPoint>> {
    let mut points = Vec::new();
    let rows = db
        .fetch_all(
            query("SELECT points FROM metric_blocks WHERE run_key = $1 AND key_id = $2 ORDER BY block_number")
                .bind(run_key)
                .bind(key_id),
        )
        .await?;
    for row in rows {
        blocks::decode(&row.get::<Vec<u8>>(0)?, &mut points)?;
    }
    Ok(points)
}

/// The metrics of a run: id, name and how many points.
pub(crate) async fn count_points(db: &Db, run_key: i64) -> Result<Vec<(i64, String, i64)>> {
    let rows = db
        .fetch_all(
            query(
                "SELECT l.key_id, k.name, l.point_count FROM latest_metrics l JOIN metric_keys k ON k.key_id = l.key_id \
                 WHERE l.run_key = $1 ORDER BY l.key_id",
            )
            .bind(run_key),
        )
        .await?;
    rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).collect()
}

/// The points of each metric from the block that holds point `after` on: `(key_id, first point's number, points)`.
pub(crate) async fn read_tails(
    db: &Db,
    run_key: i64,
    after: &[(i64, i64)],
) -> Result<BTreeMap<i64, (i64, Vec<MetricPoint>)>> {
    let mut tails: BTreeMap<i64, (i64, Vec<MetricPoint>)> = BTreeMap::new();
    for chunk in after.chunks(ROWS_PER_STATEMENT) {
        let mut statement =
            query("SELECT key_id, block_number, points FROM metric_blocks WHERE run_key = $1 AND (").bind(run_key);
        for (index, (key_id, count)) in chunk.iter().enumerate() {
            statement.push(if index == 0 { "(key_id = " } else { " OR (key_id = " });
            statement.push_bind(*key_id);
            statement.push(" AND block_number >= ").push_bind(blocks::block_of(*count));
            statement.push(")");
        }
        statement.push(") ORDER BY key_id, block_number");
        for row in db.fetch_all(statement).await? {
            let block: i64 = row.get(1)?;
            let (_, points) =
                tails.entry(row.get(0)?).or_insert_with(|| (block * blocks::POINTS_PER_BLOCK, Vec::new()));
            blocks::decode(&row.get::<Vec<u8>>(2)?, points)?;
        }
    }
    Ok(tails)
}

/// Stores metrics of logged models, each point once.
pub(crate) async fn insert_model_metrics(tx: &mut Tx, run_id: &RunId, rows: Vec<ModelMetricRow<'_>>) -> Result<()> {
    for chunk in rows.chunks(ROWS_PER_STATEMENT) {
        let mut statement = query(
            "INSERT INTO logged_model_metrics (model_id, run_id, key, timestamp_ms, step, value, dataset_name, dataset_digest) \
             VALUES ",
        );
        statement.push_rows(chunk.iter().map(|row| {
            [
                Value::from(row.model_id),
                Value::from(run_id.as_str()),
                Value::from(row.key),
                Value::from(row.point.timestamp_ms),
                Value::from(row.point.step),
                stored_value(row.point.value),
                Value::from(row.dataset_name),
                Value::from(row.dataset_digest),
            ]
        }));
        statement.push(" ON CONFLICT DO NOTHING");
        tx.execute(statement).await?;
    }
    Ok(())
}

/// A metric of a logged model, as a log request brings it.
pub(crate) struct ModelMetricRow<'a> {
    pub(crate) model_id: &'a str,
    pub(crate) key: &'a str,
    pub(crate) point: MetricPoint,
    pub(crate) dataset_name: Option<&'a str>,
    pub(crate) dataset_digest: Option<&'a str>,
}
