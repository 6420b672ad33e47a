//! Who acts: a person, a service, a run, or Lathe itself.

use serde::{Deserialize, Serialize};

/// The kinds of actors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ActorKind {
    /// A person.
    User,
    /// A service token.
    Service,
    /// A run, by its own credentials.
    Run,
    /// Lathe's own background work.
    System,
}

impl ActorKind {
    /// The kind as it stands in JSON and in the ledger.
    pub fn as_str(self) -> &'static str {
        match self {
            ActorKind::User => "user",
            ActorKind::Service => "service",
            ActorKind::Run => "run",
            ActorKind::System => "system",
        }
    }
}

/// Who acts, as recorded with every event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// What kind of actor.
    pub kind: ActorKind,
    /// The user name, the service token's name, the run's id, or a part of Lathe.
    pub name: String,
}

impl Actor {
    /// A person.
    pub fn user(name: impl Into<String>) -> Self {
        Self { kind: ActorKind::User, name: name.into() }
    }

    /// A service token.
    pub fn service(name: impl Into<String>) -> Self {
        Self { kind: ActorKind::Service, name: name.into() }
    }

    /// A run, by its id.
    pub fn run(run_id: impl Into<String>) -> Self {
        Self { kind: ActorKind::Run, name: run_id.into() }
    }

    /// Lathe's own background work.
    pub fn system(part: impl Into<String>) -> Self {
        Self { kind: ActorKind::System, name: part.into() }
    }
}
