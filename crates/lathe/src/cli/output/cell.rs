//! One value of a result: raw for programs, readable for people.

use serde::Serialize;
use serde::ser::{SerializeMap as _, Serializer};
use serde_json::Value;

use super::Table;
use crate::cli::text;

/// How much of a run's id a narrow table shows: the millisecond of its making, which nearly always is enough to find it.
pub const ID_CHARACTERS: usize = 12;
/// A word up to this length stays on its line: ids are this long.
const WORD_CHARACTERS: usize = 40;

/// One value.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// There is none.
    Missing,
    /// A text.
    Text(String),
    /// A long id, of which people need the beginning.
    Id(String),
    /// A count or a position.
    Integer(i64),
    /// A metric's value.
    Number(f64),
    /// Yes or no.
    Flag(bool),
    /// A moment, in milliseconds since 1970.
    Time(i64),
    /// A length of time, in milliseconds.
    Duration(i64),
    /// A size.
    Bytes(u64),
    /// Several texts.
    Texts(Vec<String>),
    /// Keys and values.
    Pairs(Vec<(String, Cell)>),
    /// Rows of their own.
    Rows(Table),
    /// What the server said, as it said it.
    Json(Value),
}

impl Cell {
    /// A text that may be absent or empty.
    pub fn text(text: impl Into<Option<String>>) -> Self {
        text.into().filter(|text| !text.is_empty()).map_or(Cell::Missing, Cell::Text)
    }

    /// A moment that may be absent.
    pub fn time(at_ms: Option<i64>) -> Self {
        at_ms.map_or(Cell::Missing, Cell::Time)
    }

    /// A number or a text, as a JSON value says.
    pub fn value(value: Value) -> Self {
        match value {
            Value::Null => Cell::Missing,
            Value::Bool(flag) => Cell::Flag(flag),
            Value::Number(number) => number.as_f64().map_or(Cell::Missing, Cell::Number),
            Value::String(text) => Cell::Text(text),
            other => Cell::Json(other),
        }
    }

    /// Whether people look for it on the right side of its column.
    pub(super) fn is_numeric(&self) -> bool {
        matches!(self, Cell::Integer(_) | Cell::Number(_) | Cell::Bytes(_) | Cell::Duration(_))
    }

    /// Whether breaking it over lines would make it unreadable.
    pub(super) fn is_one_word(&self) -> bool {
        match self {
            Cell::Text(text) => !text.contains(char::is_whitespace) && text.len() <= WORD_CHARACTERS,
            Cell::Id(_) | Cell::Time(_) | Cell::Flag(_) => true,
            other => other.is_numeric(),
        }
    }

    /// For a person. `is_narrow`: ids are cut, and times have no seconds.
    pub(super) fn shown(&self, is_narrow: bool) -> String {
        match self {
            Cell::Missing => String::new(),
            Cell::Text(value) => text::clean(value).into_owned(),
            Cell::Id(id) if is_narrow => text::clean(id).chars().take(ID_CHARACTERS).collect(),
            Cell::Id(id) => text::clean(id).into_owned(),
            Cell::Integer(value) => value.to_string(),
            Cell::Number(value) => text::number(*value),
            Cell::Flag(true) => "yes".to_owned(),
            Cell::Flag(false) => "no".to_owned(),
            Cell::Time(at_ms) if is_narrow => text::short_time(*at_ms),
            Cell::Time(at_ms) => text::time(*at_ms),
            Cell::Duration(length_ms) => text::duration(*length_ms),
            Cell::Bytes(count) => text::bytes(*count),
            Cell::Texts(values) => text::clean(&values.join(", ")).into_owned(),
            Cell::Pairs(pairs) => {
                let pairs = pairs.iter().map(|(key, value)| format!("{}={}", text::clean(key), value.shown(is_narrow)));
                pairs.collect::<Vec<_>>().join(", ")
            }
            Cell::Rows(table) => format!("{} rows", table.len()),
            Cell::Json(value) => text::clean(&value.to_string()).into_owned(),
        }
    }

    /// For a program that reads fields.
    pub(super) fn csv(&self) -> String {
        match self {
            Cell::Missing => String::new(),
            Cell::Text(value) | Cell::Id(value) => value.clone(),
            Cell::Number(value) if !value.is_finite() => text::word(*value).to_owned(),
            other => serde_json::to_string(other).unwrap_or_default(),
        }
    }
}

impl Serialize for Cell {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Cell::Missing => serializer.serialize_none(),
            Cell::Text(value) | Cell::Id(value) => serializer.serialize_str(value),
            Cell::Integer(value) | Cell::Time(value) | Cell::Duration(value) => serializer.serialize_i64(*value),
            Cell::Number(value) if value.is_finite() => serializer.serialize_f64(*value),
            Cell::Number(value) => serializer.serialize_str(text::word(*value)),
            Cell::Flag(value) => serializer.serialize_bool(*value),
            Cell::Bytes(count) => serializer.serialize_u64(*count),
            Cell::Texts(values) => values.serialize(serializer),
            Cell::Pairs(pairs) => {
                let mut map = serializer.serialize_map(Some(pairs.len()))?;
                for (key, value) in pairs {
                    map.serialize_entry(key, value)?;
                }
                map.end()
            }
            Cell::Rows(table) => table.serialize(serializer),
            Cell::Json(value) => value.serialize(serializer),
        }
    }
}
