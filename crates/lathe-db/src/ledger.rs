//! The ledger: every change is an event, written in the change's own transaction, then sealed into a chain of hashes.
//!
//! - [`record`] (through [`crate::Tx::record`]) writes an event and its edges; it has no position yet.
//! - The [`sealer`] gives committed events their position, in batches chained by hash.
//! - [`list`] and [`follow`] read. **Invariant:** they see sealed events only, so none of them can miss an event whose transaction
//!   committed late. Who must find what was just done calls [`sealer::await_sealed`] first. [`lineage`] is followed by nobody's position,
//!   and sees edges as they are committed.
//! - [`verify`] recomputes everything and names the first broken event.

mod hash;
pub mod lineage;
mod read;
pub mod sealer;
mod verify;

use lathe_core::{Ctx, Event, EventId, Name, Result};

pub use read::{EventFilter, EventRecord, follow, follow_all, list, sealed_position, subscribe};
pub use verify::{Break, Head, Verification, head, verify};

use crate::{Db, Migration, Query, Schema, Tx, Value, query};

/// The ledger's tables, and those of [`crate::lease`] and [`crate::once`].
pub const SCHEMA: Schema = Schema { room: "ledger", migrations: &[FIRST, INDEXES_OF_SEALED_EVENTS, CHANGES_MADE_ONCE] };

const FIRST: Migration = Migration {
    version: 1,
    statements: &[
        "CREATE TABLE events (
            id {text} NOT NULL PRIMARY KEY, project {text} NOT NULL, at_ms BIGINT NOT NULL,
            actor_kind {text} NOT NULL, actor_name {text} NOT NULL, action {text} NOT NULL, subject {text} NOT NULL,
            request_id {text} NOT NULL, detail {text} NOT NULL, hash {bytes} NOT NULL, position BIGINT
        ) {clustered}",
        "CREATE UNIQUE INDEX events_by_position ON events (position)",
        "CREATE INDEX events_by_project ON events (project, position)",
        "CREATE INDEX events_by_subject ON events (subject, position)",
        "CREATE INDEX events_unsealed ON events (id) WHERE position IS NULL",
        "CREATE TABLE edges (
            event_id {text} NOT NULL, ordinal BIGINT NOT NULL, project {text} NOT NULL,
            from_name {text} NOT NULL, to_name {text} NOT NULL, kind {text} NOT NULL,
            PRIMARY KEY (event_id, ordinal)
        ) {clustered}",
        "CREATE INDEX edges_by_from ON edges (from_name)",
        "CREATE INDEX edges_by_to ON edges (to_name)",
        "CREATE TABLE seals (
            batch BIGINT NOT NULL PRIMARY KEY, first_position BIGINT NOT NULL, last_position BIGINT NOT NULL,
            leaves {bytes} NOT NULL, root {bytes} NOT NULL, previous {bytes} NOT NULL, head {bytes} NOT NULL,
            sealed_at_ms BIGINT NOT NULL
        )",
        "CREATE TABLE leases (
            name {text} NOT NULL PRIMARY KEY, holder {text} NOT NULL, fence BIGINT NOT NULL, expires_at_ms BIGINT NOT NULL
        )",
    ],
};

/// An event has no position until it is sealed, and is found by its position only then: an index that leaves the others out
/// is written once for each event instead of twice, and in batches.
const INDEXES_OF_SEALED_EVENTS: Migration = Migration {
    version: 2,
    statements: &[
        "DROP INDEX events_by_position",
        "DROP INDEX events_by_project",
        "DROP INDEX events_by_subject",
        "CREATE UNIQUE INDEX events_by_position ON events (position) WHERE position IS NOT NULL",
        "CREATE INDEX events_by_project ON events (project, position) WHERE position IS NOT NULL",
        "CREATE INDEX events_by_subject ON events (subject, position) WHERE position IS NOT NULL",
    ],
};

const CHANGES_MADE_ONCE: Migration = Migration {
    version: 3,
    statements: &["CREATE TABLE made_once (
        project {text} NOT NULL, once_key {text} NOT NULL, made {text} NOT NULL, at_ms BIGINT NOT NULL,
        PRIMARY KEY (project, once_key)
    ) {clustered}"],
};

/// Whether an edge was recorded, as the transaction sees it: also of an event that is not sealed yet.
///
/// # Errors
/// What the database answers.
pub async fn has_edge(tx: &mut Tx, from: &Name, to: &Name, kind: &str) -> Result<bool> {
    Ok(tx.fetch_optional(select_edge(from, to, kind)).await?.is_some())
}

/// Whether an edge is recorded: for who looks before it begins a transaction, in which [`has_edge`] decides.
///
/// # Errors
/// What the database answers.
pub async fn is_edge_known(db: &Db, from: &Name, to: &Name, kind: &str) -> Result<bool> {
    Ok(db.fetch_optional(select_edge(from, to, kind)).await?.is_some())
}

fn select_edge(from: &Name, to: &Name, kind: &str) -> Query {
    let select = query("SELECT 1 FROM edges WHERE to_name = $1 AND from_name = $2 AND kind = $3 LIMIT 1");
    select.bind(to.as_str()).bind(from.as_str()).bind(kind)
}

pub(crate) async fn record(tx: &mut Tx, ctx: &Ctx, event: Event) -> Result<()> {
    let Event { action, subject, detail, edges } = event;
    let record = EventRecord {
        id: EventId::generate(),
        project: ctx.project.clone(),
        at_ms: ctx.now_ms(),
        actor: ctx.actor.clone(),
        action: action.to_owned(),
        subject,
        request_id: ctx.request_id.clone(),
        detail: detail.to_string(),
        edges,
        position: None,
        hash: Vec::new(),
    };
    let hash = hash::leaf(&record);
    tx.execute(
        query(
            "INSERT INTO events (id, project, at_ms, actor_kind, actor_name, action, subject, request_id, detail, hash) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        )
        .bind(record.id.as_str())
        .bind(record.project.as_str())
        .bind(record.at_ms)
        .bind(record.actor.kind.as_str())
        .bind(record.actor.name.as_str())
        .bind(record.action.as_str())
        .bind(record.subject.as_str())
        .bind(record.request_id.as_str())
        .bind(record.detail.as_str())
        .bind(hash.as_slice()),
    )
    .await?;
    if record.edges.is_empty() {
        return Ok(());
    }
    let mut insert = query("INSERT INTO edges (event_id, ordinal, project, from_name, to_name, kind) VALUES ");
    insert.push_rows((0_i64..).zip(&record.edges).map(|(ordinal, edge)| {
        [
            Value::from(record.id.as_str()),
            Value::from(ordinal),
            Value::from(record.project.as_str()),
            Value::from(edge.from.as_str()),
            Value::from(edge.to.as_str()),
            Value::from(edge.kind.as_str()),
        ]
    }));
    tx.execute(insert).await.map(|_| ())
}
