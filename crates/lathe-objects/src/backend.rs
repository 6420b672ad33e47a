//! The two places blobs can lie: a local folder, written with the fsyncs that object_store does not do, or S3.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::ops::Range;
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};
use lathe_core::{Code, Error, Result};
use object_store::aws::AmazonS3Builder;
use object_store::path::Path as Key;
use object_store::{GetOptions, GetRange, ObjectStore, ObjectStoreExt as _, WriteMultipart};
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _, SeekFrom};
use tokio_util::io::ReaderStream;

use crate::ObjectHash;
use crate::fsck::ADVICE;

const CHUNK_BYTES: usize = 256 * 1024;
/// How many parts of one upload to S3 may be on their way.
const PARTS_IN_FLIGHT: usize = 4;
/// A name that no object has.
const NO_OBJECT: &str = "lathe-check";
/// S3's code for a bucket that does not exist; objects that do not exist have another.
const NO_BUCKET: &str = "NoSuchBucket";
const UNREACHABLE: &str =
    "check AWS_ENDPOINT_URL, AWS_REGION, the credentials (AWS_ACCESS_KEY_ID) and the network between here and there";
const CHECK_TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Debug, Clone)]
pub(crate) enum Backend {
    Local(PathBuf),
    S3 { store: Arc<dyn ObjectStore>, prefix: String },
}

impl Backend {
    pub(crate) fn open(url: &str) -> Result<Self> {
        if let Some(folder) = url.strip_prefix("file://") {
            let root = PathBuf::from(folder);
            make_folder(&root)?;
            return Ok(Backend::Local(root));
        }
        let Some(rest) = url.strip_prefix("s3://") else {
            return Err(Error::invalid(format!("the object store's URL {url:?} must start with file:// or s3://"))
                .with_hint("for instance --objects s3://bucket/prefix"));
        };
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let store = AmazonS3Builder::from_env().with_bucket_name(bucket).with_allow_http(true).build().map_err(|error| {
            Error::invalid(format!("the S3 settings do not hold together: {error}"))
                .with_hint("set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION and, if it is not Amazon's, AWS_ENDPOINT_URL")
        })?;
        Ok(Backend::S3 { store: Arc::new(store), prefix: prefix.trim_matches('/').to_owned() })
    }

    /// Asks the store for an object that is not there, which needs that it answers, the bucket, and the right to read in it.
    pub(crate) async fn check(&self, url: &str) -> Result<()> {
        let Backend::S3 { store, prefix } = self else { return Ok(()) };
        let key = if prefix.is_empty() { Key::from(NO_OBJECT) } else { Key::from(format!("{prefix}/{NO_OBJECT}")) };
        // Requests are tried again for minutes, which is too long for one who waits for a start.
        match tokio::time::timeout(CHECK_TIMEOUT, store.get(&key)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error @ object_store::Error::NotFound { .. })) if !error.to_string().contains(NO_BUCKET) => Ok(()),
            Ok(Err(error)) => Err(check_error(url, error)),
            Err(_) => {
                Err(Error::new(Code::Unavailable, format!("the object store {url} does not answer"))
                    .with_hint(UNREACHABLE))
            }
        }
    }

    /// The size of a stored object; `None` when there is none.
    pub(crate) async fn size(&self, hash: &ObjectHash) -> Result<Option<u64>> {
        match self {
            Backend::Local(root) => match tokio::fs::metadata(root.join(hash.key())).await {
                Ok(metadata) => Ok(Some(metadata.len())),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                Err(error) => Err(io_error(error)),
            },
            Backend::S3 { store, prefix } => match store.head(&s3_key(prefix, hash)).await {
                Ok(meta) => Ok(Some(meta.size)),
                Err(object_store::Error::NotFound { .. }) => Ok(None),
                Err(error) => Err(s3_error(error)),
            },
        }
    }

    /// Publishes a complete, fsynced scratch file under its hash, durably.
    pub(crate) async fn publish(&self, scratch: &Path, hash: &ObjectHash) -> Result<()> {
        match self {
            Backend::Local(root) => {
                let (target, scratch) = (root.join(hash.key()), scratch.to_owned());
                blocking(move || publish_local(&scratch, &target)).await
            }
            Backend::S3 { store, prefix } => publish_s3(store.as_ref(), &s3_key(prefix, hash), scratch).await,
        }
    }

    /// The bytes of an object, or of a range of it.
    pub(crate) async fn read(&self, hash: &ObjectHash, range: Range<u64>) -> Result<BoxStream<'static, Result<Bytes>>> {
        match self {
            Backend::Local(root) => {
                let mut file =
                    tokio::fs::File::open(root.join(hash.key())).await.map_err(|error| missing(error, hash))?;
                file.seek(SeekFrom::Start(range.start)).await.map_err(io_error)?;
                let limited = file.take(range.end.saturating_sub(range.start));
                Ok(ReaderStream::with_capacity(limited, CHUNK_BYTES).map_err(io_error).boxed())
            }
            Backend::S3 { store, prefix } => {
                if range.is_empty() {
                    return Ok(futures::stream::empty().boxed());
                }
                let options = GetOptions { range: Some(GetRange::Bounded(range)), ..GetOptions::default() };
                let found = store.get_opts(&s3_key(prefix, hash), options).await.map_err(s3_error)?;
                Ok(found.into_stream().map_err(s3_error).boxed())
            }
        }
    }

    /// The bytes of a range that lies within the object and fits into memory.
    pub(crate) async fn read_slice(&self, hash: &ObjectHash, range: Range<u64>) -> Result<Bytes> {
        match self {
            Backend::Local(root) => {
                let (path, named) = (root.join(hash.key()), hash.clone());
                blocking(move || {
                    let file = File::open(path).map_err(|error| missing(error, &named))?;
                    let mut bytes = vec![0; usize::try_from(range.end.saturating_sub(range.start)).unwrap_or_default()];
                    match file.read_exact_at(&mut bytes, range.start) {
                        Ok(()) => Ok(bytes.into()),
                        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                            Err(Error::internal(format!("object {named} is damaged: it is too short{ADVICE}")))
                        }
                        Err(error) => Err(io_error(error)),
                    }
                })
                .await
            }
            Backend::S3 { store, prefix } => store.get_range(&s3_key(prefix, hash), range).await.map_err(s3_error),
        }
    }

    /// Removes an object; one that is gone already is fine.
    pub(crate) async fn delete(&self, hash: &ObjectHash) -> Result<()> {
        match self {
            Backend::Local(root) => match tokio::fs::remove_file(root.join(hash.key())).await {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io_error(error)),
                _ => Ok(()),
            },
            Backend::S3 { store, prefix } => match store.delete(&s3_key(prefix, hash)).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
                Err(error) => Err(s3_error(error)),
            },
        }
    }
}

fn s3_key(prefix: &str, hash: &ObjectHash) -> Key {
    if prefix.is_empty() { Key::from(hash.key()) } else { Key::from(format!("{prefix}/{}", hash.key())) }
}

async fn publish_s3(store: &dyn ObjectStore, key: &Key, scratch: &Path) -> Result<()> {
    let mut file = tokio::fs::File::open(scratch).await.map_err(io_error)?;
    let size = file.metadata().await.map_err(io_error)?.len();
    if size <= 16 * 1024 * 1024 {
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).await.map_err(io_error)?;
        return store.put(key, bytes.into()).await.map(|_| ()).map_err(s3_error);
    }
    let mut upload =
        WriteMultipart::new_with_chunk_size(store.put_multipart(key).await.map_err(s3_error)?, 8 * 1024 * 1024);
    let mut chunks = ReaderStream::with_capacity(file, CHUNK_BYTES);
    while let Some(chunk) = chunks.next().await {
        upload.wait_for_capacity(PARTS_IN_FLIGHT).await.map_err(s3_error)?;
        upload.put(chunk.map_err(io_error)?);
    }
    upload.finish().await.map(|_| ()).map_err(s3_error)
}

fn publish_local(scratch: &Path, target: &Path) -> Result<()> {
    let folder = target.parent().ok_or_else(|| Error::internal("an object without a folder"))?;
    let is_new = !folder.exists();
    make_folder(folder)?;
    std::fs::rename(scratch, target).map_err(io_error)?;
    sync_folder(folder);
    if is_new && let Some(above) = folder.parent() {
        sync_folder(above);
        if let Some(root) = above.parent() {
            sync_folder(root);
        }
    }
    Ok(())
}

fn sync_folder(folder: &Path) {
    if let Err(error) = File::open(folder).and_then(|folder| folder.sync_all()) {
        stop_process(&error)
    }
}

/// After a failed fsync nobody knows what the disk holds: stop, and let recovery read the truth.
pub(crate) fn stop_process(error: &io::Error) -> ! {
    tracing::error!(%error, "the disk could not confirm a write (fsync failed); stopping so that nothing false is acknowledged");
    std::process::abort()
}

pub(crate) fn make_folder(folder: &Path) -> Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(io_error)
}

/// A new file that only its owner can read.
pub(crate) fn create_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().create_new(true).write(true).mode(0o600).open(path)
}

/// Runs file work that may wait for the disk off the reactor.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Error::internal("file work ended early").with_source(error))?
}

fn missing(error: io::Error, hash: &ObjectHash) -> Error {
    if error.kind() == io::ErrorKind::NotFound {
        return Error::internal(format!("object {hash} is named by a row and missing in the store{ADVICE}"));
    }
    io_error(error)
}

pub(crate) fn io_error(error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Error::new(
            Code::OutOfSpace,
            "the disk is full: reads go on, but nothing can be written until space is freed",
        ),
        _ => Error::internal("local object store"),
    }
    .with_source(error)
}

/// What is wrong with a store that cannot be asked for anything.
fn check_error(url: &str, error: object_store::Error) -> Error {
    let refused = |what: &str| Error::invalid(format!("the object store {url} cannot be used: {what}"));
    match &error {
        object_store::Error::NotFound { .. } => {
            refused("its bucket does not exist").with_hint("make the bucket, or name another with --objects")
        }
        object_store::Error::Unauthenticated { .. } | object_store::Error::PermissionDenied { .. } => {
            refused("its credentials are refused").with_hint(
                "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and that they may list, read and write the bucket",
            )
        }
        _ => Error::new(Code::Unavailable, format!("the object store {url} does not answer as it should"))
            .with_hint(UNREACHABLE)
            .with_source(root_cause(&error)),
    }
}

/// The innermost of an error's causes: the ones around it repeat it.
fn root_cause(error: &object_store::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

fn s3_error(error: object_store::Error) -> Error {
    match &error {
        object_store::Error::NotFound { .. } => {
            Error::internal(format!("an object is named by a row and missing in the store{ADVICE}"))
        }
        _ => Error::new(Code::Unavailable, "the object store does not answer as it should; try again in a moment"),
    }
    .with_source(error)
}
