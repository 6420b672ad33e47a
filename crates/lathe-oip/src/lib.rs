//! The inference door: MLflow's scoring protocol and the Open Inference Protocol, over HTTP and gRPC.
//!
//! `scoring`, `protocol` and `grpc` are one dialect each: bodies to the serving room's types and back, errors in the words of its
//! clients. `ask` is the one way to a deployment, `sample` what monitoring hears of it. No rule lives here.
//!
//! **Invariant:** asking a deployment touches no database, except to see who asks.

mod ask;
mod describe;
mod grpc;
mod json;
mod limits;
mod names;
mod protocol;
mod sample;
mod scoring;
mod tensors;
mod time;

use axum::Router;
use lathe_core::Result;
use lathe_http::{Frame, RouteRow};
use lathe_monitoring::Monitoring;
use lathe_serving::{Given, Serving};

/// The rooms behind the door. Cheap to clone.
#[derive(Debug, Clone)]
pub struct OipState {
    /// Deployments.
    pub serving: Serving,
    /// What is told of every request.
    pub monitoring: Monitoring,
}

/// The routes of all dialects, each with its own way to say that something failed.
pub fn router(state: OipState, frame: &Frame) -> Router {
    scoring::door()
        .into_router(state.clone(), frame)
        .merge(protocol::door().into_router(state.clone(), frame))
        .merge(grpc::router(state, frame))
}

/// Reads the example of inputs that MLflow keeps beside a model: a JSON body of its scoring protocol.
///
/// # Errors
/// `InvalidArgument` or `TooLarge`, as a request with that body is refused.
pub fn parse_example(body: &[u8]) -> Result<Given> {
    scoring::parse_inputs(body)
}

/// All routes of the door with what they need.
pub fn route_table() -> Vec<RouteRow> {
    [scoring::door().rows(), protocol::door().rows(), grpc::door().rows()].concat()
}

/// What the .proto file says.
#[allow(missing_docs, clippy::all, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "generated")]
pub(crate) mod proto {
    tonic::include_proto!("inference");
}
