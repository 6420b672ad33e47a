//! SQL of samples' files, predictions and labels.

use lathe_core::{EventId, Project, Result};
use lathe_db::{Db, Tx, Value, query};
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

/// A request's answers of one version, with its labels.
#[derive(Debug, Clone)]
pub(crate) struct Answered {
    pub(crate) version: i64,
    pub(crate) request_id: String,
    pub(crate) variant: String,
    pub(crate) rows: i64,
    pub(crate) answers: String,
    pub(crate) labels: Vec<(i64, String)>,
}

/// What was answered in a window, with the labels that are there.
pub(crate) async fn answered(db: &Db, project: &Project, deployment: &str, start_ms: i64) -> Result<Vec<Answered>> {
    let select = query(
        "SELECT p.version, p.request_id, p.variant, p.row_count, p.answers, l.row_number, l.label FROM predictions p \
         LEFT JOIN labels l ON l.project = p.project AND l.deployment = p.deployment AND l.request_id = p.request_id \
         WHERE p.project = $1 AND p.deployment = $2 AND p.window_start_ms = $3 \
         ORDER BY p.version, p.variant, p.request_id, l.row_number",
    );
    let mut answered: Vec<Answered> = Vec::new();
    for row in db.fetch_all(select.bind(project.as_str()).bind(deployment).bind(start_ms)).await? {
        let (version, request_id, variant): (i64, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let is_same = answered
            .last()
            .is_some_and(|last| last.version == version && last.request_id == request_id && last.variant == variant);
        if !is_same {
            let (rows, answers) = (row.get(3)?, row.get(4)?);
            answered.push(Answered { version, request_id, variant, rows, answers, labels: Vec::new() });
        }
        let label: (Option<i64>, Option<String>) = (row.get(5)?, row.get(6)?);
        if let (Some(last), (Some(number), Some(label))) = (answered.last_mut(), label) {
            last.labels.push((number, label));
        }
    }
    Ok(answered)
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
