//! Values as a person reads them. Whatever came from a user is [`clean`]ed before a terminal sees it.

use std::borrow::Cow;
use std::fmt::Write as _;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use lathe_core::text::escape;

/// Whether a terminal would obey this character instead of showing it, or show the text around it in another order.
fn is_control(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The text with every control character made visible.
pub fn clean(text: &str) -> Cow<'_, str> {
    escape(text, is_control)
}

/// JSON text whose strings hold no character that a terminal obeys; it still means the same.
pub fn clean_json(json: String) -> String {
    // Outside strings JSON knows no other control characters than the line breaks that were put there.
    let is_plain = |character: char| character == '\n' || !is_control(character);
    if json.chars().all(is_plain) {
        return json;
    }
    let mut shown = String::with_capacity(json.len() + 8);
    for character in json.chars() {
        if is_plain(character) {
            shown.push(character);
        } else {
            // All of them are below U+FFFF. Writing to a string never fails.
            let _ = write!(shown, "\\u{:04x}", u32::from(character));
        }
    }
    shown
}

/// A moment in this machine's time zone.
pub fn time(at_ms: i64) -> String {
    formatted(at_ms, "%Y-%m-%d %H:%M:%S")
}

/// A moment in this machine's time zone, without seconds.
pub fn short_time(at_ms: i64) -> String {
    formatted(at_ms, "%Y-%m-%d %H:%M")
}

fn formatted(at_ms: i64, format: &str) -> String {
    match Timestamp::from_millisecond(at_ms) {
        Ok(at) => at.to_zoned(TimeZone::system()).strftime(format).to_string(),
        Err(_) => at_ms.to_string(),
    }
}

/// A moment as people write it: as tables print it (in this machine's time zone), with a zone, or in milliseconds since 1970.
///
/// # Errors
/// The forms, when it has none of them.
pub fn read_time(text: &str) -> Result<i64, String> {
    if let Ok(at_ms) = text.parse() {
        return Ok(at_ms);
    }
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at.as_millisecond());
    }
    let here = text.parse::<DateTime>().and_then(|at| at.to_zoned(TimeZone::system()));
    here.map(|at| at.timestamp().as_millisecond()).map_err(|_| {
        "write a time as tables print it (\"2026-01-31 14:00:00\"), with a zone (2026-01-31T14:00:00Z), or in milliseconds \
         since 1970"
            .to_owned()
    })
}

/// A length of time, to the part that matters.
pub fn duration(length_ms: i64) -> String {
    // Clocks of two machines may disagree about which moment was first.
    let length_ms = length_ms.max(0);
    let seconds = length_ms / 1000;
    match seconds {
        ..10 => format!("{}.{} s", seconds, length_ms % 1000 / 100),
        10..60 => format!("{seconds} s"),
        60..3600 => format!("{} m {:02} s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{} h {:02} m", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} d {:02} h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

/// How many of what; the word is one whose plural has an s.
pub fn count(number: usize, word: &str) -> String {
    if number == 1 { format!("1 {word}") } else { format!("{number} {word}s") }
}

/// A number of bytes, to three digits.
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if count < 1024 {
        return format!("{count} B");
    }
    let (mut size, mut unit) = (count as f64 / 1024.0, 0);
    while size >= 1024.0 && unit + 1 < UNITS.len() {
        size /= 1024.0;
        unit += 1;
    }
    let digits = if size < 10.0 { 1 } else { 0 };
    format!("{size:.digits$} {}", UNITS[unit])
}

/// A metric's value, to six digits.
pub fn number(value: f64) -> String {
    if !value.is_finite() {
        return word(value).to_owned();
    }
    let rounded: f64 = format!("{value:.5e}").parse().unwrap_or(value);
    let size = rounded.abs();
    if rounded == 0.0 || (1e-4..1e15).contains(&size) { rounded.to_string() } else { format!("{rounded:e}") }
}

/// What stands for a number that JSON has not.
pub fn word(value: f64) -> &'static str {
    match value {
        value if value.is_nan() => "NaN",
        value if value > 0.0 => "Infinity",
        _ => "-Infinity",
    }
}

/// A text as one word of a POSIX shell.
pub fn shell_word(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:@=,+".contains(&byte);
    if !text.is_empty() && text.bytes().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_as_it_is_printed() {
        for at_ms in [0, 1_372_680_000_000, 1_790_000_000_000] {
            assert_eq!(read_time(&time(at_ms)), Ok(at_ms));
            assert_eq!(read_time(&at_ms.to_string()), Ok(at_ms));
        }
        assert_eq!(read_time("2013-07-01T12:00:00Z"), Ok(1_372_680_000_000));
        for wrong in ["", "soon", "2026-13-01 00:00:00", "12:00"] {
            assert!(read_time(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn control_characters_become_visible() {
        assert_eq!(clean("plain ünïcode"), "plain ünïcode");
        assert_eq!(clean("a\u{1b}[2Jb\r\n\u{9b}1m\u{202e}"), r"a\u{1b}[2Jb\r\n\u{9b}1m\u{202e}");
        let json = clean_json(serde_json::to_string(&["\u{1b}\u{9b}\u{202e}x"]).unwrap());
        assert_eq!(json, r#"["\u001b\u009b\u202ex"]"#);
        assert_eq!(serde_json::from_str::<Vec<String>>(&json).unwrap(), ["\u{1b}\u{9b}\u{202e}x"]);
    }

    #[test]
    fn numbers_have_six_digits() {
        let shown = [0.0, 1.0, 0.991_111_111, 12_345.678_9, 1e-7, 2e20, f64::NAN, f64::NEG_INFINITY].map(number);
        assert_eq!(shown, ["0", "1", "0.991111", "12345.7", "1e-7", "2e20", "NaN", "-Infinity"]);
    }

    #[test]
    fn sizes_and_lengths_are_short() {
        assert_eq!([0, 1023, 1024, 15_000_000, 3 << 40].map(bytes), ["0 B", "1023 B", "1.0 KiB", "14 MiB", "3.0 TiB"]);
        let lengths = [-5, 450, 12_000, 65_000, 3_700_000, 90_000_000].map(duration);
        assert_eq!(lengths, ["0.0 s", "0.4 s", "12 s", "1 m 05 s", "1 h 01 m", "1 d 01 h"]);
    }

    #[test]
    fn one_is_not_many() {
        assert_eq!([0, 1, 2].map(|number| count(number, "file")), ["0 files", "1 file", "2 files"]);
    }

    #[test]
    fn a_shell_reads_a_word_back_as_it_was() {
        assert_eq!(shell_word("http://127.0.0.1:4400/p/fraud"), "http://127.0.0.1:4400/p/fraud");
        assert_eq!(shell_word("a'b $(c)"), r"'a'\''b $(c)'");
        assert_eq!(shell_word(""), "''");
    }
}
