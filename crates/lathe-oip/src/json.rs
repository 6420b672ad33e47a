//! JSON as clients in Python write it: with NaN and Infinity, and with the order of an object's fields.

use std::fmt;

use lathe_core::{Error, Result};
use lathe_http::scan::{SPECIAL_PREFIX, Scan, quote_special_numbers};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Json {
    Null,
    Bool(bool),
    Int(i64),
    /// A whole number beyond `i64`.
    Large(u64),
    Float(f64),
    Text(String),
    List(Vec<Json>),
    /// In the order of the text; a name may stand twice, and the last one counts.
    Object(Vec<(String, Json)>),
}

impl Json {
    /// Parses a body.
    ///
    /// # Errors
    /// `InvalidArgument` for what is no JSON, or nests deeper than 128.
    pub(crate) fn parse(body: &[u8]) -> Result<Self> {
        let scan = Scan::of(body);
        if scan.is_too_deep {
            return Err(Error::invalid("lists and objects nest deeper than 128"));
        }
        if !scan.has_special_numbers {
            return parse(body, false);
        }
        if scan.has_nul {
            return Err(Error::invalid("a text with an escaped NUL may not stand beside a bare NaN or Infinity"));
        }
        parse(&quote_special_numbers(body), true)
    }

    /// What Python calls the value's type.
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Json::Null => "NoneType",
            Json::Bool(_) => "bool",
            Json::Int(_) | Json::Large(_) => "int",
            Json::Float(_) => "float",
            Json::Text(_) => "str",
            Json::List(_) => "list",
            Json::Object(_) => "dict",
        }
    }

    /// The value as JSON without NaN and Infinity, which become null.
    pub(crate) fn into_strict(self) -> serde_json::Value {
        use serde_json::Value;
        match self {
            Json::Null => Value::Null,
            Json::Bool(value) => value.into(),
            Json::Int(value) => value.into(),
            Json::Large(value) => value.into(),
            Json::Float(value) => value.into(),
            Json::Text(value) => value.into(),
            Json::List(values) => values.into_iter().map(Json::into_strict).collect(),
            Json::Object(fields) => {
                Value::Object(fields.into_iter().map(|(name, value)| (name, value.into_strict())).collect())
            }
        }
    }
}

/// The last field of a name.
pub(crate) fn take_field(fields: &mut Vec<(String, Json)>, name: &str) -> Option<Json> {
    let at = fields.iter().rposition(|(field, _)| field == name)?;
    let (_, value) = fields.swap_remove(at);
    Some(value)
}

fn parse(text: &[u8], is_marked: bool) -> Result<Json> {
    let value: Json = serde_json::from_slice(text)
        .map_err(|error| Error::invalid(format!("the body is not valid JSON: {error}")).with_source(error))?;
    Ok(if is_marked { unmark(value) } else { value })
}

/// Makes numbers of the marked texts that stand for NaN and Infinity.
fn unmark(value: Json) -> Json {
    match value {
        Json::Text(text) => match text.strip_prefix(SPECIAL_PREFIX) {
            Some("NaN") => Json::Float(f64::NAN),
            Some("Infinity") => Json::Float(f64::INFINITY),
            Some("-Infinity") => Json::Float(f64::NEG_INFINITY),
            _ => Json::Text(text),
        },
        Json::List(values) => Json::List(values.into_iter().map(unmark).collect()),
        Json::Object(fields) => Json::Object(fields.into_iter().map(|(name, value)| (name, unmark(value))).collect()),
        other => other,
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> std::result::Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> std::result::Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> std::result::Result<Json, E> {
        Ok(Json::Int(value))
    }

    fn visit_u64<E>(self, value: u64) -> std::result::Result<Json, E> {
        Ok(i64::try_from(value).map_or(Json::Large(value), Json::Int))
    }

    fn visit_f64<E>(self, value: f64) -> std::result::Result<Json, E> {
        Ok(Json::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> std::result::Result<Json, E> {
        Ok(Json::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> std::result::Result<Json, E> {
        Ok(Json::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> std::result::Result<Json, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> std::result::Result<Json, A::Error> {
        let mut fields = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            fields.push(entry);
        }
        Ok(Json::Object(fields))
    }
}

/// Writes JSON as Python's `json.dumps` does, with bare NaN and Infinity.
pub(crate) fn write_value(out: &mut Vec<u8>, value: &Json) {
    match value {
        Json::Null => out.extend_from_slice(b"null"),
        Json::Bool(value) => write_bool(out, *value),
        Json::Int(value) => write_display(out, value),
        Json::Large(value) => write_display(out, value),
        Json::Float(value) => write_float(out, *value),
        Json::Text(value) => write_text(out, value),
        Json::List(values) => write_list(out, values, write_value),
        Json::Object(fields) => {
            out.push(b'{');
            for (at, (name, value)) in fields.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                write_text(out, name);
                out.push(b':');
                write_value(out, value);
            }
            out.push(b'}');
        }
    }
}

/// Writes a list.
pub(crate) fn write_list<T>(out: &mut Vec<u8>, items: &[T], write: impl Fn(&mut Vec<u8>, &T)) {
    out.push(b'[');
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        write(out, item);
    }
    out.push(b']');
}

/// Writes `true` or `false`.
pub(crate) fn write_bool(out: &mut Vec<u8>, value: bool) {
    out.extend_from_slice(if value { b"true" } else { b"false" });
}

/// Writes a whole number.
pub(crate) fn write_display(out: &mut Vec<u8>, value: &impl fmt::Display) {
    use std::io::Write as _;
    // Writing to memory cannot fail.
    let _ = write!(out, "{value}");
}

/// Writes a number as short as it is exact.
pub(crate) fn write_float(out: &mut Vec<u8>, value: f64) {
    if write_special(out, value) {
        return;
    }
    let _ = serde_json::to_writer(&mut *out, &value);
}

/// Writes a number as short as it is exact in 32 bit.
pub(crate) fn write_float32(out: &mut Vec<u8>, value: f32) {
    if write_special(out, f64::from(value)) {
        return;
    }
    let _ = serde_json::to_writer(&mut *out, &value);
}

fn write_special(out: &mut Vec<u8>, value: f64) -> bool {
    let word: &[u8] = if value.is_nan() {
        b"NaN"
    } else if value == f64::INFINITY {
        b"Infinity"
    } else if value == f64::NEG_INFINITY {
        b"-Infinity"
    } else {
        return false;
    };
    out.extend_from_slice(word);
    true
}

/// Writes a text with its quotes.
pub(crate) fn write_text(out: &mut Vec<u8>, value: &str) {
    let _ = serde_json::to_writer(&mut *out, value);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    pub(crate) fn any_json() -> impl Strategy<Value = Json> {
        let leaf = prop_oneof![
            Just(Json::Null),
            any::<bool>().prop_map(Json::Bool),
            any::<i64>().prop_map(Json::Int),
            (i64::MAX as u64 + 1..).prop_map(Json::Large),
            prop::num::f64::NORMAL.prop_map(Json::Float),
            Just(Json::Float(f64::INFINITY)),
            Just(Json::Float(f64::NEG_INFINITY)),
            "[\\PC\"\\\\NaI]{0,8}".prop_map(Json::Text),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Json::List),
                prop::collection::vec(("[a-zN\"]{0,4}", inner), 0..4).prop_map(Json::Object),
            ]
        })
    }

    #[test]
    fn special_numbers_are_read_and_written() {
        let value = Json::parse(b"{\"b\": [NaN, -Infinity], \"a\": \"NaN\"}").unwrap();
        let mut out = Vec::new();
        write_value(&mut out, &value);
        assert_eq!(out, b"{\"b\":[NaN,-Infinity],\"a\":\"NaN\"}");
    }

    #[test]
    fn what_is_no_json_is_refused() {
        let deep = "[".repeat(200);
        for text in ["", "{", "[1,]", "NaNa", "{\"a\":1}x", "\u{1}", "Nan", "+1", deep.as_str()] {
            assert!(Json::parse(text.as_bytes()).is_err(), "{text}");
        }
        assert!(Json::parse(b"\xff").is_err());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(value in any_json()) {
            let mut out = Vec::new();
            write_value(&mut out, &value);
            prop_assert_eq!(Json::parse(&out).unwrap(), value);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Json::parse(&bytes);
        }
    }
}
