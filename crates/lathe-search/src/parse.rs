//! The grammar of filters: `identifier comparator value`, joined by AND.

use lathe_core::{Error, Result};
use winnow::ascii::{Caseless, multispace0, multispace1};
use winnow::combinator::{alt, delimited, eof, not, opt, peek, preceded, repeat, separated, terminated};
use winnow::prelude::*;
use winnow::token::{one_of, take_till, take_while};

use crate::clause::{Clause, Entity, Value};
use crate::language::{Language, Thing, ValueType};
use crate::messages;

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
    /// A word without quotes, or in the wrong ones; whether it is a number is seen later.
    Bare(String),
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
        // MLflow's clients may leave an AND before, between and behind the clauses.
        let _: winnow::Result<()> = repeat(0.., and).parse_next(&mut rest);
        if rest.trim().is_empty() {
            return Ok(clauses);
        }
        let start = rest.trim_start();
        if let Some(found) = value_instead_of_key(start) {
            return Err(messages::not_an_identifier(found));
        }
        let is_negated = start.split_whitespace().next().is_some_and(|word| word.eq_ignore_ascii_case("not"));
        let written = if is_negated { None } else { clause.parse_next(&mut rest).ok() };
        let written = written.ok_or_else(|| messages::invalid_clause(language, text, start))?;
        clauses.push(check(language, written)?);
        if clauses.len() > MAX_CLAUSES {
            return Err(Error::invalid(format!("the filter has more than {MAX_CLAUSES} clauses")));
        }
        let is_ended = rest.trim().is_empty()
            || (rest.starts_with(char::is_whitespace) && peek(and).parse_next(&mut rest).is_ok());
        if !is_ended {
            return Err(messages::invalid_clause(language, text, rest));
        }
    }
}

/// A number or quoted text where a key should stand, up to its end.
fn value_instead_of_key(start: &str) -> Option<&str> {
    if start.starts_with(|c: char| c.is_ascii_digit()) {
        return start.split(|c: char| c.is_whitespace() || "=<>!".contains(c)).next();
    }
    let text = start.strip_prefix('\'')?;
    let end = text.find('\'')?;
    start.get(..end + 2)
}

fn and(input: &mut &str) -> winnow::Result<()> {
    (multispace0, Caseless("and"), peek(alt((multispace1, eof)))).void().parse_next(input)
}

fn clause<'a>(input: &mut &'a str) -> winnow::Result<Written<'a>> {
    multispace0.parse_next(input)?;
    let (entity, key) = identifier.parse_next(input)?;
    multispace0.parse_next(input)?;
    let comparator = comparator.parse_next(input)?;
    let value = match comparator.as_str() {
        "IS NULL" | "IS NOT NULL" => WrittenValue::None,
        "IN" | "NOT IN" => preceded(multispace0, list).parse_next(input)?,
        _ => preceded(multispace0, value).parse_next(input)?,
    };
    Ok(Written { entity, key, comparator, value })
}

/// `entity.key`, or a bare attribute. A key may hold dots, or anything at all in quotes; in those of a text only behind an entity.
pub(crate) fn identifier<'a>(input: &mut &'a str) -> winnow::Result<(Option<&'a str>, String)> {
    let entity = opt(terminated(bare_word_without_dot, '.')).parse_next(input)?;
    if entity.is_some()
        && let Some(key) = opt(quoted_by('\'')).parse_next(input)?
    {
        return Ok((entity, key));
    }
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
    // Any run of these signs is taken as a comparator, so that the message can say that it is none.
    let symbol = take_while(1.., |c: char| "=<>!".contains(c)).map(str::to_owned);
    let keyword =
        |word: &'static str| terminated(Caseless(word), not(one_of(|c: char| c.is_alphanumeric() || c == '_')));
    let is_null = (keyword("is"), multispace1, opt(terminated(keyword("not"), multispace1)), keyword("null"))
        .map(|(_, _, not, _)| if not.is_some() { "IS NOT NULL".to_owned() } else { "IS NULL".to_owned() });
    let not_in = (keyword("not"), multispace1, keyword("in")).map(|_| "NOT IN".to_owned());
    // And any other word.
    let word = take_while(1.., |c: char| c.is_ascii_alphabetic()).map(|word: &str| word.to_ascii_uppercase());
    alt((symbol, is_null, not_in, word)).parse_next(input)
}

fn value(input: &mut &str) -> winnow::Result<WrittenValue> {
    alt((
        quoted_by('\'').map(WrittenValue::Text),
        quoted_by('"').map(WrittenValue::Text),
        quoted_by('`').map(|text| WrittenValue::Bare(format!("`{text}`"))),
        take_while(1.., |c: char| c.is_alphanumeric() || "+-._".contains(c))
            .map(|word: &str| WrittenValue::Bare(word.to_owned())),
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
            .ok_or_else(|| messages::invalid_entity(language, word))?,
    };
    let (key, value_type, allowed) = match entity {
        Entity::Attribute => {
            let attribute =
                language.searched_attribute(&key).ok_or_else(|| messages::invalid_attribute(language, &key))?;
            (attribute.name.to_owned(), attribute.value_type, attribute.comparators)
        }
        Entity::Dataset if !language.dataset_keys.contains(&key.as_str()) => {
            return Err(messages::invalid_dataset_key(language, &key));
        }
        Entity::Metric => (key, ValueType::Number, language.comparators(entity).unwrap_or_default()),
        Entity::Param | Entity::Tag | Entity::Dataset => {
            (key, ValueType::Text, language.comparators(entity).unwrap_or_default())
        }
    };
    let value = check_value(language, (entity, &key, value_type), value)?;
    let comparator = allowed
        .iter()
        .copied()
        .find(|known| known.as_str() == comparator)
        .ok_or_else(|| messages::invalid_comparator(language, (entity, &key, value_type), &comparator, allowed))?;
    Ok(Clause { entity, key, comparator, value })
}

fn check_value(
    language: &Language,
    (entity, key, value_type): (Entity, &str, ValueType),
    value: WrittenValue,
) -> Result<Value> {
    match (value_type, value) {
        (_, WrittenValue::None) => Ok(Value::None),
        (ValueType::Number, WrittenValue::Bare(word)) => {
            number(&word).map(Value::Number).ok_or_else(|| messages::expected_number(entity, key, &word))
        }
        (ValueType::Number, WrittenValue::Text(text)) => match number(&text) {
            // A version's number is a text everywhere else on the wire.
            Some(number) if language.thing == Thing::ModelVersions => Ok(Value::Number(number)),
            _ => Err(messages::expected_number(entity, key, &format!("'{text}'"))),
        },
        (ValueType::Number, WrittenValue::List(_)) => Err(messages::expected_number(entity, key, "a list")),
        (ValueType::Text, WrittenValue::Text(text)) => Ok(Value::Text(text)),
        (ValueType::Text, WrittenValue::Bare(word)) => Err(messages::expected_text(entity, &word)),
        (ValueType::Text, WrittenValue::List(items)) => check_list(items).map(Value::List),
    }
}

fn check_list(items: Vec<WrittenValue>) -> Result<Vec<String>> {
    let are_texts = items.iter().all(|item| matches!(item, WrittenValue::Text(_)));
    let words: Vec<String> = items
        .into_iter()
        .map(|item| match item {
            WrittenValue::Text(text) if are_texts => text,
            WrittenValue::Text(text) => messages::quoted(&text),
            WrittenValue::Bare(word) => word,
            WrittenValue::None | WrittenValue::List(_) => "()".to_owned(),
        })
        .collect();
    match (words.is_empty(), are_texts) {
        (true, _) => Err(messages::empty_list()),
        (false, true) => Ok(words),
        (false, false) => Err(messages::list_of_other_things(&words)),
    }
}

/// A number in digits: `inf` and `nan` are words.
fn number(word: &str) -> Option<f64> {
    let is_in_digits = word.trim_start_matches(['+', '-']).starts_with(|c: char| c.is_ascii_digit() || c == '.');
    if is_in_digits { word.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clause::Comparator;
    use crate::language::{EXPERIMENTS, LOGGED_MODELS, MODEL_VERSIONS, RUNS};

    fn refused(text: &str) -> String {
        parse_filter(&RUNS, text).unwrap_err().message().to_owned()
    }

    #[test]
    fn clauses_of_every_kind_are_read() {
        let clauses = parse_filter(
            &RUNS,
            "metrics.`a b/c` >= -1.5e-3 and params.\"lr.x\" LIKE '%1' AND tags.mlflow.user != 'o''k' AND tag.x IS NOT NULL AND params.'a b' IS NULL AND status IN ('RUNNING', \"FAILED\",) AND tag.y IS NULL",
        )
        .unwrap();
        let shown: Vec<_> = clauses.iter().map(|c| (c.entity, c.key.as_str(), c.comparator)).collect();
        assert_eq!(
            shown,
            [
                (Entity::Metric, "a b/c", Comparator::GreaterOrEqual),
                (Entity::Param, "lr.x", Comparator::Like),
                (Entity::Tag, "mlflow.user", Comparator::NotEqual),
                (Entity::Tag, "x", Comparator::IsNotNull),
                (Entity::Param, "a b", Comparator::IsNull),
                (Entity::Attribute, "status", Comparator::In),
                (Entity::Tag, "y", Comparator::IsNull),
            ]
        );
        assert_eq!(clauses[0].value, Value::Number(-0.0015));
        assert_eq!(clauses[2].value, Value::Text("o'k".to_owned()));
        assert_eq!(clauses[5].value, Value::List(vec!["RUNNING".to_owned(), "FAILED".to_owned()]));
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
        assert!(refused("metrics.s == 1").starts_with("Invalid comparator '==' not one of"));
        assert_eq!(refused("metrics.s > inf"), "Expected numeric value type for metric. Found inf");
        assert_eq!(
            refused("start_time > '1'"),
            "Expected numeric value type for numeric attribute: start_time. Found '1'"
        );
        assert_eq!(refused("1 = 1"), "Invalid comparison clause. Expected 'Identifier' found '1'");
        assert_eq!(refused("'a'='a'"), "Invalid comparison clause. Expected 'Identifier' found ''a''");
        assert!(refused("run_id IN (1, 'x')").ends_with("but got different type in list: (1, 'x')"));
        assert!(refused("run_id IN (1)").ends_with("(1,)"));
        assert!(refused("run_id IN ()").ends_with("but got empty list"));
        assert!(refused("metrics.s IS NULL").ends_with("not for 'metric' 's'"));
        assert!(refused("params.p = `1`").ends_with("string value `1`. Use either single or double quotes."));
        let unknown = parse_filter(&MODEL_VERSIONS, "foo='m'").unwrap_err();
        assert_eq!(
            unknown.message(),
            "Invalid attribute key 'foo' specified. Valid keys are '{'name', 'run_id', 'source_path', 'version_number'}'"
        );
    }

    #[test]
    fn clauses_that_are_none_are_named_as_they_are_written() {
        let clauses = |text| refused(text).split_once("filter string: ").unwrap().1.to_owned();
        assert_eq!(clauses("metrics.s >"), "'metrics.s', '>'");
        assert_eq!(clauses("metrics.s > 1 AND > 1"), "'>', '1'");
        assert_eq!(clauses("(metrics.s > 0)"), "'(metrics.s > 0)'");
        assert_eq!(clauses("NOT metrics.s > 0"), "'NOT'");
        assert_eq!(clauses("metrics.s > 0 -- comment"), "'-- comment'");
        assert!(
            refused("metrics.s > 0; SELECT 1").starts_with("Search filter contained multiple expression 'metrics.s")
        );
        let other = |language, text| parse_filter(language, text).unwrap_err().message().to_owned();
        assert_eq!(other(&EXPERIMENTS, "name='a' OR name='b'"), "Invalid clause(s) in filter string: OR");
        assert!(
            other(&LOGGED_MODELS, "name = 'a' OR x = 'b'")
                .starts_with("Invalid filter string: \"name = 'a' OR x = 'b'\".")
        );
        assert_eq!(other(&MODEL_VERSIONS, "name > 'a'"), "Invalid comparator for attribute: >");
    }

    #[test]
    fn the_number_of_a_version_may_stand_in_quotes() {
        assert_eq!(parse_filter(&MODEL_VERSIONS, "version_number = '2'").unwrap()[0].value, Value::Number(2.0));
        assert!(parse_filter(&MODEL_VERSIONS, "version_number = 'x'").is_err());
    }

    #[test]
    fn a_spare_and_is_tolerated_and_case_does_not_matter() {
        assert_eq!(parse_filter(&RUNS, "metrics.s > 1 AND").unwrap().len(), 1);
        assert_eq!(parse_filter(&RUNS, "AND metrics.s > 1 AND AND params.p = '1'").unwrap().len(), 2);
        assert_eq!(parse_filter(&EXPERIMENTS, "name like 'e%' And tags.x ilike 'y'").unwrap().len(), 2);
        assert!(parse_filter(&RUNS, "").unwrap().is_empty());
    }

    #[test]
    fn a_word_that_begins_like_and_is_not_and() {
        assert!(parse_filter(&RUNS, "metrics.s > 1 ANDY").is_err());
    }
}
