//! From the words of a filter and an order to a plan over runs: which entities and keys there are, and what each may be
//! compared with. Messages are MLflow's.

use lathe_core::{Ctx, Error, Result};
use lathe_search::{Clause, Value};

use crate::store::metrics::KeyIds;
use crate::store::search::{
    ColumnSql, Comparator, Condition, Direction, MAX_ORDER_KEYS, OrderKey, Plan, START_TIME, Scope, TextTest, Texts,
};
use crate::{Tracking, validate};

/// The longest filter, in bytes.
const MAX_FILTER_BYTES: usize = 100_000;
/// How many clauses a filter may have.
const MAX_CLAUSES: usize = 100;

/// What a clause or an order key speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Entity {
    Metric,
    Param,
    Tag,
    Attribute,
    Dataset,
}

/// Translates a search over runs.
pub(super) async fn plan_runs(
    ctx: &Ctx,
    tracking: &Tracking,
    scope: Scope,
    filter: Option<&str>,
    order_by: &[String],
) -> Result<Plan> {
    let clauses = parse_clauses(filter)?;
    if order_by.len() > MAX_ORDER_KEYS {
        return Err(Error::invalid(format!("order_by can have at most {MAX_ORDER_KEYS} keys, got {}", order_by.len())));
    }
    let orders = order_by.iter().map(|text| lathe_search::parse_order_by(text)).collect::<Result<Vec<_>>>()?;
    let mut metric_names = Vec::new();
    for (entity, key) in
        clauses.iter().map(|clause| (&clause.entity, &clause.key)).chain(orders.iter().map(|order| (&order.entity, &order.key)))
    {
        validate::no_nul("filter", key)?;
        if parse_entity(entity.as_deref())? == Entity::Metric {
            metric_names.push(key.as_str());
        }
    }
    let key_ids = tracking.find_keys(&ctx.project, metric_names).await?;
    let conditions = clauses.iter().map(|clause| condition(clause, &key_ids)).collect::<Result<Vec<_>>>()?;
    let mut order: Vec<(OrderKey, Direction)> = Vec::with_capacity(orders.len());
    for parsed in &orders {
        let key = order_key(parse_entity(parsed.entity.as_deref())?, &parsed.key, &key_ids)?;
        if order.iter().any(|(known, _)| *known == key) {
            return Err(Error::invalid(format!("`order_by` contains duplicate fields: {order_by:?}")));
        }
        order.push((key, direction(parsed.ascending)));
    }
    Ok(Plan { scope, conditions, order })
}

/// The clauses of a filter; none for no filter.
pub(super) fn parse_clauses(filter: Option<&str>) -> Result<Vec<Clause>> {
    let Some(text) = filter.filter(|text| !text.is_empty()) else { return Ok(Vec::new()) };
    validate::no_nul("filter", text)?;
    if text.len() > MAX_FILTER_BYTES {
        return Err(Error::invalid(format!("the filter is longer than {MAX_FILTER_BYTES} bytes; make it shorter")));
    }
    let clauses = lathe_search::parse_filter(text)?;
    if clauses.len() > MAX_CLAUSES {
        return Err(Error::invalid(format!("a filter can have at most {MAX_CLAUSES} clauses, got {}", clauses.len())));
    }
    Ok(clauses)
}

pub(super) fn direction(ascending: bool) -> Direction {
    if ascending { Direction::Ascending } else { Direction::Descending }
}

fn parse_entity(entity: Option<&str>) -> Result<Entity> {
    match entity {
        None | Some("attribute" | "attributes" | "attr" | "run") => Ok(Entity::Attribute),
        Some("metric" | "metrics") => Ok(Entity::Metric),
        Some("parameter" | "parameters" | "param" | "params") => Ok(Entity::Param),
        Some("tag" | "tags") => Ok(Entity::Tag),
        Some("dataset" | "datasets") => Ok(Entity::Dataset),
        Some(other) => Err(Error::invalid(format!(
            "Invalid entity type '{other}'. Valid values are ['metric', 'parameter', 'tag', 'attribute', 'dataset']"
        ))),
    }
}

/// A column of runs, and whether it holds numbers.
enum Attribute {
    Text(ColumnSql),
    Number(ColumnSql),
    RunId,
}

fn attribute(key: &str) -> Result<Attribute> {
    Ok(match key {
        "run_id" | "run_uuid" => Attribute::RunId,
        "run_name" | "run name" | "Run name" | "Run Name" => Attribute::Text("r.name"),
        "status" => Attribute::Text("r.status"),
        "user_id" => Attribute::Text("r.user_id"),
        "artifact_uri" => Attribute::Text("r.artifact_uri"),
        "lifecycle_stage" => Attribute::Text("r.lifecycle_stage"),
        "start_time" | "created" | "Created" => Attribute::Number(START_TIME),
        "end_time" => Attribute::Number("r.end_time_ms"),
        _ => {
            return Err(Error::invalid(format!(
                "Invalid attribute key '{key}' specified. Valid keys are '{{'run_id', 'run_name', 'status', 'user_id', \
                 'artifact_uri', 'start_time', 'end_time'}}'"
            )));
        }
    })
}

fn condition(clause: &Clause, key_ids: &KeyIds) -> Result<Condition> {
    let key = &clause.key;
    match parse_entity(clause.entity.as_deref())? {
        Entity::Metric => {
            let comparator = number_comparator(clause)?;
            let Value::Number(value) = clause.value else {
                return Err(Error::invalid(format!(
                    "Expected numeric value type for metric. Found {}",
                    value_text(&clause.value)
                )));
            };
            Ok(Condition::Metric { key_id: key_ids.get(key).copied(), comparator, value })
        }
        Entity::Param => text_condition(clause, Texts::Params, "parameter"),
        Entity::Tag => text_condition(clause, Texts::Tags, "tag"),
        Entity::Dataset => {
            let column = match key.as_str() {
                "name" => "f.name",
                "digest" => "f.digest",
                "context" => "f.context",
                _ => {
                    return Err(Error::invalid(format!(
                        "Invalid dataset key '{key}' specified. Valid keys are '{{'name', 'digest', 'context'}}'"
                    )));
                }
            };
            Ok(Condition::Dataset { column, test: text_test(clause, "dataset", ListsAllowed::Yes)? })
        }
        Entity::Attribute => match attribute(key)? {
            Attribute::Text(column) => {
                Ok(Condition::Attribute { column, test: text_test(clause, "attribute", ListsAllowed::No)? })
            }
            Attribute::RunId => match text_test(clause, "attribute", ListsAllowed::Yes)? {
                TextTest::Compare(Comparator::Equal, id) => Ok(Condition::RunIdIn(vec![id])),
                TextTest::In(ids) => Ok(Condition::RunIdIn(ids)),
                test => Ok(Condition::Attribute { column: "r.run_id", test }),
            },
            Attribute::Number(column) => {
                let comparator = number_comparator(clause)?;
                let Value::Number(value) = clause.value else {
                    return Err(Error::invalid(format!(
                        "Expected numeric value type for numeric attribute: {key}. Found {}",
                        value_text(&clause.value)
                    )));
                };
                Ok(Condition::Number { column, comparator, value })
            }
        },
    }
}

fn text_condition(clause: &Clause, texts: Texts, noun: &str) -> Result<Condition> {
    use lathe_search::Comparator as Parsed;
    let key = clause.key.clone();
    match clause.comparator {
        Parsed::IsNull => Ok(Condition::Has { texts, key, is_there: false }),
        Parsed::IsNotNull => Ok(Condition::Has { texts, key, is_there: true }),
        _ => Ok(Condition::Text { texts, key, test: text_test(clause, noun, ListsAllowed::No)? }),
    }
}

pub(super) fn number_comparator(clause: &Clause) -> Result<Comparator> {
    use lathe_search::Comparator as Parsed;
    Ok(match clause.comparator {
        Parsed::Equal => Comparator::Equal,
        Parsed::NotEqual => Comparator::NotEqual,
        Parsed::Less => Comparator::Less,
        Parsed::LessOrEqual => Comparator::LessOrEqual,
        Parsed::Greater => Comparator::Greater,
        Parsed::GreaterOrEqual => Comparator::GreaterOrEqual,
        other => {
            return Err(Error::invalid(format!(
                "Invalid comparator '{}' not one of '{{'>', '>=', '!=', '=', '<', '<='}}'",
                comparator_text(other)
            )));
        }
    })
}

/// Whether `IN` and `NOT IN` may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ListsAllowed {
    Yes,
    No,
}

pub(super) fn text_test(clause: &Clause, noun: &str, lists: ListsAllowed) -> Result<TextTest> {
    use lathe_search::Comparator as Parsed;
    let invalid = || {
        Error::invalid(format!(
            "Invalid comparator '{}' not one of '{{'!=', '=', 'IN', 'NOT IN', 'LIKE', 'ILIKE'}}'",
            comparator_text(clause.comparator)
        ))
    };
    match (clause.comparator, &clause.value) {
        (Parsed::In, Value::List(values)) if lists == ListsAllowed::Yes => Ok(TextTest::In(values.clone())),
        (Parsed::NotIn, Value::List(values)) if lists == ListsAllowed::Yes => Ok(TextTest::NotIn(values.clone())),
        (Parsed::Equal, Value::Text(text)) => Ok(TextTest::Compare(Comparator::Equal, text.clone())),
        (Parsed::NotEqual, Value::Text(text)) => Ok(TextTest::Compare(Comparator::NotEqual, text.clone())),
        (Parsed::Like, Value::Text(text)) => Ok(TextTest::Like(text.clone())),
        (Parsed::ILike, Value::Text(text)) => Ok(TextTest::LikeAnyCase(text.clone())),
        (Parsed::Equal | Parsed::NotEqual | Parsed::Like | Parsed::ILike, value) => Err(Error::invalid(format!(
            "Expected a quoted string value for {noun} (e.g. 'my-value'). Got value {}",
            value_text(value)
        ))),
        _ => Err(invalid()),
    }
}

fn order_key(entity: Entity, key: &str, key_ids: &KeyIds) -> Result<OrderKey> {
    Ok(match entity {
        Entity::Metric => OrderKey::Metric(key_ids.get(key).copied()),
        Entity::Param => OrderKey::Text(Texts::Params, key.to_owned()),
        Entity::Tag => OrderKey::Text(Texts::Tags, key.to_owned()),
        Entity::Attribute => OrderKey::Attribute(match attribute(key)? {
            Attribute::RunId => "r.run_id",
            Attribute::Text(column) | Attribute::Number(column) => column,
        }),
        Entity::Dataset => return Err(Error::invalid(format!("Invalid order_by entity 'dataset' with key '{key}'"))),
    })
}

fn comparator_text(comparator: lathe_search::Comparator) -> &'static str {
    use lathe_search::Comparator as Parsed;
    match comparator {
        Parsed::Equal => "=",
        Parsed::NotEqual => "!=",
        Parsed::Less => "<",
        Parsed::LessOrEqual => "<=",
        Parsed::Greater => ">",
        Parsed::GreaterOrEqual => ">=",
        Parsed::Like => "LIKE",
        Parsed::ILike => "ILIKE",
        Parsed::In => "IN",
        Parsed::NotIn => "NOT IN",
        Parsed::IsNull => "IS NULL",
        Parsed::IsNotNull => "IS NOT NULL",
    }
}

fn value_text(value: &Value) -> String {
    match value {
        Value::Number(number) => number.to_string(),
        Value::Text(text) => format!("'{text}'"),
        Value::List(texts) => format!("{texts:?}"),
        Value::None => "nothing".to_owned(),
    }
}
