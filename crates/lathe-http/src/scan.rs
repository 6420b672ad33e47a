//! One quick look over a JSON body before it is parsed: how deep it nests, and which of its numbers JSON does not have.
//!
//! Clients in Python write bare `NaN` and `Infinity`; every door that they speak to reads them alike.

/// How deep lists and objects may nest.
const MAX_DEPTH: usize = 128;

/// What stands before the words of numbers that JSON lacks, once they are texts. No text of a client may hold a NUL, so
/// that a bare `NaN` is a number wherever a number is read, and nothing anywhere else.
pub const SPECIAL_PREFIX: char = '\0';

/// The numbers that Python's `json` writes although JSON lacks them.
const SPECIAL_WORDS: [&str; 3] = ["NaN", "Infinity", "-Infinity"];

/// What was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Scan {
    /// Whether lists and objects nest too deep to be read.
    pub is_too_deep: bool,
    /// Whether a bare NaN or Infinity stands somewhere.
    pub has_special_numbers: bool,
    /// Whether a text holds an escaped NUL.
    pub has_nul: bool,
}

impl Scan {
    /// Looks at a body, which need not be JSON.
    pub fn of(text: &[u8]) -> Self {
        let mut seen = Scan::default();
        let mut depth = 0_usize;
        let mut is_in_text = false;
        let mut rest = text.iter().enumerate();
        while let Some((at, byte)) = rest.next() {
            match (is_in_text, byte) {
                (true, b'\\') => {
                    seen.has_nul |= text.get(at + 1..at + 6) == Some(b"u0000");
                    rest.next();
                }
                (_, b'"') => is_in_text = !is_in_text,
                (false, b'[' | b'{') => {
                    depth += 1;
                    seen.is_too_deep |= depth > MAX_DEPTH;
                }
                (false, b']' | b'}') => depth = depth.saturating_sub(1),
                // No other token of JSON has a capital letter.
                (false, b'N' | b'I') => seen.has_special_numbers = true,
                _ => {}
            }
        }
        seen
    }
}

/// Makes texts of bare NaN, Infinity and -Infinity; everything else stays as it is.
pub fn quote_special_numbers(text: &[u8]) -> Vec<u8> {
    let mut quoted = Vec::with_capacity(text.len() + 64);
    let mut is_in_text = false;
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        if is_in_text && *byte == b'\\' {
            quoted.extend(text.iter().skip(at).take(2));
            at += 2;
            continue;
        }
        let rest = text.get(at..).unwrap_or_default();
        let word = SPECIAL_WORDS.iter().find(|word| !is_in_text && rest.starts_with(word.as_bytes()));
        if let Some(word) = word {
            quoted.extend_from_slice(br#""\u0000"#);
            quoted.extend_from_slice(word.as_bytes());
            quoted.push(b'"');
            at += word.len();
            continue;
        }
        is_in_text ^= *byte == b'"';
        quoted.push(*byte);
        at += 1;
    }
    quoted
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn read(text: &str) -> Value {
        serde_json::from_slice(&quote_special_numbers(text.as_bytes())).unwrap()
    }

    #[test]
    fn bare_special_numbers_become_marked_texts_outside_of_texts_only() {
        assert_eq!(
            read(r#"{"a": NaN, "b": [Infinity,-Infinity], "NaN": "NaN \" NaN"}"#),
            json!({"a": "\0NaN", "b": ["\0Infinity", "\0-Infinity"], "NaN": "NaN \" NaN"})
        );
    }

    #[test]
    fn depth_counts_lists_and_objects_but_no_brackets_in_texts() {
        let nested = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        assert!(!Scan::of(nested(MAX_DEPTH).as_bytes()).is_too_deep);
        assert!(Scan::of(nested(MAX_DEPTH + 1).as_bytes()).is_too_deep);
        assert!(!Scan::of(format!("\"{}\"", "[".repeat(500)).as_bytes()).is_too_deep);
        assert!(!Scan::of("[],".repeat(500).as_bytes()).is_too_deep);
    }

    #[test]
    fn escaped_nuls_are_seen() {
        assert!(Scan::of(br#"{"a": "x\u0000"}"#).has_nul);
        assert!(!Scan::of(br#"{"a": "x\\u0000"}"#).has_nul);
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "[\\PC\"\\\\NaInfity]{0,12}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[a-zNI\"]{0,4}", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn plain_json_is_left_alone(value in any_json()) {
            let text = value.to_string();
            prop_assert_eq!(quote_special_numbers(text.as_bytes()), text.as_bytes());
            let seen = Scan::of(text.as_bytes());
            prop_assert!(!seen.has_special_numbers && !seen.is_too_deep);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Scan::of(&bytes);
            let _ = quote_special_numbers(&bytes);
        }
    }
}
