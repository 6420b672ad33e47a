//! Signing in and out, who one is, projects with their members, and users.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use lathe_access::{members, projects, sessions, users};
use lathe_core::{Ctx, Error, Project, Result, Role};
use lathe_http::{Caller, Failure, SESSION_COOKIE, session_cookie};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::events::Actor;
use crate::extract::{Body, Captured};
use crate::state::ApiState;

/// User name and password.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignIn {
    /// The user name.
    pub username: String,
    /// The password.
    pub password: String,
}

/// Who has signed in.
#[derive(Debug, Serialize, ToSchema)]
pub struct SignedIn {
    /// The user name.
    pub username: String,
    /// Whether the user administers the server.
    pub is_admin: bool,
}

fn with_cookie(value: &str, max_age_seconds: i64, response: impl IntoResponse) -> Result<Response> {
    // Strict: no other site can make a browser send it. Not readable by scripts.
    let cookie = format!("{SESSION_COOKIE}={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age={max_age_seconds}");
    let cookie =
        HeaderValue::from_str(&cookie).map_err(|_| Error::internal("a session cookie is not a header value"))?;
    let mut response = response.into_response();
    response.headers_mut().insert(header::SET_COOKIE, cookie);
    Ok(response)
}

/// Signs a browser in with a session cookie.
#[utoipa::path(post, path = "/api/v1/login", tag = "people", request_body = SignIn, responses((status = 200, body = SignedIn)))]
pub(crate) async fn sign_in(
    State(api): State<ApiState>,
    Body(SignIn { username, password }): Body<SignIn>,
) -> Result<Response, Failure> {
    let session = sessions::sign_in(&api.access, &username, &password).await?;
    let body = Json(SignedIn { username, is_admin: session.is_admin });
    Ok(with_cookie(&session.cookie, session.max_age_seconds, body)?)
}

/// Ends the browser's session.
#[utoipa::path(post, path = "/api/v1/logout", tag = "people", responses((status = 204)))]
pub(crate) async fn sign_out(State(api): State<ApiState>, headers: HeaderMap) -> Result<Response, Failure> {
    if let Some(cookie) = session_cookie(&headers) {
        sessions::sign_out(&api.access, &cookie).await?;
    }
    Ok(with_cookie("", 0, StatusCode::NO_CONTENT)?)
}

/// A project as the caller sees it.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProjectEntry {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// When it was made, in milliseconds since 1970.
    pub created_at_ms: i64,
    /// The caller's role in it: `viewer`, `contributor`, `maintainer` or `admin`.
    pub role: Option<String>,
}

/// Who the caller is and what they may do.
#[derive(Debug, Serialize, ToSchema)]
pub struct WhoAmI {
    /// Who.
    pub actor: Actor,
    /// Whether they administer the server.
    pub is_admin: bool,
    /// The project of the request.
    pub project: String,
    /// Their role in it.
    pub role: Option<String>,
    /// The projects they may see.
    pub projects: Vec<ProjectEntry>,
}

async fn visible_projects(ctx: &Ctx, api: &ApiState) -> Result<Vec<ProjectEntry>> {
    let found = projects::list_projects(ctx, &api.access).await?;
    Ok(found
        .into_iter()
        .map(|projects::ProjectInfo { project, description, created_at_ms, role }| ProjectEntry {
            name: project.to_string(),
            description,
            created_at_ms,
            role: role.map(|role| role.as_str().to_owned()),
        })
        .collect())
}

/// Who the caller is.
#[utoipa::path(get, path = "/api/v1/whoami", tag = "people", responses((status = 200, body = WhoAmI)))]
pub(crate) async fn whoami(State(api): State<ApiState>, Caller(ctx): Caller) -> Result<Json<WhoAmI>, Failure> {
    let projects = visible_projects(&ctx, &api).await?;
    let role = if ctx.grant.is_server_admin { Some(Role::Admin) } else { ctx.grant.role };
    Ok(Json(WhoAmI {
        is_admin: ctx.grant.is_server_admin,
        project: ctx.project.to_string(),
        role: role.map(|role| role.as_str().to_owned()),
        projects,
        actor: ctx.actor.into(),
    }))
}

/// The projects that the caller may see.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProjectList {
    /// By name.
    pub projects: Vec<ProjectEntry>,
}

/// The projects that the caller may see.
#[utoipa::path(get, path = "/api/v1/projects", tag = "people", responses((status = 200, body = ProjectList)))]
pub(crate) async fn list_projects(
    State(api): State<ApiState>,
    Caller(ctx): Caller,
) -> Result<Json<ProjectList>, Failure> {
    Ok(Json(ProjectList { projects: visible_projects(&ctx, &api).await? }))
}

/// A project to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewProject {
    /// 1-63 characters of a-z, 0-9 and -.
    pub name: String,
    /// What it is for.
    #[serde(default)]
    pub description: String,
}

/// Makes a project.
#[utoipa::path(post, path = "/api/v1/projects", tag = "people", request_body = NewProject, responses((status = 201)))]
pub(crate) async fn create_project(
    State(api): State<ApiState>,
    Caller(ctx): Caller,
    Body(new): Body<NewProject>,
) -> Result<StatusCode, Failure> {
    projects::create_project(&ctx, &api.access, Project::parse(&new.name)?, new.description).await?;
    Ok(StatusCode::CREATED)
}

/// The context in the project that the path names; the role there is looked up anew.
async fn in_project(api: &ApiState, ctx: Ctx, project: &str) -> Result<Ctx> {
    let project = Project::parse(project)?;
    if project == ctx.project {
        return Ok(ctx);
    }
    let role = projects::list_projects(&ctx, &api.access).await?.into_iter().find(|known| known.project == project);
    match role {
        Some(known) => Ok(Ctx { grant: lathe_core::Grant { role: known.role, ..ctx.grant }, project, ..ctx }),
        None => Err(Error::not_found(format!("project `{project}` does not exist"))),
    }
}

/// A member of a project.
#[derive(Debug, Serialize, ToSchema)]
pub struct MemberEntry {
    /// Who.
    pub username: String,
    /// As what.
    pub role: String,
}

/// The members of a project.
#[derive(Debug, Serialize, ToSchema)]
pub struct MemberList {
    /// By name.
    pub members: Vec<MemberEntry>,
}

/// A project's members.
#[utoipa::path(get, path = "/api/v1/projects/{project}/members", tag = "people",
    params(("project" = String, Path, description = "The project")), responses((status = 200, body = MemberList)))]
pub(crate) async fn list_members(
    State(api): State<ApiState>,
    Caller(ctx): Caller,
    Captured(project): Captured<String>,
) -> Result<Json<MemberList>, Failure> {
    let ctx = in_project(&api, ctx, &project).await?;
    let found = members::list_members(&ctx, &api.access).await?;
    let members = found
        .into_iter()
        .map(|member| MemberEntry { username: member.username, role: member.role.as_str().to_owned() });
    Ok(Json(MemberList { members: members.collect() }))
}

/// The role to give.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRole {
    /// `viewer`, `contributor`, `maintainer` or `admin`.
    pub role: String,
}

/// Gives a person a role in a project.
#[utoipa::path(put, path = "/api/v1/projects/{project}/members/{username}", tag = "people", request_body = NewRole,
    params(("project" = String, Path, description = "The project"), ("username" = String, Path, description = "Who")), responses((status = 204)))]
pub(crate) async fn set_member(
    State(api): State<ApiState>,
    Caller(ctx): Caller,
    Captured((project, username)): Captured<(String, String)>,
    Body(new): Body<NewRole>,
) -> Result<StatusCode, Failure> {
    let ctx = in_project(&api, ctx, &project).await?;
    members::set_member(&ctx, &api.access, username, Role::parse(&new.role)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes a person's role in a project away.
#[utoipa::path(delete, path = "/api/v1/projects/{project}/members/{username}", tag = "people",
    params(("project" = String, Path, description = "The project"), ("username" = String, Path, description = "Who")), responses((status = 204)))]
pub(crate) async fn remove_member(
    State(api): State<ApiState>,
    Caller(ctx): Caller,
    Captured((project, username)): Captured<(String, String)>,
) -> Result<StatusCode, Failure> {
    let ctx = in_project(&api, ctx, &project).await?;
    members::remove_member(&ctx, &api.access, username).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A user of the server.
#[derive(Debug, Serialize, ToSchema)]
pub struct UserEntry {
    /// The name to sign in with.
    pub username: String,
    /// Whether the user administers the server.
    pub is_admin: bool,
    /// When the user was made, in milliseconds since 1970.
    pub created_at_ms: i64,
}

/// The users of the server.
#[derive(Debug, Serialize, ToSchema)]
pub struct UserList {
    /// By name.
    pub users: Vec<UserEntry>,
}

/// All users.
#[utoipa::path(get, path = "/api/v1/users", tag = "people", responses((status = 200, body = UserList)))]
pub(crate) async fn list_users(State(api): State<ApiState>, Caller(ctx): Caller) -> Result<Json<UserList>, Failure> {
    let found = users::list_users(&ctx, &api.access).await?;
    let users = found.into_iter().map(|users::User { username, is_admin, created_at_ms }| UserEntry {
        username,
        is_admin,
        created_at_ms,
    });
    Ok(Json(UserList { users: users.collect() }))
}

/// A user to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewUser {
    /// 1-64 characters of a-z, 0-9, . _ @ and -.
    pub username: String,
    /// At least 8 bytes; absent: Lathe chooses one and answers it once.
    pub password: Option<String>,
    /// Whether the user administers the server.
    #[serde(default)]
    pub is_admin: bool,
}

/// A user that was made.
#[derive(Debug, Serialize, ToSchema)]
pub struct MadeUser {
    /// The name to sign in with.
    pub username: String,
    /// The password that Lathe chose; shown this once.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub password: Option<String>,
}

/// Makes a user.
#[utoipa::path(post, path = "/api/v1/users", tag = "people", request_body = NewUser, responses((status = 201, body = MadeUser)))]
pub(crate) async fn create_user(
    State(api): State<ApiState>,
    Caller(ctx): Caller,
    Body(new): Body<NewUser>,
) -> Result<Response, Failure> {
    let NewUser { username, password, is_admin } = new;
    let request = users::CreateUser { username: username.clone(), password, is_admin };
    let password = users::create_user(&ctx, &api.access, request).await?;
    Ok((StatusCode::CREATED, Json(MadeUser { username, password })).into_response())
}

/// Removes a user.
#[utoipa::path(delete, path = "/api/v1/users/{username}", tag = "people",
    params(("username" = String, Path, description = "Who")), responses((status = 204)))]
pub(crate) async fn delete_user(
    State(api): State<ApiState>,
    Caller(ctx): Caller,
    Captured(username): Captured<String>,
) -> Result<StatusCode, Failure> {
    users::delete_user(&ctx, &api.access, username).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Old and new password.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordChange {
    /// The password until now.
    pub old_password: String,
    /// The password from now on.
    pub new_password: String,
}

/// Changes the caller's own password; all browser sessions of the user end.
#[utoipa::path(put, path = "/api/v1/password", tag = "people", request_body = PasswordChange, responses((status = 204)))]
pub(crate) async fn change_password(
    State(api): State<ApiState>,
    Caller(ctx): Caller,
    Body(change): Body<PasswordChange>,
) -> Result<StatusCode, Failure> {
    users::change_password(&ctx, &api.access, &change.old_password, &change.new_password).await?;
    Ok(StatusCode::NO_CONTENT)
}
