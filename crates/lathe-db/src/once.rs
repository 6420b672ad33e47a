//! Changes that are made once, however often they are asked for.
//!
//! Who may have to ask again, because a crash or a lost answer leaves open whether the first time was in vain, names the change
//! ([`Ctx::once`]). The name is stored in the change's own transaction, with what the change came to: either both are there, or neither.
//! Who gives such names says when nobody can ask again ([`list_made`], [`forget_made`]).

use lathe_core::{Ctx, Project, Result};

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

/// The name of a change that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MadeName {
    /// The project that it belongs to.
    pub project: Project,
    /// The key of [`Ctx::once`].
    pub key: String,
}

/// Names of changes that were made before a time (milliseconds since 1970), in their order from behind `after` on; at most `limit`.
///
/// # Errors
/// What the database answers.
pub async fn list_made(db: &Db, before_ms: i64, after: Option<&MadeName>, limit: i64) -> Result<Vec<MadeName>> {
    let (project, key) = after.map_or(("", ""), |name| (name.project.as_str(), name.key.as_str()));
    let select = query(
        "SELECT project, once_key FROM made_once WHERE at_ms < $1 AND (project > $2 OR (project = $2 AND once_key > $3)) \
         ORDER BY project, once_key LIMIT $4",
    );
    let rows = db.fetch_all(select.bind(before_ms).bind(project).bind(key).bind(limit)).await?;
    rows.iter().map(|row| Ok(MadeName { project: Project::from_trusted(row.get(0)?), key: row.get(1)? })).collect()
}

/// Forgets that a change was made: asked for again under its name, it would be made again.
///
/// # Errors
/// What the database answers.
pub async fn forget_made(tx: &mut Tx, name: &MadeName) -> Result<()> {
    let statement = query("DELETE FROM made_once WHERE project = $1 AND once_key = $2");
    tx.execute(statement.bind(name.project.as_str()).bind(name.key.as_str())).await.map(|_| ())
}

fn by_key(ctx: &Ctx, key: &str) -> Query {
    query("SELECT made FROM made_once WHERE project = $1 AND once_key = $2").bind(ctx.project.as_str()).bind(key)
}
