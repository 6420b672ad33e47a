//! Numbers: read from JSON numbers and from texts, written as JSON numbers and, where JSON has none, as words.

use std::fmt;

use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use lathe_http::scan::SPECIAL_PREFIX;

/// A 64-bit floating-point number. NaN and the infinities are the words that protobuf writes for them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Double(pub(crate) f64);

impl Serialize for Double {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.is_finite() {
            return serializer.serialize_f64(self.0);
        }
        serializer.serialize_str(match self.0 {
            value if value.is_nan() => "NaN",
            value if value > 0.0 => "Infinity",
            _ => "-Infinity",
        })
    }
}

impl Double {
    /// Reads a JSON value as protobuf does: numbers, their texts, and true and false as 1 and 0.
    pub(crate) fn of(value: &Value) -> Option<f64> {
        match value {
            Value::Number(number) => number.as_f64(),
            Value::String(text) => Self::of_text(text),
            Value::Bool(is_true) => Some(f64::from(u8::from(*is_true))),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        }
    }

    fn of_text(text: &str) -> Option<f64> {
        text.strip_prefix(SPECIAL_PREFIX).unwrap_or(text).trim().parse().ok()
    }
}

/// A 64-bit integer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Integer(pub(crate) i64);

impl Integer {
    /// Reads a JSON value as protobuf does: numbers without a fraction, and their texts.
    pub(crate) fn of(value: &Value) -> Option<i64> {
        match value {
            Value::Number(number) => number.as_i64().or_else(|| number.as_f64().and_then(Self::of_double)),
            Value::String(text) => Self::of_text(text),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
        }
    }

    pub(crate) fn of_text(text: &str) -> Option<i64> {
        text.parse().ok().or_else(|| text.parse().ok().and_then(Self::of_double))
    }

    fn of_double(value: f64) -> Option<i64> {
        // Exactly the doubles in -2^63 .. 2^63; the upper end itself is no 64-bit integer any more.
        let fits = (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&value);
        (value.fract() == 0.0 && fits).then_some(value as i64)
    }
}

struct DoubleVisitor;

impl Visitor<'_> for DoubleVisitor {
    type Value = Double;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a number")
    }

    fn visit_f64<E>(self, value: f64) -> Result<Double, E> {
        Ok(Double(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Double, E> {
        Ok(Double(value as f64))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Double, E> {
        Ok(Double(value as f64))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Double, E> {
        Ok(Double(f64::from(u8::from(value))))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Double, E> {
        Double::of_text(text).map(Double).ok_or_else(|| E::custom("not a number"))
    }
}

impl<'de> Deserialize<'de> for Double {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(DoubleVisitor)
    }
}

struct IntegerVisitor;

impl Visitor<'_> for IntegerVisitor {
    type Value = Integer;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an integer")
    }

    fn visit_i64<E>(self, value: i64) -> Result<Integer, E> {
        Ok(Integer(value))
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Integer, E> {
        i64::try_from(value).map(Integer).map_err(E::custom)
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Integer, E> {
        Integer::of_double(value).map(Integer).ok_or_else(|| E::custom("not an integer"))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Integer, E> {
        Integer::of_text(text).map(Integer).ok_or_else(|| E::custom("not an integer"))
    }
}

impl<'de> Deserialize<'de> for Integer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(IntegerVisitor)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn print(value: f64) -> String {
        serde_json::to_string(&Double(value)).unwrap()
    }

    #[test]
    fn doubles_print_as_floats_and_words() {
        assert_eq!(print(1.0), "1.0");
        assert_eq!(print(-0.0), "-0.0");
        assert_eq!(print(0.1), "0.1");
        assert_eq!(print(f64::NAN), r#""NaN""#);
        assert_eq!(print(f64::INFINITY), r#""Infinity""#);
        assert_eq!(print(f64::NEG_INFINITY), r#""-Infinity""#);
    }

    #[test]
    fn doubles_are_read_from_what_python_takes() {
        for (value, expected) in [
            (json!(1), 1.0),
            (json!("1.5"), 1.5),
            (json!(" 1e3 "), 1000.0),
            (json!(true), 1.0),
            (json!("Infinity"), f64::INFINITY),
            (json!("-inf"), f64::NEG_INFINITY),
            (json!("\0-Infinity"), f64::NEG_INFINITY),
        ] {
            assert_eq!(Double::of(&value), Some(expected), "{value}");
        }
        assert!(Double::of(&json!("nan")).unwrap().is_nan());
        for value in [json!(null), json!("abc"), json!(""), json!([1]), json!({}), json!("1.5.2")] {
            assert_eq!(Double::of(&value), None, "{value}");
        }
    }

    #[test]
    fn integers_are_read_from_numbers_without_fraction_and_their_texts() {
        for (value, expected) in [
            (json!(5), 5),
            (json!("5"), 5),
            (json!(-3.0), -3),
            (json!("1e3"), 1000),
            (json!(i64::MIN), i64::MIN),
            (json!(i64::MAX.to_string()), i64::MAX),
        ] {
            assert_eq!(Integer::of(&value), Some(expected), "{value}");
        }
        for value in [
            json!(1.5),
            json!("1.5"),
            json!(" 5"),
            json!(true),
            json!(null),
            json!("many"),
            json!(u64::MAX),
            json!(9_223_372_036_854_775_808.0),
            json!("9223372036854775808"),
            json!("NaN"),
        ] {
            assert_eq!(Integer::of(&value), None, "{value}");
        }
    }

    proptest! {
        #[test]
        fn doubles_survive_printing_and_reading_bit_for_bit(bits in any::<u64>()) {
            let value = f64::from_bits(bits);
            let text = print(value);
            let back: Double = serde_json::from_str(&text).unwrap();
            prop_assert!(back.0.to_bits() == bits || (back.0.is_nan() && value.is_nan()), "{text}");
            prop_assert!(text.contains(['.', 'e', '"']), "no double looks like an integer: {}", text);
        }

        #[test]
        fn typed_and_untyped_reading_agree(text in "(-?[0-9]{1,20}(\\.[0-9]{1,3})?(e[0-9]{1,2})?|true|null|\"[-0-9.eNaInfity ]{0,8}\"|\\[\\])") {
            let Ok(value) = serde_json::from_str::<Value>(&text) else { return Ok(()) };
            let typed = serde_json::from_str::<Integer>(&text).ok().map(|Integer(read)| read);
            prop_assert_eq!(typed, Integer::of(&value));
            let typed = serde_json::from_str::<Double>(&text).ok().map(|Double(read)| read.to_bits());
            prop_assert_eq!(typed, Double::of(&value).map(f64::to_bits));
        }
    }
}
