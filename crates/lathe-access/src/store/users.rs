//! The table `users`. Rows are never removed: `disabled_at_ms` ends a user.

use lathe_core::Result;
use lathe_db::{Db, Tx, query};

use crate::users::User;

/// Whether anyone administers the server.
pub(crate) async fn has_admin(db: &Db) -> Result<bool> {
    let found = query("SELECT username FROM users WHERE is_admin = TRUE AND disabled_at_ms IS NULL LIMIT 1");
    Ok(db.fetch_optional(found).await?.is_some())
}

/// The stored password of a user who may sign in, and whether they administer the server.
pub(crate) async fn find(db: &Db, username: &str) -> Result<Option<(String, bool)>> {
    let found = query("SELECT password_hash, is_admin FROM users WHERE username = $1 AND disabled_at_ms IS NULL");
    let row = db.fetch_optional(found.bind(username)).await?;
    row.map(|row| Ok((row.get(0)?, row.get(1)?))).transpose()
}

pub(crate) async fn exists(tx: &mut Tx, username: &str) -> Result<bool> {
    let found = query("SELECT username FROM users WHERE username = $1 AND disabled_at_ms IS NULL");
    Ok(tx.fetch_optional(found.bind(username)).await?.is_some())
}

/// Locks a user until the transaction ends; answers whether they may sign in.
pub(crate) async fn hold(tx: &mut Tx, username: &str) -> Result<bool> {
    // An update that changes nothing is the row lock that both databases know.
    let lock = query("UPDATE users SET disabled_at_ms = NULL WHERE username = $1 AND disabled_at_ms IS NULL");
    Ok(tx.execute(lock.bind(username)).await? == 1)
}

/// All who may sign in, by name.
pub(crate) async fn list(db: &Db) -> Result<Vec<User>> {
    let all =
        query("SELECT username, is_admin, created_at_ms FROM users WHERE disabled_at_ms IS NULL ORDER BY username");
    let rows = db.fetch_all(all).await?;
    rows.iter()
        .map(|row| Ok(User { username: row.get(0)?, is_admin: row.get(1)?, created_at_ms: row.get(2)? }))
        .collect()
}

/// Answers whether the name was free.
pub(crate) async fn insert(tx: &mut Tx, user: &User, password_hash: &str) -> Result<bool> {
    let User { username, is_admin, created_at_ms } = user;
    let insert = query(
        "INSERT INTO users (username, password_hash, is_admin, created_at_ms) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (username) DO NOTHING",
    );
    let inserted = tx.execute(insert.bind(username).bind(password_hash).bind(*is_admin).bind(*created_at_ms)).await?;
    Ok(inserted == 1)
}

/// Makes the first administrator, or makes a user of that name one; answers whether it was not one already.
pub(crate) async fn insert_first_admin(
    tx: &mut Tx,
    username: &str,
    password_hash: &str,
    created_at_ms: i64,
) -> Result<bool> {
    let insert = query(
        "INSERT INTO users (username, password_hash, is_admin, created_at_ms) VALUES ($1, $2, TRUE, $3) \
         ON CONFLICT (username) DO UPDATE SET \
           password_hash = excluded.password_hash, is_admin = TRUE, disabled_at_ms = NULL \
         WHERE users.is_admin = FALSE OR users.disabled_at_ms IS NOT NULL",
    );
    Ok(tx.execute(insert.bind(username).bind(password_hash).bind(created_at_ms)).await? == 1)
}

/// Locks all administrators until the transaction ends, and names them.
pub(crate) async fn lock_admins(tx: &mut Tx) -> Result<Vec<String>> {
    // An update that changes nothing is the row lock that both databases know.
    let lock =
        query("UPDATE users SET is_admin = TRUE WHERE is_admin = TRUE AND disabled_at_ms IS NULL RETURNING username");
    tx.fetch_all(lock).await?.iter().map(|row| row.get(0)).collect()
}

/// Ends a user; answers whether there was one.
pub(crate) async fn disable(tx: &mut Tx, username: &str, now_ms: i64) -> Result<bool> {
    let disable = query(
        "UPDATE users SET disabled_at_ms = $2, password_hash = '', is_admin = FALSE \
         WHERE username = $1 AND disabled_at_ms IS NULL",
    );
    Ok(tx.execute(disable.bind(username).bind(now_ms)).await? == 1)
}

/// Answers whether the password was still the one before.
pub(crate) async fn set_password(tx: &mut Tx, username: &str, before_hash: &str, password_hash: &str) -> Result<bool> {
    let set = query(
        "UPDATE users SET password_hash = $3 WHERE username = $1 AND password_hash = $2 AND disabled_at_ms IS NULL",
    );
    Ok(tx.execute(set.bind(username).bind(before_hash).bind(password_hash)).await? == 1)
}
