//! Members: which role a person has in the context's project.

use lathe_core::{Action, Ctx, Error, Event, Kind, Name, Result, Role};
use lathe_db::FutureExt as _;
use serde_json::json;

use crate::users::{check_username, unknown_user};
use crate::{Access, store};

/// A person with a role in the project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Who.
    pub username: String,
    /// As what.
    pub role: Role,
}

/// The project's members, by name. Server administrators need no role to act in it and are not listed for that.
///
/// # Errors
/// `PermissionDenied`, or what the database answers.
pub async fn list_members(ctx: &Ctx, access: &Access) -> Result<Vec<Member>> {
    ctx.authorize(Action::Administer)?;
    store::members::list(&access.db, &ctx.project).await
}

/// Gives a person a role in the project, instead of an earlier one; it counts from the person's next request.
///
/// # Errors
/// `PermissionDenied`, `InvalidArgument` for a malformed name, `NotFound` when there is no such user.
pub async fn set_member(ctx: &Ctx, access: &Access, username: String, role: Role) -> Result<()> {
    ctx.authorize(Action::Administer)?;
    check_username(&username)?;
    let ctx = ctx.clone();
    access
        .change(move |tx| {
            async move {
                if !store::users::exists(tx, &username).await? {
                    return Err(unknown_user(&username));
                }
                let before = store::members::find(tx, &ctx.project, &username).await?;
                if before == Some(role) {
                    return Ok(());
                }
                store::members::set(tx, &ctx.project, &username, role).await?;
                let detail = json!({ "role": role.as_str(), "before": before.map(Role::as_str) });
                let name = Name::new(&ctx.project, Kind::User, &username);
                tx.record(&ctx, Event::new("member.set", name, detail)).await
            }
            .boxed()
        })
        .await
}

/// Takes a person's role in the project away, from the next request on.
///
/// # Errors
/// `PermissionDenied`, `InvalidArgument` for a malformed name, `NotFound` when the person has none.
pub async fn remove_member(ctx: &Ctx, access: &Access, username: String) -> Result<()> {
    ctx.authorize(Action::Administer)?;
    check_username(&username)?;
    let ctx = ctx.clone();
    access
        .change(move |tx| {
            async move {
                let before = store::members::find(tx, &ctx.project, &username).await?;
                if !store::members::delete(tx, &ctx.project, &username).await? {
                    return Err(Error::not_found(format!("`{username}` is not a member of project `{}`", ctx.project)));
                }
                let detail = json!({ "before": before.map(Role::as_str) });
                let name = Name::new(&ctx.project, Kind::User, &username);
                tx.record(&ctx, Event::new("member.removed", name, detail)).await
            }
            .boxed()
        })
        .await
}
