//! Merging a ref into a branch, and taking a commit back.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderValue, StatusCode, header};
use lathe_core::{Code, Error, Result};
use lathe_data::merges::{self, Conflict, FastForward, Merge, Merged, Revert, Side, Strategy};
use lathe_data::{RefName, Revision};
use lathe_http::{Caller, Failure, RequestId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::commits::CommitEntry;
use super::objects::ObjectEntry;
use super::parse_repository;
use crate::extract::{Body, Captured};
use crate::state::ApiState;

/// Which side wins where both changed a path.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MergeRule {
    /// A pattern of paths, such as `labels/**`.
    pattern: String,
    /// `source` or `dest`.
    side: String,
}

/// A merge to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewMerge {
    /// The ref that is merged.
    source: String,
    /// The message; one is made when there is none.
    message: Option<String>,
    /// `allowed` (if absent), `never` or `only`: whether a branch that is behind may just move.
    fast_forward: Option<String>,
    /// Which side wins where both changed a path: the first pattern that the path matches decides.
    #[serde(default)]
    rules: Vec<MergeRule>,
    /// `source` or `dest`: which side wins where no rule decides. If absent, such paths are conflicts.
    strategy: Option<String>,
}

/// A commit to take back.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRevert {
    /// The commit whose changes are taken back: a ref.
    commit: String,
    /// The message; one is made when there is none.
    message: Option<String>,
    /// `source` (take back) or `dest` (keep) where the path was changed since. If absent, such paths are conflicts.
    strategy: Option<String>,
}

/// How a merge ended.
#[derive(Debug, Serialize, ToSchema)]
pub struct MergeOutcome {
    /// `up_to_date`, `fast_forward` or `merged`.
    pub outcome: String,
    /// Where the branch stands now.
    pub commit: CommitEntry,
}

/// A path that both sides changed, differently. What a side does not hold is absent.
#[derive(Debug, Serialize, ToSchema)]
pub struct ConflictEntry {
    /// Where.
    pub path: String,
    /// What the common ancestor holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub base: Option<ObjectEntry>,
    /// What the source holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub source: Option<ObjectEntry>,
    /// What the branch holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub dest: Option<ObjectEntry>,
}

/// Why a merge moved nothing.
#[derive(Debug, Serialize, ToSchema)]
pub struct MergeConflicts {
    /// `conflict`.
    pub code: String,
    /// 409.
    pub status: u16,
    /// What to do.
    pub message: String,
    /// The request's id.
    pub request_id: String,
    /// How many paths clash.
    pub count: u64,
    /// The first of them, in order.
    pub conflicts: Vec<ConflictEntry>,
}

/// Merges a ref into a branch.
#[utoipa::path(post, path = "/api/v1/repos/{repo}/branches/{branch}/merge", tag = "data",
    params(("repo" = String, Path, description = "The repository"), ("branch" = String, Path, description = "The branch that is merged into")),
    request_body = NewMerge,
    responses((status = 200, body = MergeOutcome), (status = 409, body = MergeConflicts)))]
pub(crate) async fn merge(
    State(api): State<ApiState>,
    Caller(ctx): Caller,
    request_id: RequestId,
    Captured((repo, branch)): Captured<(String, String)>,
    Body(new): Body<NewMerge>,
) -> Result<Response, Failure> {
    let fast_forward = match new.fast_forward.as_deref() {
        None | Some("allowed") => FastForward::Allowed,
        Some("never") => FastForward::Never,
        Some("only") => FastForward::Only,
        Some(other) => {
            return Err(Error::invalid(format!("fast_forward is {other:?}; it may be allowed, never or only")).into());
        }
    };
    let request = Merge {
        source: Revision::parse(&new.source)?,
        dest: RefName::parse(&branch)?,
        message: new.message,
        strategy: strategy(&new.rules, new.strategy.as_deref())?,
        fast_forward,
    };
    let merged = merges::merge(&ctx, &api.data, &parse_repository(&repo)?, request).await?;
    Ok(answer(merged, &request_id))
}

/// Makes a commit that takes back the changes of another one.
#[utoipa::path(post, path = "/api/v1/repos/{repo}/branches/{branch}/revert", tag = "data",
    params(("repo" = String, Path, description = "The repository"), ("branch" = String, Path, description = "The branch that gets the commit")),
    request_body = NewRevert,
    responses((status = 200, body = MergeOutcome), (status = 409, body = MergeConflicts)))]
pub(crate) async fn revert(
    State(api): State<ApiState>,
    Caller(ctx): Caller,
    request_id: RequestId,
    Captured((repo, branch)): Captured<(String, String)>,
    Body(new): Body<NewRevert>,
) -> Result<Response, Failure> {
    let request = Revert {
        branch: RefName::parse(&branch)?,
        commit: Revision::parse(&new.commit)?,
        message: new.message,
        strategy: strategy(&[], new.strategy.as_deref())?,
    };
    let merged = merges::revert(&ctx, &api.data, &parse_repository(&repo)?, request).await?;
    Ok(answer(merged, &request_id))
}

fn strategy(rules: &[MergeRule], otherwise: Option<&str>) -> Result<Strategy> {
    let rules =
        rules.iter().map(|rule| Ok((rule.pattern.as_str(), Side::parse(&rule.side)?))).collect::<Result<Vec<_>>>()?;
    Strategy::new(rules, otherwise.map(Side::parse).transpose()?)
}

fn answer(merged: Merged, request_id: &RequestId) -> Response {
    let (outcome, commit) = match merged {
        Merged::UpToDate(commit) => ("up_to_date", commit),
        Merged::FastForward(commit) => ("fast_forward", commit),
        Merged::Committed(commit) => ("merged", commit),
        Merged::Conflicts { conflicts, count } => return refuse(conflicts, count, request_id),
    };
    Json(MergeOutcome { outcome: outcome.to_owned(), commit: commit.into() }).into_response()
}

fn refuse(conflicts: Vec<Conflict>, count: u64, request_id: &RequestId) -> Response {
    let body = MergeConflicts {
        code: Code::Conflict.as_str().to_owned(),
        status: Code::Conflict.http_status(),
        message: format!(
            "{count} {} changed on both sides; nothing moved: decide with rules or strategy",
            if count == 1 { "path was" } else { "paths were" }
        ),
        request_id: request_id.0.clone(),
        count,
        conflicts: conflicts.into_iter().map(ConflictEntry::from).collect(),
    };
    let mut response = (StatusCode::CONFLICT, Json(body)).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    response
}

impl From<Conflict> for ConflictEntry {
    fn from(conflict: Conflict) -> Self {
        let Conflict { path, base, source, dest } = conflict;
        let entry = |entry| ObjectEntry::new(path.as_str(), entry);
        Self { base: base.map(entry), source: source.map(entry), dest: dest.map(entry), path: path.to_string() }
    }
}
