//! Limits of what callers send.

use std::collections::BTreeMap;

use lathe_core::{Error, Result};

/// What S3 allows for all user metadata of an object together.
const MAX_OBJECT_METADATA: usize = 2 * 1024;
const MAX_CONTENT_TYPE: usize = 255;
const MAX_MESSAGE: usize = 64 * 1024;
const MAX_COMMIT_METADATA: usize = 64 * 1024;
const MAX_DESCRIPTION: usize = 10_000;
const MAX_PREFIX: usize = 1_024;

/// A page size between 1 and `max`.
pub(crate) fn limit(name: &str, asked: usize, max: usize) -> Result<usize> {
    if (1..=max).contains(&asked) {
        return Ok(asked);
    }
    Err(Error::invalid(format!("{name} is {asked}; it must be from 1 to {max}")))
}

pub(crate) fn description(text: &str) -> Result<()> {
    plain("the description", text, MAX_DESCRIPTION)
}

/// A commit's message: something, and not a book.
pub(crate) fn message(text: &str) -> Result<()> {
    if text.trim().is_empty() {
        return Err(Error::invalid("a commit needs a message that says what it changes"));
    }
    plain("the message", text, MAX_MESSAGE)
}

pub(crate) fn commit_metadata(metadata: &BTreeMap<String, String>) -> Result<()> {
    pairs("the commit's metadata", metadata, MAX_COMMIT_METADATA)
}

pub(crate) fn object_metadata(metadata: &BTreeMap<String, String>) -> Result<()> {
    pairs("the file's metadata", metadata, MAX_OBJECT_METADATA)
}

pub(crate) fn content_type(text: &str) -> Result<()> {
    if text.chars().any(char::is_control) {
        return Err(Error::invalid("the content type holds a control character"));
    }
    plain("the content type", text, MAX_CONTENT_TYPE)
}

fn pairs(what: &str, metadata: &BTreeMap<String, String>, most: usize) -> Result<()> {
    let mut size = 0;
    for (key, value) in metadata {
        if key.is_empty() || key.chars().chain(value.chars()).any(|c| c.is_control() && c != '\n' && c != '\t') {
            return Err(Error::invalid(format!("{what} has an empty key or a control character at key {key:?}")));
        }
        size += key.len() + value.len();
    }
    if size > most {
        return Err(Error::invalid(format!("{what} has {size} bytes; at most {most} fit")));
    }
    Ok(())
}

fn plain(what: &str, text: &str, most: usize) -> Result<()> {
    if text.contains('\0') {
        return Err(Error::invalid(format!("{what} holds a NUL character")));
    }
    if text.len() > most {
        return Err(Error::invalid(format!("{what} has {} bytes; at most {most} fit", text.len())));
    }
    Ok(())
}

/// Where a page begins: at a path, or at what comes behind all paths with one beginning, whose last character may be longer.
pub(crate) fn position(text: &str) -> Result<()> {
    plain("the page token", text, MAX_PREFIX + char::MAX.len_utf8())
}

/// The beginning of paths: anything that can be looked for.
pub(crate) fn prefix(text: &str) -> Result<()> {
    plain("the prefix", text, MAX_PREFIX)
}
