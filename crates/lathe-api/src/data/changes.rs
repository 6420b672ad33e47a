//! Comparing refs, and a branch with what is staged on it.

use axum::Json;
use axum::extract::State;
use lathe_core::Result;
use lathe_data::changes::{self, Change, ChangeSummary, Compared, Counts, ListChanges};
use lathe_data::{RefName, Revision};
use lathe_http::{Caller, Failure};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::objects::ObjectEntry;
use super::parse_repository;
use crate::extract::{Captured, Query};
use crate::state::ApiState;

const DEFAULT_PAGE: usize = 1_000;

/// Which states are compared, and which part of the comparison.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DiffQuery {
    /// The old state: a ref.
    from: String,
    /// The new state: a ref.
    to: String,
    /// Only paths that begin with this.
    prefix: Option<String>,
    /// 1-1,000 (1,000 if absent).
    max_results: Option<usize>,
    /// The previous page's token.
    page_token: Option<String>,
}

/// Which part of a branch's uncommitted changes.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ChangesQuery {
    /// Only paths that begin with this.
    prefix: Option<String>,
    /// 1-1,000 (1,000 if absent).
    max_results: Option<usize>,
    /// The previous page's token.
    page_token: Option<String>,
}

/// Which states a summary compares.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DiffSummaryQuery {
    /// The old state: a ref.
    from: String,
    /// The new state: a ref.
    to: String,
    /// Only paths that begin with this.
    prefix: Option<String>,
}

/// Which uncommitted changes a summary counts.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ChangesSummaryQuery {
    /// Only paths that begin with this.
    prefix: Option<String>,
}

/// A path that differs.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChangeEntry {
    /// Where.
    pub path: String,
    /// `added`, `changed` or `removed`.
    pub kind: String,
    /// What it held; absent when it is new.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub before: Option<ObjectEntry>,
    /// What it holds; absent when it is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub after: Option<ObjectEntry>,
}

/// A page of changes.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChangePage {
    /// In order of the paths.
    pub changes: Vec<ChangeEntry>,
    /// Where the next page starts; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub next_page_token: Option<String>,
}

/// How much changed.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChangeCounts {
    /// Paths that are new.
    pub added: u64,
    /// Paths that hold something else.
    pub changed: u64,
    /// Paths that are gone.
    pub removed: u64,
    /// Bytes of changed and removed paths, as they were.
    pub bytes_before: u64,
    /// Bytes of new and changed paths, as they are.
    pub bytes_after: u64,
}

/// How much changed in one folder.
#[derive(Debug, Serialize, ToSchema)]
pub struct FolderChanges {
    /// With its `/`; the prefix itself stands for what lies directly below it.
    pub folder: String,
    /// How much.
    pub counts: ChangeCounts,
}

/// How much changed, in all and by folder.
#[derive(Debug, Serialize, ToSchema)]
pub struct Summary {
    /// All of it.
    pub total: ChangeCounts,
    /// By folder.
    pub folders: Vec<FolderChanges>,
    /// Whether more folders changed than are named.
    pub truncated: bool,
}

/// What differs between two refs.
#[utoipa::path(get, path = "/api/v1/repos/{repo}/diff", tag = "data",
    params(("repo" = String, Path, description = "The repository"), DiffQuery), responses((status = 200, body = ChangePage)))]
pub(crate) async fn diff(
    State(api): State<ApiState>,
    Caller(ctx): Caller,
    Captured(repo): Captured<String>,
    Query(query): Query<DiffQuery>,
) -> Result<Json<ChangePage>, Failure> {
    let request = ListChanges {
        compared: compared(&query.from, &query.to)?,
        prefix: query.prefix.unwrap_or_default(),
        page_token: query.page_token,
        max_results: query.max_results.unwrap_or(DEFAULT_PAGE),
    };
    let page = changes::list_changes(&ctx, &api.data, &parse_repository(&repo)?, request).await?;
    Ok(Json(page.into()))
}

/// How much differs between two refs.
#[utoipa::path(get, path = "/api/v1/repos/{repo}/diff/summary", tag = "data",
    params(("repo" = String, Path, description = "The repository"), DiffSummaryQuery), responses((status = 200, body = Summary)))]
pub(crate) async fn summarize_diff(
    State(api): State<ApiState>,
    Caller(ctx): Caller,
    Captured(repo): Captured<String>,
    Query(query): Query<DiffSummaryQuery>,
) -> Result<Json<Summary>, Failure> {
    let (compared, prefix) = (compared(&query.from, &query.to)?, query.prefix.unwrap_or_default());
    let summary = changes::summarize_changes(&ctx, &api.data, &parse_repository(&repo)?, &compared, &prefix).await?;
    Ok(Json(summary.into()))
}

/// What is staged on a branch and not committed.
#[utoipa::path(get, path = "/api/v1/repos/{repo}/branches/{branch}/changes", tag = "data",
    params(("repo" = String, Path, description = "The repository"), ("branch" = String, Path, description = "The branch"),
        ChangesQuery), responses((status = 200, body = ChangePage)))]
pub(crate) async fn list_uncommitted(
    State(api): State<ApiState>,
    Caller(ctx): Caller,
    Captured((repo, branch)): Captured<(String, String)>,
    Query(query): Query<ChangesQuery>,
) -> Result<Json<ChangePage>, Failure> {
    let request = ListChanges {
        compared: Compared::Uncommitted(RefName::parse(&branch)?),
        prefix: query.prefix.unwrap_or_default(),
        page_token: query.page_token,
        max_results: query.max_results.unwrap_or(DEFAULT_PAGE),
    };
    let page = changes::list_changes(&ctx, &api.data, &parse_repository(&repo)?, request).await?;
    Ok(Json(page.into()))
}

/// How much is staged on a branch and not committed.
#[utoipa::path(get, path = "/api/v1/repos/{repo}/branches/{branch}/changes/summary", tag = "data",
    params(("repo" = String, Path, description = "The repository"), ("branch" = String, Path, description = "The branch"),
        ChangesSummaryQuery), responses((status = 200, body = Summary)))]
pub(crate) async fn summarize_uncommitted(
    State(api): State<ApiState>,
    Caller(ctx): Caller,
    Captured((repo, branch)): Captured<(String, String)>,
    Query(query): Query<ChangesSummaryQuery>,
) -> Result<Json<Summary>, Failure> {
    let (compared, prefix) = (Compared::Uncommitted(RefName::parse(&branch)?), query.prefix.unwrap_or_default());
    let summary = changes::summarize_changes(&ctx, &api.data, &parse_repository(&repo)?, &compared, &prefix).await?;
    Ok(Json(summary.into()))
}

fn compared(from: &str, to: &str) -> Result<Compared> {
    Ok(Compared::Refs { from: Revision::parse(from)?, to: Revision::parse(to)? })
}

impl From<changes::ChangeList> for ChangePage {
    fn from(page: changes::ChangeList) -> Self {
        Self {
            changes: page.changes.into_iter().map(ChangeEntry::from).collect(),
            next_page_token: page.next_page_token,
        }
    }
}

impl From<Change> for ChangeEntry {
    fn from(change: Change) -> Self {
        let kind = change.kind().as_str().to_owned();
        let Change { path, before, after } = change;
        let entry = |entry| ObjectEntry::new(path.as_str(), entry);
        Self { kind, before: before.map(entry), after: after.map(entry), path: path.to_string() }
    }
}

impl From<Counts> for ChangeCounts {
    fn from(counts: Counts) -> Self {
        let Counts { added, changed, removed, bytes_after, bytes_before } = counts;
        Self { added, changed, removed, bytes_before, bytes_after }
    }
}

impl From<ChangeSummary> for Summary {
    fn from(summary: ChangeSummary) -> Self {
        let folder = |(folder, counts): (String, Counts)| FolderChanges { folder, counts: counts.into() };
        Self {
            total: summary.total.into(),
            folders: summary.folders.into_iter().map(folder).collect(),
            truncated: summary.is_truncated,
        }
    }
}
