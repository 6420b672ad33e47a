//! Tensors of messages: raw bytes, or one typed list.

use std::collections::HashMap;

use bytes::Bytes;
use lathe_core::{Error, Result};
use lathe_serving::{Datatype, Tensor};
use serde_json::{Map, Value};

use crate::names::check_distinct;
use crate::proto::infer_parameter::ParameterChoice;
use crate::proto::model_infer_request::InferInputTensor;
use crate::proto::{InferParameter, InferTensorContents, ModelInferRequest};
use crate::tensors::push_byte_string;

/// The inputs of a request.
///
/// # Errors
/// `InvalidArgument` naming the input.
pub(super) fn read_inputs(request: ModelInferRequest) -> Result<Vec<Tensor>> {
    let ModelInferRequest { inputs, raw_input_contents: raw, .. } = request;
    if inputs.is_empty() {
        return Err(Error::invalid("the request has no inputs"));
    }
    crate::limits::check_columns(inputs.len())?;
    check_distinct("input", inputs.iter().map(|input| input.name.as_str()))?;
    if !raw.is_empty() && raw.len() != inputs.len() {
        return Err(Error::invalid(format!(
            "the request has {} inputs and {} raw contents: each input needs one",
            inputs.len(),
            raw.len()
        )));
    }
    let mut raw = raw.into_iter();
    inputs.into_iter().map(|input| read_input(input, raw.next())).collect()
}

fn read_input(input: InferInputTensor, raw: Option<Bytes>) -> Result<Tensor> {
    let InferInputTensor { name, datatype, shape, parameters, contents } = input;
    if parameters.keys().any(|key| key.starts_with("shared_memory")) {
        return Err(Error::invalid(format!("input `{name}` names shared memory, which this server does not read")));
    }
    let datatype = Datatype::parse(&datatype)?;
    let data = match (raw, contents) {
        (Some(raw), None) => raw,
        (Some(_), Some(_)) => {
            return Err(Error::invalid(format!("input `{name}` has raw contents and typed ones; send one of them")));
        }
        (None, contents) => pack(&name, datatype, &contents.unwrap_or_default())?,
    };
    Tensor::new(name, datatype, shape, data)
}

/// Elements as little endian bytes of a narrower type.
fn narrow<T, N: TryFrom<T>, const WIDTH: usize>(
    elements: &[T],
    bytes: impl Fn(N) -> [u8; WIDTH],
    wrong: impl Fn(T) -> Error,
) -> Result<Vec<u8>>
where
    T: Copy,
{
    let mut out = Vec::with_capacity(elements.len() * WIDTH);
    for element in elements {
        out.extend(bytes(N::try_from(*element).map_err(|_| wrong(*element))?));
    }
    Ok(out)
}

/// The typed list that fits the datatype, as bytes.
fn pack(name: &str, datatype: Datatype, contents: &InferTensorContents) -> Result<Bytes> {
    let wrong =
        |value: i64| Error::invalid(format!("input `{name}`: {value} is not a value of type {}", datatype.as_str()));
    let signed = |value: i32| wrong(value.into());
    let unsigned = |value: u32| wrong(value.into());
    let out: Vec<u8> = match datatype {
        Datatype::Bool => contents.bool_contents.iter().map(|value| u8::from(*value)).collect(),
        Datatype::Int8 => narrow(&contents.int_contents, i8::to_le_bytes, signed)?,
        Datatype::Int16 => narrow(&contents.int_contents, i16::to_le_bytes, signed)?,
        Datatype::Int32 => contents.int_contents.iter().flat_map(|value| value.to_le_bytes()).collect(),
        Datatype::Int64 => contents.int64_contents.iter().flat_map(|value| value.to_le_bytes()).collect(),
        Datatype::Uint8 => narrow(&contents.uint_contents, u8::to_le_bytes, unsigned)?,
        Datatype::Uint16 => narrow(&contents.uint_contents, u16::to_le_bytes, unsigned)?,
        Datatype::Uint32 => contents.uint_contents.iter().flat_map(|value| value.to_le_bytes()).collect(),
        Datatype::Uint64 => contents.uint64_contents.iter().flat_map(|value| value.to_le_bytes()).collect(),
        Datatype::Fp16 => {
            return Err(Error::invalid(format!("input `{name}`: FP16 has no typed contents; send raw ones")));
        }
        Datatype::Fp32 => contents.fp32_contents.iter().flat_map(|value| value.to_le_bytes()).collect(),
        Datatype::Fp64 => contents.fp64_contents.iter().flat_map(|value| value.to_le_bytes()).collect(),
        Datatype::Bytes => {
            let mut out = Vec::new();
            for element in &contents.bytes_contents {
                push_byte_string(&mut out, element)
                    .ok_or_else(|| Error::invalid(format!("input `{name}` has a byte string of more than 4 GiB")))?;
            }
            out
        }
    };
    Ok(out.into())
}

/// Parameters of a request.
pub(super) fn read_parameters(parameters: HashMap<String, InferParameter>) -> Map<String, Value> {
    let value = |parameter: InferParameter| match parameter.parameter_choice? {
        ParameterChoice::BoolParam(value) => Some(Value::from(value)),
        ParameterChoice::Int64Param(value) => Some(value.into()),
        ParameterChoice::StringParam(value) => Some(value.into()),
        ParameterChoice::DoubleParam(value) => Some(value.into()),
        ParameterChoice::Uint64Param(value) => Some(value.into()),
    };
    parameters.into_iter().filter_map(|(name, one)| Some((name, value(one)?))).collect()
}
