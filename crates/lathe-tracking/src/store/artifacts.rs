//! SQL of artifact paths.

use lathe_core::{Project, Result};
use lathe_db::{Db, Row, Tx, query};
use lathe_objects::ObjectHash;

use crate::ArtifactPath;
use crate::artifacts::{Artifact, ArtifactEntry};

/// How many rows a listing reads before it looks whether it can skip.
const LIST_ROWS: i64 = 200;

/// Why a file cannot have a path.
pub(crate) enum Conflict {
    /// Files are stored below it.
    Folder,
    /// One of its folders is a file.
    File(ArtifactPath),
}

fn read(row: &Row) -> Result<Artifact> {
    let hash: String = row.get(1)?;
    Ok(Artifact {
        path: ArtifactPath::from_trusted(row.get(0)?),
        hash: ObjectHash::parse(&hash)?,
        size_bytes: row.get(2)?,
        updated_at_ms: row.get(3)?,
    })
}

pub(crate) async fn find(db: &Db, project: &Project, path: &ArtifactPath) -> Result<Option<Artifact>> {
    let row = db
        .fetch_optional(
            query(
                "SELECT path, object_hash, size_bytes, updated_at_ms FROM artifacts WHERE project = $1 AND path = $2",
            )
            .bind(project.as_str())
            .bind(path.as_str()),
        )
        .await?;
    row.as_ref().map(read).transpose()
}

pub(crate) async fn upsert(tx: &mut Tx, project: &Project, artifact: &Artifact) -> Result<()> {
    tx.execute(
        query(
            "INSERT INTO artifacts (project, path, object_hash, size_bytes, updated_at_ms) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (project, path) DO UPDATE SET object_hash = excluded.object_hash, \
               size_bytes = excluded.size_bytes, updated_at_ms = excluded.updated_at_ms",
        )
        .bind(project.as_str())
        .bind(artifact.path.as_str())
        .bind(artifact.hash.as_str())
        .bind(artifact.size_bytes)
        .bind(artifact.updated_at_ms),
    )
    .await
    .map(|_| ())
}

/// All paths below a folder lie from `folder/` up to, without, `folder0`: `0` is the character after `/`.
fn below(folder: &str) -> (String, String) {
    (format!("{folder}/"), format!("{folder}0"))
}

/// What is in the way of a file with this path.
pub(crate) async fn find_conflict(tx: &mut Tx, project: &Project, path: &ArtifactPath) -> Result<Option<Conflict>> {
    let (from, to) = below(path.as_str());
    let mut select = query("SELECT path FROM artifacts WHERE project = $1 AND path >= $2 AND path < $3 LIMIT 1");
    select = select.bind(project.as_str()).bind(&from).bind(&to);
    if tx.fetch_optional(select).await?.is_some() {
        return Ok(Some(Conflict::Folder));
    }
    let folders: Vec<&str> = path.folders().collect();
    if folders.is_empty() {
        return Ok(None);
    }
    let mut select = query("SELECT path FROM artifacts WHERE project = $1 AND path IN ").bind(project.as_str());
    select.push_list(folders).push(" LIMIT 1");
    let row = tx.fetch_optional(select).await?;
    row.map(|row| Ok(Conflict::File(ArtifactPath::from_trusted(row.get(0)?)))).transpose()
}

/// Deletes a file and everything below the path; answers how many files.
pub(crate) async fn delete(tx: &mut Tx, project: &Project, path: &ArtifactPath) -> Result<u64> {
    let (from, to) = below(path.as_str());
    tx.execute(
        query("DELETE FROM artifacts WHERE project = $1 AND (path = $2 OR (path >= $3 AND path < $4))")
            .bind(project.as_str())
            .bind(path.as_str())
            .bind(&from)
            .bind(&to),
    )
    .await
}

/// What a folder holds directly, by name.
///
/// Rows come in the order of their paths; once a folder inside is seen, the scan jumps behind all of it, so that its files
/// cost nothing.
pub(crate) async fn list(db: &Db, project: &Project, folder: Option<&ArtifactPath>) -> Result<Vec<ArtifactEntry>> {
    let (prefix, end) = folder.map_or_else(
        || (String::new(), None),
        |folder| {
            let (from, to) = below(folder.as_str());
            (from, Some(to))
        },
    );
    let mut entries: Vec<ArtifactEntry> = Vec::new();
    let mut from = prefix.clone();
    loop {
        let mut select = query("SELECT path, size_bytes FROM artifacts WHERE project = ");
        select.push_bind(project.as_str()).push(" AND path >= ").push_bind(&from);
        if let Some(end) = &end {
            select.push(" AND path < ").push_bind(end);
        }
        select.push(" ORDER BY path LIMIT ").push_bind(LIST_ROWS);
        let rows = db.fetch_all(select).await?;
        let is_last = rows.len() < usize::try_from(LIST_ROWS).unwrap_or(usize::MAX);
        // The folder that the rows are in now, and where the scan goes on.
        let mut inside: Option<String> = None;
        let mut next = None;
        for row in &rows {
            let path: String = row.get(0)?;
            let name = path.strip_prefix(&prefix).unwrap_or_default();
            if let Some((name, _)) = name.split_once('/') {
                if inside.as_deref() != Some(name) {
                    entries.push(ArtifactEntry { name: name.to_owned(), size_bytes: None });
                    inside = Some(name.to_owned());
                }
                next = Some(below(&format!("{prefix}{name}")).1);
            } else {
                entries.push(ArtifactEntry { name: name.to_owned(), size_bytes: Some(row.get(1)?) });
                inside = None;
                // The smallest text after this one.
                next = Some(format!("{path}\u{1}"));
            }
        }
        match next {
            Some(next) if !is_last => from = next,
            _ => break,
        }
    }
    entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    Ok(entries)
}
