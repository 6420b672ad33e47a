//! The worker's side of the frames, for workers that are not written in Python. A worker has one socket and one thing to do: it blocks.

use std::io::{BufRead, Error as IoError, ErrorKind, Result, Write};

use bytes::Bytes;
use serde::Serialize;
use serde_json::Value;

use super::frame::{self, Header, MAX_PART_BYTES, Part};
use crate::payload::{Inputs, Outputs};

#[derive(Debug, Serialize)]
struct Said<'a> {
    op: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signature: Option<&'a Value>,
}

#[derive(Debug, Serialize)]
struct Answered {
    op: &'static str,
    kind: &'static str,
    rows: usize,
    parts: Vec<Part>,
}

/// Waits for the next question; `None` when the server is gone. A small question is one read of the socket.
///
/// # Errors
/// When the socket fails, or what came does not keep to the form.
pub fn read_question(from: &mut impl BufRead) -> Result<Option<Inputs>> {
    let bad = |what: &str| IoError::new(ErrorKind::InvalidData, what.to_owned());
    let Some(header_length) = read_length(from)? else { return Ok(None) };
    let Some(body_length) = read_length(from)? else { return Ok(None) };
    if header_length > MAX_PART_BYTES || body_length > MAX_PART_BYTES {
        return Err(bad("a frame is too large"));
    }
    let mut header = vec![0; header_length as usize];
    from.read_exact(&mut header)?;
    let mut body = vec![0; body_length as usize];
    from.read_exact(&mut body)?;
    let header: Header = serde_json::from_slice(&header)?;
    let asked = (header.op == "infer").then(|| frame::decode(&header, Bytes::from(body))).flatten();
    match asked {
        Some(Outputs::Table(table)) => Ok(Some(Inputs::Table(table))),
        Some(Outputs::Tensors(tensors)) => Ok(Some(Inputs::Tensors(tensors))),
        Some(Outputs::Json(_)) | None => Err(bad("a question is malformed")),
    }
}

fn read_length(from: &mut impl BufRead) -> Result<Option<u32>> {
    let mut length = [0; 4];
    match from.read_exact(&mut length) {
        Ok(()) => Ok(Some(u32::from_le_bytes(length))),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

/// Says that the model is loaded, with its signature in MLflow's form.
///
/// # Errors
/// When the socket fails.
pub fn write_ready(to: &mut impl Write, signature: &Value) -> Result<()> {
    write(to, &Said { op: "ready", message: None, signature: Some(signature) }, &[])
}

/// Says why the model cannot be loaded.
///
/// # Errors
/// When the socket fails.
pub fn write_failed(to: &mut impl Write, message: &str) -> Result<()> {
    write(to, &Said { op: "failed", message: Some(message), signature: None }, &[])
}

/// Says that the inputs of a question are not what the model takes: the caller's fault.
///
/// # Errors
/// When the socket fails.
pub fn write_refused(to: &mut impl Write, message: &str) -> Result<()> {
    write(to, &Said { op: "refused", message: Some(message), signature: None }, &[])
}

/// Says that the model failed on a question.
///
/// # Errors
/// When the socket fails.
pub fn write_error(to: &mut impl Write, message: &str) -> Result<()> {
    write(to, &Said { op: "error", message: Some(message), signature: None }, &[])
}

/// Answers a question.
///
/// # Errors
/// When the socket fails, or the answer is larger than a frame.
pub fn write_answer(to: &mut impl Write, outputs: &Outputs) -> Result<()> {
    let (mut body, mut parts) = (Vec::new(), Vec::new());
    let kind = match outputs {
        Outputs::Table(table) => frame::push_table(&mut body, &mut parts, table).map_err(too_large)?,
        Outputs::Tensors(tensors) => frame::push_tensors(&mut body, &mut parts, tensors),
        Outputs::Json(text) => {
            body.extend_from_slice(text.as_bytes());
            "json"
        }
    };
    write(to, &Answered { op: "answer", kind, rows: outputs.rows(), parts }, &body)
}

fn write(to: &mut impl Write, header: &impl Serialize, body: &[u8]) -> Result<()> {
    to.write_all(&frame::frame(header, body).map_err(too_large)?)
}

fn too_large(error: lathe_core::Error) -> IoError {
    IoError::new(ErrorKind::InvalidData, error.message().to_owned())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use serde_json::Map;

    use super::super::frame::{Reply, encode, receive};
    use super::*;
    use crate::payload::{Column, Datatype, Table, Tensor, Values};

    fn table() -> Table {
        let column = |name: &str, values| Column { name: name.to_owned(), values };
        Table {
            columns: vec![
                column("a", Values::Float64(vec![1.5, f64::INFINITY])),
                column("b", Values::Text(vec![Some("é".to_owned()), None])),
                column("c", Values::Json(vec![Some("{}".to_owned()), None])),
                column("d", Values::Int64(vec![i64::MIN, 3])),
            ],
        }
    }

    fn tensors() -> Vec<Tensor> {
        vec![Tensor::new("x".to_owned(), Datatype::Int16, vec![2, 1], Bytes::from_static(&[1, 0, 2, 0])).unwrap()]
    }

    #[test]
    fn a_question_arrives_as_it_was_asked() {
        for inputs in [Inputs::Table(table()), Inputs::Tensors(tensors())] {
            let sent = encode(&inputs, &Map::new()).unwrap();
            assert_eq!(read_question(&mut sent.as_slice()).unwrap(), Some(inputs));
        }
    }

    #[tokio::test]
    async fn an_answer_arrives_as_it_was_given() {
        for outputs in [Outputs::Table(table()), Outputs::Tensors(tensors()), Outputs::Json("[1]".to_owned())] {
            let mut sent = Vec::new();
            write_answer(&mut sent, &outputs).unwrap();
            let Ok(Reply::Answer(answer)) = receive(&mut sent.as_slice()).await else { panic!("no answer") };
            assert_eq!(answer, outputs);
        }
        let mut sent = Vec::new();
        write_failed(&mut sent, "no").unwrap();
        assert!(matches!(receive(&mut sent.as_slice()).await, Ok(Reply::Failed { message }) if message == "no"));
        let mut sent = Vec::new();
        write_refused(&mut sent, "no").unwrap();
        assert!(matches!(receive(&mut sent.as_slice()).await, Ok(Reply::Refused { message }) if message == "no"));
    }

    #[tokio::test]
    async fn frames_that_arrive_at_once_are_read_one_after_the_other() {
        let sent = [
            encode(&Inputs::Table(table()), &Map::new()).unwrap(),
            encode(&Inputs::Tensors(tensors()), &Map::new()).unwrap(),
        ];
        let mut from = std::io::BufReader::new(std::io::Cursor::new(sent.concat()));
        assert_eq!(read_question(&mut from).unwrap(), Some(Inputs::Table(table())));
        assert_eq!(read_question(&mut from).unwrap(), Some(Inputs::Tensors(tensors())));
        assert_eq!(read_question(&mut from).unwrap(), None);
        let mut sent = Vec::new();
        write_error(&mut sent, "one").unwrap();
        // Larger than the buffer.
        write_error(&mut sent, &"x".repeat(100_000)).unwrap();
        write_error(&mut sent, "three").unwrap();
        let mut from = tokio::io::BufReader::new(sent.as_slice());
        for length in [3, 100_000, 5] {
            assert!(matches!(receive(&mut from).await, Ok(Reply::Error { message }) if message.len() == length));
        }
        assert!(receive(&mut from).await.is_err());
    }

    #[test]
    fn the_end_of_the_server_is_no_error_and_a_malformed_question_is_one() {
        assert_eq!(read_question(&mut [].as_slice()).unwrap(), None);
        assert!(read_question(&mut [2, 0, 0, 0, 0, 0, 0, 0, b'{', b'}'].as_slice()).is_err());
        assert!(read_question(&mut [0xff; 8].as_slice()).is_err());
    }
}
