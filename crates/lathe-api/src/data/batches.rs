//! Many small files in one request.

use std::convert::Infallible;

use axum::Json;
use axum::body::Body as HttpBody;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures::{StreamExt as _, stream};
use http::header;
use lathe_core::{Error, Result};
use lathe_data::batch_reads::{self, FileRead};
use lathe_data::batches::{self, BatchFile};
use lathe_data::{ContentHash, ObjectKey, RefName, Revision};
use lathe_http::{Caller, Failure};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::parse_repository;
use crate::extract::{Body, Captured, RawBody};
use crate::state::ApiState;

/// How long a batch may be, with what it says of its files.
pub(crate) const MAX_BATCH_BYTES: usize = 16 * 1024 * 1024;
/// The longest line that describes a file: a path of 1,024 bytes may be written with six for each.
const MAX_LINE_BYTES: usize = 8 * 1024;

/// What stands before a file's bytes in a batch: one line of JSON.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct BatchLine {
    path: String,
    size_bytes: usize,
    hash: String,
    #[serde(default)]
    content_type: String,
}

/// What a batch staged.
#[derive(Debug, Serialize, ToSchema)]
pub struct StagedBatch {
    /// Files.
    pub files: usize,
    /// Their bytes.
    pub size_bytes: u64,
}

/// Stages many small files on a branch, all of them or none.
///
/// The body holds, for each file, one line of JSON (`{"path": …, "size_bytes": …, "hash": …, "content_type": …}`, the hash BLAKE3 in
/// hex, the type optional), a line feed, and as many bytes as the line says; the next file follows at once. Up to 5,000 files, 1 MiB
/// each, 16 MiB in all.
#[utoipa::path(post, path = "/api/v1/repos/{repo}/refs/{ref}/batch", tag = "data",
    params(("repo" = String, Path, description = "The repository"), ("ref" = String, Path, description = "The branch")),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 200, body = StagedBatch)))]
pub(crate) async fn put_batch(
    State(api): State<ApiState>,
    Caller(ctx): Caller,
    Captured((repo, branch)): Captured<(String, String)>,
    RawBody(body): RawBody,
) -> Result<Json<StagedBatch>, Failure> {
    let (repository, branch) = (parse_repository(&repo)?, RefName::parse(&branch)?);
    let files = parse_batch(body)?;
    let batched = batches::put_batch(&ctx, &api.data, &repository, &branch, files).await?;
    Ok(Json(StagedBatch { files: batched.files, size_bytes: batched.size_bytes }))
}

/// Which files are read.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BatchPaths {
    /// 1-1,000 paths, each once.
    paths: Vec<String>,
}

/// What stands before a file's bytes in an answer; without bytes behind it when there is an error.
#[derive(Debug, Serialize)]
struct FileLine<'f> {
    path: &'f str,
    #[serde(skip_serializing_if = "Option::is_none")]
    size_bytes: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hash: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<LineError<'f>>,
}

#[derive(Debug, Serialize)]
struct LineError<'f> {
    code: &'f str,
    message: &'f str,
}

/// Reads many small files of a ref in one answer.
///
/// The answer holds the files in order of their paths, each as a batch that is staged does: one line of JSON (`path`, `size_bytes`,
/// `hash`), a line feed, and its bytes. A file that cannot be read has a line with `error` (`code`, `message`) and no bytes: `not_found`,
/// `too_large` (above 1 MiB, or behind 16 MiB of other files), `internal` (damaged). An answer that holds fewer files than were
/// asked for broke off.
#[utoipa::path(post, path = "/api/v1/repos/{repo}/refs/{ref}/batch/read", tag = "data",
    params(("repo" = String, Path, description = "The repository"), ("ref" = String, Path, description = "The ref")),
    request_body = BatchPaths,
    responses((status = 200, content_type = "application/octet-stream")))]
pub(crate) async fn read_batch(
    State(api): State<ApiState>,
    Caller(ctx): Caller,
    Captured((repo, revision)): Captured<(String, String)>,
    Body(BatchPaths { paths }): Body<BatchPaths>,
) -> Result<Response, Failure> {
    let (repository, revision) = (parse_repository(&repo)?, Revision::parse(&revision)?);
    let paths = paths.iter().map(|path| ObjectKey::parse(path)).collect::<Result<Vec<_>>>()?;
    if paths.is_empty() {
        return Err(Error::invalid("`paths` is empty; name the files to read").into());
    }
    let files = batch_reads::read_batch(&ctx, &api.data, &repository, &revision, paths).await?;
    let body = files.flat_map(|files| stream::iter(files.into_iter().flat_map(frame).map(Ok::<_, Infallible>)));
    Ok(([(header::CONTENT_TYPE, "application/octet-stream")], HttpBody::from_stream(body)).into_response())
}

/// A file's line and its bytes.
fn frame(FileRead { path, read }: FileRead) -> [Bytes; 2] {
    let path = path.as_str();
    let line = match &read {
        Ok((entry, bytes)) => {
            FileLine { path, size_bytes: Some(bytes.len()), hash: Some(entry.hash.to_string()), error: None }
        }
        Err(error) => {
            let error = LineError { code: error.code().as_str(), message: error.message() };
            FileLine { path, size_bytes: None, hash: None, error: Some(error) }
        }
    };
    // Texts and numbers always have a JSON form.
    let mut line = serde_json::to_vec(&line).unwrap_or_default();
    line.push(b'\n');
    [line.into(), read.map(|(_, bytes)| bytes).unwrap_or_default()]
}

fn parse_batch(mut body: Bytes) -> Result<Vec<BatchFile>> {
    let mut files = Vec::new();
    while !body.is_empty() {
        let number = files.len() + 1;
        if files.len() == batches::MAX_BATCH_FILES {
            return Err(Error::invalid(format!("a batch may have {} files", batches::MAX_BATCH_FILES)));
        }
        let end = body.iter().take(MAX_LINE_BYTES).position(|byte| *byte == b'\n');
        let end =
            end.ok_or_else(|| Error::invalid(format!("file {number} of the batch has no line before its bytes")))?;
        let line = body.split_to(end + 1);
        let BatchLine { path, size_bytes, hash, content_type } = serde_json::from_slice(&line)
            .map_err(|error| Error::invalid(format!("the line of file {number} of the batch is not valid: {error}")))?;
        if size_bytes > body.len() {
            return Err(Error::invalid(format!("the batch ends within the bytes of `{path}`")));
        }
        let bytes = body.split_to(size_bytes);
        files.push(BatchFile { path: ObjectKey::parse(&path)?, content_type, hash: ContentHash::parse(&hash)?, bytes });
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(path: &str, content: &str) -> String {
        let hash = ContentHash::of(content.as_bytes());
        format!("{{\"path\":\"{path}\",\"size_bytes\":{},\"hash\":\"{hash}\"}}\n{content}", content.len())
    }

    fn parse(text: &str) -> Result<Vec<(String, Vec<u8>)>> {
        let files = parse_batch(Bytes::copy_from_slice(text.as_bytes()))?;
        Ok(files.into_iter().map(|file| (file.path.to_string(), file.bytes.to_vec())).collect())
    }

    #[test]
    fn files_follow_each_other_at_once() {
        let text = format!("{}{}{}", line("a/b", "one\n{}"), line("empty", ""), line("c", "two"));
        let file = |path: &str, content: &str| (path.to_owned(), content.as_bytes().to_vec());
        assert_eq!(parse(&text).unwrap(), [file("a/b", "one\n{}"), file("empty", ""), file("c", "two")]);
        assert_eq!(parse("").unwrap(), []);
    }

    #[test]
    fn what_is_no_batch_is_refused() {
        let whole = line("a", "content");
        for bad in [
            "x".to_owned(),
            "{}\n".to_owned(),
            whole[..whole.len() - 1].to_owned(),
            format!("{whole}\n"),
            whole.replace("\"a\"", "\"../a\""),
            whole.replace("\"path\"", "\"Path\""),
            whole.replace("size_bytes\":7", "size_bytes\":-7"),
            whole.replace("size_bytes\":7", "size_bytes\":18446744073709551615"),
            whole.replace("hash\":\"", "hash\":\"0"),
            "{".repeat(100_000),
        ] {
            assert_eq!(parse(&bad).unwrap_err().code(), lathe_core::Code::InvalidArgument, "{bad}");
        }
    }
}
