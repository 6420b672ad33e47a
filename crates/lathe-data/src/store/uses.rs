//! SQL of what runs read and write.

use lathe_core::{Project, Result};
use lathe_db::{Db, Tx, Value, query};

use super::RepoKey;
use crate::uses::Read;
use crate::{CommitId, ObjectKey, RefName, RepositoryName};

/// How many paths one statement inserts.
const ROWS_PER_STATEMENT: usize = 100;

/// What a run sees of a branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Pin {
    /// The commit that the branch had when the run first read it.
    To(CommitId),
    /// The branch as it is: the run writes to it.
    Follows,
}

impl Pin {
    fn read(commit_id: Option<String>) -> Self {
        commit_id.map_or(Pin::Follows, |commit_id| Pin::To(CommitId::from_trusted(commit_id)))
    }
}

pub(crate) async fn find_pin(db: &Db, key: RepoKey, run_id: &str, branch: &RefName) -> Result<Option<Pin>> {
    let select = query("SELECT commit_id FROM run_pins WHERE run_id = $1 AND repo_key = $2 AND branch = $3");
    let row = db.fetch_optional(select.bind(run_id).bind(key).bind(branch.as_str())).await?;
    row.map(|row| row.get(0).map(Pin::read)).transpose()
}

/// Pins the branch, unless it is pinned already; answers what counts.
pub(crate) async fn pin(
    tx: &mut Tx,
    key: RepoKey,
    run_id: &str,
    branch: &RefName,
    commit_id: &CommitId,
) -> Result<Pin> {
    let insert = query(
        "INSERT INTO run_pins (run_id, repo_key, branch, commit_id, first_commit_id) VALUES ($1, $2, $3, $4, $4) \
         ON CONFLICT (run_id, repo_key, branch) DO UPDATE SET commit_id = run_pins.commit_id RETURNING commit_id",
    );
    let insert = insert.bind(run_id).bind(key).bind(branch.as_str()).bind(commit_id.as_str());
    tx.fetch_one(insert).await?.get(0).map(Pin::read)
}

/// Pins for one run what another one first read of each branch of the project.
pub(crate) async fn copy_pins(tx: &mut Tx, project: &Project, from: &str, to: &str) -> Result<()> {
    let copy = query(
        "INSERT INTO run_pins (run_id, repo_key, branch, commit_id, first_commit_id) \
         SELECT $2, p.repo_key, p.branch, p.first_commit_id, p.first_commit_id FROM run_pins p \
         JOIN repositories r ON r.repo_key = p.repo_key AND r.project = $3 \
         WHERE p.run_id = $1 AND p.first_commit_id IS NOT NULL ON CONFLICT DO NOTHING",
    );
    tx.execute(copy.bind(from).bind(to).bind(project.as_str())).await.map(|_| ())
}

/// Answers whether the run had not read the commit before.
pub(crate) async fn insert_read(
    tx: &mut Tx,
    key: RepoKey,
    run_id: &str,
    commit_id: &CommitId,
    now_ms: i64,
) -> Result<bool> {
    let insert = query(
        "INSERT INTO run_reads (run_id, repo_key, commit_id, at_ms) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
    );
    Ok(tx.execute(insert.bind(run_id).bind(key).bind(commit_id.as_str()).bind(now_ms)).await? == 1)
}

pub(crate) async fn insert_paths(
    tx: &mut Tx,
    key: RepoKey,
    run_id: &str,
    commit_id: &CommitId,
    paths: &[ObjectKey],
) -> Result<()> {
    for chunk in paths.chunks(ROWS_PER_STATEMENT) {
        let mut insert = query("INSERT INTO run_read_paths (run_id, repo_key, commit_id, path) VALUES ");
        insert.push_rows(chunk.iter().map(|path| {
            [Value::from(run_id), Value::from(key), Value::from(commit_id.as_str()), Value::from(path.as_str())]
        }));
        insert.push(" ON CONFLICT DO NOTHING");
        tx.execute(insert).await?;
    }
    Ok(())
}

pub(crate) async fn list_reads(db: &Db, project: &Project, run_id: &str) -> Result<Vec<Read>> {
    let select = query(
        "SELECT r.name, u.commit_id, u.at_ms, p.path FROM run_reads u \
         JOIN repositories r ON r.repo_key = u.repo_key AND r.project = $2 \
         LEFT JOIN run_read_paths p ON p.run_id = u.run_id AND p.repo_key = u.repo_key AND p.commit_id = u.commit_id \
         WHERE u.run_id = $1 ORDER BY r.name, u.at_ms, u.commit_id, p.path",
    );
    let mut reads: Vec<Read> = Vec::new();
    for row in db.fetch_all(select.bind(run_id).bind(project.as_str())).await? {
        let repository = RepositoryName::from_trusted(row.get(0)?);
        let commit_id = CommitId::from_trusted(row.get(1)?);
        let is_same = reads.last().is_some_and(|last| last.repository == repository && last.commit_id == commit_id);
        if !is_same {
            reads.push(Read { repository, commit_id, at_ms: row.get(2)?, paths: Vec::new() });
        }
        if let (Some(read), Some(path)) = (reads.last_mut(), row.get::<Option<String>>(3)?) {
            read.paths.push(path);
        }
    }
    Ok(reads)
}

/// The branches that a run writes to.
pub(crate) async fn list_followed(
    db: &Db,
    project: &Project,
    run_id: &str,
) -> Result<Vec<(RepoKey, RepositoryName, RefName)>> {
    let select = query(
        "SELECT p.repo_key, r.name, p.branch FROM run_pins p JOIN repositories r ON r.repo_key = p.repo_key AND r.project = $2 \
         WHERE p.run_id = $1 AND p.commit_id IS NULL ORDER BY r.name, p.branch",
    );
    let rows = db.fetch_all(select.bind(run_id).bind(project.as_str())).await?;
    rows.iter()
        .map(|row| {
            let name = RepositoryName::from_trusted(row.get(1)?);
            Ok((row.get(0)?, name, RefName::from_trusted(row.get(2)?)))
        })
        .collect()
}

/// Lets a run see the branch as it is.
pub(crate) async fn follow(tx: &mut Tx, key: RepoKey, run_id: &str, branch: &RefName) -> Result<()> {
    // Looked at first: writers of one run must not wait for each other's row.
    let select =
        query("SELECT 1 FROM run_pins WHERE run_id = $1 AND repo_key = $2 AND branch = $3 AND commit_id IS NULL");
    if tx.fetch_optional(select.bind(run_id).bind(key).bind(branch.as_str())).await?.is_some() {
        return Ok(());
    }
    let follow = query(
        "INSERT INTO run_pins (run_id, repo_key, branch, commit_id) VALUES ($1, $2, $3, NULL) \
         ON CONFLICT (run_id, repo_key, branch) DO UPDATE SET commit_id = NULL",
    );
    tx.execute(follow.bind(run_id).bind(key).bind(branch.as_str())).await.map(|_| ())
}
