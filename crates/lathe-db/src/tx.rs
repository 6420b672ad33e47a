//! One transaction: the only way to change anything.

use lathe_core::{Ctx, Error, Event, Result};
use sqlx::pool::PoolConnection;
use sqlx::{Postgres, SqliteConnection};

use crate::{DbKind, Query, Row};

/// The connection a statement runs on.
#[derive(Debug)]
pub(crate) enum Connection {
    Sqlite(SqliteConnection),
    SqlitePooled(PoolConnection<sqlx::Sqlite>),
    Postgres(PoolConnection<Postgres>),
}

macro_rules! on_connection {
    ($connection:expr, $query:expr, $method:ident, $row:expr) => {
        match $connection {
            Connection::Sqlite(connection) => {
                let (sql, arguments) = $query.into_sqlite()?;
                sqlx::query_with(sql, arguments)
                    .$method(connection)
                    .await
                    .map_err(crate::convert::error)
                    .map($row(Row::Sqlite))
            }
            Connection::SqlitePooled(connection) => {
                let (sql, arguments) = $query.into_sqlite()?;
                sqlx::query_with(sql, arguments)
                    .$method(&mut **connection)
                    .await
                    .map_err(crate::convert::error)
                    .map($row(Row::Sqlite))
            }
            Connection::Postgres(connection) => {
                let (sql, arguments) = $query.into_postgres()?;
                sqlx::query_with(sql, arguments)
                    .$method(&mut **connection)
                    .await
                    .map_err(crate::convert::error)
                    .map($row(Row::Postgres))
            }
        }
    };
}

fn each<R>(wrap: fn(R) -> Row) -> impl FnOnce(Vec<R>) -> Vec<Row> {
    move |rows| rows.into_iter().map(wrap).collect()
}

fn maybe<R>(wrap: fn(R) -> Row) -> impl FnOnce(Option<R>) -> Option<Row> {
    move |row| row.map(wrap)
}

impl Connection {
    pub(crate) async fn execute(&mut self, query: Query) -> Result<u64> {
        let affected = match self {
            Connection::Sqlite(connection) => {
                let (sql, arguments) = query.into_sqlite()?;
                sqlx::query_with(sql, arguments).execute(connection).await.map(|done| done.rows_affected())
            }
            Connection::SqlitePooled(connection) => {
                let (sql, arguments) = query.into_sqlite()?;
                sqlx::query_with(sql, arguments).execute(&mut **connection).await.map(|done| done.rows_affected())
            }
            Connection::Postgres(connection) => {
                let (sql, arguments) = query.into_postgres()?;
                sqlx::query_with(sql, arguments).execute(&mut **connection).await.map(|done| done.rows_affected())
            }
        };
        affected.map_err(crate::convert::error)
    }

    pub(crate) async fn fetch_all(&mut self, query: Query) -> Result<Vec<Row>> {
        on_connection!(self, query, fetch_all, each)
    }

    pub(crate) async fn fetch_optional(&mut self, query: Query) -> Result<Option<Row>> {
        on_connection!(self, query, fetch_optional, maybe)
    }
}

/// An open transaction, given to the closure of [`crate::Db::write`].
#[derive(Debug)]
pub struct Tx {
    pub(crate) connection: Connection,
    pub(crate) has_events: bool,
}

impl Tx {
    pub(crate) fn new(connection: Connection) -> Self {
        Self { connection, has_events: false }
    }

    /// Which database this is, for the few statements that differ.
    pub fn kind(&self) -> DbKind {
        match self.connection {
            Connection::Postgres(_) => DbKind::Postgres,
            Connection::Sqlite(_) | Connection::SqlitePooled(_) => DbKind::Sqlite,
        }
    }

    /// Runs a statement; answers how many rows it changed.
    ///
    /// # Errors
    /// `AlreadyExists` on a unique violation, `Unavailable`, `OutOfSpace`, or `Internal`.
    pub async fn execute(&mut self, query: Query) -> Result<u64> {
        self.connection.execute(query).await
    }

    /// All rows.
    ///
    /// # Errors
    /// As [`Tx::execute`].
    pub async fn fetch_all(&mut self, query: Query) -> Result<Vec<Row>> {
        self.connection.fetch_all(query).await
    }

    /// The first row, if there is one.
    ///
    /// # Errors
    /// As [`Tx::execute`].
    pub async fn fetch_optional(&mut self, query: Query) -> Result<Option<Row>> {
        self.connection.fetch_optional(query).await
    }

    /// The row of a query that always has one, such as a count.
    ///
    /// # Errors
    /// As [`Tx::execute`]; `Internal` when there is none.
    pub async fn fetch_one(&mut self, query: Query) -> Result<Row> {
        self.fetch_optional(query).await?.ok_or_else(|| Error::internal("a query that must have a row had none"))
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
