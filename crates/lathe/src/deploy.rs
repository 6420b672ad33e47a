//! Deployments made real: files of models are fetched, workers started and stopped, aliases followed, until what runs is what is
//! wanted. After a crash everything comes back by itself: what is wanted stands in the database.

mod environment;
mod files;
mod onnxruntime;

use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lathe_core::{Code, Ctx, Error, Project, Result};
use lathe_models::model_versions::get_model_version;
use lathe_models::registered_models::get_version_by_alias;
use lathe_onnx::MlModel;
use lathe_serving::deployments::{follow_alias, set_state};
use lathe_serving::reconcile::{route_all, routed, running, start_version, stop_all, stop_version, wanted};
use lathe_serving::{Deployment, DeploymentName, DeploymentVersion, Launch, Limits, Role, State, VersionKey};
use tokio::sync::watch;
use tokio::task::{self, JoinSet};
use tokio::time::Instant;

use crate::caches;
use crate::server::{OnnxRuntime, Options, Rooms};
use environment::Environments;

/// How often is looked when nothing says that something changed.
const INTERVAL: Duration = Duration::from_secs(5);
/// How long changes gather before they are looked at.
const GATHER: Duration = Duration::from_millis(100);

/// When a version that could not be started for now is tried again; each time after twice as long.
const FIRST_RETRY: Duration = Duration::from_secs(10);
const LAST_RETRY: Duration = Duration::from_secs(600);

/// A model version's tag that says `python` lets an ONNX model run in Python.
const RUNTIME_TAG: &str = "lathe.runtime";
/// A model version's tag that says `off` lets each request be asked by itself.
const BATCHING_TAG: &str = "lathe.batching";

/// Where deployments are kept and how they run.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    folder: PathBuf,
    python: Option<PathBuf>,
    onnx: OnnxRuntime,
}

impl From<&Options> for Settings {
    fn from(options: &Options) -> Self {
        let folder = options.data_dir.join("serving");
        let folder = std::path::absolute(&folder).unwrap_or(folder);
        Self { folder, python: options.serving_python(), onnx: options.onnx.clone() }
    }
}

/// What a task that starts or stops a version is done with.
#[derive(Debug)]
enum Done {
    /// With the folders of caches that it uses.
    Started(VersionKey, Vec<PathBuf>),
    Failed(VersionKey, Code),
    Stopped(VersionKey),
}

/// A version that could not be started.
#[derive(Debug, Default)]
struct Failure {
    tries: u32,
    /// `None` when this server need not try again: the fault is the model's.
    retry_at: Option<Instant>,
}

#[derive(Debug)]
struct Deployer {
    rooms: Rooms,
    settings: Settings,
    environments: Environments,
    tasks: JoinSet<Done>,
    /// Being started or stopped, by which task: left alone until that is done.
    busy: HashMap<VersionKey, task::Id>,
    failed: HashMap<VersionKey, Failure>,
    /// The folders of caches that running versions use.
    used: HashMap<VersionKey, Vec<PathBuf>>,
    marked_at: Instant,
}

/// Runs until the server stops; then all workers end.
pub(crate) async fn run(rooms: Rooms, settings: Settings, mut stopping: watch::Receiver<bool>) {
    let mut sealed = lathe_db::ledger::subscribe(&rooms.db);
    let serving = rooms.serving.clone();
    let environments = Environments::new(&settings);
    let (tasks, busy, failed) = (JoinSet::new(), HashMap::new(), HashMap::new());
    let (used, marked_at) = (HashMap::new(), Instant::now());
    let mut deployer = Deployer { rooms, settings, environments, tasks, busy, failed, used, marked_at };
    let mut follows_aliases = true;
    if let Err(error) = serving.refresh().await {
        tracing::warn!(error = %error.log_line(), "deployments cannot be read yet; trying again");
    }
    loop {
        match deployer.reconcile().await {
            Ok(follows) => follows_aliases = follows,
            Err(error) => {
                tracing::warn!(error = %error.log_line(), "deployments could not be looked after; trying again")
            }
        }
        let pause = tokio::select! {
            () = serving.changed() => GATHER,
            // The ledger may tell of an alias that moved.
            _ = sealed.changed(), if follows_aliases => GATHER,
            Some(done) = deployer.tasks.join_next() => { deployer.finish(done); Duration::ZERO }
            () = tokio::time::sleep(INTERVAL) => Duration::ZERO,
            _ = stopping.wait_for(|is_stopping| *is_stopping) => break,
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = stopping.wait_for(|is_stopping| *is_stopping) => break,
        }
    }
    // Workers that are being started end with their tasks.
    deployer.tasks.shutdown().await;
    stop_all(&serving).await;
}

impl Deployer {
    fn finish(&mut self, done: std::result::Result<Done, task::JoinError>) {
        match done {
            Ok(Done::Started(key, used)) => {
                self.busy.remove(&key);
                self.failed.remove(&key);
                self.used.insert(key, used);
            }
            Ok(Done::Stopped(key)) => {
                self.busy.remove(&key);
                self.used.remove(&key);
            }
            Ok(Done::Failed(key, code)) => {
                self.busy.remove(&key);
                self.note_failure(key, code);
            }
            Err(error) => {
                tracing::error!(%error, "a task of a deployment ended badly");
                let key = self.busy.iter().find(|(_, task)| **task == error.id()).map(|(key, _)| key.clone());
                if let Some(key) = key {
                    self.busy.remove(&key);
                    self.note_failure(key, Code::Unavailable);
                }
            }
        }
    }

    fn note_failure(&mut self, key: VersionKey, code: Code) {
        let failure = self.failed.entry(key).or_default();
        let pause = FIRST_RETRY.saturating_mul(2_u32.saturating_pow(failure.tries)).min(LAST_RETRY);
        failure.tries += 1;
        failure.retry_at = code.is_transient().then(|| Instant::now() + pause);
    }

    /// Starts and stops what is not as it is wanted; answers whether aliases are followed.
    async fn reconcile(&mut self) -> Result<bool> {
        // Another server may have changed what is wanted: requests leave a version before it is stopped.
        let mut deployments = route_all(&self.rooms.serving).await?;
        let follows_aliases = deployments.iter().flat_map(|one| &one.versions).any(|version| version.alias.is_some());
        if follows_aliases && self.follow_aliases(&deployments).await? {
            deployments = route_all(&self.rooms.serving).await?;
        }
        let running: HashSet<VersionKey> = running(&self.rooms.serving).into_iter().collect();
        let mut kept = HashSet::new();
        for deployment in &deployments {
            for version in wanted(&self.rooms.serving, deployment) {
                kept.insert(version.key.clone());
                let (runs, is_busy) = (running.contains(&version.key), self.busy.contains_key(&version.key));
                let is_here = runs || is_busy;
                // The database did not take it when it was noted first.
                if runs && !is_busy && (version.ready_at_ms.is_none() || version.state == State::Starting) {
                    note(&context(&deployment.project), &self.rooms, &version.key, State::Ready, None).await;
                }
                let failure = self.failed.get(&version.key);
                let may_start = failure.is_none_or(|failure| failure.retry_at.is_some_and(|at| at <= Instant::now()));
                if !is_here && may_start {
                    self.start(deployment, version);
                }
            }
        }
        // A primary that became ready since the routes were made is not in them yet: what they name answers until they are made anew.
        let routed = routed(&self.rooms.serving);
        for key in running.difference(&kept) {
            if !self.busy.contains_key(key) && !routed.contains(key) {
                let (rooms, stopped) = (self.rooms.clone(), key.clone());
                let task = self.tasks.spawn(async move { stop(&rooms, stopped).await });
                self.busy.insert(key.clone(), task.id());
            }
        }
        self.note_stopped(&deployments, &running, &kept).await;
        self.failed.retain(|key, _| kept.contains(key));
        if self.marked_at.elapsed() >= caches::MARKING {
            self.marked_at = Instant::now();
            self.used.values().flatten().for_each(|folder| caches::mark(folder));
        }
        Ok(follows_aliases)
    }

    /// Notes of the versions before that they do not run any more: a server that was killed, or had no database, could not say so, and what
    /// is called ready would pass for what answers.
    async fn note_stopped(
        &self,
        deployments: &[Deployment],
        running: &HashSet<VersionKey>,
        kept: &HashSet<VersionKey>,
    ) {
        for deployment in deployments {
            let Some(version) = deployment.version(Role::Previous) else { continue };
            let is_here = [running, kept].iter().any(|keys| keys.contains(&version.key));
            let is_over = matches!(version.state, State::Failed | State::Stopped);
            if !is_here && !is_over && !self.busy.contains_key(&version.key) {
                note(&context(&deployment.project), &self.rooms, &version.key, State::Stopped, None).await;
            }
        }
    }

    /// Lets versions become what their aliases point at; answers whether one did.
    async fn follow_aliases(&self, deployments: &[Deployment]) -> Result<bool> {
        let mut has_changed = false;
        for deployment in deployments {
            let ctx = context(&deployment.project);
            for version in deployment.versions.iter().filter(|version| version.role != Role::Previous) {
                let Some(alias) = &version.alias else { continue };
                match get_version_by_alias(&ctx, &self.rooms.models, &version.model, alias).await {
                    Ok(target) if target.version == version.version => {}
                    Ok(target) => {
                        tracing::info!(deployment.name = %deployment.name, model = version.model, version = target.version, "an alias moved: the deployment follows");
                        follow_alias(&ctx, &self.rooms.serving, &deployment.name, &version.key, target.version).await?;
                        has_changed = true;
                    }
                    // An alias that is gone: what answers goes on.
                    Err(error) if matches!(error.code(), Code::NotFound | Code::InvalidArgument) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(has_changed)
    }

    fn start(&mut self, deployment: &Deployment, version: &DeploymentVersion) {
        let start = Start {
            ctx: context(&deployment.project),
            rooms: self.rooms.clone(),
            settings: self.settings.clone(),
            environments: self.environments.clone(),
            deployment: deployment.name.clone(),
            workers: usize::try_from(deployment.workers).unwrap_or(1),
            version: version.clone(),
        };
        let task = self.tasks.spawn(start.run());
        self.busy.insert(version.key.clone(), task.id());
    }
}

fn context(project: &Project) -> Ctx {
    Ctx::system("deployer", project.clone())
}

async fn stop(rooms: &Rooms, key: VersionKey) -> Done {
    let ctx = context(&Project::default_project());
    note(&ctx, rooms, &key, State::Draining, None).await;
    stop_version(&rooms.serving, &key).await;
    note(&ctx, rooms, &key, State::Stopped, None).await;
    Done::Stopped(key)
}

/// Notes a state; that it cannot be noted must not keep a version from starting or stopping.
async fn note(ctx: &Ctx, rooms: &Rooms, key: &VersionKey, state: State, error: Option<String>) {
    if let Err(error) = set_state(ctx, &rooms.serving, key, state, error).await {
        tracing::warn!(error = %error.log_line(), "the state of a deployed version could not be noted");
    }
}

/// Everything that starting one version needs.
struct Start {
    ctx: Ctx,
    rooms: Rooms,
    settings: Settings,
    environments: Environments,
    deployment: DeploymentName,
    workers: usize,
    version: DeploymentVersion,
}

impl Start {
    async fn run(self) -> Done {
        let key = self.version.key.clone();
        note(&self.ctx, &self.rooms, &key, State::Starting, None).await;
        let done = match self.start().await {
            Ok(used) => {
                tracing::info!(deployment.name = %self.deployment, model = self.version.model, version = self.version.version, "a model version is ready");
                note(&self.ctx, &self.rooms, &key, State::Ready, None).await;
                Done::Started(key, used)
            }
            Err(error) => {
                tracing::warn!(deployment.name = %self.deployment, model = self.version.model, version = self.version.version, error = %error.log_line(), "a model version cannot be started");
                note(&self.ctx, &self.rooms, &key, State::Failed, Some(error.said())).await;
                Done::Failed(key, error.code())
            }
        };
        if let Err(error) = self.rooms.serving.refresh().await {
            tracing::warn!(error = %error.log_line(), "deployments could not be read");
        }
        done
    }

    /// Starts it; answers the folders of caches that it uses.
    async fn start(&self) -> Result<Vec<PathBuf>> {
        let DeploymentVersion { model, version, .. } = &self.version;
        let folder = files::fetch(&self.ctx, &self.rooms, &self.settings.folder, model, *version).await?;
        let home = self.settings.folder.join("home");
        tokio::fs::create_dir_all(&home).await.map_err(files::cannot_write)?;
        let found = get_model_version(&self.ctx, &self.rooms.models, model, *version).await?;
        let has_tag = |key: &str, value: &str| found.tags.iter().any(|tag| tag.key == key && tag.value == value);
        let (program, arguments) =
            if has_tag(RUNTIME_TAG, "python") { self.python(&folder).await? } else { self.program(&folder).await? };
        let paths = arguments.iter().map(Path::new).chain([program.as_path()]);
        let used = caches::of_paths(&self.settings.folder, paths);
        let label = format!("{model}/{version}");
        let is_batching = !has_tag(BATCHING_TAG, "off");
        let (workers, limits) = (self.workers, Limits::default());
        let launch = Launch { program, arguments, home, label, workers, is_batching, limits };
        start_version(&self.ctx, &self.rooms.serving, &self.deployment, &self.version, launch).await?;
        Ok(used)
    }

    /// What runs the model in a folder: this program for a graph, an interpreter for all else.
    async fn program(&self, folder: &Path) -> Result<(PathBuf, Vec<OsString>)> {
        let text = tokio::fs::read_to_string(folder.join("MLmodel")).await.map_err(cannot_read)?;
        let is_onnx = self.settings.onnx != OnnxRuntime::Off && MlModel::parse(&text)?.onnx.is_some();
        if is_onnx {
            let library = onnxruntime::library_for(&self.settings.onnx, &self.environments, folder).await?;
            // This very program, also when its file has been replaced by a newer one since.
            return Ok(("/proc/self/exe".into(), vec!["onnx-worker".into(), library.into(), folder.into()]));
        }
        self.python(folder).await
    }

    async fn python(&self, folder: &Path) -> Result<(PathBuf, Vec<OsString>)> {
        let python = self.environments.python_for(folder).await?;
        let script = self.settings.folder.join("lathe_worker.py");
        lay_script(&script).await?;
        // Isolated: neither the environment nor the working folder may add to what is imported.
        Ok((python, vec!["-I".into(), script.into(), folder.into()]))
    }
}

fn cannot_read(error: std::io::Error) -> Error {
    Error::internal("the model's file MLmodel cannot be read").with_source(error)
}

async fn lay_script(script: &Path) -> Result<()> {
    if tokio::fs::read(script).await.is_ok_and(|text| text == lathe_serving::WORKER_SCRIPT.as_bytes()) {
        return Ok(());
    }
    files::write_whole(script, lathe_serving::WORKER_SCRIPT.as_bytes()).await
}
