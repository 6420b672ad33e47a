//! From the parsed clauses of a filter and the keys of an order to a plan over runs.

use lathe_core::{Ctx, Error, Result};
use lathe_search::{Clause, Comparator, Entity, Order, RUNS, Value, parse_filter, parse_order_by};

use crate::store::metrics::KeyIds;
use crate::store::search::{
    ColumnSql, Condition, Direction, MAX_ORDER_KEYS, OrderKey, Plan, START_TIME, Scope, TextTest, Texts,
};
use crate::{Tracking, validate};

/// Translates a search over runs.
pub(super) async fn plan_runs(
    ctx: &Ctx,
    tracking: &Tracking,
    scope: Scope,
    filter: Option<&str>,
    order_by: &[String],
) -> Result<Plan> {
    let filter = filter.unwrap_or_default();
    validate::no_nul("filter", filter)?;
    let clauses = parse_filter(&RUNS, filter)?;
    if order_by.len() > MAX_ORDER_KEYS {
        return Err(Error::invalid(format!("order_by can have at most {MAX_ORDER_KEYS} keys, got {}", order_by.len())));
    }
    let mut orders: Vec<Order> = Vec::with_capacity(order_by.len());
    for text in order_by {
        validate::no_nul("order_by", text)?;
        let order = parse_order_by(&RUNS, text)?;
        if orders.iter().any(|known| known.entity == order.entity && known.key == order.key) {
            let fields: Vec<String> = order_by.iter().map(|text| format!("'{text}'")).collect();
            return Err(Error::invalid(format!("`order_by` contains duplicate fields: [{}]", fields.join(", "))));
        }
        orders.push(order);
    }
    let filtered = clauses.iter().filter(|clause| clause.entity == Entity::Metric).map(|clause| clause.key.as_str());
    let ordered = orders.iter().filter(|order| order.entity == Entity::Metric).map(|order| order.key.as_str());
    let key_ids = tracking.find_keys(&ctx.project, filtered.chain(ordered)).await?;
    Ok(Plan {
        scope,
        conditions: clauses.into_iter().map(|clause| condition(clause, &key_ids)).collect::<Result<_>>()?,
        order: orders.into_iter().map(|order| order_key(order, &key_ids)).collect::<Result<_>>()?,
    })
}

fn condition(clause: Clause, key_ids: &KeyIds) -> Result<Condition> {
    let Clause { entity, key, comparator, value } = clause;
    Ok(match entity {
        Entity::Metric => {
            Condition::Metric { key_id: key_ids.get(&key).copied(), comparator, value: number(&key, &value)? }
        }
        Entity::Param => text_condition(Texts::Params, key, comparator, value),
        Entity::Tag => text_condition(Texts::Tags, key, comparator, value),
        Entity::Dataset => {
            let column = match key.as_str() {
                "name" => "f.name",
                "digest" => "f.digest",
                "context" => "f.context",
                _ => return Err(unknown("dataset", &key)),
            };
            Condition::Dataset { column, test: TextTest { comparator, value } }
        }
        Entity::Attribute => match (key.as_str(), comparator, value) {
            ("run_id", Comparator::Equal, Value::Text(id)) => Condition::RunIdIn(vec![id]),
            ("run_id", Comparator::In, Value::List(ids)) => Condition::RunIdIn(ids),
            ("start_time" | "end_time", _, value) => {
                Condition::Number { column: column(&key)?, comparator, value: number(&key, &value)? }
            }
            (_, _, value) => Condition::Attribute { column: column(&key)?, test: TextTest { comparator, value } },
        },
    })
}

fn text_condition(texts: Texts, key: String, comparator: Comparator, value: Value) -> Condition {
    match comparator {
        Comparator::IsNull => Condition::Has { texts, key, is_there: false },
        Comparator::IsNotNull => Condition::Has { texts, key, is_there: true },
        _ => Condition::Text { texts, key, test: TextTest { comparator, value } },
    }
}

/// The column of an attribute, by the name that the language gives it.
fn column(attribute: &str) -> Result<ColumnSql> {
    Ok(match attribute {
        "run_id" => "r.run_id",
        "run_name" => "r.name",
        "status" => "r.status",
        "user_id" => "r.user_id",
        "artifact_uri" => "r.artifact_uri",
        "start_time" => START_TIME,
        "end_time" => "r.end_time_ms",
        _ => return Err(unknown("attribute", attribute)),
    })
}

fn order_key(order: Order, key_ids: &KeyIds) -> Result<(OrderKey, Direction)> {
    let key = match order.entity {
        Entity::Metric => OrderKey::Metric(key_ids.get(&order.key).copied()),
        Entity::Param => OrderKey::Text(Texts::Params, order.key),
        Entity::Tag => OrderKey::Text(Texts::Tags, order.key),
        Entity::Attribute => OrderKey::Attribute(column(&order.key)?),
        Entity::Dataset => return Err(unknown("order_by", &order.key)),
    };
    Ok((key, direction(order.is_ascending)))
}

pub(super) fn direction(is_ascending: bool) -> Direction {
    if is_ascending { Direction::Ascending } else { Direction::Descending }
}

/// The number that a clause on a numeric key compares with.
pub(super) fn number(key: &str, value: &Value) -> Result<f64> {
    match value {
        Value::Number(number) => Ok(*number),
        _ => Err(Error::invalid(format!("Expected a number to compare '{key}' with"))),
    }
}

/// The language and this room disagree about what there is: refused, since the text came from a client.
pub(super) fn unknown(kind: &str, key: &str) -> Error {
    Error::invalid(format!("Invalid {kind} key '{key}' specified."))
}
