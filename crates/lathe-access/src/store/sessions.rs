//! The table `sessions`.

use lathe_core::Result;
use lathe_db::{Tx, query};

pub(crate) struct NewSession {
    pub(crate) secret_hash: Vec<u8>,
    pub(crate) username: String,
    /// The stored password that was checked: the session starts only while it is still that one.
    pub(crate) checked_hash: String,
    pub(crate) created_at_ms: i64,
    pub(crate) expires_at_ms: i64,
}

/// Starts a session and clears away those that have expired; answers whether the user still has the checked password.
pub(crate) async fn insert(tx: &mut Tx, session: &NewSession) -> Result<bool> {
    let NewSession { secret_hash, username, checked_hash, created_at_ms, expires_at_ms } = session;
    tx.execute(query("DELETE FROM sessions WHERE expires_at_ms <= $1").bind(*created_at_ms)).await?;
    let insert = query(
        "INSERT INTO sessions (secret_hash, username, created_at_ms, expires_at_ms) \
         SELECT $1, username, $2, $3 FROM users WHERE username = $4 AND password_hash = $5 AND disabled_at_ms IS NULL",
    );
    let inserted = tx
        .execute(
            insert
                .bind(secret_hash.as_slice())
                .bind(*created_at_ms)
                .bind(*expires_at_ms)
                .bind(username)
                .bind(checked_hash),
        )
        .await?;
    Ok(inserted == 1)
}

pub(crate) async fn delete(tx: &mut Tx, secret_hash: &[u8]) -> Result<()> {
    tx.execute(query("DELETE FROM sessions WHERE secret_hash = $1").bind(secret_hash)).await.map(|_| ())
}

pub(crate) async fn delete_of_user(tx: &mut Tx, username: &str) -> Result<()> {
    tx.execute(query("DELETE FROM sessions WHERE username = $1").bind(username)).await.map(|_| ())
}
