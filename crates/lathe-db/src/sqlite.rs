//! SQLite: connections, their settings, and the readers beside the writer.
//!
//! A statement runs on the thread that asks for it. The writer is a thread of its own, so that its statements cost no
//! switch of threads. A read may take long: it begins where it is asked for, and one that is not done after
//! [`BRIEF_STEPS`] begins again on the runtime's threads for blocking work.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::stream::{BoxStream, unfold};
use futures::{FutureExt as _, StreamExt as _};
use lathe_core::{Error, Result};
use percent_encoding::percent_decode_str;
use rusqlite::config::DbConfig;
use rusqlite::types::{FromSql as _, ToSql, ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, InterruptHandle};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::timeout;

use crate::convert::sqlite_error;
use crate::{DbOptions, Query, Row, Value};

/// How long a connection waits for another process that holds the file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// How many prepared statements a connection keeps.
const STATEMENT_CACHE: usize = 256;
/// How long a read may take on the thread that asks for it, in steps of SQLite's machine: about a tenth of a millisecond.
const BRIEF_STEPS: i32 = 4_000;
/// How many rows of a stream wait for their reader.
const ROWS_AHEAD: usize = 512;

/// The settings of every connection. With WAL, only FULL makes a COMMIT durable; 4,000 pages (16 MiB) between checkpoints
/// write a page that is busy once instead of four times; PostgreSQL's LIKE is case-sensitive, and both must answer the same.
const SETTINGS: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 4000; \
     PRAGMA foreign_keys = ON; PRAGMA case_sensitive_like = ON; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -8000;";

/// The file that a URL `sqlite://path` names.
pub(crate) fn path_of(url: &str) -> Result<PathBuf> {
    let path = url.strip_prefix("sqlite://").filter(|path| !path.is_empty() && !path.contains('?'));
    let path = path.and_then(|path| percent_decode_str(path).decode_utf8().ok());
    path.map(|path| PathBuf::from(&*path))
        .ok_or_else(|| Error::invalid("the SQLite URL is not valid; write sqlite://path/to/file.db"))
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Sqlite {
    connection: rusqlite::Connection,
    brief: Arc<Brief>,
}

/// The limit of a statement that must be brief.
#[derive(Debug, Default)]
struct Brief {
    is_on: AtomicBool,
    was_reached: AtomicBool,
}

impl Sqlite {
    /// Opens the file, and makes it when it is missing.
    pub(crate) fn open_writer(path: &Path) -> Result<Self> {
        Self::open(path, SETTINGS).map_err(sqlite_error)
    }

    fn open_reader(path: &Path) -> Result<Self> {
        Self::open(path, &format!("{SETTINGS} PRAGMA query_only = ON;")).map_err(sqlite_error)
    }

    fn open(path: &Path, settings: &str) -> rusqlite::Result<Self> {
        let mut connection = rusqlite::Connection::open(path)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.set_prepared_statement_cache_capacity(STATEMENT_CACHE);
        connection.execute_batch(settings)?;
        // Without it, a statement with a bound range is planned anew at each use, for statistics that nobody collects.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        let brief = Arc::<Brief>::default();
        let limit = Arc::clone(&brief);
        let is_over = move || {
            let is_on = limit.is_on.load(Relaxed);
            limit.was_reached.fetch_or(is_on, Relaxed);
            is_on
        };
        connection.progress_handler(BRIEF_STEPS, Some(is_over))?;
        Ok(Self { connection, brief })
    }

    /// What `work` answers; `None` when a statement of it takes longer than [`BRIEF_STEPS`]: nothing of it counts then.
    fn briefly<T>(&mut self, work: impl Fn(&mut Sqlite) -> Result<T>) -> Option<Result<T>> {
        self.brief.was_reached.store(false, Relaxed);
        self.brief.is_on.store(true, Relaxed);
        let result = work(self);
        self.brief.is_on.store(false, Relaxed);
        if self.brief.was_reached.load(Relaxed) { None } else { Some(result) }
    }

    /// Answers how many rows the statement changed.
    pub(crate) fn execute(&mut self, query: &Query) -> Result<u64> {
        self.each(query, |_| true)?;
        Ok(self.connection.changes())
    }

    pub(crate) fn fetch_all(&mut self, query: &Query) -> Result<Vec<Row>> {
        let mut rows = Vec::new();
        self.each(query, |row| {
            rows.push(row);
            true
        })?;
        Ok(rows)
    }

    pub(crate) fn fetch_optional(&mut self, query: &Query) -> Result<Option<Row>> {
        let mut first = None;
        // To the end: a statement with RETURNING has done all its work only then.
        self.each(query, |row| {
            first.get_or_insert(row);
            true
        })?;
        Ok(first)
    }

    /// Calls `visit` with each row until it answers `false`.
    fn each(&mut self, query: &Query, visit: impl FnMut(Row) -> bool) -> Result<()> {
        self.run(query, visit).map_err(sqlite_error)
    }

    fn run(&mut self, query: &Query, mut visit: impl FnMut(Row) -> bool) -> rusqlite::Result<()> {
        let mut statement = self.connection.prepare_cached(&query.sql_with_unnamed_placeholders())?;
        bind(&mut statement, query.values())?;
        let columns: Arc<[String]> = statement.column_names().map(str::to_owned).collect();
        let mut rows = statement.raw_query();
        while let Some(row) = rows.next()? {
            let values = (0..columns.len()).map(|place| row.get_ref(place).and_then(owned));
            let row = SqliteRow { columns: columns.clone(), values: values.collect::<rusqlite::Result<_>>()? };
            if !visit(Row::Sqlite(row)) {
                break;
            }
        }
        Ok(())
    }
}

/// SQLite answers `blob || blob` as a text, which then may be no UTF-8: bytes all the same.
fn owned(value: ValueRef<'_>) -> rusqlite::Result<rusqlite::types::Value> {
    match value {
        ValueRef::Text(bytes) if std::str::from_utf8(bytes).is_err() => Ok(bytes.to_vec().into()),
        value => rusqlite::types::Value::column_result(value).map_err(rusqlite::Error::from),
    }
}

/// Binds by the number that a placeholder's name holds: to SQLite `$2` is a name, and it counts places of its own.
fn bind(statement: &mut CachedStatement<'_>, values: &[Value]) -> rusqlite::Result<()> {
    for place in 1..=statement.parameter_count() {
        let number = match statement.parameter_name(place) {
            Some(name) => name.trim_start_matches('$').parse().unwrap_or_default(),
            None => place,
        };
        let value = number.checked_sub(1_usize).and_then(|index| values.get(index));
        let value = value.ok_or(rusqlite::Error::InvalidParameterCount(number, values.len()))?;
        statement.raw_bind_parameter(place, value)?;
    }
    Ok(())
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let value = match self {
            Value::Int(Some(value)) => ValueRef::Integer(*value),
            Value::Real(Some(value)) => ValueRef::Real(*value),
            Value::Text(Some(value)) => ValueRef::Text(value.as_bytes()),
            Value::Bytes(Some(value)) => ValueRef::Blob(value),
            Value::Bool(Some(value)) => ValueRef::Integer((*value).into()),
            Value::Int(None) | Value::Real(None) | Value::Text(None) | Value::Bytes(None) | Value::Bool(None) => {
                ValueRef::Null
            }
        };
        Ok(ToSqlOutput::Borrowed(value))
    }
}

/// A row, copied out of its statement.
#[derive(Debug)]
pub struct SqliteRow {
    pub(crate) columns: Arc<[String]>,
    pub(crate) values: Vec<rusqlite::types::Value>,
}

/// The connections that read: opened when needed, kept, and limited in number.
#[derive(Debug, Clone)]
pub(crate) struct Readers {
    path: Arc<Path>,
    idle: Arc<Mutex<Vec<Sqlite>>>,
    permits: Arc<Semaphore>,
    max_connections: u32,
    acquire_timeout: Duration,
}

impl Readers {
    pub(crate) fn new(path: &Path, options: &DbOptions) -> Self {
        Self {
            path: path.into(),
            idle: Arc::default(),
            permits: Arc::new(Semaphore::new(options.max_connections as usize)),
            max_connections: options.max_connections,
            acquire_timeout: options.acquire_timeout,
        }
    }

    pub(crate) async fn acquire(&self) -> Result<Reader> {
        let permit = timeout(self.acquire_timeout, self.permits.clone().acquire_owned()).await;
        let permit = permit.ok().and_then(std::result::Result::ok).ok_or_else(crate::convert::unavailable)?;
        let connection = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        Ok(Reader { connection, readers: self.clone(), is_reusable: true, _permit: permit })
    }

    /// Waits for the connections in use, and closes all.
    pub(crate) async fn close(&self) {
        // Only a pool that is closed already refuses.
        let _ = self.permits.acquire_many(self.max_connections).await;
        self.permits.close();
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// A connection lent to one reader; it goes back when this value is dropped, unless a statement was left unfinished.
#[derive(Debug)]
pub(crate) struct Reader {
    connection: Option<Sqlite>,
    readers: Readers,
    is_reusable: bool,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Reader {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take().filter(|_| self.is_reusable) {
            self.readers.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        }
    }
}

impl Reader {
    /// Closes the connection when this value is dropped.
    pub(crate) fn close_on_drop(&mut self) {
        self.is_reusable = false;
    }

    /// Runs `work` here when it is brief, and otherwise again, from its start, on a thread for blocking work. There a caller that
    /// goes away interrupts it, and the connection is closed.
    pub(crate) async fn run<T: Send + 'static>(
        &mut self,
        work: impl Fn(&mut Sqlite) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        if let Some(connection) = &mut self.connection
            && let Some(result) = connection.briefly(&work)
        {
            return result;
        }
        let running = self.start(work)?;
        self.finish(running).await
    }

    fn start<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Sqlite) -> Result<T> + Send + 'static,
    ) -> Result<Running<T>> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => Sqlite::open_reader(&self.readers.path)?,
        };
        let interrupt = Some(connection.connection.get_interrupt_handle());
        let task = spawn_blocking(move || {
            let result = work(&mut connection);
            (connection, result)
        });
        Ok(Running { task, interrupt })
    }

    async fn finish<T>(&mut self, mut running: Running<T>) -> Result<T> {
        let done = (&mut running.task).await;
        running.interrupt = None;
        let (connection, result) = done.map_err(|error| Error::internal("a read ended early").with_source(error))?;
        self.connection = Some(connection);
        result
    }

    /// The rows one by one, for answers that do not fit into memory.
    pub(crate) fn stream(&mut self, query: Query) -> BoxStream<'_, Result<Row>> {
        let (rows, received) = mpsc::channel(ROWS_AHEAD);
        let running = self.start(move |connection| connection.each(&query, |row| rows.blocking_send(row).is_ok()));
        let first = (self, received, Some(running));
        unfold(first, |(reader, mut received, mut running)| {
            async move {
                if let Some(row) = received.recv().await {
                    return Some((Ok(row), (reader, received, running)));
                }
                let ended = match running.take()? {
                    Ok(running) => reader.finish(running).await,
                    Err(error) => Err(error),
                };
                ended.err().map(|error| (Err(error), (reader, received, None)))
            }
            .boxed()
        })
        .boxed()
    }
}

/// A read on its thread; interrupted when nobody waits for it any more.
struct Running<T> {
    task: JoinHandle<(Sqlite, Result<T>)>,
    interrupt: Option<InterruptHandle>,
}

impl<T> Drop for Running<T> {
    fn drop(&mut self) {
        if let Some(interrupt) = &self.interrupt {
            interrupt.interrupt();
        }
    }
}
