//! Local files on their way into batches: read once, hashed, compared with what the repository holds, and packed.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use futures::{Stream, stream};
use lathe_core::{Code, Error, Result};
use serde::Serialize;
use tokio::sync::mpsc;

use super::remote::Object;
use super::transfer::Done;

/// Larger files go one by one. The server takes 1 MiB.
const MAX_FILE_BYTES: u64 = 1024 * 1024;
/// A batch is sent when it is as long as this; with one more file it is still under the server's 16 MiB.
const BATCH_BYTES: usize = 8 * 1024 * 1024;
/// And when it has as many files; the server takes 5,000.
const BATCH_FILES: usize = 4_000;
/// How many threads read files.
const READERS: usize = 4;

/// What a repository holds, by path.
#[derive(Debug)]
pub struct Known(Vec<Object>);

impl Known {
    /// Takes a listing, which is in order of the paths.
    pub fn new(listed: Vec<Object>) -> Self {
        Self(listed)
    }

    /// What it holds under a path.
    pub fn get(&self, path: &str) -> Option<&Object> {
        let at = self.0.binary_search_by(|object| object.path.as_str().cmp(path)).ok()?;
        self.0.get(at)
    }
}

/// The next thing to do.
#[derive(Debug)]
pub enum Read {
    /// Small files.
    Batch(Batch),
    /// A file that goes by itself.
    Large {
        /// The local file.
        file: PathBuf,
        /// Its path in the repository.
        path: String,
    },
}

/// Small files in one body.
#[derive(Debug, Default)]
pub struct Batch {
    /// What is sent: only files that differ.
    pub body: Vec<u8>,
    /// What will have been done then.
    pub done: Done,
}

/// The line before a file's bytes.
#[derive(Debug, Serialize)]
struct Line<'f> {
    path: &'f str,
    size_bytes: usize,
    hash: &'f str,
    #[serde(skip_serializing_if = "str::is_empty")]
    content_type: &'f str,
}

type Files = Arc<Mutex<std::vec::IntoIter<(PathBuf, String)>>>;

/// Reads files with a few threads, a little ahead of who takes the batches.
pub fn read(files: Vec<(PathBuf, String)>, known: Arc<Known>) -> impl Stream<Item = Result<Read>> {
    let (sender, receiver) = mpsc::channel(1);
    let readers = READERS.min(files.len());
    let files: Files = Arc::new(Mutex::new(files.into_iter()));
    for _ in 0..readers {
        let (files, known, sender) = (files.clone(), known.clone(), sender.clone());
        // They end when the files do, or when nobody takes batches any more.
        tokio::task::spawn_blocking(move || {
            if let Err(error) = fill(&files, &known, &sender) {
                // Nobody listens when another one has failed first.
                let _ = sender.blocking_send(Err(error));
            }
        });
    }
    stream::unfold(receiver, |mut receiver| async move { Some((receiver.recv().await?, receiver)) })
}

fn fill(files: &Files, known: &Known, sender: &mpsc::Sender<Result<Read>>) -> Result<()> {
    let mut batch = Batch::default();
    let mut content = Vec::new();
    loop {
        let next = files.lock().unwrap_or_else(PoisonError::into_inner).next();
        let Some((file, path)) = next else { break };
        let is_small = read_small(&file, &mut content).map_err(|error| unreadable(&file, &error))?;
        let ready = if is_small {
            add(&mut batch, &path, &content, known.get(&path))?;
            let is_full = batch.body.len() >= BATCH_BYTES || batch.done.copied + batch.done.unchanged >= BATCH_FILES;
            is_full.then(|| Read::Batch(std::mem::take(&mut batch)))
        } else {
            Some(Read::Large { file, path })
        };
        if let Some(ready) = ready
            && sender.blocking_send(Ok(ready)).is_err()
        {
            return Ok(());
        }
    }
    // Whoever listens no more needs no last batch.
    let _ = sender.blocking_send(Ok(Read::Batch(batch)));
    Ok(())
}

/// Reads a file if it is small; answers whether it is.
fn read_small(file: &Path, content: &mut Vec<u8>) -> std::io::Result<bool> {
    let mut opened = File::open(file)?;
    let size = opened.metadata()?.len();
    if size > MAX_FILE_BYTES {
        return Ok(false);
    }
    content.resize(usize::try_from(size).unwrap_or_default(), 0);
    opened.read_exact(content)?;
    Ok(true)
}

fn add(batch: &mut Batch, path: &str, content: &[u8], before: Option<&Object>) -> Result<()> {
    let hash = blake3::hash(content).to_hex();
    let is_same = |before: &&Object| before.size_bytes == content.len() as u64 && before.hash == hash.as_str();
    if before.filter(is_same).is_some() {
        batch.done = batch.done.add(None);
        return Ok(());
    }
    if batch.body.is_empty() {
        batch.body.reserve(BATCH_BYTES + BATCH_BYTES / 8);
    }
    let line = Line {
        path,
        size_bytes: content.len(),
        hash: hash.as_str(),
        content_type: mime_guess::from_path(path).first_raw().unwrap_or_default(),
    };
    serde_json::to_writer(&mut batch.body, &line)
        .map_err(|error| Error::internal("a file cannot be described").with_source(error))?;
    batch.body.push(b'\n');
    batch.body.extend_from_slice(content);
    batch.done = batch.done.add(Some(content.len() as u64));
    Ok(())
}

fn unreadable(file: &Path, error: &std::io::Error) -> Error {
    Error::new(Code::Unavailable, format!("{} cannot be read: {error}", file.display()))
}
