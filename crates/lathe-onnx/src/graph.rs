//! A graph in ONNX Runtime: what it takes, and its answers.

use std::fmt::Display;
use std::path::Path;

use bytes::Bytes;
use lathe_serving::signature::Schema;
use lathe_serving::{Datatype, Inputs, Outputs, Signature, Tensor, TensorSpec, validate};
use ort::session::builder::GraphOptimizationLevel;
use ort::session::{Session, SessionInputValue};
use ort::value::{DynMap, DynMapValueType, DynTensor, DynTensorValueType, DynValue, TensorElementType, ValueType};

use crate::OnnxFlavor;
use crate::answers::{self, Output, to_outputs};

/// What lets a model be answered that only Python can.
const IN_PYTHON: &str = "give the model version the tag lathe.runtime = python";

/// What went wrong, in words for whoever deployed or asked the model.
pub(crate) type Result<T> = std::result::Result<T, String>;

fn said(error: impl Display) -> String {
    error.to_string()
}

/// Why a question has no answer.
#[derive(Debug)]
pub(crate) enum Unanswered {
    /// The inputs are not what the graph takes: the caller's fault.
    Refused(String),
    /// The graph failed on them.
    Failed(String),
}

/// A graph that is loaded.
#[derive(Debug)]
pub(crate) struct Graph {
    session: Session,
    /// What it takes, as a signature: inputs are checked and converted by the same code as any model's.
    takes: Signature,
    /// What it answers, as far as answers can hold it.
    outputs: Vec<TensorSpec>,
}

impl Graph {
    /// Loads the library and the graph.
    pub(crate) fn load(library: &Path, folder: &Path, flavor: &OnnxFlavor) -> Result<Self> {
        let environment = ort::init_from(library).map_err(|error| format!("ONNX Runtime cannot be loaded: {error}"))?;
        let environment = environment.with_name("lathe").with_telemetry(false).build().map_err(said)?;
        // Threads that spin while they wait would cost more than most graphs.
        let mut builder = Session::builder(&environment)
            .map_err(said)?
            .with_optimization_level(optimization(flavor.optimization_level))
            .map_err(said)?
            .with_intra_threads(flavor.intra_op_threads.unwrap_or(1))
            .map_err(said)?
            .with_inter_threads(flavor.inter_op_threads.unwrap_or(1))
            .map_err(said)?
            .with_parallel_execution(flavor.is_parallel)
            .map_err(said)?
            .with_intra_op_spinning(false)
            .map_err(said)?
            .with_inter_op_spinning(false)
            .map_err(said)?;
        for (key, value) in &flavor.configuration {
            builder = builder.with_config_entry(key, value).map_err(said)?;
        }
        let session = builder.commit_from_file(folder.join(&flavor.data)).map_err(said)?;
        let specs = session.inputs().iter().map(|input| to_spec(input.name(), input.dtype())).collect::<Result<_>>()?;
        let takes = Signature { inputs: Some(Schema::Tensors(specs)), ..Signature::default() };
        let outputs =
            session.outputs().iter().filter_map(|output| output_spec(output.name(), output.dtype())).collect();
        Ok(Self { session, takes, outputs })
    }

    /// The tensors that it takes.
    pub(crate) fn specs(&self) -> &[TensorSpec] {
        match &self.takes.inputs {
            Some(Schema::Tensors(specs)) => specs,
            _ => &[],
        }
    }

    /// What it answers, as tensors; without what no answer can hold.
    pub(crate) fn output_specs(&self) -> &[TensorSpec] {
        &self.outputs
    }

    /// Asks the graph nothing but zeros, where it has no example of its inputs.
    pub(crate) fn ask_zeros(&mut self) -> Result<()> {
        let zeros = self.specs().iter().map(|spec| {
            let shape: Vec<i64> = spec.shape.iter().map(|length| (*length).max(1)).collect();
            let count: i64 = shape.iter().product();
            // A text of no length is four zeros too.
            let size_bytes = spec.datatype.size_bytes().unwrap_or(4);
            let data = vec![0; usize::try_from(count).unwrap_or_default().saturating_mul(size_bytes)];
            let name = spec.name.clone().unwrap_or_default();
            Tensor::new(name, spec.datatype, shape, data.into()).map_err(|error| error.message().to_owned())
        });
        let zeros = zeros.collect::<Result<Vec<_>>>()?;
        self.run(to_values(&zeros)?).map(|_| ())
    }

    /// Answers a question. `is_unnamed`: the model's signature is one tensor without a name, so that any name fits.
    pub(crate) fn answer(&mut self, inputs: Inputs, is_unnamed: bool) -> std::result::Result<Outputs, Unanswered> {
        let is_table_asked = matches!(inputs, Inputs::Table(_));
        let inputs = fit(self.specs(), inputs, is_unnamed);
        let inputs = validate(&self.takes, inputs).map_err(|error| Unanswered::Refused(error.said()))?;
        let Inputs::Tensors(tensors) = inputs else {
            return Err(Unanswered::Failed("the graph takes tensors".to_owned()));
        };
        let values = to_values(&tensors).map_err(Unanswered::Refused)?;
        Ok(to_outputs(self.run(values).map_err(Unanswered::Failed)?, is_table_asked))
    }

    fn run(&mut self, values: Vec<(&str, SessionInputValue<'_>)>) -> Result<Vec<(String, Output)>> {
        let outputs = self.session.run(values).map_err(said)?;
        outputs.iter().map(|(name, value)| Ok((name.to_owned(), read_output(name, &value)?))).collect()
    }
}

fn optimization(level: Option<u64>) -> GraphOptimizationLevel {
    match level {
        Some(0) => GraphOptimizationLevel::Disable,
        Some(1) => GraphOptimizationLevel::Level1,
        Some(2) => GraphOptimizationLevel::Level2,
        Some(3) => GraphOptimizationLevel::Level3,
        _ => GraphOptimizationLevel::All,
    }
}

/// Names and shapes that mean the graph's but are written otherwise.
fn fit(specs: &[TensorSpec], inputs: Inputs, is_unnamed: bool) -> Inputs {
    let Inputs::Tensors(mut tensors) = inputs else { return inputs };
    if let ([spec], [tensor]) = (specs, tensors.as_mut_slice())
        && (is_unnamed || tensor.name.is_empty())
        && let Some(name) = &spec.name
    {
        tensor.name.clone_from(name);
    }
    for tensor in &mut tensors {
        let spec = specs.iter().find(|spec| spec.name.as_ref() == Some(&tensor.name));
        let is_column = spec.is_some_and(|spec| matches!(spec.shape.as_slice(), [_, 1]));
        if is_column && tensor.shape.len() == 1 {
            tensor.shape.push(1);
        }
    }
    Inputs::Tensors(tensors)
}

fn to_spec(name: &str, takes: &ValueType) -> Result<TensorSpec> {
    let ValueType::Tensor { ty, shape, .. } = takes else {
        return Err(format!("input `{name}` is {takes}; only tensors can be sent to a model"));
    };
    let datatype = datatype(*ty)
        .filter(|datatype| *datatype != Datatype::Fp16)
        .ok_or_else(|| format!("input `{name}` holds {ty}, which cannot be sent to a graph; {IN_PYTHON}"))?;
    Ok(TensorSpec { name: Some(name.to_owned()), datatype, shape: shape.to_vec() })
}

/// What is told of an output; nothing of one that no answer can hold.
fn output_spec(name: &str, answers: &ValueType) -> Option<TensorSpec> {
    // Maps and lists are answered as the JSON of each element.
    let texts = || TensorSpec { name: Some(name.to_owned()), datatype: Datatype::Bytes, shape: vec![-1] };
    match answers {
        ValueType::Tensor { .. } => to_spec(name, answers).ok(),
        ValueType::Map { .. } => Some(texts()),
        ValueType::Sequence(element) => output_spec(name, element).map(|_| texts()),
        // What it holds is answered.
        ValueType::Optional(held) => output_spec(name, held),
    }
}

fn datatype(element: TensorElementType) -> Option<Datatype> {
    Some(match element {
        TensorElementType::Bool => Datatype::Bool,
        TensorElementType::Uint8 => Datatype::Uint8,
        TensorElementType::Uint16 => Datatype::Uint16,
        TensorElementType::Uint32 => Datatype::Uint32,
        TensorElementType::Uint64 => Datatype::Uint64,
        TensorElementType::Int8 => Datatype::Int8,
        TensorElementType::Int16 => Datatype::Int16,
        TensorElementType::Int32 => Datatype::Int32,
        TensorElementType::Int64 => Datatype::Int64,
        TensorElementType::Float16 => Datatype::Fp16,
        TensorElementType::Float32 => Datatype::Fp32,
        TensorElementType::Float64 => Datatype::Fp64,
        TensorElementType::String => Datatype::Bytes,
        _ => return None,
    })
}

macro_rules! array {
    ($tensor:expr, $kind:ty) => {{
        let values: Vec<$kind> =
            $tensor.data.as_chunks().0.iter().map(|chunk| <$kind>::from_le_bytes(*chunk)).collect();
        ort::value::Tensor::from_array(($tensor.shape.clone(), values)).map_err(said)?.into_dyn()
    }};
}

fn to_values(tensors: &[Tensor]) -> Result<Vec<(&str, SessionInputValue<'_>)>> {
    tensors.iter().map(|tensor| Ok((tensor.name.as_str(), to_value(tensor)?.into()))).collect()
}

fn to_value(tensor: &Tensor) -> Result<DynValue> {
    Ok(match tensor.datatype {
        Datatype::Bool => {
            let values: Vec<bool> = tensor.data.iter().map(|byte| *byte != 0).collect();
            ort::value::Tensor::from_array((tensor.shape.clone(), values)).map_err(said)?.into_dyn()
        }
        Datatype::Uint8 => array!(tensor, u8),
        Datatype::Uint16 => array!(tensor, u16),
        Datatype::Uint32 => array!(tensor, u32),
        Datatype::Uint64 => array!(tensor, u64),
        Datatype::Int8 => array!(tensor, i8),
        Datatype::Int16 => array!(tensor, i16),
        Datatype::Int32 => array!(tensor, i32),
        Datatype::Int64 => array!(tensor, i64),
        Datatype::Fp32 => array!(tensor, f32),
        Datatype::Fp64 => array!(tensor, f64),
        Datatype::Bytes => {
            let texts: Option<Vec<String>> = tensor.byte_strings().map(as_text).collect();
            let texts = texts.ok_or_else(|| format!("tensor `{}` holds bytes that are no text", tensor.name))?;
            ort::value::Tensor::from_string_array((tensor.shape.clone(), texts.as_slice())).map_err(said)?.into_dyn()
        }
        Datatype::Fp16 => return Err(format!("tensor `{}`: FP16 cannot be sent to a graph", tensor.name)),
    })
}

/// A text that the library can hold: it ends texts at a zero.
fn as_text(bytes: Option<&[u8]>) -> Option<String> {
    std::str::from_utf8(bytes?).ok().filter(|text| !text.contains('\0')).map(str::to_owned)
}

fn read_output(name: &str, value: &DynValue) -> Result<Output> {
    let unknown = |kind: &ValueType| format!("output `{name}` is {kind}, which no answer can hold; {IN_PYTHON}");
    match value.dtype() {
        ValueType::Tensor { .. } => read_tensor(name, value).map(Output::Tensor),
        ValueType::Map { .. } => Ok(Output::Texts(vec![read_map(name, value)?])),
        ValueType::Sequence(inner) => match inner.as_ref() {
            ValueType::Map { .. } => {
                let maps: Vec<DynMap> = value.try_extract_sequence::<DynMapValueType>().map_err(said)?;
                maps.into_iter().map(|map| read_map(name, &map.into_dyn())).collect::<Result<_>>().map(Output::Texts)
            }
            ValueType::Tensor { .. } => {
                let tensors: Vec<DynTensor> = value.try_extract_sequence::<DynTensorValueType>().map_err(said)?;
                let text = |tensor: DynTensor| Ok(answers::nested(&read_tensor(name, &tensor.into_dyn())?));
                tensors.into_iter().map(text).collect::<Result<_>>().map(Output::Texts)
            }
            other => Err(unknown(other)),
        },
        other @ ValueType::Optional(_) => Err(unknown(other)),
    }
}

macro_rules! extract {
    ($value:expr, $kind:ty) => {{
        let (shape, values) = $value.try_extract_tensor::<$kind>().map_err(said)?;
        let data: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        (shape.to_vec(), Bytes::from(data))
    }};
}

fn read_tensor(name: &str, value: &DynValue) -> Result<Tensor> {
    let unknown = || format!("output `{name}` is {}, which no answer can hold; {IN_PYTHON}", value.dtype());
    let element = value.dtype().tensor_type().ok_or_else(unknown)?;
    let datatype = datatype(element).ok_or_else(unknown)?;
    let (shape, data) = match datatype {
        Datatype::Bool => {
            let (shape, values) = value.try_extract_tensor::<bool>().map_err(said)?;
            (shape.to_vec(), values.iter().map(|value| u8::from(*value)).collect())
        }
        Datatype::Uint8 => extract!(value, u8),
        Datatype::Uint16 => extract!(value, u16),
        Datatype::Uint32 => extract!(value, u32),
        Datatype::Uint64 => extract!(value, u64),
        Datatype::Int8 => extract!(value, i8),
        Datatype::Int16 => extract!(value, i16),
        Datatype::Int32 => extract!(value, i32),
        Datatype::Int64 => extract!(value, i64),
        Datatype::Fp32 => extract!(value, f32),
        Datatype::Fp64 => extract!(value, f64),
        Datatype::Bytes => {
            let (shape, texts) = value.try_extract_strings().map_err(said)?;
            (shape.to_vec(), answers::join_texts(&texts))
        }
        Datatype::Fp16 => return Err(unknown()),
    };
    Tensor::new(name.to_owned(), datatype, shape, data).map_err(|error| error.message().to_owned())
}

/// A map as a JSON object, in the graph's order.
fn read_map(name: &str, value: &DynValue) -> Result<String> {
    let ValueType::Map { key, value: element } = value.dtype() else {
        return Err(format!("output `{name}` is no map"));
    };
    let unknown = || format!("output `{name}` is a map from {key} to {element}, which no answer can hold; {IN_PYTHON}");
    let entries: Vec<(String, String)> = match (key, element) {
        (TensorElementType::Int64, TensorElementType::Float32) => {
            let pairs = value.try_extract_key_values::<i64, f32>().map_err(said)?;
            pairs.into_iter().map(|(key, value)| (key.to_string(), answers::number(f64::from(value)))).collect()
        }
        (TensorElementType::Int64, TensorElementType::Float64) => {
            let pairs = value.try_extract_key_values::<i64, f64>().map_err(said)?;
            pairs.into_iter().map(|(key, value)| (key.to_string(), answers::number(value))).collect()
        }
        (TensorElementType::String, TensorElementType::Float32) => {
            let pairs = value.try_extract_key_values::<String, f32>().map_err(said)?;
            pairs.into_iter().map(|(key, value)| (key, answers::number(f64::from(value)))).collect()
        }
        (TensorElementType::String, TensorElementType::Float64) => {
            let pairs = value.try_extract_key_values::<String, f64>().map_err(said)?;
            pairs.into_iter().map(|(key, value)| (key, answers::number(value))).collect()
        }
        (TensorElementType::String, TensorElementType::Int64) => {
            let pairs = value.try_extract_key_values::<String, i64>().map_err(said)?;
            pairs.into_iter().map(|(key, value)| (key, value.to_string())).collect()
        }
        _ => return Err(unknown()),
    };
    let entries: Vec<String> =
        entries.into_iter().map(|(key, value)| format!("{}:{value}", answers::quote(&key))).collect();
    Ok(format!("{{{}}}", entries.join(",")))
}

#[cfg(test)]
mod tests {
    use ort::value::{Shape, SymbolicDimensions};

    use super::*;

    fn spec(name: &str, shape: &[i64]) -> TensorSpec {
        TensorSpec { name: Some(name.to_owned()), datatype: Datatype::Uint8, shape: shape.to_vec() }
    }

    fn tensor(name: &str, shape: &[i64]) -> Tensor {
        Tensor::new(name.to_owned(), Datatype::Uint8, shape.to_vec(), Bytes::from_static(&[1, 2])).unwrap()
    }

    #[test]
    fn only_outputs_that_answers_can_hold_are_told() {
        let tensor =
            |ty| ValueType::Tensor { ty, shape: Shape::new([-1, 2]), dimension_symbols: SymbolicDimensions::empty(2) };
        let told = |answers: &ValueType| output_spec("y", answers).map(|spec| (spec.datatype, spec.shape));
        let texts = Some((Datatype::Bytes, vec![-1]));
        let map = ValueType::Map { key: TensorElementType::Int64, value: TensorElementType::Float32 };
        assert_eq!(told(&tensor(TensorElementType::Uint8)), Some((Datatype::Uint8, vec![-1, 2])));
        assert_eq!(told(&map), texts);
        assert_eq!(told(&ValueType::Sequence(Box::new(map))), texts);
        let optional = ValueType::Optional(Box::new(tensor(TensorElementType::Uint8)));
        assert_eq!(told(&optional), told(&tensor(TensorElementType::Uint8)));
        for none in [TensorElementType::Float16, TensorElementType::Bfloat16].map(tensor) {
            assert_eq!(told(&none), None);
            assert_eq!(told(&ValueType::Sequence(Box::new(none))), None);
        }
    }

    #[test]
    fn the_only_input_needs_no_name_and_a_column_no_second_dimension() {
        let fitted =
            |specs: &[TensorSpec], one: Tensor, is_unnamed| match fit(specs, Inputs::Tensors(vec![one]), is_unnamed) {
                Inputs::Tensors(tensors) => (tensors[0].name.clone(), tensors[0].shape.clone()),
                Inputs::Table(_) => panic!("a table"),
            };
        let wide = [spec("X", &[-1, 2])];
        assert_eq!(fitted(&wide, tensor("", &[1, 2]), false).0, "X");
        assert_eq!(fitted(&wide, tensor("input", &[1, 2]), true).0, "X");
        assert_eq!(fitted(&wide, tensor("input", &[1, 2]), false).0, "input");
        assert_eq!(fitted(&wide, tensor("X", &[2]), false).1, [2]);
        let columns = [spec("a", &[-1, 1]), spec("b", &[-1, 1])];
        assert_eq!(fitted(&columns, tensor("b", &[2]), false).1, [2, 1]);
    }
}
