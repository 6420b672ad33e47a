//! Opening either database, reading, and the one way to write.

use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use lathe_core::{Code, Error, Result};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions as _, PgPool};
use tokio::sync::{Notify, oneshot};

use crate::sqlite::{self, Readers, Sqlite};
use crate::tx::Connection;
use crate::writer::{Job, Writer, run_caught};
use crate::{Query, Row, Tx, WriteGate, query};

/// Which database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DbKind {
    /// Embedded; one server per file.
    Sqlite,
    /// Shared; several servers beside each other.
    Postgres,
}

impl DbKind {
    /// The kind as it stands in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            DbKind::Sqlite => "sqlite",
            DbKind::Postgres => "postgres",
        }
    }
}

/// How to open a database.
#[derive(Debug, Clone)]
pub struct DbOptions {
    /// Readers beside the writer (SQLite), or all connections (PostgreSQL).
    pub max_connections: u32,
    /// How long a request may wait for a connection.
    pub acquire_timeout: Duration,
}

impl Default for DbOptions {
    fn default() -> Self {
        Self { max_connections: 8, acquire_timeout: Duration::from_secs(5) }
    }
}

#[derive(Debug)]
enum Pool {
    Sqlite { readers: Readers, writer: Writer },
    Postgres(PgPool),
}

/// The metadata database. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Db(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    pool: Pool,
    gate: WriteGate,
    events_written: Arc<Notify>,
    sealing_awaited: Notify,
    sealed: tokio::sync::watch::Sender<i64>,
}

impl Db {
    /// Opens `sqlite://path` (made when missing) or `postgres://…`.
    ///
    /// # Errors
    /// `InvalidArgument` for another scheme, `Unavailable` when the database does not answer.
    pub async fn open(url: &str, options: &DbOptions) -> Result<Self> {
        let events_written = Arc::new(Notify::new());
        let pool = if url.starts_with("sqlite:") {
            open_sqlite(url, options, events_written.clone()).await?
        } else if url.starts_with("postgres:") || url.starts_with("postgresql:") {
            open_postgres(url, options).await?
        } else {
            return Err(Error::invalid("the database URL must start with sqlite:// or postgres://"));
        };
        let (sealed, _) = tokio::sync::watch::channel(0);
        let sealing_awaited = Notify::new();
        Ok(Self(Arc::new(Inner { pool, gate: WriteGate::default(), events_written, sealing_awaited, sealed })))
    }

    /// Which database this is.
    pub fn kind(&self) -> DbKind {
        match self.0.pool {
            Pool::Sqlite { .. } => DbKind::Sqlite,
            Pool::Postgres(_) => DbKind::Postgres,
        }
    }

    /// The gate that refuses writes while the disk is nearly full.
    pub fn gate(&self) -> &WriteGate {
        &self.0.gate
    }

    /// Wakes when a transaction with events has committed in this process.
    pub(crate) fn events_written(&self) -> &Notify {
        &self.0.events_written
    }

    /// Wakes when a reader waits for committed events to be sealed.
    pub(crate) fn sealing_awaited(&self) -> &Notify {
        &self.0.sealing_awaited
    }

    /// The last sealed position, for readers that follow the ledger.
    pub(crate) fn sealed(&self) -> &tokio::sync::watch::Sender<i64> {
        &self.0.sealed
    }

    pub(crate) async fn connection(&self) -> Result<Connection> {
        match &self.0.pool {
            Pool::Sqlite { readers, .. } => readers.acquire().await.map(Connection::SqliteReader),
            Pool::Postgres(pool) => {
                pool.acquire().boxed().await.map(Connection::Postgres).map_err(crate::convert::error)
            }
        }
    }

    /// All rows of a query.
    ///
    /// # Errors
    /// `Unavailable` when the database does not answer, `Internal` for a fault in the SQL.
    pub async fn fetch_all(&self, query: Query) -> Result<Vec<Row>> {
        self.connection().await?.fetch_all(query).await
    }

    /// The first row, if there is one.
    ///
    /// # Errors
    /// As [`Db::fetch_all`].
    pub async fn fetch_optional(&self, query: Query) -> Result<Option<Row>> {
        self.connection().await?.fetch_optional(query).await
    }

    /// The row of a query that always has one, such as a count.
    ///
    /// # Errors
    /// As [`Db::fetch_all`]; `Internal` when there is none.
    pub async fn fetch_one(&self, query: Query) -> Result<Row> {
        self.fetch_optional(query).await?.ok_or_else(|| Error::internal("a query that must have a row had none"))
    }

    /// Runs `work` in one transaction and answers once it is durable (fsynced).
    ///
    /// On SQLite the transaction may be shared with other callers' work (group commit): a failure rolls back only this work.
    /// A caller that stops waiting does not stop the work. No other connection, network or blob I/O may happen inside.
    ///
    /// # Errors
    /// What `work` answers, or `Unavailable`/`OutOfSpace` when the database cannot take it: then nothing of it is stored.
    pub async fn write<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T>> + Send + 'static,
    {
        self.write_by(work, Writer::submit).await
    }

    /// As [`Db::write`], for a handful of statements on rows that are found by their keys. On SQLite such work is done on the thread
    /// that asks for it when no other write is at work: it must not wait for anything but its statements.
    ///
    /// # Errors
    /// As [`Db::write`].
    pub async fn write_brief<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T>> + Send + 'static,
    {
        self.write_by(work, Writer::submit_brief).await
    }

    async fn write_by<T, F>(&self, work: F, submit: fn(&Writer, Job) -> Result<()>) -> Result<T>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T>> + Send + 'static,
    {
        self.0.gate.check()?;
        match &self.0.pool {
            Pool::Sqlite { writer, .. } => write_sqlite(writer, work, submit).await,
            Pool::Postgres(pool) => self.write_postgres(pool.clone(), work).await,
        }
    }

    async fn write_postgres<T, F>(&self, pool: PgPool, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T>> + Send + 'static,
    {
        let notify = self.0.events_written.clone();
        // A task of its own: a caller that goes away must not leave the connection inside a transaction.
        let task = tokio::spawn(async move {
            let connection = pool.acquire().await.map_err(crate::convert::error)?;
            let mut tx = Tx::new(Connection::Postgres(connection));
            tx.execute(query("BEGIN")).await?;
            match run_caught(work, &mut tx).await {
                Ok(value) => {
                    tx.execute(query("COMMIT")).await?;
                    if tx.has_events {
                        notify.notify_one();
                    }
                    Ok(value)
                }
                Err(error) => {
                    if tx.execute(query("ROLLBACK")).await.is_err()
                        && let Connection::Postgres(connection) = tx.connection
                    {
                        // A connection that cannot roll back must not return to the pool.
                        let _ = connection.detach();
                    }
                    Err(error)
                }
            }
        });
        task.await.map_err(|error| Error::internal("a write task ended early").with_source(error))?
    }

    /// Makes an empty schema in PostgreSQL, for a test or a tenant; the name may only hold `a-z`, `0-9` and `_`.
    ///
    /// # Errors
    /// `InvalidArgument` for another name or on SQLite.
    pub async fn create_postgres_schema(&self, name: &str) -> Result<()> {
        let is_plain = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        if self.kind() != DbKind::Postgres || !is_plain {
            return Err(Error::invalid(format!("cannot make a PostgreSQL schema named {name:?} here")));
        }
        let statement = Query::from_schema(format!("CREATE SCHEMA {name}"));
        self.connection().await?.execute(statement).await.map(|_| ())
    }

    /// Frees what deleted rows of a table leave behind in PostgreSQL, whose scans walk over them until then. It does so by itself, minutes
    /// later. SQLite leaves nothing behind.
    ///
    /// # Errors
    /// What the database answers.
    pub async fn vacuum(&self, table: &'static str) -> Result<()> {
        if self.kind() == DbKind::Postgres {
            // One that is being vacuumed need not be once more.
            let statement = Query::from_schema(format!("VACUUM (SKIP_LOCKED) {table}"));
            self.connection().await?.execute(statement).await?;
        }
        Ok(())
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// `Unavailable` when it does not.
    pub async fn ping(&self) -> Result<()> {
        self.fetch_one(query("SELECT 1")).await.map(|_| ())
    }

    /// Closes all connections; waits for those in use.
    pub async fn close(&self) {
        match &self.0.pool {
            Pool::Sqlite { readers, .. } => readers.close().await,
            Pool::Postgres(pool) => pool.close().await,
        }
    }
}

async fn write_sqlite<T, F>(writer: &Writer, work: F, submit: fn(&Writer, Job) -> Result<()>) -> Result<T>
where
    T: Send + 'static,
    F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T>> + Send + 'static,
{
    let (answer, answered) = oneshot::channel::<Result<T>>();
    let job: Job = Box::new(move |tx| {
        async move {
            let result = run_caught(work, tx).await;
            let is_ok = result.is_ok();
            let acknowledge: crate::writer::Acknowledge = Box::new(move |committed| {
                // Nobody may be waiting any more; the work is done all the same.
                let _ = answer.send(result.and_then(|value| committed.map(|()| value)));
            });
            (is_ok, acknowledge)
        }
        .boxed()
    });
    submit(writer, job)?;
    answered.await.map_err(|_| Error::new(Code::Unavailable, "the server is stopping; try again in a moment"))?
}

async fn open_sqlite(url: &str, options: &DbOptions, events_written: Arc<Notify>) -> Result<Pool> {
    let path = sqlite::path_of(url)?;
    let readers = Readers::new(&path, options);
    let opened = tokio::task::spawn_blocking(move || Sqlite::open_writer(&path)).await;
    let writer = opened.map_err(|error| Error::internal("opening the database ended early").with_source(error))??;
    let writer = Writer::start(Tx::new(Connection::Sqlite(writer)), move || events_written.notify_one())?;
    Ok(Pool::Sqlite { readers, writer })
}

async fn open_postgres(url: &str, options: &DbOptions) -> Result<Pool> {
    let connect = PgConnectOptions::from_str(url)
        .map_err(|error| {
            Error::invalid("the PostgreSQL URL is not valid; write postgres://user:password@host:port/database")
                .with_source(error)
        })?
        .application_name("lathe")
        .statement_cache_capacity(256)
        .disable_statement_logging();
    let pool = PgPoolOptions::new()
        .max_connections(options.max_connections.max(2))
        .acquire_timeout(options.acquire_timeout)
        .connect_with(connect)
        .await
        .map_err(|error| {
            Error::new(Code::Unavailable, "PostgreSQL does not answer at the database URL given").with_source(error)
        })?;
    Ok(Pool::Postgres(pool))
}
