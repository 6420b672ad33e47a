//! Properties of the search language: whatever is written is refused or means what it says.

#![allow(clippy::unwrap_used, reason = "tests")]

use lathe_search::{Clause, Comparator, Entity, RUNS, Value, parse_filter, parse_order_by};
use proptest::prelude::*;

/// A key as people may quote it: anything but control characters.
fn key() -> impl Strategy<Value = String> {
    "[\\PC&&[^`]]{1,20}"
}

fn text_clause() -> impl Strategy<Value = Clause> {
    let entity = prop_oneof![Just(Entity::Param), Just(Entity::Tag)];
    let comparator = prop_oneof![
        Just(Comparator::Equal),
        Just(Comparator::NotEqual),
        Just(Comparator::Like),
        Just(Comparator::Ilike)
    ];
    (entity, key(), comparator, "[\\PC&&[^'\"]]{0,30}").prop_map(|(entity, key, comparator, text)| Clause {
        entity,
        key,
        comparator,
        value: Value::Text(text),
    })
}

fn metric_clause() -> impl Strategy<Value = Clause> {
    let comparator = prop_oneof![
        Just(Comparator::Equal),
        Just(Comparator::NotEqual),
        Just(Comparator::Less),
        Just(Comparator::LessOrEqual),
        Just(Comparator::Greater),
        Just(Comparator::GreaterOrEqual)
    ];
    (key(), comparator, -1e12..1e12_f64).prop_map(|(key, comparator, number)| Clause {
        entity: Entity::Metric,
        key,
        comparator,
        value: Value::Number(number),
    })
}

fn written(clause: &Clause) -> String {
    let entity = match clause.entity {
        Entity::Metric => "metrics",
        Entity::Param => "params",
        _ => "tags",
    };
    let value = match &clause.value {
        Value::Number(number) => format!("{number:?}"),
        Value::Text(text) => format!("'{text}'"),
        Value::None | Value::List(_) => String::new(),
    };
    format!("{entity}.`{}` {} {value}", clause.key, clause.comparator.as_str())
}

proptest! {
    /// No text makes the parser panic, and a refusal always says something.
    #[test]
    fn any_text_is_read_or_refused(text in ".{0,200}") {
        if let Err(error) = parse_filter(&RUNS, &text) {
            prop_assert!(!error.message().is_empty());
        }
        if let Err(error) = parse_order_by(&RUNS, &text) {
            prop_assert!(!error.message().is_empty());
        }
    }

    /// The same for texts that are nearly filters.
    #[test]
    fn any_words_of_the_language_are_read_or_refused(
        words in prop::collection::vec(
            prop::sample::select(vec![
                "metrics.a", "params.`b c`", "tags.\"d\"", "attributes.status", "run_id", "=", "!=", ">=", "<", "LIKE", "ILIKE", "IN",
                "NOT", "IS", "NULL", "AND", "OR", "'x'", "\"y\"", "(", ")", ",", "1", "-2.5e3", "nan", "'", "`", ".",
            ]),
            0..12,
        ),
    ) {
        if let Err(error) = parse_filter(&RUNS, &words.join(" ")) {
            prop_assert!(!error.message().is_empty());
        }
    }

    /// What is written is what is read, however many clauses, in any case of AND and with any space between.
    #[test]
    fn clauses_mean_what_they_say(
        clauses in prop::collection::vec(prop_oneof![text_clause(), metric_clause()], 1..8),
        and in prop::sample::select(vec![" AND ", " and ", "  And\n"]),
    ) {
        let text = clauses.iter().map(written).collect::<Vec<_>>().join(and);
        prop_assert_eq!(parse_filter(&RUNS, &text).unwrap(), clauses);
    }
}
