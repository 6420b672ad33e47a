//! A deployment as it stands: its versions, what each is for, and what each was found to be.

use lathe_core::{Error, Project, Result};

use crate::{DeploymentName, ModelReference};

/// What a version is in its deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Answers all that no canary does.
    Primary,
    /// Answers a part, on trial.
    Canary,
    /// Is asked everything, and its answers are only compared.
    Shadow,
    /// Was primary before: what a rollback goes back to.
    Previous,
}

impl Role {
    const ALL: [Role; 4] = [Role::Primary, Role::Canary, Role::Shadow, Role::Previous];

    /// The role as it stands in JSON and SQL.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Primary => "primary",
            Role::Canary => "canary",
            Role::Shadow => "shadow",
            Role::Previous => "previous",
        }
    }

    pub(crate) fn parse(text: &str) -> Result<Self> {
        let known = Role::ALL.into_iter().find(|role| role.as_str() == text);
        known.ok_or_else(|| Error::internal(format!("a deployment's version has the unknown role {text:?}")))
    }
}

/// What a version is found to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// Its files are fetched and its workers load the model.
    Starting,
    /// It answers.
    Ready,
    /// It cannot be started; its error says why.
    Failed,
    /// It answers what it was asked, and nothing new.
    Draining,
    /// It has no workers.
    Stopped,
}

impl State {
    const ALL: [State; 5] = [State::Starting, State::Ready, State::Failed, State::Draining, State::Stopped];

    /// The state as it stands in JSON and SQL.
    pub fn as_str(self) -> &'static str {
        match self {
            State::Starting => "starting",
            State::Ready => "ready",
            State::Failed => "failed",
            State::Draining => "draining",
            State::Stopped => "stopped",
        }
    }

    pub(crate) fn parse(text: &str) -> Result<Self> {
        let known = State::ALL.into_iter().find(|state| state.as_str() == text);
        known.ok_or_else(|| Error::internal(format!("a deployment's version has the unknown state {text:?}")))
    }
}

/// Names one version's place in a deployment; never used again.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VersionKey(pub(crate) String);

/// A model version in a deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeploymentVersion {
    /// Its place.
    pub key: VersionKey,
    /// The registered model.
    pub model: String,
    /// Its version.
    pub version: i64,
    /// The alias that is followed.
    pub alias: Option<String>,
    /// What it is here.
    pub role: Role,
    /// Percent of the requests; of a canary 0-100, else 100 or 0.
    pub weight: i64,
    /// What it is found to be.
    pub state: State,
    /// Why it failed.
    pub error: Option<String>,
    /// When it was ready for the first time, in milliseconds since 1970; `None` for one that never was.
    pub ready_at_ms: Option<i64>,
    /// When it came here.
    pub created_at_ms: i64,
    /// When it last changed.
    pub updated_at_ms: i64,
}

/// A name under which model versions answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployment {
    /// Its project.
    pub project: Project,
    /// Its name.
    pub name: DeploymentName,
    /// Worker processes for each version.
    pub workers: i64,
    /// Who made it.
    pub created_by: String,
    /// When, in milliseconds since 1970.
    pub created_at_ms: i64,
    /// When it last changed.
    pub updated_at_ms: i64,
    /// At most one for each role.
    pub versions: Vec<DeploymentVersion>,
}

impl Deployment {
    /// The version that has a role.
    pub fn version(&self, role: Role) -> Option<&DeploymentVersion> {
        self.versions.iter().find(|version| version.role == role)
    }
}

/// A model version as the caller found it: the reference, and the number it stands for now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Served {
    /// How it was named; an alias is followed.
    pub reference: ModelReference,
    /// The version.
    pub version: i64,
}
