//! SQL of samples' files, predictions and labels.

use lathe_core::{EventId, Project, Result};
use lathe_db::{Db, Row, Tx, Value, query};
use lathe_objects::Object;

use super::segments::SegmentKey;

/// How many rows one statement inserts.
const ROWS_PER_STATEMENT: usize = 50;

/// A request whose rows are kept.
#[derive(Debug, Clone)]
pub(crate) struct Prediction {
    pub(crate) request_id: String,
    pub(crate) client_request_id: Option<String>,
    pub(crate) model: String,
    pub(crate) at_ms: i64,
    pub(crate) first_row: i64,
    pub(crate) rows: i64,
    /// JSON: of each row the prediction and the score.
    pub(crate) answers: String,
}

/// Names a file; answers its id.
pub(crate) async fn insert_file(
    tx: &mut Tx,
    key: &SegmentKey,
    object: &Object,
    (from_ms, to_ms): (i64, i64),
    rows: i64,
) -> Result<String> {
    let file_id = EventId::generate().to_string();
    let statement = query(
        "INSERT INTO sample_files (file_id, project, deployment, window_start_ms, from_ms, to_ms, row_count, object_hash, size_bytes) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    );
    let statement = statement
        .bind(file_id.as_str())
        .bind(key.project.as_str())
        .bind(key.deployment.as_str())
        .bind(key.window_start_ms)
        .bind(from_ms)
        .bind(to_ms)
        .bind(rows)
        .bind(object.hash.as_str())
        .bind(object.size_bytes);
    tx.execute(statement).await?;
    Ok(file_id)
}

/// Inserts; answers how many were new.
pub(crate) async fn insert(tx: &mut Tx, key: &SegmentKey, file_id: &str, predictions: &[Prediction]) -> Result<u64> {
    let mut inserted = 0;
    for chunk in predictions.chunks(ROWS_PER_STATEMENT) {
        let mut statement = query(
            "INSERT INTO predictions (project, deployment, request_id, version, variant, model, client_request_id, at_ms, \
             window_start_ms, file_id, first_row, row_count, answers) VALUES ",
        );
        statement.push_rows(chunk.iter().map(|prediction| {
            [
                Value::from(key.project.as_str()),
                Value::from(key.deployment.as_str()),
                Value::from(&prediction.request_id),
                Value::from(key.version),
                Value::from(key.variant.as_str()),
                Value::from(&prediction.model),
                Value::from(prediction.client_request_id.clone()),
                Value::from(prediction.at_ms),
                Value::from(key.window_start_ms),
                Value::from(file_id),
                Value::from(prediction.first_row),
                Value::from(prediction.rows),
                Value::from(&prediction.answers),
            ]
        }));
        statement.push(" ON CONFLICT DO NOTHING");
        inserted += tx.execute(statement).await?;
    }
    Ok(inserted)
}

/// Which of these requests are known of a version.
pub(crate) async fn known(db: &Db, key: &SegmentKey, request_ids: &[String]) -> Result<Vec<String>> {
    let mut known = Vec::new();
    for chunk in request_ids.chunks(500) {
        let mut select = query("SELECT request_id FROM predictions WHERE project = ");
        select.push_bind(key.project.as_str()).push(" AND deployment = ").push_bind(key.deployment.as_str());
        select.push(" AND version = ").push_bind(key.version).push(" AND variant = ").push_bind(key.variant.as_str());
        select.push(" AND request_id IN ").push_list(chunk);
        for row in db.fetch_all(select).await? {
            known.push(row.get(0)?);
        }
    }
    Ok(known)
}

/// A request that labels can be for.
#[derive(Debug, Clone)]
pub(crate) struct Labelled {
    pub(crate) request_id: String,
    pub(crate) client_request_id: Option<String>,
    pub(crate) window_start_ms: i64,
    pub(crate) rows: i64,
}

/// The requests of these ids, given by the server or by clients.
pub(crate) async fn find(db: &Db, project: &Project, deployment: &str, ids: &[String]) -> Result<Vec<Labelled>> {
    let mut found = Vec::new();
    for chunk in ids.chunks(500) {
        for by_client in [false, true] {
            let mut select = query(
                "SELECT request_id, client_request_id, window_start_ms, row_count FROM predictions WHERE project = ",
            );
            select.push_bind(project.as_str()).push(" AND deployment = ").push_bind(deployment);
            select.push(if by_client { " AND client_request_id IN " } else { " AND request_id IN " }).push_list(chunk);
            for row in db.fetch_all(select).await? {
                found.push(Labelled {
                    request_id: row.get(0)?,
                    client_request_id: row.get(1)?,
                    window_start_ms: row.get(2)?,
                    rows: row.get(3)?,
                });
            }
        }
    }
    Ok(found)
}

/// A label of a row.
#[derive(Debug, Clone)]
pub(crate) struct Label {
    pub(crate) request_id: String,
    pub(crate) row: i64,
    /// JSON.
    pub(crate) label: String,
}

/// Inserts or replaces; answers how many are new or changed.
pub(crate) async fn upsert_labels(
    tx: &mut Tx,
    project: &Project,
    deployment: &str,
    labels: &[Label],
    now_ms: i64,
) -> Result<u64> {
    let mut changed = 0;
    for chunk in labels.chunks(ROWS_PER_STATEMENT) {
        let mut statement =
            query("INSERT INTO labels (project, deployment, request_id, row_number, label, at_ms) VALUES ");
        statement.push_rows(chunk.iter().map(|label| {
            [
                Value::from(project.as_str()),
                Value::from(deployment),
                Value::from(&label.request_id),
                Value::from(label.row),
                Value::from(&label.label),
                Value::from(now_ms),
            ]
        }));
        statement.push(
            " ON CONFLICT (project, deployment, request_id, row_number) DO UPDATE SET label = excluded.label, \
             at_ms = excluded.at_ms WHERE labels.label <> excluded.label",
        );
        changed += tx.execute(statement).await?;
    }
    Ok(changed)
}

/// How much there is of a version in a window.
#[derive(Debug, Clone)]
pub(crate) struct Counted {
    pub(crate) version: i64,
    pub(crate) variant: String,
    pub(crate) rows: i64,
    pub(crate) labels: i64,
}

/// Which window of which deployment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WindowKey<'a> {
    pub(crate) project: &'a Project,
    pub(crate) deployment: &'a str,
    pub(crate) start_ms: i64,
}

/// Rows and labels of each version that answered in a window.
pub(crate) async fn count(db: &Db, window: WindowKey<'_>) -> Result<Vec<Counted>> {
    let select = query(
        "SELECT p.version, p.variant, CAST(SUM(p.row_count) AS BIGINT), CAST(SUM((SELECT COUNT(*) FROM labels l \
         WHERE l.project = p.project AND l.deployment = p.deployment AND l.request_id = p.request_id)) AS BIGINT) \
         FROM predictions p WHERE p.project = $1 AND p.deployment = $2 AND p.window_start_ms = $3 \
         GROUP BY p.version, p.variant ORDER BY p.version, p.variant",
    );
    let select = select.bind(window.project.as_str()).bind(window.deployment).bind(window.start_ms);
    let read =
        |row: &Row| Ok(Counted { version: row.get(0)?, variant: row.get(1)?, rows: row.get(2)?, labels: row.get(3)? });
    db.fetch_all(select).await?.iter().map(read).collect()
}

/// The label of a row, and whose answer it is of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LabelledRow {
    pub(crate) request_id: String,
    pub(crate) version: i64,
    pub(crate) variant: String,
    pub(crate) row: i64,
    /// JSON.
    pub(crate) label: String,
}

/// The labels of a window after one of them, in order.
pub(crate) async fn list_labelled(
    db: &Db,
    window: WindowKey<'_>,
    after: Option<&LabelledRow>,
    limit: usize,
) -> Result<Vec<LabelledRow>> {
    let mut select = query(
        "SELECT p.request_id, p.version, p.variant, l.row_number, l.label FROM predictions p \
         JOIN labels l ON l.project = p.project AND l.deployment = p.deployment AND l.request_id = p.request_id \
         WHERE p.project = ",
    );
    select.push_bind(window.project.as_str()).push(" AND p.deployment = ").push_bind(window.deployment);
    select.push(" AND p.window_start_ms = ").push_bind(window.start_ms);
    if let Some(LabelledRow { request_id, version, variant, row, label: _ }) = after {
        // The first of the two is what an index helps with.
        select.push(" AND p.request_id >= ").push_bind(request_id.as_str());
        select.push(" AND (p.request_id, p.version, p.variant, l.row_number) > (").push_bind(request_id.as_str());
        select.push(", ").push_bind(*version).push(", ").push_bind(variant.as_str());
        select.push(", ").push_bind(*row).push(")");
    }
    select.push(" ORDER BY p.request_id, p.version, p.variant, l.row_number LIMIT ");
    select.push_bind(i64::try_from(limit).unwrap_or(i64::MAX));
    let read = |row: &Row| {
        let (request_id, version, variant) = (row.get(0)?, row.get(1)?, row.get(2)?);
        Ok(LabelledRow { request_id, version, variant, row: row.get(3)?, label: row.get(4)? })
    };
    db.fetch_all(select).await?.iter().map(read).collect()
}

/// What was answered to a request by one version and variant.
#[derive(Debug, Clone)]
pub(crate) struct Answered {
    pub(crate) request_id: String,
    pub(crate) version: i64,
    pub(crate) variant: String,
    /// JSON: of each row the prediction and the score.
    pub(crate) answers: String,
}

/// What these requests were answered.
pub(crate) async fn list_answers(
    db: &Db,
    project: &Project,
    deployment: &str,
    request_ids: &[&str],
) -> Result<Vec<Answered>> {
    let mut select = query("SELECT request_id, version, variant, answers FROM predictions WHERE project = ");
    select.push_bind(project.as_str()).push(" AND deployment = ").push_bind(deployment);
    select.push(" AND request_id IN ").push_list(request_ids.iter().copied());
    let read = |row: &Row| {
        Ok(Answered { request_id: row.get(0)?, version: row.get(1)?, variant: row.get(2)?, answers: row.get(3)? })
    };
    db.fetch_all(select).await?.iter().map(read).collect()
}

/// Where a prediction came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PredictionOrigin {
    /// The deployment.
    pub deployment: String,
    /// The model.
    pub model: String,
    /// Its version.
    pub version: i64,
    /// `primary`, `canary` or `shadow`.
    pub variant: String,
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
    /// The window it is in.
    pub window_start_ms: i64,
}

pub(crate) async fn origins(db: &Db, project: &Project, request_id: &str) -> Result<Vec<PredictionOrigin>> {
    let select = query(
        "SELECT deployment, model, version, variant, at_ms, window_start_ms FROM predictions \
         WHERE project = $1 AND request_id = $2 ORDER BY deployment, version, variant",
    );
    let rows = db.fetch_all(select.bind(project.as_str()).bind(request_id)).await?;
    rows.iter()
        .map(|row| {
            Ok(PredictionOrigin {
                deployment: row.get(0)?,
                model: row.get(1)?,
                version: row.get(2)?,
                variant: row.get(3)?,
                at_ms: row.get(4)?,
                window_start_ms: row.get(5)?,
            })
        })
        .collect()
}
