//! The serving room: deployments of model versions, their traffic and the workers that answer.

mod room;
mod schema;

pub use room::Serving;
pub use schema::{LIVE_OBJECTS, SCHEMA};
