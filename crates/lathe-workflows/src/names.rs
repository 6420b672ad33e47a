//! Names of pipelines and of their jobs.

use std::fmt;

use lathe_core::{Error, Kind, Name, PipelineRunId, Project, Result};

const MAX_NAME_BYTES: usize = 63;

fn is_name(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
    (1..=MAX_NAME_BYTES).contains(&text.len())
        && text.bytes().all(inner)
        && text.bytes().next().is_some_and(|first| first.is_ascii_lowercase())
}

/// The name of a pipeline: 1-63 characters of `a-z`, `0-9`, `_` and `-`, starting with a letter.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PipelineName(String);

impl PipelineName {
    /// Parses a name.
    ///
    /// # Errors
    /// `InvalidArgument` when it breaks the rule above.
    pub fn parse(text: &str) -> Result<Self> {
        if is_name(text) {
            return Ok(Self(text.to_owned()));
        }
        Err(Error::invalid(format!(
            "pipeline name {text:?} is not valid: use 1-63 characters of a-z, 0-9, _ and -, starting with a letter"
        )))
    }

    /// Takes a name that is known to be valid, such as one read from the database.
    pub fn from_trusted(text: String) -> Self {
        Self(text)
    }

    /// The text form.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The canonical name.
    pub fn name(&self, project: &Project) -> Name {
        Name::new(project, Kind::Pipeline, self)
    }
}

impl fmt::Display for PipelineName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A job of one pipeline run: `train`, or `train[2]` for a cell of a matrix.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JobKey(String);

impl JobKey {
    /// The job of the file called `name`, or a cell of it.
    pub fn new(name: &str, cell: Option<usize>) -> Self {
        Self(cell.map_or_else(|| name.to_owned(), |cell| format!("{name}[{cell}]")))
    }

    /// Parses the text form.
    ///
    /// # Errors
    /// `NotFound` when the text has not the form of a job: no such job can exist.
    pub fn parse(text: &str) -> Result<Self> {
        let (name, cell) = match text.strip_suffix(']').and_then(|text| text.split_once('[')) {
            Some((name, cell)) => (name, Some(cell)),
            None => (text, None),
        };
        let is_cell = |cell: &str| (1..=4).contains(&cell.len()) && cell.bytes().all(|b| b.is_ascii_digit());
        if is_name(name) && cell.is_none_or(is_cell) {
            return Ok(Self(text.to_owned()));
        }
        Err(Error::not_found(format!("job {text:?} does not exist")))
    }

    /// Takes a key that is known to be valid, such as one read from the database.
    pub fn from_trusted(text: String) -> Self {
        Self(text)
    }

    /// The text form.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The canonical name.
    pub fn name(&self, project: &Project, run: &PipelineRunId) -> Name {
        Name::new(project, Kind::Job, format_args!("{run}/{self}"))
    }
}

impl fmt::Display for JobKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
