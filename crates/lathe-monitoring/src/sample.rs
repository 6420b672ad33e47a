//! What a deployment answered: one request with its rows, as the inference door hands it over.

use std::collections::BTreeSet;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use lathe_core::{Error, Project, Result};

/// One request to a deployment and its answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The project.
    pub project: Project,
    /// The deployment.
    pub deployment: String,
    /// The registered model.
    pub model: String,
    /// The version of the model that answered.
    pub version: i64,
    /// In which part the version answered.
    pub variant: Variant,
    /// The id of the request, `x-request-id` of the answer. A shadow's sample has the same one.
    pub request_id: String,
    /// The id that the client gave, for joining labels.
    pub client_request_id: Option<String>,
    /// When it was asked, in milliseconds since 1970.
    pub at_ms: i64,
    /// When the client says that it was asked; counts instead of `at_ms` where the settings allow replays.
    pub replayed_at_ms: Option<i64>,
    /// How long the answer took, in microseconds.
    pub latency_us: i64,
    /// Whether it was answered.
    pub outcome: Outcome,
    /// What the model was given; may be empty for a failed request.
    pub inputs: Table,
    /// What it answered; as many rows as `inputs`, or none.
    pub outputs: Table,
}

/// In which part a version answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Variant {
    /// The version that a deployment stands for.
    Primary,
    /// A version on trial with a share of the traffic.
    Canary,
    /// A version that answers beside the primary; nobody sees its answer.
    Shadow,
}

impl Variant {
    /// The variant as it stands in JSON and SQL.
    pub fn as_str(self) -> &'static str {
        match self {
            Variant::Primary => "primary",
            Variant::Canary => "canary",
            Variant::Shadow => "shadow",
        }
    }
}

/// Whether a request was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It was.
    Ok,
    /// It failed, with the error's code (`lathe_core::Code::as_str`, for instance).
    Failed(String),
}

/// Rows as columns of equal length.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Table {
    columns: Vec<Column>,
    rows: usize,
}

/// A column with its name.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// Its name, unique in the table.
    pub name: String,
    /// Its values.
    pub values: Values,
}

/// The values of a column, one for each row.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// Numbers; NaN is a missing one.
    Numbers(Vec<f64>),
    /// Texts.
    Texts(Vec<Option<String>>),
    /// Booleans.
    Booleans(Vec<Option<bool>>),
}

/// A time in milliseconds since 1970, as times are sampled, of a text of ISO 8601; one without an offset is UTC.
pub fn parse_time(text: &str) -> Option<f64> {
    let zoned = |time: DateTime| time.to_zoned(TimeZone::UTC).ok().map(|zoned: Zoned| zoned.timestamp());
    let at: Timestamp = text.parse().ok().or_else(|| zoned(text.parse().ok()?))?;
    Some(at.as_millisecond() as f64)
}

impl Values {
    /// How many values there are.
    pub fn len(&self) -> usize {
        match self {
            Values::Numbers(values) => values.len(),
            Values::Texts(values) => values.len(),
            Values::Booleans(values) => values.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Table {
    /// Makes a table; without columns it has no rows.
    ///
    /// # Errors
    /// `InvalidArgument` when columns differ in length or share a name.
    pub fn new(columns: Vec<Column>) -> Result<Self> {
        let rows = columns.first().map_or(0, |column| column.values.len());
        let mut names = BTreeSet::new();
        for column in &columns {
            if column.values.len() != rows {
                return Err(Error::invalid(format!(
                    "column {:?} has {} rows and the first one {rows}",
                    column.name,
                    column.values.len()
                )));
            }
            if !names.insert(column.name.as_str()) {
                return Err(Error::invalid(format!("two columns are named {:?}", column.name)));
            }
        }
        Ok(Self { columns, rows })
    }

    /// The columns.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The column of this name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_the_usual_forms_and_are_utc_without_an_offset() {
        for text in [
            "2013-07-01T00:00:00Z",
            "2013-07-01",
            "2013-07-01 00:00:00",
            "2013-07-01T00:00:00.000",
            "2013-07-01T02:00:00+02:00",
        ] {
            assert_eq!(parse_time(text), Some(1_372_636_800_000.0), "{text}");
        }
        for text in ["", "soon", "2013", "1372636800000", "2013-13-01"] {
            assert_eq!(parse_time(text), None, "{text}");
        }
    }
}
