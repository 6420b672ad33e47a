//! The inference door: MLflow's scoring protocol and the Open Inference Protocol, over HTTP and gRPC.

use lathe_http::{Door, problem};
use lathe_monitoring::Monitoring;
use lathe_serving::Serving;

/// What the door serves.
#[derive(Debug, Clone)]
pub struct OipState {
    /// Deployments.
    pub serving: Serving,
    /// Where samples of requests go.
    pub monitoring: Monitoring,
}

/// All routes of the door.
pub fn door() -> Door<OipState> {
    Door::new("inference", problem)
}
