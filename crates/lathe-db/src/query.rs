//! SQL text with its values, and rows that come back, the same for both databases.

use std::borrow::Cow;

use lathe_core::{Error, Result};
use sqlx::postgres::PgArguments;
use sqlx::{Arguments as _, AssertSqlSafe, SqlSafeStr as _, SqlStr};

use crate::DbKind;

/// A value to bind, from the types that both databases share. `None` is NULL of that type.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// BIGINT.
    Int(Option<i64>),
    /// DOUBLE PRECISION. SQLite stores NaN as NULL: callers keep a flag beside it.
    Real(Option<f64>),
    /// TEXT without NUL (PostgreSQL refuses it; doors reject it).
    Text(Option<String>),
    /// BLOB or BYTEA.
    Bytes(Option<Vec<u8>>),
    /// BOOLEAN.
    Bool(Option<bool>),
}

macro_rules! value_from {
    ($($source:ty => $variant:ident, $convert:expr;)*) => {$(
        impl From<$source> for Value {
            fn from(value: $source) -> Self {
                let convert: fn($source) -> _ = $convert;
                Value::$variant(Some(convert(value)))
            }
        }
        impl From<Option<$source>> for Value {
            fn from(value: Option<$source>) -> Self {
                let convert: fn($source) -> _ = $convert;
                Value::$variant(value.map(convert))
            }
        }
    )*};
}

value_from! {
    i64 => Int, |v| v;
    f64 => Real, |v| v;
    bool => Bool, |v| v;
    String => Text, |v| v;
    &str => Text, |v| v.to_owned();
    &String => Text, |v| v.clone();
    Vec<u8> => Bytes, |v| v;
    &[u8] => Bytes, |v| v.to_vec();
}

/// A statement and its values. Text comes only from string literals; everything else is bound.
#[derive(Debug, Clone)]
pub struct Query {
    sql: Cow<'static, str>,
    values: Vec<Value>,
}

/// Starts a [`Query`]; placeholders are `$1`, `$2`, … in binding order.
pub fn query(sql: &'static str) -> Query {
    Query { sql: Cow::Borrowed(sql), values: Vec::new() }
}

impl Query {
    /// Binds the next value.
    #[must_use]
    pub fn bind(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self
    }

    /// Appends literal SQL.
    pub fn push(&mut self, sql: &'static str) -> &mut Self {
        self.sql.to_mut().push_str(sql);
        self
    }

    /// Appends a placeholder and binds its value.
    pub fn push_bind(&mut self, value: impl Into<Value>) -> &mut Self {
        self.values.push(value.into());
        let placeholder = format!("${}", self.values.len());
        self.sql.to_mut().push_str(&placeholder);
        self
    }

    /// Appends `(a, b, c)` with one placeholder per value.
    ///
    /// An empty list becomes `(NULL)`, which no `IN` ever matches.
    pub fn push_list<V: Into<Value>>(&mut self, values: impl IntoIterator<Item = V>) -> &mut Self {
        self.push("(");
        let mut is_first = true;
        for value in values {
            if !is_first {
                self.push(", ");
            }
            self.push_bind(value);
            is_first = false;
        }
        if is_first {
            self.push("NULL");
        }
        self.push(")")
    }

    /// Appends `(…), (…), …`: the rows of a `VALUES` list.
    pub fn push_rows<const N: usize>(&mut self, rows: impl IntoIterator<Item = [Value; N]>) -> &mut Self {
        for (index, row) in rows.into_iter().enumerate() {
            if index > 0 {
                self.push(", ");
            }
            self.push_list(row);
        }
        self
    }

    /// A statement made of this crate's literals and of names that the schemas gave: no text that a client sent.
    pub(crate) fn from_schema(sql: String) -> Self {
        Self { sql: Cow::Owned(sql), values: Vec::new() }
    }

    /// The SQL text.
    pub fn sql(&self) -> &str {
        &self.sql
    }

    pub(crate) fn values(&self) -> &[Value] {
        &self.values
    }

    /// The text for SQLite.
    pub(crate) fn sql_with_unnamed_placeholders(&self) -> Cow<'_, str> {
        match with_unnamed_placeholders(&self.sql, self.values.len()) {
            Some(unnamed) => Cow::Owned(unnamed),
            None => Cow::Borrowed(&self.sql),
        }
    }

    pub(crate) fn into_postgres(self) -> Result<(SqlStr, PgArguments)> {
        let mut arguments = PgArguments::default();
        for value in self.values {
            match value {
                Value::Int(v) => arguments.add(v),
                Value::Real(v) => arguments.add(v),
                Value::Text(v) => arguments.add(v),
                Value::Bytes(v) => arguments.add(v),
                Value::Bool(v) => arguments.add(v),
            }
            .map_err(|error| Error::internal("a value could not be bound to a statement").with_source(error))?;
        }
        let sql = match self.sql {
            Cow::Borrowed(text) => text.into_sql_str(),
            // Safe: `push` takes literals only, every other text went through `push_bind`.
            Cow::Owned(text) => AssertSqlSafe(text).into_sql_str(),
        };
        Ok((sql, arguments))
    }
}

/// How a row that a transaction reads is held until its end. SQLite has one writer and needs no lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lock {
    /// It stays as it is; others may hold it the same way.
    Shared,
    /// Nobody else holds it.
    Exclusive,
}

/// Makes a `SELECT` hold the rows it reads.
pub fn lock(kind: DbKind, lock: Lock, mut statement: Query) -> Query {
    if kind == DbKind::Postgres {
        statement.push(match lock {
            Lock::Shared => " FOR SHARE",
            Lock::Exclusive => " FOR UPDATE",
        });
    }
    statement
}

/// From how many values on placeholders are rewritten.
const UNNAMED_FROM: usize = 16;

/// The statement with `?` instead of `$1`, `$2`, …, when each stands once and in order; `None` when not, or when there are few.
///
/// To SQLite `$n` is a name: it searches a list of names for each one when it parses, and again when it is asked for a name,
/// so that a statement of many values costs the square of their number.
fn with_unnamed_placeholders(sql: &str, count: usize) -> Option<String> {
    if count < UNNAMED_FROM {
        return None;
    }
    let mut unnamed = String::with_capacity(sql.len());
    let mut rest = sql;
    let mut expected = 1;
    while let Some(at) = rest.find(['$', '\'']) {
        let (before, found) = rest.split_at(at);
        unnamed.push_str(before);
        if let Some(literal) = found.strip_prefix('\'') {
            let end = literal.find('\'')? + 2;
            unnamed.push_str(found.get(..end)?);
            rest = found.get(end..)?;
            continue;
        }
        let name = found.get(1..)?;
        let digits = name.bytes().take_while(u8::is_ascii_digit).count();
        let (number, after) = name.split_at(digits);
        if number.parse() != Ok(expected) {
            return None;
        }
        expected += 1;
        unnamed.push('?');
        rest = after;
    }
    unnamed.push_str(rest);
    (expected == count + 1).then_some(unnamed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_rows_number_their_placeholders() {
        let mut q = query("SELECT x FROM t WHERE a = $1 AND b IN ").bind(1_i64);
        q.push_list(["x", "y"]);
        assert_eq!(q.sql(), "SELECT x FROM t WHERE a = $1 AND b IN ($2, $3)");

        let mut q = query("INSERT INTO t VALUES ");
        q.push_rows([[Value::from(1_i64), Value::from("a")], [Value::from(2_i64), Value::from("b")]]);
        assert_eq!(q.sql(), "INSERT INTO t VALUES ($1, $2), ($3, $4)");
    }

    #[test]
    fn many_placeholders_in_order_lose_their_names() {
        let many = |sql: &str| with_unnamed_placeholders(sql, UNNAMED_FROM);
        let list: Vec<String> = (1..=UNNAMED_FROM).map(|n| format!("${n}")).collect();
        let sql = format!("SELECT '$1''s', x FROM t WHERE a IN ({})", list.join(", "));
        let unnamed = format!("SELECT '$1''s', x FROM t WHERE a IN ({})", vec!["?"; UNNAMED_FROM].join(", "));
        assert_eq!(many(&sql), Some(unnamed));
        assert_eq!(many(&format!("{sql} AND b = $1")), None);
        assert_eq!(many("SELECT $2, $1"), None);
        assert_eq!(with_unnamed_placeholders("SELECT $1", 1), None);
    }

    #[test]
    fn an_empty_list_matches_nothing() {
        let mut q = query("SELECT 1 WHERE 1 IN ");
        q.push_list(Vec::<i64>::new());
        assert_eq!(q.sql(), "SELECT 1 WHERE 1 IN (NULL)");
    }
}
