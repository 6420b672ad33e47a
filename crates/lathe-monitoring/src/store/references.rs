//! SQL of reference profiles.

use lathe_core::{Project, Result};
use lathe_db::{Db, Tx, query};

/// A reference as it is stored.
#[derive(Debug, Clone)]
pub(crate) struct Reference {
    pub(crate) version: i64,
    pub(crate) source: String,
    pub(crate) rows: i64,
    pub(crate) profile: String,
    pub(crate) created_at_ms: i64,
}

/// The reference that stands for all versions, or else the one of a version.
pub(crate) async fn find(db: &Db, project: &Project, deployment: &str, version: i64) -> Result<Option<Reference>> {
    let select = query(
        "SELECT version, source, row_count, profile, created_at_ms FROM reference_profiles \
         WHERE project = $1 AND deployment = $2 AND version IN (0, $3) ORDER BY version LIMIT 1",
    );
    let row = db.fetch_optional(select.bind(project.as_str()).bind(deployment).bind(version)).await?;
    row.map(|row| {
        Ok(Reference {
            version: row.get(0)?,
            source: row.get(1)?,
            rows: row.get(2)?,
            profile: row.get(3)?,
            created_at_ms: row.get(4)?,
        })
    })
    .transpose()
}

pub(crate) async fn upsert(tx: &mut Tx, project: &Project, deployment: &str, reference: &Reference) -> Result<()> {
    let Reference { version, source, rows, profile, created_at_ms } = reference;
    let statement = query(
        "INSERT INTO reference_profiles (project, deployment, version, source, row_count, profile, created_at_ms) \
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (project, deployment, version) DO UPDATE SET \
         source = excluded.source, row_count = excluded.row_count, profile = excluded.profile, \
         created_at_ms = excluded.created_at_ms",
    );
    let statement = statement
        .bind(project.as_str())
        .bind(deployment)
        .bind(*version)
        .bind(source)
        .bind(*rows)
        .bind(profile)
        .bind(*created_at_ms);
    tx.execute(statement).await.map(|_| ())
}
