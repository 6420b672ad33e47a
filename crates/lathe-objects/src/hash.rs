//! The name of an object.

use std::fmt;

use lathe_core::{Error, Result};

/// BLAKE3 of an object's bytes, 64 lower-case hex digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectHash(String);

impl ObjectHash {
    /// Parses the text form.
    ///
    /// # Errors
    /// `InvalidArgument` when it is not 64 lower-case hex digits.
    pub fn parse(text: &str) -> Result<Self> {
        let is_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if text.len() == 64 && text.bytes().all(is_hex) {
            return Ok(Self(text.to_owned()));
        }
        Err(Error::invalid(format!("{text:?} is not an object's hash")))
    }

    pub(crate) fn of(hash: &blake3::Hash) -> Self {
        Self(hash.to_hex().to_string())
    }

    /// The text form.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Where the object lies below the store's root: two levels of folders keep each small.
    pub(crate) fn key(&self) -> String {
        format!("{}/{}/{}", &self.0[..2], &self.0[2..4], self.0)
    }
}

impl fmt::Display for ObjectHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
