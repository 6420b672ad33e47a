//! Checking the store: every object is read whole and compared with its hash; what depends on a damaged one is named.

use futures::StreamExt as _;
use lathe_core::{Code, Result};
use lathe_db::query;

use crate::{ObjectHash, Objects, Reference};

/// What the errors about a damaged object advise; who reads a check's own findings needs no such advice.
pub(crate) const ADVICE: &str = "; run `lathe fsck`";

/// A damaged or missing object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The object.
    pub hash: ObjectHash,
    /// What is wrong.
    pub reason: String,
    /// Which rows name it, as `table label`.
    pub dependents: Vec<String>,
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FsckReport {
    /// Objects read.
    pub objects: u64,
    /// Their bytes.
    pub bytes: i64,
    /// What is damaged or missing.
    pub damages: Vec<Damage>,
}

/// Reads every object that a row names or that the table lists.
///
/// # Errors
/// What the database answers; damage is a finding, not an error.
pub async fn fsck(objects: &Objects, references: &[Reference]) -> Result<FsckReport> {
    let mut report = FsckReport::default();
    let mut last = String::new();
    loop {
        let mut q = query("SELECT hash FROM (SELECT hash FROM objects WHERE state = 'live'");
        for reference in references {
            q.push(" UNION SELECT ").push(reference.column).push(" FROM ").push(reference.table);
        }
        q.push(") named WHERE hash > ").push_bind(last.as_str()).push(" ORDER BY hash LIMIT 500");
        let rows = objects.db.fetch_all(q).await?;
        let Some(final_row) = rows.last() else { return Ok(report) };
        last = final_row.get(0)?;
        for row in &rows {
            let text: String = row.get(0)?;
            let hash = ObjectHash::parse(&text)?;
            report.objects += 1;
            match read_whole(objects, &hash).await {
                Ok(bytes) => report.bytes += bytes,
                Err(error) if error.code() == Code::Internal => {
                    let dependents = dependents(objects, references, &hash).await?;
                    // A row without a blob that nothing names is what a crash leaves before the blob was published.
                    if !dependents.is_empty() || objects.backend.size(&hash).await?.is_some() {
                        report.damages.push(Damage { hash, reason: error.log_line().replace(ADVICE, ""), dependents });
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }
}

async fn read_whole(objects: &Objects, hash: &ObjectHash) -> Result<i64> {
    let mut read = objects.get(hash, None).await?;
    while let Some(chunk) = read.stream.next().await {
        chunk?;
    }
    Ok(read.size_bytes)
}

async fn dependents(objects: &Objects, references: &[Reference], hash: &ObjectHash) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for reference in references {
        let mut q = query("SELECT ");
        q.push(reference.label).push(" FROM ").push(reference.table).push(" WHERE ").push(reference.column);
        q.push(" = ").push_bind(hash.as_str()).push(" LIMIT 100");
        for row in objects.db.fetch_all(q).await? {
            names.push(format!("{} {}", reference.table, row.get::<String>(0)?));
        }
    }
    Ok(names)
}
