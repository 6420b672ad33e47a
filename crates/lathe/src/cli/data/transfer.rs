//! Files on their way from a folder into a repository: several at once, and only those that differ.

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use futures::{StreamExt as _, TryStreamExt as _};
use lathe_core::{Code, Error, Result};
use reqwest::Method;
use serde_json::Value;
use tokio::fs::File;
use tokio_util::io::ReaderStream;

use super::batches::{self, Batch, Known, Read};
use super::checkout::is_manifest;
use super::remote::{Object, Remote};
use crate::cli::output::Output;

/// How many requests that send are.
const REQUESTS_AT_ONCE: usize = 4;

/// What was done.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Done {
    /// Files that were copied.
    pub copied: usize,
    /// Files that were the same on both sides.
    pub unchanged: usize,
    /// The bytes of the copied files.
    pub bytes: u64,
    /// What is in the local folder and is no file of it.
    pub left_out: usize,
}

impl Done {
    pub(super) fn and(mut self, more: Self) -> Self {
        self.copied += more.copied;
        self.unchanged += more.unchanged;
        self.bytes += more.bytes;
        self.left_out += more.left_out;
        self
    }

    /// One file more; `None` when it was the same on both sides.
    pub(super) fn add(mut self, copied: Option<u64>) -> Self {
        match copied {
            Some(bytes) => {
                self.copied += 1;
                self.bytes += bytes;
            }
            None => self.unchanged += 1,
        }
        self
    }
}

/// Sends files; each is a local file and its path in the repository. `known` is what the repository holds, by path. Small files
/// travel many at once.
///
/// # Errors
/// `Unavailable` for a file that cannot be read, and what the server answers; files that were sent stay.
pub async fn upload(
    remote: &Remote<'_>,
    files: Vec<(PathBuf, String)>,
    known: Vec<Object>,
    output: &Output,
) -> Result<Done> {
    let bar = output.progress("sending");
    bar.set_length(files.len() as u64);
    let known = Arc::new(Known::new(known));
    let done = batches::read(files, known.clone())
        .map(|read| async {
            let sent = match read? {
                Read::Batch(batch) => send_batch(remote, batch).await,
                Read::Large { file, path } => {
                    Ok(Done::default().add(send(remote, &file, &path, known.get(&path)).await?))
                }
            }?;
            bar.inc((sent.copied + sent.unchanged) as u64);
            Ok(sent)
        })
        .buffer_unordered(REQUESTS_AT_ONCE)
        .try_fold(Done::default(), |done, more| async move { Ok(done.and(more)) })
        .await;
    bar.finish_and_clear();
    done
}

async fn send_batch(remote: &Remote<'_>, Batch { body, done }: Batch) -> Result<Done> {
    if done.copied > 0 {
        let request = remote.request(Method::POST, &["refs", &remote.revision, "batch"]);
        remote.answer::<Value>(request.body(body)).await?;
    }
    Ok(done)
}

/// Answers how many bytes were sent; `None` when the repository holds the same.
async fn send(remote: &Remote<'_>, file: &Path, path: &str, before: Option<&Object>) -> Result<Option<u64>> {
    let unreadable =
        |error: std::io::Error| Error::new(Code::Unavailable, format!("{} cannot be read: {error}", file.display()));
    let size = tokio::fs::metadata(file).await.map_err(unreadable)?.len();
    if let Some(before) = before.filter(|before| before.size_bytes == size)
        && hash(file).await.map_err(unreadable)? == before.hash
    {
        return Ok(None);
    }
    let opened = File::open(file).await.map_err(unreadable)?;
    let body = reqwest::Body::wrap_stream(ReaderStream::with_capacity(opened, 256 * 1024));
    let mut request = remote.object(Method::PUT, path).header(reqwest::header::CONTENT_LENGTH, size).body(body);
    if let Some(media_type) = mime_guess::from_path(path).first_raw() {
        request = request.header(reqwest::header::CONTENT_TYPE, media_type);
    }
    remote.answer::<Value>(request).await?;
    Ok(Some(size))
}

/// BLAKE3 of a file, as listings write it.
pub async fn hash(file: &Path) -> std::io::Result<String> {
    let file = file.to_owned();
    let hashed = tokio::task::spawn_blocking(move || {
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(std::fs::File::open(file)?)?;
        Ok::<_, std::io::Error>(hasher.finalize().to_hex().to_string())
    });
    hashed.await.map_err(std::io::Error::other)?
}

/// What is in a local folder.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Files, with their paths below the folder.
    pub files: Vec<(PathBuf, String)>,
    /// Links that lead to folders, to nothing or out of the folder, and what is no file (sockets, pipes).
    pub left_out: Vec<PathBuf>,
}

/// The files below a local folder; a link to one of them is a file, too.
///
/// # Errors
/// `Unavailable` for a folder that cannot be read, `InvalidArgument` for a name that is no UTF-8.
pub fn files_below(folder: &Path) -> Result<Found> {
    let mut found = Found::default();
    let mut open = vec![folder.to_owned()];
    while let Some(next) = open.pop() {
        let unreadable = |error: std::io::Error| {
            Error::new(Code::Unavailable, format!("{} cannot be read: {error}", next.display()))
        };
        for entry in std::fs::read_dir(&next).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            let kind = entry.file_type().map_err(unreadable)?;
            let path = entry.path();
            if kind.is_dir() {
                open.push(path);
            } else if kind.is_file() || (kind.is_symlink() && leads_to_file_in(folder, &path)) {
                let below = path.strip_prefix(folder).ok().and_then(Path::to_str);
                let below = below.ok_or_else(|| Error::invalid(format!("{} is not UTF-8", path.display())))?.to_owned();
                found.files.push((path, below));
            } else {
                found.left_out.push(path);
            }
        }
    }
    found.files.sort_unstable_by(|one, other| one.1.cmp(&other.1));
    found.left_out.sort_unstable();
    Ok(found)
}

/// What is elsewhere was not named by whoever named the folder, and a folder may lead back to itself.
fn leads_to_file_in(folder: &Path, link: &Path) -> bool {
    match (std::fs::canonicalize(folder), std::fs::canonicalize(link)) {
        (Ok(folder), Ok(target)) => target.starts_with(folder) && target.is_file(),
        _ => false,
    }
}

/// The path below a prefix of what becomes a file here. Markers of empty folders have no bytes and no name of their own, and what a checkout
/// keeps of itself would take the place of another one's.
pub(super) fn file_below<'p>(prefix: &str, path: &'p str) -> Option<&'p str> {
    path.strip_prefix(prefix).filter(|path| !path.is_empty() && !path.ends_with('/') && !is_manifest(path))
}

/// Where a path of a repository goes below a folder; never outside of it.
///
/// # Errors
/// `InvalidArgument` for a path that would leave the folder.
pub fn below(folder: &Path, path: &str) -> Result<PathBuf> {
    let relative = Path::new(path);
    let is_plain = !path.is_empty() && relative.components().all(|part| matches!(part, Component::Normal(_)));
    if !is_plain {
        return Err(Error::invalid(format!("{path:?} has no place below {}", folder.display())));
    }
    Ok(folder.join(relative))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_to_files_of_the_folder_are_files() {
        let outside = tempfile::tempdir().unwrap();
        std::fs::write(outside.path().join("secret"), "s").unwrap();
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir(at("sub")).unwrap();
        std::fs::write(at("sub/file"), "f").unwrap();
        let link = |to: &Path, name: &str| std::os::unix::fs::symlink(to, at(name)).unwrap();
        link(Path::new("sub/file"), "inside");
        link(&at("inside"), "sub/twice");
        link(&outside.path().join("secret"), "outside");
        link(outside.path(), "folder");
        link(Path::new("sub"), "again");
        link(Path::new("nowhere"), "broken");
        let found = files_below(folder.path()).unwrap();
        let paths: Vec<&str> = found.files.iter().map(|(_, below)| below.as_str()).collect();
        assert_eq!(paths, ["inside", "sub/file", "sub/twice"]);
        assert_eq!(found.left_out, ["again", "broken", "folder", "outside"].map(at));
    }

    #[test]
    fn no_path_leaves_its_folder() {
        let folder = Path::new("out");
        assert_eq!(below(folder, "a/b.txt").unwrap(), Path::new("out/a/b.txt"));
        for bad in ["", "..", "../x", "a/../../x", "/etc/passwd"] {
            assert!(below(folder, bad).is_err(), "{bad}");
        }
    }
}
