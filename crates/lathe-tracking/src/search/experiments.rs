//! Searches over experiments, as SQL.

use lathe_core::{Error, PageToken, Project, Result};
use lathe_db::Query;
use lathe_search::{
    Clause, Comparator, EXPERIMENTS, Entity, Value, parse_filter, parse_order_by, push_text_comparison,
};

use super::filter;
use crate::experiments::SearchExperiments;
use crate::store::search::{ColumnSql, push_number_test};
use crate::{ExperimentId, store, validate};

/// A page of experiments and one more.
pub(crate) fn select(project: &Project, request: &SearchExperiments, token: &PageToken) -> Result<Query> {
    let filter = request.filter.as_deref().unwrap_or_default();
    validate::no_nul("filter", filter)?;
    let mut statement = store::experiments::select();
    statement.push("WHERE e.project = ").push_bind(project.as_str());
    statement.push(" AND e.lifecycle_stage IN ").push_list(request.view.stages().iter().map(|stage| stage.as_str()));
    for clause in parse_filter(&EXPERIMENTS, filter)? {
        statement.push(" AND ");
        push_clause(&mut statement, &clause)?;
    }
    statement.push(" ORDER BY ");
    push_order(&mut statement, &request.order_by)?;
    statement.push(" LIMIT ").push_bind(request.max_results + 1).push(" OFFSET ").push_bind(token.offset_sql());
    Ok(statement)
}

fn push_clause(statement: &mut Query, clause: &Clause) -> Result<()> {
    let Clause { entity, key, comparator, value } = clause;
    match (entity, key.as_str()) {
        (Entity::Tag, _) => {
            statement.push(if *comparator == Comparator::IsNull { "NOT EXISTS (" } else { "EXISTS (" });
            statement.push(
                "SELECT 1 FROM experiment_tags f WHERE f.project = e.project AND f.number = e.number AND f.key = ",
            );
            statement.push_bind(key);
            if !matches!(comparator, Comparator::IsNull | Comparator::IsNotNull) {
                statement.push(" AND ");
                push_text_comparison(statement, "f.value", *comparator, value);
            }
            statement.push(")");
        }
        (Entity::Attribute, "name") => push_text_comparison(statement, "e.name", *comparator, value),
        (Entity::Attribute, "experiment_id") => push_experiment_ids(statement, "e.number", *comparator, value)?,
        (Entity::Attribute, _) => {
            push_number_test(statement, column(key)?, *comparator, filter::number(key, value)?);
        }
        _ => return Err(filter::unknown(entity.as_str(), key)),
    }
    Ok(())
}

/// A test of a column of experiment numbers against texts.
pub(super) fn push_experiment_ids(
    statement: &mut Query,
    column: ColumnSql,
    comparator: Comparator,
    value: &Value,
) -> Result<()> {
    let ids = match value {
        Value::Text(id) => std::slice::from_ref(id),
        Value::List(ids) => ids,
        Value::None | Value::Number(_) => &[],
    };
    let numbers = ids.iter().map(|id| ExperimentId::parse(id).map(ExperimentId::number)).collect::<Result<Vec<_>>>()?;
    statement.push(column).push(match comparator {
        Comparator::Equal | Comparator::In => " IN ",
        Comparator::NotEqual | Comparator::NotIn => " NOT IN ",
        other => {
            return Err(Error::invalid(format!("Invalid comparator for experiment_id: {}", other.as_str())));
        }
    });
    statement.push_list(numbers);
    Ok(())
}

fn column(key: &str) -> Result<ColumnSql> {
    match key {
        "name" => Ok("e.name"),
        "experiment_id" => Ok("e.number"),
        "creation_time" => Ok("e.created_at_ms"),
        "last_update_time" => Ok("e.updated_at_ms"),
        _ => Err(filter::unknown("attribute", key)),
    }
}

/// Newest first, then by number, unless asked otherwise.
fn push_order(statement: &mut Query, order_by: &[String]) -> Result<()> {
    if order_by.is_empty() {
        statement.push("e.created_at_ms DESC, e.number ASC");
        return Ok(());
    }
    for text in order_by {
        let order = parse_order_by(&EXPERIMENTS, text)?;
        statement.push(column(&order.key)?).push(filter::direction(order.is_ascending).as_sql()).push(", ");
    }
    // Decides between equals; where the number was asked for already, it decides nothing more.
    statement.push("e.number DESC");
    Ok(())
}
