//! The room's SQL. Nothing outside this module names a table.

pub(crate) mod commits;
pub(crate) mod refs;
pub(crate) mod repositories;
pub(crate) mod staged;
pub(crate) mod uploads;
pub(crate) mod uses;

/// The integer key of a repository's rows.
pub(crate) type RepoKey = i64;
