//! The name of a deployment, which rooms that do not know each other share.

use std::fmt;

use crate::{Error, Result};

/// The name of a deployment: 1-63 of `a-z`, `0-9`, `_` and `-`, beginning with a letter.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeploymentName(String);

impl DeploymentName {
    /// Parses a name.
    ///
    /// # Errors
    /// `InvalidArgument` when it breaks the rule above.
    pub fn parse(text: &str) -> Result<Self> {
        let is_inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-');
        let is_valid = (1..=63).contains(&text.len())
            && text.bytes().all(is_inner)
            && text.starts_with(|c: char| c.is_ascii_lowercase());
        if is_valid {
            return Ok(Self(text.to_owned()));
        }
        Err(Error::invalid(format!(
            "deployment name {text:?} is not valid: use 1-63 characters of a-z, 0-9, _ and -, beginning with a letter"
        )))
    }

    /// Takes a name that is known to be valid, such as one read from the database.
    pub fn from_trusted(text: String) -> Self {
        Self(text)
    }

    /// The text form.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DeploymentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deployment_names_are_checked() {
        assert!(DeploymentName::parse("fraud-eu_2").is_ok());
        for text in ["", "2x", "-a", "A", "a b", "a/b", &"a".repeat(64)] {
            assert!(DeploymentName::parse(text).is_err(), "{text}");
        }
    }
}
