//! Credentials to a context: the one place where a request becomes somebody.
//!
//! Called by the HTTP frame once per request. What the somebody may do is then asked of the context, without I/O.

use std::fmt;

use lathe_core::{Actor, ActorKind, Code, Ctx, Error, Grant, Project, Result};
use lathe_db::FutureExt as _;

use crate::cache::Identity;
use crate::passwords::wrong;
use crate::store::identities::{self, Standing, TokenKey, TokenRow};
use crate::tokens::{PERSONAL, RUN, Scope, scope_from_sql};
use crate::{Access, Mode, secret, store, users};

/// The name of local mode's single actor.
pub(crate) const LOCAL_ACTOR: &str = "local";
/// A token's "last used" is at most this much too old.
const LAST_USED_INTERVAL_MS: i64 = 60_000;

/// What a request brought.
#[derive(Clone, PartialEq, Eq)]
pub enum Credentials {
    /// Nothing.
    None,
    /// HTTP Basic; the password may be a token (the user name then does not matter).
    Basic {
        /// The user name.
        username: String,
        /// The password or token.
        password: String,
    },
    /// An access token.
    Bearer(String),
    /// A browser's session cookie.
    Session(String),
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Credentials::None => "None",
            Credentials::Basic { .. } => "Basic(…)",
            Credentials::Bearer(_) => "Bearer(…)",
            Credentials::Session(_) => "Session(…)",
        })
    }
}

/// Credentials whose form is right, so that they can exist.
pub(crate) enum Proof<'a> {
    Password { username: &'a str, password: &'a str },
    Token(Vec<u8>),
    Session(Vec<u8>),
}

impl<'a> Proof<'a> {
    pub(crate) fn read(credentials: &'a Credentials) -> Result<Self> {
        match credentials {
            Credentials::None => Err(nobody()),
            Credentials::Bearer(token) if secret::is_token(token) => Ok(Proof::Token(secret::hash(token))),
            Credentials::Bearer(_) => Err(unknown_token()),
            Credentials::Session(cookie) if secret::is_secret(cookie) => Ok(Proof::Session(secret::hash(cookie))),
            Credentials::Session(_) => Err(ended_session()),
            Credentials::Basic { password, .. } if secret::is_token(password) => {
                Ok(Proof::Token(secret::hash(password)))
            }
            // Nobody can have such a name. The rule is public, so a quick answer tells nothing.
            Credentials::Basic { username, .. } if !users::is_username(username) => Err(wrong()),
            Credentials::Basic { username, password } => Ok(Proof::Password { username, password }),
        }
    }
}

impl Access {
    /// Makes the context of a request.
    ///
    /// In local mode every request is the local administrator, whatever credentials it brings, unless they are a run's. In login mode an actor without
    /// a role in the project gets a context that grants nothing, whether there is such a project or not.
    ///
    /// # Errors
    /// `Unauthenticated` without valid credentials, `RateLimited` after too many wrong passwords, `NotFound` for an unknown
    /// project to those who may know all of them, or what the database answers.
    pub async fn resolve(&self, credentials: Credentials, project: Project, request_id: String) -> Result<Ctx> {
        let Identity { actor, grant, expires_at_ms: _ } = match self.mode() {
            Mode::Local => self.locally(&credentials, &project).await?,
            Mode::Login => self.authenticate(&credentials, &project).await?,
        };
        Ok(Ctx { actor, project, grant, request_id, clock: self.clock.clone(), once: None })
    }

    /// In local mode only a run's own credentials say something: everybody else is the local administrator.
    async fn locally(&self, credentials: &Credentials, project: &Project) -> Result<Identity> {
        if !self.project_exists(project).await? {
            return Err(unknown_project(project));
        }
        let local = Identity { actor: Actor::user(LOCAL_ACTOR), grant: Grant::ALL, expires_at_ms: None };
        let Ok(Proof::Token(hash)) = Proof::read(credentials) else { return Ok(local) };
        match self.authenticate(credentials, project).await {
            Ok(identity) if identity.actor.kind == ActorKind::Run => Ok(identity),
            Err(error) if error.code() != Code::Unauthenticated => Err(error),
            // A run whose credentials ended must not become the administrator by that.
            Err(error) if self.is_of_run(&hash, project).await? => Err(error),
            _ => Ok(local),
        }
    }

    async fn is_of_run(&self, hash: &[u8], project: &Project) -> Result<bool> {
        let row = identities::find_token(&self.db, TokenKey::Hash(hash), project).await?;
        Ok(row.is_some_and(|row| row.token.kind == RUN))
    }

    async fn authenticate(&self, credentials: &Credentials, project: &Project) -> Result<Identity> {
        let proof = Proof::read(credentials)?;
        let key = match &proof {
            Proof::Password { username, password } => self.passwords.digest(username, password),
            Proof::Token(hash) | Proof::Session(hash) => Some(hash.clone()),
        };
        let key = key.map(|key| (key, project.clone()));
        let now_ms = self.clock.now_ms();
        let cached = key.as_ref().map(|key| self.cache.get(key, now_ms));
        if let Some(Ok(identity)) = cached {
            return Ok(identity);
        }
        let identity = match proof {
            Proof::Password { username, password } => self.by_password(username, password, project).await?,
            Proof::Token(hash) => self.by_token(&hash, project, now_ms).await?,
            Proof::Session(hash) => self.by_session(&hash, project, now_ms).await?,
        };
        if let (Some(key), Some(Err(generation))) = (key, cached) {
            // As old as the moment before the query, not the one after a slow password check.
            self.cache.remember(generation, key, identity.clone(), now_ms);
        }
        Ok(identity)
    }

    async fn by_password(&self, username: &str, password: &str, project: &Project) -> Result<Identity> {
        let (stored_hash, standing) = identities::find_user(&self.db, username, project).await?.unzip();
        self.passwords.verify(username, password, stored_hash.as_deref()).await?;
        // Only an existing user's password can be right.
        let standing = standing.ok_or_else(wrong)?;
        person(username, &standing, Scope::All, None, project)
    }

    async fn by_session(&self, hash: &[u8], project: &Project, now_ms: i64) -> Result<Identity> {
        let row = identities::find_session(&self.db, hash, project).await?.ok_or_else(ended_session)?;
        if !secret::is_same(&row.secret_hash, hash) || row.expires_at_ms <= now_ms {
            return Err(ended_session());
        }
        person(&row.username, &row.standing, Scope::All, Some(row.expires_at_ms), project)
    }

    async fn by_token(&self, hash: &[u8], project: &Project, now_ms: i64) -> Result<Identity> {
        let (row, identity) = self.find_live_token(TokenKey::Hash(hash), project, now_ms).await?;
        self.note_use(&row, now_ms);
        Ok(identity)
    }

    /// A token that holds, and what it stands for in a project.
    pub(crate) async fn find_live_token(
        &self,
        key: TokenKey<'_>,
        project: &Project,
        now_ms: i64,
    ) -> Result<(TokenRow, Identity)> {
        let row = identities::find_token(&self.db, key, project).await?.ok_or_else(unknown_token)?;
        if let TokenKey::Hash(hash) = key
            && !secret::is_same(&row.secret_hash, hash)
        {
            return Err(unknown_token());
        }
        // Who holds the secret may know why it no longer works.
        if row.revoked_at_ms.is_some() {
            return Err(ended_token("was revoked"));
        }
        if row.token.expires_at_ms.is_some_and(|expires_at_ms| expires_at_ms <= now_ms) {
            return Err(ended_token("has expired"));
        }
        let identity = if row.token.kind == PERSONAL {
            let owner = row.owner.as_ref().ok_or_else(|| ended_token("belongs to a removed user"))?;
            person(&row.token.owner, owner, scope_from_sql(&row.token.scope), row.token.expires_at_ms, project)?
        } else {
            service(&row, project)?
        };
        Ok((row, identity))
    }

    /// Off the request path, and at most once a minute per token.
    pub(crate) fn note_use(&self, row: &TokenRow, now_ms: i64) {
        let last_used_at_ms = row.token.last_used_at_ms;
        if last_used_at_ms.is_some_and(|used_at_ms| now_ms.saturating_sub(used_at_ms) < LAST_USED_INTERVAL_MS) {
            return;
        }
        let (db, id) = (self.db.clone(), row.token.id.clone());
        self.in_background(async move {
            db.write(move |tx| {
                async move { store::tokens::note_use(tx, &id, now_ms, LAST_USED_INTERVAL_MS).await }.boxed()
            })
            .await
        });
    }
}

/// A person, with the role they have now: a token or session never gives more than its owner has.
fn person(
    username: &str,
    standing: &Standing,
    scope: Scope,
    expires_at_ms: Option<i64>,
    project: &Project,
) -> Result<Identity> {
    // To everybody else it is a project that they may not read, as those of others are.
    if !standing.project_exists && standing.is_admin {
        return Err(unknown_project(project));
    }
    let grant = Grant { role: standing.role, is_server_admin: standing.is_admin, scope };
    Ok(Identity { actor: Actor::user(username), grant, expires_at_ms })
}

fn service(row: &TokenRow, project: &Project) -> Result<Identity> {
    let token = &row.token;
    let is_own_project = token.project.as_deref() == Some(project.as_str());
    if !row.project_exists && is_own_project {
        return Err(unknown_project(project));
    }
    let role = store::role_from_sql(token.role.clone())?.filter(|_| is_own_project);
    let grant = Grant { role, is_server_admin: false, scope: scope_from_sql(&token.scope) };
    let actor = if token.kind == RUN { Actor::run(&token.name) } else { Actor::service(&token.name) };
    Ok(Identity { actor, grant, expires_at_ms: token.expires_at_ms })
}

fn nobody() -> Error {
    Error::new(Code::Unauthenticated, "this server needs you to sign in")
        .with_hint("lathe login, or set MLFLOW_TRACKING_TOKEN to a token")
}

fn unknown_token() -> Error {
    Error::new(Code::Unauthenticated, "this access token is not known here; tokens begin with `lth_`")
}

fn ended_token(how: &str) -> Error {
    Error::new(Code::Unauthenticated, format!("this access token {how}; make a new one"))
}

fn ended_session() -> Error {
    Error::new(Code::Unauthenticated, "the session has ended; sign in again")
}

pub(crate) fn unknown_project(project: &Project) -> Error {
    Error::not_found(format!("project `{project}` does not exist")).with_hint("those you may use: lathe project list")
}
