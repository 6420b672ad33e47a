//! Elements of tensors: JSON to little-endian bytes and back, for every datatype of the protocol.

use bytes::Bytes;
use lathe_core::{Error, Result};
use lathe_serving::{Column, Datatype, Table, Tensor, Values, to_f32};

use crate::json::{self, Json};
use crate::limits::MAX_ROWS;
use crate::scoring::columns::{leaves_of, shape_of};

/// A tensor from the elements of a JSON list, which may be flat, or nested as the shape says.
///
/// # Errors
/// `InvalidArgument` when an element does not fit the datatype, their number the shape, or their nesting the shape.
pub(crate) fn from_json(name: String, datatype: Datatype, shape: Vec<i64>, data: &Json) -> Result<Tensor> {
    let nesting = shape_of(data);
    let is_as_said =
        nesting.len() == shape.len() && nesting.iter().zip(&shape).all(|(has, says)| i64::try_from(*has) == Ok(*says));
    if nesting.len() > 1 && !is_as_said {
        return Err(Error::invalid(format!("tensor `{name}` is nested as {nesting:?}, and its shape is {shape:?}")));
    }
    let elements = leaves_of(&name, data, &nesting)?;
    let mut bytes = Vec::with_capacity(elements.len() * datatype.size_bytes().unwrap_or_default());
    for element in elements {
        push_element(&mut bytes, datatype, element).ok_or_else(|| {
            Error::invalid(format!("tensor `{name}`: {} is not a value of type {}", shown(element), datatype.as_str()))
        })?;
    }
    Tensor::new(name, datatype, shape, Bytes::from(bytes))
}

fn shown(element: &Json) -> String {
    match element {
        Json::Int(value) => value.to_string(),
        Json::Large(value) => value.to_string(),
        Json::Float(value) => format!("{value:e}"),
        other => format!("an element of type {}", other.type_name()),
    }
}

fn push_element(out: &mut Vec<u8>, datatype: Datatype, value: &Json) -> Option<()> {
    match datatype {
        Datatype::Bool => out.push(u8::from(boolean(value)?)),
        Datatype::Uint8 => out.extend(u8::try_from(whole(value)?).ok()?.to_le_bytes()),
        Datatype::Uint16 => out.extend(u16::try_from(whole(value)?).ok()?.to_le_bytes()),
        Datatype::Uint32 => out.extend(u32::try_from(whole(value)?).ok()?.to_le_bytes()),
        Datatype::Uint64 => out.extend(u64::try_from(whole(value)?).ok()?.to_le_bytes()),
        Datatype::Int8 => out.extend(i8::try_from(whole(value)?).ok()?.to_le_bytes()),
        Datatype::Int16 => out.extend(i16::try_from(whole(value)?).ok()?.to_le_bytes()),
        Datatype::Int32 => out.extend(i32::try_from(whole(value)?).ok()?.to_le_bytes()),
        Datatype::Int64 => out.extend(i64::try_from(whole(value)?).ok()?.to_le_bytes()),
        Datatype::Fp32 => out.extend(to_f32(number(value)?)?.to_le_bytes()),
        Datatype::Fp64 => out.extend(number(value)?.to_le_bytes()),
        // JSON has no 16 bit numbers; clients send them as binary data.
        Datatype::Fp16 => return None,
        Datatype::Bytes => {
            let Json::Text(text) = value else { return None };
            push_byte_string(out, text.as_bytes())?;
        }
    }
    Some(())
}

/// Appends an element of a `BYTES` tensor; `None` when it is longer than 32 bit can say.
pub(crate) fn push_byte_string(out: &mut Vec<u8>, element: &[u8]) -> Option<()> {
    out.extend(u32::try_from(element.len()).ok()?.to_le_bytes());
    out.extend_from_slice(element);
    Some(())
}

fn boolean(value: &Json) -> Option<bool> {
    match value {
        Json::Bool(value) => Some(*value),
        Json::Int(0) => Some(false),
        Json::Int(1) => Some(true),
        _ => None,
    }
}

fn whole(value: &Json) -> Option<i128> {
    match value {
        Json::Int(value) => Some((*value).into()),
        Json::Large(value) => Some((*value).into()),
        _ => None,
    }
}

fn number(value: &Json) -> Option<f64> {
    match value {
        Json::Int(value) => Some(*value as f64),
        Json::Large(value) => Some(*value as f64),
        Json::Float(value) => Some(*value),
        // Python's null in a list of numbers is a missing number.
        Json::Null => Some(f64::NAN),
        _ => None,
    }
}

/// Elements of a fixed size, in order.
fn elements<const N: usize, T>(data: &[u8], read: impl Fn([u8; N]) -> T) -> Vec<T> {
    data.as_chunks::<N>().0.iter().map(|chunk| read(*chunk)).collect()
}

/// Writes the elements as one flat JSON list.
///
/// # Errors
/// `InvalidArgument` for byte strings that are no UTF-8: JSON cannot hold them.
pub(crate) fn write_flat(out: &mut Vec<u8>, tensor: &Tensor) -> Result<()> {
    let written = element_texts(tensor)?;
    write_joined(out, &written);
    Ok(())
}

/// Writes the elements as nested lists in the tensor's shape; one value without dimensions. Numbers of 32 bit are written as the numbers of
/// 64 bit that they are: so does MLflow's scoring server.
///
/// # Errors
/// `InvalidArgument` for byte strings that are no UTF-8.
pub(crate) fn write_nested(out: &mut Vec<u8>, tensor: &Tensor) -> Result<()> {
    let written = match tensor.datatype {
        Datatype::Fp32 => texts(elements(&tensor.data, |b| f64::from(f32::from_le_bytes(b))), json::write_float),
        _ => element_texts(tensor)?,
    };
    let shape: Vec<usize> = tensor.shape.iter().map(|length| usize::try_from(*length).unwrap_or_default()).collect();
    let lists =
        shape.iter().take_while(|length| **length > 0).fold(1_usize, |product, length| product.saturating_mul(*length));
    if written.ends.is_empty() && lists > MAX_ROWS {
        // Nothing, however many times.
        out.extend_from_slice(b"[]");
    } else {
        nest(out, &shape, &written);
    }
    Ok(())
}

/// The elements as JSON in one buffer, and where each ends.
struct Texts {
    buffer: Vec<u8>,
    ends: Vec<usize>,
}

impl Texts {
    fn get(&self, at: usize) -> &[u8] {
        let start = at.checked_sub(1).and_then(|before| self.ends.get(before).copied()).unwrap_or_default();
        let end = self.ends.get(at).copied().unwrap_or(start);
        self.buffer.get(start..end).unwrap_or_default()
    }
}

fn write_joined(out: &mut Vec<u8>, texts: &Texts) {
    let all: Vec<usize> = (0..texts.ends.len()).collect();
    json::write_list(out, &all, |out, at| out.extend_from_slice(texts.get(*at)));
}

/// An odometer over all dimensions but the elements: a list opens and closes where a dimension begins and ends.
fn nest(out: &mut Vec<u8>, shape: &[usize], texts: &Texts) {
    fn level(out: &mut Vec<u8>, shape: &[usize], texts: &Texts, next: &mut usize) {
        let Some((length, inner)) = shape.split_first() else {
            out.extend_from_slice(texts.get(*next));
            *next += 1;
            return;
        };
        out.push(b'[');
        for at in 0..*length {
            if at > 0 {
                out.push(b',');
            }
            level(out, inner, texts, next);
        }
        out.push(b']');
    }
    level(out, shape, texts, &mut 0);
}

fn element_texts(tensor: &Tensor) -> Result<Texts> {
    let data: &[u8] = &tensor.data;
    let whole = |values: Vec<i128>| texts(values, |out, value| json::write_display(out, &value));
    Ok(match tensor.datatype {
        Datatype::Bool => texts(data.to_vec(), |out, value| json::write_bool(out, value != 0)),
        Datatype::Uint8 => whole(elements(data, |b| u8::from_le_bytes(b).into())),
        Datatype::Uint16 => whole(elements(data, |b| u16::from_le_bytes(b).into())),
        Datatype::Uint32 => whole(elements(data, |b| u32::from_le_bytes(b).into())),
        Datatype::Uint64 => whole(elements(data, |b| u64::from_le_bytes(b).into())),
        Datatype::Int8 => whole(elements(data, |b| i8::from_le_bytes(b).into())),
        Datatype::Int16 => whole(elements(data, |b| i16::from_le_bytes(b).into())),
        Datatype::Int32 => whole(elements(data, |b| i32::from_le_bytes(b).into())),
        Datatype::Int64 => whole(elements(data, |b| i64::from_le_bytes(b).into())),
        Datatype::Fp16 => texts(elements(data, half), json::write_float),
        Datatype::Fp32 => texts(elements(data, f32::from_le_bytes), json::write_float32),
        Datatype::Fp64 => texts(elements(data, f64::from_le_bytes), json::write_float),
        Datatype::Bytes => {
            let strings: Option<Vec<&str>> =
                tensor.byte_strings().map(|element| std::str::from_utf8(element?).ok()).collect();
            let strings = strings.ok_or_else(|| {
                Error::invalid(format!(
                    "tensor `{}` holds bytes that are no UTF-8; ask for it as binary data",
                    tensor.name
                ))
            })?;
            texts(strings, json::write_text)
        }
    })
}

fn texts<T>(values: Vec<T>, write: impl Fn(&mut Vec<u8>, T)) -> Texts {
    let mut texts = Texts { buffer: Vec::with_capacity(values.len() * 8), ends: Vec::with_capacity(values.len()) };
    for value in values {
        write(&mut texts.buffer, value);
        texts.ends.push(texts.buffer.len());
    }
    texts
}

/// A number of 16 bit (IEEE 754 binary16).
fn half(bytes: [u8; 2]) -> f64 {
    let bits = u16::from_le_bytes(bytes);
    let sign = if bits & 0x8000 == 0 { 1.0 } else { -1.0 };
    let exponent = i32::from((bits >> 10) & 0x1f);
    let fraction = f64::from(bits & 0x3ff);
    sign * match exponent {
        0 => fraction * 2_f64.powi(-24),
        0x1f if fraction == 0.0 => f64::INFINITY,
        0x1f => f64::NAN,
        _ => (1.0 + fraction / 1024.0) * 2_f64.powi(exponent - 15),
    }
}

/// The columns of an answer as tensors of shape `[rows]`.
///
/// # Errors
/// `Internal` for an element that 32 bit cannot measure.
pub(crate) fn from_table(table: Table) -> Result<Vec<Tensor>> {
    table.columns.into_iter().map(from_column).collect()
}

fn from_column(column: Column) -> Result<Tensor> {
    let Column { name, values } = column;
    let rows = i64::try_from(values.len()).unwrap_or(i64::MAX);
    let (datatype, data) = match values {
        Values::Float64(values) => (Datatype::Fp64, values.iter().flat_map(|value| value.to_le_bytes()).collect()),
        Values::Int64(values) => (Datatype::Int64, values.iter().flat_map(|value| value.to_le_bytes()).collect()),
        Values::Bool(values) => (Datatype::Bool, values.into_iter().map(u8::from).collect()),
        // Nothing but missing values of no known type.
        Values::Json(values) if values.iter().all(Option::is_none) => {
            (Datatype::Fp64, values.iter().flat_map(|_| f64::NAN.to_le_bytes()).collect())
        }
        Values::Text(values) | Values::Json(values) => {
            (Datatype::Bytes, byte_strings(values.iter().map(|value| value.as_deref().unwrap_or_default().as_bytes()))?)
        }
        Values::Binary(values) => {
            (Datatype::Bytes, byte_strings(values.iter().map(|value| value.as_deref().unwrap_or_default()))?)
        }
        Values::Datetime(values) => (
            Datatype::Int64,
            // A missing time is NumPy's NaT.
            values.iter().flat_map(|value| value.unwrap_or(i64::MIN).to_le_bytes()).collect(),
        ),
    };
    Tensor::new(name, datatype, vec![rows], Bytes::from(data))
}

fn byte_strings<'a>(elements: impl Iterator<Item = &'a [u8]>) -> Result<Vec<u8>> {
    let mut data = Vec::new();
    for element in elements {
        push_byte_string(&mut data, element).ok_or_else(|| Error::internal("an element is longer than 4 GiB"))?;
    }
    Ok(data)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn numbers(values: &[i64]) -> Json {
        Json::List(values.iter().map(|value| Json::Int(*value)).collect())
    }

    #[test]
    fn values_beyond_their_type_are_refused() {
        for (datatype, value) in [
            (Datatype::Uint8, Json::Int(256)),
            (Datatype::Int8, Json::Int(-129)),
            (Datatype::Uint64, Json::Int(-1)),
            (Datatype::Int64, Json::Large(u64::MAX)),
            (Datatype::Int32, Json::Float(1.0)),
            (Datatype::Bool, Json::Int(2)),
            (Datatype::Fp32, Json::Text("1".into())),
            (Datatype::Bytes, Json::Int(1)),
            (Datatype::Fp16, Json::Int(1)),
            (Datatype::Fp64, Json::Object(Vec::new())),
        ] {
            assert!(from_json("x".into(), datatype, vec![1], &Json::List(vec![value.clone()])).is_err(), "{value:?}");
        }
    }

    #[test]
    fn nested_and_flat_data_are_the_same_tensor() {
        let flat = from_json("x".into(), Datatype::Int32, vec![2, 2], &numbers(&[1, 2, 3, 4])).unwrap();
        let nested = Json::List(vec![numbers(&[1, 2]), numbers(&[3, 4])]);
        assert_eq!(from_json("x".into(), Datatype::Int32, vec![2, 2], &nested).unwrap(), flat);
        assert!(from_json("x".into(), Datatype::Int32, vec![2, 3], &nested).is_err());
        let mut out = Vec::new();
        write_nested(&mut out, &flat).unwrap();
        assert_eq!(out, b"[[1,2],[3,4]]");
    }

    #[test]
    fn a_tensor_without_dimensions_is_one_value() {
        let tensor = from_json("x".into(), Datatype::Bytes, vec![], &Json::Text("hello".into())).unwrap();
        let mut out = Vec::new();
        write_nested(&mut out, &tensor).unwrap();
        assert_eq!(out, b"\"hello\"");
    }

    #[test]
    fn half_precision_is_read_as_ieee_754_says() {
        for (bits, value) in
            [(0x3c00_u16, 1.0), (0xc000, -2.0), (0x7bff, 65504.0), (0x0001, 2_f64.powi(-24)), (0x7c00, f64::INFINITY)]
        {
            assert_eq!(half(bits.to_le_bytes()), value);
        }
        assert!(half(0x7e00_u16.to_le_bytes()).is_nan());
    }

    proptest! {
        #[test]
        fn elements_survive_json(values in prop::collection::vec(any::<f64>(), 0..20)) {
            let data: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
            let shape = vec![i64::try_from(values.len()).unwrap()];
            let tensor = Tensor::new("x".into(), Datatype::Fp64, shape.clone(), Bytes::from(data)).unwrap();
            let mut out = Vec::new();
            write_flat(&mut out, &tensor).unwrap();
            let again = from_json("x".into(), Datatype::Fp64, shape, &Json::parse(&out).unwrap()).unwrap();
            let read = elements(&again.data, f64::from_le_bytes);
            prop_assert!(read.iter().zip(&values).all(|(a, b)| a == b || (a.is_nan() && b.is_nan())));
        }
    }
}
