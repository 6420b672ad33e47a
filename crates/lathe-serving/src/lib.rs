//! The serving room: deployments of model versions, their traffic and the workers that answer.
//!
//! `deployments` says what is wanted, in the database; `live` is what runs, in memory; `reconcile` leads from one to the other and is
//! called by a loop of the binary; `infer` asks. A model's code runs in child processes only (`workers`). Wire formats are the doors'.

mod deployment;
pub mod deployments;
pub mod infer;
mod live;
mod metrics;
mod model_reference;
mod payload;
pub mod reconcile;
mod room;
mod schema;
pub mod signature;
mod statistics;
mod store;
mod workers;

pub use deployment::{Deployment, DeploymentVersion, Role, Served, State, VersionKey};
pub use infer::{
    Answer, DeploymentMetadata, Inference, Unanswered, Variant, check_ready, infer, metadata, signature_of,
};
pub use lathe_core::DeploymentName;
pub use model_reference::{ModelReference, Pick};
pub use payload::{Column, Datatype, Inputs, Outputs, Table, Tensor, Values, to_f32};
pub use reconcile::VersionStatistics;
pub use room::Serving;
pub use schema::{LIVE_OBJECTS, SCHEMA};
pub use signature::{ColumnKind, ColumnSpec, Encoding, Given, ParamSpec, Signature, TensorSpec, validate};
pub use statistics::Statistics;
pub use workers::{Launch, Limits, Pool, WORKER_SCRIPT, answering};
