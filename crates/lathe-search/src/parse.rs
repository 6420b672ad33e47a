//! The grammar of filters: `identifier comparator value`, joined by AND.

use lathe_core::{Error, Result};
use winnow::ascii::{Caseless, multispace0, multispace1};
use winnow::combinator::{alt, delimited, eof, not, opt, peek, preceded, repeat, separated, terminated};
use winnow::prelude::*;
use winnow::token::{literal, one_of, take_till, take_while};

use crate::clause::{Clause, Entity, Value};
use crate::language::{Language, ValueType};

/// No person writes longer ones.
const MAX_BYTES: usize = 20_000;
const MAX_CLAUSES: usize = 100;
const MAX_LIST: usize = 1_000;

/// A clause as it is written, before the language has a say.
struct Written<'a> {
    entity: Option<&'a str>,
    key: String,
    comparator: String,
    value: WrittenValue,
}

enum WrittenValue {
    None,
    Number(String),
    Text(String),
    List(Vec<WrittenValue>),
}

/// Parses a filter; an empty text has no clauses.
///
/// # Errors
/// `InvalidArgument`, with MLflow's message where its clients know one.
pub fn parse_filter(language: &Language, text: &str) -> Result<Vec<Clause>> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    if text.len() > MAX_BYTES {
        return Err(Error::invalid(format!("the filter has {} bytes; at most {MAX_BYTES} are read", text.len())));
    }
    if text.trim().is_empty() {
        return Err(Error::invalid(format!("Invalid filter '{text}'. Could not be parsed.")));
    }
    let mut rest = text;
    let mut clauses = Vec::new();
    loop {
        let written = clause.parse_next(&mut rest).map_err(|_| invalid_clause(rest))?;
        clauses.push(check(language, written)?);
        if clauses.len() > MAX_CLAUSES {
            return Err(Error::invalid(format!("the filter has more than {MAX_CLAUSES} clauses")));
        }
        // MLflow's clients may leave an AND at the end.
        let is_joined = opt(and).parse_next(&mut rest).map_err(|_| invalid_clause(rest))?.is_some();
        if rest.trim().is_empty() {
            return Ok(clauses);
        }
        if !is_joined {
            return Err(invalid_clause(rest));
        }
    }
}

fn invalid_clause(rest: &str) -> Error {
    let rest = rest.trim();
    let first = rest.split_whitespace().next().unwrap_or_default();
    let shown = if first.eq_ignore_ascii_case("or") { first } else { rest };
    let shown: String = shown.chars().take(200).collect();
    Error::invalid(format!("Invalid clause(s) in filter string: '{shown}'"))
        .with_hint("write entity.key OP value, joined by AND; texts stand in single quotes")
}

fn and(input: &mut &str) -> winnow::Result<()> {
    (multispace1, Caseless("and"), peek(alt((multispace1, eof)))).void().parse_next(input)
}

fn clause<'a>(input: &mut &'a str) -> winnow::Result<Written<'a>> {
    multispace0.parse_next(input)?;
    let (entity, key) = identifier.parse_next(input)?;
    multispace0.parse_next(input)?;
    let comparator = comparator.parse_next(input)?;
    multispace0.parse_next(input)?;
    let value = match comparator.as_str() {
        "IS NULL" | "IS NOT NULL" => WrittenValue::None,
        "IN" | "NOT IN" => list.parse_next(input)?,
        _ => value.parse_next(input)?,
    };
    Ok(Written { entity, key, comparator, value })
}

/// `entity.key`, or a bare attribute. A key may hold dots, or anything at all in quotes.
pub(crate) fn identifier<'a>(input: &mut &'a str) -> winnow::Result<(Option<&'a str>, String)> {
    let entity = opt(terminated(bare_word_without_dot, '.')).parse_next(input)?;
    let key = alt((quoted_by('`'), quoted_by('"'), bare_key.map(str::to_owned))).parse_next(input)?;
    Ok((entity, key))
}

fn bare_word_without_dot<'a>(input: &mut &'a str) -> winnow::Result<&'a str> {
    take_while(1.., |c: char| c.is_alphanumeric() || c == '_').parse_next(input)
}

fn bare_key<'a>(input: &mut &'a str) -> winnow::Result<&'a str> {
    take_while(1.., |c: char| c.is_alphanumeric() || "_-./:@".contains(c)).parse_next(input)
}

fn quoted_by<'a>(quote: char) -> impl Parser<&'a str, String, winnow::error::ContextError> {
    // A doubled quote inside stands for one.
    let piece = move |input: &mut &'a str| -> winnow::Result<String> {
        alt((
            (quote, quote).map(move |_| quote.to_string()),
            take_till(1.., move |c| c == quote).map(|text: &str| text.to_owned()),
        ))
        .parse_next(input)
    };
    delimited(quote, repeat(0.., piece).map(|pieces: Vec<String>| pieces.concat()), quote)
}

fn comparator(input: &mut &str) -> winnow::Result<String> {
    let symbol =
        alt((literal("!="), literal("<="), literal(">="), literal("="), literal("<"), literal(">"))).map(str::to_owned);
    let keyword =
        |word: &'static str| terminated(Caseless(word), not(one_of(|c: char| c.is_alphanumeric() || c == '_')));
    let is_null = (keyword("is"), multispace1, opt(terminated(keyword("not"), multispace1)), keyword("null"))
        .map(|(_, _, not, _)| if not.is_some() { "IS NOT NULL".to_owned() } else { "IS NULL".to_owned() });
    let not_in = (keyword("not"), multispace1, keyword("in")).map(|_| "NOT IN".to_owned());
    // Any other word is taken as a comparator, so that the message can say that it is none.
    let word = take_while(1.., |c: char| c.is_ascii_alphabetic()).map(|word: &str| word.to_ascii_uppercase());
    alt((symbol, is_null, not_in, word)).parse_next(input)
}

fn value(input: &mut &str) -> winnow::Result<WrittenValue> {
    alt((
        quoted_by('\'').map(WrittenValue::Text),
        quoted_by('"').map(WrittenValue::Text),
        take_while(1.., |c: char| c.is_alphanumeric() || "+-._".contains(c))
            .map(|word: &str| WrittenValue::Number(word.to_owned())),
    ))
    .parse_next(input)
}

fn list(input: &mut &str) -> winnow::Result<WrittenValue> {
    let item = delimited(multispace0, value, multispace0);
    let items = terminated(separated(0..=MAX_LIST, item, ','), opt(preceded(',', multispace0)));
    delimited('(', items, preceded(multispace0, ')')).map(WrittenValue::List).parse_next(input)
}

fn check(language: &Language, written: Written<'_>) -> Result<Clause> {
    let Written { entity, key, comparator, value } = written;
    let entity = match entity {
        None => Entity::Attribute,
        Some(word) => Entity::parse(word)
            .filter(|entity| *entity == Entity::Attribute || language.comparators(*entity).is_some())
            .ok_or_else(|| invalid_entity(language, word))?,
    };
    let (key, value_type, allowed) = match entity {
        Entity::Attribute => {
            let attribute = language.attribute(&key).filter(|attribute| attribute.is_searchable).ok_or_else(|| {
                let known = language
                    .attributes
                    .iter()
                    .filter(|attribute| attribute.is_searchable)
                    .map(|attribute| attribute.name);
                invalid_attribute(&key, known)
            })?;
            (attribute.name.to_owned(), attribute.value_type, attribute.comparators)
        }
        Entity::Dataset if !language.dataset_keys.contains(&key.as_str()) => {
            return Err(Error::invalid(format!(
                "Invalid dataset key '{key}' specified. Valid keys are '{}'",
                set(language.dataset_keys.iter().copied())
            )));
        }
        Entity::Metric => (key, ValueType::Number, language.comparators(entity).unwrap_or_default()),
        Entity::Param | Entity::Tag | Entity::Dataset => {
            (key, ValueType::Text, language.comparators(entity).unwrap_or_default())
        }
    };
    let comparator = allowed.iter().copied().find(|known| known.as_str() == comparator).ok_or_else(|| {
        Error::invalid(format!(
            "Invalid comparator '{comparator}' not one of '{}'",
            set(allowed.iter().map(|known| known.as_str()))
        ))
    })?;
    let value = check_value(entity, value_type, value)?;
    Ok(Clause { entity, key, comparator, value })
}

pub(crate) fn invalid_entity(language: &Language, word: &str) -> Error {
    Error::invalid(format!("Invalid entity type '{word}'. Valid values are [{}]", language.entity_names()))
}

pub(crate) fn invalid_attribute(key: &str, known: impl Iterator<Item = &'static str>) -> Error {
    Error::invalid(format!("Invalid attribute key '{key}' specified. Valid keys are '{}'", set(known)))
}

/// A set as Python prints it, sorted.
fn set(names: impl Iterator<Item = &'static str>) -> String {
    let mut names: Vec<String> = names.map(|name| format!("'{name}'")).collect();
    names.sort();
    format!("{{{}}}", names.join(", "))
}

fn check_value(entity: Entity, value_type: ValueType, value: WrittenValue) -> Result<Value> {
    match (value_type, value) {
        (_, WrittenValue::None) => Ok(Value::None),
        (ValueType::Number, WrittenValue::Number(word)) => {
            let number: f64 = word.parse().map_err(|_| expected_number(entity, &word))?;
            Ok(Value::Number(number))
        }
        (ValueType::Number, WrittenValue::Text(text)) => Err(expected_number(entity, &format!("'{text}'"))),
        (ValueType::Number, WrittenValue::List(_)) => Err(expected_number(entity, "a list")),
        (ValueType::Text, WrittenValue::Text(text)) => Ok(Value::Text(text)),
        (ValueType::Text, WrittenValue::Number(word)) => Err(expected_text(entity, &word)),
        (ValueType::Text, WrittenValue::List(items)) => {
            let texts = items.into_iter().map(|item| match item {
                WrittenValue::Text(text) => Ok(text),
                WrittenValue::Number(word) => Err(expected_text(entity, &word)),
                WrittenValue::None | WrittenValue::List(_) => Err(expected_text(entity, "a list")),
            });
            let texts = texts.collect::<Result<Vec<_>>>()?;
            if texts.is_empty() {
                return Err(Error::invalid(
                    "While parsing a list in the query, expected a non-empty list of string values, but got an empty list",
                ));
            }
            Ok(Value::List(texts))
        }
    }
}

fn expected_number(entity: Entity, found: &str) -> Error {
    match entity {
        Entity::Metric => Error::invalid(format!("Expected numeric value type for metric. Found {found}")),
        _ => Error::invalid(format!("Expected numeric value type for numeric attribute. Found {found}")),
    }
}

fn expected_text(entity: Entity, found: &str) -> Error {
    Error::invalid(format!(
        "Expected a quoted string value for {} (e.g. 'my-value'). Got value {found}",
        entity.as_str()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clause::Comparator;
    use crate::language::{EXPERIMENTS, MODEL_VERSIONS, RUNS};

    fn refused(text: &str) -> String {
        parse_filter(&RUNS, text).unwrap_err().message().to_owned()
    }

    #[test]
    fn clauses_of_every_kind_are_read() {
        let clauses = parse_filter(
            &RUNS,
            "metrics.`a b/c` >= -1.5e-3 and params.\"lr.x\" LIKE '%1' AND tags.mlflow.user != 'o''k' AND status IN ('RUNNING', \"FAILED\",) AND tag.x IS NOT NULL",
        )
        .unwrap();
        let shown: Vec<_> = clauses.iter().map(|c| (c.entity, c.key.as_str(), c.comparator)).collect();
        assert_eq!(
            shown,
            [
                (Entity::Metric, "a b/c", Comparator::GreaterOrEqual),
                (Entity::Param, "lr.x", Comparator::Like),
                (Entity::Tag, "mlflow.user", Comparator::NotEqual),
                (Entity::Attribute, "status", Comparator::In),
                (Entity::Tag, "x", Comparator::IsNotNull),
            ]
        );
        assert_eq!(clauses[0].value, Value::Number(-0.0015));
        assert_eq!(clauses[2].value, Value::Text("o'k".to_owned()));
        assert_eq!(clauses[3].value, Value::List(vec!["RUNNING".to_owned(), "FAILED".to_owned()]));
    }

    #[test]
    fn messages_are_those_that_clients_know() {
        assert_eq!(refused("metrics.s > '1'"), "Expected numeric value type for metric. Found '1'");
        assert_eq!(
            refused("params.p = 1"),
            "Expected a quoted string value for parameter (e.g. 'my-value'). Got value 1"
        );
        assert_eq!(refused("metrics.s = 1 or metrics.s=2"), "Invalid clause(s) in filter string: 'or'");
        assert_eq!(
            refused("foo.bar='1'"),
            "Invalid entity type 'foo'. Valid values are ['metric', 'parameter', 'tag', 'attribute', 'dataset']"
        );
        assert_eq!(refused("  "), "Invalid filter '  '. Could not be parsed.");
        assert!(refused("params.p RLIKE 'x'").starts_with("Invalid comparator 'RLIKE' not one of"));
        let unknown = parse_filter(&MODEL_VERSIONS, "foo='m'").unwrap_err();
        assert_eq!(
            unknown.message(),
            "Invalid attribute key 'foo' specified. Valid keys are '{'name', 'run_id', 'source_path', 'version_number'}'"
        );
    }

    #[test]
    fn a_trailing_and_is_tolerated_and_case_does_not_matter() {
        assert_eq!(parse_filter(&RUNS, "metrics.s > 1 AND").unwrap().len(), 1);
        assert_eq!(parse_filter(&EXPERIMENTS, "name like 'e%' And tags.x ilike 'y'").unwrap().len(), 2);
        assert!(parse_filter(&RUNS, "").unwrap().is_empty());
    }

    #[test]
    fn a_word_that_begins_like_and_is_not_and() {
        assert!(parse_filter(&RUNS, "metrics.s > 1 ANDY").is_err());
    }
}
