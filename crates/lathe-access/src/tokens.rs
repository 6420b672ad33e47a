//! Access tokens: shown once, stored as SHA-256, scoped, expiring, revocable at once.

pub use lathe_core::Scope;
use lathe_core::{
    Action, Actor, ActorKind, Code, Ctx, Error, Event, Kind, Name, Project, Result, Role, RunId, TokenId,
};
use lathe_db::{FutureExt as _, Tx};
use serde_json::json;

use crate::access::in_default_project;
use crate::users::{own_username, person_name};
use crate::{Access, Mode, secret, store};

/// The kind of tokens that carry their owner's rights.
pub(crate) const PERSONAL: &str = "personal";
/// The kind of tokens that are actors of their own.
const SERVICE: &str = "service";
/// The kind of tokens that are a run.
pub(crate) const RUN: &str = "run";
/// How long a run's credentials hold when nobody says, and at the most.
const RUN_TTL_SECONDS: i64 = 24 * 60 * 60;
const MAX_RUN_TTL_SECONDS: i64 = 30 * 24 * 60 * 60;
const MAX_DAYS: i64 = 3_650;
const DAY_MS: i64 = 24 * 60 * 60 * 1000;
const MAX_NAME_BYTES: usize = 100;

/// A stored scope; what this version does not know grants the least.
pub(crate) fn scope_from_sql(text: &str) -> Scope {
    Scope::parse(text).unwrap_or(Scope::Infer)
}

/// Whose rights a token carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder {
    /// Its owner's, as they are when it is used.
    Personal,
    /// A fixed role in the project it was made in.
    Service(Role),
}

/// What a new token is made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateToken {
    /// What it is for; a service token acts under this name, so its project has one of each name only.
    pub name: String,
    /// Whose rights it carries.
    pub holder: Holder,
    /// How much of them.
    pub scope: Scope,
    /// When it ends; `None` for never.
    pub expires_in_days: Option<i64>,
}

/// A token without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// The id to revoke it by.
    pub id: TokenId,
    /// `personal`, `service` or `run`.
    pub kind: String,
    /// What it is for.
    pub name: String,
    /// Who made it.
    pub owner: String,
    /// `all`, `read` or `infer`.
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

/// Whose tokens to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// Those the actor made.
    Own,
    /// Everybody's; for server administrators.
    Everybody,
}

/// Makes a token; the secret is in the answer and nowhere else.
///
/// # Errors
/// `InvalidArgument` for a bad name or time, `PermissionDenied` for a service token by someone who does not administer the
/// project, and for any token by a service or read-only token, `AlreadyExists` for the name of a service token, `Conflict`
/// in local mode, where nobody signs in.
pub async fn create_token(ctx: &Ctx, access: &Access, request: CreateToken) -> Result<(TokenId, String)> {
    let owner = own_username(ctx)?;
    if let Holder::Service(_) = request.holder {
        ctx.authorize(Action::Administer)?;
    }
    if access.mode() == Mode::Local {
        return Err(Error::conflict("this server runs without login, so no client needs a token")
            .with_hint("lathe serve --login"));
    }
    let token = new_token(ctx, owner, request)?;
    let secret = secret::generate_token()?;
    let (id, hash) = (token.id.clone(), secret::hash(&secret));
    let ctx = event_ctx(ctx, &token);
    access
        .change(move |tx| {
            async move {
                if !store::tokens::insert(tx, &token, &hash).await? {
                    return Err(Error::already_exists(format!(
                        "project `{}` has a service token `{}`; revoke it or choose another name",
                        ctx.project, token.name
                    )));
                }
                let detail = json!({
                    "name": token.name, "kind": token.kind, "scope": token.scope, "role": token.role,
                    "expires_at_ms": token.expires_at_ms,
                });
                let name = Name::new(&ctx.project, Kind::Token, &token.id);
                tx.record(&ctx, Event::new("token.created", name, detail)).await
            }
            .boxed()
        })
        .await?;
    Ok((id, secret))
}

/// The credentials of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunToken {
    /// The id to revoke it by.
    pub id: TokenId,
    /// The secret.
    pub token: String,
    /// When it ends, in milliseconds since 1970.
    pub expires_at_ms: i64,
}

/// Makes credentials that *are* a run of the request's project: whoever uses them acts as that run, as a contributor. Also in
/// local mode, where they tell the run's requests from everybody's.
///
/// That the run exists and may still be written is asked by the caller: runs are another room's. What a run makes holds no longer than the
/// run's own credentials.
///
/// # Errors
/// `PermissionDenied`, `InvalidArgument` for the time, `Unauthenticated` for an actor who has been removed meanwhile.
pub async fn create_run_token(
    ctx: &Ctx,
    access: &Access,
    run_id: &RunId,
    ttl_seconds: Option<i64>,
) -> Result<RunToken> {
    ctx.authorize(Action::Write)?;
    let mut token = prepare_run_token(ctx, ttl_seconds)?;
    let (ctx, run_id, mode) = (ctx.clone(), run_id.clone(), access.mode());
    access
        .change(move |tx| {
            async move {
                token.expires_at_ms = token.expires_at_ms.min(hold_maker(tx, &ctx, mode).await?);
                create_run_token_in(&ctx, tx, &run_id, &token).await?;
                Ok(token)
            }
            .boxed()
        })
        .await
}

/// Credentials that hold nowhere yet: see [`create_run_token_in`].
///
/// # Errors
/// As [`create_run_token`].
pub fn prepare_run_token(ctx: &Ctx, ttl_seconds: Option<i64>) -> Result<RunToken> {
    ctx.authorize(Action::Write)?;
    let expires_at_ms = run_expiry(ctx.now_ms(), ttl_seconds)?;
    Ok(RunToken { id: TokenId::generate(), token: secret::generate_token()?, expires_at_ms })
}

/// Makes prepared credentials those of a run, within a transaction of the caller's: for the server itself, which nobody removes.
///
/// # Errors
/// `PermissionDenied`.
pub async fn create_run_token_in(ctx: &Ctx, tx: &mut Tx, run_id: &RunId, made: &RunToken) -> Result<()> {
    ctx.authorize(Action::Write)?;
    let token = Token {
        id: made.id.clone(),
        kind: RUN.to_owned(),
        name: run_id.to_string(),
        owner: owner_of(&ctx.actor),
        scope: Scope::All.as_str().to_owned(),
        project: Some(ctx.project.to_string()),
        role: Some(Role::Contributor.as_str().to_owned()),
        created_at_ms: ctx.now_ms(),
        expires_at_ms: Some(made.expires_at_ms),
        last_used_at_ms: None,
    };
    if !store::tokens::insert(tx, &token, &secret::hash(&made.token)).await? {
        return Err(Error::internal("a new token's secret is taken"));
    }
    let detail = json!({ "kind": RUN, "run_id": token.name, "expires_at_ms": token.expires_at_ms });
    let name = Name::new(&ctx.project, Kind::Token, &token.id);
    tx.record(ctx, Event::new("token.created", name, detail)).await
}

/// Lets credentials of a run that the actor made hold for so long from now, also when they have expired meanwhile; answers when they end.
///
/// # Errors
/// `PermissionDenied`, `InvalidArgument` for the time, `Unauthenticated` for an actor who has been removed meanwhile, `NotFound` when there
/// are none that the actor may renew: revoked ones are none, nor those that the actor uses.
pub async fn renew_run_token(ctx: &Ctx, access: &Access, id: TokenId, ttl_seconds: Option<i64>) -> Result<i64> {
    ctx.authorize(Action::Write)?;
    let asked_ms = run_expiry(ctx.now_ms(), ttl_seconds)?;
    let (ctx, mode) = (ctx.clone(), access.mode());
    let renewed = access.change(move |tx| {
        async move {
            let expires_at_ms = asked_ms.min(hold_maker(tx, &ctx, mode).await?);
            let unknown = || Error::not_found(format!("token `{id}` does not exist"));
            let is_of_actor = |token: &Token| {
                token.kind == RUN
                    && token.owner == owner_of(&ctx.actor)
                    && token.name != ctx.actor.name
                    && token.project.as_deref() == Some(ctx.project.as_str())
            };
            let found = store::tokens::find(tx, &id).await?.filter(is_of_actor);
            let token = found.ok_or_else(unknown)?;
            if !store::tokens::set_expiry(tx, &id, expires_at_ms).await? {
                return Err(unknown());
            }
            let detail = json!({ "kind": RUN, "run_id": token.name, "expires_at_ms": expires_at_ms });
            tx.record(&ctx, Event::new("token.renewed", Name::new(&ctx.project, Kind::Token, &id), detail)).await?;
            Ok(expires_at_ms)
        }
        .boxed()
    });
    renewed.await
}

/// Keeps whoever makes credentials from being removed until the transaction ends, and answers how long these may hold. A request may have
/// been let in before its actor was removed, and a run that could outlast its own credentials, by those of another run, would never end.
async fn hold_maker(tx: &mut Tx, ctx: &Ctx, mode: Mode) -> Result<i64> {
    let removed = |what: String| Error::new(Code::Unauthenticated, what);
    let name = &ctx.actor.name;
    match ctx.actor.kind {
        ActorKind::Run => {
            let until_ms = store::tokens::hold_run(tx, name, ctx.now_ms()).await?;
            until_ms.ok_or_else(|| removed(format!("the credentials of run `{name}` have ended")))
        }
        ActorKind::User if mode == Mode::Login && !store::users::hold(tx, name).await? => {
            Err(removed(format!("user `{name}` was removed")))
        }
        ActorKind::User | ActorKind::Service | ActorKind::System => Ok(i64::MAX),
    }
}

fn run_expiry(now_ms: i64, ttl_seconds: Option<i64>) -> Result<i64> {
    let ttl_seconds = ttl_seconds.unwrap_or(RUN_TTL_SECONDS);
    if !(1..=MAX_RUN_TTL_SECONDS).contains(&ttl_seconds) {
        return Err(Error::invalid(format!("ttl_seconds must be from 1 to {MAX_RUN_TTL_SECONDS}")));
    }
    Ok(now_ms + ttl_seconds * 1000)
}

/// Whose the credentials of a run are: a user may have the name of a service or of a part of the server, and must not get theirs.
fn owner_of(actor: &Actor) -> String {
    match actor.kind {
        ActorKind::User | ActorKind::Run => actor.name.clone(),
        ActorKind::Service | ActorKind::System => format!("{}/{}", actor.kind.as_str(), actor.name),
    }
}

/// Tokens, newest first, without their secrets. Expired ones are among them, revoked ones and those of
/// runs are not.
///
/// # Errors
/// `PermissionDenied`, or what the database answers.
pub async fn list_tokens(ctx: &Ctx, access: &Access, whose: Whose) -> Result<Vec<Token>> {
    match whose {
        Whose::Everybody => {
            ctx.authorize(Action::Server)?;
            store::tokens::list_all(&access.db).await
        }
        Whose::Own => {
            // A service token has none, and may not see those of a person with its name.
            let owner = person_name(ctx)?;
            store::tokens::list_of_owner(&access.db, &owner).await
        }
    }
}

/// Ends a token at once: one's own, or anyone's for server administrators.
///
/// # Errors
/// `PermissionDenied` for service and read-only tokens, `NotFound` when there is none that the actor may end.
pub async fn revoke_token(ctx: &Ctx, access: &Access, id: TokenId) -> Result<()> {
    let ctx = ctx.clone();
    access.change(move |tx| async move { revoke_token_in(&ctx, tx, &id).await }.boxed()).await
}

/// Ends a token within a transaction of the caller's, which must be one of [`Access::change`].
///
/// # Errors
/// As [`revoke_token`].
pub async fn revoke_token_in(ctx: &Ctx, tx: &mut Tx, id: &TokenId) -> Result<()> {
    let unknown =
        || Error::not_found(format!("token `{id}` does not exist")).with_hint("the ids of yours: lathe token list");
    let found = store::tokens::find(tx, id).await?;
    // Whoever makes credentials for a run, also the server, a service or another run, ends them with it.
    let is_of_run = |token: &Token| token.kind == RUN && token.owner == owner_of(&ctx.actor);
    let token = match found {
        Some(token) if is_of_run(&token) && ctx.authorize(Action::Write).is_ok() => token,
        found => {
            let username = own_username(ctx)?;
            let may_end = |token: &Token| token.owner == username || ctx.grant.is_server_admin;
            found.filter(may_end).ok_or_else(unknown)?
        }
    };
    if !store::tokens::revoke(tx, id, ctx.now_ms()).await? {
        return Err(unknown());
    }
    let ctx = event_ctx(ctx, &token);
    let detail = json!({ "name": token.name, "kind": token.kind, "owner": token.owner });
    let name = Name::new(&ctx.project, Kind::Token, &token.id);
    tx.record(&ctx, Event::new("token.revoked", name, detail)).await
}

fn new_token(ctx: &Ctx, owner: String, request: CreateToken) -> Result<Token> {
    let CreateToken { name, holder, scope, expires_in_days } = request;
    if name.trim().is_empty() || name.len() > MAX_NAME_BYTES || name.chars().any(char::is_control) {
        return Err(Error::invalid(format!(
            "a token's name has 1 to {MAX_NAME_BYTES} bytes and no control characters"
        )));
    }
    if expires_in_days.is_some_and(|days| !(1..=MAX_DAYS).contains(&days)) {
        return Err(Error::invalid(format!("expires_in_days must be from 1 to {MAX_DAYS}")));
    }
    let (kind, project, role) = match holder {
        Holder::Personal => (PERSONAL, None, None),
        Holder::Service(role) => (SERVICE, Some(ctx.project.to_string()), Some(role.as_str().to_owned())),
    };
    let created_at_ms = ctx.now_ms();
    Ok(Token {
        id: TokenId::generate(),
        kind: kind.to_owned(),
        name,
        owner,
        scope: scope.as_str().to_owned(),
        project,
        role,
        created_at_ms,
        expires_at_ms: expires_in_days.map(|days| created_at_ms + days * DAY_MS),
        last_used_at_ms: None,
    })
}

/// Events of a service token stand in its project, those of a personal one with the server-wide events.
fn event_ctx(ctx: &Ctx, token: &Token) -> Ctx {
    match &token.project {
        Some(project) => Ctx { project: Project::from_trusted(project.clone()), ..ctx.clone() },
        None => in_default_project(ctx),
    }
}
