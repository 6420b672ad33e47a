//! From what a request holds to what a signature asks for, where nothing is lost.

use bytes::Bytes;
use lathe_core::{Error, Result};

use super::{ColumnKind, ColumnSpec, Encoding, TensorSpec};
use crate::payload::{Column, Datatype, Table, Tensor, Values, to_f32};

/// The largest whole number up to which a 64-bit number holds every whole number.
const MAX_EXACT: f64 = 9_007_199_254_740_992.0;

fn wrong_type(name: &str, spec: &ColumnSpec, values: &Values) -> Error {
    Error::invalid(format!("column `{name}` is {}, the model takes {}", values.kind(), spec.kind.as_str()))
}

/// Makes a column what the model takes.
pub(super) fn to_kind(name: &str, spec: &ColumnSpec, values: Values) -> Result<Values> {
    let missing =
        || Error::invalid(format!("column `{name}` has a missing value, which {} cannot hold", spec.kind.as_str()));
    if values.is_missing() {
        return missing_values(spec.kind, values.len()).ok_or_else(missing);
    }
    match (spec.kind, values) {
        (ColumnKind::Double | ColumnKind::Float, Values::Int64(values)) => {
            #[expect(clippy::cast_precision_loss, reason = "as every client's own conversion does")]
            let numbers = values.into_iter().map(|value| value as f64).collect();
            Ok(Values::Float64(numbers))
        }
        (ColumnKind::Double, values @ Values::Float64(_)) => Ok(values),
        (ColumnKind::Float, Values::Float64(values)) => match values.iter().find(|value| to_f32(**value).is_none()) {
            Some(value) => Err(Error::invalid(format!("column `{name}`: {value:e} is beyond float (32 bit)"))),
            None => Ok(Values::Float64(values)),
        },
        (ColumnKind::Long, values @ Values::Int64(_)) => Ok(values),
        (ColumnKind::Integer, Values::Int64(values)) => {
            match values.iter().find(|value| i32::try_from(**value).is_err()) {
                Some(value) => Err(Error::invalid(format!("column `{name}`: {value} is beyond integer (32 bit)"))),
                None => Ok(Values::Int64(values)),
            }
        }
        (ColumnKind::Long | ColumnKind::Integer, Values::Float64(values)) => {
            if values.iter().any(|value| value.is_nan()) {
                return Err(missing());
            }
            let whole: Option<Vec<i64>> = values.iter().map(|value| to_whole(*value)).collect();
            let whole = whole.ok_or_else(|| {
                Error::invalid(format!(
                    "column `{name}` has numbers that are not whole, the model takes {}",
                    spec.kind.as_str()
                ))
            })?;
            to_kind(name, spec, Values::Int64(whole))
        }
        (ColumnKind::Boolean, values @ Values::Bool(_)) => Ok(values),
        // With missing ones among them.
        (ColumnKind::Boolean, Values::Json(values))
            if values.iter().flatten().all(|value| matches!(value.as_str(), "true" | "false")) =>
        {
            Ok(Values::Json(values))
        }
        (ColumnKind::String, values @ Values::Text(_)) => Ok(values),
        (ColumnKind::Binary, values @ Values::Binary(_)) => Ok(values),
        (ColumnKind::Binary, Values::Text(values)) => {
            Ok(Values::Binary(values.into_iter().map(|text| text.map(String::into_bytes)).collect()))
        }
        (ColumnKind::Datetime, values @ (Values::Datetime(_) | Values::Text(_))) => Ok(values),
        (ColumnKind::Json, values) => Ok(values),
        (_, values) => Err(wrong_type(name, spec, &values)),
    }
}

/// Missing values of a kind; `None` for one that cannot hold them.
fn missing_values(kind: ColumnKind, count: usize) -> Option<Values> {
    Some(match kind {
        ColumnKind::Double | ColumnKind::Float => Values::Float64(vec![f64::NAN; count]),
        ColumnKind::Boolean | ColumnKind::Json => Values::Json(vec![None; count]),
        ColumnKind::String => Values::Text(vec![None; count]),
        ColumnKind::Binary => Values::Binary(vec![None; count]),
        ColumnKind::Datetime => Values::Datetime(vec![None; count]),
        ColumnKind::Integer | ColumnKind::Long => return None,
    })
}

fn to_whole(value: f64) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "whole and within what i64 holds exactly")]
    let whole = (value.fract() == 0.0 && value.abs() <= MAX_EXACT).then_some(value as i64);
    whole
}

/// Tensors of one value a row, named like columns, as a table.
pub(super) fn columns_of(specs: &[ColumnSpec], tensors: Vec<Tensor>) -> Result<Table> {
    // One tensor of shape [rows, columns] is the whole table in the model's order.
    if let [tensor] = tensors.as_slice()
        && let [_, width] = tensor.shape.as_slice()
        && usize::try_from(*width) == Ok(specs.len())
        && specs.len() > 1
    {
        return table_of(tensor, specs);
    }
    let mut columns = Vec::with_capacity(tensors.len());
    for (index, tensor) in tensors.into_iter().enumerate() {
        // One value is one row.
        let is_column = matches!(tensor.shape.as_slice(), [] | [_] | [_, 1]);
        if !is_column {
            return Err(Error::invalid(format!(
                "{} has the shape {:?}; the model takes columns, each a tensor of shape [rows] or [rows, 1]",
                called(&tensor.name),
                tensor.shape
            )));
        }
        let spec = match specs {
            [only] if tensor.name.is_empty() => Some(only),
            _ if specs.iter().all(|spec| spec.name.is_none()) => specs.get(index),
            _ => specs.iter().find(|spec| spec.name.as_ref() == Some(&tensor.name)),
        };
        let values = values_of(&tensor, spec.is_some_and(|spec| spec.kind != ColumnKind::Binary))?;
        let name = spec.and_then(|spec| spec.name.clone()).unwrap_or(tensor.name);
        columns.push(Column { name, values });
    }
    Ok(Table { columns })
}

fn table_of(tensor: &Tensor, specs: &[ColumnSpec]) -> Result<Table> {
    let width = specs.len();
    let all = values_of(tensor, specs.iter().any(|spec| spec.kind != ColumnKind::Binary))?;
    let columns = (0..width).map(|index| {
        let values = match &all {
            Values::Float64(values) => Values::Float64(values.iter().skip(index).step_by(width).copied().collect()),
            Values::Int64(values) => Values::Int64(values.iter().skip(index).step_by(width).copied().collect()),
            Values::Bool(values) => Values::Bool(values.iter().skip(index).step_by(width).copied().collect()),
            Values::Datetime(values) => Values::Datetime(values.iter().skip(index).step_by(width).copied().collect()),
            Values::Text(values) => Values::Text(values.iter().skip(index).step_by(width).cloned().collect()),
            Values::Json(values) => Values::Json(values.iter().skip(index).step_by(width).cloned().collect()),
            Values::Binary(values) => Values::Binary(values.iter().skip(index).step_by(width).cloned().collect()),
        };
        Column { name: index.to_string(), values }
    });
    Ok(Table { columns: columns.collect() })
}

macro_rules! numbers {
    ($data:expr, $kind:ty, $into:ty) => {
        $data.as_chunks().0.iter().map(|chunk| <$into>::from(<$kind>::from_le_bytes(*chunk))).collect()
    };
}

/// The elements of a tensor as values of a column.
fn values_of(tensor: &Tensor, is_text: bool) -> Result<Values> {
    let data: &[u8] = &tensor.data;
    Ok(match tensor.datatype {
        Datatype::Bool => Values::Bool(data.iter().map(|byte| *byte != 0).collect()),
        Datatype::Uint8 => Values::Int64(data.iter().map(|byte| i64::from(*byte)).collect()),
        Datatype::Int8 => Values::Int64(data.iter().map(|byte| i64::from(i8::from_le_bytes([*byte]))).collect()),
        Datatype::Uint16 => Values::Int64(numbers!(data, u16, i64)),
        Datatype::Int16 => Values::Int64(numbers!(data, i16, i64)),
        Datatype::Uint32 => Values::Int64(numbers!(data, u32, i64)),
        Datatype::Int32 => Values::Int64(numbers!(data, i32, i64)),
        Datatype::Int64 => Values::Int64(numbers!(data, i64, i64)),
        Datatype::Fp32 => Values::Float64(numbers!(data, f32, f64)),
        Datatype::Fp64 => Values::Float64(numbers!(data, f64, f64)),
        Datatype::Uint64 => {
            let values: Vec<u64> = numbers!(data, u64, u64);
            let whole: Option<Vec<i64>> = values.into_iter().map(|value| i64::try_from(value).ok()).collect();
            Values::Int64(whole.ok_or_else(|| {
                Error::invalid(format!("{} has a number beyond what a column holds (63 bit)", called(&tensor.name)))
            })?)
        }
        Datatype::Fp16 => {
            return Err(Error::invalid(format!("{}: send FP32 instead of FP16 to a column", called(&tensor.name))));
        }
        Datatype::Bytes if is_text => {
            let texts =
                tensor.byte_strings().map(|bytes| std::str::from_utf8(bytes?).ok().map(|text| Some(text.to_owned())));
            let texts: Option<Vec<Option<String>>> = texts.collect();
            Values::Text(texts.ok_or_else(|| {
                Error::invalid(format!("{} holds bytes that are no UTF-8 text", called(&tensor.name)))
            })?)
        }
        Datatype::Bytes => Values::Binary(tensor.byte_strings().map(|bytes| bytes.map(<[u8]>::to_vec)).collect()),
    })
}

/// The table with the texts of its columns read as the kind that a column is to have, if it is to have one.
pub(super) fn read_all(
    mut table: Table,
    encoding: Encoding,
    kind: impl Fn(&str) -> Option<ColumnKind>,
) -> Result<Table> {
    for Column { name, values } in &mut table.columns {
        *values = encoding.read(name, kind(name), std::mem::replace(values, Values::Bool(Vec::new())))?;
    }
    Ok(table)
}

/// The kind of a column that is to be a tensor, or a part of the only one: what tensors of byte strings take are texts.
pub(super) fn kind_in(specs: &[TensorSpec], name: &str) -> Option<ColumnKind> {
    let spec = match specs {
        [only] => Some(only),
        _ => specs.iter().find(|spec| spec.name.as_deref() == Some(name)),
    };
    spec.filter(|spec| spec.datatype == Datatype::Bytes).map(|_| ColumnKind::String)
}

/// Columns as the tensors of a model: a column each by name, or all together as the one tensor of shape `[rows, columns]`.
pub(super) fn tensors_of(specs: &[TensorSpec], table: &Table) -> Result<Vec<Tensor>> {
    let [spec] = specs else {
        return specs
            .iter()
            .map(|spec| {
                let name = spec.name.as_deref().unwrap_or_default();
                let column = table.column(name);
                let column = column.ok_or_else(|| Error::invalid(format!("the model needs the tensor `{name}`")))?;
                gather(spec, name, &[column])
            })
            .collect();
    };
    let columns: Vec<&Column> = table.columns.iter().collect();
    gather(spec, spec.name.as_deref().unwrap_or_default(), &columns).map(|tensor| vec![tensor])
}

/// Columns side by side, row by row, in the type the model takes.
fn gather(spec: &TensorSpec, name: &str, columns: &[&Column]) -> Result<Tensor> {
    let rows = columns.first().map_or(0, |column| column.values.len());
    let size_bytes = spec.datatype.size_bytes().unwrap_or_default();
    let mut data = Vec::with_capacity(rows * columns.len() * size_bytes);
    for row in 0..rows {
        for column in columns {
            push_element(&mut data, spec.datatype, &column.values, row).ok_or_else(|| {
                Error::invalid(format!(
                    "column `{}` is {}, and row {row} is no {}",
                    column.name,
                    column.values.kind(),
                    spec.datatype.as_str()
                ))
            })?;
        }
    }
    let count = |length: usize| i64::try_from(length).unwrap_or(i64::MAX);
    let shape = match (columns.len(), spec.shape.len()) {
        (1, 1) => vec![count(rows)],
        (width, _) => vec![count(rows), count(width)],
    };
    Tensor::new(name.to_owned(), spec.datatype, shape, Bytes::from(data))
}

/// A number of a column: whole or not.
#[derive(Clone, Copy)]
enum Number {
    Whole(i64),
    Real(f64),
}

fn push_element(data: &mut Vec<u8>, datatype: Datatype, values: &Values, row: usize) -> Option<()> {
    if let (Datatype::Bytes, Values::Text(texts)) = (datatype, values) {
        let text = texts.get(row)?.as_deref()?;
        data.extend_from_slice(&u32::try_from(text.len()).ok()?.to_le_bytes());
        data.extend_from_slice(text.as_bytes());
        return Some(());
    }
    let number = match values {
        Values::Float64(values) => Number::Real(*values.get(row)?),
        Values::Int64(values) => Number::Whole(*values.get(row)?),
        Values::Bool(values) => Number::Whole(i64::from(*values.get(row)?)),
        // A missing value of no known type; only numbers that are not whole can be missing.
        Values::Json(values) if values.get(row)?.is_none() => Number::Real(f64::NAN),
        _ => return None,
    };
    push_number(data, datatype, number)
}

#[expect(clippy::cast_precision_loss, reason = "as every client's own conversion does")]
fn push_number(data: &mut Vec<u8>, datatype: Datatype, number: Number) -> Option<()> {
    let real = match number {
        Number::Whole(value) => value as f64,
        Number::Real(value) => value,
    };
    let whole = match number {
        Number::Whole(value) => Some(value),
        Number::Real(value) => to_whole(value),
    };
    match datatype {
        Datatype::Fp64 => data.extend_from_slice(&real.to_le_bytes()),
        Datatype::Fp32 => data.extend_from_slice(&to_f32(real)?.to_le_bytes()),
        Datatype::Bool => data.push(u8::try_from(whole?).ok().filter(|bit| *bit <= 1)?),
        Datatype::Uint8 => data.push(u8::try_from(whole?).ok()?),
        Datatype::Int8 => data.extend_from_slice(&i8::try_from(whole?).ok()?.to_le_bytes()),
        Datatype::Uint16 => data.extend_from_slice(&u16::try_from(whole?).ok()?.to_le_bytes()),
        Datatype::Int16 => data.extend_from_slice(&i16::try_from(whole?).ok()?.to_le_bytes()),
        Datatype::Uint32 => data.extend_from_slice(&u32::try_from(whole?).ok()?.to_le_bytes()),
        Datatype::Int32 => data.extend_from_slice(&i32::try_from(whole?).ok()?.to_le_bytes()),
        Datatype::Uint64 => data.extend_from_slice(&u64::try_from(whole?).ok()?.to_le_bytes()),
        Datatype::Int64 => data.extend_from_slice(&whole?.to_le_bytes()),
        Datatype::Fp16 | Datatype::Bytes => return None,
    }
    Some(())
}

/// A tensor in words: the only one of a request may have no name.
fn called(name: &str) -> String {
    if name.is_empty() { "the tensor".to_owned() } else { format!("tensor `{name}`") }
}

/// Makes a tensor what the model takes: type (numbers may widen or narrow as MLflow's clients do) and shape.
pub(super) fn to_spec(spec: &TensorSpec, mut tensor: Tensor) -> Result<Tensor> {
    let fits = spec.shape.len() == tensor.shape.len()
        && spec.shape.iter().zip(&tensor.shape).all(|(asked, given)| *asked < 0 || asked == given);
    if !fits {
        return Err(Error::invalid(format!(
            "{} has the shape {:?}, the model takes {:?} (-1 is any length)",
            called(&tensor.name),
            tensor.shape,
            spec.shape
        )));
    }
    if let Some(name) = &spec.name {
        tensor.name.clone_from(name);
    }
    if tensor.datatype == spec.datatype {
        return Ok(tensor);
    }
    let wrong =
        format!("{} is {}, the model takes {}", called(&tensor.name), tensor.datatype.as_str(), spec.datatype.as_str());
    let Ok(values) = values_of(&tensor, true) else { return Err(Error::invalid(wrong)) };
    let mut data = Vec::new();
    for at in 0..values.len() {
        push_element(&mut data, spec.datatype, &values, at)
            .ok_or_else(|| Error::invalid(format!("{wrong}, which cannot hold its element {at}")))?;
    }
    Tensor::new(tensor.name.clone(), spec.datatype, tensor.shape.clone(), Bytes::from(data))
}
