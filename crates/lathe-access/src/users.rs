//! People: made, listed, removed, and their passwords.
//!
//! A removed user's row stays, and the name is not used again: the ledger names people by it.

use std::fmt;

use lathe_core::{Action, ActorKind, Code, Ctx, Error, Event, Kind, Name, Result, Scope};
use lathe_db::{FutureExt as _, Tx};
use serde_json::json;

use crate::access::in_default_project;
use crate::{Access, secret, store};

const MAX_USERNAME_LENGTH: usize = 64;

/// A person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The name to sign in with.
    pub username: String,
    /// Whether the user administers the server.
    pub is_admin: bool,
    /// When the user was made, in milliseconds since 1970.
    pub created_at_ms: i64,
}

/// What a new user is made from.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct CreateUser {
    /// 1-64 characters of `a-z`, `0-9`, `.`, `_`, `@`, `-`.
    pub username: String,
    /// `None` for a random one.
    pub password: Option<String>,
    /// Whether the user administers the server.
    pub is_admin: bool,
}

impl fmt::Debug for CreateUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { username, password: _, is_admin } = self;
        f.debug_struct("CreateUser").field("username", username).field("is_admin", is_admin).finish_non_exhaustive()
    }
}

/// Makes a user; answers the random password when none was given, to be shown once.
///
/// The user has no role in any project until a member is set.
///
/// # Errors
/// `PermissionDenied`, `InvalidArgument` for a bad name or password, `AlreadyExists` when the name is taken.
pub async fn create_user(ctx: &Ctx, access: &Access, request: CreateUser) -> Result<Option<String>> {
    ctx.authorize(Action::Server)?;
    let CreateUser { username, password, is_admin } = request;
    check_username(&username)?;
    let (password, shown) = match password {
        Some(given) => (given, None),
        None => {
            let secret = secret::generate()?;
            (secret.clone(), Some(secret))
        }
    };
    let password_hash = access.passwords.hash(&password).await?;
    let ctx = in_default_project(ctx);
    let user = User { username, is_admin, created_at_ms: ctx.now_ms() };
    access
        .change(move |tx| {
            async move {
                if !store::users::insert(tx, &user, &password_hash).await? {
                    return Err(taken(tx, &user.username).await?);
                }
                let name = Name::new(&ctx.project, Kind::User, &user.username);
                tx.record(&ctx, Event::new("user.created", name, json!({ "is_admin": user.is_admin }))).await
            }
            .boxed()
        })
        .await?;
    Ok(shown)
}

/// All users, by name.
///
/// # Errors
/// `PermissionDenied`, or what the database answers.
pub async fn list_users(ctx: &Ctx, access: &Access) -> Result<Vec<User>> {
    ctx.authorize(Action::Server)?;
    store::users::list(&access.db).await
}

/// Removes a user with all memberships, personal tokens, credentials of runs and sessions, at once. Service tokens are actors of their own
/// and stay, and so does what the user did, in the ledger.
///
/// # Errors
/// `PermissionDenied`, `NotFound`, or `Conflict` for the last administrator.
pub async fn delete_user(ctx: &Ctx, access: &Access, username: String) -> Result<()> {
    ctx.authorize(Action::Server)?;
    check_username(&username)?;
    let ctx = in_default_project(ctx);
    access.change(move |tx| async move { delete_user_in(tx, &ctx, &username).await }.boxed()).await
}

async fn delete_user_in(tx: &mut Tx, ctx: &Ctx, username: &str) -> Result<()> {
    // Locks all administrators, so that the last two cannot remove each other at the same time.
    let admins = store::users::lock_admins(tx).await?;
    if admins == [username] {
        return Err(Error::conflict(format!("`{username}` is the last administrator; make another one first")));
    }
    if !store::users::disable(tx, username, ctx.now_ms()).await? {
        return Err(unknown_user(username));
    }
    store::sessions::delete_of_user(tx, username).await?;
    store::members::delete_of_user(tx, username).await?;
    let revoked = store::tokens::revoke_of_user(tx, username, ctx.now_ms()).await?;
    let name = Name::new(&ctx.project, Kind::User, username);
    tx.record(ctx, Event::new("user.deleted", name, json!({ "revoked_tokens": revoked }))).await
}

/// Changes the actor's own password, after checking the old one; all browser sessions of the user end, tokens stay.
///
/// # Errors
/// `PermissionDenied` for service and read-only tokens, `Unauthenticated` for a wrong old password, `RateLimited`,
/// `InvalidArgument` for a new one that breaks the rules.
pub async fn change_password(ctx: &Ctx, access: &Access, old: &str, new: &str) -> Result<()> {
    let username = own_username(ctx)?;
    let (stored_hash, _) = store::users::find(&access.db, &username).await?.ok_or_else(|| unknown_user(&username))?;
    access.passwords.verify(&username, old, Some(&stored_hash)).await?;
    let password_hash = access.passwords.hash(new).await?;
    let ctx = in_default_project(ctx);
    access
        .change(move |tx| {
            async move {
                if !store::users::set_password(tx, &username, &stored_hash, &password_hash).await? {
                    return Err(Error::conflict(
                        "the password was changed by another request meanwhile; sign in again",
                    ));
                }
                store::sessions::delete_of_user(tx, &username).await?;
                let name = Name::new(&ctx.project, Kind::User, &username);
                tx.record(&ctx, Event::new("user.password_changed", name, json!({}))).await
            }
            .boxed()
        })
        .await
}

/// The actor's own name, for what people do for themselves.
pub(crate) fn person_name(ctx: &Ctx) -> Result<String> {
    if ctx.actor.kind == ActorKind::User {
        return Ok(ctx.actor.name.clone());
    }
    let message = format!("`{}` is not a person; sign in as a user to do this", ctx.actor.name);
    Err(Error::new(Code::PermissionDenied, message))
}

/// The actor's own name, for what people change for themselves: a token of a narrower scope would otherwise make itself a better one.
pub(crate) fn own_username(ctx: &Ctx) -> Result<String> {
    let username = person_name(ctx)?;
    if ctx.grant.scope != Scope::All {
        let message = format!("this token may only {}; this needs a token of scope all", ctx.grant.scope.as_str());
        return Err(Error::new(Code::PermissionDenied, message));
    }
    Ok(username)
}

/// Whether a user may have this name.
pub(crate) fn is_username(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._@-".contains(&b);
    (1..=MAX_USERNAME_LENGTH).contains(&text.len()) && text.bytes().all(allowed)
}

pub(crate) fn check_username(text: &str) -> Result<()> {
    if is_username(text) {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "user name {text:?} is not valid: use 1-64 characters of a-z, 0-9, `.`, `_`, `@` and `-`"
    )))
}

pub(crate) fn unknown_user(username: &str) -> Error {
    Error::not_found(format!("user `{username}` does not exist")).with_hint("all there are: lathe user list")
}

async fn taken(tx: &mut Tx, username: &str) -> Result<Error> {
    if store::users::exists(tx, username).await? {
        return Ok(Error::already_exists(format!("user `{username}` already exists"))
            .with_hint("choose another name; all there are: lathe user list"));
    }
    Ok(Error::already_exists(format!(
        "the name `{username}` belonged to a removed user and is not used again, so that the audit log stays true; choose another"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_names_follow_the_rule() {
        let (longest, too_long) = ("a".repeat(64), "a".repeat(65));
        for name in ["anna", "a.b_c-d@example.com", "7", longest.as_str()] {
            assert!(check_username(name).is_ok(), "{name}");
        }
        for name in ["", "Anna", "an na", "anna/x", "änna", "a\0", "a\n", too_long.as_str()] {
            assert!(check_username(name).is_err(), "{name:?}");
        }
    }
}
