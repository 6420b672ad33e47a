//! What the native API's handlers share.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use lathe_access::Access;
use lathe_core::Result;
use lathe_data::Data;
use lathe_db::Db;
use lathe_models::Models;
use lathe_monitoring::Monitoring;
use lathe_serving::{Serving, Signature};
use lathe_tracking::Tracking;
use lathe_workflows::Workflows;
use prometheus_client::registry::Registry;
use tokio::sync::watch;

use crate::s3::S3Endpoint;

/// Reads a model's file MLmodel: its signature, or `None` when only what runs the model can tell.
pub type ReadSignature = fn(&str) -> Result<Option<Signature>>;

/// The rooms behind the API, and the server's own facts. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ApiState {
    /// The ledger's database.
    pub db: Db,
    /// People and tokens.
    pub access: Access,
    /// Experiments and runs.
    pub tracking: Tracking,
    /// The model repository.
    pub models: Models,
    /// Repositories of files.
    pub data: Data,
    /// Pipelines.
    pub workflows: Workflows,
    /// Deployments.
    pub serving: Serving,
    /// Samples, drift, quality, alerts.
    pub monitoring: Monitoring,
    /// The metrics that `/metrics` prints.
    pub registry: Arc<Registry>,
    /// How a model's file is read.
    pub read_signature: ReadSignature,
    /// Where attempts of jobs have their files.
    pub work_folder: Arc<PathBuf>,
    /// When the server started, in milliseconds since 1970.
    pub started_at_ms: i64,
    /// Lathe's version.
    pub version: &'static str,
    /// How clients reach the S3 door, if there is one.
    pub s3_endpoint: Option<S3Endpoint>,
    /// Becomes true when the server stops: streams must end then.
    pub stop: watch::Receiver<bool>,
}

impl ApiState {
    /// Waits for a change, at most `poll`; `None` when the server stops.
    pub(crate) async fn changed_or_stopped<T>(&self, changes: &mut watch::Receiver<T>, poll: Duration) -> Option<()> {
        tokio::select! {
            _ = changes.changed() => Some(()),
            () = tokio::time::sleep(poll) => Some(()),
            () = stopped(self.stop.clone()) => None,
        }
    }
}

/// Waits until the server stops.
pub(crate) async fn stopped(mut stop: watch::Receiver<bool>) {
    // An error means that the sender is gone, and the server with it.
    let _ = stop.wait_for(|is_stopping| *is_stopping).await;
}
