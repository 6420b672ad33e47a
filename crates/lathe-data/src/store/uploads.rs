//! SQL of multipart uploads.

use std::collections::BTreeMap;
use std::sync::Arc;

use lathe_core::{Error, Result};
use lathe_db::{Db, Lock, Query, Row, Tx, lock, query};
use lathe_objects::ObjectHash;

use super::RepoKey;
use crate::uploads::{Part, Upload};
use crate::{Etag, ObjectKey, RefName};

/// A part and the object that holds it.
#[derive(Debug, Clone)]
pub(crate) struct PartRow {
    pub(crate) part: Part,
    pub(crate) object_hash: ObjectHash,
}

/// An id that nobody guesses: whoever may write to the branch may use it.
pub(crate) fn new_id() -> Result<String> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes)
        .map_err(|error| Error::internal(format!("the operating system gave no random bytes: {error}")))?;
    Ok(hex::encode(bytes))
}

pub(crate) async fn insert(
    tx: &mut Tx,
    key: RepoKey,
    upload: &Upload,
    content_type: &str,
    metadata: &BTreeMap<String, String>,
) -> Result<()> {
    let metadata = serde_json::to_string(metadata)
        .map_err(|error| Error::internal("metadata cannot be written as JSON").with_source(error))?;
    let insert = query(
        "INSERT INTO uploads (upload_id, repo_key, branch, path, content_type, metadata, created_at_ms, checksum) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    );
    let insert = insert.bind(&upload.upload_id).bind(key).bind(upload.branch.as_str()).bind(upload.path.as_str());
    let insert = insert.bind(content_type).bind(metadata).bind(upload.created_at_ms).bind(upload.checksum.clone());
    tx.execute(insert).await.map(|_| ())
}

/// The type and metadata of an upload that goes where the caller says.
pub(crate) async fn find(
    db: &Db,
    key: RepoKey,
    upload_id: &str,
    branch: &RefName,
    path: &ObjectKey,
) -> Result<Option<(String, BTreeMap<String, String>)>> {
    let select = query(
        "SELECT content_type, metadata FROM uploads WHERE upload_id = $1 AND repo_key = $2 AND branch = $3 AND path = $4",
    );
    let row = db.fetch_optional(select.bind(upload_id).bind(key).bind(branch.as_str()).bind(path.as_str())).await?;
    row.map(|row| {
        let metadata: String = row.get(1)?;
        let metadata = serde_json::from_str(&metadata)
            .map_err(|error| Error::internal("an upload's metadata is not JSON").with_source(error))?;
        Ok((row.get(0)?, metadata))
    })
    .transpose()
}

/// By path and age.
pub(crate) async fn list(db: &Db, key: RepoKey, branch: Option<&RefName>) -> Result<Vec<Upload>> {
    let mut select = of_repository(key);
    if let Some(branch) = branch {
        select.push(" AND branch = ").push_bind(branch.as_str());
    }
    select.push(" ORDER BY branch, path, created_at_ms, upload_id");
    db.fetch_all(select).await?.iter().map(read).collect()
}

/// An upload of a repository, wherever in it it goes.
pub(crate) async fn get(db: &Db, key: RepoKey, upload_id: &str) -> Result<Option<Upload>> {
    let mut select = of_repository(key);
    select.push(" AND upload_id = ").push_bind(upload_id);
    db.fetch_optional(select).await?.as_ref().map(read).transpose()
}

fn of_repository(key: RepoKey) -> Query {
    let mut select = query("SELECT upload_id, branch, path, created_at_ms, checksum FROM uploads WHERE repo_key = ");
    select.push_bind(key);
    select
}

fn read(row: &Row) -> Result<Upload> {
    let path: String = row.get(2)?;
    Ok(Upload {
        upload_id: row.get(0)?,
        branch: RefName::from_trusted(row.get(1)?),
        path: ObjectKey::from_trusted(Arc::from(path)),
        created_at_ms: row.get(3)?,
        checksum: row.get(4)?,
    })
}

/// Answers whether the upload is still under way.
pub(crate) async fn upsert_part(tx: &mut Tx, upload_id: &str, row: &PartRow) -> Result<bool> {
    if !hold(tx, upload_id, Lock::Shared).await? {
        return Ok(false);
    }
    let upsert = query(
        "INSERT INTO upload_parts (upload_id, part_number, object_hash, size_bytes, etag, uploaded_at_ms) \
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (upload_id, part_number) DO UPDATE SET \
           object_hash = excluded.object_hash, size_bytes = excluded.size_bytes, etag = excluded.etag, \
           uploaded_at_ms = excluded.uploaded_at_ms",
    );
    let PartRow { part, object_hash } = row;
    let upsert = upsert.bind(upload_id).bind(i64::from(part.number)).bind(object_hash.as_str()).bind(part.size_bytes);
    tx.execute(upsert.bind(part.etag.to_string()).bind(part.uploaded_at_ms)).await?;
    Ok(true)
}

async fn hold(tx: &mut Tx, upload_id: &str, how: Lock) -> Result<bool> {
    let select = query("SELECT upload_id FROM uploads WHERE upload_id = $1").bind(upload_id);
    Ok(tx.fetch_optional(lock(tx.kind(), how, select)).await?.is_some())
}

pub(crate) async fn list_parts(db: &Db, upload_id: &str, after: u32, limit: usize) -> Result<Vec<PartRow>> {
    let select = query(
        "SELECT part_number, object_hash, size_bytes, etag, uploaded_at_ms FROM upload_parts \
         WHERE upload_id = $1 AND part_number > $2 ORDER BY part_number LIMIT $3",
    );
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = db.fetch_all(select.bind(upload_id).bind(i64::from(after)).bind(limit)).await?;
    rows.iter().map(read_part).collect()
}

fn read_part(row: &Row) -> Result<PartRow> {
    let (number, hash, etag): (i64, String, String) = (row.get(0)?, row.get(1)?, row.get(3)?);
    let damaged = || Error::internal("a part's row is damaged");
    let part = Part {
        number: u32::try_from(number).map_err(|_| damaged())?,
        size_bytes: row.get(2)?,
        etag: Etag::parse(&etag).ok_or_else(damaged)?,
        uploaded_at_ms: row.get(4)?,
    };
    Ok(PartRow { part, object_hash: ObjectHash::parse(&hash)? })
}

/// Answers whether it was under way.
pub(crate) async fn delete(tx: &mut Tx, upload_id: &str) -> Result<bool> {
    // A part that is just arriving holds the upload: it comes before this, or finds nothing.
    let deleted = tx.execute(query("DELETE FROM uploads WHERE upload_id = $1").bind(upload_id)).await?;
    tx.execute(query("DELETE FROM upload_parts WHERE upload_id = $1").bind(upload_id)).await?;
    Ok(deleted == 1)
}

/// Gives up all uploads that go to a branch.
pub(crate) async fn delete_of_branch(tx: &mut Tx, key: RepoKey, branch: &RefName) -> Result<()> {
    let select = query("SELECT upload_id FROM uploads WHERE repo_key = $1 AND branch = $2");
    for row in tx.fetch_all(select.bind(key).bind(branch.as_str())).await? {
        let upload_id: String = row.get(0)?;
        delete(tx, &upload_id).await?;
    }
    Ok(())
}

pub(crate) async fn delete_older(tx: &mut Tx, before_ms: i64) -> Result<u64> {
    let old =
        query("DELETE FROM upload_parts WHERE upload_id IN (SELECT upload_id FROM uploads WHERE created_at_ms < $1)");
    tx.execute(old.bind(before_ms)).await?;
    tx.execute(query("DELETE FROM uploads WHERE created_at_ms < $1").bind(before_ms)).await
}
