//! Schemas and their upgrades. Each room owns its tables; this module runs the steps in order, once.

use std::collections::BTreeMap;

use futures::FutureExt as _;
use lathe_core::{Error, Result};

use crate::{Db, DbKind, Query, Row, Tx, query};

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

pub(crate) async fn migrate_in(tx: &mut Tx, kind: DbKind, schemas: &[Schema], now_ms: i64) -> Result<()> {
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
    Query::from_schema(statement.replace("{bytes}", bytes).replace("{text}", text).replace("{clustered}", clustered))
}

/// What a column holds: the types that both databases share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnType {
    /// BIGINT.
    Int,
    /// DOUBLE PRECISION.
    Real,
    /// TEXT.
    Text,
    /// BLOB or BYTEA.
    Bytes,
    /// BOOLEAN.
    Bool,
}

impl ColumnType {
    fn parse(declared: &str) -> Result<Self> {
        match declared.to_ascii_uppercase().as_str() {
            "BIGINT" => Ok(Self::Int),
            "DOUBLE PRECISION" => Ok(Self::Real),
            "TEXT" => Ok(Self::Text),
            "BLOB" | "BYTEA" => Ok(Self::Bytes),
            "BOOLEAN" => Ok(Self::Bool),
            other => Err(Error::internal(format!("a column of type {other}, which is not one of the shared types"))),
        }
    }
}

/// A table as the database has it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Table {
    /// Its columns, in order.
    pub columns: Vec<(String, ColumnType)>,
    /// The names of its indexes that are no constraint's.
    pub indexes: Vec<String>,
}

/// The tables of a database, by name.
///
/// # Errors
/// What the database answers; `Internal` for a column of a type that the two databases do not share.
pub async fn introspect(db: &Db) -> Result<BTreeMap<String, Table>> {
    let (columns, indexes) = introspection(db.kind());
    tables(&db.fetch_all(columns).await?, &db.fetch_all(indexes).await?)
}

/// The same, as a transaction sees it.
pub(crate) async fn introspect_in(tx: &mut Tx) -> Result<BTreeMap<String, Table>> {
    let (columns, indexes) = introspection(tx.kind());
    tables(&tx.fetch_all(columns).await?, &tx.fetch_all(indexes).await?)
}

fn introspection(kind: DbKind) -> (Query, Query) {
    match kind {
        DbKind::Sqlite => (
            query(
                "SELECT m.name, c.name, c.type FROM sqlite_schema m JOIN pragma_table_info(m.name) c \
                 WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' ORDER BY m.name, c.cid",
            ),
            query(
                "SELECT tbl_name, name FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL ORDER BY tbl_name, name",
            ),
        ),
        DbKind::Postgres => (
            query(
                "SELECT table_name::text, column_name::text, data_type::text FROM information_schema.columns \
                 WHERE table_schema = current_schema() ORDER BY table_name, ordinal_position",
            ),
            query(
                "SELECT t.relname::text, c.relname::text FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid \
                 JOIN pg_class t ON t.oid = i.indrelid WHERE c.relnamespace = current_schema()::regnamespace \
                 AND NOT EXISTS (SELECT 1 FROM pg_constraint k WHERE k.conindid = i.indexrelid) ORDER BY 1, 2",
            ),
        ),
    }
}

fn tables(columns: &[Row], indexes: &[Row]) -> Result<BTreeMap<String, Table>> {
    let mut tables: BTreeMap<String, Table> = BTreeMap::new();
    for row in columns {
        let column = (row.get(1)?, ColumnType::parse(&row.get::<String>(2)?)?);
        tables.entry(row.get(0)?).or_default().columns.push(column);
    }
    for row in indexes {
        tables.entry(row.get(0)?).or_default().indexes.push(row.get(1)?);
    }
    Ok(tables)
}
