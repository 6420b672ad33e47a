//! Leases: which of several servers does a background job. A lease has a fence that grows with every new holder.

use futures::FutureExt as _;
use lathe_core::Result;

use crate::{Db, query};

/// Takes or renews the lease `name` for `holder`; `None` while another holder's has not run out.
///
/// The answer is the fence: work that is stamped with an older fence comes from a holder that lost the lease.
///
/// # Errors
/// What the database answers.
pub async fn acquire(db: &Db, name: &'static str, holder: &str, now_ms: i64, ttl_ms: i64) -> Result<Option<i64>> {
    let holder = holder.to_owned();
    db.write_brief(move |tx| {
        async move {
            let row = tx
                .fetch_optional(
                    query(
                        "INSERT INTO leases (name, holder, fence, expires_at_ms) VALUES ($1, $2, 1, $3) \
                         ON CONFLICT (name) DO UPDATE SET \
                           fence = leases.fence + CASE WHEN leases.holder = excluded.holder THEN 0 ELSE 1 END, \
                           holder = excluded.holder, expires_at_ms = excluded.expires_at_ms \
                         WHERE leases.holder = excluded.holder OR leases.expires_at_ms < $4 \
                         RETURNING fence",
                    )
                    .bind(name)
                    .bind(holder)
                    .bind(now_ms + ttl_ms)
                    .bind(now_ms),
                )
                .await?;
            row.map(|row| row.get(0)).transpose()
        }
        .boxed()
    })
    .await
}
