//! The room's SQL. Nothing outside this module names a table.

pub(crate) mod commits;
pub(crate) mod refs;
pub(crate) mod repositories;
pub(crate) mod staged;

use lathe_db::{DbKind, Query};

/// The integer key of a repository's rows.
pub(crate) type RepoKey = i64;

/// How a row that a transaction reads is held until its end. SQLite has one writer and needs no lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lock {
    /// It stays as it is; others may hold it the same way.
    Shared,
    /// Nobody else holds it.
    Exclusive,
}

/// Makes a `SELECT` hold the rows it reads.
pub(crate) fn lock(kind: DbKind, lock: Lock, mut statement: Query) -> Query {
    if kind == DbKind::Postgres {
        statement.push(match lock {
            Lock::Shared => " FOR SHARE",
            Lock::Exclusive => " FOR UPDATE",
        });
    }
    statement
}
