//! Verifying the chain: recompute every hash, and name the first event that is not what was sealed.

use lathe_core::Result;

use super::hash::{self, GENESIS, Hash};
use super::read::{EventRecord, select, with_edges};
use crate::{Db, Row, query};

/// What a verification found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verification {
    /// Sealed events that were checked.
    pub events: u64,
    /// Batches that were checked.
    pub batches: u64,
    /// Events that are committed and not sealed yet.
    pub unsealed: u64,
    /// The head of the chain, hex. Kept outside the database, it proves that nothing before it was rewritten.
    pub head: String,
    /// The first break, if any.
    pub first_broken: Option<Break>,
}

/// Where the chain breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Break {
    /// The position of the first event that is not as sealed.
    pub position: i64,
    /// Its id, when an event stands at that position at all.
    pub event_id: Option<String>,
    /// What is wrong, for a person.
    pub reason: String,
}

impl Break {
    fn new(position: i64, event: Option<&EventRecord>, reason: &str) -> Self {
        Self { position, event_id: event.map(|event| event.id.to_string()), reason: reason.to_owned() }
    }
}

struct Seal {
    batch: i64,
    first_position: i64,
    last_position: i64,
    leaves: Vec<Hash>,
    root: Option<Hash>,
    previous: Option<Hash>,
    head: Option<Hash>,
}

/// The end of the chain as it stands; nothing is recomputed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The last sealed position, which is the number of sealed events.
    pub position: i64,
    /// Events that are committed and not sealed yet.
    pub unsealed: u64,
    /// The head of the chain, hex.
    pub head: String,
}

/// Reads the end of the chain.
///
/// # Errors
/// What the database answers.
pub async fn head(db: &Db) -> Result<Head> {
    let unsealed = count_unsealed(db).await?;
    let last = db.fetch_optional(query("SELECT last_position, head FROM seals ORDER BY batch DESC LIMIT 1")).await?;
    match last {
        Some(row) => Ok(Head { position: row.get(0)?, unsealed, head: hex::encode(row.get::<Vec<u8>>(1)?) }),
        None => Ok(Head { position: 0, unsealed, head: hex::encode(GENESIS) }),
    }
}

async fn count_unsealed(db: &Db) -> Result<u64> {
    let unsealed: i64 = db.fetch_one(query("SELECT COUNT(*) FROM events WHERE position IS NULL")).await?.get(0)?;
    Ok(u64::try_from(unsealed).unwrap_or_default())
}

/// Checks the whole chain of all projects, batch by batch, in constant memory.
///
/// A rewrite of the *newest* events together with their seals cannot be told from the truth by looking at the database
/// alone: compare [`Verification::head`] with one noted earlier.
///
/// # Errors
/// What the database answers; a break is not an error but a finding.
pub async fn verify(db: &Db) -> Result<Verification> {
    let mut found = Verification {
        events: 0,
        batches: 0,
        unsealed: count_unsealed(db).await?,
        head: hex::encode(GENESIS),
        first_broken: None,
    };
    let (mut head, mut position) = (GENESIS, 0);
    while let Some(row) = next_seal(db, found.batches).await? {
        let seal = read_seal(&row)?;
        let mut q = select();
        q.push(" AND position >= ").push_bind(seal.first_position);
        q.push(" AND position <= ").push_bind(seal.last_position).push(" ORDER BY position");
        let events = with_edges(db, db.fetch_all(q).await?).await?;
        found.events += events.len() as u64;
        found.batches += 1;
        if let Some(broken) = check_batch(&seal, found.batches, position, &head, &events) {
            found.first_broken = Some(broken);
            return Ok(found);
        }
        position = seal.last_position;
        head = seal.head.unwrap_or(GENESIS);
        found.head = hex::encode(head);
    }
    let stray = db
        .fetch_optional(
            query(
                // Events that were sealed while this ran have a seal; a stray has none.
                "SELECT position, id FROM events WHERE position > $1 AND NOT EXISTS (SELECT 1 FROM seals s \
                 WHERE s.first_position <= events.position AND s.last_position >= events.position) ORDER BY position LIMIT 1",
            )
            .bind(position),
        )
        .await?;
    if let Some(row) = stray {
        found.first_broken = Some(Break {
            position: row.get(0)?,
            event_id: Some(row.get(1)?),
            reason: "the event has a position but no seal".to_owned(),
        });
    }
    Ok(found)
}

async fn next_seal(db: &Db, after_batches: u64) -> Result<Option<Row>> {
    db.fetch_optional(
        query("SELECT batch, first_position, last_position, leaves, root, previous, head FROM seals WHERE batch > $1 ORDER BY batch LIMIT 1")
            .bind(i64::try_from(after_batches).unwrap_or(i64::MAX)),
    )
    .await
}

fn read_seal(row: &Row) -> Result<Seal> {
    let leaves: Vec<u8> = row.get(3)?;
    let hash_at = |column: usize| -> Result<Option<Hash>> {
        let bytes: Vec<u8> = row.get(column)?;
        Ok(hash::from_bytes(&bytes))
    };
    Ok(Seal {
        batch: row.get(0)?,
        first_position: row.get(1)?,
        last_position: row.get(2)?,
        leaves: leaves.chunks(32).filter_map(hash::from_bytes).collect(),
        root: hash_at(4)?,
        previous: hash_at(5)?,
        head: hash_at(6)?,
    })
}

fn check_batch(
    seal: &Seal,
    expected_batch: u64,
    last_position: i64,
    previous: &Hash,
    events: &[EventRecord],
) -> Option<Break> {
    let first = seal.first_position;
    if u64::try_from(seal.batch).ok() != Some(expected_batch) || first != last_position + 1 {
        return Some(Break::new(last_position + 1, None, "the seal of this position is missing"));
    }
    for (index, position) in (first..=seal.last_position).enumerate() {
        let event = events.iter().find(|event| event.position == Some(position));
        let Some(event) = event else {
            return Some(Break::new(position, None, "the event is missing"));
        };
        let leaf = hash::leaf(event);
        // The stored hash is shown with the event: a false one must not stand beside a sound seal.
        if seal.leaves.get(index) != Some(&leaf) || event.hash != leaf {
            return Some(Break::new(position, Some(event), "the event was changed after it was sealed"));
        }
    }
    let root = hash::root(&seal.leaves);
    let head = hash::head(previous, seal.batch, first, seal.last_position, &root);
    let is_sound = seal.root == Some(root) && seal.previous == Some(*previous) && seal.head == Some(head);
    (!is_sound).then(|| Break::new(first, events.first(), "the seal of the batch that starts here was changed"))
}
