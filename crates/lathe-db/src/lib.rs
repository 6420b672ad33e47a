//! The metadata database: one SQL code base on SQLite and PostgreSQL, and the ledger that records every change.
//!
//! Rooms own their tables and their SQL; this crate owns how SQL is run. **Invariant:** no other crate names a database
//! driver. A room writes [`Query`] values and reads [`Row`]s, and changes things only inside [`Db::write`].

pub mod backup;
mod convert;
mod db;
pub mod lease;
pub mod ledger;
pub mod once;
mod query;
mod row;
mod schema;
mod space;
mod sqlite;
mod tx;
mod writer;

pub use db::{Db, DbKind, DbOptions};
pub use futures::FutureExt;
pub use query::{Lock, Query, Value, lock, query};
pub use row::{Column, FromColumn, Row};
pub use schema::{ColumnType, Migration, Schema, Table, introspect, migrate};
pub use space::WriteGate;
pub use tx::Tx;
