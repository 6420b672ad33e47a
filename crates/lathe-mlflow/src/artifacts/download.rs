//! Sending an artifact, whole or a range.

use axum::body::Body;
use axum::response::Response;
use http::{HeaderMap, HeaderValue, Method};
use lathe_core::{Code, Ctx, Error, Result};
use lathe_http::file::{FileHead, Part};
use lathe_tracking::artifacts::{self, Artifact, ArtifactRead};
use lathe_tracking::{ArtifactPath, Tracking};

use crate::wire::{LATHE_VERSION, VERSION};

/// How often a file that is replaced between looking and reading is looked up again.
const ATTEMPTS: usize = 3;

/// Answers a GET or HEAD of a file.
///
/// # Errors
/// `NotFound` when there is no such file, `InvalidArgument` when it is a folder.
pub(crate) async fn respond(
    ctx: &Ctx,
    tracking: &Tracking,
    path: &ArtifactPath,
    method: &Method,
    headers: &HeaderMap,
) -> Result<Response> {
    for _ in 0..ATTEMPTS {
        let artifact = match artifacts::find_artifact(ctx, tracking, path).await {
            Err(error) if error.code() == Code::NotFound => return Err(explain(ctx, tracking, path, error).await),
            found => found?,
        };
        let head = head_of(&artifact);
        let part = head.asked_part(headers);
        let mut response = head.response(&part);
        response.headers_mut().insert(LATHE_VERSION, HeaderValue::from_static(VERSION));
        if method == Method::HEAD || part == Part::Beyond {
            return Ok(response);
        }
        let range = match part {
            Part::Range(range) => Some(range),
            Part::Whole | Part::Beyond => None,
        };
        artifacts::note_read(ctx, tracking, path).await?;
        let read = artifacts::get_artifact(ctx, tracking, path, range).await?;
        let ArtifactRead { artifact: found, object } = read;
        // Replaced in between: the head that was written belongs to the old file.
        if found.hash == artifact.hash {
            *response.body_mut() = Body::from_stream(object.stream);
            return Ok(response);
        }
    }
    Err(Error::new(Code::Unavailable, format!("`{path}` is being replaced; try again in a moment")))
}

/// A missing file may be a folder: then that is said.
async fn explain(ctx: &Ctx, tracking: &Tracking, path: &ArtifactPath, missing: Error) -> Error {
    match artifacts::list_artifacts(ctx, tracking, Some(path)).await {
        Ok(entries) if !entries.is_empty() => {
            Error::invalid(format!("Artifact path refers to a directory, not a file: '{path}'"))
        }
        _ => missing,
    }
}

fn head_of(artifact: &Artifact) -> FileHead {
    FileHead {
        name: artifact.path.file_name().to_owned(),
        content_type: None,
        size_bytes: u64::try_from(artifact.size_bytes).unwrap_or_default(),
        etag: artifact.hash.as_str().to_owned(),
    }
}
