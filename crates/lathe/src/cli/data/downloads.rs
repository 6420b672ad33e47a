//! Files on their way out of a repository: several at once, only those that differ, and small ones many in one request.

use std::path::{Path, PathBuf};

use futures::{StreamExt as _, TryStreamExt as _, stream};
use lathe_core::{Code, Error, Result};
use reqwest::Method;
use tokio::fs::File;
use tokio::io::AsyncWriteExt as _;

use super::batch_answers;
use super::remote::{Object, Remote};
use super::transfer::Done;
use crate::cli::output::Output;

/// How many large files are under way at the same time.
const AT_ONCE: usize = 16;
/// How many batches are.
const BATCHES_AT_ONCE: usize = 4;
/// Larger files go one by one. The server answers files up to 1 MiB in batches.
const MAX_FILE_BYTES: u64 = 1024 * 1024;
/// How long a batch may be; the server answers up to 16 MiB.
const BATCH_BYTES: u64 = 8 * 1024 * 1024;
/// And how many files it may have; the server takes 1,000 paths.
const BATCH_FILES: usize = 1_000;
/// How many local files are compared in one go.
const COMPARED_AT_ONCE: usize = 500;

/// An object and the local file it becomes.
pub type Wanted = (Object, PathBuf);

/// Fetches the files that are not here already.
///
/// # Errors
/// As [`fetch_all`].
pub async fn download(remote: &Remote<'_>, files: Vec<Wanted>, output: &Output) -> Result<Done> {
    let all = files.len();
    let differing = differing(files).await?;
    let unchanged = all - differing.len();
    Ok(Done { unchanged, ..Done::default() }.and(fetch_all(remote, differing, output).await?))
}

/// Fetches files; each is an object and the local file it becomes.
///
/// # Errors
/// `Unavailable` for a file that cannot be written, and what the server answers; files that were fetched stay.
pub async fn fetch_all(remote: &Remote<'_>, files: Vec<Wanted>, output: &Output) -> Result<Done> {
    let bar = output.progress("fetching");
    bar.set_length(files.len() as u64);
    let (large, batches) = split(files);
    let large = stream::iter(large).map(|(object, file)| {
        let bar = &bar;
        async move {
            let bytes = fetch(remote, &object, &file).await?;
            bar.inc(1);
            Ok(Done::default().add(Some(bytes)))
        }
    });
    let batches = stream::iter(batches).map(|batch| {
        let bar = &bar;
        async move {
            let done = batch_answers::fetch(remote, batch).await?;
            bar.inc(done.copied as u64);
            Ok(done)
        }
    });
    let fetched = stream::select(large.buffer_unordered(AT_ONCE), batches.buffer_unordered(BATCHES_AT_ONCE));
    let done = fetched.try_fold(Done::default(), |done, more| async move { Ok(done.and(more)) }).await;
    bar.finish_and_clear();
    done
}

/// Leaves out the files that are here already.
///
/// # Errors
/// `Unavailable` for a file that cannot be read.
pub async fn differing(files: Vec<Wanted>) -> Result<Vec<Wanted>> {
    let mut groups = Vec::new();
    let mut files = files.into_iter().peekable();
    while files.peek().is_some() {
        groups.push(files.by_ref().take(COMPARED_AT_ONCE).collect::<Vec<_>>());
    }
    let compared = stream::iter(groups).map(|group| async {
        let compared = tokio::task::spawn_blocking(move || {
            let mut differing = Vec::new();
            for (object, file) in group {
                if !is_here(&object, &file).map_err(|error| unwritable(&file, &error))? {
                    differing.push((object, file));
                }
            }
            Ok(differing)
        });
        compared.await.map_err(|error| Error::internal("files could not be compared").with_source(error))?
    });
    compared.buffered(BATCHES_AT_ONCE).try_concat().await
}

fn is_here(object: &Object, file: &Path) -> std::io::Result<bool> {
    let Ok(known) = std::fs::metadata(file) else { return Ok(false) };
    if !known.is_file() || known.len() != object.size_bytes {
        return Ok(false);
    }
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(std::fs::File::open(file)?)?;
    Ok(hasher.finalize().to_hex().as_str() == object.hash)
}

/// Large files, and small ones in batches.
fn split(files: Vec<Wanted>) -> (Vec<Wanted>, Vec<Vec<Wanted>>) {
    let (mut large, mut batches) = (Vec::new(), Vec::new());
    let (mut batch, mut bytes) = (Vec::new(), 0);
    for (object, file) in files {
        if object.size_bytes > MAX_FILE_BYTES {
            large.push((object, file));
            continue;
        }
        if batch.len() == BATCH_FILES || bytes + object.size_bytes > BATCH_BYTES {
            batches.push(std::mem::take(&mut batch));
            bytes = 0;
        }
        bytes += object.size_bytes;
        batch.push((object, file));
    }
    // One file alone has no use for a batch.
    match <[Wanted; 1]>::try_from(batch) {
        Ok([one]) => large.push(one),
        Err(batch) if batch.is_empty() => {}
        Err(batch) => batches.push(batch),
    }
    (large, batches)
}

async fn fetch(remote: &Remote<'_>, object: &Object, file: &Path) -> Result<u64> {
    let failed = |error: std::io::Error| unwritable(file, &error);
    let folder = file.parent().unwrap_or_else(|| Path::new("."));
    tokio::fs::create_dir_all(folder).await.map_err(failed)?;
    let partial = partial_in(folder).map_err(failed)?.into_temp_path();
    let response = remote.open_stream(remote.object(Method::GET, &object.path)).await?;
    let mut bytes = response.bytes_stream();
    let mut written = File::create(&partial).await.map_err(failed)?;
    let mut hasher = blake3::Hasher::new();
    while let Some(chunk) = bytes.next().await {
        let chunk = chunk.map_err(|error| broke_off(&object.path).with_source(error))?;
        hasher.update(&chunk);
        written.write_all(&chunk).await.map_err(failed)?;
    }
    written.flush().await.map_err(failed)?;
    drop(written);
    if hasher.finalize().to_hex().as_str() != object.hash {
        return Err(changed(&object.path));
    }
    partial.persist(file).map_err(|error| failed(error.error))?;
    Ok(object.size_bytes)
}

/// A file that takes its own name once it is whole: one that breaks off must not look like one that has arrived.
pub(super) fn partial_in(folder: &Path) -> std::io::Result<tempfile::NamedTempFile> {
    use std::os::unix::fs::PermissionsExt as _;
    // A temporary file is its owner's alone; what was fetched is an ordinary file.
    tempfile::Builder::new().permissions(std::fs::Permissions::from_mode(0o644)).tempfile_in(folder)
}

pub(super) fn unwritable(file: &Path, error: &std::io::Error) -> Error {
    Error::new(Code::Unavailable, format!("{} cannot be written: {error}", file.display()))
}

pub(super) fn broke_off(path: &str) -> Error {
    Error::new(Code::Unavailable, format!("{path} broke off"))
}

pub(super) fn changed(path: &str) -> Error {
    Error::new(Code::Unavailable, format!("{path} was written again while it was fetched; try again"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(size_bytes: u64) -> Wanted {
        let (path, hash) = ("a".to_owned(), String::new());
        (Object { path, size_bytes, hash, content_type: String::new(), modified_at_ms: 0 }, PathBuf::from("a"))
    }

    #[test]
    fn batches_stay_below_what_the_server_answers() {
        let files = |sizes: &[u64]| sizes.iter().copied().map(wanted).collect::<Vec<_>>();
        let (large, batches) = split(files(&[MAX_FILE_BYTES; 20]));
        assert_eq!((large.len(), batches.iter().map(Vec::len).collect::<Vec<_>>()), (0, vec![8, 8, 4]));
        let (large, batches) = split(files(&[0; 2_001]));
        assert_eq!((large.len(), batches.len()), (1, 2));
        let (large, batches) = split(files(&[MAX_FILE_BYTES + 1, 7, 0]));
        assert_eq!((large.len(), batches.len()), (1, 1));
        assert_eq!(split(Vec::new()), (Vec::new(), Vec::new()));
    }
}
