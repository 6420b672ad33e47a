//! SQL of branches and tags.

use lathe_core::Result;
use lathe_db::{Db, Lock, Query, Row, Tx, lock, query};

use super::RepoKey;
use super::commits::{columns, read as read_commit};
use crate::commits::Commit;
use crate::entry::RawEntry;
use crate::refs::{Ref, RefKind};
use crate::tree::NodeHash;
use crate::{CommitId, RefName};

/// A branch as a transaction holds it.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) kind: RefKind,
    pub(crate) commit_id: CommitId,
    pub(crate) generation: i64,
    /// What is staged up to this generation is in a commit.
    pub(crate) taken: i64,
    first: i64,
}

impl Held {
    /// Whether a generation is this branch's: not that of a deleted one that had the same name.
    pub(crate) fn has(&self, generation: i64) -> bool {
        generation >= self.first
    }
}

/// Reads a ref and holds it until the transaction ends.
pub(crate) async fn hold(tx: &mut Tx, key: RepoKey, name: &RefName, how: Lock) -> Result<Option<Held>> {
    let statement = query(
        "SELECT kind, commit_id, generation, taken_generation, first_generation FROM refs WHERE repo_key = $1 AND name = $2",
    )
    .bind(key)
    .bind(name.as_str());
    let row = tx.fetch_optional(lock(tx.kind(), how, statement)).await?;
    row.map(|row| {
        let kind: String = row.get(0)?;
        Ok(Held {
            kind: RefKind::parse(&kind)?,
            commit_id: CommitId::from_trusted(row.get(1)?),
            generation: row.get(2)?,
            taken: row.get(3)?,
            first: row.get(4)?,
        })
    })
    .transpose()
}

/// Inserts, with generations that no ref of the repository ever had; answers whether the name was free.
pub(crate) async fn insert(tx: &mut Tx, key: RepoKey, named: &Ref) -> Result<bool> {
    let statement = query(
        "INSERT INTO refs (repo_key, name, kind, commit_id, updated_at_ms, taken_generation, generation, first_generation) \
         SELECT repo_key, CAST($2 AS TEXT), CAST($3 AS TEXT), CAST($4 AS TEXT), CAST($5 AS BIGINT), last_generation, \
           last_generation + 1, last_generation + 1 FROM repositories WHERE repo_key = $1 ON CONFLICT DO NOTHING",
    )
    .bind(key)
    .bind(named.name.as_str())
    .bind(named.kind.as_str())
    .bind(named.commit_id.as_str())
    .bind(named.updated_at_ms);
    Ok(tx.execute(statement).await? == 1)
}

/// Moves a branch; answers whether it still stood where it was thought to.
pub(crate) async fn advance(
    tx: &mut Tx,
    key: RepoKey,
    branch: &RefName,
    from: &CommitId,
    to: &CommitId,
    now_ms: i64,
) -> Result<bool> {
    let statement = query(
        "UPDATE refs SET commit_id = $4, updated_at_ms = $5 \
         WHERE repo_key = $1 AND name = $2 AND kind = 'branch' AND commit_id = $3",
    )
    .bind(key)
    .bind(branch.as_str())
    .bind(from.as_str())
    .bind(to.as_str())
    .bind(now_ms);
    Ok(tx.execute(statement).await? == 1)
}

/// Notes that what is staged up to a generation is in the branch's commit: from now on nobody reads it.
pub(crate) async fn take(tx: &mut Tx, key: RepoKey, branch: &RefName, sealed: i64) -> Result<()> {
    let statement = query(
        "UPDATE refs SET taken_generation = $3 WHERE repo_key = $1 AND name = $2 AND kind = 'branch' AND taken_generation < $3",
    )
    .bind(key)
    .bind(branch.as_str())
    .bind(sealed);
    tx.execute(statement).await.map(|_| ())
}

/// Branches with rows of staged changes that a commit has taken, each with the generation it took.
pub(crate) async fn list_with_taken_rows(db: &Db) -> Result<Vec<(RepoKey, RefName, i64)>> {
    let statement = query(
        "SELECT r.repo_key, r.name, r.taken_generation FROM refs r WHERE EXISTS (SELECT 1 FROM staged s \
         WHERE s.repo_key = r.repo_key AND s.branch = r.name AND s.generation <= r.taken_generation)",
    );
    let rows = db.fetch_all(statement).await?;
    rows.iter().map(|row| Ok((row.get(0)?, RefName::from_trusted(row.get(1)?), row.get(2)?))).collect()
}

/// Closes a branch's staging area and opens the next one; answers the generation that was closed.
pub(crate) async fn seal(tx: &mut Tx, key: RepoKey, branch: &RefName) -> Result<Option<i64>> {
    let statement = query(
        "UPDATE refs SET generation = generation + 1 WHERE repo_key = $1 AND name = $2 AND kind = 'branch' \
         RETURNING generation - 1",
    )
    .bind(key)
    .bind(branch.as_str());
    tx.fetch_optional(statement).await?.map(|row| row.get(0)).transpose()
}

/// Deletes a ref of this kind; answers where it pointed, and up to which generation commits took what was staged. The repository must be
/// held for its own: it keeps which generations were in use.
pub(crate) async fn delete(
    tx: &mut Tx,
    key: RepoKey,
    name: &RefName,
    kind: RefKind,
) -> Result<Option<(CommitId, i64)>> {
    let statement = query(
        "DELETE FROM refs WHERE repo_key = $1 AND name = $2 AND kind = $3 RETURNING commit_id, taken_generation, generation",
    );
    let statement = statement.bind(key).bind(name.as_str()).bind(kind.as_str());
    let Some(row) = tx.fetch_optional(statement).await? else { return Ok(None) };
    let generation: i64 = row.get(2)?;
    let keep = query("UPDATE repositories SET last_generation = $2 WHERE repo_key = $1 AND last_generation < $2");
    tx.execute(keep.bind(key).bind(generation)).await?;
    Ok(Some((CommitId::from_trusted(row.get(0)?), row.get(1)?)))
}

/// Refs of one kind by name, from an offset.
pub(crate) async fn list(db: &Db, key: RepoKey, kind: RefKind, offset: i64, limit: i64) -> Result<Vec<Ref>> {
    let mut statement = select();
    statement.push("WHERE repo_key = ").push_bind(key).push(" AND kind = ").push_bind(kind.as_str());
    statement.push(" ORDER BY name LIMIT ").push_bind(limit).push(" OFFSET ").push_bind(offset);
    db.fetch_all(statement).await?.iter().map(read).collect()
}

pub(crate) async fn find(db: &Db, key: RepoKey, name: &RefName) -> Result<Option<Ref>> {
    let mut statement = select();
    statement.push("WHERE repo_key = ").push_bind(key).push(" AND name = ").push_bind(name.as_str());
    db.fetch_optional(statement).await?.as_ref().map(read).transpose()
}

fn select() -> Query {
    query("SELECT name, kind, commit_id, updated_at_ms FROM refs ")
}

fn read(row: &Row) -> Result<Ref> {
    let kind: String = row.get(1)?;
    Ok(Ref {
        name: RefName::from_trusted(row.get(0)?),
        kind: RefKind::parse(&kind)?,
        commit_id: CommitId::from_trusted(row.get(2)?),
        updated_at_ms: row.get(3)?,
    })
}

/// The commit that a ref points to.
pub(crate) async fn find_commit(db: &Db, key: RepoKey, name: &RefName) -> Result<Option<Commit>> {
    let statement = query(concat!(
        "SELECT ",
        columns!(),
        " FROM refs r JOIN commits c ON c.repo_key = r.repo_key AND c.commit_id = r.commit_id \
         WHERE r.repo_key = $1 AND r.name = $2"
    ))
    .bind(key)
    .bind(name.as_str());
    db.fetch_optional(statement).await?.as_ref().map(read_commit).transpose()
}

/// A ref's commit and tree, and what is staged on it for one path. One statement: what a commit moves from one to the other is
/// seen in one of them.
#[derive(Debug)]
pub(crate) struct Peeked {
    pub(crate) commit_id: CommitId,
    pub(crate) root: NodeHash,
    pub(crate) staged: Option<Option<RawEntry>>,
}

pub(crate) async fn peek(db: &Db, key: RepoKey, name: &RefName, path: &str) -> Result<Option<Peeked>> {
    let statement = query(
        "SELECT c.commit_id, c.root, (SELECT s.entry FROM staged s WHERE s.repo_key = r.repo_key AND s.branch = r.name \
           AND s.path = $3 AND s.generation > r.taken_generation ORDER BY s.generation DESC LIMIT 1) \
         FROM refs r JOIN commits c ON c.repo_key = r.repo_key AND c.commit_id = r.commit_id \
         WHERE r.repo_key = $1 AND r.name = $2",
    )
    .bind(key)
    .bind(name.as_str())
    .bind(path);
    let row = db.fetch_optional(statement).await?;
    row.map(|row| {
        let (root, staged): (Vec<u8>, Option<Vec<u8>>) = (row.get(1)?, row.get(2)?);
        Ok(Peeked {
            commit_id: CommitId::from_trusted(row.get(0)?),
            root: NodeHash::from_column(&root)?,
            staged: staged.map(super::staged::entry_of),
        })
    })
    .transpose()
}
