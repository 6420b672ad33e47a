//! Garbage collection: objects that no row names and that nobody touched for a grace period.

use lathe_core::Result;
use lathe_db::{FutureExt as _, Query, query};

use crate::{ObjectHash, Objects, Reference};

/// How long an object stays without a row that names it: longer than any upload takes to be named.
pub const DEFAULT_GRACE_MS: i64 = 24 * 3600 * 1000;

const BATCH: i64 = 500;

/// What a collection did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct GcReport {
    /// Objects deleted.
    pub deleted_objects: u64,
    /// Their bytes.
    pub deleted_bytes: i64,
}

/// Deletes garbage. May be stopped anywhere: the next collection finishes.
///
/// An object is first marked as `deleting` in a transaction that checks again; from then on a put of the same content waits
/// until blob and row are gone, and then writes both anew.
///
/// # Errors
/// What database or object store answer.
pub async fn gc(objects: &Objects, references: &[Reference], grace_ms: i64) -> Result<GcReport> {
    let mut report = GcReport::default();
    loop {
        let touched_before_ms = objects.clock.now_ms() - grace_ms;
        // The outer condition is checked again when PostgreSQL waited for a put that touched the row meanwhile.
        let mut mark = query("UPDATE objects SET state = 'deleting' WHERE state = 'live' AND touched_at_ms < ");
        mark.push_bind(touched_before_ms).push(" AND hash IN (SELECT o.hash FROM objects o WHERE ");
        push_garbage(&mut mark, references, touched_before_ms);
        mark.push(" LIMIT ").push_bind(BATCH).push(")");
        objects.db.write(move |tx| async move { tx.execute(mark).await }.boxed()).await?;
        // Also those that a collection before this one marked and could not finish.
        let rows = objects
            .db
            .fetch_all(query("SELECT hash, size_bytes FROM objects WHERE state = 'deleting' LIMIT $1").bind(BATCH))
            .await?;
        if rows.is_empty() {
            return Ok(report);
        }
        for row in &rows {
            let hash: String = row.get(0)?;
            objects.backend.delete(&ObjectHash::parse(&hash)?).await?;
            objects
                .db
                .write(move |tx| {
                    async move {
                        tx.execute(query("DELETE FROM objects WHERE hash = $1 AND state = 'deleting'").bind(hash)).await
                    }
                    .boxed()
                })
                .await?;
            report.deleted_objects += 1;
            report.deleted_bytes += row.get::<i64>(1)?;
        }
    }
}

fn push_garbage(q: &mut Query, references: &[Reference], touched_before_ms: i64) {
    q.push("o.state = 'live' AND o.touched_at_ms < ").push_bind(touched_before_ms);
    for reference in references {
        q.push(" AND NOT EXISTS (SELECT 1 FROM ")
            .push(reference.table)
            .push(" r WHERE r.")
            .push(reference.column)
            .push(" = o.hash)");
    }
}
