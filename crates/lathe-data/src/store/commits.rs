//! SQL of commits.

use std::collections::BTreeMap;

use lathe_core::{Actor, ActorKind, Error, Result};
use lathe_db::{Db, Row, Tx, query};

use super::RepoKey;
use crate::CommitId;
use crate::commits::Commit;
use crate::tree::NodeHash;

/// The columns that [`read`] reads, of a table or query named `c`.
macro_rules! columns {
    () => {
        "c.commit_id, c.root, c.parent, c.merged, c.height, c.author_kind, c.author, c.at_ms, c.message, c.metadata, \
         c.paths, c.size_bytes"
    };
}
pub(super) use columns;

pub(super) fn read(row: &Row) -> Result<Commit> {
    let (root, kind, metadata): (Vec<u8>, String, String) = (row.get(1)?, row.get(5)?, row.get(9)?);
    let parents = [row.get::<Option<String>>(2)?, row.get::<Option<String>>(3)?];
    let count = |number: i64| u64::try_from(number).unwrap_or_default();
    Ok(Commit {
        id: CommitId::from_trusted(row.get(0)?),
        root: NodeHash::from_column(&root)?,
        parents: parents.into_iter().flatten().map(CommitId::from_trusted).collect(),
        height: row.get(4)?,
        author: Actor { kind: author_kind(&kind), name: row.get(6)? },
        at_ms: row.get(7)?,
        message: row.get(8)?,
        metadata: read_metadata(&metadata)?,
        paths: count(row.get(10)?),
        size_bytes: count(row.get(11)?),
    })
}

fn author_kind(text: &str) -> ActorKind {
    match text {
        "service" => ActorKind::Service,
        "run" => ActorKind::Run,
        "system" => ActorKind::System,
        _ => ActorKind::User,
    }
}

fn read_metadata(text: &str) -> Result<BTreeMap<String, String>> {
    serde_json::from_str(text).map_err(|error| Error::internal("a commit's metadata is not JSON").with_source(error))
}

/// Inserts a commit. One that is there already has the same id and so the same content.
pub(crate) async fn insert(tx: &mut Tx, key: RepoKey, commit: &Commit) -> Result<()> {
    let metadata = serde_json::to_string(&commit.metadata)
        .map_err(|error| Error::internal("a commit's metadata is no JSON").with_source(error))?;
    let parent = |at: usize| commit.parents.get(at).map(CommitId::as_str);
    let count = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let statement = query(
        "INSERT INTO commits (repo_key, commit_id, root, parent, merged, height, author_kind, author, at_ms, message, metadata, \
         paths, size_bytes) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) ON CONFLICT DO NOTHING",
    )
    .bind(key)
    .bind(commit.id.as_str())
    .bind(commit.root.0.as_slice())
    .bind(parent(0))
    .bind(parent(1))
    .bind(commit.height)
    .bind(commit.author.kind.as_str())
    .bind(commit.author.name.as_str())
    .bind(commit.at_ms)
    .bind(commit.message.as_str())
    .bind(metadata)
    .bind(count(commit.paths))
    .bind(count(commit.size_bytes));
    tx.execute(statement).await.map(|_| ())
}

/// Up to two commits whose id begins with these digits: two are ambiguous.
pub(crate) async fn find_by_prefix(db: &Db, key: RepoKey, prefix: &str) -> Result<Vec<Commit>> {
    let statement = query(concat!(
        "SELECT ",
        columns!(),
        " FROM commits c WHERE c.repo_key = $1 AND c.commit_id >= $2 AND c.commit_id < $3 ORDER BY c.commit_id LIMIT 2"
    ))
    .bind(key)
    .bind(prefix)
    // `g` sorts after every hex digit.
    .bind(format!("{prefix}g"));
    db.fetch_all(statement).await?.iter().map(read).collect()
}

/// A page of all repositories' commits with the roots of their trees, behind one of them.
pub(crate) async fn list_roots(
    db: &Db,
    after: &(RepoKey, CommitId),
    limit: i64,
) -> Result<Vec<(RepoKey, CommitId, NodeHash)>> {
    let statement = query(
        "SELECT repo_key, commit_id, root FROM commits WHERE (repo_key, commit_id) > ($1, $2) \
         ORDER BY repo_key, commit_id LIMIT $3",
    );
    let rows = db.fetch_all(statement.bind(after.0).bind(after.1.as_str()).bind(limit)).await?;
    let read = |row: &Row| {
        let root: Vec<u8> = row.get(2)?;
        Ok((row.get(0)?, CommitId::from_trusted(row.get(1)?), NodeHash::from_column(&root)?))
    };
    rows.iter().map(read).collect()
}

/// The first parent of a commit, if it has one.
pub(crate) async fn first_parent(tx: &mut Tx, key: RepoKey, id: &CommitId) -> Result<Option<CommitId>> {
    let select = query("SELECT parent FROM commits WHERE repo_key = $1 AND commit_id = $2").bind(key).bind(id.as_str());
    let row = tx.fetch_optional(select).await?;
    let parent: Option<String> = row.map(|row| row.get(0)).transpose()?.flatten();
    Ok(parent.map(CommitId::from_trusted))
}

/// A commit and up to `count - 1` of its first parents, youngest first.
pub(crate) async fn line(db: &Db, key: RepoKey, from: &CommitId, count: i64) -> Result<Vec<Commit>> {
    let statement = query(concat!(
        "WITH RECURSIVE line (commit_id, parent, step) AS ( \
           SELECT commit_id, parent, CAST(1 AS BIGINT) FROM commits WHERE repo_key = $1 AND commit_id = $2 \
           UNION ALL \
           SELECT p.commit_id, p.parent, line.step + 1 FROM line \
           JOIN commits p ON p.repo_key = $1 AND p.commit_id = line.parent WHERE line.step < $3 \
         ) SELECT ",
        columns!(),
        " FROM line JOIN commits c ON c.repo_key = $1 AND c.commit_id = line.commit_id ORDER BY line.step"
    ))
    .bind(key)
    .bind(from.as_str())
    .bind(count);
    db.fetch_all(statement).await?.iter().map(read).collect()
}
