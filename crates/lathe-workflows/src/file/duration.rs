//! Durations as a file writes them.

use std::time::Duration;

const UNITS: [(&str, u128); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// A duration as a person writes it into a file: `1d 12h`, `500ms`.
pub fn write_duration(duration: Duration) -> String {
    let mut rest_ms = duration.as_millis();
    let mut words = Vec::new();
    for (unit, length_ms) in UNITS {
        if rest_ms >= length_ms {
            words.push(format!("{}{unit}", rest_ms / length_ms));
            rest_ms %= length_ms;
        }
    }
    if words.is_empty() { "0s".to_owned() } else { words.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_read_back_as_it_was_written() {
        for text in ["1d", "366d", "1d 12h", "30m", "1h 30m 5s", "500ms"] {
            assert_eq!(write_duration(humantime::parse_duration(text).unwrap()), text);
        }
        assert_eq!(write_duration(Duration::ZERO), "0s");
    }
}
