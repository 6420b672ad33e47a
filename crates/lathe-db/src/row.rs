//! Rows that come back, the same for both databases.

use lathe_core::Result;
use rusqlite::types::{FromSql, Value, ValueRef};
use sqlx::postgres::PgRow;
use sqlx::{Decode, Postgres, Row as _, Type};

use crate::convert::{error, sqlite_error};
use crate::sqlite::SqliteRow;

/// A type that a column of either database can be read as.
pub trait FromColumn: FromSql + for<'r> Decode<'r, Postgres> + Type<Postgres> {}

impl<T: FromSql + for<'r> Decode<'r, Postgres> + Type<Postgres>> FromColumn for T {}

/// Which column of a row.
#[derive(Debug, Clone, Copy)]
pub enum Column<'a> {
    /// By its place, from 0.
    At(usize),
    /// By its name.
    Named(&'a str),
}

impl From<usize> for Column<'_> {
    fn from(place: usize) -> Self {
        Column::At(place)
    }
}

impl<'a> From<&'a str> for Column<'a> {
    fn from(name: &'a str) -> Self {
        Column::Named(name)
    }
}

/// One row of an answer.
#[derive(Debug)]
pub enum Row {
    /// From SQLite.
    Sqlite(SqliteRow),
    /// From PostgreSQL.
    Postgres(PgRow),
}

impl Row {
    /// Reads a column by position or name.
    ///
    /// # Errors
    /// `Internal` when the column is missing or of another type: a fault in Lathe's own SQL.
    pub fn get<'a, T: FromColumn>(&self, column: impl Into<Column<'a>>) -> Result<T> {
        match (self, column.into()) {
            (Row::Sqlite(row), column) => row.get(column).map_err(sqlite_error),
            (Row::Postgres(row), Column::At(place)) => row.try_get(place).map_err(error),
            (Row::Postgres(row), Column::Named(name)) => row.try_get(name).map_err(error),
        }
    }
}

impl SqliteRow {
    fn get<T: FromSql>(&self, column: Column<'_>) -> rusqlite::Result<T> {
        let place = match column {
            Column::At(place) => place,
            Column::Named(name) => self
                .columns
                .iter()
                .position(|known| known == name)
                .ok_or_else(|| rusqlite::Error::InvalidColumnName(name.to_owned()))?,
        };
        let value = self.values.get(place).ok_or(rusqlite::Error::InvalidColumnIndex(place))?;
        let read = match value {
            // Bytes that were joined with `||` are a text to SQLite.
            Value::Text(text) => T::column_result(ValueRef::from(value))
                .or_else(|error| T::column_result(ValueRef::Blob(text.as_bytes())).map_err(|_| error)),
            value => T::column_result(ValueRef::from(value)),
        };
        read.map_err(|error| rusqlite::Error::FromSqlConversionFailure(place, value.data_type(), Box::new(error)))
    }
}
