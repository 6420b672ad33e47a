//! SQL of staged changes.

use std::sync::Arc;

use lathe_core::{Error, Result};
use lathe_db::{Db, Query, Tx, query};

use super::RepoKey;
use crate::RefName;
use crate::entry::{Entry, RawEntry};
use crate::tree::NodeHash;

/// A staged path; without an entry it is removed.
pub(crate) type StagedPath = (Arc<str>, Option<RawEntry>);

/// An empty value removes the path.
pub(super) fn entry_of(bytes: Vec<u8>) -> Option<RawEntry> {
    (!bytes.is_empty()).then(|| RawEntry(bytes.into()))
}

/// Where a walk over paths goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum From {
    /// At this path, if it is there.
    At(String),
    /// Behind this path.
    After(String),
}

impl From {
    pub(crate) fn text(&self) -> &str {
        match self {
            From::At(text) | From::After(text) => text,
        }
    }

    fn push(&self, statement: &mut Query, column_at: &'static str, column_after: &'static str) {
        match self {
            From::At(text) => statement.push(column_at).push_bind(text.as_str()),
            From::After(text) => statement.push(column_after).push_bind(text.as_str()),
        };
    }
}

pub(crate) async fn upsert(
    tx: &mut Tx,
    key: RepoKey,
    branch: &RefName,
    generation: i64,
    path: &str,
    entry: Option<&Entry>,
    now_ms: i64,
) -> Result<()> {
    let bytes = entry.map(|entry| entry.encode().0.to_vec()).unwrap_or_default();
    let statement = query(
        "INSERT INTO staged (repo_key, branch, path, generation, entry, object_hash, at_ms) VALUES ($1, $2, $3, $4, $5, $6, $7) \
         ON CONFLICT (repo_key, branch, path, generation) DO UPDATE SET \
           entry = excluded.entry, object_hash = excluded.object_hash, at_ms = excluded.at_ms",
    )
    .bind(key)
    .bind(branch.as_str())
    .bind(path)
    .bind(generation)
    .bind(bytes)
    .bind(entry.and_then(Entry::object_hash))
    .bind(now_ms);
    tx.execute(statement).await.map(|_| ())
}

/// The newest change that is staged for a path, after the oldest generation that has one, as a transaction sees it.
pub(crate) async fn find(
    tx: &mut Tx,
    key: RepoKey,
    branch: &RefName,
    path: &str,
) -> Result<Option<(i64, Option<RawEntry>)>> {
    let statement = query(
        "SELECT generation, entry FROM staged WHERE repo_key = $1 AND branch = $2 AND path = $3 ORDER BY generation",
    )
    .bind(key)
    .bind(branch.as_str())
    .bind(path);
    let rows = tx.fetch_all(statement).await?;
    match (rows.first(), rows.last()) {
        (Some(oldest), Some(newest)) => Ok(Some((oldest.get(0)?, entry_of(newest.get(1)?)))),
        _ => Ok(None),
    }
}

/// Takes back what is staged for a path in one generation.
pub(crate) async fn forget(tx: &mut Tx, key: RepoKey, branch: &RefName, generation: i64, path: &str) -> Result<()> {
    let statement = query("DELETE FROM staged WHERE repo_key = $1 AND branch = $2 AND path = $3 AND generation = $4")
        .bind(key)
        .bind(branch.as_str())
        .bind(path)
        .bind(generation);
    tx.execute(statement).await.map(|_| ())
}

/// Staged paths of generations up to `sealed`, in order, behind `after`.
pub(crate) async fn sealed(
    db: &Db,
    key: RepoKey,
    branch: &RefName,
    sealed: i64,
    after: &str,
    limit: i64,
) -> Result<Vec<StagedPath>> {
    let statement = query(
        "SELECT path, entry FROM staged WHERE repo_key = $1 AND branch = $2 AND path > $3 AND generation <= $4 \
         ORDER BY path, generation DESC LIMIT $5",
    )
    .bind(key)
    .bind(branch.as_str())
    .bind(after)
    .bind(sealed)
    .bind(limit);
    let mut paths: Vec<StagedPath> = Vec::new();
    for row in db.fetch_all(statement).await? {
        keep_newest(&mut paths, row.get(0)?, row.get(1)?);
    }
    Ok(paths)
}

/// Of a path with several generations the first row is the newest.
fn keep_newest(paths: &mut Vec<StagedPath>, path: String, entry: Vec<u8>) {
    if paths.last().is_none_or(|(last, _)| **last != *path) {
        paths.push((path.into(), entry_of(entry)));
    }
}

/// A branch's tree and a page of what is staged on it: one statement, so that both belong together.
#[derive(Debug)]
pub(crate) struct Overlay {
    pub(crate) root: NodeHash,
    pub(crate) staged: Vec<StagedPath>,
    /// Whether nothing is staged behind the page.
    pub(crate) is_last: bool,
}

/// Reads up to `limit` rows from `from` on, before `end`; `None` when there is no such ref.
pub(crate) async fn overlay(
    db: &Db,
    key: RepoKey,
    name: &RefName,
    from: &From,
    end: Option<&str>,
    limit: usize,
) -> Result<Option<Overlay>> {
    let mut statement = query(
        "SELECT c.root, s.path, s.entry FROM refs r \
         JOIN commits c ON c.repo_key = r.repo_key AND c.commit_id = r.commit_id \
         LEFT JOIN staged s ON s.repo_key = r.repo_key AND s.branch = r.name",
    );
    from.push(&mut statement, " AND s.path >= ", " AND s.path > ");
    if let Some(end) = end {
        statement.push(" AND s.path < ").push_bind(end);
    }
    statement.push(" WHERE r.repo_key = ").push_bind(key).push(" AND r.name = ").push_bind(name.as_str());
    let rows_wanted = i64::try_from(limit).map_err(|_| Error::internal("a page is too long"))?;
    statement.push(" ORDER BY s.path, s.generation DESC LIMIT ").push_bind(rows_wanted);
    let rows = db.fetch_all(statement).await?;
    let Some(first) = rows.first() else { return Ok(None) };
    let root: Vec<u8> = first.get(0)?;
    let mut staged = Vec::new();
    for row in &rows {
        if let (Some(path), Some(entry)) = (row.get(1)?, row.get(2)?) {
            keep_newest(&mut staged, path, entry);
        }
    }
    Ok(Some(Overlay { root: NodeHash::from_column(&root)?, staged, is_last: rows.len() < limit }))
}

/// Whether a branch has staged changes.
pub(crate) async fn has_any(tx: &mut Tx, key: RepoKey, branch: &RefName) -> Result<bool> {
    let statement =
        query("SELECT 1 FROM staged WHERE repo_key = $1 AND branch = $2 LIMIT 1").bind(key).bind(branch.as_str());
    Ok(tx.fetch_optional(statement).await?.is_some())
}

/// Names the objects of staged entries as the repository's own, for good.
pub(crate) async fn keep_objects(tx: &mut Tx, key: RepoKey, branch: &RefName, sealed: i64) -> Result<()> {
    let statement = query(
        "INSERT INTO data_objects (object_hash, repo_key, path) \
         SELECT object_hash, repo_key, MIN(path) FROM staged \
         WHERE repo_key = $1 AND branch = $2 AND generation <= $3 AND object_hash IS NOT NULL \
         GROUP BY object_hash, repo_key ORDER BY object_hash ON CONFLICT DO NOTHING",
    )
    .bind(key)
    .bind(branch.as_str())
    .bind(sealed);
    tx.execute(statement).await.map(|_| ())
}

/// Drops the changes of generations up to `sealed`.
pub(crate) async fn drop_sealed(tx: &mut Tx, key: RepoKey, branch: &RefName, sealed: i64) -> Result<u64> {
    let statement = query("DELETE FROM staged WHERE repo_key = $1 AND branch = $2 AND generation <= $3")
        .bind(key)
        .bind(branch.as_str())
        .bind(sealed);
    tx.execute(statement).await
}

/// Drops all changes of a branch whose path begins with `prefix`; `end` is what follows the prefix.
pub(crate) async fn drop_prefix(
    tx: &mut Tx,
    key: RepoKey,
    branch: &RefName,
    prefix: &str,
    end: Option<&str>,
) -> Result<u64> {
    let mut statement = query("DELETE FROM staged WHERE repo_key = $1 AND branch = $2 AND path >= $3")
        .bind(key)
        .bind(branch.as_str())
        .bind(prefix);
    if let Some(end) = end {
        statement.push(" AND path < ").push_bind(end);
    }
    tx.execute(statement).await
}
