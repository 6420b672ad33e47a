//! The sealer: one lease holder gives committed events their position and chains them.

use std::time::Duration;

use futures::FutureExt as _;
use lathe_core::{Clock, Result};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::hash::{self, GENESIS};
use crate::{Db, Tx, Value, lease, query};

/// How many events one batch may hold.
const BATCH_LENGTH: i64 = 500;
/// How long to gather after an event that comes alone: long enough for what is done with it, and nobody notices.
const GATHER: Duration = Duration::from_millis(25);
/// How long to gather while events keep coming: sealing is a write of its own, and takes the writer from those who bring the events.
const GATHER_MANY: Duration = Duration::from_millis(250);
/// How often to look for events of other servers, and of a crash before sealing.
const IDLE: Duration = Duration::from_secs(1);
const LEASE_TTL_MS: i64 = 5_000;
/// How long not to ask again for a lease that another server holds: asking is a write, and readers who wait wake this one often.
const REFUSED_MS: i64 = 500;
/// How long a reader waits for what is committed to be sealed: only a database in trouble, or another server's sealer, needs as much.
const AWAIT_AT_MOST: Duration = Duration::from_secs(5);
/// How often a reader who waits looks at the database although this server sealed nothing: another server may have.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Seals until `stop` becomes true; then seals once more, so that a graceful stop leaves nothing unsealed.
pub async fn run(db: Db, holder: String, clock: Clock, mut stop: watch::Receiver<bool>) {
    let mut lease = Lease::of(holder);
    loop {
        let waits_since = Instant::now();
        let is_awaited = tokio::select! {
            _ = timeout(IDLE, db.events_written().notified()) => false,
            () = db.sealing_awaited().notified() => true,
            _ = stop.wait_for(|is_stopping| *is_stopping) => break,
        };
        if !is_awaited {
            let keep_coming = waits_since.elapsed() < GATHER;
            let gather = if keep_coming { GATHER_MANY } else { GATHER };
            let _either = timeout(gather, db.sealing_awaited().notified()).await;
        }
        if let Err(error) = seal_with(&db, &mut lease, &clock).await {
            tracing::warn!(error = %error.log_line(), "events could not be sealed; trying again");
            sleep(IDLE).await;
        }
    }
    if let Err(error) = seal_with(&db, &mut lease, &clock).await {
        tracing::warn!(error = %error.log_line(), "events are left to be sealed by the next start");
    }
}

/// Seals everything that is committed now, if this holder has or gets the lease; answers how many events it sealed.
///
/// # Errors
/// What the database answers.
pub async fn seal_all(db: &Db, holder: &str, clock: &Clock) -> Result<u64> {
    seal_with(db, &mut Lease::of(holder.to_owned()), clock).await
}

/// Waits until what is committed now is sealed, so that whoever made a change finds it in the ledger at once. Gives up after
/// [`AWAIT_AT_MOST`]: a list that lacks the newest is better than none.
///
/// # Errors
/// What the database answers.
pub async fn await_sealed(db: &Db) -> Result<()> {
    let newest = query("SELECT id FROM events WHERE position IS NULL ORDER BY id DESC LIMIT 1");
    let Some(row) = db.fetch_optional(newest).await? else { return Ok(()) };
    let id: String = row.get(0)?;
    let mut sealed = super::subscribe(db);
    let is_sealed = async {
        loop {
            db.sealing_awaited().notify_one();
            let _either = timeout(LOOK_AGAIN, sealed.changed()).await;
            let unsealed = query("SELECT id FROM events WHERE position IS NULL AND id = $1").bind(id.as_str());
            if db.fetch_optional(unsealed).await?.is_none() {
                return Ok(());
            }
        }
    };
    timeout(AWAIT_AT_MOST, is_sealed).await.unwrap_or(Ok(()))
}

/// The sealer's lease, renewed only when half of it has passed: a renewal is a write.
struct Lease {
    holder: String,
    renew_at_ms: i64,
    /// When it was last asked for in vain.
    refused_at_ms: Option<i64>,
}

impl Lease {
    fn of(holder: String) -> Self {
        Self { holder, renew_at_ms: 0, refused_at_ms: None }
    }

    async fn hold(&mut self, db: &Db, now_ms: i64) -> Result<bool> {
        if now_ms < self.renew_at_ms {
            return Ok(true);
        }
        // A clock that was set back asks at once.
        if self.refused_at_ms.is_some_and(|refused_at_ms| (0..REFUSED_MS).contains(&(now_ms - refused_at_ms))) {
            return Ok(false);
        }
        let is_held = lease::acquire(db, "sealer", &self.holder, now_ms, LEASE_TTL_MS).await?.is_some();
        self.renew_at_ms = if is_held { now_ms + LEASE_TTL_MS / 2 } else { 0 };
        self.refused_at_ms = (!is_held).then_some(now_ms);
        Ok(is_held)
    }
}

async fn seal_with(db: &Db, lease: &mut Lease, clock: &Clock) -> Result<u64> {
    let mut total = 0;
    loop {
        let has_work =
            db.fetch_optional(query("SELECT id FROM events WHERE position IS NULL LIMIT 1")).await?.is_some();
        if !has_work || !lease.hold(db, clock.now_ms()).await? {
            publish(db).await?;
            return Ok(total);
        }
        let now_ms = clock.now_ms();
        total += db.write(move |tx| async move { seal_batch(tx, now_ms).await }.boxed()).await?;
        publish(db).await?;
    }
}

async fn publish(db: &Db) -> Result<()> {
    let position = super::sealed_position(db).await?;
    db.sealed().send_if_modified(|known| std::mem::replace(known, position) != position);
    Ok(())
}

async fn seal_batch(tx: &mut Tx, now_ms: i64) -> Result<u64> {
    let last =
        tx.fetch_optional(query("SELECT batch, last_position, head FROM seals ORDER BY batch DESC LIMIT 1")).await?;
    let (batch, last_position, previous) = match last {
        None => (0, 0, GENESIS),
        Some(row) => {
            let head: Vec<u8> = row.get(2)?;
            (row.get(0)?, row.get(1)?, hash::from_bytes(&head).unwrap_or(GENESIS))
        }
    };
    let rows = tx
        .fetch_all(query("SELECT id, hash FROM events WHERE position IS NULL ORDER BY id LIMIT $1").bind(BATCH_LENGTH))
        .await?;
    if rows.is_empty() {
        return Ok(0);
    }
    let mut positions = Vec::with_capacity(rows.len());
    let mut leaves = Vec::with_capacity(rows.len());
    for (position, row) in (last_position + 1..).zip(&rows) {
        let id: String = row.get(0)?;
        let leaf: Vec<u8> = row.get(1)?;
        positions.push([Value::from(id), Value::from(position)]);
        leaves.push(hash::from_bytes(&leaf).unwrap_or(GENESIS));
    }
    let count = positions.len();
    let mut update = query("WITH sealed (id, position) AS (VALUES ");
    update.push_rows(positions).push(
        ") UPDATE events SET position = (SELECT CAST(sealed.position AS BIGINT) FROM sealed WHERE sealed.id = events.id) \
         WHERE id IN (SELECT id FROM sealed)",
    );
    tx.execute(update).await?;

    let (first_position, last_position) = (last_position + 1, last_position + i64::try_from(count).unwrap_or_default());
    let root = hash::root(&leaves);
    let head = hash::head(&previous, batch + 1, first_position, last_position, &root);
    tx.execute(
        query(
            "INSERT INTO seals (batch, first_position, last_position, leaves, root, previous, head, sealed_at_ms) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(batch + 1)
        .bind(first_position)
        .bind(last_position)
        .bind(leaves.concat())
        .bind(root.as_slice())
        .bind(previous.as_slice())
        .bind(head.as_slice())
        .bind(now_ms),
    )
    .await?;
    Ok(count as u64)
}
