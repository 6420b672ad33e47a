//! What can be wrong with `on`: names that nothing can have, and patterns that match nothing. The rooms that own the names have the rules;
//! a test compares those that it can see.

use crate::file::diagnostic::{Diagnostic, Located};
use crate::file::paths;
use crate::file::types::{DataCommit, ModelAlias, Triggers};

pub(super) fn lint(triggers: &Triggers, mistakes: &mut Vec<Diagnostic>) {
    for DataCommit { repository, branch, paths, .. } in &triggers.data_commits {
        let rule = "use 3-63 of a-z, 0-9 and single -, beginning and ending with a letter or digit";
        check(mistakes, "repo", repository, rule, is_repository);
        let rule = "use 1-200 of A-Z, a-z, 0-9, `.`, `_` and `-`; no `..`, no `.lock` at its end, and not the digits of a commit";
        check(mistakes, "branch", branch, rule, is_branch);
        for pattern in paths {
            if let Some(why) = paths::refusal(&pattern.value) {
                mistakes.push(wrong(pattern, format!("`{}` is no pattern of paths: {why}", pattern.value)));
            }
        }
    }
    for ModelAlias { model, alias, .. } in &triggers.model_aliases {
        let rule = "use at most 256 characters, without `/`, `:` and control characters";
        check(mistakes, "model", model, rule, is_model);
        let rule = "use at most 255 letters, digits, `_` and `-`; `latest` and `v1` are reserved";
        check(mistakes, "alias", alias, rule, is_alias);
    }
}

fn check(
    mistakes: &mut Vec<Diagnostic>,
    key: &str,
    name: &Located<String>,
    rule: &str,
    is_valid: impl Fn(&str) -> bool,
) {
    if !is_valid(&name.value) {
        mistakes.push(wrong(name, format!("`{key}` {:?} is not valid: {rule}", name.value)));
    }
}

fn wrong(name: &Located<String>, message: String) -> Diagnostic {
    Diagnostic::new("invalid_value", message, name.at).over(name.value.chars().count())
}

fn is_repository(text: &str) -> bool {
    let is_inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let is_end = |c: char| c != '-';
    (3..=63).contains(&text.len())
        && text.bytes().all(is_inner)
        && text.starts_with(is_end)
        && text.ends_with(is_end)
        && !text.contains("--")
}

fn is_branch(text: &str) -> bool {
    let is_inner = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    let is_commit = (8..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_hexdigit());
    (1..=200).contains(&text.len())
        && text.bytes().all(is_inner)
        && text != "."
        && !text.contains("..")
        && !text.ends_with(".lock")
        && !is_commit
}

fn is_model(text: &str) -> bool {
    let is_refused = |c: char| matches!(c, '/' | ':') || c.is_control();
    (1..=256).contains(&text.chars().count()) && !text.contains(is_refused) && !matches!(text, "." | "..")
}

fn is_alias(text: &str) -> bool {
    let is_inner = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
    let is_version =
        text.strip_prefix(['v', 'V']).is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit()));
    (1..=255).contains(&text.len()) && text.bytes().all(is_inner) && !text.eq_ignore_ascii_case("latest") && !is_version
}
