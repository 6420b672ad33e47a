//! The room's handle, and the first start.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use futures::future::BoxFuture;
use lathe_core::{Clock, Ctx, Error, Event, Kind, Name, Project, Result};
use lathe_db::{Db, FutureExt as _, Tx};
use serde_json::json;
use tokio::sync::Semaphore;

use crate::cache::IdentityCache;
use crate::passwords::Passwords;
use crate::{ServerKey, projects, secret, store};

/// The administrator that the first start with login makes.
const FIRST_ADMIN: &str = "admin";
/// How many notes of when tokens were used may be on their way to the database; one more is left out.
const BACKGROUND_WRITES: u32 = 16;

/// Whether people must sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Loopback only: every request is the one local administrator.
    Local,
    /// Every request needs credentials.
    Login,
}

impl Mode {
    /// The mode as it stands in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Mode::Local => "local",
            Mode::Login => "login",
        }
    }
}

/// The room's handle. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Access {
    pub(crate) db: Db,
    pub(crate) clock: Clock,
    pub(crate) passwords: Arc<Passwords>,
    pub(crate) cache: Arc<IdentityCache>,
    pub(crate) server_key: ServerKey,
    known_projects: Arc<Mutex<HashSet<Project>>>,
    background: Arc<Semaphore>,
    mode: Mode,
}

/// What the first start made.
#[derive(Default)]
pub struct FirstStart {
    /// The password of the new user `admin`, when Lathe chose it: to be shown once.
    pub admin_secret: Option<String>,
}

impl std::fmt::Debug for FirstStart {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FirstStart")
    }
}

impl Access {
    /// Makes the handle; the schema must have been migrated.
    pub fn new(db: Db, mode: Mode, clock: Clock, server_key: ServerKey) -> Self {
        Self {
            db,
            passwords: Arc::new(Passwords::new(clock.clone())),
            clock,
            cache: Arc::default(),
            server_key,
            known_projects: Arc::default(),
            background: Arc::new(Semaphore::new(BACKGROUND_WRITES as usize)),
            mode,
        }
    }

    /// Whether people must sign in.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// How many passwords were hashed since the start: each costs tens of milliseconds of a core.
    pub fn password_hashes(&self) -> u64 {
        self.passwords.hashes()
    }

    /// Makes the project `default` and, in login mode, the user `admin` if nobody administers the server yet.
    ///
    /// # Errors
    /// `InvalidArgument` when the given password breaks the rules; what the database answers.
    pub async fn prepare(&self, admin_password: Option<&str>) -> Result<FirstStart> {
        let ctx = Ctx { clock: self.clock.clone(), ..Ctx::system("access", Project::default_project()) };
        projects::ensure_default(&ctx, self).await?;
        if self.mode == Mode::Local || store::users::has_admin(&self.db).await? {
            return Ok(FirstStart::default());
        }
        let (password, admin_secret) = match admin_password {
            Some(given) => (given.to_owned(), None),
            None => {
                let secret = secret::generate()?;
                (secret.clone(), Some(secret))
            }
        };
        let password_hash = self.passwords.hash(&password).await?;
        let is_first =
            self.change(move |tx| async move { make_first_admin(tx, &ctx, &password_hash).await }.boxed()).await?;
        // Another server may have been first; then its secret is the one that counts.
        Ok(FirstStart { admin_secret: admin_secret.filter(|_| is_first) })
    }

    /// Waits until what was noted off the request path (when tokens were last used) is stored; for a graceful stop.
    pub async fn finish(&self) {
        // Fails only on a closed semaphore, and nobody closes it.
        drop(self.background.acquire_many(BACKGROUND_WRITES).await);
    }

    /// Whether a project exists. Projects are never removed, so one that was seen need not be asked for again.
    pub(crate) async fn project_exists(&self, project: &Project) -> Result<bool> {
        if self.known_projects.lock().unwrap_or_else(PoisonError::into_inner).contains(project) {
            return Ok(true);
        }
        let exists = store::projects::exists(&self.db, project).await?;
        if exists {
            self.known_projects.lock().unwrap_or_else(PoisonError::into_inner).insert(project.clone());
        }
        Ok(exists)
    }

    /// One change that concerns this room: stores it, then forgets whatever was cached about credentials.
    ///
    /// In a task of its own: a caller that goes away at the commit must not leave a revoked token in the cache.
    ///
    /// # Errors
    /// As [`Db::write_brief`].
    pub async fn change<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T>> + Send + 'static,
    {
        let (db, cache) = (self.db.clone(), self.cache.clone());
        let task = tokio::spawn(async move {
            let result = db.write_brief(work).await;
            cache.forget_all();
            result
        });
        task.await.map_err(|error| Error::internal("a change of access ended early").with_source(error))?
    }

    /// Runs a small write off the request path, or leaves it out when too many are under way.
    pub(crate) fn in_background(&self, work: impl Future<Output = Result<()>> + Send + 'static) {
        if let Ok(place) = self.background.clone().try_acquire_owned() {
            tokio::spawn(async move {
                // Best effort: the next use of the token notes it again.
                let _ = work.await;
                drop(place);
            });
        }
    }
}

/// Answers whether this call made the administrator, and not another server's at the same time.
async fn make_first_admin(tx: &mut Tx, ctx: &Ctx, password_hash: &str) -> Result<bool> {
    let is_made = store::users::insert_first_admin(tx, FIRST_ADMIN, password_hash, ctx.now_ms()).await?;
    if is_made {
        let name = Name::new(&ctx.project, Kind::User, FIRST_ADMIN);
        tx.record(ctx, Event::new("user.created", name, json!({ "is_admin": true }))).await?;
    }
    Ok(is_made)
}

/// The context in which server-wide events are recorded: they stand in the project `default`, where only
/// administrators of the server read them.
pub(crate) fn in_default_project(ctx: &Ctx) -> Ctx {
    Ctx { project: Project::default_project(), ..ctx.clone() }
}
