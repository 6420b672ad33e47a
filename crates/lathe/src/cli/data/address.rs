//! How people write a place in a repository: `flights`, `flights@main`, `flights@main/raw/jan.csv`.

use std::fmt;
use std::str::FromStr;

/// What such an address may begin with, and must where a local path could stand, too.
pub const SCHEME: &str = "data://";

/// A repository, perhaps a ref of it, perhaps a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// The repository.
    pub repository: String,
    /// The ref; the default branch when none is named.
    pub revision: Option<String>,
    /// The path, without a `/` at its beginning; empty for the root.
    pub path: String,
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let place = text.strip_prefix(SCHEME).unwrap_or(text);
        let (head, path) = place.split_once('/').unwrap_or((place, ""));
        let (repository, revision) = match head.split_once('@') {
            Some((_, "")) => return Err("write REPO@REF/PATH, or leave @ out for the default branch".to_owned()),
            Some((repository, revision)) => (repository, Some(revision.to_owned())),
            None => (head, None),
        };
        if repository.is_empty() {
            return Err("write REPO[@REF][/PATH], for instance flights@main/raw/jan.csv".to_owned());
        }
        Ok(Self { repository: repository.to_owned(), revision, path: path.trim_start_matches('/').to_owned() })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}", self.repository)?;
        if let Some(revision) = &self.revision {
            write!(f, "@{revision}")?;
        }
        if self.path.is_empty() { Ok(()) } else { write!(f, "/{}", self.path) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_up_to_three_parts() {
        for (text, repository, revision, path) in [
            ("flights", "flights", None, ""),
            ("flights/", "flights", None, ""),
            ("flights@main", "flights", Some("main"), ""),
            ("data://flights@main~1/raw/a@b.csv", "flights", Some("main~1"), "raw/a@b.csv"),
            ("flights/raw/", "flights", None, "raw/"),
        ] {
            let address: Address = text.parse().unwrap();
            assert_eq!(address.repository, repository, "{text}");
            assert_eq!((address.revision.as_deref(), address.path.as_str()), (revision, path), "{text}");
        }
        for bad in ["", "/x", "@main", "data://", "flights@"] {
            assert!(bad.parse::<Address>().is_err(), "{bad}");
        }
        assert_eq!("flights@main/x".parse::<Address>().unwrap().to_string(), "data://flights@main/x");
    }
}
