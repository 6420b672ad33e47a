//! The room's table, and how other rooms say which objects they name.

use lathe_db::{Migration, Schema};

/// The table of objects.
pub const SCHEMA: Schema = Schema {
    room: "objects",
    migrations: &[Migration {
        version: 1,
        statements: &[
            "CREATE TABLE objects (
                hash {text} NOT NULL PRIMARY KEY, size_bytes BIGINT NOT NULL, state {text} NOT NULL, touched_at_ms BIGINT NOT NULL
            ) {clustered}",
            "CREATE INDEX objects_by_touch ON objects (touched_at_ms)",
        ],
    }],
};

/// A column of a room's table that names objects by hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reference {
    /// The table.
    pub table: &'static str,
    /// The column with the hash.
    pub column: &'static str,
    /// A column, or an expression of columns, that tells a person which row it is, and of which project.
    pub label: &'static str,
}
