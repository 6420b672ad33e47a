//! The monitoring room: samples of what deployments answer, drift, quality, alerts.
//!
//! Called by the inference door, which hands samples over without waiting ([`Monitoring::observe`]), and by the native API. Samples go
//! to Parquet files in the object store and to sketches in constant memory, by window; reports are made of the sketches alone.
//! What is deliberately not here: deployments (the serving room's) and what an alert sets off (a reader of the ledger).

pub mod alerts;
pub mod collect;
mod columnar;
pub mod distance;
pub mod drift;
mod judging;
mod measures;
mod profile;
pub mod quality;
pub mod references;
pub mod report;
mod room;
pub mod rules;
mod sample;
mod schema;
pub mod settings;
mod sketch;
mod store;
pub mod traffic;
pub mod windows;

pub use profile::{ColumnKind, Part, Profile};
pub use room::Monitoring;
pub use sample::{Column, Outcome, Sample, Table, Values, Variant, parse_time};
pub use schema::{LIVE_OBJECTS, SCHEMA};
pub use store::predictions::PredictionOrigin;
