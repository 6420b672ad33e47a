//! The table `secrets`.

use lathe_core::{Project, Result};
use lathe_db::{Db, Query, Row, Tx, query};

use crate::sealed::Sealed;
use crate::secrets::{Secret, SecretName};

fn all_of(project: &Project) -> Query {
    query("SELECT name, created_at_ms, updated_at_ms FROM secrets WHERE project = $1 ORDER BY name")
        .bind(project.as_str())
}

fn read(row: &Row) -> Result<Secret> {
    let name: String = row.get(0)?;
    Ok(Secret { name: SecretName::parse(&name)?, created_at_ms: row.get(1)?, updated_at_ms: row.get(2)? })
}

pub(crate) async fn list(db: &Db, project: &Project) -> Result<Vec<Secret>> {
    db.fetch_all(all_of(project)).await?.iter().map(read).collect()
}

pub(crate) async fn list_in(tx: &mut Tx, project: &Project) -> Result<Vec<Secret>> {
    tx.fetch_all(all_of(project)).await?.iter().map(read).collect()
}

pub(crate) async fn find(db: &Db, project: &Project, name: &SecretName) -> Result<Option<Sealed>> {
    let found = query("SELECT data_key, sealed FROM secrets WHERE project = $1 AND name = $2");
    let row = db.fetch_optional(found.bind(project.as_str()).bind(name.as_str())).await?;
    row.map(|row| Ok(Sealed { data_key: row.get(0)?, sealed: row.get(1)? })).transpose()
}

/// Stores a secret, in place of an earlier value.
pub(crate) async fn set(tx: &mut Tx, project: &Project, name: &SecretName, value: &Sealed, now_ms: i64) -> Result<()> {
    let statement = query(
        "INSERT INTO secrets (project, name, data_key, sealed, created_at_ms, updated_at_ms) VALUES ($1, $2, $3, $4, $5, $5) \
         ON CONFLICT (project, name) DO UPDATE SET data_key = excluded.data_key, sealed = excluded.sealed, \
           updated_at_ms = excluded.updated_at_ms",
    )
    .bind(project.as_str())
    .bind(name.as_str())
    .bind(value.data_key.clone())
    .bind(value.sealed.clone())
    .bind(now_ms);
    tx.execute(statement).await.map(|_| ())
}

/// Answers whether there was one.
pub(crate) async fn delete(tx: &mut Tx, project: &Project, name: &SecretName) -> Result<bool> {
    let delete = query("DELETE FROM secrets WHERE project = $1 AND name = $2");
    Ok(tx.execute(delete.bind(project.as_str()).bind(name.as_str())).await? == 1)
}
