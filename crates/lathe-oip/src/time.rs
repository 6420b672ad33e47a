//! Times as texts.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// A time in milliseconds since 1970 as ISO 8601 without a zone, as pandas writes it.
pub(crate) fn iso_8601(at_ms: i64) -> String {
    match Timestamp::from_millisecond(at_ms) {
        Ok(time) => time.to_zoned(TimeZone::UTC).datetime().to_string(),
        Err(_) => at_ms.to_string(),
    }
}
