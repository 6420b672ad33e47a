//! How a person names the version of a registered model that a deployment serves.

use std::fmt;

use lathe_core::{Error, Result};

/// Which version of a registered model, as a person writes it: `models:/<model>/<version>` or `models:/<model>@<alias>`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ModelReference {
    /// The registered model.
    pub model: String,
    /// Which version of it.
    pub pick: Pick,
}

/// How a version is picked.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Pick {
    /// This one.
    Version(i64),
    /// The one that an alias points at, now and later.
    Alias(String),
}

impl ModelReference {
    /// Parses the text form; `models:/` may be left out.
    ///
    /// # Errors
    /// `InvalidArgument` when it is neither form.
    pub fn parse(text: &str) -> Result<Self> {
        let invalid = || {
            Error::invalid(format!("{text:?} names no model version"))
                .with_hint("write models:/<model>/<version> or models:/<model>@<alias>")
        };
        if text.len() > 1024 || text.chars().any(char::is_control) {
            return Err(invalid());
        }
        let rest = text.strip_prefix("models:/").unwrap_or(text);
        if let Some((model, alias)) = rest.rsplit_once('@') {
            let is_valid = !model.is_empty() && !alias.is_empty() && !rest.contains('/');
            return is_valid
                .then(|| Self { model: model.to_owned(), pick: Pick::Alias(alias.to_owned()) })
                .ok_or_else(invalid);
        }
        let (model, version) = rest.rsplit_once('/').ok_or_else(invalid)?;
        let version = version.parse().ok().filter(|version| *version > 0).ok_or_else(invalid)?;
        if model.is_empty() || model.contains('/') {
            return Err(invalid());
        }
        Ok(Self { model: model.to_owned(), pick: Pick::Version(version) })
    }

    /// The alias that is followed, if one is.
    pub fn alias(&self) -> Option<&str> {
        match &self.pick {
            Pick::Alias(alias) => Some(alias),
            Pick::Version(_) => None,
        }
    }
}

impl fmt::Display for ModelReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.pick {
            Pick::Version(version) => write!(f, "models:/{}/{version}", self.model),
            Pick::Alias(alias) => write!(f, "models:/{}@{alias}", self.model),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_read_and_written() {
        for text in ["models:/fraud/3", "models:/fraud@champion"] {
            assert_eq!(ModelReference::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(ModelReference::parse("fraud@x").unwrap().alias(), Some("x"));
        for text in ["", "models:/", "fraud", "fraud/0", "fraud/-1", "fraud/x", "@x", "a@", "a/b@c", "a/b/3", "a\n/3"] {
            assert!(ModelReference::parse(text).is_err(), "{text}");
        }
    }
}
