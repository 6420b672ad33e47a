//! Searches over experiments, as SQL.

use lathe_core::{Error, PageToken, Project, Result};
use lathe_db::Query;
use lathe_search::Value;

use super::filter::{self, ListsAllowed};
use crate::experiments::SearchExperiments;
use crate::store;
use crate::store::search::{ColumnSql, Comparator, TextTest, push_text_test};

/// A page of experiments and one more.
pub(crate) fn select(project: &Project, request: &SearchExperiments, token: &PageToken) -> Result<Query> {
    let mut statement = store::experiments::select();
    statement.push("WHERE e.project = ").push_bind(project.as_str());
    statement.push(" AND e.lifecycle_stage IN ").push_list(request.view.stages().iter().map(|stage| stage.as_str()));
    for clause in filter::parse_clauses(request.filter.as_deref())? {
        statement.push(" AND ");
        push_clause(&mut statement, &clause)?;
    }
    statement.push(" ORDER BY ");
    push_order(&mut statement, &request.order_by)?;
    statement.push(" LIMIT ").push_bind(request.max_results + 1).push(" OFFSET ").push_bind(token.offset_sql());
    Ok(statement)
}

fn push_clause(statement: &mut Query, clause: &lathe_search::Clause) -> Result<()> {
    use lathe_search::Comparator as Parsed;
    match clause.entity.as_deref() {
        Some("tag" | "tags") => {
            let is_missing = clause.comparator == Parsed::IsNull;
            statement.push(if is_missing { "NOT EXISTS (" } else { "EXISTS (" });
            statement.push("SELECT 1 FROM experiment_tags f WHERE f.project = e.project AND f.number = e.number AND f.key = ");
            statement.push_bind(&clause.key);
            if !matches!(clause.comparator, Parsed::IsNull | Parsed::IsNotNull) {
                statement.push(" AND ");
                push_text_test(statement, "f.value", &filter::text_test(clause, "tag", ListsAllowed::No)?);
            }
            statement.push(")");
            Ok(())
        }
        None | Some("attribute" | "attributes" | "attr") => push_attribute(statement, clause),
        Some(other) => Err(Error::invalid(format!(
            "Invalid entity type '{other}'. Valid values are ['tag', 'attribute']"
        ))),
    }
}

fn push_attribute(statement: &mut Query, clause: &lathe_search::Clause) -> Result<()> {
    let column = column(&clause.key)?;
    match clause.key.as_str() {
        "name" => push_text_test(statement, column, &filter::text_test(clause, "attribute", ListsAllowed::No)?),
        "experiment_id" => {
            let (is_in, ids) = match filter::text_test(clause, "attribute", ListsAllowed::Yes)? {
                TextTest::Compare(Comparator::Equal, id) => (true, vec![id]),
                TextTest::Compare(Comparator::NotEqual, id) => (false, vec![id]),
                TextTest::In(ids) => (true, ids),
                TextTest::NotIn(ids) => (false, ids),
                _ => return Err(Error::invalid("Invalid comparator for experiment_id: LIKE")),
            };
            let ids = ids.iter().map(|id| crate::ExperimentId::parse(id)).collect::<Result<Vec<_>>>()?;
            statement.push(column).push(if is_in { " IN " } else { " NOT IN " });
            statement.push_list(ids.into_iter().map(crate::ExperimentId::number));
        }
        key => {
            let comparator = filter::number_comparator(clause)?;
            let Value::Number(number) = clause.value else {
                return Err(Error::invalid(format!("Invalid value for numeric attribute '{key}': {:?}", clause.value)));
            };
            statement.push(column).push(comparator.as_sql()).push_bind(number);
        }
    }
    Ok(())
}

fn column(key: &str) -> Result<ColumnSql> {
    match key {
        "name" => Ok("e.name"),
        "experiment_id" => Ok("e.number"),
        "creation_time" => Ok("e.created_at_ms"),
        "last_update_time" => Ok("e.updated_at_ms"),
        _ => Err(Error::invalid(format!(
            "Invalid attribute key '{key}' specified. Valid keys are '{{'name', 'last_update_time', 'creation_time', \
             'experiment_id'}}'"
        ))),
    }
}

/// Newest first, then by number, unless asked otherwise.
fn push_order(statement: &mut Query, order_by: &[String]) -> Result<()> {
    let mut has_number = false;
    for text in order_by {
        let order = lathe_search::parse_order_by(text)?;
        if !matches!(order.entity.as_deref(), None | Some("attribute" | "attributes" | "attr")) {
            return Err(Error::invalid(format!("Invalid order_by entity: {}", order.entity.unwrap_or_default())));
        }
        let column = column(&order.key)?;
        has_number |= column == "e.number";
        statement.push(column).push(filter::direction(order.ascending).as_sql()).push(", ");
    }
    statement.push(match (order_by.is_empty(), has_number) {
        (true, _) => "e.created_at_ms DESC, e.number ASC",
        (false, false) => "e.number DESC",
        // A column twice is harmless and keeps the list's comma.
        (false, true) => "e.created_at_ms DESC",
    });
    Ok(())
}
