//! The whole database as one portable text: what `lathe backup` writes and `lathe restore` reads, on either database.
//!
//! JSON lines: a [`Header`], for each table a `{"table": …, "columns": […]}` followed by its rows as arrays, and an end line
//! that tells a complete file from a cut one. Bytes are base64; infinities, which JSON lacks, are texts. Because the text
//! knows no database, a backup of SQLite restores into PostgreSQL and back.

use std::collections::BTreeMap;
use std::io::{BufRead, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use futures::{FutureExt as _, TryStreamExt as _};
use lathe_core::{Code, Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::schema::{ColumnType, Table, introspect_in, migrate_in};
use crate::tx::Connection;
use crate::{Db, DbKind, Query, Row, Schema, Tx, Value, introspect, query};

/// The version of the format; a reader refuses a newer one.
const FORMAT: u32 = 1;
/// Made by the migrations themselves.
const SCHEMA_VERSIONS: &str = "schema_versions";
/// Who works now says nothing about the copy: a backup would carry the lease that keeps its own objects.
const LEASES: &str = "leases";
const ROWS_PER_INSERT: usize = 32;

/// The first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Header {
    lathe_backup: u32,
    /// The schema version of each room.
    rooms: BTreeMap<String, i64>,
}

/// The line before a table's rows.
#[derive(Debug, Serialize, Deserialize)]
struct TableLine {
    table: String,
    columns: Vec<String>,
}

/// The last line.
#[derive(Debug, Serialize, Deserialize)]
struct EndLine {
    end_after_rows: u64,
}

/// Any line that is no row.
#[derive(Debug, Deserialize)]
struct Line {
    table: Option<String>,
    columns: Option<Vec<String>>,
    end_after_rows: Option<u64>,
}

/// What was written or read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Copied {
    /// Tables.
    pub tables: u64,
    /// Rows of all tables.
    pub rows: u64,
    /// The values of the collected column, each once and sorted.
    pub collected: Vec<String>,
}

/// A text column whose values the caller wants to know, as they are in the snapshot that was written.
#[derive(Debug, Clone, Copy)]
pub struct Collect<'a> {
    /// The table.
    pub table: &'a str,
    /// Its column.
    pub column: &'a str,
}

/// Writes every table, as of one moment, while others go on reading and writing.
///
/// # Errors
/// What the database answers; `Internal` when the output cannot be written.
pub async fn dump(db: &Db, out: &mut (dyn Write + Send), collect: &[Collect<'_>]) -> Result<Copied> {
    let tables = introspect(db).await?;
    let mut connection = db.connection().await?;
    // It is inside a transaction from here on: it must not return to the pool if this future is dropped.
    connection.close_on_drop();
    let begin = match db.kind() {
        DbKind::Sqlite => "BEGIN",
        DbKind::Postgres => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
    };
    connection.execute(query(begin)).await?;
    let mut rooms = BTreeMap::new();
    let versions = query("SELECT room, MAX(version) FROM schema_versions GROUP BY room");
    for row in connection.fetch_all(versions).await? {
        rooms.insert(row.get(0)?, row.get(1)?);
    }
    write_line(out, &Header { lathe_backup: FORMAT, rooms })?;

    let mut copied = Copied::default();
    for (name, table) in tables.iter().filter(|(name, _)| ![SCHEMA_VERSIONS, LEASES].contains(&name.as_str())) {
        let columns = table.columns.iter().map(|(column, _)| column.clone()).collect();
        write_line(out, &TableLine { table: name.clone(), columns })?;
        let wanted: Vec<usize> = collect
            .iter()
            .filter(|wanted| wanted.table == name)
            .filter_map(|wanted| table.columns.iter().position(|(column, _)| column == wanted.column))
            .collect();
        copied.tables += 1;
        dump_table(&mut connection, name, table, |cells| {
            copied.rows += 1;
            let texts = wanted.iter().filter_map(|place| cells.get(*place).and_then(Json::as_str));
            copied.collected.extend(texts.map(str::to_owned));
            write_line(out, &cells)
        })
        .await?;
    }
    write_line(out, &EndLine { end_after_rows: copied.rows })?;
    connection.execute(query("ROLLBACK")).await?;
    copied.collected.sort_unstable();
    copied.collected.dedup();
    Ok(copied)
}

async fn dump_table(
    connection: &mut Connection,
    name: &str,
    table: &Table,
    mut write: impl FnMut(Vec<Json>) -> Result<()>,
) -> Result<()> {
    let columns: Vec<&str> = table.columns.iter().map(|(column, _)| column.as_str()).collect();
    let select = Query::from_schema(format!("SELECT {} FROM {name}", columns.join(", ")));
    let mut rows = connection.stream(select)?;
    while let Some(row) = rows.try_next().await? {
        let cells = table.columns.iter().enumerate().map(|(place, (_, kind))| to_json(&row, place, *kind));
        write(cells.collect::<Result<_>>()?)?;
    }
    Ok(())
}

fn to_json(row: &Row, place: usize, kind: ColumnType) -> Result<Json> {
    Ok(match kind {
        ColumnType::Int => row.get::<Option<i64>>(place)?.into(),
        ColumnType::Text => row.get::<Option<String>>(place)?.into(),
        ColumnType::Bool => row.get::<Option<bool>>(place)?.into(),
        ColumnType::Bytes => row.get::<Option<Vec<u8>>>(place)?.map(|bytes| BASE64.encode(bytes)).into(),
        ColumnType::Real => match row.get::<Option<f64>>(place)? {
            Some(value) if !value.is_finite() => value.to_string().into(),
            value => value.into(),
        },
    })
}

fn from_json(cell: Json, kind: ColumnType) -> Option<Value> {
    let is_null = cell.is_null();
    let value = match kind {
        ColumnType::Int => Value::Int(cell.as_i64()),
        ColumnType::Bool => Value::Bool(cell.as_bool()),
        ColumnType::Real => Value::Real(match &cell {
            Json::String(text) => text.parse().ok(),
            other => other.as_f64(),
        }),
        ColumnType::Bytes => Value::Bytes(cell.as_str().and_then(|text| BASE64.decode(text).ok())),
        ColumnType::Text => Value::Text(match cell {
            Json::String(text) => Some(text),
            _ => None,
        }),
    };
    let is_absent = matches!(
        value,
        Value::Int(None) | Value::Bool(None) | Value::Real(None) | Value::Bytes(None) | Value::Text(None)
    );
    (is_absent == is_null).then_some(value)
}

/// Reasons that earlier versions stored in `SQLite` may hold a NUL, which no text of `PostgreSQL` does.
fn without_nul(value: Value) -> Value {
    match value {
        Value::Text(Some(text)) if text.contains('\0') => Value::Text(Some(text.replace('\0', "\\u{0}"))),
        other => other,
    }
}

fn write_line(out: &mut (dyn Write + Send), line: &impl Serialize) -> Result<()> {
    let write = |out: &mut (dyn Write + Send)| -> std::io::Result<()> {
        serde_json::to_writer(&mut *out, line)?;
        out.write_all(b"\n")
    };
    write(out).map_err(|error| Error::internal("the backup cannot be written").with_source(error))
}

/// Fills an empty database, all or nothing, with the schema of the backup; `migrate` then brings it up to date.
///
/// # Errors
/// `Conflict` when the database is not empty or the backup is a newer Lathe's, `InvalidArgument` when the text is no complete
/// backup: then the database stays empty.
pub async fn load(
    db: &Db,
    schemas: &[Schema],
    mut input: impl BufRead + Send + 'static,
    now_ms: i64,
) -> Result<Copied> {
    if !introspect(db).await?.is_empty() {
        return Err(Error::conflict("the database to restore into is not empty")
            .with_hint("name a new data folder with --data-dir, or an empty database with --database-url"));
    }
    let header: Header = read_line(&mut input)?.as_deref().map(parse).transpose()?.ok_or_else(cut)?;
    if header.lathe_backup > FORMAT {
        return Err(newer());
    }
    let at_backup = schemas_at(schemas, &header.rooms)?;
    let kind = db.kind();
    db.write(move |tx| {
        async move {
            migrate_in(tx, kind, &at_backup, now_ms).await?;
            let tables = introspect_in(tx).await?;
            let copied = load_tables(tx, &tables, &mut input).await?;
            // Backups of older versions hold them.
            if tables.contains_key(LEASES) {
                tx.execute(query("DELETE FROM leases")).await?;
            }
            Ok(copied)
        }
        .boxed()
    })
    .await
}

async fn load_tables(tx: &mut Tx, tables: &BTreeMap<String, Table>, input: &mut impl BufRead) -> Result<Copied> {
    let mut copied = Copied::default();
    let mut current: Option<Insert> = None;
    loop {
        let line = read_line(input)?.ok_or_else(cut)?;
        if line.starts_with('[') {
            let insert = current.as_mut().ok_or_else(cut)?;
            insert.add(parse(&line)?)?;
            if insert.rows.len() == ROWS_PER_INSERT {
                insert.run(tx).await?;
            }
            copied.rows += 1;
            continue;
        }
        if let Some(mut insert) = current.take() {
            insert.run(tx).await?;
        }
        let Line { table, columns, end_after_rows } = parse(&line)?;
        if let Some(rows) = end_after_rows {
            return if rows == copied.rows { Ok(copied) } else { Err(cut()) };
        }
        let (name, columns) = table.zip(columns).ok_or_else(cut)?;
        current = Some(Insert::new(&name, &columns, tables, tx.kind())?);
        copied.tables += 1;
    }
}

/// Rows of one table on their way in.
struct Insert {
    start: String,
    kinds: Vec<ColumnType>,
    database: DbKind,
    rows: Vec<Vec<Value>>,
}

impl Insert {
    /// Names come from the backup and go into SQL: only those that the schema has.
    fn new(name: &str, columns: &[String], tables: &BTreeMap<String, Table>, database: DbKind) -> Result<Self> {
        let table = tables.get(name).filter(|_| name != SCHEMA_VERSIONS);
        let table = table.ok_or_else(|| Error::invalid(format!("the backup has an unknown table {name:?}")))?;
        let kind = |column: &String| table.columns.iter().find(|(known, _)| known == column).map(|(_, kind)| *kind);
        let kinds = columns.iter().map(kind).collect::<Option<Vec<_>>>().filter(|kinds| !kinds.is_empty());
        let kinds =
            kinds.ok_or_else(|| Error::invalid(format!("the backup's table {name:?} has an unknown column")))?;
        let start = format!("INSERT INTO {name} ({}) VALUES ", columns.join(", "));
        Ok(Self { start, kinds, database, rows: Vec::new() })
    }

    fn add(&mut self, cells: Vec<Json>) -> Result<()> {
        let count = cells.len();
        let database = self.database;
        let values = cells.into_iter().zip(&self.kinds).map(|(cell, kind)| {
            from_json(cell, *kind).map(|value| if database == DbKind::Postgres { without_nul(value) } else { value })
        });
        match values.collect::<Option<Vec<_>>>() {
            Some(values) if count == self.kinds.len() => self.rows.push(values),
            _ => return Err(Error::invalid("a row of the backup does not fit its table; the file was changed")),
        }
        Ok(())
    }

    async fn run(&mut self, tx: &mut Tx) -> Result<()> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let mut insert = Query::from_schema(self.start.clone());
        for (place, row) in self.rows.drain(..).enumerate() {
            if place > 0 {
                insert.push(", ");
            }
            insert.push_list(row);
        }
        tx.execute(insert).await.map(|_| ())
    }
}

fn read_line(input: &mut impl BufRead) -> Result<Option<String>> {
    let mut line = String::new();
    let read = input
        .read_line(&mut line)
        .map_err(|error| Error::invalid("the backup cannot be read as text").with_source(error))?;
    Ok((read > 0).then_some(line))
}

fn parse<'a, T: Deserialize<'a>>(line: &'a str) -> Result<T> {
    serde_json::from_str(line)
        .map_err(|error| Error::invalid("a line of the backup is no line of a backup").with_source(error))
}

fn cut() -> Error {
    Error::invalid("the backup is not complete; its last lines are missing")
}

fn newer() -> Error {
    Error::new(Code::Conflict, "this backup was made by a newer Lathe").with_hint("restore it with that version")
}

/// The schemas as they were when the backup was made.
fn schemas_at(schemas: &[Schema], rooms: &BTreeMap<String, i64>) -> Result<Vec<Schema>> {
    let unknown = rooms.keys().any(|room| schemas.iter().all(|schema| schema.room != room));
    let mut at_backup = Vec::new();
    for schema in schemas {
        let version = rooms.get(schema.room).copied().unwrap_or_default();
        let known = schema.migrations.partition_point(|migration| migration.version <= version);
        let migrations = schema.migrations.get(..known).unwrap_or_default();
        if unknown || migrations.last().map_or(0, |migration| migration.version) < version {
            return Err(newer());
        }
        at_backup.push(Schema { room: schema.room, migrations });
    }
    Ok(at_backup)
}
