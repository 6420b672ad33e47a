//! Many small files at once: one object and one transaction for the lot.
//!
//! The bytes of a batch, but for those that the tree keeps itself, become one object, a *pack*, and each file's entry says
//! which slice of it is its own. A pack stays as long as anything names one of its files.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream;
use lathe_core::{Action, Ctx, Error, Result};
use lathe_db::{FutureExt as _, Lock};

use crate::entry::{Blob, ContentHash, Entry, Etag, MAX_INLINE_BYTES};
use crate::objects::{Conditions, refuse_early};
use crate::refs::require_branch;
use crate::repositories::find_key;
use crate::store::staged::StagedRow;
use crate::store::{self, RepoKey};
use crate::{Data, ObjectKey, RefName, RepositoryName, uses, validate};

/// How many files a batch may have.
pub const MAX_BATCH_FILES: usize = 5_000;
/// How large a file of a batch may be; larger ones go one by one.
pub const MAX_BATCH_FILE_BYTES: usize = 1024 * 1024;

/// A file of a batch.
#[derive(Debug, Clone)]
pub struct BatchFile {
    /// Where it goes.
    pub path: ObjectKey,
    /// The media type; empty when nobody says it.
    pub content_type: String,
    /// BLAKE3 of its bytes, as their sender knows them.
    pub hash: ContentHash,
    /// Its bytes.
    pub bytes: Bytes,
}

/// What a batch staged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batched {
    /// Files.
    pub files: usize,
    /// Their bytes.
    pub size_bytes: u64,
}

/// Stages files on a branch, all of them or none. When this answers, their bytes are durable and every reader of the branch
/// sees them.
///
/// # Errors
/// `NotFound` for the branch; `InvalidArgument` for a tag, a path that comes twice, bytes with another hash, or too many or too
/// large files; and what the object store answers. Then nothing is staged.
pub async fn put_batch(
    ctx: &Ctx,
    data: &Data,
    repository: &RepositoryName,
    branch: &RefName,
    files: Vec<BatchFile>,
) -> Result<Batched> {
    ctx.authorize(Action::Write)?;
    check(&files)?;
    let key = find_key(ctx, data, repository).await?;
    let Some(first) = files.first() else { return Ok(Batched { files: 0, size_bytes: 0 }) };
    refuse_early(data, key, branch, &first.path, &Conditions::default()).await?;
    data.db.gate().check()?;
    let now_ms = ctx.now_ms();
    let packed = tokio::task::spawn_blocking(move || pack(files, now_ms)).await;
    let Packed { mut entries, contents } =
        packed.map_err(|error| Error::internal("a batch could not be packed").with_source(error))??;
    if !contents.is_empty() {
        let count = contents.len();
        let object = data.objects.put(stream::iter(contents.into_iter().map(Ok))).await?;
        name_pack(&mut entries, ContentHash::of_object(&object.hash)?, count);
    }
    let batched = Batched { files: entries.len(), size_bytes: entries.iter().map(|(_, entry)| entry.size_bytes).sum() };
    stage_all(ctx, data, key, branch, &entries).await?;
    Ok(batched)
}

fn check(files: &[BatchFile]) -> Result<()> {
    if files.len() > MAX_BATCH_FILES {
        return Err(Error::invalid(format!("a batch may have {MAX_BATCH_FILES} files; this one has {}", files.len())));
    }
    for file in files {
        validate::content_type(&file.content_type)?;
        if file.bytes.len() > MAX_BATCH_FILE_BYTES {
            let size = file.bytes.len();
            return Err(Error::invalid(format!(
                "`{}` has {size} bytes; a file of a batch may have {MAX_BATCH_FILE_BYTES}",
                file.path
            ))
            .with_hint("send larger files one by one"));
        }
    }
    Ok(())
}

type PathEntry = (ObjectKey, Entry);

/// Files that are ready to be stored. Entries come in order of their paths; their pack has no name yet.
struct Packed {
    entries: Vec<PathEntry>,
    /// The pack: its different contents, one behind the other.
    contents: Vec<Bytes>,
}

/// What a pack is called before it is stored.
const UNNAMED: ContentHash = ContentHash([0; 32]);

/// Checks what the sender says of the files, and puts those behind each other that the tree does not keep itself.
fn pack(mut files: Vec<BatchFile>, now_ms: i64) -> Result<Packed> {
    files.sort_unstable_by(|one, other| one.path.cmp(&other.path));
    if let Some([twice, _]) = files.array_windows().find(|[one, next]| one.path == next.path) {
        return Err(Error::invalid(format!("`{}` comes twice in the batch", twice.path)));
    }
    let is_packed = |file: &BatchFile| file.bytes.len() > MAX_INLINE_BYTES;
    let (mut contents, mut pack_bytes) = (Vec::new(), 0);
    let mut offsets: HashMap<ContentHash, u64> = HashMap::new();
    let mut entries = Vec::with_capacity(files.len());
    for file in files {
        if ContentHash::of(&file.bytes) != file.hash {
            return Err(Error::invalid(format!(
                "the bytes of `{}` have another hash than the batch says; they were damaged on their way, or the file changed",
                file.path
            )));
        }
        let blob = if is_packed(&file) {
            let offset = *offsets.entry(file.hash).or_insert_with(|| {
                let offset = pack_bytes;
                pack_bytes += file.bytes.len() as u64;
                contents.push(file.bytes.clone());
                offset
            });
            Blob::Packed { pack: UNNAMED, offset }
        } else {
            // A copy: a slice would keep the whole batch in memory with it.
            Blob::Inline(Bytes::copy_from_slice(&file.bytes))
        };
        let entry = Entry {
            size_bytes: file.bytes.len() as u64,
            hash: file.hash,
            etag: Etag::of_batched(&file.hash),
            modified_at_ms: now_ms,
            content_type: file.content_type,
            metadata: std::collections::BTreeMap::new(),
            blob,
        };
        entries.push((file.path, entry));
    }
    Ok(Packed { entries, contents })
}

/// Says where the packed bytes are. A pack of one content is that content's own object.
fn name_pack(entries: &mut [PathEntry], name: ContentHash, contents: usize) {
    for (_, entry) in entries {
        if let Blob::Packed { pack, .. } = &mut entry.blob {
            *pack = name;
            if contents == 1 {
                entry.blob = Blob::Object;
            }
        }
    }
}

async fn stage_all(ctx: &Ctx, data: &Data, key: RepoKey, branch: &RefName, entries: &[PathEntry]) -> Result<()> {
    let rows: Vec<StagedRow> =
        entries.iter().map(|(path, entry)| StagedRow::new(Arc::from(path.as_str()), Some(entry))).collect();
    let (ctx, branch) = (ctx.clone(), branch.clone());
    data.db
        .write(move |tx| {
            async move {
                let held = require_branch(store::refs::hold(tx, key, &branch, Lock::Shared).await?, &branch)?;
                uses::follow(tx, &ctx, key, &branch).await?;
                store::staged::upsert(tx, key, &branch, held.generation, rows, uses::run_of(&ctx), ctx.now_ms()).await
            }
            .boxed()
        })
        .await
}
