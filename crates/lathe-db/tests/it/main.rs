//! Tests of the database layer and the ledger, on both databases.

#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, reason = "tests")]

mod backup;
mod ledger;
mod once;
mod write;
