//! The room's SQL: one file per table, and one for what a request's credentials are looked up with.

pub(crate) mod identities;
pub(crate) mod members;
pub(crate) mod projects;
pub(crate) mod secrets;
pub(crate) mod sessions;
pub(crate) mod tokens;
pub(crate) mod users;

use lathe_core::{Error, Result, Role};

/// A stored role that no longer parses is a fault of Lathe's own, never of the request.
pub(crate) fn role_from_sql(text: Option<String>) -> Result<Option<Role>> {
    text.map(|text| Role::parse(&text))
        .transpose()
        .map_err(|error| Error::internal("a stored role is not known").with_source(error))
}
