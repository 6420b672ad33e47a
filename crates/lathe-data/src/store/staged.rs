//! SQL of staged changes.

use std::sync::Arc;

use lathe_core::{Error, Result};
use lathe_db::{Db, Query, Tx, Value, query};

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

/// How many rows one statement inserts.
const ROWS_PER_STATEMENT: usize = 200;

/// A change as its row holds it.
#[derive(Debug, Clone)]
pub(crate) struct StagedRow {
    path: Arc<str>,
    entry: Vec<u8>,
    object_hash: Option<String>,
}

impl StagedRow {
    pub(crate) fn new(path: Arc<str>, entry: Option<&Entry>) -> Self {
        Self {
            path,
            entry: entry.map(|entry| entry.encode().0.to_vec()).unwrap_or_default(),
            object_hash: entry.and_then(Entry::object_hash),
        }
    }
}

/// Stages changes of different paths, written by a run or somebody else; what was staged for these paths in the same generation is
/// replaced.
pub(crate) async fn upsert(
    tx: &mut Tx,
    key: RepoKey,
    branch: &RefName,
    generation: i64,
    rows: Vec<StagedRow>,
    run_id: Option<&str>,
    now_ms: i64,
) -> Result<()> {
    let mut rows = rows.into_iter().peekable();
    while rows.peek().is_some() {
        let mut statement =
            query("INSERT INTO staged (repo_key, branch, path, generation, entry, object_hash, run_id, at_ms) VALUES ");
        statement.push_rows(rows.by_ref().take(ROWS_PER_STATEMENT).map(|StagedRow { path, entry, object_hash }| {
            [
                Value::from(key),
                Value::from(branch.as_str()),
                Value::from(&*path),
                Value::from(generation),
                Value::from(entry),
                Value::from(object_hash),
                Value::from(run_id.map(str::to_owned)),
                Value::from(now_ms),
            ]
        }));
        statement.push(
            " ON CONFLICT (repo_key, branch, path, generation) DO UPDATE SET \
             entry = excluded.entry, object_hash = excluded.object_hash, run_id = excluded.run_id, at_ms = excluded.at_ms",
        );
        tx.execute(statement).await?;
    }
    Ok(())
}

/// The newest change that is staged for a path in generations after `taken`, after the oldest one that has one, as a
/// transaction sees it.
pub(crate) async fn find(
    tx: &mut Tx,
    key: RepoKey,
    branch: &RefName,
    taken: i64,
    path: &str,
) -> Result<Option<(i64, Option<RawEntry>)>> {
    let statement = query(
        "SELECT generation, entry FROM staged WHERE repo_key = $1 AND branch = $2 AND path = $3 AND generation > $4 \
         ORDER BY generation",
    )
    .bind(key)
    .bind(branch.as_str())
    .bind(path)
    .bind(taken);
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

/// The runs that wrote what a commit of generations up to `sealed` takes, each once: of each path, its newest change.
pub(crate) async fn list_writers(tx: &mut Tx, key: RepoKey, branch: &RefName, sealed: i64) -> Result<Vec<String>> {
    let mut statement = query(
        "SELECT DISTINCT s.run_id FROM staged s WHERE s.repo_key = $1 AND s.branch = $2 AND s.run_id IS NOT NULL \
         AND s.generation <= $3 AND NOT EXISTS (SELECT 1 FROM staged n WHERE n.repo_key = s.repo_key AND n.branch = s.branch \
           AND n.path = s.path AND n.generation > s.generation AND n.generation <= $3)",
    );
    statement = statement.bind(key).bind(branch.as_str()).bind(sealed);
    statement.push(UNTAKEN).push(" ORDER BY s.run_id");
    let rows = tx.fetch_all(statement).await?;
    rows.iter().map(|row| row.get(0)).collect()
}

/// Paths that a run has staged, in order.
pub(crate) async fn list_staged_by(
    db: &Db,
    key: RepoKey,
    branch: &RefName,
    run_id: &str,
    limit: usize,
) -> Result<Vec<String>> {
    let mut statement = query("SELECT DISTINCT path FROM staged WHERE repo_key = $1 AND branch = $2 AND run_id = $3");
    statement = statement.bind(key).bind(branch.as_str()).bind(run_id);
    statement.push(UNTAKEN).push(" ORDER BY path LIMIT ").push_bind(rows_wanted(limit)?);
    db.fetch_all(statement).await?.iter().map(|row| row.get(0)).collect()
}

/// A page of staged paths, each with its newest change.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) paths: Vec<StagedPath>,
    /// Whether nothing is staged behind the page.
    pub(crate) is_last: bool,
}

impl Page {
    /// Makes a page of rows in order of path and generation. Rows of the last path may be missing when there were as many as
    /// asked for: it is left to the next page, and `None` is answered when there is no other.
    fn of(rows: Vec<(String, Vec<u8>)>, limit: usize) -> Option<Self> {
        let is_last = rows.len() < limit;
        let mut paths: Vec<StagedPath> = Vec::with_capacity(rows.len());
        for (path, entry) in rows {
            match paths.last_mut() {
                Some((last, newest)) if **last == *path => *newest = entry_of(entry),
                _ => paths.push((path.into(), entry_of(entry))),
            }
        }
        if !is_last {
            paths.pop();
        }
        (is_last || !paths.is_empty()).then_some(Self { paths, is_last })
    }
}

/// Generations that no commit has taken. In the statement itself, so that it belongs to the state that is read.
const UNTAKEN: &str = " AND generation > (SELECT taken_generation FROM refs WHERE repo_key = $1 AND name = $2)";

/// Staged paths of generations up to `sealed`, in order, behind `after`.
pub(crate) async fn sealed(
    db: &Db,
    key: RepoKey,
    branch: &RefName,
    sealed: i64,
    after: &str,
    mut limit: usize,
) -> Result<Page> {
    loop {
        // In the order of the primary key: any other would be sorted anew for each page.
        let mut statement = query(
            "SELECT path, entry FROM staged WHERE repo_key = $1 AND branch = $2 AND path > $3 AND generation <= $4",
        )
        .bind(key)
        .bind(branch.as_str())
        .bind(after)
        .bind(sealed);
        statement.push(UNTAKEN).push(" ORDER BY path, generation LIMIT ").push_bind(rows_wanted(limit)?);
        let rows = db.fetch_all(statement).await?;
        let rows = rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect::<Result<Vec<_>>>()?;
        if let Some(page) = Page::of(rows, limit) {
            return Ok(page);
        }
        limit *= 2;
    }
}

fn rows_wanted(limit: usize) -> Result<i64> {
    i64::try_from(limit).map_err(|_| Error::internal("a page is too long"))
}

/// A branch's tree and a page of what is staged on it: one statement, so that both belong together.
#[derive(Debug)]
pub(crate) struct Overlay {
    pub(crate) root: NodeHash,
    pub(crate) staged: Page,
}

/// Reads up to `limit` rows from `from` on, before `end`; `None` when there is no such ref.
pub(crate) async fn overlay(
    db: &Db,
    key: RepoKey,
    name: &RefName,
    from: &From,
    end: Option<&str>,
    mut limit: usize,
) -> Result<Option<Overlay>> {
    loop {
        // The limit is inside of the join: around it, PostgreSQL would sort everything that is staged.
        let mut statement = query(
            "SELECT c.root, s.path, s.entry FROM refs r \
             JOIN commits c ON c.repo_key = r.repo_key AND c.commit_id = r.commit_id \
             LEFT JOIN (SELECT path, generation, entry FROM staged WHERE repo_key = $1 AND branch = $2",
        )
        .bind(key)
        .bind(name.as_str());
        from.push(&mut statement, " AND path >= ", " AND path > ");
        if let Some(end) = end {
            statement.push(" AND path < ").push_bind(end);
        }
        statement.push(UNTAKEN).push(" ORDER BY path, generation LIMIT ").push_bind(rows_wanted(limit)?);
        statement.push(") s ON 1 = 1 WHERE r.repo_key = $1 AND r.name = $2 ORDER BY s.path, s.generation");
        let rows = db.fetch_all(statement).await?;
        let Some(first) = rows.first() else { return Ok(None) };
        let root: Vec<u8> = first.get(0)?;
        let mut staged = Vec::with_capacity(rows.len());
        for row in &rows {
            if let (Some(path), Some(entry)) = (row.get(1)?, row.get(2)?) {
                staged.push((path, entry));
            }
        }
        if let Some(staged) = Page::of(staged, limit) {
            return Ok(Some(Overlay { root: NodeHash::from_column(&root)?, staged }));
        }
        limit *= 2;
    }
}

/// Whether a branch has staged changes.
pub(crate) async fn is_any(db: &Db, key: RepoKey, branch: &RefName) -> Result<bool> {
    Ok(db.fetch_optional(any(key, branch)).await?.is_some())
}

/// The same, as a transaction sees it.
pub(crate) async fn is_any_in(tx: &mut Tx, key: RepoKey, branch: &RefName) -> Result<bool> {
    Ok(tx.fetch_optional(any(key, branch)).await?.is_some())
}

fn any(key: RepoKey, branch: &RefName) -> Query {
    let mut statement =
        query("SELECT 1 FROM staged WHERE repo_key = $1 AND branch = $2").bind(key).bind(branch.as_str());
    statement.push(UNTAKEN).push(" LIMIT 1");
    statement
}

/// How many rows a transaction folds: SQLite has one writer, and nobody else writes meanwhile.
const FOLD_ROWS: i64 = 10_000;

/// What becomes of the objects that folded entries name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Objects {
    /// A commit holds the entries: the objects are the repository's own, for good.
    Kept,
    /// No commit holds them.
    Forgotten,
}

/// Deletes rows of generations up to `sealed`, about 10,000 behind `after` in order of their paths; answers the last path if
/// there are more.
pub(crate) async fn fold(
    tx: &mut Tx,
    key: RepoKey,
    branch: &RefName,
    sealed: i64,
    after: &str,
    objects: Objects,
) -> Result<Option<String>> {
    let last = query(
        "SELECT path FROM staged WHERE repo_key = $1 AND branch = $2 AND path > $3 AND generation <= $4 \
         ORDER BY path, generation LIMIT 1 OFFSET $5",
    );
    let last = last.bind(key).bind(branch.as_str()).bind(after).bind(sealed).bind(FOLD_ROWS);
    let last: Option<String> = tx.fetch_optional(last).await?.map(|row| row.get(0)).transpose()?;
    let those = |mut statement: Query| {
        statement.push("WHERE repo_key = ").push_bind(key).push(" AND branch = ").push_bind(branch.as_str());
        statement.push(" AND path > ").push_bind(after).push(" AND generation <= ").push_bind(sealed);
        if let Some(last) = &last {
            statement.push(" AND path <= ").push_bind(last);
        }
        statement
    };
    if objects == Objects::Kept {
        let keep = query(
            "INSERT INTO data_objects (object_hash, repo_key, path) SELECT object_hash, repo_key, MIN(path) FROM staged ",
        );
        let mut keep = those(keep);
        keep.push(
            " AND object_hash IS NOT NULL GROUP BY object_hash, repo_key ORDER BY object_hash ON CONFLICT DO NOTHING",
        );
        tx.execute(keep).await?;
    }
    tx.execute(those(query("DELETE FROM staged "))).await?;
    Ok(last)
}

/// Drops the changes of generations after `taken` whose path begins with `prefix`; `end` is what follows the prefix.
pub(crate) async fn drop_prefix(
    tx: &mut Tx,
    key: RepoKey,
    branch: &RefName,
    taken: i64,
    prefix: &str,
    end: Option<&str>,
) -> Result<u64> {
    let mut statement =
        query("DELETE FROM staged WHERE repo_key = $1 AND branch = $2 AND generation > $3 AND path >= $4")
            .bind(key)
            .bind(branch.as_str())
            .bind(taken)
            .bind(prefix);
    if let Some(end) = end {
        statement.push(" AND path < ").push_bind(end);
    }
    tx.execute(statement).await
}

#[cfg(test)]
mod tests {
    use super::*;

    type Shown = (String, Option<Vec<u8>>);

    fn page(rows: &[(&str, &str)], limit: usize) -> Option<(Vec<Shown>, bool)> {
        let rows = rows.iter().map(|(path, entry)| ((*path).to_owned(), entry.as_bytes().to_vec())).collect();
        Page::of(rows, limit).map(|page| {
            let paths = page.paths.into_iter().map(|(path, entry)| (path.to_string(), entry.map(|raw| raw.0.to_vec())));
            (paths.collect(), page.is_last)
        })
    }

    #[test]
    fn a_page_has_the_newest_change_of_each_path_and_no_path_in_part() {
        let newest =
            |path: &str, entry: &str| (path.to_owned(), (!entry.is_empty()).then(|| entry.as_bytes().to_vec()));
        let rows = [("a", "1"), ("a", "2"), ("b", "1"), ("c", "1"), ("c", "")];
        assert_eq!(page(&rows, 6), Some((vec![newest("a", "2"), newest("b", "1"), newest("c", "")], true)));
        assert_eq!(page(&rows, 5), Some((vec![newest("a", "2"), newest("b", "1")], false)));
        assert_eq!(page(&rows[..2], 2), None);
        assert_eq!(page(&[], 2), Some((vec![], true)));
    }
}
