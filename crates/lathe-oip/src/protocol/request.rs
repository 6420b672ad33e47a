//! Bodies of `infer`: JSON, and after it the bytes of the tensors that are sent as binary data.

use bytes::Bytes;
use lathe_core::{Code, Error, Result};
use lathe_serving::{Datatype, Tensor};
use serde_json::{Map, Value};

use crate::json::{Json, take_field};
use crate::limits::{TEXT_BYTES, check_columns};
use crate::names::check_distinct;
use crate::tensors;

/// How an output is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RequestedOutput {
    pub(crate) name: String,
    /// As binary data; `None` leaves it to the request.
    pub(crate) is_binary: Option<bool>,
}

/// Fails for more outputs than a model may have, and for one that is asked for twice: a few bytes of a request would else be many answers.
///
/// # Errors
/// `TooLarge` or `InvalidArgument`.
pub(crate) fn check_outputs(outputs: &[RequestedOutput]) -> Result<()> {
    check_columns(outputs.len())?;
    check_distinct("output", outputs.iter().map(|output| output.name.as_str()))
}

/// A request of the protocol.
#[derive(Debug, PartialEq)]
pub(crate) struct InferBody {
    /// The client's own id, which the answer repeats.
    pub(crate) id: Option<String>,
    /// For the model, and for the server.
    pub(crate) params: Map<String, Value>,
    pub(crate) inputs: Vec<Tensor>,
    /// Empty: all.
    pub(crate) outputs: Vec<RequestedOutput>,
    /// Whether outputs are binary that do not say so themselves.
    pub(crate) is_binary: bool,
}

/// Parameters that say something to the server, and nothing to a model that has none of that name.
pub(crate) const OF_THE_SERVER: [&str; 8] = [
    "binary_data_output",
    "sequence_id",
    "sequence_start",
    "sequence_end",
    "priority",
    "timeout",
    "headers",
    "content_type",
];

/// Reads a body; `json_bytes` of it are JSON, if the header says so, and the rest binary data.
///
/// # Errors
/// `InvalidArgument` or `TooLarge`.
pub(crate) fn parse_infer(body: &Bytes, json_bytes: Option<usize>) -> Result<InferBody> {
    let split = json_bytes.unwrap_or(body.len());
    if split > body.len() {
        return Err(Error::invalid(format!(
            "Inference-Header-Content-Length is {split}, and the body has only {} bytes",
            body.len()
        )));
    }
    if split > TEXT_BYTES {
        return Err(Error::new(
            Code::TooLarge,
            format!(
                "a request may have {TEXT_BYTES} bytes of JSON; this one has {split}: send its tensors as binary data"
            ),
        ));
    }
    let mut binary = body.slice(split..);
    let Json::Object(mut fields) = Json::parse(&body.slice(..split))? else {
        return Err(Error::invalid("the request must be a JSON object"));
    };
    let id = match take_field(&mut fields, "id") {
        None | Some(Json::Null) => None,
        Some(Json::Text(id)) => Some(id),
        Some(other) => return Err(Error::invalid(format!("id must be a text, not of type {}", other.type_name()))),
    };
    let params = parameters(take_field(&mut fields, "parameters"), "the request")?;
    let is_binary = flag(&params, "binary_data_output", "the request")?.unwrap_or(false);
    let listed = list(take_field(&mut fields, "inputs"), "inputs")?;
    if listed.is_empty() {
        return Err(Error::invalid("the request has no inputs"));
    }
    check_columns(listed.len())?;
    let inputs = listed.into_iter().map(|input| read_input(input, &mut binary)).collect::<Result<Vec<_>>>()?;
    check_distinct("input", inputs.iter().map(|input| input.name.as_str()))?;
    if !binary.is_empty() {
        return Err(Error::invalid(format!("{} bytes of binary data belong to no input", binary.len())));
    }
    let outputs = list(take_field(&mut fields, "outputs"), "outputs")?;
    let outputs = outputs.into_iter().map(read_output).collect::<Result<Vec<_>>>()?;
    check_outputs(&outputs)?;
    Ok(InferBody { id, params, inputs, outputs, is_binary })
}

fn list(value: Option<Json>, name: &str) -> Result<Vec<Json>> {
    match value {
        None | Some(Json::Null) => Ok(Vec::new()),
        Some(Json::List(items)) => Ok(items),
        Some(other) => Err(Error::invalid(format!("{name} must be a list, not of type {}", other.type_name()))),
    }
}

fn parameters(value: Option<Json>, whose: &str) -> Result<Map<String, Value>> {
    match value.map(Json::into_strict) {
        None | Some(Value::Null) => Ok(Map::new()),
        Some(Value::Object(parameters)) => Ok(parameters),
        Some(_) => Err(Error::invalid(format!("the parameters of {whose} must be an object"))),
    }
}

fn flag(parameters: &Map<String, Value>, name: &str, whose: &str) -> Result<Option<bool>> {
    match parameters.get(name) {
        None => Ok(None),
        Some(Value::Bool(flag)) => Ok(Some(*flag)),
        Some(_) => Err(Error::invalid(format!("the parameter {name} of {whose} must be true or false"))),
    }
}

fn object(value: Json, what: &str) -> Result<Vec<(String, Json)>> {
    if let Json::Object(fields) = value {
        return Ok(fields);
    }
    Err(Error::invalid(format!("{what} must be an object, not of type {}", value.type_name())))
}

fn read_name(fields: &mut Vec<(String, Json)>, what: &str) -> Result<String> {
    match take_field(fields, "name") {
        Some(Json::Text(name)) => Ok(name),
        _ => Err(Error::invalid(format!("{what} needs a name"))),
    }
}

fn read_input(input: Json, binary: &mut Bytes) -> Result<Tensor> {
    let mut fields = object(input, "an input")?;
    let name = read_name(&mut fields, "each input")?;
    let Some(Json::Text(datatype)) = take_field(&mut fields, "datatype") else {
        return Err(Error::invalid(format!("input `{name}` needs a datatype")));
    };
    let datatype = Datatype::parse(&datatype)?;
    let shape = match take_field(&mut fields, "shape") {
        Some(Json::List(lengths)) => lengths
            .iter()
            .map(|length| if let Json::Int(length) = length { Some(*length) } else { None })
            .collect::<Option<Vec<i64>>>(),
        _ => None,
    };
    let shape =
        shape.ok_or_else(|| Error::invalid(format!("input `{name}` needs a shape, a list of whole numbers")))?;
    let whose = format!("input `{name}`");
    let parameters = parameters(take_field(&mut fields, "parameters"), &whose)?;
    if parameters.keys().any(|key| key.starts_with("shared_memory")) {
        return Err(Error::invalid(format!("{whose} names shared memory, which this server does not read")));
    }
    match (parameters.get("binary_data_size"), take_field(&mut fields, "data")) {
        (Some(size), None) => {
            let size = size.as_u64().and_then(|size| usize::try_from(size).ok());
            let size = size.filter(|size| *size <= binary.len()).ok_or_else(|| {
                Error::invalid(format!("{whose}: binary_data_size is no number of bytes that the body has"))
            })?;
            Tensor::new(name, datatype, shape, binary.split_to(size))
        }
        (None, Some(data)) => tensors::from_json(name, datatype, shape, &data),
        (Some(_), Some(_)) => Err(Error::invalid(format!("{whose} has data and binary_data_size; send one of them"))),
        (None, None) => Err(Error::invalid(format!("{whose} has neither data nor binary_data_size"))),
    }
}

fn read_output(output: Json) -> Result<RequestedOutput> {
    let mut fields = object(output, "an output")?;
    let name = read_name(&mut fields, "each output")?;
    let whose = format!("output `{name}`");
    let parameters = parameters(take_field(&mut fields, "parameters"), &whose)?;
    if parameters.keys().any(|key| key.starts_with("shared_memory")) {
        return Err(Error::invalid(format!("{whose} names shared memory, which this server does not write")));
    }
    if parameters.get("classification").is_some_and(|count| count.as_i64() != Some(0)) {
        return Err(Error::invalid(format!("{whose}: the classification extension is not served")));
    }
    Ok(RequestedOutput { is_binary: flag(&parameters, "binary_data", &whose)?, name })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(body: &str) -> Result<InferBody> {
        parse_infer(&Bytes::from(body.to_owned()), None)
    }

    #[test]
    fn json_and_binary_data_make_the_same_tensor() {
        let json =
            r#"{"id": "7", "inputs": [{"name": "x", "shape": [2, 1], "datatype": "FP32", "data": [[1], [2.5]]}]}"#;
        let plain = parse(json).unwrap();
        assert_eq!((plain.id.as_deref(), plain.is_binary), (Some("7"), false));
        let head = r#"{"parameters": {"binary_data_output": true, "depth": 3},
            "inputs": [{"name": "x", "shape": [2, 1], "datatype": "FP32", "parameters": {"binary_data_size": 8}}],
            "outputs": [{"name": "y", "parameters": {"binary_data": false}}]}"#;
        let mut body = head.as_bytes().to_vec();
        body.extend([1.0_f32, 2.5].iter().flat_map(|value| value.to_le_bytes()));
        let binary = parse_infer(&Bytes::from(body.clone()), Some(head.len())).unwrap();
        assert_eq!(binary.inputs, plain.inputs);
        let params = [("depth".to_owned(), Value::from(3)), ("binary_data_output".to_owned(), Value::from(true))];
        assert_eq!(binary.params, Map::from_iter(params));
        assert_eq!(binary.outputs, [RequestedOutput { name: "y".into(), is_binary: Some(false) }]);
        assert!(binary.is_binary);
        body.push(0);
        let left_over = parse_infer(&Bytes::from(body.clone()), Some(head.len())).unwrap_err();
        assert!(left_over.message().contains("1 bytes of binary data"), "{left_over}");
        assert!(parse_infer(&Bytes::from(body), Some(10_000)).is_err());
    }

    #[test]
    fn what_is_wrong_is_named() {
        let input = |rest: &str| format!(r#"{{"inputs": [{{"name": "x"{rest}}}]}}"#);
        for (body, words) in [
            ("[]".to_owned(), "must be a JSON object"),
            ("{}".to_owned(), "no inputs"),
            (r#"{"inputs": [{}]}"#.to_owned(), "needs a name"),
            (input(""), "needs a datatype"),
            (input(r#", "datatype": "FP8""#), "FP8"),
            (input(r#", "datatype": "FP32""#), "needs a shape"),
            (input(r#", "datatype": "FP32", "shape": [1.5]"#), "needs a shape"),
            (input(r#", "datatype": "FP32", "shape": [1]"#), "neither data nor binary_data_size"),
            (input(r#", "datatype": "FP32", "shape": [2], "data": [1]"#), "shape"),
            (input(r#", "datatype": "FP32", "shape": [-1], "data": [1]"#), "cannot have the shape"),
            (input(r#", "datatype": "UINT8", "shape": [1], "data": [256]"#), "256 is not a value of type UINT8"),
            (
                input(r#", "datatype": "UINT8", "shape": [1], "parameters": {"binary_data_size": 1}"#),
                "binary_data_size",
            ),
            (
                input(r#", "datatype": "UINT8", "shape": [1], "parameters": {"shared_memory_region": "r"}"#),
                "shared memory",
            ),
            (r#"{"id": 3, "inputs": []}"#.to_owned(), "id must be a text"),
            (input(r#", "datatype": "FP32", "shape": [1], "data": [1e300]"#), "is not a value of type FP32"),
            (input(r#", "datatype": "BOOL", "shape": [1], "data": [7]"#), "7 is not a value of type BOOL"),
            (input(r#", "datatype": "INT8", "shape": [2, 2], "data": [[1, 2, 3, 4]]"#), "nested as [1, 4], and its shape is [2, 2]"),
            (input(r#", "datatype": "INT8", "shape": [4], "data": [[1, 2], [3, 4]]"#), "nested as [2, 2], and its shape is [4]"),
            (input(r#", "datatype": "INT8", "shape": [2, 2], "data": [[1, 2], [3, [4]]]"#), "differ in length"),
            (
                r#"{"inputs": [{"name": "x", "datatype": "INT8", "shape": [1], "data": [1]}], "outputs": [{"name": "y"}, {"name": "y"}]}"#
                    .to_owned(),
                "output `y` stands twice",
            ),
            (
                r#"{"inputs": [{"name": "x", "datatype": "INT8", "shape": [1], "data": [1]}, {"name": "x", "datatype": "INT8", "shape": [1], "data": [1]}]}"#
                    .to_owned(),
                "input `x` stands twice",
            ),
        ] {
            let error = parse(&body).unwrap_err();
            assert!(error.message().contains(words), "{body}: {error}");
        }
    }

    #[test]
    fn json_is_bounded_and_binary_data_are_not() {
        let json = format!(r#"{{"inputs": [], "note": "{}"}}"#, "x".repeat(TEXT_BYTES));
        assert_eq!(parse(&json).unwrap_err().code(), Code::TooLarge);
        let count = TEXT_BYTES + 1;
        let head = format!(
            r#"{{"inputs": [{{"name": "x", "shape": [{count}], "datatype": "INT8", "parameters": {{"binary_data_size": {count}}}}}]}}"#
        );
        let body = [head.as_bytes(), &vec![0; count]].concat();
        assert!(parse_infer(&Bytes::from(body), Some(head.len())).is_ok());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..100),
            text in "\\{\"inputs\":\\[\\{\"name\":\"x\",\"shape\":\\[-?[0-9]{0,20}(,[0-9]{1,20})?\\],\"datatype\":\"(FP32|BYTES|INT8)\",\"(data|parameters)\":[\\[\\]{}:,\"0-9a]{0,12}\\}\\]\\}",
            split in 0_usize..200,
        ) {
            let _ = parse_infer(&Bytes::from(bytes), Some(split));
            let _ = parse(&text);
        }
    }
}
