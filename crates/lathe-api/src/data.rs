//! Repositories of files: the native API of the data room.

pub(crate) mod batches;
pub(crate) mod changes;
pub(crate) mod commits;
pub(crate) mod merges;
pub(crate) mod objects;
pub(crate) mod refs;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use lathe_core::{Error, Page, Result};
use lathe_data::repositories::{self, CreateRepository, PageRequest, Repository};
use lathe_data::{Layout, RefName, RepositoryName};
use lathe_http::{Caller, Failure};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::extract::{Body, Captured, Query};
use crate::state::ApiState;

/// A repository.
#[derive(Debug, Serialize, ToSchema)]
pub struct RepositoryEntry {
    /// Unique in its project.
    pub name: String,
    /// How S3 clients address it: `ref` (`s3://repository/ref/path`) or `flat` (`s3://repository/path`).
    pub layout: String,
    /// The branch that is meant when none is named.
    pub default_branch: String,
    /// What it is for.
    pub description: String,
    /// When it was made, in milliseconds since 1970.
    pub created_at_ms: i64,
}

/// Repositories by name.
#[derive(Debug, Serialize, ToSchema)]
pub struct RepositoryList {
    /// By name.
    pub repositories: Vec<RepositoryEntry>,
    /// Where the next page starts; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub next_page_token: Option<String>,
}

/// A repository to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRepository {
    /// 3-63 characters of `a-z`, `0-9` and single `-`; unique in its project.
    name: String,
    /// `ref` (if absent) or `flat`.
    layout: Option<String>,
    /// The first branch; `main` if absent.
    default_branch: Option<String>,
    /// What it is for.
    description: Option<String>,
}

/// Which page.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// 1-1,000 (1,000 if absent).
    max_results: Option<usize>,
    /// The previous page's token.
    page_token: Option<String>,
}

impl From<PageQuery> for PageRequest {
    fn from(query: PageQuery) -> Self {
        let defaults = PageRequest::default();
        Self { max_results: query.max_results.unwrap_or(defaults.max_results), page_token: query.page_token }
    }
}

/// The project's repositories.
#[utoipa::path(get, path = "/api/v1/repos", tag = "data", params(PageQuery), responses((status = 200, body = RepositoryList)))]
pub(crate) async fn list_repositories(
    State(api): State<ApiState>,
    Caller(ctx): Caller,
    Query(query): Query<PageQuery>,
) -> Result<Json<RepositoryList>, Failure> {
    let Page { items, next } = repositories::list_repositories(&ctx, &api.data, query.into()).await?;
    Ok(Json(RepositoryList {
        repositories: items.into_iter().map(RepositoryEntry::from).collect(),
        next_page_token: next.map(|token| token.encode()),
    }))
}

/// Makes a repository.
#[utoipa::path(post, path = "/api/v1/repos", tag = "data", request_body = NewRepository,
    responses((status = 201, body = RepositoryEntry)))]
pub(crate) async fn create_repository(
    State(api): State<ApiState>,
    Caller(ctx): Caller,
    Body(new): Body<NewRepository>,
) -> Result<Response, Failure> {
    let mut request = CreateRepository::named(RepositoryName::parse(&new.name)?);
    if let Some(layout) = new.layout {
        request.layout = Layout::parse(&layout)?;
    }
    if let Some(branch) = new.default_branch {
        request.default_branch = RefName::parse(&branch)?;
    }
    request.description = new.description.unwrap_or_default();
    let made = repositories::create_repository(&ctx, &api.data, request).await?;
    Ok((StatusCode::CREATED, Json(RepositoryEntry::from(made))).into_response())
}

/// A repository.
#[utoipa::path(get, path = "/api/v1/repos/{repo}", tag = "data",
    params(("repo" = String, Path, description = "The repository")), responses((status = 200, body = RepositoryEntry)))]
pub(crate) async fn get_repository(
    State(api): State<ApiState>,
    Caller(ctx): Caller,
    Captured(repo): Captured<String>,
) -> Result<Json<RepositoryEntry>, Failure> {
    let found = repositories::get_repository(&ctx, &api.data, &parse_repository(&repo)?).await?;
    Ok(Json(found.into()))
}

/// Deletes a repository with everything in it.
#[utoipa::path(delete, path = "/api/v1/repos/{repo}", tag = "data",
    params(("repo" = String, Path, description = "The repository")), responses((status = 204)))]
pub(crate) async fn delete_repository(
    State(api): State<ApiState>,
    Caller(ctx): Caller,
    Captured(repo): Captured<String>,
) -> Result<StatusCode, Failure> {
    repositories::delete_repository(&ctx, &api.data, &parse_repository(&repo)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

impl From<Repository> for RepositoryEntry {
    fn from(repository: Repository) -> Self {
        let Repository { name, layout, default_branch, description, created_at_ms } = repository;
        Self {
            name: name.to_string(),
            layout: layout.as_str().to_owned(),
            default_branch: default_branch.to_string(),
            description,
            created_at_ms,
        }
    }
}

/// The repository of a path. A name that none can have is one that does not exist.
fn parse_repository(text: &str) -> Result<RepositoryName> {
    RepositoryName::parse(text).map_err(|_| Error::not_found(format!("repository `{text}` does not exist")))
}
