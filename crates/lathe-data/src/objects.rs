//! Files: written to a branch's staging area, read from any ref.

use std::collections::BTreeMap;
use std::ops::Range;

use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{Stream, StreamExt as _, TryStreamExt as _};
use lathe_core::{Action, Code, Ctx, Error, Result};
use lathe_db::{FutureExt as _, Lock, Tx};
use lathe_objects::Object;
use md5::{Digest as _, Md5};

use crate::commits::ATTEMPTS;
use crate::entry::{Blob, ContentHash, Entry, Etag, MAX_INLINE_BYTES};
use crate::refs::{self, require_branch};
use crate::repositories::find_key;
use crate::store::staged::StagedRow;
use crate::store::{self, RepoKey};
use crate::uses::{self, View};
use crate::{CommitId, Data, ObjectKey, RefName, RepositoryName, Revision, tree, validate};

/// Which versions a condition of RFC 9110 names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tags {
    /// `*`: any version.
    Any,
    /// One of these.
    OneOf(Vec<Etag>),
}

impl Tags {
    fn has(&self, entry: &Entry) -> bool {
        match self {
            Tags::Any => true,
            Tags::OneOf(tags) => tags.contains(&entry.etag),
        }
    }
}

/// What must hold for a write to happen; looked at in the write's own transaction.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Conditions {
    /// The path must hold one of these.
    pub if_match: Option<Tags>,
    /// The path must hold none of these.
    pub if_none_match: Option<Tags>,
}

impl Conditions {
    fn is_empty(&self) -> bool {
        self.if_match.is_none() && self.if_none_match.is_none()
    }

    /// Whether they hold for what a path holds now.
    ///
    /// # Errors
    /// `PreconditionFailed`.
    pub fn check(&self, path: &ObjectKey, current: Option<&Entry>) -> Result<()> {
        let failed = |why: &str| Err(Error::new(Code::PreconditionFailed, format!("`{path}` {why}")));
        if let Some(tags) = &self.if_match {
            match current {
                None => return failed("does not exist, and the request asked that it does (If-Match)"),
                Some(entry) if !tags.has(entry) => {
                    return failed("has changed: its ETag is not the expected one (If-Match)");
                }
                Some(_) => {}
            }
        }
        if let (Some(tags), Some(entry)) = (&self.if_none_match, current)
            && tags.has(entry)
        {
            return failed("exists, and the request asked that it does not (If-None-Match)");
        }
        Ok(())
    }
}

/// What a written file is besides its bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PutObject {
    /// The media type; empty when nobody says it.
    pub content_type: String,
    /// Whatever the writer attaches, at most 2 KiB.
    pub metadata: BTreeMap<String, String>,
    /// What must hold.
    pub conditions: Conditions,
}

impl PutObject {
    pub(crate) fn check(&self) -> Result<()> {
        validate::content_type(&self.content_type)?;
        validate::object_metadata(&self.metadata)
    }
}

/// Where a copy comes from.
#[derive(Debug, Clone)]
pub struct CopySource {
    /// The repository, of the same project.
    pub repository: RepositoryName,
    /// The state of it.
    pub revision: Revision,
    /// The file.
    pub path: ObjectKey,
}

/// What a copy is besides its bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CopyObject {
    /// The media type and metadata that it gets instead of the source's.
    pub replace: Option<(String, BTreeMap<String, String>)>,
    /// What must hold where it goes.
    pub conditions: Conditions,
}

/// A file and (a range of) its bytes.
pub struct ObjectRead {
    /// The file.
    pub entry: Entry,
    /// The bytes asked for.
    pub stream: BoxStream<'static, Result<Bytes>>,
}

impl std::fmt::Debug for ObjectRead {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ObjectRead({:?})", self.entry)
    }
}

/// Stages a file on a branch. When this answers, its bytes are durable and every reader of the branch sees them.
///
/// # Errors
/// `NotFound` for the branch, `InvalidArgument` for a tag or too much metadata, `PreconditionFailed`, and whatever the stream
/// or the object store answers.
pub async fn put_object(
    ctx: &Ctx,
    data: &Data,
    repository: &RepositoryName,
    branch: &RefName,
    path: &ObjectKey,
    request: PutObject,
    body: impl Stream<Item = Result<Bytes>> + Send,
) -> Result<Entry> {
    ctx.authorize(Action::Write)?;
    request.check()?;
    let key = find_key(ctx, data, repository).await?;
    // Refused before the bytes travel; the transaction looks again.
    refuse_early(data, key, branch, path, &request.conditions).await?;
    let stored = store_bytes(data, body).await?;
    let PutObject { content_type, metadata, conditions } = request;
    let entry = Entry {
        size_bytes: stored.size_bytes,
        hash: stored.hash,
        etag: stored.etag,
        modified_at_ms: ctx.now_ms(),
        content_type,
        metadata,
        blob: stored.blob,
    };
    stage(ctx, data, key, branch, path, Change { entry: Some(entry.clone()), conditions, ends_upload: None }).await?;
    Ok(entry)
}

/// Refuses what the transaction would refuse, before bytes travel.
pub(crate) async fn refuse_early(
    data: &Data,
    key: RepoKey,
    branch: &RefName,
    path: &ObjectKey,
    conditions: &Conditions,
) -> Result<()> {
    let named = store::refs::find(&data.db, key, branch).await?;
    refs::require_branch_kind(named.map(|named| named.kind), branch)?;
    if conditions.is_empty() {
        return Ok(());
    }
    let current = find_current(data, key, &branch.clone().into(), path).await?.map(|(entry, _)| entry);
    conditions.check(path, current.as_ref())
}

/// Bytes that were read once and are kept.
pub(crate) struct Stored {
    pub(crate) size_bytes: u64,
    pub(crate) hash: ContentHash,
    pub(crate) etag: Etag,
    pub(crate) blob: Blob,
}

/// Reads the bytes once: small ones stay in memory for the tree, others stream into the object store.
pub(crate) async fn store_bytes(data: &Data, body: impl Stream<Item = Result<Bytes>> + Send) -> Result<Stored> {
    let mut body = Box::pin(body);
    let mut head: Vec<Bytes> = Vec::new();
    let mut size = 0;
    while size <= MAX_INLINE_BYTES {
        match body.next().await.transpose()? {
            Some(chunk) => {
                size += chunk.len();
                head.push(chunk);
            }
            None => {
                data.db.gate().check()?;
                let bytes = Bytes::from(head.concat());
                let etag = Etag { md5: Md5::digest(&bytes).into(), parts: 0 };
                let (size_bytes, hash) = (bytes.len() as u64, ContentHash::of(&bytes));
                return Ok(Stored { size_bytes, hash, etag, blob: Blob::Inline(bytes) });
            }
        }
    }
    let (object, md5) = store_object(data, stream::iter(head.into_iter().map(Ok)).chain(body)).await?;
    Ok(Stored {
        size_bytes: u64::try_from(object.size_bytes).unwrap_or_default(),
        hash: ContentHash::of_object(&object.hash)?,
        etag: Etag { md5, parts: 0 },
        blob: Blob::Object,
    })
}

/// Streams bytes into the object store; answers their MD5, too.
pub(crate) async fn store_object(
    data: &Data,
    body: impl Stream<Item = Result<Bytes>> + Send,
) -> Result<(Object, [u8; 16])> {
    let mut md5 = Md5::new();
    let object = data.objects.put(Box::pin(body.inspect_ok(|chunk| md5.update(chunk)))).await?;
    Ok((object, md5.finalize().into()))
}

/// Stages a file of a branch under another path, or on another branch or in another repository of the project, without copying
/// its bytes.
///
/// # Errors
/// As [`put_object`], and `NotFound` for the source.
pub async fn copy_object(
    ctx: &Ctx,
    data: &Data,
    source: &CopySource,
    repository: &RepositoryName,
    branch: &RefName,
    path: &ObjectKey,
    request: CopyObject,
) -> Result<Entry> {
    ctx.authorize(Action::Write)?;
    let entry = head_object(ctx, data, &source.repository, &source.revision, &source.path).await?;
    copy_entry(ctx, data, entry, repository, branch, path, request).await
}

/// Stages an entry that a function of this room answered to the same caller under another path, even when its own was written again since.
///
/// # Errors
/// As [`put_object`].
pub async fn copy_entry(
    ctx: &Ctx,
    data: &Data,
    source: Entry,
    repository: &RepositoryName,
    branch: &RefName,
    path: &ObjectKey,
    request: CopyObject,
) -> Result<Entry> {
    ctx.authorize(Action::Write)?;
    let key = find_key(ctx, data, repository).await?;
    let mut entry = Entry { modified_at_ms: ctx.now_ms(), ..source };
    let CopyObject { replace, conditions } = request;
    if let Some((content_type, metadata)) = replace {
        validate::content_type(&content_type)?;
        validate::object_metadata(&metadata)?;
        (entry.content_type, entry.metadata) = (content_type, metadata);
    }
    match &entry.blob {
        Blob::Inline(_) => {}
        Blob::Object => data.objects.renew(&entry.hash.to_object()?).await?,
        Blob::Packed { pack, .. } => data.objects.renew(&pack.to_object()?).await?,
    }
    stage(ctx, data, key, branch, path, Change { entry: Some(entry.clone()), conditions, ends_upload: None }).await?;
    Ok(entry)
}

/// Stages the removal of a file. One that is not there is no error, unless a condition says so.
///
/// # Errors
/// `NotFound` for the branch, `InvalidArgument` for a tag, `PreconditionFailed`.
pub async fn delete_object(
    ctx: &Ctx,
    data: &Data,
    repository: &RepositoryName,
    branch: &RefName,
    path: &ObjectKey,
    conditions: Conditions,
) -> Result<()> {
    ctx.authorize(Action::Write)?;
    let key = find_key(ctx, data, repository).await?;
    stage(ctx, data, key, branch, path, Change { entry: None, conditions, ends_upload: None }).await
}

/// What a commit holds under a path.
struct Committed {
    commit_id: CommitId,
    entry: Option<Entry>,
}

/// What is to become of a path.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    /// What it holds then; `None` removes it.
    pub(crate) entry: Option<Entry>,
    /// What must hold now.
    pub(crate) conditions: Conditions,
    /// The multipart upload that the change completes.
    pub(crate) ends_upload: Option<String>,
}

/// Writes the row of a staged change. What depends on the commit below is read before the transaction, which then makes sure
/// that the branch is still there.
pub(crate) async fn stage(
    ctx: &Ctx,
    data: &Data,
    key: RepoKey,
    branch: &RefName,
    path: &ObjectKey,
    change: Change,
) -> Result<()> {
    let needs_commit = change.entry.is_none() || !change.conditions.is_empty();
    for _ in 0..ATTEMPTS {
        let committed = if needs_commit { Some(committed(data, key, branch, path).await?) } else { None };
        let change =
            StagedChange { key, branch: branch.clone(), path: path.clone(), change: change.clone(), committed };
        let ctx = ctx.clone();
        if data.db.write(move |tx| async move { change.write(tx, &ctx).await }.boxed()).await? {
            return Ok(());
        }
    }
    Err(crate::commits::busy(branch))
}

async fn committed(data: &Data, key: RepoKey, branch: &RefName, path: &ObjectKey) -> Result<Committed> {
    let peeked = store::refs::peek(&data.db, key, branch, path.as_str()).await?;
    let peeked = peeked.ok_or_else(|| Error::not_found(format!("branch `{branch}` does not exist")))?;
    let entry = tree::get(&data.nodes, peeked.root, path.as_str()).await?;
    let entry = entry.map(|entry| entry.decode()).transpose()?;
    Ok(Committed { commit_id: peeked.commit_id, entry })
}

struct StagedChange {
    key: RepoKey,
    branch: RefName,
    path: ObjectKey,
    change: Change,
    committed: Option<Committed>,
}

impl StagedChange {
    /// Answers `false`, and writes nothing, when the branch has moved.
    async fn write(self, tx: &mut Tx, ctx: &Ctx) -> Result<bool> {
        let Self { key, branch, path, change: Change { entry, conditions, ends_upload }, committed } = self;
        // Two writers with conditions on one path must come one after the other.
        let how = if conditions.is_empty() { Lock::Shared } else { Lock::Exclusive };
        let held = require_branch(store::refs::hold(tx, key, &branch, how).await?, &branch)?;
        if let Some(committed) = committed {
            if held.commit_id != committed.commit_id {
                return Ok(false);
            }
            let staged = store::staged::find(tx, key, &branch, held.taken, path.as_str()).await?;
            let current = match &staged {
                Some((_, entry)) => entry.as_ref().map(|entry| entry.decode()).transpose()?,
                None => committed.entry.clone(),
            };
            conditions.check(&path, current.as_ref())?;
            let is_only_here = staged.as_ref().is_none_or(|(oldest, _)| *oldest == held.generation);
            if entry.is_none() && committed.entry.is_none() && is_only_here {
                // Nothing below to be removed. (What a commit is just taking must be removed after it.)
                store::staged::forget(tx, key, &branch, held.generation, path.as_str()).await?;
                return Ok(true);
            }
        }
        if let Some(upload_id) = ends_upload
            && !store::uploads::delete(tx, &upload_id).await?
        {
            return Err(Error::not_found(format!("upload {upload_id:?} was completed or given up meanwhile")));
        }
        uses::follow(tx, ctx, key, &branch).await?;
        let rows = vec![StagedRow::new(path.as_str().into(), entry.as_ref())];
        store::staged::upsert(tx, key, &branch, held.generation, rows, uses::run_of(ctx), ctx.now_ms()).await?;
        Ok(true)
    }
}

/// A file, without its bytes.
///
/// # Errors
/// `NotFound` for the repository, the ref or the path.
pub async fn head_object(
    ctx: &Ctx,
    data: &Data,
    repository: &RepositoryName,
    revision: &Revision,
    path: &ObjectKey,
) -> Result<Entry> {
    ctx.authorize(Action::Read)?;
    let key = find_key(ctx, data, repository).await?;
    let view = View::open(ctx, data, key, revision).await?;
    let found = find_current(data, key, &view.revision, path).await?;
    let (entry, is_committed) = found.ok_or_else(|| not_found(path, revision))?;
    if is_committed {
        view.record(ctx, data, repository).await?;
        view.note_path(data, path);
    }
    Ok(entry)
}

/// A file with its bytes, or a range of them (cut to the file's size).
///
/// # Errors
/// As [`head_object`]; `InvalidArgument` for a range that starts after the end.
pub async fn get_object(
    ctx: &Ctx,
    data: &Data,
    repository: &RepositoryName,
    revision: &Revision,
    path: &ObjectKey,
    range: Option<Range<u64>>,
) -> Result<ObjectRead> {
    let entry = head_object(ctx, data, repository, revision, path).await?;
    read_object(ctx, data, entry, range).await
}

/// The bytes of an entry that a function of this room answered to the same caller, even when its path was written again since.
///
/// # Errors
/// As [`get_object`].
pub async fn read_object(ctx: &Ctx, data: &Data, entry: Entry, range: Option<Range<u64>>) -> Result<ObjectRead> {
    ctx.authorize(Action::Read)?;
    let stream = match &entry.blob {
        Blob::Object => data.objects.get(&entry.hash.to_object()?, range).await?.stream,
        Blob::Inline(bytes) => once(cut(bytes, range)?),
        Blob::Packed { pack, offset } => {
            let whole = *offset..offset.saturating_add(entry.size_bytes);
            let bytes = data.objects.get_slice(&pack.to_object()?, whole, &entry.hash.to_object()?).await?;
            once(cut(&bytes, range)?)
        }
    };
    Ok(ObjectRead { entry, stream })
}

/// A range of bytes, cut to what there is.
fn cut(bytes: &Bytes, range: Option<Range<u64>>) -> Result<Bytes> {
    let size = bytes.len();
    let Some(range) = range else { return Ok(bytes.clone()) };
    if range.start > size as u64 {
        return Err(Error::invalid(format!("the range starts at byte {} of a file of {size} bytes", range.start)));
    }
    let at = |offset: u64| usize::try_from(offset).map_or(size, |offset| offset.min(size));
    let (start, end) = (at(range.start), at(range.end));
    Ok(bytes.slice(start..end.max(start)))
}

fn once(bytes: Bytes) -> BoxStream<'static, Result<Bytes>> {
    stream::iter((!bytes.is_empty()).then_some(Ok(bytes))).boxed()
}

/// What a path holds, and whether a commit holds it: on a branch, what is staged comes before what is committed.
async fn find_current(
    data: &Data,
    key: RepoKey,
    revision: &Revision,
    path: &ObjectKey,
) -> Result<Option<(Entry, bool)>> {
    let root = match revision.as_name() {
        None => refs::resolve(data, key, revision).await?.root,
        Some(name) => {
            let peeked = store::refs::peek(&data.db, key, name, path.as_str()).await?;
            let peeked = peeked.ok_or_else(|| refs::not_found(name))?;
            match peeked.staged {
                Some(entry) => return entry.map(|entry| Ok((entry.decode()?, false))).transpose(),
                None => peeked.root,
            }
        }
    };
    tree::get(&data.nodes, root, path.as_str()).await?.map(|entry| Ok((entry.decode()?, true))).transpose()
}

fn not_found(path: &ObjectKey, revision: &Revision) -> Error {
    Error::not_found(format!("`{path}` does not exist on `{revision}`"))
}
