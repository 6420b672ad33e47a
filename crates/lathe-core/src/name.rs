//! Canonical names: `project/kind/rest`, the same in CLI, API, UI, logs and lineage.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// The name of a project: 1-63 characters of `a-z`, `0-9` and `-`, starting and ending with a letter or digit.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Project(String);

impl Project {
    /// The project that always exists.
    pub const DEFAULT: &'static str = "default";

    /// The project `default`.
    pub fn default_project() -> Self {
        Self(Self::DEFAULT.to_owned())
    }

    /// Parses a project's name.
    ///
    /// # Errors
    /// `InvalidArgument` when it breaks the rule above.
    pub fn parse(text: &str) -> Result<Self> {
        let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let valid =
            (1..=63).contains(&text.len()) && text.bytes().all(inner) && !text.starts_with('-') && !text.ends_with('-');
        if valid {
            Ok(Self(text.to_owned()))
        } else {
            Err(Error::invalid(format!(
                "project name {text:?} is not valid: use 1-63 characters of a-z, 0-9 and -, starting and ending with a letter or digit"
            )))
        }
    }

    /// Takes a name that is known to be valid, such as one read from the database.
    pub fn from_trusted(text: String) -> Self {
        Self(text)
    }

    /// The text form.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Project {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What kind of thing a [`Name`] names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A project itself.
    Project,
    /// An experiment, by its number.
    Experiment,
    /// A run, by its id.
    Run,
    /// A logged model, by its id.
    LoggedModel,
    /// A registered model (`model/<name>`) or a version of it (`model/<name>/<version>`).
    Model,
    /// A dataset that a run read, by name and digest.
    Dataset,
    /// A data repository (`data/<repository>`) or a commit of it (`data/<repository>@<commit>`).
    Data,
    /// A pipeline (`pipeline/<pipeline>`).
    Pipeline,
    /// A run of a pipeline, by its id.
    PipelineRun,
    /// A job of a pipeline run (`job/<pipeline run>/<job>`).
    Job,
    /// A deployment (`deployment/<deployment>`).
    Deployment,
    /// A span of a deployment's traffic that was compared with a reference (`window/<deployment>/<start in ms>`).
    Window,
    /// A commit of a code repository (`code/<repository>@<commit>`).
    Code,
    /// One answer of a deployment, by its request id.
    Prediction,
    /// A person or service account.
    User,
    /// An access token, by its public id.
    Token,
    /// A secret of a project, by its name (`secret/<name>`).
    Secret,
}

impl Kind {
    /// The kind as it stands in a name.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Project => "project",
            Kind::Experiment => "experiment",
            Kind::Run => "run",
            Kind::LoggedModel => "logged-model",
            Kind::Model => "model",
            Kind::Dataset => "dataset",
            Kind::Data => "data",
            Kind::Pipeline => "pipeline",
            Kind::PipelineRun => "pipeline-run",
            Kind::Job => "job",
            Kind::Deployment => "deployment",
            Kind::Window => "window",
            Kind::Code => "code",
            Kind::Prediction => "prediction",
            Kind::User => "user",
            Kind::Token => "token",
            Kind::Secret => "secret",
        }
    }
}

/// A canonical name, `project/kind/rest`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Name(String);

impl Name {
    /// Builds the name of a thing in a project.
    pub fn new(project: &Project, kind: Kind, rest: impl fmt::Display) -> Self {
        Self(format!("{project}/{}/{rest}", kind.as_str()))
    }

    /// The name of a model version.
    pub fn model_version(project: &Project, model: &str, version: i64) -> Self {
        Self::new(project, Kind::Model, format_args!("{model}/{version}"))
    }

    /// The name of a dataset as one run saw it: two datasets of one name with different digests are two things.
    pub fn dataset(project: &Project, dataset: &str, digest: &str) -> Self {
        Self::new(project, Kind::Dataset, format_args!("{dataset}@{digest}"))
    }

    /// The name of a commit of a data repository.
    pub fn commit(project: &Project, repository: &str, commit_id: &str) -> Self {
        Self::new(project, Kind::Data, format_args!("{repository}@{commit_id}"))
    }

    /// Parses `project/kind/rest`; the kind is not checked against the known ones, so that names of newer versions pass.
    ///
    /// # Errors
    /// `InvalidArgument` when a part is missing or holds a control character.
    pub fn parse(text: &str) -> Result<Self> {
        if text.chars().any(char::is_control) {
            return Err(Error::invalid(format!("{text:?} is not a name: names hold no control characters")));
        }
        let mut parts = text.splitn(3, '/');
        match (parts.next(), parts.next(), parts.next()) {
            (Some(project), Some(kind), Some(rest)) if !kind.is_empty() && !rest.is_empty() => {
                Project::parse(project)?;
                Ok(Self(text.to_owned()))
            }
            _ => Err(Error::invalid(format!(
                "{text:?} is not a name: names have the form project/kind/id, for instance default/run/<run id>"
            ))),
        }
    }

    /// The text form.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The project part.
    pub fn project(&self) -> &str {
        self.0.split('/').next().unwrap_or_default()
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
