//! Access tokens.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use lathe_access::tokens::{self, CreateToken, Holder, Scope, Whose};
use lathe_core::{Error, Result, Role, TokenId};
use lathe_http::{Caller, Failure};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::extract::{Body, Captured, Query};
use crate::s3::S3Keys;
use crate::state::ApiState;

/// A token without its secret.
#[derive(Debug, Serialize, ToSchema)]
pub struct TokenEntry {
    /// The id to revoke it by.
    pub id: String,
    /// `personal` or `service`.
    pub kind: String,
    /// What it is for.
    pub name: String,
    /// Who made it.
    pub owner: String,
    /// `all` or `read`.
    pub scope: String,
    /// A service token's project.
    pub project: Option<String>,
    /// A service token's role.
    pub role: Option<String>,
    /// When it was made, in milliseconds since 1970.
    pub created_at_ms: i64,
    /// When it ends.
    pub expires_at_ms: Option<i64>,
    /// When it was last used, to about a minute.
    pub last_used_at_ms: Option<i64>,
}

/// Tokens, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct TokenList {
    /// Newest first.
    pub tokens: Vec<TokenEntry>,
}

/// Whose tokens.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct TokensQuery {
    /// Everybody's; for server administrators.
    #[serde(default)]
    all: bool,
}

/// The caller's tokens.
#[utoipa::path(get, path = "/api/v1/tokens", tag = "people", params(TokensQuery), responses((status = 200, body = TokenList)))]
pub(crate) async fn list_tokens(
    State(api): State<ApiState>,
    Caller(ctx): Caller,
    Query(query): Query<TokensQuery>,
) -> Result<Json<TokenList>, Failure> {
    let whose = if query.all { Whose::Everybody } else { Whose::Own };
    let found = tokens::list_tokens(&ctx, &api.access, whose).await?;
    Ok(Json(TokenList { tokens: found.into_iter().map(entry).collect() }))
}

fn entry(token: tokens::Token) -> TokenEntry {
    let tokens::Token { id, kind, name, owner, scope, project, role, created_at_ms, expires_at_ms, last_used_at_ms } =
        token;
    TokenEntry {
        id: id.to_string(),
        kind,
        name,
        owner,
        scope,
        project,
        role,
        created_at_ms,
        expires_at_ms,
        last_used_at_ms,
    }
}

/// A token to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    /// What it is for.
    pub name: String,
    /// `personal` (if absent): the caller's own rights; `service`: a fixed role in the request's project.
    pub kind: Option<String>,
    /// `all` (if absent) or `read`.
    pub scope: Option<String>,
    /// A service token's role.
    pub role: Option<String>,
    /// When it ends; absent: never.
    pub expires_in_days: Option<i64>,
}

/// A token that was made.
#[derive(Debug, Serialize, ToSchema)]
pub struct MadeToken {
    /// The id to revoke it by.
    pub id: String,
    /// The secret; shown this once.
    pub token: String,
    /// The S3 key pair that belongs to it in the request's project.
    pub s3: S3Keys,
}

/// Makes a token; the answer shows it once.
#[utoipa::path(post, path = "/api/v1/tokens", tag = "people", request_body = NewToken, responses((status = 201, body = MadeToken)))]
pub(crate) async fn create_token(
    State(api): State<ApiState>,
    Caller(ctx): Caller,
    Body(new): Body<NewToken>,
) -> Result<Response, Failure> {
    let NewToken { name, kind, scope, role, expires_in_days } = new;
    let holder = holder(kind.as_deref(), role.as_deref())?;
    let scope = scope.as_deref().map_or(Ok(Scope::All), Scope::parse)?;
    let (id, token) =
        tokens::create_token(&ctx, &api.access, CreateToken { name, holder, scope, expires_in_days }).await?;
    let s3 = api.access.s3_key_pair_of(&id, &ctx.project).into();
    Ok((StatusCode::CREATED, Json(MadeToken { id: id.to_string(), token, s3 })).into_response())
}

fn holder(kind: Option<&str>, role: Option<&str>) -> Result<Holder> {
    match (kind, role) {
        (None | Some("personal"), None) => Ok(Holder::Personal),
        (None | Some("personal"), Some(_)) => {
            Err(Error::invalid("a personal token has its owner's roles; leave role out, or ask for kind service"))
        }
        (Some("service"), Some(role)) => Role::parse(role).map(Holder::Service),
        (Some("service"), None) => {
            Err(Error::invalid("a service token needs a role: viewer, contributor, maintainer or admin"))
        }
        (Some(kind), _) => Err(Error::invalid(format!("kind {kind:?} does not exist; kinds are personal and service"))),
    }
}

/// Ends a token at once.
#[utoipa::path(delete, path = "/api/v1/tokens/{id}", tag = "people", params(("id" = String, Path, description = "The token's id")), responses((status = 204)))]
pub(crate) async fn revoke_token(
    State(api): State<ApiState>,
    Caller(ctx): Caller,
    Captured(id): Captured<String>,
) -> Result<StatusCode, Failure> {
    tokens::revoke_token(&ctx, &api.access, TokenId::parse(&id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}
