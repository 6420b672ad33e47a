//! One transaction: the only way to change anything.

use futures::stream::BoxStream;
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _};
use lathe_core::{Ctx, Error, Event, Result};
use sqlx::Postgres;
use sqlx::pool::PoolConnection;

use crate::convert::error;
use crate::sqlite::{Reader, Sqlite};
use crate::{DbKind, Query, Row, query};

/// The connection a statement runs on.
#[derive(Debug)]
pub(crate) enum Connection {
    /// The writer's: statements run where they are asked for.
    Sqlite(Sqlite),
    SqliteReader(Reader),
    Postgres(PoolConnection<Postgres>),
}

// What is awaited of PostgreSQL is boxed: these futures are large, and each request would carry their room also on SQLite.
impl Connection {
    pub(crate) async fn execute(&mut self, query: Query) -> Result<u64> {
        match self {
            Connection::Sqlite(connection) => connection.execute(&query),
            Connection::SqliteReader(reader) => reader.run(move |connection| connection.execute(&query)).await,
            Connection::Postgres(connection) => {
                let (sql, arguments) = query.into_postgres()?;
                let done = sqlx::query_with(sql, arguments).execute(&mut **connection).boxed().await.map_err(error)?;
                Ok(done.rows_affected())
            }
        }
    }

    pub(crate) async fn fetch_all(&mut self, query: Query) -> Result<Vec<Row>> {
        match self {
            Connection::Sqlite(connection) => connection.fetch_all(&query),
            Connection::SqliteReader(reader) => reader.run(move |connection| connection.fetch_all(&query)).await,
            Connection::Postgres(connection) => {
                let (sql, arguments) = query.into_postgres()?;
                let rows =
                    sqlx::query_with(sql, arguments).fetch_all(&mut **connection).boxed().await.map_err(error)?;
                Ok(rows.into_iter().map(Row::Postgres).collect())
            }
        }
    }

    pub(crate) async fn fetch_optional(&mut self, query: Query) -> Result<Option<Row>> {
        match self {
            Connection::Sqlite(connection) => connection.fetch_optional(&query),
            Connection::SqliteReader(reader) => reader.run(move |connection| connection.fetch_optional(&query)).await,
            Connection::Postgres(connection) => {
                let (sql, arguments) = query.into_postgres()?;
                let row =
                    sqlx::query_with(sql, arguments).fetch_optional(&mut **connection).boxed().await.map_err(error)?;
                Ok(row.map(Row::Postgres))
            }
        }
    }

    /// The rows one by one, for answers that do not fit into memory.
    pub(crate) fn stream(&mut self, query: Query) -> Result<BoxStream<'_, Result<Row>>> {
        Ok(match self {
            // Only backups stream, and they read.
            Connection::Sqlite(_) => return Err(Error::internal("the writer's connection cannot stream")),
            Connection::SqliteReader(reader) => reader.stream(query),
            Connection::Postgres(connection) => {
                let (sql, arguments) = query.into_postgres()?;
                sqlx::query_with(sql, arguments).fetch(&mut **connection).map_ok(Row::Postgres).map_err(error).boxed()
            }
        })
    }

    /// Closes the connection when this value is dropped, instead of giving it back to the pool.
    pub(crate) fn close_on_drop(&mut self) {
        match self {
            Connection::Sqlite(_) => {}
            Connection::SqliteReader(reader) => reader.close_on_drop(),
            Connection::Postgres(connection) => connection.close_on_drop(),
        }
    }
}

/// An open transaction, given to the closure of [`crate::Db::write`].
#[derive(Debug)]
pub struct Tx {
    pub(crate) connection: Connection,
    pub(crate) has_events: bool,
    /// The first failed statement. PostgreSQL then refuses to commit; SQLite must not be laxer.
    pub(crate) failure: Option<Error>,
    /// While set, no statement runs: there is no transaction to run it in.
    pub(crate) refusal: Option<Error>,
}

impl Tx {
    pub(crate) fn new(connection: Connection) -> Self {
        Self { connection, has_events: false, failure: None, refusal: None }
    }

    /// Which database this is, for the few statements that differ.
    pub fn kind(&self) -> DbKind {
        match self.connection {
            Connection::Postgres(_) => DbKind::Postgres,
            Connection::Sqlite(_) | Connection::SqliteReader(_) => DbKind::Sqlite,
        }
    }

    /// Runs a statement; answers how many rows it changed.
    ///
    /// # Errors
    /// `AlreadyExists` on a unique violation, `Unavailable`, `OutOfSpace`, or `Internal`.
    pub async fn execute(&mut self, query: Query) -> Result<u64> {
        self.check_open()?;
        let result = self.connection.execute(query).await;
        self.note_failure(result)
    }

    fn check_open(&self) -> Result<()> {
        self.refusal.as_ref().map_or(Ok(()), |error| Err(error.duplicate()))
    }

    /// The failure that the work met and did not pass on, if any: such work may not be committed.
    pub(crate) fn ignored_failure<T>(&self, result: Result<T>) -> Result<T> {
        match (&self.failure, result) {
            (Some(failure), Ok(_)) => {
                Err(Error::internal("a write went on after a failed statement").with_context(failure.log_line()))
            }
            (_, result) => result,
        }
    }

    fn note_failure<T>(&mut self, result: Result<T>) -> Result<T> {
        if let Err(error) = &result
            && self.failure.is_none()
        {
            self.failure = Some(error.duplicate());
        }
        result
    }

    /// All rows.
    ///
    /// # Errors
    /// As [`Tx::execute`].
    pub async fn fetch_all(&mut self, query: Query) -> Result<Vec<Row>> {
        self.check_open()?;
        let result = self.connection.fetch_all(query).await;
        self.note_failure(result)
    }

    /// The first row, if there is one.
    ///
    /// # Errors
    /// As [`Tx::execute`].
    pub async fn fetch_optional(&mut self, query: Query) -> Result<Option<Row>> {
        self.check_open()?;
        let result = self.connection.fetch_optional(query).await;
        self.note_failure(result)
    }

    /// The row of a query that always has one, such as a count.
    ///
    /// # Errors
    /// As [`Tx::execute`]; `Internal` when there is none.
    pub async fn fetch_one(&mut self, query: Query) -> Result<Row> {
        self.fetch_optional(query).await?.ok_or_else(|| Error::internal("a query that must have a row had none"))
    }

    /// Keeps whoever else holds the same name waiting until this transaction ends: for what has no row that could be held.
    ///
    /// # Errors
    /// As [`Tx::execute`].
    pub async fn hold(&mut self, name: &str) -> Result<()> {
        // SQLite has one writer.
        if self.kind() == DbKind::Postgres {
            self.execute(query("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))").bind(name)).await?;
        }
        Ok(())
    }

    /// Records an event, with its edges, in this transaction.
    ///
    /// # Errors
    /// As [`Tx::execute`].
    pub async fn record(&mut self, ctx: &Ctx, event: Event) -> Result<()> {
        self.has_events = true;
        crate::ledger::record(self, ctx, event).await
    }
}
