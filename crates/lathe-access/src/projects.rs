//! Projects: the walls between teams. A request is in exactly one; none is ever removed.

use lathe_core::{Action, ActorKind, Code, Ctx, Error, Event, Kind, Name, Project, Result, Role};
use lathe_db::{FutureExt as _, Tx};
use serde_json::json;

use crate::access::in_default_project;
use crate::{Access, store};

const MAX_DESCRIPTION_BYTES: usize = 1000;

/// A project as an actor sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectInfo {
    /// Its name.
    pub project: Project,
    /// What it is for.
    pub description: String,
    /// When it was made, in milliseconds since 1970.
    pub created_at_ms: i64,
    /// The actor's role in it; administrators of the server have `admin` everywhere.
    pub role: Option<Role>,
}

/// Makes a project. Nobody but administrators of the server has a role in it until a member is set.
///
/// # Errors
/// `PermissionDenied`, `AlreadyExists` when the name is taken, `TooLarge` for a description over 1,000 bytes.
pub async fn create_project(ctx: &Ctx, access: &Access, project: Project, description: String) -> Result<()> {
    ctx.authorize(Action::Server)?;
    check_description(&description)?;
    let ctx = in_default_project(ctx);
    access
        .change(move |tx| {
            async move {
                if insert(tx, &ctx, &project, &description).await? {
                    return Ok(());
                }
                Err(Error::already_exists(format!("project `{project}` already exists"))
                    .with_hint("choose another name; all there are: lathe project list"))
            }
            .boxed()
        })
        .await
}

/// The projects that the actor may see, by name. A service token sees the request's project if that is its own.
///
/// # Errors
/// What the database answers.
pub async fn list_projects(ctx: &Ctx, access: &Access) -> Result<Vec<ProjectInfo>> {
    // Needs no action: what may be seen is decided row by row.
    if ctx.grant.is_server_admin {
        return store::projects::list_all(&access.db).await;
    }
    match (ctx.actor.kind, ctx.grant.role) {
        (ActorKind::User, _) => store::projects::list_of_user(&access.db, &ctx.actor.name).await,
        (ActorKind::Service | ActorKind::Run | ActorKind::System, Some(role)) => {
            store::projects::find(&access.db, &ctx.project, role).await
        }
        (ActorKind::Service | ActorKind::Run | ActorKind::System, None) => Ok(Vec::new()),
    }
}

/// Makes the project `default` unless it exists.
pub(crate) async fn ensure_default(ctx: &Ctx, access: &Access) -> Result<()> {
    if access.project_exists(&ctx.project).await? {
        return Ok(());
    }
    let ctx = ctx.clone();
    // Another server may have been first: then there is nothing to do.
    access.change(move |tx| async move { insert(tx, &ctx, &ctx.project, "").await.map(|_| ()) }.boxed()).await
}

/// Answers whether the name was free.
async fn insert(tx: &mut Tx, ctx: &Ctx, project: &Project, description: &str) -> Result<bool> {
    if !store::projects::insert(tx, project, description, ctx.now_ms()).await? {
        return Ok(false);
    }
    let name = Name::new(project, Kind::Project, project);
    tx.record(ctx, Event::new("project.created", name, json!({}))).await?;
    Ok(true)
}

fn check_description(description: &str) -> Result<()> {
    let length = description.len();
    if length > MAX_DESCRIPTION_BYTES {
        let message = format!("the description has {length} bytes; at most {MAX_DESCRIPTION_BYTES} fit");
        return Err(Error::new(Code::TooLarge, message));
    }
    if description.contains('\0') {
        return Err(Error::invalid("the description contains a NUL character"));
    }
    Ok(())
}
