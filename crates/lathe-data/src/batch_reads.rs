//! Many small files read at once: one walk over the ref, and one read for the files of a pack that stand together.

use std::collections::{HashMap, VecDeque};

use bytes::Bytes;
use futures::{Stream, TryStreamExt as _, stream};
use lathe_core::{Action, Code, Ctx, Error, Result};

use crate::batches::MAX_BATCH_FILE_BYTES;
use crate::entry::{Blob, ContentHash, Entry};
use crate::listing::{Scan, Scanned, Source};
use crate::objects::read_object;
use crate::repositories::find_key;
use crate::store::staged::From;
use crate::uses::View;
use crate::{Data, ObjectKey, RepositoryName, Revision};

/// How many paths may be asked for at once.
pub const MAX_READ_FILES: usize = 1_000;
/// How many bytes are answered at once; files behind them are refused, each by itself.
pub const MAX_READ_BYTES: u64 = 16 * 1024 * 1024;

/// How many bytes are in memory at a time.
const STEP_BYTES: u64 = 2 * 1024 * 1024;
/// How many paths that nobody asked for are passed before the walk jumps.
const MAX_PASSED: usize = 32;
/// Slices of a pack are read together when what lies between them is at most this many times their own bytes.
const MAX_WASTE: u64 = 2;

/// A file of a batch that was asked for.
#[derive(Debug)]
pub struct FileRead {
    /// Its path.
    pub path: ObjectKey,
    /// The file and its bytes, or why there are none.
    pub read: Result<(Entry, Bytes)>,
}

/// Reads small files of one state of a ref, in order of their paths, a few at a time. What cannot be read (`NotFound`; `TooLarge`
/// above 1 MiB or behind 16 MiB of others; `Internal` for damaged bytes) is answered as such and keeps no other file back.
///
/// # Errors
/// `NotFound` for the repository or the ref, `InvalidArgument` for too many paths or one that comes twice.
pub async fn read_batch(
    ctx: &Ctx,
    data: &Data,
    repository: &RepositoryName,
    revision: &Revision,
    mut paths: Vec<ObjectKey>,
) -> Result<impl Stream<Item = Vec<FileRead>> + Send + use<>> {
    ctx.authorize(Action::Read)?;
    if paths.len() > MAX_READ_FILES {
        return Err(Error::invalid(format!("{MAX_READ_FILES} paths may be read at once; these are {}", paths.len())));
    }
    paths.sort_unstable();
    if let Some([twice, _]) = paths.array_windows().find(|[one, next]| one == next) {
        return Err(Error::invalid(format!("`{twice}` comes twice")));
    }
    let found = find(ctx, data, repository, revision, paths).await?;
    let state = (ctx.clone(), data.clone(), VecDeque::from(refuse_large(found)));
    Ok(stream::unfold(state, |(ctx, data, mut left)| async move {
        let step = take_step(&mut left);
        if step.is_empty() {
            return None;
        }
        let files = read_step(&ctx, &data, step).await;
        Some((files, (ctx, data, left)))
    }))
}

type Found = (ObjectKey, Result<Entry>);

/// What the paths hold. They are in order, as the walk is.
async fn find(
    ctx: &Ctx,
    data: &Data,
    repository: &RepositoryName,
    revision: &Revision,
    paths: Vec<ObjectKey>,
) -> Result<Vec<Found>> {
    let key = find_key(ctx, data, repository).await?;
    let view = View::open(ctx, data, key, revision).await?;
    let source = Source::of(data, key, &view.revision).await?;
    let from = From::At(paths.first().map(ToString::to_string).unwrap_or_default());
    let mut scan = Scan::open(data, key, source, "", from).await?;
    let mut here = scan.next().await?;
    let mut found = Vec::with_capacity(paths.len());
    let mut is_recorded = false;
    for path in paths {
        let mut passed = 0;
        while here.as_ref().is_some_and(|here| *here.path < *path.as_str()) {
            passed += 1;
            if passed == MAX_PASSED {
                scan.seek(From::At(path.to_string())).await?;
            }
            here = scan.next().await?;
        }
        let entry = match here.take_if(|here| *here.path == *path.as_str()) {
            Some(Scanned { entry, is_committed, .. }) => {
                if is_committed {
                    if !is_recorded {
                        view.record(ctx, data, repository).await?;
                        is_recorded = true;
                    }
                    view.note_path(data, &path);
                }
                here = scan.next().await?;
                entry.decode()
            }
            None => Err(Error::not_found(format!("`{path}` does not exist on `{revision}`"))),
        };
        found.push((path, entry));
    }
    Ok(found)
}

fn refuse_large(mut found: Vec<Found>) -> Vec<Found> {
    let mut total = 0;
    for (path, entry) in &mut found {
        let Ok(Entry { size_bytes, .. }) = *entry else { continue };
        let why = if size_bytes > MAX_BATCH_FILE_BYTES as u64 {
            format!("`{path}` has {size_bytes} bytes; a file of a batch may have {MAX_BATCH_FILE_BYTES}")
        } else if total + size_bytes > MAX_READ_BYTES {
            format!("`{path}` stands behind {total} bytes of other files; a batch may have {MAX_READ_BYTES}")
        } else {
            total += size_bytes;
            continue;
        };
        *entry = Err(Error::new(Code::TooLarge, why).with_hint("ask for it by itself, or in another batch"));
    }
    found
}

fn take_step(left: &mut VecDeque<Found>) -> Vec<Found> {
    let (mut step, mut bytes) = (Vec::new(), 0);
    while bytes < STEP_BYTES
        && let Some(next) = left.pop_front()
    {
        bytes += next.1.as_ref().map_or(0, |entry| entry.size_bytes);
        step.push(next);
    }
    step
}

async fn read_step(ctx: &Ctx, data: &Data, step: Vec<Found>) -> Vec<FileRead> {
    let mut sliced = read_packs(data, &step).await;
    let mut files = Vec::with_capacity(step.len());
    for (path, entry) in step {
        let read = match entry {
            Err(error) => Err(error),
            Ok(entry) => match sliced.remove(&path) {
                Some(bytes) => Ok((entry, bytes)),
                None => read_alone(ctx, data, entry).await,
            },
        };
        if let Err(error) = &read
            && error.code() == Code::Internal
        {
            tracing::error!(%path, "a file of a batch cannot be read: {}", error.log_line());
        }
        files.push(FileRead { path, read });
    }
    files
}

async fn read_alone(ctx: &Ctx, data: &Data, entry: Entry) -> Result<(Entry, Bytes)> {
    let stream = read_object(ctx, data, entry.clone(), None).await?.stream;
    let chunks: Vec<Bytes> = stream.try_collect().await?;
    let bytes = match <[Bytes; 1]>::try_from(chunks) {
        Ok([whole]) => whole,
        Err(chunks) => chunks.concat().into(),
    };
    Ok((entry, bytes))
}

/// The files that could be read together with others of their packs. Those that are missing here are read alone, and say
/// then what is wrong with them.
async fn read_packs(data: &Data, step: &[Found]) -> HashMap<ObjectKey, Bytes> {
    let mut packs: HashMap<ContentHash, Vec<(&ObjectKey, &Entry, u64)>> = HashMap::new();
    for (path, entry) in step {
        if let Ok(entry) = entry
            && let Blob::Packed { pack, offset } = &entry.blob
        {
            packs.entry(*pack).or_default().push((path, entry, *offset));
        }
    }
    let mut read = HashMap::new();
    for (pack, files) in packs.into_iter().filter(|(_, files)| files.len() > 1 && is_dense(files)) {
        let Ok(object) = pack.to_object() else { continue };
        let slice = |(_, entry, offset): &(&ObjectKey, &Entry, u64)| {
            Some((*offset..offset.checked_add(entry.size_bytes)?, entry.hash.to_object().ok()?))
        };
        let Some(slices) = files.iter().map(slice).collect::<Option<Vec<_>>>() else { continue };
        let Ok(bytes) = data.objects.get_slices(&object, slices).await else { continue };
        let whole = files.into_iter().zip(bytes).filter_map(|((path, ..), bytes)| Some((path.clone(), bytes?)));
        read.extend(whole);
    }
    read
}

fn is_dense(files: &[(&ObjectKey, &Entry, u64)]) -> bool {
    let start = files.iter().map(|(.., offset)| *offset).min().unwrap_or_default();
    let end = files.iter().map(|(_, entry, offset)| offset.saturating_add(entry.size_bytes)).max().unwrap_or_default();
    let bytes: u64 = files.iter().map(|(_, entry, _)| entry.size_bytes).sum();
    end - start <= bytes.saturating_mul(1 + MAX_WASTE)
}
