//! The monitoring room: samples of what deployments answer, drift, quality, alerts.

mod room;
mod schema;

pub use room::Monitoring;
pub use schema::{LIVE_OBJECTS, SCHEMA};
