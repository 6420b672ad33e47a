//! Texts that repeat what came from outside.

use std::borrow::Cow;

/// The text with its control characters escaped (`\n`, `\u{1b}`), except those in `kept`: it breaks no line, and no terminal obeys it.
pub fn escape_controls<'t>(text: &'t str, kept: &[char]) -> Cow<'t, str> {
    escape(text, |c| c.is_control() && !kept.contains(&c))
}

/// The text with some of its characters escaped.
pub fn escape(text: &str, is_escaped: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&is_escaped) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if is_escaped(c) {
            escaped.extend(c.escape_default());
        } else {
            escaped.push(c);
        }
    }
    Cow::Owned(escaped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_stays_and_all_other_control_characters_are_shown() {
        assert_eq!(escape_controls("a\0b\n\u{1b}[31m\t\u{85}ü", &['\n', '\t']), "a\\u{0}b\n\\u{1b}[31m\t\\u{85}ü");
        assert_eq!(escape_controls("a\r\nb", &[]), "a\\r\\nb");
        assert!(matches!(escape_controls("plain \\n", &[]), Cow::Borrowed("plain \\n")));
    }
}
