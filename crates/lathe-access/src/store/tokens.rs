//! The table `tokens`. Rows are never removed: `revoked_at_ms` ends a token.

use lathe_core::{Result, TokenId};
use lathe_db::{Db, Query, Row, Tx, query};

use crate::tokens::Token;

const LIVE: &str = "SELECT token_id, kind, name, owner, scope, project, role, created_at_ms, expires_at_ms, last_used_at_ms \
                    FROM tokens WHERE revoked_at_ms IS NULL";

/// Live tokens that satisfy a condition on one bound value, newest first.
fn live(condition: &'static str, value: &str) -> Query {
    let mut live = query(LIVE);
    live.push(condition).push_bind(value).push(" ORDER BY token_id DESC");
    live
}

/// Answers whether the name of a service token was free.
pub(crate) async fn insert(tx: &mut Tx, token: &Token, secret_hash: &[u8]) -> Result<bool> {
    let Token { id, kind, name, owner, scope, project, role, created_at_ms, expires_at_ms, last_used_at_ms: _ } = token;
    let insert = query(
        "INSERT INTO tokens (secret_hash, token_id, kind, name, owner, scope, project, role, created_at_ms, expires_at_ms) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING",
    );
    let insert = insert.bind(secret_hash).bind(id.as_str()).bind(kind).bind(name).bind(owner).bind(scope);
    let insert = insert.bind(project.clone()).bind(role.clone()).bind(*created_at_ms).bind(*expires_at_ms);
    Ok(tx.execute(insert).await? == 1)
}

/// A token that was not revoked.
pub(crate) async fn find(tx: &mut Tx, id: &TokenId) -> Result<Option<Token>> {
    tx.fetch_optional(live(" AND token_id = ", id.as_str())).await?.map(|row| token(&row)).transpose()
}

pub(crate) async fn list_of_owner(db: &Db, owner: &str) -> Result<Vec<Token>> {
    db.fetch_all(live(" AND kind <> 'run' AND owner = ", owner)).await?.iter().map(token).collect()
}

pub(crate) async fn list_all(db: &Db) -> Result<Vec<Token>> {
    let mut all = query(LIVE);
    all.push(" AND kind <> 'run' ORDER BY token_id DESC");
    db.fetch_all(all).await?.iter().map(token).collect()
}

/// Answers whether it was not revoked before.
pub(crate) async fn revoke(tx: &mut Tx, id: &TokenId, now_ms: i64) -> Result<bool> {
    let revoke = query("UPDATE tokens SET revoked_at_ms = $2 WHERE token_id = $1 AND revoked_at_ms IS NULL");
    Ok(tx.execute(revoke.bind(id.as_str()).bind(now_ms)).await? == 1)
}

/// Moves the end of a token; answers whether it was not revoked.
pub(crate) async fn set_expiry(tx: &mut Tx, id: &TokenId, expires_at_ms: i64) -> Result<bool> {
    let renew = query("UPDATE tokens SET expires_at_ms = $2 WHERE token_id = $1 AND revoked_at_ms IS NULL");
    Ok(tx.execute(renew.bind(id.as_str()).bind(expires_at_ms)).await? == 1)
}

/// Locks whose credentials made a run, until the transaction ends, and answers until when the run's own hold; `None` when they have ended.
pub(crate) async fn hold_run(tx: &mut Tx, run: &str, now_ms: i64) -> Result<Option<i64>> {
    // An update that changes nothing is the row lock that both databases know: a removal waits, and then sees what is made here.
    let lock = query(
        "WITH RECURSIVE makers(maker) AS (SELECT owner FROM tokens WHERE kind = 'run' AND name = $1 UNION \
         SELECT made.owner FROM tokens made JOIN makers ON made.name = makers.maker WHERE made.kind = 'run') \
         UPDATE users SET disabled_at_ms = NULL WHERE disabled_at_ms IS NULL AND username IN (SELECT maker FROM makers)",
    );
    tx.execute(lock.bind(run)).await?;
    let until = query(
        "SELECT MAX(expires_at_ms) FROM tokens \
         WHERE kind = 'run' AND name = $1 AND revoked_at_ms IS NULL AND expires_at_ms > $2",
    );
    tx.fetch_one(until.bind(run).bind(now_ms)).await?.get(0)
}

/// Revokes a user's personal tokens, the credentials of runs that the user made, and those that such runs made; answers how many.
pub(crate) async fn revoke_of_user(tx: &mut Tx, username: &str, now_ms: i64) -> Result<u64> {
    let revoke = query(
        "WITH RECURSIVE makers(maker) AS (SELECT username FROM users WHERE username = $1 UNION \
         SELECT made.name FROM tokens made JOIN makers ON made.owner = makers.maker WHERE made.kind = 'run') \
         UPDATE tokens SET revoked_at_ms = $2 WHERE revoked_at_ms IS NULL AND kind IN ('personal', 'run') \
         AND owner IN (SELECT maker FROM makers)",
    );
    tx.execute(revoke.bind(username).bind(now_ms)).await
}

/// Notes that a token was used, unless that was noted less than `interval_ms` before.
pub(crate) async fn note_use(tx: &mut Tx, id: &TokenId, now_ms: i64, interval_ms: i64) -> Result<()> {
    let note = query(
        "UPDATE tokens SET last_used_at_ms = $2 \
         WHERE token_id = $1 AND (last_used_at_ms IS NULL OR last_used_at_ms <= $3)",
    );
    tx.execute(note.bind(id.as_str()).bind(now_ms).bind(now_ms - interval_ms)).await.map(|_| ())
}

/// Reads a token from a row with its columns, among others.
pub(crate) fn token(row: &Row) -> Result<Token> {
    Ok(Token {
        id: TokenId::from_trusted(row.get("token_id")?),
        kind: row.get("kind")?,
        name: row.get("name")?,
        owner: row.get("owner")?,
        scope: row.get("scope")?,
        project: row.get("project")?,
        role: row.get("role")?,
        created_at_ms: row.get("created_at_ms")?,
        expires_at_ms: row.get("expires_at_ms")?,
        last_used_at_ms: row.get("last_used_at_ms")?,
    })
}
