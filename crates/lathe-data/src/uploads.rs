//! Multipart uploads: a large file arrives in parts, in any order and from several connections, and appears whole.
//!
//! Each part is an object of its own. Completing reads the parts in order into one object, whose hash is the file's identity;
//! the parts are garbage then.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{Stream, StreamExt as _, TryStreamExt as _};
use lathe_core::{Action, Ctx, Error, Result};
use lathe_db::{FutureExt as _, Lock};
use lathe_objects::{ObjectHash, Objects};
use md5::{Digest as _, Md5};

use crate::entry::{Entry, Etag};
use crate::objects::{Change, refuse_early, stage, store_bytes, store_object};
use crate::refs::require_branch;
use crate::repositories::find_key;
use crate::store::uploads::{self, PartRow};
use crate::store::{self, RepoKey};
use crate::{Data, ObjectKey, RefName, RepositoryName, objects};

/// S3's limits of a part's number and of the size of all parts but the last.
const MAX_PART_NUMBER: u32 = 10_000;
const MIN_PART_BYTES: i64 = 5 * 1024 * 1024;
/// How long an upload may lie before its parts are given up.
pub const MAX_UPLOAD_AGE_MS: i64 = 7 * 24 * 3600 * 1000;
/// The most parts or uploads that a page lists.
pub const MAX_LISTED: usize = 1_000;

/// Where an upload goes, and its id.
#[derive(Debug, Clone)]
pub struct UploadName<'a> {
    /// The repository.
    pub repository: &'a RepositoryName,
    /// The branch.
    pub branch: &'a RefName,
    /// The path that the file will have.
    pub path: &'a ObjectKey,
    /// What [`create_upload`] answered.
    pub upload_id: &'a str,
}

/// An upload that is under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    /// Its id.
    pub upload_id: String,
    /// The branch it goes to.
    pub branch: RefName,
    /// The path that the file will have.
    pub path: ObjectKey,
    /// When it began, in milliseconds since 1970.
    pub created_at_ms: i64,
    /// What its beginning announced of checksums, as the door writes it that verifies them.
    pub checksum: Option<String>,
}

/// What an upload is begun with.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CreateUpload {
    /// What is attached to the file.
    pub object: objects::PutObject,
    /// See [`Upload::checksum`].
    pub checksum: Option<String>,
}

/// A part that has arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// 1-10,000.
    pub number: u32,
    /// How long it is.
    pub size_bytes: i64,
    /// MD5 of its bytes.
    pub etag: Etag,
    /// When it arrived, in milliseconds since 1970.
    pub uploaded_at_ms: i64,
}

/// A part as the one who completes an upload names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedPart {
    /// Its number.
    pub number: u32,
    /// The tag that its upload answered; `None` takes it as it is.
    pub etag: Option<Etag>,
}

/// The bytes of parts in order: each chunk with the place of its part among those that were named.
pub type PartStream = BoxStream<'static, Result<(usize, Bytes)>>;

/// What an upload is completed with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CompleteUpload {
    /// The parts, in order.
    pub parts: Vec<NamedPart>,
    /// How long they must be together.
    pub size_bytes: Option<u64>,
    /// What must hold where the file goes.
    pub conditions: objects::Conditions,
}

/// Why parts do not make a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PartFault {
    /// One is named that never arrived, or with another tag.
    Unknown,
    /// They are not in ascending order.
    Order,
    /// One that is not the last is under 5 MiB.
    TooSmall,
    /// Together they have another length than they must.
    Size,
}

/// An upload whose parts make a file, as [`complete_upload`] makes it.
#[derive(Debug, Clone)]
pub struct Completion {
    key: RepoKey,
    branch: RefName,
    path: ObjectKey,
    upload_id: String,
    content_type: String,
    metadata: BTreeMap<String, String>,
    conditions: objects::Conditions,
    parts: Vec<PartRow>,
}

impl Completion {
    /// How long the file will be.
    pub fn size_bytes(&self) -> u64 {
        let size: i64 = self.parts.iter().map(|row| row.part.size_bytes).sum();
        u64::try_from(size).unwrap_or_default()
    }
}

/// The parts that make a file, or why they make none.
#[derive(Debug, Clone)]
pub enum Chosen {
    /// They do.
    Parts(Box<Completion>),
    /// They do not; nothing was changed.
    Refused(PartFault, String),
}

/// Begins an upload. Its conditions are those of [`complete_upload`]; here they are left out.
///
/// # Errors
/// `NotFound` for the branch, `InvalidArgument` for a tag or too much metadata.
pub async fn create_upload(
    ctx: &Ctx,
    data: &Data,
    repository: &RepositoryName,
    branch: &RefName,
    path: &ObjectKey,
    CreateUpload { object, checksum }: CreateUpload,
) -> Result<String> {
    ctx.authorize(Action::Write)?;
    object.check()?;
    let key = find_key(ctx, data, repository).await?;
    refuse_early(data, key, branch, path, &objects::Conditions::default()).await?;
    let upload = Upload {
        upload_id: uploads::new_id()?,
        branch: branch.clone(),
        path: path.clone(),
        created_at_ms: ctx.now_ms(),
        checksum,
    };
    let id = upload.upload_id.clone();
    let objects::PutObject { content_type, metadata, conditions: _ } = object;
    data.db
        .write(move |tx| {
            async move {
                // Whoever deletes the branch ends its uploads: none may begin on it afterwards.
                let held = store::refs::hold(tx, key, &upload.branch, Lock::Shared).await?;
                require_branch(held, &upload.branch)?;
                uploads::insert(tx, key, &upload, &content_type, &metadata).await
            }
            .boxed()
        })
        .await?;
    Ok(id)
}

/// An upload that is under way.
///
/// # Errors
/// `NotFound` when it is not, or goes elsewhere.
pub async fn get_upload(ctx: &Ctx, data: &Data, name: UploadName<'_>) -> Result<Upload> {
    ctx.authorize(Action::Write)?;
    let key = find_key(ctx, data, name.repository).await?;
    let found = uploads::get(&data.db, key, name.upload_id).await?;
    let is_there = |upload: &Upload| upload.branch == *name.branch && upload.path == *name.path;
    found.filter(is_there).ok_or_else(|| not_found(&name))
}

/// Stores a part; a part of the same number is replaced.
///
/// # Errors
/// `NotFound` for the upload, `InvalidArgument` for the number, and whatever the stream or the object store answers.
pub async fn put_part(
    ctx: &Ctx,
    data: &Data,
    name: UploadName<'_>,
    number: u32,
    body: impl Stream<Item = Result<Bytes>> + Send,
) -> Result<Part> {
    ctx.authorize(Action::Write)?;
    if !(1..=MAX_PART_NUMBER).contains(&number) {
        return Err(Error::invalid(format!("part number {number} is not between 1 and {MAX_PART_NUMBER}")));
    }
    require(ctx, data, &name).await?;
    let (object, md5) = store_object(data, body).await?;
    let part =
        Part { number, size_bytes: object.size_bytes, etag: Etag { md5, parts: 0 }, uploaded_at_ms: ctx.now_ms() };
    let row = PartRow { part: part.clone(), object_hash: object.hash };
    let upload_id = name.upload_id.to_owned();
    let is_stored =
        data.db.write(move |tx| async move { uploads::upsert_part(tx, &upload_id, &row).await }.boxed()).await?;
    if is_stored { Ok(part) } else { Err(not_found(&name)) }
}

/// The parts that have arrived after a number, in order; and whether there are more. As in S3, nothing follows when nothing is asked for.
///
/// # Errors
/// `NotFound` for the upload.
pub async fn list_parts(
    ctx: &Ctx,
    data: &Data,
    name: UploadName<'_>,
    after: u32,
    limit: usize,
) -> Result<(Vec<Part>, bool)> {
    ctx.authorize(Action::Write)?;
    require(ctx, data, &name).await?;
    if limit == 0 {
        return Ok((Vec::new(), false));
    }
    let limit = limit.min(MAX_LISTED);
    let mut rows = uploads::list_parts(&data.db, name.upload_id, after, limit + 1).await?;
    let has_more = rows.len() > limit;
    rows.truncate(limit);
    Ok((rows.into_iter().map(|row| row.part).collect(), has_more))
}

/// The uploads under way of a repository, or of one of its branches, by branch, path and age.
///
/// # Errors
/// `NotFound` for the repository.
pub async fn list_uploads(
    ctx: &Ctx,
    data: &Data,
    repository: &RepositoryName,
    branch: Option<&RefName>,
) -> Result<Vec<Upload>> {
    ctx.authorize(Action::Write)?;
    let key = find_key(ctx, data, repository).await?;
    uploads::list(&data.db, key, branch).await
}

/// Chooses the parts that an upload is completed with. What can be refused without their bytes is refused here: [`complete_upload`] may
/// take long.
///
/// # Errors
/// `NotFound` for the upload or the branch, `PreconditionFailed`.
pub async fn choose_parts(ctx: &Ctx, data: &Data, name: UploadName<'_>, request: CompleteUpload) -> Result<Chosen> {
    ctx.authorize(Action::Write)?;
    let key = find_key(ctx, data, name.repository).await?;
    let (content_type, metadata) = require(ctx, data, &name).await?;
    let rows = uploads::list_parts(&data.db, name.upload_id, 0, MAX_PART_NUMBER as usize).await?;
    let CompleteUpload { parts, size_bytes, conditions } = request;
    let chosen = match choose(&rows, &parts).and_then(|chosen| check_size(chosen, size_bytes)) {
        Ok(chosen) => chosen,
        Err((fault, why)) => {
            // The parts go when the upload ends: it may have ended since it was looked at.
            require(ctx, data, &name).await?;
            return Ok(Chosen::Refused(fault, why));
        }
    };
    if let Err(refusal) = refuse_early(data, key, name.branch, name.path, &conditions).await {
        // What is in the way may be the file that the upload has just become.
        require(ctx, data, &name).await?;
        return Err(refusal);
    }
    Ok(Chosen::Parts(Box::new(Completion {
        key,
        branch: name.branch.clone(),
        path: name.path.clone(),
        upload_id: name.upload_id.to_owned(),
        content_type,
        metadata,
        conditions,
        parts: chosen.into_iter().cloned().collect(),
    })))
}

/// Makes the file of its parts, and ends the upload in the same transaction. The bytes go through `check`, whose error keeps all as it is.
///
/// # Errors
/// `NotFound` when the upload or the branch has ended, `PreconditionFailed`, and what `check` or the object store answers.
pub async fn complete_upload(
    ctx: &Ctx,
    data: &Data,
    completion: Completion,
    check: impl FnOnce(PartStream) -> BoxStream<'static, Result<Bytes>>,
) -> Result<Entry> {
    ctx.authorize(Action::Write)?;
    let Completion { key, branch, path, upload_id, content_type, metadata, conditions, parts } = completion;
    let stored = store_bytes(data, check(concatenate(&data.objects, &parts))).await?;
    let mut tags = Md5::new();
    for row in &parts {
        tags.update(row.part.etag.md5);
    }
    let entry = Entry {
        size_bytes: stored.size_bytes,
        hash: stored.hash,
        etag: Etag { md5: tags.finalize().into(), parts: u32::try_from(parts.len()).unwrap_or_default() },
        modified_at_ms: ctx.now_ms(),
        content_type,
        metadata,
        blob: stored.blob,
    };
    let change = Change { entry: Some(entry.clone()), conditions, ends_upload: Some(upload_id) };
    stage(ctx, data, key, &branch, &path, change).await?;
    Ok(entry)
}

/// Gives an upload up.
///
/// # Errors
/// `NotFound`.
pub async fn abort_upload(ctx: &Ctx, data: &Data, name: UploadName<'_>) -> Result<()> {
    ctx.authorize(Action::Write)?;
    require(ctx, data, &name).await?;
    let upload_id = name.upload_id.to_owned();
    let was_there = data.db.write(move |tx| async move { uploads::delete(tx, &upload_id).await }.boxed()).await?;
    if was_there { Ok(()) } else { Err(not_found(&name)) }
}

/// Gives up the uploads that began before a time (milliseconds since 1970); for the collection of garbage.
///
/// # Errors
/// What the database answers.
pub async fn expire_uploads(data: &Data, before_ms: i64) -> Result<u64> {
    data.db.write(move |tx| async move { uploads::delete_older(tx, before_ms).await }.boxed()).await
}

/// What the file will be besides its bytes, if the upload is under way and goes where the caller says.
async fn require(ctx: &Ctx, data: &Data, name: &UploadName<'_>) -> Result<(String, BTreeMap<String, String>)> {
    let key = find_key(ctx, data, name.repository).await?;
    let found = uploads::find(&data.db, key, name.upload_id, name.branch, name.path).await?;
    found.ok_or_else(|| not_found(name))
}

fn not_found(name: &UploadName<'_>) -> Error {
    Error::not_found(format!("upload {:?} of `{}` is not under way; begin a new one", name.upload_id, name.path))
}

fn choose<'r>(rows: &'r [PartRow], named: &[NamedPart]) -> std::result::Result<Vec<&'r PartRow>, (PartFault, String)> {
    if named.is_empty() {
        return Err((PartFault::Unknown, "an upload is completed with at least one part".to_owned()));
    }
    if let Some([first, second]) = named.array_windows().find(|[first, second]| first.number >= second.number) {
        let why = format!("part {} comes after part {}; name parts in ascending order", second.number, first.number);
        return Err((PartFault::Order, why));
    }
    let mut chosen = Vec::with_capacity(named.len());
    for part in named {
        let found = rows.binary_search_by_key(&part.number, |row| row.part.number).ok().and_then(|at| rows.get(at));
        let found = found.filter(|row| part.etag.is_none_or(|etag| etag == row.part.etag));
        let why = || format!("part {} did not arrive, or its ETag is another one", part.number);
        chosen.push(found.ok_or_else(|| (PartFault::Unknown, why()))?);
    }
    let all_but_last = chosen.len() - 1;
    match chosen.iter().take(all_but_last).find(|row| row.part.size_bytes < MIN_PART_BYTES) {
        None => Ok(chosen),
        Some(row) => {
            let why =
                format!("part {} has {} bytes; all but the last need 5 MiB", row.part.number, row.part.size_bytes);
            Err((PartFault::TooSmall, why))
        }
    }
}

fn check_size(chosen: Vec<&PartRow>, expected: Option<u64>) -> std::result::Result<Vec<&PartRow>, (PartFault, String)> {
    let size: i64 = chosen.iter().map(|row| row.part.size_bytes).sum();
    match expected {
        Some(expected) if u64::try_from(size) != Ok(expected) => {
            Err((PartFault::Size, format!("the parts have {size} bytes together, not {expected}")))
        }
        _ => Ok(chosen),
    }
}

fn concatenate(objects: &Objects, parts: &[PartRow]) -> PartStream {
    let objects = objects.clone();
    let hashes: Vec<ObjectHash> = parts.iter().map(|row| row.object_hash.clone()).collect();
    stream::iter(hashes.into_iter().enumerate())
        .then(move |(place, hash)| {
            let objects = objects.clone();
            async move {
                let read = objects.get(&hash, None).await?;
                Ok::<_, Error>(read.stream.map_ok(move |chunk| (place, chunk)))
            }
        })
        .try_flatten()
        .boxed()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(number: u32, size_bytes: i64) -> PartRow {
        let etag = Etag { md5: [u8::try_from(number).unwrap(); 16], parts: 0 };
        let object_hash = ObjectHash::parse(&"a".repeat(64)).unwrap();
        PartRow { part: Part { number, size_bytes, etag, uploaded_at_ms: 0 }, object_hash }
    }

    fn named(number: u32) -> NamedPart {
        NamedPart { number, etag: None }
    }

    #[test]
    fn parts_must_be_known_in_order_and_large_enough() {
        let rows = [row(1, MIN_PART_BYTES), row(2, MIN_PART_BYTES - 1), row(7, 1)];
        let fault = |parts: &[NamedPart]| choose(&rows, parts).map(|chosen| chosen.len()).map_err(|(fault, _)| fault);
        assert_eq!(fault(&[named(1), named(7)]), Ok(2));
        assert_eq!(fault(&[named(2)]), Ok(1), "the last may be small");
        assert_eq!(fault(&[named(2), named(7)]), Err(PartFault::TooSmall));
        assert_eq!(fault(&[named(7), named(1)]), Err(PartFault::Order));
        assert_eq!(fault(&[named(1), named(1)]), Err(PartFault::Order));
        assert_eq!(fault(&[named(3)]), Err(PartFault::Unknown));
        assert_eq!(fault(&[]), Err(PartFault::Unknown));
        let other = Etag { md5: [9; 16], parts: 0 };
        assert_eq!(fault(&[NamedPart { number: 1, etag: Some(other) }]), Err(PartFault::Unknown));
    }
}
