//! Paths of a repository.

use std::fmt;
use std::sync::Arc;

use lathe_core::{Error, Result};

const MAX_BYTES: usize = 1_024;

/// The path of a file in a repository: 1-1,024 bytes of UTF-8. No segment is empty, `.` or `..`, there is no backslash and no
/// control character. A `/` at the end is kept: it marks a folder.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectKey(Arc<str>);

impl ObjectKey {
    /// Parses a path.
    ///
    /// # Errors
    /// `InvalidArgument` when it breaks the rule above.
    pub fn parse(text: &str) -> Result<Self> {
        let refuse = |why: &str| Err(Error::invalid(format!("path {text:?} is not valid: {why}")));
        if text.is_empty() {
            return refuse("it is empty");
        }
        if text.len() > MAX_BYTES {
            return Err(Error::invalid(format!("a path may have {MAX_BYTES} bytes; this one has {}", text.len())));
        }
        if text.chars().any(|c| c == '\\' || c.is_control()) {
            return refuse("backslashes and control characters are not allowed");
        }
        let segments = text.strip_suffix('/').unwrap_or(text).split('/');
        for segment in segments {
            match segment {
                "" => return refuse("a segment is empty"),
                "." | ".." => return refuse("`.` and `..` are not allowed as segments"),
                _ => {}
            }
        }
        Ok(Self(text.into()))
    }

    /// Takes a path that is known to be valid, such as one read from the database.
    pub(crate) fn from_trusted(text: Arc<str>) -> Self {
        Self(text)
    }

    /// The text form.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The least text that sorts after everything that begins with `prefix`; `None` when nothing does.
pub(crate) fn after_prefix(prefix: &str) -> Option<String> {
    let mut rest = prefix.to_owned();
    while let Some(last) = rest.pop() {
        // Surrogates are no characters: the one after U+D7FF is U+E000.
        let next = match last {
            '\u{d7ff}' => Some('\u{e000}'),
            _ => char::from_u32(u32::from(last) + 1),
        };
        if let Some(next) = next {
            rest.push(next);
            return Some(rest);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn paths_cannot_leave_the_repository() {
        for good in ["a", "a/b.txt", "folder/", "...", "a/.hidden", "ünï/日本", &"x".repeat(1_024)] {
            assert_eq!(ObjectKey::parse(good).unwrap().as_str(), good);
        }
        for bad in ["", "/", "/a", "a//b", "a/../b", "..", ".", "./a", "a/.", "a\\b", "a\0", "a\nb", &"x".repeat(1_025)]
        {
            assert!(ObjectKey::parse(bad).is_err(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn what_comes_after_a_prefix_is_a_tight_bound(prefix in ".{1,6}", rest in ".{0,6}", other in ".{0,8}") {
            let bound = after_prefix(&prefix);
            let longer = format!("{prefix}{rest}");
            prop_assert!(bound.as_ref().is_none_or(|bound| longer.as_str() < bound.as_str()));
            if let Some(bound) = bound
                && other.as_str() > prefix.as_str()
                && !other.starts_with(&prefix)
            {
                prop_assert!(other.as_str() >= bound.as_str());
            }
        }
    }

    #[test]
    fn the_last_character_and_the_surrogates_are_stepped_over() {
        assert_eq!(after_prefix("a/").as_deref(), Some("a0"));
        assert_eq!(after_prefix("a\u{10ffff}").as_deref(), Some("b"));
        assert_eq!(after_prefix("\u{d7ff}").as_deref(), Some("\u{e000}"));
        assert_eq!(after_prefix("\u{10ffff}"), None);
    }
}
