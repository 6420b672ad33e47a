//! SQL of repositories.

use lathe_core::{Error, EventId, Project, Result};
use lathe_db::{Db, Lock, Query, Row, Tx, lock, query};

use super::RepoKey;
use crate::repositories::{Layout, Repository};
use crate::{RefName, RepositoryName};

const COLUMNS: &str =
    "SELECT repo_key, name, layout, default_branch, description, created_at_ms FROM repositories WHERE project = ";

/// A key that no other repository has, not even one that was deleted: 60 random bits of a fresh id.
pub(crate) fn new_key() -> Result<RepoKey> {
    let id = EventId::generate();
    id.as_str()
        .get(17..)
        .and_then(|digits| i64::from_str_radix(digits, 16).ok())
        .ok_or_else(|| Error::internal("an id is not 32 hex digits"))
}

fn select(project: &Project) -> Query {
    let mut statement = query(COLUMNS);
    statement.push_bind(project.as_str());
    statement
}

fn read(row: &Row) -> Result<(RepoKey, Repository)> {
    let (layout, created_at_ms): (String, i64) = (row.get(2)?, row.get(5)?);
    let repository = Repository {
        name: RepositoryName::from_trusted(row.get(1)?),
        layout: Layout::parse(&layout)?,
        default_branch: RefName::from_trusted(row.get(3)?),
        description: row.get(4)?,
        created_at_ms,
    };
    Ok((row.get(0)?, repository))
}

pub(crate) async fn find(db: &Db, project: &Project, name: &RepositoryName) -> Result<Option<(RepoKey, Repository)>> {
    let mut statement = select(project);
    statement.push(" AND name = ").push_bind(name.as_str());
    db.fetch_optional(statement).await?.as_ref().map(read).transpose()
}

/// Repositories of a project by name, from an offset.
pub(crate) async fn list(db: &Db, project: &Project, offset: i64, limit: i64) -> Result<Vec<Repository>> {
    let mut statement = select(project);
    statement.push(" ORDER BY name LIMIT ").push_bind(limit).push(" OFFSET ").push_bind(offset);
    db.fetch_all(statement).await?.iter().map(|row| read(row).map(|(_, repository)| repository)).collect()
}

/// Inserts; answers whether the name was free.
pub(crate) async fn insert(tx: &mut Tx, project: &Project, key: RepoKey, repository: &Repository) -> Result<bool> {
    let statement = query(
        "INSERT INTO repositories (repo_key, name, project, layout, default_branch, description, created_at_ms) \
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (project, name) DO NOTHING",
    )
    .bind(key)
    .bind(repository.name.as_str())
    .bind(project.as_str())
    .bind(repository.layout.as_str())
    .bind(repository.default_branch.as_str())
    .bind(repository.description.as_str())
    .bind(repository.created_at_ms);
    Ok(tx.execute(statement).await? == 1)
}

/// Keeps the repository from being deleted until the transaction ends; answers its default branch.
pub(crate) async fn hold(tx: &mut Tx, key: RepoKey, how: Lock) -> Result<Option<RefName>> {
    let statement = query("SELECT default_branch FROM repositories WHERE repo_key = $1").bind(key);
    let row = tx.fetch_optional(lock(tx.kind(), how, statement)).await?;
    row.map(|row| Ok(RefName::from_trusted(row.get(0)?))).transpose()
}

/// Deletes a repository and its refs; answers whether it was there. From now on nobody stages: whoever does holds a branch.
pub(crate) async fn close(tx: &mut Tx, key: RepoKey) -> Result<bool> {
    let deleted = tx.execute(query("DELETE FROM repositories WHERE repo_key = $1").bind(key)).await?;
    tx.execute(query("DELETE FROM refs WHERE repo_key = $1").bind(key)).await?;
    Ok(deleted == 1)
}

/// Whether a closed repository has anything but the commit that it began with.
pub(crate) async fn has_content(tx: &mut Tx, key: RepoKey) -> Result<bool> {
    let select = query(
        "SELECT 1 WHERE EXISTS (SELECT 1 FROM commits WHERE repo_key = $1 AND parent IS NOT NULL) \
         OR EXISTS (SELECT 1 FROM staged WHERE repo_key = $1) OR EXISTS (SELECT 1 FROM uploads WHERE repo_key = $1)",
    );
    Ok(tx.fetch_optional(select.bind(key)).await?.is_some())
}

/// Deletes everything of a closed repository but its nodes, which others may share.
pub(crate) async fn delete(tx: &mut Tx, key: RepoKey) -> Result<()> {
    for statement in [
        "DELETE FROM staged WHERE repo_key = $1",
        "DELETE FROM upload_parts WHERE upload_id IN (SELECT upload_id FROM uploads WHERE repo_key = $1)",
        "DELETE FROM uploads WHERE repo_key = $1",
        "DELETE FROM run_pins WHERE repo_key = $1",
        "DELETE FROM run_read_paths WHERE repo_key = $1",
        "DELETE FROM run_reads WHERE repo_key = $1",
        "DELETE FROM commits WHERE repo_key = $1",
        "DELETE FROM data_objects WHERE repo_key = $1",
    ] {
        tx.execute(query(statement).bind(key)).await?;
    }
    Ok(())
}
