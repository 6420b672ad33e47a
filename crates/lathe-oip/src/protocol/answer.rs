//! Answers of `infer`: JSON, and after it the bytes of the outputs that were wanted as binary data.

use axum::response::{IntoResponse as _, Response};
use http::{HeaderName, HeaderValue, header};
use lathe_core::{Error, Result};
use lathe_serving::{Datatype, Outputs, Table, Tensor};

use super::request::RequestedOutput;
use crate::describe::UNNAMED_OUTPUT;
use crate::json::{self, Json};
use crate::limits::check_answer;
use crate::scoring::columns::named;
use crate::tensors;

/// How many bytes of a body are JSON, when binary data follow.
pub(crate) const JSON_LENGTH: HeaderName = HeaderName::from_static("inference-header-content-length");

/// What stands around the outputs.
#[derive(Debug)]
pub(crate) struct Envelope<'a> {
    pub(crate) model: &'a str,
    pub(crate) version: &'a str,
    pub(crate) id: Option<&'a str>,
}

/// The outputs as named tensors; those that were asked for, in the order they were asked for.
///
/// # Errors
/// `InvalidArgument` for an output that the model does not have.
pub(crate) fn select(outputs: Outputs, requested: &[RequestedOutput]) -> Result<Vec<Tensor>> {
    let mut all = match outputs {
        Outputs::Tensors(tensors) => tensors,
        Outputs::Table(table) => tensors::from_table(table)?,
        Outputs::Json(text) => match lists_of(&text) {
            Some(table) => tensors::from_table(table)?,
            None => {
                let mut data = Vec::new();
                tensors::push_byte_string(&mut data, text.as_bytes())
                    .ok_or_else(|| Error::internal("an answer is longer than 4 GiB"))?;
                vec![Tensor::new(UNNAMED_OUTPUT.to_owned(), Datatype::Bytes, vec![1], data.into())?]
            }
        },
    };
    for tensor in &mut all {
        if tensor.name.is_empty() {
            tensor.name = UNNAMED_OUTPUT.to_owned();
        }
    }
    let find = |wanted: &RequestedOutput| {
        all.iter().find(|tensor| tensor.name == wanted.name).cloned().ok_or_else(|| {
            let names = all.iter().map(|tensor| tensor.name.as_str()).collect::<Vec<_>>().join(", ");
            Error::invalid(format!("the model has no output `{}`; it has {names}", wanted.name))
        })
    };
    let selected = if requested.is_empty() { all } else { requested.iter().map(find).collect::<Result<_>>()? };
    check_answer(selected.iter().map(|tensor| tensor.data.len()).sum())?;
    Ok(selected)
}

/// The lists of an object as columns: numbers, truth values, texts, and of all else the JSON of each element. `None` for any other JSON.
fn lists_of(text: &str) -> Option<Table> {
    let Ok(Json::Object(lists)) = Json::parse(text.as_bytes()) else { return None };
    let columns = lists.into_iter().map(|(name, list)| {
        let Json::List(items) = list else { return None };
        Some((name, items))
    });
    Some(named(columns.collect::<Option<_>>()?))
}

/// Writes an answer.
///
/// # Errors
/// `InvalidArgument` for byte strings that are no UTF-8 and were not asked for as binary data.
pub(crate) fn write_infer(
    envelope: &Envelope<'_>,
    outputs: &[Tensor],
    requested: &[RequestedOutput],
    is_binary: bool,
) -> Result<Response> {
    let wants_binary = |at: usize| requested.get(at).and_then(|output| output.is_binary).unwrap_or(is_binary);
    let mut body = b"{\"model_name\":".to_vec();
    json::write_text(&mut body, envelope.model);
    body.extend_from_slice(b",\"model_version\":");
    json::write_text(&mut body, envelope.version);
    if let Some(id) = envelope.id {
        body.extend_from_slice(b",\"id\":");
        json::write_text(&mut body, id);
    }
    body.extend_from_slice(b",\"outputs\":[");
    for (at, tensor) in outputs.iter().enumerate() {
        if at > 0 {
            body.push(b',');
        }
        body.extend_from_slice(b"{\"name\":");
        json::write_text(&mut body, &tensor.name);
        body.extend_from_slice(b",\"datatype\":");
        json::write_text(&mut body, tensor.datatype.as_str());
        body.extend_from_slice(b",\"shape\":");
        json::write_list(&mut body, &tensor.shape, json::write_display);
        if wants_binary(at) {
            body.extend_from_slice(b",\"parameters\":{\"binary_data_size\":");
            json::write_display(&mut body, &tensor.data.len());
            body.push(b'}');
        } else {
            body.extend_from_slice(b",\"data\":");
            tensors::write_flat(&mut body, tensor)?;
        }
        body.push(b'}');
    }
    body.extend_from_slice(b"]}");
    let json_bytes = body.len();
    let mut has_binary = false;
    for (_, tensor) in outputs.iter().enumerate().filter(|(at, _)| wants_binary(*at)) {
        has_binary = true;
        body.extend_from_slice(&tensor.data);
    }
    let content_type = if has_binary { "application/octet-stream" } else { "application/json" };
    let mut response = ([(header::CONTENT_TYPE, HeaderValue::from_static(content_type))], body).into_response();
    if has_binary {
        response.headers_mut().insert(JSON_LENGTH, HeaderValue::from(json_bytes));
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use lathe_serving::{Column, Values};

    const ENVELOPE: Envelope<'_> = Envelope { model: "scorer", version: "3", id: Some("a") };

    async fn body(response: Response) -> Bytes {
        axum::body::to_bytes(response.into_body(), 10_000).await.unwrap()
    }

    fn outputs() -> Outputs {
        Outputs::Table(Table {
            columns: vec![
                Column { name: UNNAMED_OUTPUT.into(), values: Values::Float64(vec![1.5, f64::NAN]) },
                Column { name: "label".into(), values: Values::Text(vec![Some("é".into()), None]) },
            ],
        })
    }

    #[tokio::test]
    async fn all_outputs_as_json() {
        let tensors = select(outputs(), &[]).unwrap();
        let response = write_infer(&ENVELOPE, &tensors, &[], false).unwrap();
        assert!(response.headers().get(&JSON_LENGTH).is_none());
        let expected = concat!(
            r#"{"model_name":"scorer","model_version":"3","id":"a","outputs":["#,
            r#"{"name":"predictions","datatype":"FP64","shape":[2],"data":[1.5,NaN]},"#,
            r#"{"name":"label","datatype":"BYTES","shape":[2],"data":["é",""]}]}"#
        );
        assert_eq!(body(response).await, expected);
    }

    #[tokio::test]
    async fn one_output_as_binary_data() {
        let wanted = [RequestedOutput { name: "label".into(), is_binary: Some(true) }];
        let tensors = select(outputs(), &wanted).unwrap();
        let response = write_infer(&ENVELOPE, &tensors, &wanted, false).unwrap();
        let split: usize = response.headers()[&JSON_LENGTH].to_str().unwrap().parse().unwrap();
        let body = body(response).await;
        assert!(body[..split].ends_with(br#""parameters":{"binary_data_size":10}}]}"#));
        assert_eq!(&body[split..], b"\x02\0\0\0\xc3\xa9\0\0\0\0");
        let unknown = [RequestedOutput { name: "nothing".into(), is_binary: None }];
        assert!(select(outputs(), &unknown).unwrap_err().message().contains("it has predictions, label"));
    }

    #[test]
    fn the_lists_of_an_object_are_outputs_of_their_own() {
        let text = r#"{"label":["a","b"],"score":[1,0.5],"each":[{"x":1},{"x":NaN}],"bare":[NaN,1.5]}"#;
        let tensors = select(Outputs::Json(text.to_owned()), &[]).unwrap();
        let of = |name: &str| tensors.iter().find(|tensor| tensor.name == name).unwrap();
        assert_eq!((of("label").datatype, of("label").shape.as_slice()), (Datatype::Bytes, [2].as_slice()));
        assert_eq!(of("score").floats(), Some(vec![1.0, 0.5]));
        assert_eq!(of("each").byte_strings().next(), Some(Some(br#"{"x":1}"#.as_slice())));
        assert_eq!(of("each").byte_strings().nth(1), Some(Some(br#"{"x":NaN}"#.as_slice())));
        assert!(of("bare").floats().is_some_and(|values| values[0].is_nan() && values[1] == 1.5));
        let order: Vec<&str> = tensors.iter().map(|tensor| tensor.name.as_str()).collect();
        assert_eq!(order, ["label", "score", "each", "bare"]);
        let whole = select(Outputs::Json("[1,2]".to_owned()), &[]).unwrap();
        assert_eq!((whole.len(), whole[0].name.as_str()), (1, UNNAMED_OUTPUT));
    }

    #[test]
    fn an_answer_is_bounded() {
        let large = |name: &str| {
            Tensor::new(name.into(), Datatype::Uint8, vec![40 << 20], Bytes::from(vec![0; 40 << 20])).unwrap()
        };
        let outputs = || Outputs::Tensors(vec![large("x"), large("y")]);
        let error = select(outputs(), &[]).unwrap_err();
        assert_eq!(error.code(), lathe_core::Code::TooLarge, "{error}");
        let one = [RequestedOutput { name: "y".into(), is_binary: Some(true) }];
        assert_eq!(select(outputs(), &one).unwrap().len(), 1);
    }

    #[test]
    fn bytes_that_are_no_text_need_binary_data() {
        let tensor = Tensor::new("x".into(), Datatype::Bytes, vec![1], Bytes::from_static(b"\x01\0\0\0\xff")).unwrap();
        assert!(write_infer(&ENVELOPE, std::slice::from_ref(&tensor), &[], false).is_err());
        assert!(write_infer(&ENVELOPE, &[tensor], &[], true).is_ok());
    }
}
