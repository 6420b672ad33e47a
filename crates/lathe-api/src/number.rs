//! Metric values in JSON: numbers where JSON has them, the words NaN, Infinity and -Infinity where it has not.

use serde::{Serialize, Serializer};
use utoipa::ToSchema;

/// A metric value.
#[derive(Debug, Clone, Copy, PartialEq, ToSchema)]
#[schema(value_type = f64)]
pub struct Number(pub f64);

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match special(self.0) {
            Some(word) => serializer.serialize_str(word),
            None => serializer.serialize_f64(self.0),
        }
    }
}

/// A metric value for a chart, to about seven digits: half the bytes, and no pixel differs.
#[derive(Debug, Clone, Copy, PartialEq, ToSchema)]
#[schema(value_type = f64)]
pub struct ChartNumber(pub f64);

impl Serialize for ChartNumber {
    #[allow(clippy::cast_possible_truncation, reason = "the loss of digits is the purpose; the range is checked")]
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let short = self.0 as f32;
        let fits = short.is_finite() && (short.is_normal() || self.0 == 0.0);
        if fits { serializer.serialize_f32(short) } else { Number(self.0).serialize(serializer) }
    }
}

fn special(value: f64) -> Option<&'static str> {
    if value.is_nan() {
        Some("NaN")
    } else if value.is_infinite() {
        Some(if value > 0.0 { "Infinity" } else { "-Infinity" })
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_json_lacks_become_words() {
        let text = serde_json::to_string(&[f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.1].map(Number)).unwrap();
        assert_eq!(text, r#"["NaN","Infinity","-Infinity",0.1]"#);
    }

    #[test]
    fn chart_values_are_short_but_never_leave_their_range() {
        let text = serde_json::to_string(&[0.123_456_789_012, 1e300, 1e-300, 0.0].map(ChartNumber)).unwrap();
        assert_eq!(text, "[0.12345679,1e+300,1e-300,0.0]");
    }
}
