//! What a refused filter or order is told, in MLflow's words: its clients show them to people, and some match on them.

use lathe_core::Error;

use crate::clause::{Comparator, Entity};
use crate::language::{Language, Thing, ValueType};

/// How much of a filter a message repeats.
const MAX_SHOWN_CHARACTERS: usize = 200;

/// A clause that is none. `rest` begins with it.
pub(crate) fn invalid_clause(language: &Language, filter: &str, rest: &str) -> Error {
    if language.thing == Thing::LoggedModels {
        return Error::invalid(format!(
            "Invalid filter string: {}. Expected a list of comparisons separated by 'AND' (e.g. 'metrics.loss > 0.1 AND \
             params.lr = 0.01').",
            quoted(filter)
        ));
    }
    let rest = rest.trim();
    if rest.starts_with(';') {
        return Error::invalid(format!(
            "Search filter contained multiple expression {}. Provide AND-ed expression list.",
            quoted(filter)
        ));
    }
    let parts: Vec<String> = match rest.split_whitespace().next() {
        Some(word) if word.eq_ignore_ascii_case("or") || word.eq_ignore_ascii_case("not") => vec![word.to_owned()],
        _ if rest.starts_with('(') || rest.starts_with("--") => vec![shorten(rest)],
        _ => shorten(rest)
            .split_whitespace()
            .filter(|word| !word.eq_ignore_ascii_case("and"))
            .map(str::to_owned)
            .collect(),
    };
    let parts: Vec<String> = match language.thing {
        Thing::Runs => parts.into_iter().map(|part| format!("'{part}'")).collect(),
        _ => parts,
    };
    Error::invalid(format!("Invalid clause(s) in filter string: {}", parts.join(", ")))
}

/// A value stands where the key should.
pub(crate) fn not_an_identifier(found: &str) -> Error {
    Error::invalid(format!("Invalid comparison clause. Expected 'Identifier' found '{found}'"))
}

pub(crate) fn invalid_entity(language: &Language, word: &str) -> Error {
    Error::invalid(match language.thing {
        Thing::LoggedModels => {
            format!("Invalid entity type: '{word}'. Expected one of ['attributes', 'metrics', 'params', 'tags'].")
        }
        _ => format!("Invalid entity type '{word}'. Valid values are [{}]", language.entity_names()),
    })
}

/// An attribute that filters do not know.
pub(crate) fn invalid_attribute(language: &Language, key: &str) -> Error {
    let searchable = language.attributes.iter().filter(|attribute| attribute.is_searchable);
    let names = searchable.flat_map(|attribute| {
        [attribute.name]
            .into_iter()
            .chain(attribute.aliases.iter().copied())
            .chain(attribute.filter_aliases.iter().copied())
    });
    Error::invalid(format!("Invalid attribute key '{key}' specified. Valid keys are '{}'", set(names)))
}

/// An attribute that orders do not know.
pub(crate) fn invalid_order_key(language: &Language, key: &str) -> Error {
    if language.thing == Thing::RegisteredModels {
        return Error::invalid(format!(
            "Invalid order by key '{key}' specified. Valid keys are '{}'",
            set(["name", "timestamp"].into_iter())
        ));
    }
    let sortable = language.attributes.iter().filter(|attribute| attribute.is_sortable);
    let names = sortable.flat_map(|attribute| [attribute.name].into_iter().chain(attribute.aliases.iter().copied()));
    Error::invalid(format!("Invalid attribute key '{key}' specified. Valid keys are '{}'", set(names)))
}

pub(crate) fn invalid_dataset_key(language: &Language, key: &str) -> Error {
    Error::invalid(format!(
        "Invalid dataset key '{key}' specified. Valid keys are '{}'",
        set(language.dataset_keys.iter().copied())
    ))
}

/// A comparator that the key does not allow.
pub(crate) fn invalid_comparator(
    language: &Language,
    (entity, key, value_type): (Entity, &str, ValueType),
    written: &str,
    allowed: &[Comparator],
) -> Error {
    let names = || allowed.iter().map(|known| known.as_str());
    Error::invalid(match (language.thing, entity) {
        (Thing::RegisteredModels | Thing::ModelVersions, _) if value_type == ValueType::Number => {
            format!("Invalid comparator for attribute {key}: {written}")
        }
        (Thing::RegisteredModels | Thing::ModelVersions, _) => {
            format!("Invalid comparator for {}: {written}", entity.as_str())
        }
        (Thing::LoggedModels, _) => {
            let names: Vec<String> = names().map(|name| format!("'{name}'")).collect();
            format!(
                "Invalid comparison operator for {}.{key}: '{written}'. Expected one of ({}).",
                plural(entity),
                names.join(", ")
            )
        }
        (Thing::Runs, _) if matches!(written, "IS NULL" | "IS NOT NULL") => format!(
            "IS NULL / IS NOT NULL is only supported for tags and params, not for '{}' '{key}'",
            entity.as_str()
        ),
        // MLflow leaves the last quote out.
        (_, Entity::Metric | Entity::Tag) => format!("Invalid comparator '{written}' not one of '{}", set(names())),
        _ => format!("Invalid comparator '{written}' not one of '{}'", set(names())),
    })
}

pub(crate) fn expected_number(entity: Entity, key: &str, found: &str) -> Error {
    match entity {
        Entity::Metric => Error::invalid(format!("Expected numeric value type for metric. Found {found}")),
        _ => Error::invalid(format!("Expected numeric value type for numeric attribute: {key}. Found {found}")),
    }
}

pub(crate) fn expected_text(entity: Entity, found: &str) -> Error {
    if found.starts_with('`') {
        return Error::invalid(format!(
            "Parameter value is either not quoted or unidentified quote types used for string value {found}. Use either \
             single or double quotes."
        ));
    }
    Error::invalid(format!(
        "Expected a quoted string value for {} (e.g. 'my-value'). Got value {found}",
        entity.as_str()
    ))
}

pub(crate) fn empty_list() -> Error {
    Error::invalid("While parsing a list in the query, expected a non-empty list of string values, but got empty list")
}

/// A list whose items are not all texts; `items` are spelled as Python spells them.
pub(crate) fn list_of_other_things(items: &[String]) -> Error {
    let comma = if items.len() == 1 { "," } else { "" };
    Error::invalid(format!(
        "While parsing a list in the query, expected string value, punctuation, or whitespace, but got different type in \
         list: ({}{comma})",
        items.join(", ")
    ))
}

fn plural(entity: Entity) -> &'static str {
    match entity {
        Entity::Metric => "metrics",
        Entity::Param => "params",
        Entity::Tag => "tags",
        Entity::Attribute => "attributes",
        Entity::Dataset => "datasets",
    }
}

/// A set as Python prints it, sorted.
fn set(names: impl Iterator<Item = &'static str>) -> String {
    let mut names: Vec<String> = names.map(|name| format!("'{name}'")).collect();
    names.sort();
    format!("{{{}}}", names.join(", "))
}

/// A text in quotes, as Python prints it.
pub(crate) fn quoted(text: &str) -> String {
    let shown = shorten(text);
    if shown.contains('\'') && !shown.contains('"') { format!("\"{shown}\"") } else { format!("'{shown}'") }
}

fn shorten(text: &str) -> String {
    text.chars().take(MAX_SHOWN_CHARACTERS).collect()
}
