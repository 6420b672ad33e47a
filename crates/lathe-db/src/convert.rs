//! Driver errors to Lathe's errors, in one table.

use lathe_core::{Code, Error};
use rusqlite::ffi::{
    SQLITE_BUSY, SQLITE_CANTOPEN, SQLITE_CONSTRAINT_PRIMARYKEY, SQLITE_CONSTRAINT_ROWID, SQLITE_CONSTRAINT_UNIQUE,
    SQLITE_FULL, SQLITE_INTERRUPT, SQLITE_IOERR, SQLITE_IOERR_DIR_FSYNC, SQLITE_IOERR_FSYNC, SQLITE_LOCKED,
    SQLITE_NOMEM,
};

/// Maps an error of SQLite. A unique violation is `AlreadyExists`: rooms that can cause one say what exists.
pub(crate) fn sqlite_error(error: rusqlite::Error) -> Error {
    let mapped = match error.sqlite_error().map(|error| error.extended_code) {
        Some(SQLITE_CONSTRAINT_UNIQUE | SQLITE_CONSTRAINT_PRIMARYKEY | SQLITE_CONSTRAINT_ROWID) => taken(),
        Some(SQLITE_IOERR_FSYNC | SQLITE_IOERR_DIR_FSYNC) => stop_process(),
        // The low byte of an extended code is the primary one.
        Some(code) => match code & 0xff {
            SQLITE_FULL => out_of_space(),
            SQLITE_BUSY | SQLITE_LOCKED | SQLITE_NOMEM | SQLITE_INTERRUPT | SQLITE_IOERR | SQLITE_CANTOPEN => {
                unavailable()
            }
            _ => Error::internal("database"),
        },
        None => Error::internal("database"),
    };
    mapped.with_source(error)
}

/// Maps an error of PostgreSQL or of its driver.
pub(crate) fn error(error: sqlx::Error) -> Error {
    let mapped = match &error {
        sqlx::Error::Database(database) if database.is_unique_violation() => taken(),
        sqlx::Error::Database(database) => from_code(database.code().as_deref().unwrap_or_default()),
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => unavailable(),
        // What the driver reads of a server that hangs up while it is greeted: no byte at all.
        sqlx::Error::Protocol(said) if said.contains("SSLRequest: 0x00") => unavailable(),
        _ => Error::internal("database"),
    };
    mapped.with_source(error)
}

fn from_code(code: &str) -> Error {
    match code {
        // A text with NUL, which SQLite would take. Doors reject it; this is the second line.
        "22021" | "22P05" => Error::invalid("a text holds a NUL character, which cannot be stored"),
        // disk_full
        "53100" => out_of_space(),
        // Insufficient resources, operator intervention, serialization failure, deadlock, connection exceptions.
        _ if ["53", "57", "40", "08"].iter().any(|class| code.starts_with(class)) => unavailable(),
        _ => Error::internal("database"),
    }
}

fn taken() -> Error {
    Error::already_exists("this name is already taken")
}

pub(crate) fn unavailable() -> Error {
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

#[cfg(test)]
mod tests {
    use sqlx::Connection as _;

    use super::*;

    #[tokio::test]
    async fn a_server_that_hangs_up_on_a_new_connection_is_unavailable() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            // What was sent is read: closing with it unread would reset the connection, which is another error.
            tokio::io::AsyncReadExt::read(&mut stream, &mut [0; 64]).await.unwrap();
        });
        let refused =
            sqlx::PgConnection::connect(&format!("postgres://lathe@127.0.0.1:{port}/lathe")).await.unwrap_err();
        server.await.unwrap();
        assert_eq!(error(refused).code(), Code::Unavailable);
    }
}
