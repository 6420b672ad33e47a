//! What credentials are looked up with: one query each, by a unique index.

use lathe_core::{Project, Result, Role, TokenId};
use lathe_db::{Db, Row, query};

use super::{role_from_sql, tokens};
use crate::tokens::Token;

/// What a person is, on the server and in one project.
pub(crate) struct Standing {
    pub(crate) is_admin: bool,
    pub(crate) role: Option<Role>,
    pub(crate) project_exists: bool,
}

pub(crate) struct SessionRow {
    pub(crate) secret_hash: Vec<u8>,
    pub(crate) username: String,
    pub(crate) expires_at_ms: i64,
    pub(crate) standing: Standing,
}

pub(crate) struct TokenRow {
    pub(crate) token: Token,
    pub(crate) secret_hash: Vec<u8>,
    pub(crate) revoked_at_ms: Option<i64>,
    /// Whether the request's project exists.
    pub(crate) project_exists: bool,
    /// What the owner is in the request's project; `None` when the owner was removed.
    pub(crate) owner: Option<Standing>,
}

fn project_exists(row: &Row) -> Result<bool> {
    Ok(row.get::<Option<String>>("project_name")?.is_some())
}

fn standing(row: &Row) -> Result<Standing> {
    Ok(Standing {
        is_admin: row.get("is_admin")?,
        role: role_from_sql(row.get("member_role")?)?,
        project_exists: project_exists(row)?,
    })
}

/// The stored password of a user who may sign in, and what they are in the project.
pub(crate) async fn find_user(db: &Db, username: &str, project: &Project) -> Result<Option<(String, Standing)>> {
    let row = db
        .fetch_optional(
            query(
                "SELECT u.password_hash, u.is_admin, m.role AS member_role, p.name AS project_name FROM users u \
                 LEFT JOIN projects p ON p.name = $2 \
                 LEFT JOIN members m ON m.project = $2 AND m.username = u.username \
                 WHERE u.username = $1 AND u.disabled_at_ms IS NULL",
            )
            .bind(username)
            .bind(project.as_str()),
        )
        .await?;
    row.map(|row| Ok((row.get("password_hash")?, standing(&row)?))).transpose()
}

pub(crate) async fn find_session(db: &Db, hash: &[u8], project: &Project) -> Result<Option<SessionRow>> {
    let row = db
        .fetch_optional(
            query(
                "SELECT s.secret_hash, s.username, s.expires_at_ms, u.is_admin, m.role AS member_role, \
                   p.name AS project_name \
                 FROM sessions s JOIN users u ON u.username = s.username AND u.disabled_at_ms IS NULL \
                 LEFT JOIN projects p ON p.name = $2 \
                 LEFT JOIN members m ON m.project = $2 AND m.username = s.username \
                 WHERE s.secret_hash = $1",
            )
            .bind(hash)
            .bind(project.as_str()),
        )
        .await?;
    row.map(|row| {
        Ok(SessionRow {
            secret_hash: row.get("secret_hash")?,
            username: row.get("username")?,
            expires_at_ms: row.get("expires_at_ms")?,
            standing: standing(&row)?,
        })
    })
    .transpose()
}

/// What a token is looked up by.
#[derive(Clone, Copy)]
pub(crate) enum TokenKey<'a> {
    /// The hash of its secret.
    Hash(&'a [u8]),
    /// Its public id.
    Id(&'a TokenId),
}

pub(crate) async fn find_token(db: &Db, key: TokenKey<'_>, project: &Project) -> Result<Option<TokenRow>> {
    let mut select = query(
        "SELECT t.token_id, t.kind, t.name, t.owner, t.scope, t.project, t.role, t.created_at_ms, \
           t.expires_at_ms, t.last_used_at_ms, t.secret_hash, t.revoked_at_ms, \
           u.is_admin, m.role AS member_role, p.name AS project_name \
         FROM tokens t LEFT JOIN users u ON u.username = t.owner AND u.disabled_at_ms IS NULL \
         LEFT JOIN projects p ON p.name = $1 \
         LEFT JOIN members m ON m.project = $1 AND m.username = t.owner WHERE ",
    )
    .bind(project.as_str());
    match key {
        TokenKey::Hash(hash) => select.push("t.secret_hash = ").push_bind(hash),
        TokenKey::Id(id) => select.push("t.token_id = ").push_bind(id.as_str()),
    };
    let row = db.fetch_optional(select).await?;
    row.map(|row| {
        let has_owner = row.get::<Option<bool>>("is_admin")?.is_some();
        Ok(TokenRow {
            token: tokens::token(&row)?,
            secret_hash: row.get("secret_hash")?,
            revoked_at_ms: row.get("revoked_at_ms")?,
            project_exists: project_exists(&row)?,
            owner: has_owner.then(|| standing(&row)).transpose()?,
        })
    })
    .transpose()
}
