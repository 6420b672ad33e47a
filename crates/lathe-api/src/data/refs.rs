//! Branches and tags.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use lathe_core::{Page, Result};
use lathe_data::{Ref, RefName, Revision, refs};
use lathe_http::{Caller, Failure};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{PageQuery, parse_repository};
use crate::extract::{Body, Captured, Query};
use crate::state::ApiState;

/// A branch or a tag.
#[derive(Debug, Serialize, ToSchema)]
pub struct RefEntry {
    /// Its name.
    pub name: String,
    /// `branch` or `tag`.
    pub kind: String,
    /// The id of the commit it names.
    pub commit_id: String,
    /// When it was made or last moved, in milliseconds since 1970.
    pub updated_at_ms: i64,
}

/// Branches or tags by name.
#[derive(Debug, Serialize, ToSchema)]
pub struct RefList {
    /// By name.
    pub refs: Vec<RefEntry>,
    /// Where the next page starts; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub next_page_token: Option<String>,
}

/// A branch or tag to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRef {
    /// 1-200 characters of `A-Z`, `a-z`, `0-9`, `.`, `_` and `-`; not shaped like a commit's id.
    name: String,
    /// What it names: a branch, a tag, a commit's id or its beginning, or one of these with `~N`.
    from: String,
}

/// The repository's branches.
#[utoipa::path(get, path = "/api/v1/repos/{repo}/branches", tag = "data",
    params(("repo" = String, Path, description = "The repository"), PageQuery), responses((status = 200, body = RefList)))]
pub(crate) async fn list_branches(
    State(api): State<ApiState>,
    Caller(ctx): Caller,
    Captured(repo): Captured<String>,
    Query(query): Query<PageQuery>,
) -> Result<Json<RefList>, Failure> {
    let page = refs::list_branches(&ctx, &api.data, &parse_repository(&repo)?, query.into()).await?;
    Ok(Json(page.into()))
}

/// The repository's tags.
#[utoipa::path(get, path = "/api/v1/repos/{repo}/tags", tag = "data",
    params(("repo" = String, Path, description = "The repository"), PageQuery), responses((status = 200, body = RefList)))]
pub(crate) async fn list_tags(
    State(api): State<ApiState>,
    Caller(ctx): Caller,
    Captured(repo): Captured<String>,
    Query(query): Query<PageQuery>,
) -> Result<Json<RefList>, Failure> {
    let page = refs::list_tags(&ctx, &api.data, &parse_repository(&repo)?, query.into()).await?;
    Ok(Json(page.into()))
}

/// Makes a branch that starts at a commit; nothing is copied.
#[utoipa::path(post, path = "/api/v1/repos/{repo}/branches", tag = "data",
    params(("repo" = String, Path, description = "The repository")), request_body = NewRef,
    responses((status = 201, body = RefEntry)))]
pub(crate) async fn create_branch(
    State(api): State<ApiState>,
    Caller(ctx): Caller,
    Captured(repo): Captured<String>,
    Body(new): Body<NewRef>,
) -> Result<Response, Failure> {
    let (name, from) = (RefName::parse(&new.name)?, Revision::parse(&new.from)?);
    let made = refs::create_branch(&ctx, &api.data, &parse_repository(&repo)?, name, &from).await?;
    Ok((StatusCode::CREATED, Json(RefEntry::from(made))).into_response())
}

/// Makes a tag of a commit.
#[utoipa::path(post, path = "/api/v1/repos/{repo}/tags", tag = "data",
    params(("repo" = String, Path, description = "The repository")), request_body = NewRef,
    responses((status = 201, body = RefEntry)))]
pub(crate) async fn create_tag(
    State(api): State<ApiState>,
    Caller(ctx): Caller,
    Captured(repo): Captured<String>,
    Body(new): Body<NewRef>,
) -> Result<Response, Failure> {
    let (name, of) = (RefName::parse(&new.name)?, Revision::parse(&new.from)?);
    let made = refs::create_tag(&ctx, &api.data, &parse_repository(&repo)?, name, &of).await?;
    Ok((StatusCode::CREATED, Json(RefEntry::from(made))).into_response())
}

/// Deletes a branch with what is staged on it.
#[utoipa::path(delete, path = "/api/v1/repos/{repo}/branches/{branch}", tag = "data",
    params(("repo" = String, Path, description = "The repository"), ("branch" = String, Path, description = "The branch")),
    responses((status = 204)))]
pub(crate) async fn delete_branch(
    State(api): State<ApiState>,
    Caller(ctx): Caller,
    Captured((repo, branch)): Captured<(String, String)>,
) -> Result<StatusCode, Failure> {
    refs::delete_branch(&ctx, &api.data, &parse_repository(&repo)?, &RefName::parse(&branch)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Deletes a tag.
#[utoipa::path(delete, path = "/api/v1/repos/{repo}/tags/{tag}", tag = "data",
    params(("repo" = String, Path, description = "The repository"), ("tag" = String, Path, description = "The tag")),
    responses((status = 204)))]
pub(crate) async fn delete_tag(
    State(api): State<ApiState>,
    Caller(ctx): Caller,
    Captured((repo, tag)): Captured<(String, String)>,
) -> Result<StatusCode, Failure> {
    refs::delete_tag(&ctx, &api.data, &parse_repository(&repo)?, &RefName::parse(&tag)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

impl From<Ref> for RefEntry {
    fn from(named: Ref) -> Self {
        let Ref { name, kind, commit_id, updated_at_ms } = named;
        Self { name: name.to_string(), kind: kind.as_str().to_owned(), commit_id: commit_id.to_string(), updated_at_ms }
    }
}

impl From<Page<Ref>> for RefList {
    fn from(page: Page<Ref>) -> Self {
        Self {
            refs: page.items.into_iter().map(RefEntry::from).collect(),
            next_page_token: page.next.map(|token| token.encode()),
        }
    }
}
