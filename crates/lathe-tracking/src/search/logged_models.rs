//! Searches over logged models, as SQL.

use lathe_core::{Error, PageToken, Project, Result};
use lathe_db::Query;
use lathe_search::{Clause, Comparator, Entity, LOGGED_MODELS, parse_filter, push_text_comparison};

use super::experiments::push_experiment_ids;
use super::filter;
use crate::logged_models::{DatasetFilter, Direction, LoggedModelOrder, SearchLoggedModels};
use crate::store::search::{ColumnSql, number_operator, push_number_test};
use crate::{store, validate};

/// A page of logged models and one more.
pub(crate) fn select(
    project: &Project,
    request: &SearchLoggedModels,
    limit: usize,
    token: &PageToken,
) -> Result<Query> {
    let mut statement = store::logged_models::select();
    let order_by: Vec<(Order, Direction)> =
        request.order_by.iter().map(|order| Ok((parse_order(order)?, order.direction))).collect::<Result<_>>()?;
    for (place, (order, _)) in order_by.iter().enumerate() {
        if let Order::Metric(by) = order {
            push_metric_join(&mut statement, alias(place)?, by);
        }
    }
    statement.push(" WHERE m.project = ").push_bind(project.as_str()).push(" AND m.lifecycle_stage = 'active'");
    statement.push(" AND m.experiment IN ").push_list(request.experiment_ids.iter().map(|id| id.number()));
    let filter = request.filter.as_deref().unwrap_or_default();
    validate::no_nul("filter", filter)?;
    let clauses = parse_filter(&LOGGED_MODELS, filter)?;
    let mut has_metric = false;
    for clause in &clauses {
        statement.push(" AND ");
        has_metric |= push_clause(&mut statement, clause, &request.datasets)?;
    }
    if !has_metric && !request.datasets.is_empty() {
        statement.push(" AND EXISTS (SELECT 1 FROM logged_model_metrics f WHERE f.model_id = m.model_id");
        push_datasets(&mut statement, &request.datasets);
        statement.push(")");
    }
    statement.push(" ORDER BY ");
    for (place, (order, direction)) in order_by.iter().enumerate() {
        let (column, field) = match order {
            Order::Metric(_) => (alias(place)?, ".metric_value"),
            Order::Attribute(column) => (*column, ""),
        };
        statement.push("CASE WHEN ").push(column).push(field).push(" IS NULL THEN 1 ELSE 0 END, ");
        statement.push(column).push(field);
        statement.push(match direction {
            Direction::Ascending => " ASC, ",
            Direction::Descending => " DESC, ",
        });
    }
    let limit = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
    statement.push("m.created_at_ms DESC, m.model_id LIMIT ").push_bind(limit);
    statement.push(" OFFSET ").push_bind(token.offset_sql());
    Ok(statement)
}

enum Order<'a> {
    Attribute(ColumnSql),
    Metric(&'a LoggedModelOrder),
}

const ALIASES: [&str; 4] = ["o1", "o2", "o3", "o4"];

fn alias(place: usize) -> Result<&'static str> {
    ALIASES
        .get(place)
        .copied()
        .ok_or_else(|| Error::invalid(format!("order_by can have at most {} keys", ALIASES.len())))
}

fn parse_order(order: &LoggedModelOrder) -> Result<Order<'_>> {
    let name = &order.field_name;
    if let Some((entity, _)) = name.split_once('.') {
        return match entity {
            "metrics" => Ok(Order::Metric(order)),
            _ => Err(Error::invalid(format!("Invalid order by field name: {name}. Only metrics are supported."))),
        };
    }
    attribute(name).map(Order::Attribute).ok_or_else(|| Error::invalid(format!("Invalid order by field name: {name}")))
}

/// An attribute's column.
fn attribute(key: &str) -> Option<ColumnSql> {
    Some(match key {
        "name" => "m.name",
        "model_id" => "m.model_id",
        "model_type" => "m.model_type",
        "status" => "m.status",
        "source_run_id" => "m.source_run_id",
        "experiment_id" => "m.experiment",
        "creation_time" | "creation_timestamp" | "creation_timestamp_ms" => CREATED,
        "last_updated_time" | "last_updated_timestamp" | "last_updated_timestamp_ms" => UPDATED,
        _ => return None,
    })
}

const CREATED: ColumnSql = "m.created_at_ms";
const UPDATED: ColumnSql = "m.updated_at_ms";

/// Joins the newest value of a metric, on the asked dataset.
fn push_metric_join(statement: &mut Query, alias: &'static str, order: &LoggedModelOrder) {
    let key = order.field_name.split_once('.').map_or("", |(_, key)| key.trim_matches('`'));
    statement
        .push("LEFT JOIN (SELECT n.model_id, n.value AS metric_value FROM (SELECT model_id, value, ROW_NUMBER() OVER ");
    statement.push(
        "(PARTITION BY model_id ORDER BY timestamp_ms DESC, step DESC, run_id) AS place FROM logged_model_metrics ",
    );
    statement.push("WHERE key = ").push_bind(key);
    if let Some(name) = order.dataset_name.as_deref().filter(|name| !name.is_empty()) {
        statement.push(" AND dataset_name = ").push_bind(name);
    }
    if let Some(digest) = order.dataset_digest.as_deref().filter(|digest| !digest.is_empty()) {
        statement.push(" AND dataset_digest = ").push_bind(digest);
    }
    statement.push(") n WHERE n.place = 1) ").push(alias).push(" ON ").push(alias).push(".model_id = m.model_id ");
}

/// Adds a condition; answers whether it is one on a metric.
fn push_clause(statement: &mut Query, clause: &Clause, datasets: &[DatasetFilter]) -> Result<bool> {
    let Clause { entity, key, comparator, value } = clause;
    match entity {
        Entity::Metric => {
            let number = filter::number(key, value)?;
            statement.push("EXISTS (SELECT 1 FROM logged_model_metrics f WHERE f.model_id = m.model_id AND f.key = ");
            statement.push_bind(key).push(" AND (f.value").push(number_operator(*comparator)).push_bind(number);
            // NaN, which is NULL, differs from every number.
            statement.push(if *comparator == Comparator::NotEqual { " OR f.value IS NULL)" } else { ")" });
            push_datasets(statement, datasets);
            statement.push(")");
        }
        Entity::Param => push_text(statement, "logged_model_params", clause),
        Entity::Tag => push_text(statement, "logged_model_tags", clause),
        Entity::Attribute => match attribute(key).ok_or_else(|| filter::unknown("attribute", key))? {
            "m.experiment" => push_experiment_ids(statement, "m.experiment", *comparator, value)?,
            column @ (CREATED | UPDATED) => {
                push_number_test(statement, column, *comparator, filter::number(key, value)?);
            }
            column => push_text_comparison(statement, column, *comparator, value),
        },
        Entity::Dataset => return Err(filter::unknown("dataset", key)),
    }
    Ok(*entity == Entity::Metric)
}

fn push_text(statement: &mut Query, table: &'static str, clause: &Clause) {
    let Clause { entity: _, key, comparator, value } = clause;
    statement.push(if *comparator == Comparator::IsNull { "NOT EXISTS (" } else { "EXISTS (" });
    statement.push("SELECT 1 FROM ").push(table).push(" f WHERE f.model_id = m.model_id AND f.key = ").push_bind(key);
    if !matches!(comparator, Comparator::IsNull | Comparator::IsNotNull) {
        statement.push(" AND ");
        push_text_comparison(statement, "f.value", *comparator, value);
    }
    statement.push(")");
}

/// ` AND (…)`: the metric `f` is on one of these datasets.
fn push_datasets(statement: &mut Query, datasets: &[DatasetFilter]) {
    for (index, DatasetFilter { name, digest }) in datasets.iter().enumerate() {
        statement.push(if index == 0 { " AND ((" } else { " OR (" });
        statement.push("f.dataset_name = ").push_bind(name);
        if let Some(digest) = digest.as_deref().filter(|digest| !digest.is_empty()) {
            statement.push(" AND f.dataset_digest = ").push_bind(digest);
        }
        statement.push(")");
    }
    if !datasets.is_empty() {
        statement.push(")");
    }
}
