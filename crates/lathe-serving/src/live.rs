//! What answers now, in memory: the running versions, and the routes that requests take to them. A request touches no database.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use lathe_core::{Code, Error, Project, Result};
use tokio::sync::{Notify, Semaphore};

use crate::DeploymentName;
use crate::deployment::{Deployment, Role, State, VersionKey};
use crate::infer::Variant;
use crate::metrics::{ServingMetrics, VersionLabels, VersionMetrics};
use crate::signature::Signature;
use crate::statistics::Recorder;
use crate::workers::Pool;

/// Requests under way, until their shadows have answered, that are shadowed at the same time; above it, none is.
const MAX_SHADOWED: usize = 64;

/// A version that runs.
#[derive(Debug)]
pub(crate) struct LiveVersion {
    pub(crate) key: VersionKey,
    pub(crate) model: String,
    pub(crate) version: i64,
    pub(crate) signature: Arc<Signature>,
    pub(crate) pool: Pool,
    recorder: Mutex<Recorder>,
    metrics: VersionMetrics,
    in_flight: AtomicUsize,
    is_draining: AtomicBool,
    left: Notify,
    compared: AtomicU64,
    different: AtomicU64,
}

/// Keeps a version from being stopped while a request is under way.
#[derive(Debug)]
pub(crate) struct Entered(pub(crate) Arc<LiveVersion>);

impl Drop for Entered {
    fn drop(&mut self) {
        if self.0.in_flight.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.0.left.notify_waiters();
        }
    }
}

impl LiveVersion {
    /// Enters, unless it is about to be stopped: then the routes have changed.
    fn enter(self: &Arc<Self>) -> Option<Entered> {
        self.in_flight.fetch_add(1, Ordering::SeqCst);
        let entered = Entered(Arc::clone(self));
        // `drain` sets the flag before it counts: one of both sees the other.
        (!self.is_draining.load(Ordering::SeqCst)).then_some(entered)
    }

    /// Waits until nobody is inside, at most for `limit`; nobody enters any more.
    pub(crate) async fn drain(&self, limit: Duration) {
        self.is_draining.store(true, Ordering::SeqCst);
        let emptied = async {
            loop {
                let left = self.left.notified();
                tokio::pin!(left);
                left.as_mut().enable();
                if self.in_flight.load(Ordering::SeqCst) == 0 {
                    return;
                }
                left.await;
            }
        };
        // Who is still inside after the limit hears that the worker ended.
        let _ = tokio::time::timeout(limit, emptied).await;
    }

    pub(crate) fn recorder(&self) -> MutexGuard<'_, Recorder> {
        self.recorder.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a request that was not answered, unless that is its caller's fault: one that was asked badly says nothing of the version.
    pub(crate) fn count_error(&self, part: Variant, error: &Error) {
        if !error.code().is_of_caller() {
            self.count(part, None);
        }
    }

    /// Counts a request: the time to its answer, or `None` for an error.
    pub(crate) fn count(&self, part: Variant, latency: Option<Duration>) {
        let metrics = self.metrics.of(part);
        metrics.requests.inc();
        match latency {
            Some(latency) => metrics.seconds.observe(latency.as_secs_f64()),
            None => drop(metrics.errors.inc()),
        }
        self.recorder().add(Instant::now(), latency);
    }

    /// Counts an answer of a shadow beside the one that was given.
    pub(crate) fn compare(&self, is_different: bool) {
        self.compared.fetch_add(1, Ordering::Relaxed);
        self.different.fetch_add(u64::from(is_different), Ordering::Relaxed);
    }

    /// How many answers were compared, and how many of them differed.
    pub(crate) fn comparison(&self) -> (u64, u64) {
        (self.compared.load(Ordering::Relaxed), self.different.load(Ordering::Relaxed))
    }
}

/// A version and the part that it plays for a request.
pub(crate) type Picked<'r> = (&'r Arc<LiveVersion>, Variant);

/// Where the requests of a deployment go.
#[derive(Debug, Default)]
pub(crate) struct Route {
    pub(crate) primary: Option<Arc<LiveVersion>>,
    pub(crate) canary: Option<(u64, Arc<LiveVersion>)>,
    pub(crate) shadow: Option<Arc<LiveVersion>>,
    /// Why there is no primary.
    waiting: String,
    /// Spreads requests by weight: exact over any hundred of them.
    turn: Arc<AtomicU64>,
}

/// Coprime to 100, and near the golden section of it: any few turns in a row are spread evenly.
const STRIDE: u64 = 61;

impl Route {
    /// The version for a request, and its part. Equal keys go the same way as long as the weight stays.
    pub(crate) fn pick(&self, key: Option<&str>) -> Result<Picked<'_>> {
        if let Some((weight, canary)) = &self.canary {
            let place = match key {
                Some(key) => {
                    let hash = blake3::hash(key.as_bytes());
                    hash.as_bytes().first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
                }
                None => self.turn.fetch_add(1, Ordering::Relaxed).wrapping_mul(STRIDE),
            };
            if place % 100 < *weight {
                return Ok((canary, Variant::Canary));
            }
        }
        self.pick_primary()
    }

    /// The primary, whatever a canary's part is.
    pub(crate) fn pick_primary(&self) -> Result<Picked<'_>> {
        let primary = self.primary.as_ref().ok_or_else(|| Error::new(Code::Unavailable, self.waiting.clone()))?;
        Ok((primary, Variant::Primary))
    }

    /// Every version that a request may reach.
    fn versions(&self) -> impl Iterator<Item = &Arc<LiveVersion>> {
        let canary = self.canary.as_ref().map(|(_, canary)| canary);
        self.primary.iter().chain(canary).chain(&self.shadow)
    }
}

type Routes = HashMap<Project, HashMap<DeploymentName, Arc<Route>>>;

/// All that runs.
#[derive(Debug)]
pub(crate) struct Live {
    /// `None` until the deployments were first read.
    routes: ArcSwap<Option<Routes>>,
    versions: Mutex<HashMap<VersionKey, Arc<LiveVersion>>>,
    refreshing: tokio::sync::Mutex<()>,
    changed: Notify,
    metrics: ServingMetrics,
    shadowed: Arc<Semaphore>,
}

impl Live {
    pub(crate) fn new(metrics: ServingMetrics) -> Self {
        Self {
            routes: ArcSwap::from_pointee(None),
            versions: Mutex::default(),
            refreshing: tokio::sync::Mutex::default(),
            changed: Notify::new(),
            metrics,
            shadowed: Arc::new(Semaphore::new(MAX_SHADOWED)),
        }
    }

    pub(crate) fn metrics(&self) -> &ServingMetrics {
        &self.metrics
    }

    pub(crate) fn refreshing(&self) -> &tokio::sync::Mutex<()> {
        &self.refreshing
    }

    pub(crate) fn changed(&self) -> &Notify {
        &self.changed
    }

    pub(crate) fn shadowed(&self) -> &Arc<Semaphore> {
        &self.shadowed
    }

    pub(crate) fn versions(&self) -> MutexGuard<'_, HashMap<VersionKey, Arc<LiveVersion>>> {
        self.versions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a version whose workers are ready beside the others; the next routes use it.
    pub(crate) fn add(&self, labels: &VersionLabels, key: VersionKey, signature: Signature, pool: Pool) {
        let version = LiveVersion {
            key: key.clone(),
            model: labels.model.clone(),
            version: labels.version,
            signature: Arc::new(signature),
            pool,
            recorder: Mutex::new(Recorder::new(Instant::now())),
            metrics: self.metrics.of(labels),
            in_flight: AtomicUsize::new(0),
            is_draining: AtomicBool::new(false),
            left: Notify::new(),
            compared: AtomicU64::new(0),
            different: AtomicU64::new(0),
        };
        self.versions().insert(key, Arc::new(version));
    }

    /// The route of a deployment.
    pub(crate) fn route(&self, project: &Project, name: &DeploymentName) -> Result<Arc<Route>> {
        let routes = self.routes.load();
        let Some(routes) = routes.as_ref() else {
            return Err(Error::new(Code::Unavailable, "the server is starting; try again in a moment"));
        };
        let route = routes.get(project).and_then(|routes| routes.get(name));
        route.cloned().ok_or_else(|| crate::store::not_found(name))
    }

    /// The versions that some route names.
    pub(crate) fn routed(&self) -> HashSet<VersionKey> {
        let routes = self.routes.load();
        let Some(routes) = routes.as_ref() else { return HashSet::new() };
        let named = routes.values().flat_map(HashMap::values).flat_map(|route| route.versions());
        named.map(|version| version.key.clone()).collect()
    }

    /// Enters the version that is picked; answers too its part, and the shadow to ask as well.
    pub(crate) fn enter(
        &self,
        project: &Project,
        name: &DeploymentName,
        pick: impl for<'r> Fn(&'r Route) -> Result<Picked<'r>>,
    ) -> Result<(Entered, Variant, Option<Arc<LiveVersion>>)> {
        // A version that refuses is out of the routes already: the second look finds another.
        for _ in 0..3 {
            let route = self.route(project, name)?;
            let (version, part) = pick(&route)?;
            if let Some(entered) = version.enter() {
                return Ok((entered, part, route.shadow.clone()));
            }
        }
        Err(Error::new(Code::Unavailable, format!("deployment `{name}` is changing; try again in a moment")))
    }

    /// Enters a version whatever its role.
    pub(crate) fn enter_version(version: &Arc<LiveVersion>) -> Option<Entered> {
        version.enter()
    }

    /// Routes requests by what is wanted and what runs.
    pub(crate) fn route_by(&self, deployments: &[Deployment]) {
        let before = self.routes.load_full();
        let mut routes = Routes::new();
        {
            let versions = self.versions();
            for deployment in deployments {
                let old =
                    before.as_ref().as_ref().and_then(|routes| routes.get(&deployment.project)?.get(&deployment.name));
                let route = route_of(deployment, &versions, old.map(Arc::as_ref));
                routes.entry(deployment.project.clone()).or_default().insert(deployment.name.clone(), Arc::new(route));
            }
        }
        self.routes.store(Arc::new(Some(routes)));
    }
}

fn route_of(
    deployment: &Deployment,
    versions: &HashMap<VersionKey, Arc<LiveVersion>>,
    before: Option<&Route>,
) -> Route {
    let live = |role: Role| deployment.version(role).and_then(|version| versions.get(&version.key)).cloned();
    let canary = deployment.version(Role::Canary).and_then(|canary| {
        let live = versions.get(&canary.key)?;
        Some((u64::try_from(canary.weight).unwrap_or_default(), Arc::clone(live)))
    });
    // What was primary goes on until the new one is ready.
    let primary = live(Role::Primary).or_else(|| live(Role::Previous));
    if let Some((_, canary)) = &canary {
        let is_new = before.and_then(|route| route.canary.as_ref()).is_none_or(|(_, old)| old.key != canary.key);
        if let Some(primary) = primary.as_ref().filter(|_| is_new) {
            primary.recorder().compare_from(Instant::now());
        }
    }
    let waiting = match deployment.version(Role::Primary) {
        Some(version) if version.state == State::Failed => format!(
            "deployment `{}` is not ready: version {} of {} cannot be started: {}",
            deployment.name,
            version.version,
            version.model,
            version.error.as_deref().unwrap_or("it failed")
        ),
        _ => format!("deployment `{}` is not ready: its model is being started", deployment.name),
    };
    Route {
        primary,
        canary,
        shadow: live(Role::Shadow),
        waiting,
        turn: before.map(|route| Arc::clone(&route.turn)).unwrap_or_default(),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::deployment::DeploymentVersion;
    use crate::workers::{Launch, Limits};

    /// Says that it is ready, and answers nothing.
    const SILENT: &str = r#"printf '\035\0\0\0\0\0\0\0{"op":"ready","signature":{}}' >&0; sleep 3600"#;

    pub(crate) fn version(version: i64, role: Role) -> DeploymentVersion {
        DeploymentVersion {
            key: VersionKey(version.to_string()),
            model: "fraud".to_owned(),
            version,
            alias: None,
            role,
            weight: 0,
            state: State::Starting,
            error: None,
            ready_at_ms: None,
            created_at_ms: 0,
            updated_at_ms: 0,
        }
    }

    pub(crate) async fn add(live: &Live, version: i64) {
        let launch = Launch {
            program: "/bin/sh".into(),
            arguments: vec!["-c".into(), SILENT.into()],
            home: std::env::temp_dir(),
            label: format!("fraud/{version}"),
            workers: 1,
            is_batching: true,
            limits: Limits::default(),
        };
        let (pool, ready) = Pool::start(launch).await.unwrap();
        let (project, deployment) = ("default".to_owned(), "scorer".to_owned());
        let labels = VersionLabels { project, deployment, model: "fraud".to_owned(), version };
        live.add(&labels, VersionKey(version.to_string()), ready.signature, pool);
    }

    #[tokio::test]
    async fn the_version_before_is_routed_until_the_routes_are_made_anew() {
        let live = Live::new(ServingMetrics::default());
        assert_eq!(live.routed(), HashSet::new());
        let deployment = Deployment {
            project: Project::default_project(),
            name: DeploymentName::from_trusted("scorer".to_owned()),
            workers: 1,
            created_by: "anna".to_owned(),
            created_at_ms: 0,
            updated_at_ms: 0,
            versions: vec![version(1, Role::Previous), version(2, Role::Primary), version(3, Role::Canary)],
        };
        let named =
            |versions: &[&str]| versions.iter().map(|key| VersionKey((*key).to_owned())).collect::<HashSet<_>>();
        add(&live, 1).await;
        add(&live, 3).await;
        live.route_by(std::slice::from_ref(&deployment));
        assert_eq!(live.routed(), named(&["1", "3"]));
        // It is ready, and requests still go to the one before.
        add(&live, 2).await;
        assert_eq!(live.routed(), named(&["1", "3"]));
        live.route_by(&[deployment]);
        assert_eq!(live.routed(), named(&["2", "3"]));
        let versions: Vec<_> = live.versions().drain().map(|(_, version)| version).collect();
        for version in versions {
            version.pool.stop().await;
        }
    }
}
