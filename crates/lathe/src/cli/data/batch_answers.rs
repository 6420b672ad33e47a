//! Small files out of one answer: each is compared with the hash it was asked for by, and written whole or not at all.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use bytes::{Buf as _, Bytes, BytesMut};
use futures::StreamExt as _;
use lathe_core::{Code, Error, Result};
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde_json::json;

use super::downloads::{Wanted, broke_off, changed, partial_in, unwritable};
use super::remote::{Object, Remote};
use super::transfer::Done;
use crate::cli::client::code_of;

/// The longest line before a file's bytes: a path of 1,024 bytes may be written with six for each, and a message repeat it.
const MAX_LINE_BYTES: usize = 16 * 1024;

/// The line before a file's bytes.
#[derive(Debug, Deserialize)]
struct Line {
    path: String,
    #[serde(default)]
    size_bytes: usize,
    error: Option<LineError>,
}

#[derive(Debug, Deserialize)]
struct LineError {
    code: String,
    message: String,
}

/// Fetches files in one request. What arrived whole stays, whatever becomes of the others.
///
/// # Errors
/// The first of: what the server answers, for all files or one of them; `Unavailable` for a file that cannot be written, was
/// changed, or did not arrive.
pub async fn fetch(remote: &Remote<'_>, files: Vec<Wanted>) -> Result<Done> {
    let paths: Vec<&str> = files.iter().map(|(object, _)| object.path.as_str()).collect();
    let request = remote.request(Method::POST, &["refs", &remote.revision, "batch", "read"]);
    let response = remote.open_stream(request.json(&json!({ "paths": paths }))).await?;
    // Not more than was asked for, whoever answers.
    let most = files.iter().map(|(object, _)| object.size_bytes).sum::<u64>() + (files.len() * MAX_LINE_BYTES) as u64;
    let mut answer = BytesMut::new();
    let mut chunks = response.bytes_stream();
    let mut is_whole = true;
    while let Some(chunk) = chunks.next().await {
        match chunk {
            Ok(chunk) if (answer.len() + chunk.len()) as u64 <= most => answer.extend_from_slice(&chunk),
            _ => {
                is_whole = false;
                break;
            }
        }
    }
    let written = tokio::task::spawn_blocking(move || {
        let wanted = files.into_iter().map(|(object, file)| (object.path.clone(), (object, file))).collect();
        let mut arrival = Arrival { wanted, folder: PathBuf::new(), done: Done::default(), failed: None };
        arrival.take_all(answer.freeze(), is_whole);
        arrival.end()
    });
    written.await.map_err(|error| Error::internal("files could not be written").with_source(error))?
}

struct Arrival {
    /// What has not arrived.
    wanted: HashMap<String, Wanted>,
    /// The folder of the last file, which is there.
    folder: PathBuf,
    done: Done,
    /// What went wrong first.
    failed: Option<Error>,
}

impl Arrival {
    fn take_all(&mut self, mut answer: Bytes, is_whole: bool) {
        while !answer.is_empty() {
            let Some((line, bytes)) = split_off(&mut answer) else {
                // That an answer broke off shows in what is missing.
                if is_whole {
                    let message = "the server's answer breaks off or is no batch of files";
                    self.failed.get_or_insert_with(|| Error::new(Code::Unavailable, message));
                }
                return;
            };
            if let Err(error) = self.take(line, &bytes) {
                self.failed.get_or_insert(error);
            }
        }
    }

    fn take(&mut self, Line { path, error, .. }: Line, bytes: &[u8]) -> Result<()> {
        // Where it goes is known here; what the server says only chooses among what was asked for.
        let Some((object, file)) = self.wanted.remove(&path) else {
            return Err(Error::new(Code::Unavailable, format!("the server sent {path:?}, which nobody asked for")));
        };
        match error {
            Some(LineError { code, message }) => Err(Error::new(code_of(&code, StatusCode::OK), message)),
            None => self.write(&object, &file, bytes),
        }
    }

    fn write(&mut self, object: &Object, file: &Path, bytes: &[u8]) -> Result<()> {
        if blake3::hash(bytes).to_hex().as_str() != object.hash {
            return Err(changed(&object.path));
        }
        let failed = |error: std::io::Error| unwritable(file, &error);
        let folder = file.parent().unwrap_or_else(|| Path::new("."));
        if self.folder != folder {
            std::fs::create_dir_all(folder).map_err(failed)?;
            folder.clone_into(&mut self.folder);
        }
        let mut partial = partial_in(folder).map_err(failed)?;
        std::io::Write::write_all(&mut partial, bytes).map_err(failed)?;
        partial.persist(file).map_err(|error| failed(error.error))?;
        self.done = self.done.add(Some(object.size_bytes));
        Ok(())
    }

    fn end(self) -> Result<Done> {
        match (self.failed, self.wanted.into_keys().min()) {
            (Some(error), _) => Err(error),
            (None, Some(missing)) => Err(broke_off(&missing)),
            (None, None) => Ok(self.done),
        }
    }
}

/// Takes the next file off an answer; `None` when there is no whole one.
fn split_off(answer: &mut Bytes) -> Option<(Line, Bytes)> {
    let end = answer.iter().take(MAX_LINE_BYTES).position(|byte| *byte == b'\n')?;
    let line: Line = serde_json::from_slice(answer.get(..end)?).ok()?;
    answer.advance(end + 1);
    (line.size_bytes <= answer.len()).then(|| answer.split_to(line.size_bytes)).map(|bytes| (line, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrival(folder: &Path, files: &[(&str, &str)]) -> Arrival {
        let wanted = files.iter().map(|(path, content)| {
            let object = Object {
                path: (*path).to_owned(),
                size_bytes: content.len() as u64,
                hash: blake3::hash(content.as_bytes()).to_hex().to_string(),
                content_type: String::new(),
                modified_at_ms: 0,
            };
            ((*path).to_owned(), (object, folder.join(path)))
        });
        Arrival { wanted: wanted.collect(), folder: PathBuf::new(), done: Done::default(), failed: None }
    }

    fn file(path: &str, content: &str) -> String {
        format!("{}\n{content}", json!({ "path": path, "size_bytes": content.len(), "hash": "of the server" }))
    }

    fn refused(path: &str) -> String {
        format!("{}\n", json!({ "path": path, "error": { "code": "not_found", "message": "gone" } }))
    }

    fn receive(files: &[(&str, &str)], answer: &str, is_whole: bool) -> (Result<Done>, Vec<String>) {
        let folder = tempfile::tempdir().unwrap();
        let mut arrival = arrival(&folder.path().join("in"), files);
        arrival.take_all(Bytes::copy_from_slice(answer.as_bytes()), is_whole);
        let found = crate::cli::data::transfer::files_below(folder.path()).unwrap().files;
        (arrival.end(), found.into_iter().map(|(_, below)| below).collect())
    }

    #[test]
    fn what_arrives_whole_is_written_whatever_becomes_of_the_rest() {
        let (done, found) = receive(&[("a", "one"), ("b/c", "")], &(file("a", "one") + &file("b/c", "")), true);
        assert_eq!(
            (done.unwrap(), found),
            (Done { copied: 2, bytes: 3, ..Done::default() }, vec!["in/a".to_owned(), "in/b/c".to_owned()])
        );
        let files = [("a", "one"), ("b", "two")];
        for (answer, is_whole, code, message) in [
            (file("b", "two") + &refused("a"), true, Code::NotFound, "gone"),
            (refused("a") + &file("b", "two"), true, Code::NotFound, "gone"),
            (file("a", "six") + &file("b", "two"), true, Code::Unavailable, "written again"),
            (file("b", "two"), true, Code::Unavailable, "a broke off"),
            (file("b", "two") + &file("a", "one")[..40], false, Code::Unavailable, "a broke off"),
            (file("b", "two") + "x", true, Code::Unavailable, "no batch of files"),
            (file("b", "two") + &file("../a", "one"), true, Code::Unavailable, "nobody asked for"),
            (file("b", "two") + &file("b", "two"), true, Code::Unavailable, "nobody asked for"),
        ] {
            let (done, found) = receive(&files, &answer, is_whole);
            let error = done.unwrap_err();
            assert_eq!((error.code(), found), (code, vec!["in/b".to_owned()]), "{answer}");
            assert!(error.message().contains(message), "{error}");
        }
    }
}
