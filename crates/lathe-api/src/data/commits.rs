//! Commits and their history.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use lathe_core::Result;
use lathe_data::commits::{self, CommitList, CreateCommit, Log};
use lathe_data::{Commit, RefName, Revision};
use lathe_http::{Caller, Failure};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{PageQuery, parse_repository};
use crate::extract::{Body, Captured, Query};
use crate::state::ApiState;

const DEFAULT_LOG: usize = 100;

/// A state of all files, with who made it and why.
#[derive(Debug, Serialize, ToSchema)]
pub struct CommitEntry {
    /// 64 hex digits.
    pub id: String,
    /// The ids of the commit before it, and of the one that was merged into that, if any.
    pub parents: Vec<String>,
    /// Who made it.
    pub author: String,
    /// `user`, `service` or `system`.
    pub author_kind: String,
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
    /// Why.
    pub message: String,
    /// What the author attached.
    pub metadata: BTreeMap<String, String>,
    /// How many paths it holds.
    pub paths: u64,
    /// How many bytes they hold.
    pub size_bytes: u64,
}

/// A part of a history.
#[derive(Debug, Serialize, ToSchema)]
pub struct History {
    /// Children before parents.
    pub commits: Vec<CommitEntry>,
    /// Where the next page starts; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub next_page_token: Option<String>,
}

/// A commit to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCommit {
    /// Why.
    message: String,
    /// Whatever else is worth keeping.
    #[serde(default)]
    metadata: BTreeMap<String, String>,
}

/// What of the staged changes is dropped.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Discard {
    /// Only paths that begin with this; all if absent.
    prefix: Option<String>,
}

/// How much was dropped.
#[derive(Debug, Serialize, ToSchema)]
pub struct Discarded {
    /// How many staged changes.
    pub changes: u64,
}

/// The commit that a ref names: a branch, a tag, a commit's id or its beginning, or one of these with `~N`.
#[utoipa::path(get, path = "/api/v1/repos/{repo}/refs/{ref}", tag = "data",
    params(("repo" = String, Path, description = "The repository"), ("ref" = String, Path, description = "The ref")),
    responses((status = 200, body = CommitEntry)))]
pub(crate) async fn get_commit(
    State(api): State<ApiState>,
    Caller(ctx): Caller,
    Captured((repo, revision)): Captured<(String, String)>,
) -> Result<Json<CommitEntry>, Failure> {
    let revision = Revision::parse(&revision)?;
    let found = commits::get_commit(&ctx, &api.data, &parse_repository(&repo)?, &revision).await?;
    Ok(Json(found.into()))
}

/// The history of a ref.
#[utoipa::path(get, path = "/api/v1/repos/{repo}/refs/{ref}/log", tag = "data",
    params(("repo" = String, Path, description = "The repository"), ("ref" = String, Path, description = "The ref"), PageQuery),
    responses((status = 200, body = History)))]
pub(crate) async fn log(
    State(api): State<ApiState>,
    Caller(ctx): Caller,
    Captured((repo, revision)): Captured<(String, String)>,
    Query(query): Query<PageQuery>,
) -> Result<Json<History>, Failure> {
    let request = Log {
        from: Revision::parse(&revision)?,
        page_token: query.page_token,
        max_results: query.max_results.unwrap_or(DEFAULT_LOG),
    };
    let CommitList { commits, next_page_token } =
        commits::log(&ctx, &api.data, &parse_repository(&repo)?, request).await?;
    Ok(Json(History { commits: commits.into_iter().map(CommitEntry::from).collect(), next_page_token }))
}

/// Makes what is staged on a branch permanent.
#[utoipa::path(post, path = "/api/v1/repos/{repo}/branches/{branch}/commits", tag = "data",
    params(("repo" = String, Path, description = "The repository"), ("branch" = String, Path, description = "The branch")),
    request_body = NewCommit, responses((status = 201, body = CommitEntry)))]
pub(crate) async fn commit(
    State(api): State<ApiState>,
    Caller(ctx): Caller,
    Captured((repo, branch)): Captured<(String, String)>,
    Body(new): Body<NewCommit>,
) -> Result<Response, Failure> {
    let request = CreateCommit { message: new.message, metadata: new.metadata };
    let made = commits::commit(&ctx, &api.data, &parse_repository(&repo)?, &RefName::parse(&branch)?, request).await?;
    Ok((StatusCode::CREATED, Json(CommitEntry::from(made))).into_response())
}

/// Drops what is staged on a branch.
#[utoipa::path(post, path = "/api/v1/repos/{repo}/branches/{branch}/discard", tag = "data",
    params(("repo" = String, Path, description = "The repository"), ("branch" = String, Path, description = "The branch")),
    request_body = Discard, responses((status = 200, body = Discarded)))]
pub(crate) async fn discard(
    State(api): State<ApiState>,
    Caller(ctx): Caller,
    Captured((repo, branch)): Captured<(String, String)>,
    Body(request): Body<Discard>,
) -> Result<Json<Discarded>, Failure> {
    let prefix = request.prefix.unwrap_or_default();
    let (repository, branch) = (parse_repository(&repo)?, RefName::parse(&branch)?);
    let changes = commits::discard(&ctx, &api.data, &repository, &branch, &prefix).await?;
    Ok(Json(Discarded { changes }))
}

impl From<Commit> for CommitEntry {
    fn from(commit: Commit) -> Self {
        Self {
            id: commit.id.to_string(),
            parents: commit.parents.iter().map(ToString::to_string).collect(),
            author_kind: commit.author.kind.as_str().to_owned(),
            author: commit.author.name,
            at_ms: commit.at_ms,
            message: commit.message,
            metadata: commit.metadata,
            paths: commit.paths,
            size_bytes: commit.size_bytes,
        }
    }
}
