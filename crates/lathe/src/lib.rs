//! The composition of Lathe: which rooms and doors make the one binary, and how it is driven.

mod caches;
pub mod cli;
mod deploy;
mod monitor;
mod programs;
pub mod server;
mod work;

use lathe_db::{Schema, ledger};
use lathe_objects::Reference;

/// Lathe's version.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// All rooms' tables, in the order of their migration.
pub const SCHEMAS: &[Schema] = &[
    ledger::SCHEMA,
    lathe_objects::SCHEMA,
    lathe_access::SCHEMA,
    lathe_tracking::SCHEMA,
    lathe_models::SCHEMA,
    lathe_data::SCHEMA,
    lathe_workflows::SCHEMA,
    lathe_serving::SCHEMA,
    lathe_monitoring::SCHEMA,
];

/// Every column that names an object, for gc and fsck.
pub fn references() -> Vec<Reference> {
    [
        lathe_tracking::LIVE_OBJECTS,
        lathe_data::LIVE_OBJECTS,
        lathe_workflows::LIVE_OBJECTS,
        lathe_serving::LIVE_OBJECTS,
        lathe_monitoring::LIVE_OBJECTS,
    ]
    .concat()
}

/// The native API's description.
pub fn openapi() -> serde_json::Value {
    serde_json::to_value(lathe_api::openapi()).unwrap_or_default()
}
