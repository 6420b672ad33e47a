//! The words every room of Lathe shares: ids, names, actors, permissions, errors, pages, events and time.
//!
//! Everything here is pure: no I/O, no database, no HTTP. Rooms (L2) and doors (L3) build on it, never the other way round.

pub mod access;
pub mod actor;
pub mod clock;
pub mod ctx;
pub mod deployment_name;
pub mod error;
pub mod event;
pub mod id;
pub mod name;
pub mod page;
pub mod text;
pub mod variables;

pub use access::{Action, Grant, Role, Scope};
pub use actor::{Actor, ActorKind};
pub use clock::Clock;
pub use ctx::Ctx;
pub use deployment_name::DeploymentName;
pub use error::{Code, Error, Result};
pub use event::{Edge, Event};
pub use id::{EventId, LoggedModelId, PipelineRunId, RunId, TokenId};
pub use name::{Kind, Name, Project};
pub use page::{Page, PageToken};
