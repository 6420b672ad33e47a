//! What names, aliases, tags and stages may look like, with MLflow's messages where its clients know one.

use lathe_core::{Error, Result};

use crate::Tag;

const MAX_NAME: usize = 256;
const MAX_ALIAS: usize = 255;
const MAX_TAG_KEY: usize = 250;
const MAX_TAG_VALUE: usize = 100_000;
const MAX_DESCRIPTION: usize = 100_000;

pub(crate) fn model_name(name: &str) -> Result<()> {
    if name.is_empty() || name.contains(['/', ':']) {
        return Err(Error::invalid(format!("Invalid model name '{name}'. Names cannot contain '/' or ':'.")));
    }
    if matches!(name, "." | "..") {
        return Err(Error::invalid(format!(
            "Invalid value \"{name}\" for parameter 'name' supplied: Names may be treated as files in certain cases, and must not \
             resolve to other names when treated as such. This name would resolve to '{name}'"
        )));
    }
    if name.chars().any(char::is_control) {
        return Err(Error::invalid(format!("Invalid model name {name:?}. Names cannot contain control characters.")));
    }
    if name.chars().count() > MAX_NAME {
        return Err(Error::invalid(format!(
            "Registered model name exceeds the maximum length of {MAX_NAME} characters"
        )));
    }
    Ok(())
}

pub(crate) fn alias(alias: &str) -> Result<()> {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if alias.is_empty() || !alias.chars().all(is_allowed) {
        return Err(Error::invalid(format!(
            "Invalid alias name: '{alias}'. Names may only contain alphanumerics, underscores (_), and dashes (-)."
        )));
    }
    if alias.len() > MAX_ALIAS {
        return Err(Error::invalid(format!(
            "'Registered model alias name' exceeds the maximum length of {MAX_ALIAS} characters"
        )));
    }
    if alias.eq_ignore_ascii_case("latest") {
        return Err(Error::invalid("'latest' alias name (case insensitive) is reserved."));
    }
    let is_version =
        alias.strip_prefix(['v', 'V']).is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit()));
    if is_version {
        return Err(Error::invalid(format!("Version alias name '{alias}' is reserved.")));
    }
    Ok(())
}

pub(crate) fn tag(tag: &Tag) -> Result<()> {
    if tag.key.is_empty() || tag.key.chars().any(char::is_control) {
        return Err(Error::invalid("a tag's key may not be empty or hold control characters"));
    }
    if tag.key.chars().count() > MAX_TAG_KEY {
        return Err(Error::invalid(format!("'key' exceeds the maximum length of {MAX_TAG_KEY} characters")));
    }
    if tag.value.contains('\0') {
        return Err(Error::invalid(format!("the value of tag `{}` holds a NUL character", tag.key)));
    }
    if tag.value.chars().count() > MAX_TAG_VALUE {
        return Err(Error::invalid(format!("'value' exceeds the maximum length of {MAX_TAG_VALUE} characters")));
    }
    Ok(())
}

/// Checks all tags; of a key given twice the last wins.
pub(crate) fn tags(tags: Vec<Tag>) -> Result<Vec<Tag>> {
    let mut kept: Vec<Tag> = Vec::with_capacity(tags.len());
    for next in tags {
        tag(&next)?;
        kept.retain(|earlier| earlier.key != next.key);
        kept.push(next);
    }
    Ok(kept)
}

pub(crate) fn description(text: &str) -> Result<()> {
    if text.contains('\0') {
        return Err(Error::invalid("the description holds a NUL character"));
    }
    if text.len() > MAX_DESCRIPTION {
        return Err(Error::invalid(format!("the description has {} bytes; at most {MAX_DESCRIPTION} fit", text.len())));
    }
    Ok(())
}

/// A page size between 1 and `max`.
pub(crate) fn max_results(asked: i64, max: i64) -> Result<usize> {
    if !(1..=max).contains(&asked) {
        return Err(Error::invalid(format!(
            "Invalid value {asked} for parameter 'max_results' supplied. It must be from 1 to {max}"
        )));
    }
    usize::try_from(asked).map_err(|_| Error::invalid("max_results is not valid"))
}
