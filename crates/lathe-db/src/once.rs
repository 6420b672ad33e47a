//! Changes that are made once, however often they are asked for.
//!
//! Who may have to ask again, because a crash or a lost answer leaves open whether the first time was in vain, names the change
//! ([`Ctx::once`]). The name is stored in the change's own transaction, with what the change came to: either both are there, or neither.

use lathe_core::{Ctx, Result};

use crate::{Db, Query, Tx, query};

/// What the context's change came to when it was made; `None` while it was not, and for a context that names none.
///
/// # Errors
/// What the database answers.
pub async fn find_made(tx: &mut Tx, ctx: &Ctx) -> Result<Option<String>> {
    let Some(key) = &ctx.once else { return Ok(None) };
    tx.fetch_optional(by_key(ctx, key)).await?.map(|row| row.get(0)).transpose()
}

/// The same, of what is committed.
///
/// # Errors
/// What the database answers.
pub async fn look_up(db: &Db, ctx: &Ctx) -> Result<Option<String>> {
    let Some(key) = &ctx.once else { return Ok(None) };
    db.fetch_optional(by_key(ctx, key)).await?.map(|row| row.get(0)).transpose()
}

/// Notes what the context's change came to; nothing for a context that names none.
///
/// # Errors
/// `AlreadyExists` when another transaction made the change meanwhile: this one must not be committed.
pub async fn note_made(tx: &mut Tx, ctx: &Ctx, made: &str) -> Result<()> {
    let Some(key) = &ctx.once else { return Ok(()) };
    let statement = query("INSERT INTO made_once (project, once_key, made, at_ms) VALUES ($1, $2, $3, $4)")
        .bind(ctx.project.as_str())
        .bind(key.as_str())
        .bind(made)
        .bind(ctx.now_ms());
    tx.execute(statement).await.map(|_| ())
}

fn by_key(ctx: &Ctx, key: &str) -> Query {
    query("SELECT made FROM made_once WHERE project = $1 AND once_key = $2").bind(ctx.project.as_str()).bind(key)
}
