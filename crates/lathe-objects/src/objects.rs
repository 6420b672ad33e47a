//! Putting and getting objects.

use std::io::{IoSlice, Write as _};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{Stream, StreamExt as _};
use lathe_core::{Clock, Code, Error, Result};
use lathe_db::{Db, FutureExt as _, query};

use crate::ObjectHash;
use crate::backend::{Backend, blocking, create_file, io_error, make_folder, stop_process};
use crate::fsck::ADVICE;

/// Chunks are gathered to this size before they are hashed and written off the reactor.
const WRITE_BYTES: usize = 1024 * 1024;
/// Scratch files older than this were left by a crash.
const STALE_SCRATCH: Duration = Duration::from_secs(24 * 3600);
/// How often a put looks whether gc has finished deleting the same content.
const DELETING_TRIES: u32 = 100;

/// An object that is stored durably.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// Its name.
    pub hash: ObjectHash,
    /// Its size.
    pub size_bytes: i64,
}

/// An object being read.
pub struct ObjectRead {
    /// The size of the whole object, not of the range.
    pub size_bytes: i64,
    /// The bytes. A read of the whole object ends with an error when the bytes are not what the hash says.
    pub stream: BoxStream<'static, Result<Bytes>>,
}

impl std::fmt::Debug for ObjectRead {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ObjectRead({} bytes)", self.size_bytes)
    }
}

/// The object store. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Objects {
    pub(crate) backend: Backend,
    pub(crate) db: Db,
    pub(crate) clock: Clock,
    scratch: Arc<PathBuf>,
}

/// Removes a scratch file unless it was published (then it has another name).
pub(crate) struct Scratch(pub(crate) PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

impl Objects {
    /// Opens `file:///folder` or `s3://bucket/prefix` (credentials from the `AWS_*` variables).
    ///
    /// `scratch_folder` holds uploads until they are complete; for local objects a folder beside them is used instead, so that
    /// publishing is a rename.
    ///
    /// # Errors
    /// `InvalidArgument` for another scheme, missing settings, a bucket that does not exist and credentials that are refused;
    /// `Unavailable` when the store does not answer.
    pub async fn open(url: &str, scratch_folder: &Path, db: Db, clock: Clock) -> Result<Self> {
        let backend = Backend::open(url)?;
        backend.check(url).await?;
        let scratch = match &backend {
            Backend::Local(root) => root.join("tmp"),
            Backend::S3 { .. } => scratch_folder.to_owned(),
        };
        let swept = scratch.clone();
        blocking(move || sweep(&swept)).await?;
        Ok(Self { backend, db, clock, scratch: Arc::new(scratch) })
    }

    /// Whether the store of that URL, [`Objects::open`]'s, can be used; makes a local folder, as opening does.
    ///
    /// # Errors
    /// As [`Objects::open`].
    pub async fn check(url: &str) -> Result<()> {
        Backend::open(url)?.check(url).await
    }

    /// Stores a stream. When this answers, the object is durable and stays for at least a day without a row that names it.
    ///
    /// # Errors
    /// The stream's own error, `OutOfSpace`, or `Unavailable`; then nothing is stored.
    pub async fn put(&self, body: impl Stream<Item = Result<Bytes>> + Send + Unpin) -> Result<Object> {
        self.db.gate().check()?;
        let (scratch, object) = write_scratch(&self.scratch, body).await?;
        self.reserve(&object).await?;
        if self.backend.size(&object.hash).await? != u64::try_from(object.size_bytes).ok() {
            self.backend.publish(&scratch.0, &object.hash).await?;
        }
        Ok(object)
    }

    /// Keeps gc away from a stored object for its grace period, so that another row can name it.
    ///
    /// # Errors
    /// `Unavailable` when gc has just removed it: whatever named it before does so no more.
    pub async fn renew(&self, hash: &ObjectHash) -> Result<()> {
        let (text, now_ms) = (hash.to_string(), self.clock.now_ms());
        let touch = query("UPDATE objects SET touched_at_ms = $2 WHERE hash = $1 AND state = 'live'");
        let touch = touch.bind(text).bind(now_ms);
        let is_live = self.db.write_brief(move |tx| async move { Ok(tx.execute(touch).await? == 1) }.boxed()).await?;
        if is_live && self.backend.size(hash).await?.is_some() {
            return Ok(());
        }
        Err(Error::new(Code::Unavailable, "the content was just removed by garbage collection; try again in a moment"))
    }

    /// Writes the row that keeps gc away from the object for its grace period; waits while gc deletes the same content.
    async fn reserve(&self, object: &Object) -> Result<()> {
        for _ in 0..DELETING_TRIES {
            let (object, now_ms) = (object.clone(), self.clock.now_ms());
            let is_reserved = self
                .db
                .write_brief(move |tx| {
                    async move {
                        let row = query(
                            "INSERT INTO objects (hash, size_bytes, state, touched_at_ms) VALUES ($1, $2, 'live', $3) \
                             ON CONFLICT (hash) DO UPDATE SET touched_at_ms = excluded.touched_at_ms WHERE objects.state = 'live'",
                        )
                        .bind(object.hash.as_str())
                        .bind(object.size_bytes)
                        .bind(now_ms);
                        Ok(tx.execute(row).await? == 1)
                    }
                    .boxed()
                })
                .await?;
            if is_reserved {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Err(Error::new(Code::Unavailable, "the same content is just being removed; try again in a moment"))
    }

    /// Reads an object, or the bytes of a range (cut to the object's size).
    ///
    /// # Errors
    /// `Internal` when the object is missing although a row named it; `InvalidArgument` for a range that starts after the end.
    pub async fn get(&self, hash: &ObjectHash, range: Option<Range<u64>>) -> Result<ObjectRead> {
        let missing = || Error::internal(format!("object {hash} is named by a row and missing in the store{ADVICE}"));
        let size = self.backend.size(hash).await?.ok_or_else(missing)?;
        let size_bytes = i64::try_from(size).map_err(|_| Error::internal("an object larger than 2^63 bytes"))?;
        let stream = match range {
            None => verified(self.backend.read(hash, 0..size).await?, hash.clone()).boxed(),
            Some(range) if range.start > size => {
                return Err(Error::invalid(format!(
                    "the range starts at byte {} of an object of {size} bytes",
                    range.start
                )));
            }
            Some(range) => self.backend.read(hash, range.start..range.end.min(size)).await?,
        };
        Ok(ObjectRead { size_bytes, stream })
    }

    /// Reads a slice of an object that is content of its own, with a hash of its own, into memory.
    ///
    /// # Errors
    /// `Internal` when the object is missing or shorter than the slice's end, or the bytes are not what the hash says.
    pub async fn get_slice(&self, object: &ObjectHash, range: Range<u64>, content: &ObjectHash) -> Result<Bytes> {
        let bytes = self.backend.read_slice(object, range.clone()).await?;
        if ObjectHash::of(&blake3::hash(&bytes)) == *content {
            return Ok(bytes);
        }
        Err(Error::internal(format!(
            "object {object} is damaged: its bytes {} to {} have another hash than {content}{ADVICE}",
            range.start, range.end
        )))
    }

    /// Reads slices of one object, each content of its own, with a single read from the first one's begin to the last one's
    /// end. Answers, in the same order, the bytes of each; `None` for bytes that are not what the hash says.
    ///
    /// # Errors
    /// `Internal` when the object is missing or shorter than a slice's end.
    pub async fn get_slices(
        &self,
        object: &ObjectHash,
        slices: Vec<(Range<u64>, ObjectHash)>,
    ) -> Result<Vec<Option<Bytes>>> {
        let start = slices.iter().map(|(range, _)| range.start).min().unwrap_or_default();
        let end = slices.iter().map(|(range, _)| range.end).max().unwrap_or_default();
        let bytes = self.backend.read_slice(object, start..end).await?;
        blocking(move || {
            let at = |offset: u64| usize::try_from(offset - start).unwrap_or(bytes.len()).min(bytes.len());
            let slice = |range: &Range<u64>| bytes.slice(at(range.start)..at(range.end.max(range.start)));
            let checked = |(range, content): &(Range<u64>, ObjectHash)| {
                Some(slice(range)).filter(|slice| ObjectHash::of(&blake3::hash(slice)) == *content)
            };
            Ok(slices.iter().map(checked).collect())
        })
        .await
    }
}

/// Writes a stream into a scratch file of that folder, durably.
pub(crate) async fn write_scratch(
    folder: &Path,
    mut body: impl Stream<Item = Result<Bytes>> + Send + Unpin,
) -> Result<(Scratch, Object)> {
    let path = folder.join(lathe_core::EventId::generate().as_str());
    let scratch = Scratch(path.clone());
    let mut sink = blocking(move || Sink::create(&path)).await?;
    let mut gathered = Vec::new();
    let mut gathered_bytes = 0;
    while let Some(chunk) = body.next().await {
        let chunk = chunk?;
        gathered_bytes += chunk.len();
        gathered.push(chunk);
        if gathered_bytes >= WRITE_BYTES {
            let chunks = std::mem::take(&mut gathered);
            gathered_bytes = 0;
            sink = blocking(move || sink.write(&chunks)).await?;
        }
    }
    let object = blocking(move || sink.write(&gathered)?.finish()).await?;
    Ok((scratch, object))
}

/// Passes the bytes on and compares their hash. The last of them are held back until it agrees, so that whoever reads a damaged object
/// gets too few bytes and an error, never a whole answer.
pub(crate) fn verified(
    stream: BoxStream<'static, Result<Bytes>>,
    hash: ObjectHash,
) -> impl Stream<Item = Result<Bytes>> + Send + 'static {
    let state = (stream, blake3::Hasher::new(), Bytes::new(), Some(hash));
    let checked = futures::stream::unfold(state, |(mut stream, mut hasher, held, expected)| async move {
        let expected = expected?;
        let passed = match stream.next().await {
            // It would let go of all that is held.
            Some(Ok(chunk)) if chunk.is_empty() => {
                return Some((Ok(Bytes::new()), (stream, hasher, held, Some(expected))));
            }
            Some(Ok(chunk)) => {
                hasher.update(&chunk);
                return Some((Ok(held), (stream, hasher, chunk, Some(expected))));
            }
            Some(Err(error)) => Err(error),
            None if ObjectHash::of(&hasher.finalize()) == expected => Ok(held),
            None => {
                let error =
                    Error::internal(format!("object {expected} is damaged: its bytes have another hash{ADVICE}"));
                // Whoever reads it has its status already.
                tracing::error!("{}", error.log_line());
                Err(error)
            }
        };
        Some((passed, (stream, blake3::Hasher::new(), Bytes::new(), None)))
    });
    checked.filter(|passed| futures::future::ready(!matches!(passed, Ok(bytes) if bytes.is_empty())))
}

struct Sink {
    file: std::fs::File,
    hasher: blake3::Hasher,
    size_bytes: i64,
}

impl Sink {
    fn create(path: &Path) -> Result<Self> {
        Ok(Self { file: create_file(path).map_err(io_error)?, hasher: blake3::Hasher::new(), size_bytes: 0 })
    }

    fn write(mut self, chunks: &[Bytes]) -> Result<Self> {
        for chunk in chunks {
            self.hasher.update(chunk);
            self.size_bytes += i64::try_from(chunk.len()).unwrap_or_default();
        }
        write_all_vectored(&mut self.file, chunks).map_err(io_error)?;
        Ok(self)
    }

    fn finish(self) -> Result<Object> {
        if let Err(error) = self.file.sync_all() {
            match error.kind() {
                std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => return Err(io_error(error)),
                _ => stop_process(&error),
            }
        }
        Ok(Object { hash: ObjectHash::of(&self.hasher.finalize()), size_bytes: self.size_bytes })
    }
}

/// The chunks of small files are small: one system call takes many of them.
fn write_all_vectored(file: &mut std::fs::File, chunks: &[Bytes]) -> std::io::Result<()> {
    let mut slices: Vec<_> = chunks.iter().filter(|chunk| !chunk.is_empty()).map(|chunk| IoSlice::new(chunk)).collect();
    let mut left = &mut slices[..];
    while !left.is_empty() {
        match file.write_vectored(left) {
            Ok(0) => return Err(std::io::ErrorKind::WriteZero.into()),
            Ok(written) => IoSlice::advance_slices(&mut left, written),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn sweep(scratch: &Path) -> Result<()> {
    make_folder(scratch)?;
    for entry in std::fs::read_dir(scratch).map_err(io_error)? {
        let entry = entry.map_err(io_error)?;
        let age = entry
            .metadata()
            .and_then(|metadata| metadata.modified())
            .ok()
            .and_then(|then| SystemTime::now().duration_since(then).ok());
        if age.is_some_and(|age| age > STALE_SCRATCH) {
            std::fs::remove_file(entry.path()).map_err(io_error)?;
        }
    }
    Ok(())
}
