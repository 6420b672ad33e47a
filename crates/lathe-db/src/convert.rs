//! Driver errors to Lathe's errors, in one table.

use lathe_core::{Code, Error};

/// SQLite's extended result code for a failed fsync.
const SQLITE_IOERR_FSYNC: &str = "1034";
/// SQLite's extended result code for a failed fsync of a folder.
const SQLITE_IOERR_DIR_FSYNC: &str = "1290";

/// Maps a driver error. A unique violation is `AlreadyExists`: rooms that can cause one say what exists.
pub(crate) fn error(error: sqlx::Error) -> Error {
    let mapped = match &error {
        sqlx::Error::Database(database) => {
            from_code(database.code().as_deref().unwrap_or_default(), database.is_unique_violation())
        }
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => unavailable(),
        _ => Error::internal("database"),
    };
    mapped.with_source(error)
}

fn from_code(code: &str, is_unique_violation: bool) -> Error {
    if is_unique_violation {
        return Error::already_exists("this name is already taken");
    }
    match code {
        SQLITE_IOERR_FSYNC | SQLITE_IOERR_DIR_FSYNC => stop_process(),
        // SQLite: FULL, and the low byte of every extended form of it.
        "13" => out_of_space(),
        // SQLite: BUSY, LOCKED, NOMEM, INTERRUPT and IOERR, and their extended forms.
        _ if is_sqlite(code, &[5, 6, 7, 9, 10]) => unavailable(),
        // PostgreSQL: a text with NUL, which SQLite would take. Doors reject it; this is the second line.
        "22021" | "22P05" => Error::invalid("a text holds a NUL character, which cannot be stored"),
        // PostgreSQL: disk_full.
        "53100" => out_of_space(),
        // PostgreSQL: insufficient resources, operator intervention, serialization failure, deadlock, connection exceptions.
        _ if code.len() == 5 && ["53", "57", "40", "08"].iter().any(|class| code.starts_with(class)) => unavailable(),
        _ => Error::internal("database"),
    }
}

/// Whether a SQLite code (up to four digits; PostgreSQL's have five characters) belongs to one of these primary codes.
fn is_sqlite(code: &str, primary: &[u32]) -> bool {
    code.len() < 5 && code.parse::<u32>().is_ok_and(|code| primary.contains(&(code & 0xff)))
}

fn unavailable() -> Error {
    Error::new(Code::Unavailable, "the database does not answer now; try again in a moment")
}

pub(crate) fn out_of_space() -> Error {
    Error::new(Code::OutOfSpace, "the disk is full: reads go on, but nothing can be written until space is freed")
        .with_hint("free space on the data folder's disk, or run `lathe gc`")
}

/// After a failed fsync nobody knows what the disk holds, and a retry may lie: stop, and let recovery read the truth.
fn stop_process() -> ! {
    tracing::error!(
        "the disk could not confirm a write (fsync failed); stopping so that nothing false is acknowledged"
    );
    std::process::abort()
}
