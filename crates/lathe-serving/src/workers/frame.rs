//! The frames that server and worker exchange: see the worker's script for the other side.
//!
//! The lengths of header and body (32 bit each, little endian), the header as JSON, and the values as they lie in memory.

use bytes::Bytes;
use lathe_core::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::io::{AsyncBufRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use crate::payload::{Column, Datatype, Inputs, Outputs, Table, Tensor, Values};

/// The largest header or body that is taken from a worker.
pub(super) const MAX_PART_BYTES: u32 = 1 << 30;
/// The length that stands for a missing text.
const MISSING: u32 = u32::MAX;

/// A column or tensor of a frame: what it is, and how many bytes of the body are its.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Part {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    shape: Option<Vec<i64>>,
    bytes: usize,
}

#[derive(Debug, Serialize)]
struct Question<'a> {
    op: &'static str,
    kind: &'static str,
    rows: usize,
    parts: Vec<Part>,
    params: &'a Map<String, Value>,
}

/// What stands before the values of a frame, of either side.
#[derive(Debug, Deserialize)]
pub(super) struct Header {
    pub(super) op: String,
    #[serde(default)]
    kind: String,
    #[serde(default)]
    rows: usize,
    #[serde(default)]
    parts: Vec<Part>,
    #[serde(default)]
    message: String,
    #[serde(default)]
    signature: Value,
}

/// What a worker says.
#[derive(Debug)]
pub(super) enum Reply {
    /// The model is loaded; its signature in MLflow's form.
    Ready { signature: Value },
    /// The model cannot be loaded.
    Failed { message: String },
    /// What the model answers.
    Answer(Outputs),
    /// The inputs are not what the model takes; its code has not seen them.
    Refused { message: String },
    /// The model raised an error.
    Error { message: String },
}

/// A question as a frame.
pub(super) fn encode(inputs: &Inputs, params: &Map<String, Value>) -> Result<Vec<u8>> {
    let (mut body, mut parts) = (Vec::new(), Vec::new());
    let kind = match inputs {
        Inputs::Table(table) => push_table(&mut body, &mut parts, table)?,
        Inputs::Tensors(tensors) => push_tensors(&mut body, &mut parts, tensors),
    };
    frame(&Question { op: "infer", kind, rows: inputs.rows(), parts, params }, &body)
}

/// Appends the columns of a table; answers the kind of the frame.
pub(super) fn push_table(body: &mut Vec<u8>, parts: &mut Vec<Part>, table: &Table) -> Result<&'static str> {
    for column in &table.columns {
        let start = body.len();
        let kind = push_values(body, &column.values)?;
        let (name, bytes) = (column.name.clone(), body.len() - start);
        parts.push(Part { name, kind: kind.to_owned(), shape: None, bytes });
    }
    Ok("table")
}

/// Appends tensors; answers the kind of the frame.
pub(super) fn push_tensors(body: &mut Vec<u8>, parts: &mut Vec<Part>, tensors: &[Tensor]) -> &'static str {
    for tensor in tensors {
        let (kind, shape) = (tensor.datatype.as_str().to_owned(), Some(tensor.shape.clone()));
        parts.push(Part { name: tensor.name.clone(), kind, shape, bytes: tensor.data.len() });
        body.extend_from_slice(&tensor.data);
    }
    "tensors"
}

/// Lengths, header and body in one piece.
pub(super) fn frame(header: &impl Serialize, body: &[u8]) -> Result<Vec<u8>> {
    let header = serde_json::to_vec(header)
        .map_err(|error| Error::internal("the header of a frame cannot be written").with_source(error))?;
    let length = |length: usize| {
        u32::try_from(length).map_err(|_| Error::invalid("the request is too large for a worker: send fewer rows"))
    };
    let mut frame = Vec::with_capacity(8 + header.len() + body.len());
    frame.extend_from_slice(&length(header.len())?.to_le_bytes());
    frame.extend_from_slice(&length(body.len())?.to_le_bytes());
    frame.extend_from_slice(&header);
    frame.extend_from_slice(body);
    Ok(frame)
}

fn push_values(body: &mut Vec<u8>, values: &Values) -> Result<&'static str> {
    match values {
        Values::Float64(values) => body.extend(values.iter().flat_map(|value| value.to_le_bytes())),
        Values::Int64(values) => body.extend(values.iter().flat_map(|value| value.to_le_bytes())),
        Values::Bool(values) => body.extend(values.iter().map(|value| u8::from(*value))),
        Values::Datetime(values) => {
            body.extend(values.iter().flat_map(|value| value.unwrap_or(i64::MIN).to_le_bytes()));
        }
        Values::Text(values) | Values::Json(values) => {
            push_texts(body, values, |text: &String| text.as_bytes())?;
        }
        Values::Binary(values) => push_texts(body, values, |bytes: &Vec<u8>| bytes.as_slice())?,
    }
    Ok(match values {
        Values::Float64(_) => "float64",
        Values::Int64(_) => "int64",
        Values::Bool(_) => "bool",
        Values::Datetime(_) => "datetime",
        Values::Text(_) => "text",
        Values::Json(_) => "json",
        Values::Binary(_) => "binary",
    })
}

fn push_texts<T>(body: &mut Vec<u8>, values: &[Option<T>], bytes: fn(&T) -> &[u8]) -> Result<()> {
    for value in values {
        let length = match value {
            None => MISSING,
            Some(value) => u32::try_from(bytes(value).len())
                .ok()
                .filter(|length| *length != MISSING)
                .ok_or_else(|| Error::invalid("a text of the request is too long"))?,
        };
        body.extend_from_slice(&length.to_le_bytes());
    }
    for value in values.iter().flatten() {
        body.extend_from_slice(bytes(value));
    }
    Ok(())
}

/// Sends a frame.
pub(super) async fn send(out: &mut (impl AsyncWrite + Unpin), frame: &[u8]) -> std::io::Result<()> {
    out.write_all(frame).await
}

/// Receives a frame; an error is a worker that is gone or does not keep to the form. A small frame is one read of the socket.
pub(super) async fn receive(from: &mut (impl AsyncBufRead + Unpin)) -> std::io::Result<Reply> {
    let bad = |what: &str| std::io::Error::new(std::io::ErrorKind::InvalidData, what.to_owned());
    let header_length = from.read_u32_le().await?;
    let body_length = from.read_u32_le().await?;
    if header_length > MAX_PART_BYTES || body_length > MAX_PART_BYTES {
        return Err(bad("a frame is too large"));
    }
    let mut header = vec![0; header_length as usize];
    from.read_exact(&mut header).await?;
    let mut body = vec![0; body_length as usize];
    from.read_exact(&mut body).await?;
    let header: Header = serde_json::from_slice(&header)?;
    match header.op.as_str() {
        "ready" => Ok(Reply::Ready { signature: header.signature }),
        "failed" => Ok(Reply::Failed { message: header.message }),
        "refused" => Ok(Reply::Refused { message: header.message }),
        "error" => Ok(Reply::Error { message: header.message }),
        "answer" => decode(&header, Bytes::from(body)).map(Reply::Answer).ok_or_else(|| bad("an answer is malformed")),
        _ => Err(bad("a frame of an unknown kind")),
    }
}

/// The values of a frame; `None` when they do not keep to the form.
pub(super) fn decode(header: &Header, mut body: Bytes) -> Option<Outputs> {
    let mut columns = Vec::new();
    let mut tensors = Vec::new();
    for part in &header.parts {
        if part.bytes > body.len() {
            return None;
        }
        let data = body.split_to(part.bytes);
        match &part.shape {
            Some(shape) => {
                let datatype = Datatype::parse(&part.kind).ok()?;
                tensors.push(Tensor::new(part.name.clone(), datatype, shape.clone(), data).ok()?);
            }
            None => {
                let values = read_values(&part.kind, &data, header.rows)?;
                columns.push(Column { name: part.name.clone(), values });
            }
        }
    }
    match header.kind.as_str() {
        "table" if tensors.is_empty() => Some(Outputs::Table(Table { columns })),
        "tensors" if columns.is_empty() => Some(Outputs::Tensors(tensors)),
        "json" => String::from_utf8(body.to_vec()).ok().map(Outputs::Json),
        _ => None,
    }
}

fn read_values(kind: &str, data: &[u8], rows: usize) -> Option<Values> {
    let words = data.as_chunks::<8>().0;
    let values = match kind {
        "float64" => Values::Float64(words.iter().map(|word| f64::from_le_bytes(*word)).collect()),
        "int64" => Values::Int64(words.iter().map(|word| i64::from_le_bytes(*word)).collect()),
        "bool" => Values::Bool(data.iter().map(|byte| *byte != 0).collect()),
        "datetime" => {
            let time = |word: &[u8; 8]| Some(i64::from_le_bytes(*word)).filter(|time| *time != i64::MIN);
            Values::Datetime(words.iter().map(time).collect())
        }
        "text" | "json" => {
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).ok();
            let texts = read_texts(data, rows, text)?;
            if kind == "text" { Values::Text(texts) } else { Values::Json(texts) }
        }
        "binary" => Values::Binary(read_texts(data, rows, |bytes| Some(bytes.to_vec()))?),
        _ => return None,
    };
    (values.len() == rows).then_some(values)
}

fn read_texts<T>(data: &[u8], rows: usize, read: fn(&[u8]) -> Option<T>) -> Option<Vec<Option<T>>> {
    let (lengths, mut rest) = data.split_at_checked(rows.checked_mul(4)?)?;
    let mut texts = Vec::with_capacity(rows);
    for length in lengths.as_chunks::<4>().0 {
        let length = u32::from_le_bytes(*length);
        if length == MISSING {
            texts.push(None);
            continue;
        }
        let (text, after) = rest.split_at_checked(length as usize)?;
        texts.push(Some(read(text)?));
        rest = after;
    }
    Some(texts)
}
