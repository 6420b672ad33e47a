//! `ArtifactPath`: a path that a client sent, parsed once at the door, and never given to the operating system.

use std::fmt;

use lathe_core::{Error, Result};

/// The longest path, in bytes.
const MAX_PATH_BYTES: usize = 1_024;
/// The longest segment, in bytes.
const MAX_SEGMENT_BYTES: usize = 255;

/// A path below `mlflow-artifacts:/`: one or more segments joined by `/`.
///
/// UTF-8, at most 1,024 bytes, each segment 1-255 bytes, without `.` and `..` segments, segments that end in `:` (some tool would
/// take them for a URI scheme or a drive), backslashes and control characters.
/// It is a key of a table, decoded exactly once by the door; what it names is stored by content hash.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ArtifactPath(String);

impl ArtifactPath {
    /// Parses a decoded path. One trailing `/` is allowed and dropped, as folder URLs have it.
    ///
    /// # Errors
    /// `InvalidArgument` ("Invalid path", as MLflow's clients know it) for everything else.
    pub fn parse(text: &str) -> Result<Self> {
        let trimmed = text.strip_suffix('/').unwrap_or(text);
        let has_bad_character = trimmed.chars().any(|c| c == '\\' || c.is_control());
        let is_valid = trimmed.len() <= MAX_PATH_BYTES && !has_bad_character && trimmed.split('/').all(is_segment);
        if is_valid { Ok(Self(trimmed.to_owned())) } else { Err(Error::invalid("Invalid path")) }
    }

    /// Parses the path of a folder; an empty text is the root.
    ///
    /// # Errors
    /// As [`ArtifactPath::parse`].
    pub fn parse_folder(text: &str) -> Result<Option<Self>> {
        if text.is_empty() { Ok(None) } else { Self::parse(text).map(Some) }
    }

    /// Takes a path that is known to be valid, such as one read from the database.
    pub(crate) fn from_trusted(text: String) -> Self {
        Self(text)
    }

    /// This path with another below it.
    ///
    /// # Errors
    /// `InvalidArgument` when both together are too long.
    pub fn join(&self, below: &ArtifactPath) -> Result<Self> {
        Self::parse(&format!("{}/{}", self.0, below.0))
    }

    /// Whether this path is below that folder.
    pub fn is_within(&self, folder: &ArtifactPath) -> bool {
        self.0.strip_prefix(folder.as_str()).is_some_and(|rest| rest.starts_with('/'))
    }

    /// The text form, without a leading `/`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The segments, outermost first.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }

    /// The last segment.
    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }

    /// The folders above it, outermost first, without itself.
    pub fn folders(&self) -> impl Iterator<Item = &str> {
        self.0.match_indices('/').map(|(at, _)| self.0.get(..at).unwrap_or_default())
    }
}

fn is_segment(segment: &str) -> bool {
    let is_relative = segment == "." || segment == "..";
    !segment.is_empty() && !is_relative && !segment.ends_with(':') && segment.len() <= MAX_SEGMENT_BYTES
}

impl fmt::Display for ArtifactPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Component, Path};

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_text_becomes_a_path_that_leads_elsewhere(text in "([./\\\\a-z%\u{0}\u{7f}é:~]|\\.\\.){0,30}") {
            if let Ok(path) = ArtifactPath::parse(&text) {
                let components: Vec<Component<'_>> = Path::new(path.as_str()).components().collect();
                prop_assert!(components.iter().all(|part| matches!(part, Component::Normal(_))), "{path}");
                prop_assert_eq!(components.len(), path.segments().count());
                prop_assert!(!path.as_str().contains(['\\', '\0']));
                prop_assert_eq!(ArtifactPath::parse(path.as_str()).unwrap(), path);
            }
        }

        #[test]
        fn plain_paths_are_kept(segments in prop::collection::vec("[a-zA-Z0-9_ .é#?;%-]{1,20}", 1..6)) {
            prop_assume!(segments.iter().all(|segment| segment != "." && segment != ".."));
            let text = segments.join("/");
            prop_assert_eq!(ArtifactPath::parse(&text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn every_form_of_traversal_is_refused() {
        for text in [
            "",
            "/",
            "//",
            ".",
            "..",
            "../x",
            "a/..",
            "a/../b",
            "a/./b",
            "/etc/passwd",
            "//host/x",
            "a//b",
            "a\\b",
            "..\\x",
            "C:\\x",
            "a\0b",
            "a\nb",
            "a\u{7f}",
            "a/\u{85}b",
            "a/b//",
        ] {
            assert!(ArtifactPath::parse(text).is_err(), "{text:?}");
        }
        assert!(ArtifactPath::parse(&"a".repeat(256)).is_err());
        assert!(ArtifactPath::parse(&"a/".repeat(600)).is_err());
        assert_eq!(ArtifactPath::parse("a/b/").unwrap().as_str(), "a/b");
    }

    #[test]
    fn folders_are_those_above() {
        let path = ArtifactPath::parse("a/b/c.txt").unwrap();
        assert_eq!(path.folders().collect::<Vec<_>>(), ["a", "a/b"]);
        assert_eq!(path.file_name(), "c.txt");
        let within = |root: &str| path.is_within(&ArtifactPath::parse(root).unwrap());
        assert!(within("a/b") && within("a") && !within("a/b/c.txt") && !within("a/b/c") && !within("b"));
    }
}
