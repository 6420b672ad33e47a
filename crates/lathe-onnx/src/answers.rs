//! The form of answers: that of MLflow's own scoring of ONNX models. Pure.
//!
//! Asked with columns, each output is a column, whatever its shape, flattened; probabilities that the graph gives as maps are one object a
//! row. Asked with tensors, the answer is the outputs by name. Where MLflow gives up, because flattened outputs differ in length, the outputs
//! keep their shape.

use bytes::Bytes;
use lathe_serving::{Column, Datatype, Outputs, Table, Tensor, Values};

/// An output of the graph.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Output {
    /// A tensor.
    Tensor(Tensor),
    /// A sequence: the JSON text of each element.
    Texts(Vec<String>),
}

/// Gives outputs the form of an answer.
pub(crate) fn to_outputs(named: Vec<(String, Output)>, is_table_asked: bool) -> Outputs {
    if is_table_asked && let Some(table) = to_table(&named) {
        return Outputs::Table(table);
    }
    if named.iter().any(|(_, output)| matches!(output, Output::Texts(_))) {
        return Outputs::Json(to_json(&named));
    }
    let tensors = named.into_iter().filter_map(|(name, output)| match output {
        Output::Tensor(tensor) => Some(Tensor { name, ..tensor }),
        Output::Texts(_) => None,
    });
    Outputs::Tensors(tensors.collect())
}

/// Outputs as columns; `None` when they differ in length.
fn to_table(named: &[(String, Output)]) -> Option<Table> {
    let columns: Vec<Column> = named
        .iter()
        .map(|(name, output)| {
            let values = match output {
                Output::Tensor(tensor) => to_values(tensor),
                Output::Texts(texts) => Values::Json(texts.iter().cloned().map(Some).collect()),
            };
            Column { name: name.clone(), values }
        })
        .collect();
    let is_even = columns.windows(2).all(|pair| matches!(pair, [one, other] if one.values.len() == other.values.len()));
    is_even.then_some(Table { columns })
}

macro_rules! numbers {
    ($data:expr, $kind:ty, $into:ty) => {
        $data.as_chunks().0.iter().map(|chunk| <$into>::from(<$kind>::from_le_bytes(*chunk))).collect()
    };
}

fn to_values(tensor: &Tensor) -> Values {
    let data: &[u8] = &tensor.data;
    match tensor.datatype {
        Datatype::Bool => Values::Bool(data.iter().map(|byte| *byte != 0).collect()),
        Datatype::Uint8 => Values::Int64(data.iter().map(|byte| i64::from(*byte)).collect()),
        Datatype::Int8 => Values::Int64(numbers!(data, i8, i64)),
        Datatype::Uint16 => Values::Int64(numbers!(data, u16, i64)),
        Datatype::Int16 => Values::Int64(numbers!(data, i16, i64)),
        Datatype::Uint32 => Values::Int64(numbers!(data, u32, i64)),
        Datatype::Int32 => Values::Int64(numbers!(data, i32, i64)),
        Datatype::Int64 => Values::Int64(numbers!(data, i64, i64)),
        Datatype::Fp32 => Values::Float64(numbers!(data, f32, f64)),
        Datatype::Fp64 => Values::Float64(numbers!(data, f64, f64)),
        Datatype::Bytes => {
            let text = |bytes: Option<&[u8]>| bytes.map(|bytes| String::from_utf8_lossy(bytes).into_owned());
            Values::Text(tensor.byte_strings().map(text).collect())
        }
        // Beyond what a column of numbers holds: each its own text.
        Datatype::Uint64 | Datatype::Fp16 => Values::Json(elements(tensor).into_iter().map(Some).collect()),
    }
}

/// One JSON object of all outputs.
fn to_json(named: &[(String, Output)]) -> String {
    let mut out = String::from("{");
    for (at, (name, output)) in named.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        out.push_str(&quote(name));
        out.push(':');
        match output {
            Output::Tensor(tensor) => out.push_str(&nested(tensor)),
            Output::Texts(texts) => out.push_str(&format!("[{}]", texts.join(","))),
        }
    }
    out.push('}');
    out
}

/// A text as JSON.
pub(crate) fn quote(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A number as short as it is exact; what is none by the names that Python's JSON has for it.
pub(crate) fn number(value: f64) -> String {
    if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        (if value > 0.0 { "Infinity" } else { "-Infinity" }).to_owned()
    } else {
        format!("{value:?}")
    }
}

/// A tensor as nested lists.
pub(crate) fn nested(tensor: &Tensor) -> String {
    nest(&tensor.shape, &mut elements(tensor).into_iter())
}

fn nest(shape: &[i64], elements: &mut std::vec::IntoIter<String>) -> String {
    let Some((length, below)) = shape.split_first() else {
        return elements.next().unwrap_or_else(|| "null".to_owned());
    };
    let items: Vec<String> = (0..*length).map(|_| nest(below, elements)).collect();
    format!("[{}]", items.join(","))
}

fn elements(tensor: &Tensor) -> Vec<String> {
    match tensor.datatype {
        Datatype::Uint64 => {
            tensor.data.as_chunks().0.iter().map(|chunk| u64::from_le_bytes(*chunk).to_string()).collect()
        }
        Datatype::Fp16 => Vec::new(),
        _ => match to_values(tensor) {
            Values::Float64(values) => values.into_iter().map(number).collect(),
            Values::Int64(values) => values.iter().map(i64::to_string).collect(),
            Values::Bool(values) => values.iter().map(bool::to_string).collect(),
            Values::Text(values) => values.iter().map(|text| quote(text.as_deref().unwrap_or_default())).collect(),
            Values::Json(_) | Values::Binary(_) | Values::Datetime(_) => Vec::new(),
        },
    }
}

/// Texts as the elements of a tensor.
pub(crate) fn join_texts(texts: &[String]) -> Bytes {
    let mut data = Vec::new();
    for text in texts {
        data.extend_from_slice(&u32::try_from(text.len()).unwrap_or_default().to_le_bytes());
        data.extend_from_slice(text.as_bytes());
    }
    data.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn floats(shape: &[i64], values: &[f32]) -> Output {
        let data: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        Output::Tensor(Tensor::new(String::new(), Datatype::Fp32, shape.to_vec(), data.into()).unwrap())
    }

    fn labels(texts: &[&str]) -> Output {
        let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
        let shape = vec![i64::try_from(texts.len()).unwrap()];
        Output::Tensor(Tensor::new(String::new(), Datatype::Bytes, shape, join_texts(&texts)).unwrap())
    }

    fn named(outputs: Vec<Output>) -> Vec<(String, Output)> {
        outputs.into_iter().enumerate().map(|(at, output)| (format!("o{at}"), output)).collect()
    }

    #[test]
    fn asked_with_columns_each_output_is_a_flat_column() {
        let maps = Output::Texts(vec![r#"{"no":0.25}"#.into(), r#"{"no":1.0}"#.into()]);
        let outputs = to_outputs(named(vec![floats(&[2, 1], &[0.5, 0.1]), labels(&["é", "no"]), maps]), true);
        let Outputs::Table(table) = outputs else { panic!("no table") };
        // As Python shows a number of 32 bit.
        assert_eq!(table.columns[0].values, Values::Float64(vec![0.5, 0.10000000149011612]));
        assert_eq!(table.columns[1].values, Values::Text(vec![Some("é".into()), Some("no".into())]));
        assert_eq!(table.columns[2].values.len(), 2);
    }

    #[test]
    fn outputs_of_different_length_keep_their_shape() {
        let outputs = to_outputs(named(vec![floats(&[2], &[0.0, 1.0]), floats(&[2, 2], &[0.0; 4])]), true);
        let Outputs::Tensors(tensors) = outputs else { panic!("no tensors") };
        assert_eq!((tensors[0].name.as_str(), tensors[1].shape.as_slice()), ("o0", [2, 2].as_slice()));
    }

    #[test]
    fn asked_with_tensors_maps_make_the_answer_an_object() {
        let maps = Output::Texts(vec!["{\"0\":0.25}".into()]);
        let outputs = to_outputs(named(vec![floats(&[1, 2], &[1.0, f32::NAN]), labels(&["a\""]), maps]), false);
        assert_eq!(outputs, Outputs::Json(r#"{"o0":[[1.0,NaN]],"o1":["a\""],"o2":[{"0":0.25}]}"#.into()));
        let Outputs::Tensors(tensors) = to_outputs(named(vec![floats(&[1, 1], &[1.0])]), false) else { panic!("json") };
        assert_eq!(tensors[0].shape, [1, 1]);
    }

    #[test]
    fn tensors_nest_as_their_shape_says() {
        let text = |shape: &[i64], values: &[f32]| match floats(shape, values) {
            Output::Tensor(tensor) => nested(&tensor),
            Output::Texts(_) => String::new(),
        };
        assert_eq!(text(&[2, 2], &[1.0, 2.0, 3.0, 1e-7]), "[[1.0,2.0],[3.0,1.0000000116860974e-7]]");
        assert_eq!(text(&[], &[1.5]), "1.5");
        assert_eq!(text(&[0], &[]), "[]");
        assert_eq!(text(&[2, 0], &[]), "[[],[]]");
        assert_eq!(text(&[1, 2, 1], &[1.0, 2.0]), "[[[1.0],[2.0]]]");
    }
}
