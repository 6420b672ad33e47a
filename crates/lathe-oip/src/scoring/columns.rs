//! Columns and arrays from JSON values, with the types that pandas and NumPy give them.

use std::collections::HashMap;

use bytes::Bytes;
use lathe_core::{Error, Result};
use lathe_serving::{Column, Datatype, Table, Tensor, Values};

use crate::json::{self, Json};
use crate::limits::{check_columns, check_rows};
use crate::tensors::push_byte_string;

/// The kinds of values that were seen in a column.
#[derive(Debug, Default, Clone, Copy)]
struct Seen {
    missing: bool,
    bools: bool,
    ints: bool,
    floats: bool,
    texts: bool,
    others: bool,
    nans: bool,
}

impl Seen {
    fn of(values: &[Json]) -> Self {
        let mut seen = Seen::default();
        for value in values {
            match value {
                Json::Null => seen.missing = true,
                // How Python writes a value that is missing among others of any type.
                Json::Float(value) if value.is_nan() => seen.nans = true,
                Json::Bool(_) => seen.bools = true,
                Json::Int(_) => seen.ints = true,
                Json::Large(_) | Json::Float(_) => seen.floats = true,
                Json::Text(_) => seen.texts = true,
                Json::List(_) | Json::Object(_) => seen.others = true,
            }
        }
        seen
    }
}

/// The values as a column of the narrowest type that holds them all.
///
/// Whole numbers with missing ones among them are floating, as pandas has it; what is mixed, or nothing but missing, stays JSON, value
/// by value.
pub(crate) fn column_values(values: Vec<Json>) -> Values {
    match Seen::of(&values) {
        Seen { bools: true, missing: false, nans: false, ints: false, floats: false, texts: false, others: false } => {
            Values::Bool(values.iter().map(|value| *value == Json::Bool(true)).collect())
        }
        Seen { texts: true, bools: false, ints: false, floats: false, others: false, .. } => {
            Values::Text(values.into_iter().map(text).collect())
        }
        Seen { ints: true, missing: false, nans: false, floats: false, bools: false, texts: false, others: false } => {
            Values::Int64(values.iter().map(|value| if let Json::Int(value) = value { *value } else { 0 }).collect())
        }
        Seen { bools: false, texts: false, others: false, ints, floats, nans, .. } if ints || floats || nans => {
            Values::Float64(values.iter().map(float).collect())
        }
        _ => Values::Json(values.iter().map(json_text).collect()),
    }
}

fn text(value: Json) -> Option<String> {
    if let Json::Text(text) = value { Some(text) } else { None }
}

fn float(value: &Json) -> f64 {
    match value {
        Json::Int(value) => *value as f64,
        Json::Large(value) => *value as f64,
        Json::Float(value) => *value,
        _ => f64::NAN,
    }
}

fn json_text(value: &Json) -> Option<String> {
    if matches!(value, Json::Null) || matches!(value, Json::Float(value) if value.is_nan()) {
        return None;
    }
    let mut out = Vec::new();
    json::write_value(&mut out, value);
    String::from_utf8(out).ok()
}

/// A table from rows of objects. A name that a row lacks is missing there; columns stand in the order of their first row.
///
/// # Errors
/// `TooLarge`, or `InvalidArgument` when a row is no object.
pub(crate) fn from_records(rows: Vec<Json>) -> Result<Table> {
    check_rows(rows.len())?;
    let count = rows.len();
    let mut at_of: HashMap<String, usize> = HashMap::new();
    let mut columns: Vec<(String, Vec<Json>)> = Vec::new();
    for (row, record) in rows.into_iter().enumerate() {
        let Json::Object(fields) = record else {
            return Err(Error::invalid(format!("row {row} is no object but of type {}", record.type_name())));
        };
        for (name, value) in fields {
            let at = match at_of.get(&name) {
                Some(at) => *at,
                None => {
                    check_columns(columns.len() + 1)?;
                    check_cells(count, columns.len() + 1)?;
                    at_of.insert(name.clone(), columns.len());
                    columns.push((name, vec![Json::Null; count]));
                    columns.len() - 1
                }
            };
            if let Some(cell) = columns.get_mut(at).and_then(|(_, cells)| cells.get_mut(row)) {
                *cell = value;
            }
        }
    }
    Ok(named(columns))
}

/// Columns of all names in all rows: a few bytes of a request must not become gigabytes here.
const MAX_CELLS: usize = 20_000_000;

/// Fails for more cells than one request may have.
///
/// # Errors
/// `TooLarge`.
pub(crate) fn check_cells(rows: usize, columns: usize) -> Result<()> {
    if rows.saturating_mul(columns) <= MAX_CELLS {
        return Ok(());
    }
    Err(Error::new(lathe_core::Code::TooLarge, format!("a request may have {MAX_CELLS} cells: send it in parts")))
}

/// A table from lists of equal length.
pub(crate) fn named(columns: Vec<(String, Vec<Json>)>) -> Table {
    let columns = columns.into_iter().map(|(name, values)| Column { name, values: column_values(values) }).collect();
    Table { columns }
}

/// An array as NumPy makes it from nested lists: one type for all elements, one length for each dimension.
///
/// # Errors
/// `InvalidArgument` when the lists differ in length, or hold objects or nothing but null.
pub(crate) fn from_nested(name: String, value: &Json) -> Result<Tensor> {
    let shape = shape_of(value);
    let (datatype, data) = pack(&name, &leaves_of(&name, value, &shape)?)?;
    let shape = shape.into_iter().map(|length| i64::try_from(length).unwrap_or(i64::MAX)).collect();
    Tensor::new(name, datatype, shape, Bytes::from(data))
}

fn shown(name: &str) -> String {
    if name.is_empty() { "the input".to_owned() } else { format!("input `{name}`") }
}

/// The lengths of nested lists, as their first ones have them.
pub(crate) fn shape_of(value: &Json) -> Vec<usize> {
    let mut shape = Vec::new();
    let mut current = value;
    while let Json::List(items) = current {
        shape.push(items.len());
        match items.first() {
            Some(first) => current = first,
            None => break,
        }
    }
    shape
}

/// What stands in nested lists of a shape.
///
/// # Errors
/// `InvalidArgument` when some list has another length.
pub(crate) fn leaves_of<'a>(name: &str, value: &'a Json, shape: &[usize]) -> Result<Vec<&'a Json>> {
    let mut leaves = Vec::new();
    collect(value, shape, &mut leaves).ok_or_else(|| {
        Error::invalid(format!("the lists of {} differ in length, so that they are no array", shown(name)))
    })?;
    Ok(leaves)
}

fn collect<'a>(value: &'a Json, shape: &[usize], leaves: &mut Vec<&'a Json>) -> Option<()> {
    match (value, shape.split_first()) {
        (Json::List(items), Some((length, inner))) if items.len() == *length => {
            items.iter().try_for_each(|item| collect(item, inner, leaves))
        }
        (Json::List(_), _) | (_, Some(_)) => None,
        (leaf, None) => {
            leaves.push(leaf);
            Some(())
        }
    }
}

fn pack(name: &str, leaves: &[&Json]) -> Result<(Datatype, Vec<u8>)> {
    let values = column_values(leaves.iter().map(|leaf| (*leaf).clone()).collect());
    let mut data = Vec::new();
    let datatype = match values {
        Values::Json(values) if values.iter().all(Option::is_none) => {
            data.extend(values.iter().flat_map(|_| f64::NAN.to_le_bytes()));
            Datatype::Fp64
        }
        Values::Bool(values) => {
            data.extend(values.into_iter().map(u8::from));
            Datatype::Bool
        }
        Values::Int64(values) => {
            data.extend(values.iter().flat_map(|value| value.to_le_bytes()));
            Datatype::Int64
        }
        Values::Float64(values) => {
            data.extend(values.iter().flat_map(|value| value.to_le_bytes()));
            Datatype::Fp64
        }
        Values::Text(values) if values.iter().all(Option::is_some) => {
            for text in values.iter().flatten() {
                push_byte_string(&mut data, text.as_bytes())
                    .ok_or_else(|| Error::invalid(format!("{} holds a text beyond 4 GiB", shown(name))))?;
            }
            Datatype::Bytes
        }
        _ => return Err(Error::invalid(format!("{} mixes types, so that it is no array", shown(name)))),
    };
    Ok((datatype, data))
}
