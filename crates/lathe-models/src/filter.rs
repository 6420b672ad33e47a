//! Clauses of the search language as SQL over this room's tables.

use lathe_core::{Error, Result};
use lathe_db::Query;
use lathe_search::{Clause, Comparator, Entity, Order, Value, push_text_comparison};

use crate::PROMPT_TAG;

/// How one kind of thing is searched.
pub(crate) struct Searched {
    /// The column of each attribute, with a table name before it.
    pub(crate) columns: &'static [(&'static str, &'static str)],
    /// `SELECT value FROM …` of the tag with the key that is bound next.
    pub(crate) tag_value: &'static str,
}

/// Appends ` AND …` for each clause. Prompts are found only by a search that asks for them, as MLflow's clients expect:
/// they add `tags.mlflow.prompt.is_prompt != 'true'` and mean also what has no such tag.
pub(crate) fn push_clauses(q: &mut Query, searched: &Searched, clauses: &[Clause]) -> Result<()> {
    let about_prompts = |clause: &&Clause| clause.entity == Entity::Tag && clause.key == PROMPT_TAG;
    let wants_prompts = clauses.iter().find(about_prompts).is_some_and(|clause| match &clause.value {
        Value::Text(text) => match clause.comparator {
            Comparator::Equal => text.eq_ignore_ascii_case("true"),
            Comparator::NotEqual => text.eq_ignore_ascii_case("false"),
            _ => false,
        },
        _ => false,
    });
    q.push(if wants_prompts { " AND EXISTS (" } else { " AND NOT EXISTS (" });
    q.push(searched.tag_value).push_bind(PROMPT_TAG).push(" AND t.value = 'true')");
    for clause in clauses.iter().filter(|clause| !about_prompts(clause)) {
        q.push(" AND ");
        match clause.entity {
            Entity::Tag => push_tag(q, searched, clause),
            Entity::Attribute => push_attribute(q, column(searched, &clause.key)?, clause),
            Entity::Metric | Entity::Param | Entity::Dataset => {
                return Err(Error::internal(format!("the language let a {} pass", clause.entity.as_str())));
            }
        }
    }
    Ok(())
}

fn column(searched: &Searched, key: &str) -> Result<&'static str> {
    let found = searched.columns.iter().find(|(name, _)| *name == key).map(|(_, column)| *column);
    found.ok_or_else(|| Error::internal(format!("attribute {key} has no column")))
}

fn push_attribute(q: &mut Query, column: &'static str, clause: &Clause) {
    match &clause.value {
        Value::Number(number) => {
            q.push(column).push(comparison(clause.comparator)).push_bind(*number);
        }
        value => push_text_comparison(q, column, clause.comparator, value),
    }
}

fn comparison(comparator: Comparator) -> &'static str {
    match comparator {
        Comparator::NotEqual => " <> ",
        Comparator::Less => " < ",
        Comparator::LessOrEqual => " <= ",
        Comparator::Greater => " > ",
        Comparator::GreaterOrEqual => " >= ",
        _ => " = ",
    }
}

fn push_tag(q: &mut Query, searched: &Searched, clause: &Clause) {
    let exists = if clause.comparator == Comparator::IsNull { "NOT EXISTS (" } else { "EXISTS (" };
    q.push(exists).push(searched.tag_value).push_bind(clause.key.as_str());
    if !matches!(clause.comparator, Comparator::IsNull | Comparator::IsNotNull) {
        q.push(" AND ");
        push_text_comparison(q, "t.value", clause.comparator, &clause.value);
    }
    q.push(")");
}

/// Appends ` ORDER BY …`, ending with `last`, so that pages never overlap.
pub(crate) fn push_order(q: &mut Query, searched: &Searched, orders: &[Order], last: &'static str) -> Result<()> {
    q.push(" ORDER BY ");
    for order in orders {
        q.push(column(searched, &order.key)?).push(if order.is_ascending { " ASC, " } else { " DESC, " });
    }
    q.push(last);
    Ok(())
}
