//! SQL of sketches and counts, a row for each lot of samples of one window and version.

use lathe_core::{EventId, Project, Result};
use lathe_db::{Db, Row, Tx, query};

/// Which samples.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SegmentKey {
    pub(crate) project: Project,
    pub(crate) deployment: String,
    pub(crate) window_start_ms: i64,
    pub(crate) version: i64,
    pub(crate) variant: String,
}

/// A segment as it is stored.
#[derive(Debug, Clone)]
pub(crate) struct Segment {
    pub(crate) version: i64,
    pub(crate) variant: String,
    pub(crate) traffic: String,
    pub(crate) profile: String,
}

pub(crate) async fn insert(tx: &mut Tx, key: &SegmentKey, traffic: String, profile: String) -> Result<()> {
    let statement = query(
        "INSERT INTO segments (segment_id, project, deployment, window_start_ms, version, variant, traffic, profile) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    );
    let statement = statement
        .bind(EventId::generate().as_str())
        .bind(key.project.as_str())
        .bind(key.deployment.as_str())
        .bind(key.window_start_ms)
        .bind(key.version)
        .bind(key.variant.as_str())
        .bind(traffic)
        .bind(profile);
    tx.execute(statement).await.map(|_| ())
}

pub(crate) async fn count(tx: &mut Tx, key: &SegmentKey) -> Result<i64> {
    let select = query(
        "SELECT COUNT(*) FROM segments WHERE project = $1 AND deployment = $2 AND window_start_ms = $3 AND version = $4 \
         AND variant = $5",
    );
    tx.fetch_one(bind(select, key)).await?.get(0)
}

/// Takes a window's segments of one version out, to put them back as one.
pub(crate) async fn take(tx: &mut Tx, key: &SegmentKey) -> Result<Vec<Segment>> {
    let statement = query(
        "DELETE FROM segments WHERE project = $1 AND deployment = $2 AND window_start_ms = $3 AND version = $4 \
         AND variant = $5 RETURNING version, variant, traffic, profile",
    );
    tx.fetch_all(bind(statement, key)).await?.iter().map(read).collect()
}

fn bind(statement: lathe_db::Query, key: &SegmentKey) -> lathe_db::Query {
    statement
        .bind(key.project.as_str())
        .bind(key.deployment.as_str())
        .bind(key.window_start_ms)
        .bind(key.version)
        .bind(key.variant.as_str())
}

fn read(row: &Row) -> Result<Segment> {
    Ok(Segment { version: row.get(0)?, variant: row.get(1)?, traffic: row.get(2)?, profile: row.get(3)? })
}

/// All segments of a window.
pub(crate) async fn list(db: &Db, project: &Project, deployment: &str, start_ms: i64) -> Result<Vec<Segment>> {
    let select = query(
        "SELECT version, variant, traffic, profile FROM segments \
         WHERE project = $1 AND deployment = $2 AND window_start_ms = $3 ORDER BY version, variant, segment_id",
    );
    db.fetch_all(select.bind(project.as_str()).bind(deployment).bind(start_ms)).await?.iter().map(read).collect()
}
