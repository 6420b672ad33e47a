//! Files: listed, read, written, copied and deleted by ref and path.

use std::collections::BTreeMap;

use axum::Json;
use axum::body::Body as HttpBody;
use axum::extract::{Request, State};
use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use lathe_core::{Error, Result};
use lathe_data::listing::{self, ListObjects, Listed};
use lathe_data::objects::{self, Conditions, CopySource, PutObject, Tags};
use lathe_data::{Entry, Etag, ObjectKey, RefName, Revision};
use lathe_http::file::{FileHead, Part};
use lathe_http::upload::Upload;
use lathe_http::{Caller, Failure};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::parse_repository;
use crate::extract::{Body, Captured, Query};
use crate::state::ApiState;

const DEFAULT_PAGE: usize = 1_000;
/// BLAKE3 of a file's bytes.
const HASH: HeaderName = HeaderName::from_static("x-lathe-hash");

/// A file.
#[derive(Debug, Serialize, ToSchema)]
pub struct ObjectEntry {
    /// Where it is.
    pub path: String,
    /// How long it is.
    pub size_bytes: u64,
    /// BLAKE3 of its bytes.
    pub hash: String,
    /// The tag that S3 clients compare, without quotes.
    pub etag: String,
    /// The media type; empty when nobody said it.
    pub content_type: String,
    /// What the writer attached.
    pub metadata: BTreeMap<String, String>,
    /// When it was written, in milliseconds since 1970.
    pub modified_at_ms: i64,
}

/// A page of files.
#[derive(Debug, Serialize, ToSchema)]
pub struct ObjectPage {
    /// Files, by path.
    pub objects: Vec<ObjectEntry>,
    /// What several paths begin with, up to and with the delimiter.
    pub prefixes: Vec<String>,
    /// Where the next page starts; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub next_page_token: Option<String>,
}

/// Which files.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ObjectsQuery {
    /// Only paths that begin with this.
    prefix: Option<String>,
    /// Paths with this behind the prefix are listed once, by what they have in common: `/` lists one folder.
    delimiter: Option<String>,
    /// Only what sorts after this.
    start_after: Option<String>,
    /// Files and prefixes together, 1-1,000 (1,000 if absent).
    max_results: Option<usize>,
    /// The previous page's token.
    page_token: Option<String>,
}

/// A copy to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCopy {
    /// The repository that is copied from; the same one if absent.
    source_repo: Option<String>,
    /// The ref that is copied from.
    source_ref: String,
    /// The file that is copied.
    source_path: String,
    /// Where the copy goes.
    path: String,
}

/// Files of a ref: on a branch, what is staged over what is committed.
#[utoipa::path(get, path = "/api/v1/repos/{repo}/refs/{ref}/objects", tag = "data",
    params(("repo" = String, Path, description = "The repository"), ("ref" = String, Path, description = "The ref"), ObjectsQuery),
    responses((status = 200, body = ObjectPage)))]
pub(crate) async fn list_objects(
    State(api): State<ApiState>,
    Caller(ctx): Caller,
    Captured((repo, revision)): Captured<(String, String)>,
    Query(query): Query<ObjectsQuery>,
) -> Result<Json<ObjectPage>, Failure> {
    let ObjectsQuery { prefix, delimiter, start_after, max_results, page_token } = query;
    let request = ListObjects {
        prefix: prefix.unwrap_or_default(),
        delimiter,
        start_after,
        page_token,
        max_keys: max_results.unwrap_or(DEFAULT_PAGE),
    };
    let revision = Revision::parse(&revision)?;
    let list = listing::list_objects(&ctx, &api.data, &parse_repository(&repo)?, &revision, request).await?;
    let (mut objects, mut prefixes) = (Vec::new(), Vec::new());
    for item in list.items {
        match item {
            Listed::Object { path, entry } => objects.push(ObjectEntry::new(path.as_str(), entry)),
            Listed::Prefix(common) => prefixes.push(common),
        }
    }
    Ok(Json(ObjectPage { objects, prefixes, next_page_token: list.next_page_token }))
}

/// A file's bytes, whole or a range.
#[utoipa::path(get, path = "/api/v1/repos/{repo}/refs/{ref}/objects/{path}", tag = "data",
    params(("repo" = String, Path, description = "The repository"), ("ref" = String, Path, description = "The ref"),
        ("path" = String, Path, description = "The file; it may hold `/`")),
    responses((status = 200, content_type = "application/octet-stream"), (status = 206, content_type = "application/octet-stream")))]
pub(crate) async fn get_object(
    State(api): State<ApiState>,
    Caller(ctx): Caller,
    Captured((repo, revision, path)): Captured<(String, String, String)>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let (repository, revision) = (parse_repository(&repo)?, Revision::parse(&revision)?);
    let path = ObjectKey::parse(&path)?;
    let entry = objects::head_object(&ctx, &api.data, &repository, &revision, &path).await?;
    let head = head_of(&path, &entry);
    let part = head.asked_part(&headers);
    let mut response = head.response(&part);
    if let Ok(hash) = HeaderValue::try_from(entry.hash.to_string()) {
        response.headers_mut().insert(HASH, hash);
    }
    if method == Method::HEAD || part == Part::Beyond {
        return Ok(response);
    }
    let range = match part {
        Part::Range(range) => Some(range),
        Part::Whole | Part::Beyond => None,
    };
    // The bytes of the entry that the head describes, even when the path was written again meanwhile.
    let read = objects::read_object(&ctx, &api.data, entry, range).await?;
    *response.body_mut() = HttpBody::from_stream(read.stream);
    Ok(response)
}

/// Stages a file on a branch. `If-Match` and `If-None-Match` are looked at in the transaction that stages it.
#[utoipa::path(put, path = "/api/v1/repos/{repo}/refs/{ref}/objects/{path}", tag = "data",
    params(("repo" = String, Path, description = "The repository"), ("ref" = String, Path, description = "The branch"),
        ("path" = String, Path, description = "The file; it may hold `/`")),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 200, body = ObjectEntry), (status = 412)))]
pub(crate) async fn put_object(
    State(api): State<ApiState>,
    Caller(ctx): Caller,
    Captured((repo, branch, path)): Captured<(String, String, String)>,
    request: Request,
) -> Result<Json<ObjectEntry>, Failure> {
    let (repository, branch) = (parse_repository(&repo)?, RefName::parse(&branch)?);
    let path = ObjectKey::parse(&path)?;
    let put = PutObject {
        content_type: text(request.headers(), &header::CONTENT_TYPE)?.unwrap_or_default().to_owned(),
        metadata: BTreeMap::new(),
        conditions: conditions(request.headers())?,
    };
    let upload = Upload::new(request.into_body());
    let stored = objects::put_object(&ctx, &api.data, &repository, &branch, &path, put, upload.stream()).await;
    let entry = upload.settle(stored).await?;
    Ok(Json(ObjectEntry::new(path.as_str(), entry)))
}

/// Stages the removal of a file. What is not there is gone.
#[utoipa::path(delete, path = "/api/v1/repos/{repo}/refs/{ref}/objects/{path}", tag = "data",
    params(("repo" = String, Path, description = "The repository"), ("ref" = String, Path, description = "The branch"),
        ("path" = String, Path, description = "The file; it may hold `/`")),
    responses((status = 204), (status = 412)))]
pub(crate) async fn delete_object(
    State(api): State<ApiState>,
    Caller(ctx): Caller,
    Captured((repo, branch, path)): Captured<(String, String, String)>,
    headers: HeaderMap,
) -> Result<StatusCode, Failure> {
    let (repository, branch) = (parse_repository(&repo)?, RefName::parse(&branch)?);
    let (path, conditions) = (ObjectKey::parse(&path)?, conditions(&headers)?);
    objects::delete_object(&ctx, &api.data, &repository, &branch, &path, conditions).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Stages a copy of a file without copying its bytes.
#[utoipa::path(post, path = "/api/v1/repos/{repo}/branches/{branch}/copy", tag = "data",
    params(("repo" = String, Path, description = "The repository"), ("branch" = String, Path, description = "The branch that gets the copy")),
    request_body = NewCopy, responses((status = 200, body = ObjectEntry)))]
pub(crate) async fn copy_object(
    State(api): State<ApiState>,
    Caller(ctx): Caller,
    Captured((repo, branch)): Captured<(String, String)>,
    Body(new): Body<NewCopy>,
) -> Result<Json<ObjectEntry>, Failure> {
    let (repository, branch) = (parse_repository(&repo)?, RefName::parse(&branch)?);
    let source = CopySource {
        repository: new.source_repo.as_deref().map_or_else(|| Ok(repository.clone()), parse_repository)?,
        revision: Revision::parse(&new.source_ref)?,
        path: ObjectKey::parse(&new.source_path)?,
    };
    let path = ObjectKey::parse(&new.path)?;
    let entry =
        objects::copy_object(&ctx, &api.data, &source, &repository, &branch, &path, objects::CopyObject::default())
            .await?;
    Ok(Json(ObjectEntry::new(path.as_str(), entry)))
}

fn head_of(path: &ObjectKey, entry: &Entry) -> FileHead {
    let name = path.as_str().trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    FileHead {
        name: name.to_owned(),
        content_type: Some(entry.content_type.clone()).filter(|content_type| !content_type.is_empty()),
        size_bytes: entry.size_bytes,
        etag: entry.etag.to_string(),
    }
}

fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h str>> {
    let text = |value: &'h HeaderValue| value.to_str();
    headers.get(name).map(text).transpose().map_err(|_| Error::invalid(format!("the header {name} is not text")))
}

fn conditions(headers: &HeaderMap) -> Result<Conditions> {
    let tags = |name: HeaderName| -> Result<Option<Tags>> {
        let Some(text) = text(headers, &name)? else { return Ok(None) };
        if text.trim() == "*" {
            return Ok(Some(Tags::Any));
        }
        let tags = text.split(',').map(|tag| Etag::parse(tag.trim())).collect::<Option<Vec<_>>>();
        let tags = tags.ok_or_else(|| Error::invalid(format!("the header {name} is neither * nor a list of ETags")))?;
        Ok(Some(Tags::OneOf(tags)))
    };
    Ok(Conditions { if_match: tags(header::IF_MATCH)?, if_none_match: tags(header::IF_NONE_MATCH)? })
}

impl ObjectEntry {
    pub(super) fn new(path: &str, entry: Entry) -> Self {
        Self {
            path: path.to_owned(),
            size_bytes: entry.size_bytes,
            hash: entry.hash.to_string(),
            etag: entry.etag.to_string(),
            content_type: entry.content_type,
            metadata: entry.metadata,
            modified_at_ms: entry.modified_at_ms,
        }
    }
}
