//! Which rooms stand behind which doors.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderMap, Method, Uri};
use axum::response::Response;
use lathe_access::Access;
use lathe_api::{ApiState, S3Endpoint};
use lathe_core::{Clock, Error, Result};
use lathe_data::Data;
use lathe_db::{Db, lease};
use lathe_http::frame::{self, AllowedHosts};
use lathe_http::{Frame, HttpMetrics, RequestId, RouteRow, problem};
use lathe_mlflow::MlflowState;
use lathe_models::Models;
use lathe_monitoring::Monitoring;
use lathe_objects::{GcReport, Objects};
use lathe_oip::OipState;
use lathe_onnx::MlModel;
use lathe_s3::S3State;
use lathe_serving::{Serving, Signature};
use lathe_tracking::Tracking;
use lathe_workflows::{Capacity, Workflows};
use prometheus_client::registry::Registry;
use tokio::sync::watch;

use super::Options;

const GC_LEASE: &str = "gc";
/// Longer than a collection takes: two at the same time would delete what was put again between them.
const GC_LEASE_MS: i64 = 3600 * 1000;

/// All rooms, opened. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Rooms {
    /// The metadata database.
    pub db: Db,
    /// The object store.
    pub objects: Objects,
    /// People, projects, tokens.
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
}

impl Rooms {
    pub(super) fn new(db: Db, objects: Objects, access: Access, capacity: Capacity) -> Self {
        let tracking = Tracking::new(db.clone(), objects.clone());
        let models = Models::new(db.clone());
        let data = Data::new(db.clone(), objects.clone());
        let workflows = Workflows::new(db.clone(), objects.clone(), capacity);
        let serving = Serving::new(db.clone());
        let monitoring = Monitoring::new(db.clone(), objects.clone());
        Self { db, objects, access, tracking, models, data, workflows, serving, monitoring }
    }

    /// Deletes what no room names any more and nobody touched for a day; `None` while another process does.
    ///
    /// # Errors
    /// What database or object store answer.
    pub async fn collect_garbage(&self, holder: &str, clock: &Clock) -> Result<Option<GcReport>> {
        if !self.pause_garbage_collection(holder, clock).await? {
            return Ok(None);
        }
        lathe_data::uploads::expire_uploads(&self.data, clock.now_ms() - lathe_data::uploads::MAX_UPLOAD_AGE_MS)
            .await?;
        let forgotten = crate::work::garbage::forget_changes(self, clock).await;
        let nodes = lathe_data::garbage::collect(&self.data, clock.now_ms() - lathe_objects::DEFAULT_GRACE_MS).await;
        let collected = lathe_objects::gc(&self.objects, &crate::references(), lathe_objects::DEFAULT_GRACE_MS).await;
        self.resume_garbage_collection(holder, clock).await?;
        // A damaged tree keeps its nodes, and nothing else.
        nodes?;
        forgotten?;
        collected.map(Some)
    }

    /// Keeps other processes from collecting garbage; answers whether none does now.
    ///
    /// # Errors
    /// What the database answers.
    pub async fn pause_garbage_collection(&self, holder: &str, clock: &Clock) -> Result<bool> {
        Ok(lease::acquire(&self.db, GC_LEASE, holder, clock.now_ms(), GC_LEASE_MS).await?.is_some())
    }

    /// Lets others collect garbage again.
    ///
    /// # Errors
    /// What the database answers.
    pub async fn resume_garbage_collection(&self, holder: &str, clock: &Clock) -> Result<()> {
        // Renewed for no time: free for the next one.
        lease::acquire(&self.db, GC_LEASE, holder, clock.now_ms(), 0).await.map(|_| ())
    }
}

/// The HTTP applications, each on its own port.
pub(super) struct Apps {
    /// The native API, MLflow's, and the UI.
    pub(super) http: Router,
    /// S3.
    pub(super) s3: Router,
}

/// How clients reach the S3 door: an address that was given, or a port of this machine.
pub(super) fn s3_endpoint(options: &Options, address: Option<SocketAddr>) -> Option<S3Endpoint> {
    let port = address.map(|address| S3Endpoint::Port(address.port()));
    options.s3_url.clone().map(S3Endpoint::Url).or(port)
}

/// Joins rooms and doors.
pub(super) fn apps(
    rooms: &Rooms,
    hosts: AllowedHosts,
    s3_endpoint: Option<S3Endpoint>,
    work_folder: PathBuf,
    stop: watch::Receiver<bool>,
) -> Apps {
    let mut registry = Registry::default();
    let metrics = HttpMetrics::register(&mut registry);
    let frame = Frame { access: rooms.access.clone(), metrics: metrics.clone() };
    let api = ApiState {
        db: rooms.db.clone(),
        access: rooms.access.clone(),
        tracking: rooms.tracking.clone(),
        models: rooms.models.clone(),
        data: rooms.data.clone(),
        workflows: rooms.workflows.clone(),
        serving: rooms.serving.clone(),
        monitoring: rooms.monitoring.clone(),
        registry: Arc::new(registry),
        read_signature,
        work_folder: Arc::new(work_folder),
        started_at_ms: Clock::System.now_ms(),
        version: crate::VERSION,
        s3_endpoint,
        stop,
    };
    let mlflow = MlflowState { tracking: rooms.tracking.clone(), models: rooms.models.clone() };
    let inference = OipState { serving: rooms.serving.clone(), monitoring: rooms.monitoring.clone() };
    let doors = lathe_api::door()
        .into_router(api, &frame)
        .merge(lathe_mlflow::door().into_router(mlflow, &frame))
        .merge(lathe_oip::router(inference, &frame));
    let s3 = S3State { access: rooms.access.clone(), data: rooms.data.clone() };
    Apps { http: frame::wrap(doors.fallback(serve_other), hosts, refuse), s3: lathe_s3::router(s3, metrics) }
}

/// A graph whose outputs the file does not name, names them itself.
fn read_signature(text: &str) -> Result<Option<Signature>> {
    let model = MlModel::parse(text)?;
    if model.onnx.is_some() && !model.names_outputs() {
        return Ok(None);
    }
    Signature::parse(&model.signature).map(Some)
}

/// What no route serves: an error in MLflow's dialect on its paths, the UI on all others.
async fn serve_other(request_id: RequestId, method: Method, uri: Uri, headers: HeaderMap) -> Response {
    match lathe_mlflow::refuse_unserved(&method, &uri, &request_id.0) {
        Some(refusal) => refusal,
        None => lathe_api::serve_ui(request_id, method, uri, headers).await,
    }
}

/// What is refused before any route is chosen, in the dialect of the path's door.
fn refuse(path: &str, error: &Error, request_id: &str) -> Response {
    match lathe_mlflow::refuse(path, error, request_id) {
        Some(refusal) => refusal,
        None => problem(error, request_id),
    }
}

/// Every route of every door with what it needs, for the test that walks them all and for the reference.
pub fn route_table() -> Vec<RouteRow> {
    let (native, mlflow) = (lathe_api::door(), lathe_mlflow::door());
    [native.rows(), mlflow.rows(), &lathe_oip::route_table()].concat()
}
