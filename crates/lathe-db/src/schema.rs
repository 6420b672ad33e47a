//! Schemas and their upgrades. Each room owns its tables; this module runs the steps in order, once.

use std::collections::BTreeMap;

use futures::FutureExt as _;
use lathe_core::{Error, Result};

use crate::{Db, DbKind, Query, Tx, query};

/// One step from a released schema to the next. Never changed after release; a new one is added instead.
#[derive(Debug, Clone, Copy)]
pub struct Migration {
    /// 1, 2, 3, … within the room.
    pub version: i64,
    /// DDL, one statement each. `{bytes}`, `{text}` and `{clustered}` stand for what the two databases spell differently:
    /// a byte string, a text compared by code point, and (after the closing parenthesis) a table stored in key order.
    pub statements: &'static [&'static str],
}

/// A room's tables.
#[derive(Debug, Clone, Copy)]
pub struct Schema {
    /// The room's name.
    pub room: &'static str,
    /// All steps, oldest first.
    pub migrations: &'static [Migration],
}

/// Brings the database up to the given schemas. All steps of one start are one transaction: an upgrade happens or does not.
///
/// # Errors
/// `Conflict` when the database was written by a newer Lathe; otherwise what the database answers.
pub async fn migrate(db: &Db, schemas: &[Schema], now_ms: i64) -> Result<()> {
    let kind = db.kind();
    let schemas = schemas.to_vec();
    db.write(move |tx| async move { migrate_in(tx, kind, &schemas, now_ms).await }.boxed()).await
}

async fn migrate_in(tx: &mut Tx, kind: DbKind, schemas: &[Schema], now_ms: i64) -> Result<()> {
    if kind == DbKind::Postgres {
        // Two servers that start together must not both upgrade. The number is Lathe's own, freely chosen.
        tx.execute(query("SELECT pg_advisory_xact_lock(4400001)")).await?;
    }
    tx.execute(ddl(
        kind,
        "CREATE TABLE IF NOT EXISTS schema_versions (room {text} NOT NULL, version BIGINT NOT NULL, applied_at_ms BIGINT NOT NULL, PRIMARY KEY (room, version)) {clustered}",
    ))
    .await?;
    for schema in schemas {
        let row = tx
            .fetch_one(query("SELECT COALESCE(MAX(version), 0) FROM schema_versions WHERE room = $1").bind(schema.room))
            .await?;
        let current: i64 = row.get(0)?;
        let newest = schema.migrations.last().map_or(0, |migration| migration.version);
        if current > newest {
            return Err(Error::conflict(format!(
                "this database was written by a newer Lathe ({} schema {current}, this binary knows {newest}); start that version or restore a backup",
                schema.room
            )));
        }
        for migration in schema.migrations.iter().filter(|migration| migration.version > current) {
            for statement in migration.statements {
                tx.execute(ddl(kind, statement)).await?;
            }
            tx.execute(
                query("INSERT INTO schema_versions (room, version, applied_at_ms) VALUES ($1, $2, $3)")
                    .bind(schema.room)
                    .bind(migration.version)
                    .bind(now_ms),
            )
            .await?;
        }
    }
    Ok(())
}

fn ddl(kind: DbKind, statement: &'static str) -> Query {
    let [bytes, text, clustered] = match kind {
        DbKind::Sqlite => ["BLOB", "TEXT", "WITHOUT ROWID"],
        DbKind::Postgres => ["BYTEA", "TEXT COLLATE \"C\"", ""],
    };
    Query::from_ddl(statement.replace("{bytes}", bytes).replace("{text}", text).replace("{clustered}", clustered))
}

/// The tables of a database: for each, its columns in order, and its indexes by name. For the parity check.
///
/// # Errors
/// What the database answers.
pub async fn introspect(db: &Db) -> Result<BTreeMap<String, (Vec<String>, Vec<String>)>> {
    let (columns, indexes) = match db.kind() {
        DbKind::Sqlite => (
            query(
                "SELECT m.name, c.name FROM sqlite_schema m JOIN pragma_table_info(m.name) c \
                 WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' ORDER BY m.name, c.cid",
            ),
            query(
                "SELECT tbl_name, name FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL ORDER BY tbl_name, name",
            ),
        ),
        DbKind::Postgres => (
            query(
                "SELECT table_name::text, column_name::text FROM information_schema.columns \
                 WHERE table_schema = current_schema() ORDER BY table_name, ordinal_position",
            ),
            query(
                "SELECT t.relname::text, c.relname::text FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid \
                 JOIN pg_class t ON t.oid = i.indrelid WHERE c.relnamespace = current_schema()::regnamespace \
                 AND NOT EXISTS (SELECT 1 FROM pg_constraint k WHERE k.conindid = i.indexrelid) ORDER BY 1, 2",
            ),
        ),
    };
    let mut tables: BTreeMap<String, (Vec<String>, Vec<String>)> = BTreeMap::new();
    for row in db.fetch_all(columns).await? {
        tables.entry(row.get(0)?).or_default().0.push(row.get(1)?);
    }
    for row in db.fetch_all(indexes).await? {
        tables.entry(row.get(0)?).or_default().1.push(row.get(1)?);
    }
    Ok(tables)
}
