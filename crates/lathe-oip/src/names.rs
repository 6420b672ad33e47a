//! Names that a request may give once.

use std::collections::HashSet;

use lathe_core::{Error, Result};

/// Fails for a name that stands twice.
///
/// # Errors
/// `InvalidArgument` naming it.
pub(crate) fn check_distinct<'a>(what: &str, names: impl IntoIterator<Item = &'a str>) -> Result<()> {
    let mut seen = HashSet::new();
    match names.into_iter().find(|name| !seen.insert(*name)) {
        Some(twice) => Err(Error::invalid(format!("{what} `{twice}` stands twice"))),
        None => Ok(()),
    }
}
