//! What a request gives, before a signature says what its texts are.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lathe_core::{Error, Result};

use super::ColumnKind;
use crate::payload::{Inputs, Values};

/// Inputs as a request holds them.
#[derive(Debug, Clone, PartialEq)]
pub struct Given {
    /// Rows or arrays.
    pub inputs: Inputs,
    /// How their texts are to be read.
    pub encoding: Encoding,
}

/// How the texts of a request are to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// As texts: what is no text has its type.
    Typed,
    /// As texts, or as bytes in base64 where a model takes bytes: a data frame in JSON.
    Json,
    /// As whatever a model takes, else as what they look like: CSV, where all values are texts.
    Csv,
}

impl From<Inputs> for Given {
    fn from(inputs: Inputs) -> Self {
        Self { inputs, encoding: Encoding::Typed }
    }
}

impl Given {
    /// How many rows, as [`Inputs::rows`] counts them.
    pub fn rows(&self) -> usize {
        self.inputs.rows()
    }
}

impl Encoding {
    /// The values of a column that is to be of a kind, or of any kind.
    pub(super) fn read(self, name: &str, kind: Option<ColumnKind>, values: Values) -> Result<Values> {
        match (self, kind, values) {
            (Encoding::Json, Some(ColumnKind::Binary), Values::Text(texts)) => decode_base64(name, &texts),
            (Encoding::Csv, Some(ColumnKind::String | ColumnKind::Binary | ColumnKind::Datetime), texts) => Ok(texts),
            (Encoding::Csv, Some(ColumnKind::Boolean), Values::Text(fields)) => Ok(booleans(fields)),
            (Encoding::Csv, _, Values::Text(fields)) => Ok(from_fields(fields)),
            (_, _, values) => Ok(values),
        }
    }
}

fn decode_base64(name: &str, texts: &[Option<String>]) -> Result<Values> {
    let decode = |text: &String| {
        // MIME breaks it into lines, as MLflow's answers do.
        let text: String = text.split_ascii_whitespace().collect();
        STANDARD.decode(text).map_err(|error| {
            Error::invalid(format!("column `{name}` holds bytes, and a text that is no base64: {error}"))
                .with_source(error)
        })
    };
    let bytes = texts.iter().map(|text| text.as_ref().map(decode).transpose());
    bytes.collect::<Result<_>>().map(Values::Binary)
}

/// The fields of a column with the type that pandas gives them.
fn from_fields(fields: Vec<Option<String>>) -> Values {
    let is_complete = fields.iter().all(Option::is_some);
    if is_complete && let Some(values) = all(&fields, |field| field.trim().parse().ok()) {
        return Values::Int64(values);
    }
    if is_complete && let Some(values) = all(&fields, boolean) {
        return Values::Bool(values);
    }
    let numbers: Option<Vec<f64>> =
        fields.iter().map(|field| field.as_deref().map_or(Some(f64::NAN), |field| field.trim().parse().ok())).collect();
    numbers.map_or(Values::Text(fields), Values::Float64)
}

fn all<T>(fields: &[Option<String>], read: impl Fn(&str) -> Option<T>) -> Option<Vec<T>> {
    fields.iter().map(|field| field.as_deref().and_then(&read)).collect()
}

/// The fields of a column that is to be booleans: JSON when some are missing, as in the other forms of a request.
fn booleans(fields: Vec<Option<String>>) -> Values {
    if fields.iter().all(Option::is_some) {
        return from_fields(fields);
    }
    let read = |field: &Option<String>| match field.as_deref() {
        Some(field) => boolean(field).map(|value| Some(value.to_string())),
        None => Some(None),
    };
    let values: Option<Vec<Option<String>>> = fields.iter().map(read).collect();
    values.map_or_else(|| from_fields(fields), Values::Json)
}

fn boolean(field: &str) -> Option<bool> {
    match field {
        "True" | "TRUE" | "true" => Some(true),
        "False" | "FALSE" | "false" => Some(false),
        _ => None,
    }
}
