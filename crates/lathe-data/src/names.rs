//! The names of the room: repositories, refs and commits.

use std::fmt;

use lathe_core::{Error, Result};

const MAX_REF: usize = 200;
/// A prefix of a commit's id that is shorter than this is a name like any other.
const MIN_ID_PREFIX: usize = 8;
const ID_LENGTH: usize = 64;

/// The name of a repository, which is an S3 bucket's name too: 3-63 of `a-z`, `0-9` and `-`, beginning and ending with a
/// letter or digit. `--` stays free for the alias buckets `repository--ref`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RepositoryName(String);

impl RepositoryName {
    /// Parses a name.
    ///
    /// # Errors
    /// `InvalidArgument` when it breaks the rule above.
    pub fn parse(text: &str) -> Result<Self> {
        let is_inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let is_valid = (3..=63).contains(&text.len())
            && text.bytes().all(is_inner)
            && !text.starts_with('-')
            && !text.ends_with('-')
            && !text.contains("--");
        if is_valid {
            return Ok(Self(text.to_owned()));
        }
        Err(Error::invalid(format!(
            "repository name {text:?} is not valid: use 3-63 characters of a-z, 0-9 and single -, starting and ending with a letter or digit"
        )))
    }

    /// Takes a name that is known to be valid, such as one read from the database.
    pub(crate) fn from_trusted(text: String) -> Self {
        Self(text)
    }

    /// The text form.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The name of a branch or a tag: 1-200 of `A-Z`, `a-z`, `0-9`, `.`, `_` and `-`, and never shaped like a commit's id.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RefName(String);

impl RefName {
    /// Parses a name.
    ///
    /// # Errors
    /// `InvalidArgument` when it breaks the rule above, holds `..`, is `.` or ends with `.lock`.
    pub fn parse(text: &str) -> Result<Self> {
        let is_inner = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        let is_valid = (1..=MAX_REF).contains(&text.len())
            && text.bytes().all(is_inner)
            && text != "."
            && !text.contains("..")
            && !text.ends_with(".lock");
        if !is_valid {
            return Err(Error::invalid(format!(
                "{text:?} is not a name for a branch or tag: use 1-{MAX_REF} characters of A-Z, a-z, 0-9, '.', '_' and '-', without '..' and not ending with '.lock'"
            )));
        }
        if is_id_prefix(text) {
            return Err(Error::invalid(format!(
                "{text:?} looks like a commit's id; choose a name that is not 8-64 hex digits"
            )));
        }
        Ok(Self(text.to_owned()))
    }

    /// The branch that a repository gets when nothing else is asked for.
    pub fn main() -> Self {
        Self("main".to_owned())
    }

    /// Takes a name that is known to be valid, such as one read from the database.
    pub(crate) fn from_trusted(text: String) -> Self {
        Self(text)
    }

    /// The text form.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A commit's id: 64 lower-case hex digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CommitId(String);

impl CommitId {
    pub(crate) fn of(hash: &blake3::Hash) -> Self {
        Self(hash.to_hex().to_string())
    }

    /// Parses the full id.
    ///
    /// # Errors
    /// `InvalidArgument` when it is not 64 lower-case hex digits.
    pub fn parse(text: &str) -> Result<Self> {
        if text.len() == ID_LENGTH && is_id_prefix(text) && !text.bytes().any(|b| b.is_ascii_uppercase()) {
            return Ok(Self(text.to_owned()));
        }
        Err(Error::invalid(format!("{text:?} is not a commit's id")))
    }

    /// Takes an id that is known to be valid, such as one read from the database.
    pub(crate) fn from_trusted(text: String) -> Self {
        Self(text)
    }

    /// The text form.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first digits, for messages.
    pub fn short(&self) -> &str {
        self.0.get(..12).unwrap_or(&self.0)
    }
}

fn is_id_prefix(text: &str) -> bool {
    (MIN_ID_PREFIX..=ID_LENGTH).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// What a revision starts from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Start {
    /// A branch or tag.
    Named(RefName),
    /// A commit's id, or the unique beginning of one.
    Id(String),
}

/// Whatever names a commit: a branch, a tag, a commit's id or the beginning of one, and optionally `~N`, its Nth ancestor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revision {
    pub(crate) start: Start,
    pub(crate) back: u32,
}

impl Revision {
    /// Parses a revision.
    ///
    /// # Errors
    /// `InvalidArgument` when neither a ref nor an id can look like this.
    pub fn parse(text: &str) -> Result<Self> {
        let (start, back) = match text.split_once('~') {
            None => (text, 0),
            Some((start, "")) => (start, 1),
            Some((start, digits)) => {
                let is_number = digits.bytes().all(|b| b.is_ascii_digit());
                let back = digits.parse().ok().filter(|_| is_number);
                (start, back.ok_or_else(|| Error::invalid(format!("{text:?} is not a ref: write a number after ~")))?)
            }
        };
        let start = if is_id_prefix(start) {
            Start::Id(start.to_ascii_lowercase())
        } else {
            Start::Named(RefName::parse(start)?)
        };
        Ok(Self { start, back })
    }

    /// The branch that this may be: a bare name.
    pub fn as_name(&self) -> Option<&RefName> {
        match (&self.start, self.back) {
            (Start::Named(name), 0) => Some(name),
            _ => None,
        }
    }

    /// Whether this is a commit by its id or the beginning of one: what does not move.
    pub fn is_commit(&self) -> bool {
        matches!(self.start, Start::Id(_)) && self.back == 0
    }
}

impl From<RefName> for Revision {
    fn from(name: RefName) -> Self {
        Self { start: Start::Named(name), back: 0 }
    }
}

impl From<CommitId> for Revision {
    fn from(id: CommitId) -> Self {
        Self { start: Start::Id(id.0), back: 0 }
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.start {
            Start::Named(name) => write!(f, "{name}")?,
            Start::Id(id) => write!(f, "{id}")?,
        }
        match self.back {
            0 => Ok(()),
            back => write!(f, "~{back}"),
        }
    }
}

macro_rules! display {
    ($($name:ident),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

display!(RepositoryName, RefName, CommitId);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repository_names_are_bucket_names() {
        for good in ["abc", "a-1", "images-2024", &"a".repeat(63)] {
            assert_eq!(RepositoryName::parse(good).unwrap().as_str(), good);
        }
        for bad in ["", "ab", "-ab", "ab-", "a--b", "Abc", "a_b", "a.b", "bucket--x-s3", &"a".repeat(64)] {
            assert!(RepositoryName::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn ref_names_are_never_ids() {
        for good in ["main", "v1.0", "feature_x-2", "feed", "deadbee", &"x".repeat(200)] {
            assert_eq!(RefName::parse(good).unwrap().as_str(), good);
        }
        for bad in ["", ".", "a..b", "a/b", "a b", "x.lock", "a~1", "deadbeef", "12345678", "ä", &"x".repeat(201)] {
            assert!(RefName::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn revisions_name_refs_ids_and_ancestors() {
        let parse = |text: &str| Revision::parse(text).unwrap();
        assert_eq!(parse("main").as_name(), Some(&RefName::main()));
        assert_eq!(parse("main~"), parse("main~1"));
        assert_eq!(parse("DEADBEEF~12"), Revision { start: Start::Id("deadbeef".to_owned()), back: 12 });
        assert_eq!(parse("main~3").to_string(), "main~3");
        assert_eq!(["deadbeef", "main", "deadbeef~1"].map(|text| parse(text).is_commit()), [true, false, false]);
        for bad in ["", "~1", "main~x", "main~+1", "main~1~2", "main~99999999999"] {
            assert!(Revision::parse(bad).is_err(), "{bad}");
        }
    }
}
