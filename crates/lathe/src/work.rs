//! What crosses between the workflows room and all others: attempts get runs, credentials, code and inputs, and what happens
//! elsewhere starts pipelines.
//!
//! One server dispatches at a time, under a lease. `dispatcher` claims and adopts attempts; each is attended by a task of its own
//! (`attend`), which starts a runner process (`launch`) or does what the server does itself (`actions`). Whatever must survive is rows and
//! files; a task that is lost is found again by the next one who adopts its attempt.

mod actions;
mod attend;
mod checkout;
mod dispatcher;
mod environment;
mod folders;
pub mod garbage;
mod gate;
mod inputs;
mod launch;
pub mod order;
pub mod requirements;
mod triggers;

use std::path::PathBuf;
use std::sync::Arc;

use lathe_core::{Clock, Ctx, Project};

use crate::server::Rooms;

pub use dispatcher::run;

/// How jobs reach the server.
#[derive(Debug, Clone)]
pub struct Endpoints {
    /// The API.
    pub url: String,
    /// The S3 door, if there is one.
    pub s3_url: Option<String>,
}

/// What the dispatcher and its tasks share. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Work {
    rooms: Rooms,
    endpoints: Endpoints,
    /// Where attempts, code and Python environments are.
    folder: Arc<PathBuf>,
    /// Who this server is to leases.
    holder: Arc<str>,
    clock: Clock,
}

impl Work {
    /// Joins them; nothing happens yet.
    pub fn new(rooms: Rooms, endpoints: Endpoints, folder: PathBuf, holder: &str, clock: Clock) -> Self {
        Self { rooms, endpoints, folder: Arc::new(folder), holder: holder.into(), clock }
    }

    fn ctx(&self, project: &Project) -> Ctx {
        Ctx { clock: self.clock.clone(), ..Ctx::system("workflows", project.clone()) }
    }

    /// The context of what concerns no single project.
    fn server_ctx(&self) -> Ctx {
        self.ctx(&Project::default_project())
    }
}
