//! Orders: `key`, `entity.key`, with ASC or DESC.

use lathe_core::{Error, Result};
use winnow::ascii::multispace0;
use winnow::prelude::*;

use crate::clause::Entity;
use crate::language::Language;
use crate::messages::{invalid_entity, invalid_order_key};
use crate::parse::identifier;

/// One key to sort by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Order {
    /// What kind of thing.
    pub entity: Entity,
    /// Which one.
    pub key: String,
    /// Smallest first.
    pub is_ascending: bool,
}

/// Parses one entry of an `order_by` list.
///
/// # Errors
/// `InvalidArgument`, with MLflow's message where its clients know one.
pub fn parse_order_by(language: &Language, text: &str) -> Result<Order> {
    let invalid = || Error::invalid(format!("Invalid ordering key in order_by clause '{text}'."));
    let unparsed = || Error::invalid(format!("Invalid order_by clause '{text}'. Could not be parsed."));
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(unparsed());
    }
    let (entity, key) = identifier.parse_next(&mut rest).map_err(|_: winnow::error::ContextError| invalid())?;
    let _: winnow::Result<&str> = multispace0.parse_next(&mut rest);
    let is_ascending = match rest.trim().to_ascii_uppercase().as_str() {
        "" | "ASC" => true,
        "DESC" => false,
        words if words.split_whitespace().count() > 1 => return Err(unparsed()),
        _ => return Err(invalid()),
    };
    let entity = match entity {
        None => Entity::Attribute,
        Some(word) => Entity::parse(word).ok_or_else(|| invalid_entity(language, word))?,
    };
    match entity {
        Entity::Attribute => {
            let attribute = language.sorted_attribute(&key).ok_or_else(|| invalid_order_key(language, &key))?;
            Ok(Order { entity, key: attribute.name.to_owned(), is_ascending })
        }
        _ if language.sortable.contains(&entity) => Ok(Order { entity, key, is_ascending }),
        _ => Err(Error::invalid(format!("Invalid order_by entity `{}` with key `{key}`", entity.as_str()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::RUNS;

    #[test]
    fn orders_are_read_with_their_direction() {
        let order = parse_order_by(&RUNS, "metrics.`a b` DESC").unwrap();
        assert_eq!(order, Order { entity: Entity::Metric, key: "a b".to_owned(), is_ascending: false });
        assert!(parse_order_by(&RUNS, "attributes.start_time asc").unwrap().is_ascending);
        assert_eq!(parse_order_by(&RUNS, "Created").unwrap().key, "start_time");
    }

    #[test]
    fn messages_are_those_that_clients_know() {
        let refused = |text| parse_order_by(&RUNS, text).unwrap_err().message().to_owned();
        assert_eq!(refused("metrics.s FOO"), "Invalid ordering key in order_by clause 'metrics.s FOO'.");
        assert!(refused("xx.y").starts_with("Invalid entity type 'xx'"));
    }
}
