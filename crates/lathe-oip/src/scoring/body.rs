//! The JSON bodies of MLflow's scoring protocol: four forms of the inputs, and params.

use lathe_core::{Error, Result};
use lathe_serving::{Encoding, Given, Inputs, Table};
use serde_json::{Map, Value};

use super::columns::{from_nested, from_records, named};
use crate::json::{Json, take_field};
use crate::limits::{check_columns, check_rows};
use crate::names::check_distinct;

/// What a request asks.
#[derive(Debug, PartialEq)]
pub(crate) struct Scoring {
    pub(crate) inputs: Given,
    pub(crate) params: Map<String, Value>,
}

const SPLIT: &str = "dataframe_split";
const RECORDS: &str = "dataframe_records";
const INSTANCES: &str = "instances";
const INPUTS: &str = "inputs";
const FORMS: [&str; 4] = [SPLIT, RECORDS, INSTANCES, INPUTS];
const ONE_OF: &str = "The input must be a JSON dictionary with exactly one of the input fields \
                      {'dataframe_records', 'dataframe_split', 'inputs', 'instances'}";

/// Reads a body. Fields that are neither a form nor params are ignored, as MLflow does.
///
/// # Errors
/// `InvalidArgument` or `TooLarge`, mostly with MLflow's words.
pub(crate) fn parse_json(body: &[u8]) -> Result<Scoring> {
    let parsed = Json::parse(body).map_err(|error| {
        Error::invalid(format!("Invalid input. Ensure that input is a valid JSON formatted string. Error: '{error}'"))
            .with_source(error)
    })?;
    let mut fields = match parsed {
        Json::Object(fields) => fields,
        Json::List(_) => return Err(Error::invalid(format!("Invalid input. {ONE_OF}. Received a list."))),
        other => {
            let name = other.type_name();
            return Err(Error::invalid(format!("Invalid input. {ONE_OF}. Received unexpected input type '{name}'.")));
        }
    };
    let present: Vec<&str> = FORMS.into_iter().filter(|form| fields.iter().any(|(name, _)| name == form)).collect();
    let [form] = present.as_slice() else {
        let shown = present.iter().map(|name| format!("'{name}'")).collect::<Vec<_>>().join(", ");
        return Err(Error::invalid(format!("{ONE_OF}. Received dictionary with input fields: [{shown}].")));
    };
    let params = read_params(take_field(&mut fields, "params"))?;
    let value = take_field(&mut fields, form).unwrap_or(Json::Null);
    let inputs = match *form {
        SPLIT => Given { inputs: Inputs::Table(read_split(value)?), encoding: Encoding::Json },
        RECORDS => Given { inputs: Inputs::Table(read_records(value)?), encoding: Encoding::Json },
        // Here MLflow takes texts for bytes as they are.
        INSTANCES => read_instances(value)?.into(),
        _ => read_inputs(value)?.into(),
    };
    check_rows(inputs.rows())?;
    Ok(Scoring { inputs, params })
}

fn read_params(params: Option<Json>) -> Result<Map<String, Value>> {
    match params.map(Json::into_strict) {
        None | Some(Value::Null) => Ok(Map::new()),
        Some(Value::Object(params)) => Ok(params),
        Some(_) => Err(Error::invalid("Invalid input. params must be a dictionary.")),
    }
}

fn read_records(value: Json) -> Result<Table> {
    let rows = match value {
        Json::List(rows) => rows,
        Json::Object(_) => return Err(not_records("dictionary")),
        other => return Err(not_records(&format!("type {}", other.type_name()))),
    };
    from_records(rows).map_err(|error| invalid_frame("records", error))
}

fn not_records(what: &str) -> Error {
    Error::invalid(format!("Invalid input. Dataframe records format must be a list of records. Got {what}."))
}

fn invalid_frame(form: &str, error: Error) -> Error {
    Error::new(
        error.code(),
        format!(
            "Invalid input. Provided dataframe_{form} field is not a valid dataframe representation in '{form}' format. \
             Error: '{error}'"
        ),
    )
}

fn read_split(value: Json) -> Result<Table> {
    let mut fields = match value {
        Json::Object(fields) => fields,
        Json::List(_) => return Err(not_split("list")),
        other => return Err(not_split(&format!("type {}", other.type_name()))),
    };
    let is_known = |name: &str| ["columns", "data", "index"].contains(&name);
    if !fields.iter().any(|(name, _)| name == "data") || fields.iter().any(|(name, _)| !is_known(name)) {
        let got = fields.iter().map(|(name, _)| format!("'{name}'")).collect::<Vec<_>>().join(", ");
        return Err(Error::invalid(format!(
            "Invalid input. Dataframe split format must have 'data' field and optionally 'columns' and 'index' fields. \
             Got {{{got}}}."
        )));
    }
    let names = take_field(&mut fields, "columns");
    let data = take_field(&mut fields, "data").unwrap_or(Json::Null);
    split_table(names, data).map_err(|error| invalid_frame("split", error))
}

fn not_split(what: &str) -> Error {
    Error::invalid(format!("Invalid input. Dataframe split format must be a dictionary. Got {what}."))
}

fn split_table(names: Option<Json>, data: Json) -> Result<Table> {
    let Json::List(rows) = data else {
        return Err(Error::invalid("data must be a list of rows"));
    };
    check_rows(rows.len())?;
    let names = names.map_or(Ok(None), column_names)?;
    let width = match (&names, rows.first()) {
        (Some(names), _) => names.len(),
        (None, Some(Json::List(cells))) => cells.len(),
        (None, Some(_)) => 1,
        (None, None) => 0,
    };
    check_columns(width)?;
    let mut columns: Vec<Vec<Json>> = vec![Vec::with_capacity(rows.len()); width];
    for row in rows {
        // A bare value is a row of one column.
        let cells = if let Json::List(cells) = row { cells } else { vec![row] };
        if cells.len() != width {
            return Err(Error::invalid(format!("{width} columns passed, passed data had {} columns", cells.len())));
        }
        columns.iter_mut().zip(cells).for_each(|(column, cell)| column.push(cell));
    }
    let names = names.unwrap_or_else(|| (0..width).map(|at| at.to_string()).collect());
    Ok(named(names.into_iter().zip(columns).collect()))
}

fn column_names(names: Json) -> Result<Option<Vec<String>>> {
    let names = match names {
        Json::Null => return Ok(None),
        Json::List(names) => names,
        _ => return Err(Error::invalid("columns must be a list of names")),
    };
    let names = names.into_iter().map(|name| match name {
        Json::Text(name) => Ok(name),
        Json::Int(name) => Ok(name.to_string()),
        other => Err(Error::invalid(format!("a column's name may not be of type {}", other.type_name()))),
    });
    let names: Vec<String> = names.collect::<Result<_>>()?;
    check_distinct("column", names.iter().map(String::as_str))?;
    Ok(Some(names))
}

/// Row by row: objects, or the elements of an array.
fn read_instances(value: Json) -> Result<Inputs> {
    match value {
        Json::Object(fields) => {
            let lengths: Vec<usize> = fields.iter().filter_map(|(_, value)| list_length(value)).collect();
            if lengths.windows(2).any(|pair| pair.first() != pair.last()) {
                return Err(Error::invalid(
                    "Invalid input. The length of values for each input/column name are not the same",
                ));
            }
            read_columns(fields)
        }
        other => read_inputs(other),
    }
}

fn list_length(value: &Json) -> Option<usize> {
    if let Json::List(items) = value { Some(items.len()) } else { None }
}

/// Column by column, or an array; a list of objects is a table of theirs.
fn read_inputs(value: Json) -> Result<Inputs> {
    match value {
        Json::Object(fields) => read_columns(fields),
        Json::List(rows) if !rows.is_empty() && rows.iter().all(|row| matches!(row, Json::Object(_))) => {
            from_records(rows).map(Inputs::Table).map_err(invalid)
        }
        other => Ok(Inputs::Tensors(vec![from_nested(String::new(), &other).map_err(invalid)?])),
    }
}

/// Flat lists of one length are a table, bare values its only row; anything else is an array for each name.
fn read_columns(fields: Vec<(String, Json)>) -> Result<Inputs> {
    check_columns(fields.len())?;
    check_distinct("input", fields.iter().map(|(name, _)| name.as_str())).map_err(invalid)?;
    if fields.iter().all(|(_, value)| !matches!(value, Json::List(_))) {
        let columns = fields.into_iter().map(|(name, value)| (name, vec![value])).collect();
        return Ok(Inputs::Table(named(columns)));
    }
    let first = fields.first().and_then(|(_, value)| list_length(value));
    let is_table = fields.iter().all(|(_, value)| list_length(value) == first && is_flat(value));
    if is_table {
        let columns = fields.into_iter().map(|(name, value)| (name, items(value))).collect();
        return Ok(Inputs::Table(named(columns)));
    }
    let tensors = fields.iter().map(|(name, value)| from_nested(name.clone(), value));
    Ok(Inputs::Tensors(tensors.collect::<Result<_>>().map_err(invalid)?))
}

fn is_flat(value: &Json) -> bool {
    matches!(value, Json::List(items) if !items.iter().any(|item| matches!(item, Json::List(_))))
}

fn items(value: Json) -> Vec<Json> {
    if let Json::List(items) = value { items } else { vec![value] }
}

fn invalid(error: Error) -> Error {
    Error::new(error.code(), format!("Invalid input. {error}"))
}

#[cfg(test)]
mod tests {
    use lathe_serving::{Datatype, Values};
    use proptest::prelude::*;

    use super::*;

    fn table(body: &str) -> Vec<(String, Values)> {
        match parse_json(body.as_bytes()).unwrap().inputs.inputs {
            Inputs::Table(table) => table.columns.into_iter().map(|column| (column.name, column.values)).collect(),
            Inputs::Tensors(tensors) => panic!("{tensors:?}"),
        }
    }

    fn tensors(body: &str) -> Vec<(String, Datatype, Vec<i64>)> {
        match parse_json(body.as_bytes()).unwrap().inputs.inputs {
            Inputs::Tensors(tensors) => tensors.into_iter().map(|t| (t.name, t.datatype, t.shape)).collect(),
            Inputs::Table(table) => panic!("{table:?}"),
        }
    }

    fn refusal(body: &str) -> String {
        parse_json(body.as_bytes()).unwrap_err().message().to_owned()
    }

    #[test]
    fn the_three_forms_of_a_table_are_the_same_table() {
        let expected = vec![
            ("b".to_owned(), Values::Int64(vec![1, 2])),
            ("a".to_owned(), Values::Text(vec![Some("x".into()), None])),
        ];
        for body in [
            r#"{"dataframe_split": {"columns": ["b", "a"], "index": [7, 8], "data": [[1, "x"], [2, null]]}}"#,
            r#"{"dataframe_records": [{"b": 1, "a": "x"}, {"b": 2}]}"#,
            r#"{"instances": [{"b": 1, "a": "x"}, {"b": 2, "a": null}]}"#,
            r#"{"inputs": {"b": [1, 2], "a": ["x", null]}, "anything": 1}"#,
        ] {
            assert_eq!(table(body), expected, "{body}");
        }
    }

    #[test]
    fn columns_have_the_types_that_pandas_gives_them() {
        let of = |values: &str| table(&format!(r#"{{"inputs": {{"x": {values}}}}}"#)).remove(0).1;
        assert_eq!(of("[1, 2.5]"), Values::Float64(vec![1.0, 2.5]));
        assert!(matches!(of("[1, null]"), Values::Float64(values) if values[0] == 1.0 && values[1].is_nan()));
        assert!(matches!(of("[NaN, Infinity]"), Values::Float64(values) if values[1] == f64::INFINITY));
        assert_eq!(of("[true, false]"), Values::Bool(vec![true, false]));
        assert_eq!(of("[true, null]"), Values::Json(vec![Some("true".into()), None]));
        // What has no value has no type; a text that is missing may be written as NaN.
        assert_eq!(of("[null, null]"), Values::Json(vec![None, None]));
        assert_eq!(of(r#"["x", NaN]"#), Values::Text(vec![Some("x".into()), None]));
        assert_eq!(of("[true, NaN]"), Values::Json(vec![Some("true".into()), None]));
        assert_eq!(of(r#"[{"k": [1]}, "t"]"#), Values::Json(vec![Some(r#"{"k":[1]}"#.into()), Some("\"t\"".into())]));
        assert_eq!(of("7"), Values::Int64(vec![7]));
    }

    #[test]
    fn arrays_keep_shape_and_type() {
        let unnamed = |datatype, shape: &[i64]| vec![(String::new(), datatype, shape.to_vec())];
        assert_eq!(tensors(r#"{"inputs": [[1, 2], [3, 4]]}"#), unnamed(Datatype::Int64, &[2, 2]));
        assert_eq!(tensors(r#"{"instances": [1, 2.5]}"#), unnamed(Datatype::Fp64, &[2]));
        assert_eq!(tensors(r#"{"inputs": "hello"}"#), unnamed(Datatype::Bytes, &[]));
        assert_eq!(tensors(r#"{"instances": [[[true]]]}"#), unnamed(Datatype::Bool, &[1, 1, 1]));
        assert_eq!(
            tensors(r#"{"inputs": {"a": [[1, 2], [3, 4]], "b": [1, 2]}}"#),
            [("a".to_owned(), Datatype::Int64, vec![2, 2]), ("b".to_owned(), Datatype::Int64, vec![2])]
        );
    }

    #[test]
    fn what_mlflow_refuses_is_refused_in_its_words() {
        for (body, words) in [
            ("[]", "Received a list"),
            ("1", "Received unexpected input type 'int'"),
            ("{", "valid JSON formatted string"),
            ("{}", "Received dictionary with input fields: []"),
            (r#"{"x": 1}"#, "with exactly one of the input fields"),
            (r#"{"inputs": [1], "dataframe_split": {}}"#, "['dataframe_split', 'inputs']"),
            (r#"{"dataframe_split": []}"#, "must be a dictionary. Got list"),
            (r#"{"dataframe_split": {"columns": ["a"]}}"#, "must have 'data' field"),
            (r#"{"dataframe_split": {"data": [], "x": 1}}"#, "must have 'data' field"),
            (
                r#"{"dataframe_split": {"columns": ["a", "b"], "data": [[1]]}}"#,
                "2 columns passed, passed data had 1 columns",
            ),
            (r#"{"dataframe_split": {"columns": ["a", "a"], "data": [[1, 2]]}}"#, "stands twice"),
            (r#"{"dataframe_records": {}}"#, "must be a list of records. Got dictionary"),
            (r#"{"dataframe_records": [1]}"#, "not a valid dataframe representation in 'records' format"),
            (r#"{"instances": {"a": [1, 2], "b": [1]}}"#, "are not the same"),
            (r#"{"inputs": [[1], [2, 3]]}"#, "differ in length"),
            (r#"{"inputs": [true, "x"]}"#, "mixes types"),
            (r#"{"inputs": {"a": [1], "a": [2]}}"#, "stands twice"),
            (r#"{"inputs": [1], "params": 3}"#, "params must be a dictionary"),
        ] {
            assert!(refusal(body).contains(words), "{body}: {}", refusal(body));
        }
    }

    #[test]
    fn wide_and_long_at_once_is_refused_before_it_takes_memory() {
        let rows = (0..9_000).map(|at| format!(r#"{{"c{at}":1}}"#)).collect::<Vec<_>>().join(",");
        assert!(refusal(&format!(r#"{{"dataframe_records": [{rows}]}}"#)).contains("cells"));
    }

    fn any_body() -> impl Strategy<Value = String> {
        let value = "[\\[\\]{}:,\"a0-9.eEn NaInfitrul-]{0,40}";
        (prop::sample::select(FORMS.to_vec()), value).prop_map(|(form, value)| format!("{{\"{form}\":{value}}}"))
    }

    proptest! {
        #[test]
        fn no_body_makes_it_panic(body in any_body(), bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = parse_json(body.as_bytes());
            let _ = parse_json(&bytes);
        }

        #[test]
        fn split_rows_come_back_as_columns(rows in prop::collection::vec(prop::collection::vec(any::<i32>(), 3), 1..20)) {
            let body = serde_json::json!({ "dataframe_split": { "columns": ["a", "b", "c"], "data": rows } });
            let columns = table(&body.to_string());
            for (at, (_, values)) in columns.iter().enumerate() {
                let expected: Vec<i64> = rows.iter().map(|row| i64::from(row[at])).collect();
                prop_assert_eq!(values, &Values::Int64(expected));
            }
        }
    }
}
