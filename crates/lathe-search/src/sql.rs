//! One text comparison that both databases read alike.

use lathe_db::Query;

use crate::clause::{Comparator, Value};

/// Appends ` <column> <comparison>` for a text column, binding the value.
///
/// `LIKE` has no escape character in MLflow's language: a backslash means itself. PostgreSQL would read it as an escape and
/// SQLite would not, so it is declared for both and doubled in the pattern.
pub fn push_text_comparison(q: &mut Query, column: &'static str, comparator: Comparator, value: &Value) {
    match (comparator, value) {
        (Comparator::Like, Value::Text(pattern)) => {
            q.push(column).push(" LIKE ").push_bind(pattern.replace('\\', "\\\\")).push(" ESCAPE '\\'");
        }
        (Comparator::Ilike, Value::Text(pattern)) => {
            q.push("lower(")
                .push(column)
                .push(") LIKE lower(")
                .push_bind(pattern.replace('\\', "\\\\"))
                .push(") ESCAPE '\\'");
        }
        (Comparator::In | Comparator::NotIn, Value::List(texts)) => {
            q.push(column).push(if comparator == Comparator::In { " IN " } else { " NOT IN " });
            q.push_list(texts.iter().map(String::as_str));
        }
        (Comparator::IsNull, _) => {
            q.push(column).push(" IS NULL");
        }
        (Comparator::IsNotNull, _) => {
            q.push(column).push(" IS NOT NULL");
        }
        (Comparator::NotEqual, Value::Text(text)) => {
            q.push(column).push(" <> ").push_bind(text.as_str());
        }
        (_, Value::Text(text)) => {
            q.push(column).push(" = ").push_bind(text.as_str());
        }
        // The parser gives texts to text keys only; nothing else can match one.
        (_, Value::None | Value::Number(_) | Value::List(_)) => {
            q.push("1 = 0");
        }
    }
}
