//! Browser sessions: a random cookie, stored as SHA-256.
//!
//! Sessions are no events: the ledger records what people change, not when they look.

use std::fmt;

use lathe_core::{Error, Result};
use lathe_db::FutureExt as _;

use crate::passwords::wrong;
use crate::{Access, Mode, secret, store, users};

/// How long a session lasts, however much it is used: seven days.
const MAX_AGE_SECONDS: i64 = 7 * 24 * 60 * 60;

/// A new session.
#[derive(Clone, PartialEq, Eq)]
pub struct Session {
    /// The cookie's value; shown to the browser and stored nowhere.
    pub cookie: String,
    /// How long it lasts.
    pub max_age_seconds: i64,
    /// Whether the user administers the server.
    pub is_admin: bool,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cookie: _, max_age_seconds, is_admin } = self;
        f.debug_struct("Session")
            .field("max_age_seconds", max_age_seconds)
            .field("is_admin", is_admin)
            .finish_non_exhaustive()
    }
}

/// Signs a user in.
///
/// # Errors
/// `Unauthenticated` when name and password do not belong together, `RateLimited` after too many tries, `InvalidArgument` in
/// local mode, where nobody signs in.
pub async fn sign_in(access: &Access, username: &str, password: &str) -> Result<Session> {
    if access.mode() == Mode::Local {
        return Err(Error::invalid("this server runs without login, so there is nothing to sign in to"));
    }
    if !users::is_username(username) {
        return Err(wrong());
    }
    let user = store::users::find(&access.db, username).await?;
    let stored_hash = user.as_ref().map(|(stored_hash, _)| stored_hash.as_str());
    access.passwords.verify(username, password, stored_hash).await?;
    let (checked_hash, is_admin) = user.ok_or_else(wrong)?;

    let cookie = secret::generate()?;
    let created_at_ms = access.clock.now_ms();
    let session = store::sessions::NewSession {
        secret_hash: secret::hash(&cookie),
        username: username.to_owned(),
        checked_hash,
        created_at_ms,
        expires_at_ms: created_at_ms + MAX_AGE_SECONDS * 1000,
    };
    let is_started =
        access.change(move |tx| async move { store::sessions::insert(tx, &session).await }.boxed()).await?;
    // Since the check, the password was changed or the user removed.
    if !is_started {
        return Err(wrong());
    }
    Ok(Session { cookie, max_age_seconds: MAX_AGE_SECONDS, is_admin })
}

/// Ends a session; one that does not exist has ended already.
///
/// # Errors
/// What the database answers.
pub async fn sign_out(access: &Access, cookie: &str) -> Result<()> {
    if !secret::is_secret(cookie) {
        return Ok(());
    }
    let hash = secret::hash(cookie);
    access.change(move |tx| async move { store::sessions::delete(tx, &hash).await }.boxed()).await
}
