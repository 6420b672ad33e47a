//! Runs: made, changed, logged to, deleted and restored.
//!
//! Called by the MLflow door. One log request is one transaction: all of it is stored, or nothing.

pub(crate) mod load;
pub mod log;

use lathe_core::{Action, Code, Ctx, Error, Event, Kind, LoggedModelId, Name, Result, RunId};
use lathe_db::{FutureExt as _, Lock, Tx, once};
use serde_json::json;

use crate::validate::Place;
use crate::{DatasetInput, ExperimentId, Metric, ModelOutput, NewMetric, Tracking, experiments, store, validate};

pub use log::{delete_tag, log_batch, log_metric, log_param, record_logged_model, set_tag};

/// A key and a value set by the user; the value can change.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tag {
    /// The key.
    pub key: String,
    /// The value.
    pub value: String,
}

/// A key and a value that a run was made with; the value cannot change.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Param {
    /// The key.
    pub key: String,
    /// The value.
    pub value: String,
}

/// Whether a thing is in use or in the bin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LifecycleStage {
    /// In use.
    Active,
    /// In the bin: hidden, unchangeable, restorable.
    Deleted,
}

impl LifecycleStage {
    /// The stage as it stands in JSON and SQL.
    pub fn as_str(self) -> &'static str {
        match self {
            LifecycleStage::Active => "active",
            LifecycleStage::Deleted => "deleted",
        }
    }

    pub(crate) fn from_sql(text: &str) -> Self {
        if text == "deleted" { LifecycleStage::Deleted } else { LifecycleStage::Active }
    }
}

/// Which stages a list shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ViewType {
    /// What is in use.
    #[default]
    ActiveOnly,
    /// What is in the bin.
    DeletedOnly,
    /// Both.
    All,
}

impl ViewType {
    /// The stages shown.
    pub fn stages(self) -> &'static [LifecycleStage] {
        match self {
            ViewType::ActiveOnly => &[LifecycleStage::Active],
            ViewType::DeletedOnly => &[LifecycleStage::Deleted],
            ViewType::All => &[LifecycleStage::Active, LifecycleStage::Deleted],
        }
    }
}

/// What a run is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RunStatus {
    /// It runs.
    Running,
    /// It waits to run.
    Scheduled,
    /// It ended well.
    Finished,
    /// It ended badly.
    Failed,
    /// It was stopped.
    Killed,
}

impl RunStatus {
    /// All statuses.
    pub const ALL: [RunStatus; 5] =
        [RunStatus::Running, RunStatus::Scheduled, RunStatus::Finished, RunStatus::Failed, RunStatus::Killed];

    /// The status as it stands in JSON and SQL.
    pub fn as_str(self) -> &'static str {
        match self {
            RunStatus::Running => "RUNNING",
            RunStatus::Scheduled => "SCHEDULED",
            RunStatus::Finished => "FINISHED",
            RunStatus::Failed => "FAILED",
            RunStatus::Killed => "KILLED",
        }
    }

    /// The status of that name.
    pub fn parse(text: &str) -> Option<Self> {
        RunStatus::ALL.into_iter().find(|status| status.as_str() == text)
    }

    /// Whether the run is over.
    pub fn is_terminal(self) -> bool {
        matches!(self, RunStatus::Finished | RunStatus::Failed | RunStatus::Killed)
    }
}

/// A run without what was logged to it.
#[derive(Debug, Clone, PartialEq)]
pub struct RunInfo {
    /// 32 hex digits.
    pub run_id: RunId,
    /// Its name; several may have the same.
    pub name: String,
    /// The experiment it belongs to.
    pub experiment_id: ExperimentId,
    /// Who it says made it; may be empty.
    pub user_id: String,
    /// What it is doing.
    pub status: RunStatus,
    /// When it started, as its client said.
    pub start_time_ms: i64,
    /// When it ended.
    pub end_time_ms: Option<i64>,
    /// `mlflow-artifacts:/<experiment>/<run id>/artifacts`, or below its experiment's own location.
    pub artifact_uri: String,
    /// Active or deleted.
    pub lifecycle_stage: LifecycleStage,
}

/// A run with the latest of everything logged to it.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// The run itself.
    pub info: RunInfo,
    /// The latest value of each metric, by key.
    pub metrics: Vec<Metric>,
    /// Its params, by key.
    pub params: Vec<Param>,
    /// Its tags, by key.
    pub tags: Vec<Tag>,
    /// The datasets it read, in the order they were logged.
    pub dataset_inputs: Vec<DatasetInput>,
    /// The logged models it read.
    pub model_inputs: Vec<LoggedModelId>,
    /// The logged models it made.
    pub model_outputs: Vec<ModelOutput>,
}

/// What a new run is made from.
#[derive(Debug, Clone, Default)]
pub struct CreateRun {
    /// The experiment's number.
    pub experiment_id: i64,
    /// Who makes it; may be empty.
    pub user_id: String,
    /// When it started.
    pub start_time_ms: i64,
    /// Its name; `None` for tag `mlflow.runName`, or a made-up one.
    pub name: Option<String>,
    /// Its first tags; of a key given twice the last wins.
    pub tags: Vec<Tag>,
}

/// What changes of a run; `None` leaves it as it is.
#[derive(Debug, Clone, Default)]
pub struct UpdateRun {
    /// What it is doing.
    pub status: Option<RunStatus>,
    /// When it ended.
    pub end_time_ms: Option<i64>,
    /// Its name; empty leaves it.
    pub name: Option<String>,
}

/// One log request.
#[derive(Debug, Clone, Default)]
pub struct LogBatch {
    /// At most 1,000 points.
    pub metrics: Vec<NewMetric>,
    /// At most 100 params, each key once.
    pub params: Vec<Param>,
    /// At most 100 tags; of a key given twice the last wins.
    pub tags: Vec<Tag>,
}

/// Parses a run's id.
///
/// # Errors
/// `NotFound`, in MLflow's words, when the text has not the form of an id: no such run can exist.
pub fn parse_run_id(text: &str) -> Result<RunId> {
    RunId::parse(text).map_err(|_| not_found(text))
}

pub(crate) fn not_found(run_id: &str) -> Error {
    Error::not_found(format!("Run with id={run_id} not found"))
}

/// Makes a run in an active experiment.
///
/// # Errors
/// `NotFound` for an unknown experiment, `InvalidArgument` for a deleted one, bad tags, or a name that contradicts tag
/// `mlflow.runName`.
pub async fn create_run(ctx: &Ctx, tracking: &Tracking, request: CreateRun) -> Result<Run> {
    ctx.authorize(Action::Write)?;
    if let Some(made) = once::look_up(&tracking.db, ctx).await? {
        return get_run(ctx, tracking, &RunId::parse(&made)?).await;
    }
    let mut new = prepare_run(ctx, tracking, request).await?;
    for _ in 1..CREATE_ATTEMPTS {
        let (ctx_inside, prepared) = (ctx.clone(), new.clone());
        let made = tracking
            .db
            .write_brief(move |tx| async move { create_run_in(&ctx_inside, tx, &prepared).await }.boxed())
            .await;
        match made {
            // Another run of this millisecond has the same key; the next id has another.
            Err(error) if error.code() == Code::AlreadyExists => new.run_id = RunId::generate(),
            Err(error) => return Err(error),
            Ok(run) => {
                tracking.tell_changed(&ctx.project, &run.info.run_id);
                return Ok(run);
            }
        }
    }
    Err(Error::new(Code::Unavailable, "no free run id was found; try again in a moment"))
}

/// Two runs of one millisecond meet with a chance of 1 in 32,768.
const CREATE_ATTEMPTS: usize = 10;

/// A run that is not made yet, its request checked and its id chosen.
#[derive(Debug, Clone)]
pub struct PreparedRun {
    run_id: RunId,
    experiment_id: ExperimentId,
    user_id: String,
    start_time_ms: i64,
    name: String,
    tags: Vec<Tag>,
}

impl PreparedRun {
    /// The id that it will have.
    pub fn run_id(&self) -> &RunId {
        &self.run_id
    }
}

/// Checks what a run is to be made from, and prepares its project: what has to be done before the transaction that makes it.
///
/// # Errors
/// `InvalidArgument` for bad tags, or a name that contradicts tag `mlflow.runName`.
pub async fn prepare_run(ctx: &Ctx, tracking: &Tracking, request: CreateRun) -> Result<PreparedRun> {
    ctx.authorize(Action::Write)?;
    let CreateRun { experiment_id, user_id, start_time_ms, name, tags } = request;
    validate::no_nul("user_id", &user_id)?;
    let (name, tags) = name_and_tags(name, tags)?;
    experiments::ensure_default_experiment(ctx, tracking).await?;
    let experiment_id = ExperimentId::from_number(experiment_id);
    Ok(PreparedRun { run_id: RunId::generate(), experiment_id, user_id, start_time_ms, name, tags })
}

/// Makes a prepared run within a transaction of the caller's, who says so once it is committed ([`Tracking::tell_changed`]).
///
/// # Errors
/// `NotFound` for an unknown experiment, `InvalidArgument` for a deleted one; `AlreadyExists` when the id is taken: prepare
/// it again.
pub async fn create_run_in(ctx: &Ctx, tx: &mut Tx, prepared: &PreparedRun) -> Result<Run> {
    ctx.authorize(Action::Write)?;
    let PreparedRun { run_id, experiment_id, user_id, start_time_ms, name, tags } = prepared.clone();
    let experiment = experiments::find(tx, ctx, experiment_id, Lock::Shared).await?;
    experiments::require_active(&experiment)?;
    let artifact_uri = format!("{}/{run_id}/artifacts", experiment.artifact_location.trim_end_matches('/'));
    let info = RunInfo {
        run_id,
        name,
        experiment_id,
        user_id,
        status: RunStatus::Running,
        start_time_ms,
        end_time_ms: None,
        artifact_uri,
        lifecycle_stage: LifecycleStage::Active,
    };
    store::runs::insert(tx, &ctx.project, &info).await?;
    store::runs::upsert_tags(tx, store::run_key(&info.run_id), &tags).await?;
    let detail = json!({ "experiment_id": experiment_id.to_string(), "name": info.name });
    tx.record(ctx, created(ctx, &info.run_id, detail, &tags)).await?;
    once::note_made(tx, ctx, info.run_id.as_str()).await?;
    Ok(Run {
        info,
        metrics: Vec::new(),
        params: Vec::new(),
        tags,
        dataset_inputs: Vec::new(),
        model_inputs: Vec::new(),
        model_outputs: Vec::new(),
    })
}

/// A new run's name, and its tags with `mlflow.runName` among them.
fn name_and_tags(name: Option<String>, tags: Vec<Tag>) -> Result<(String, Vec<Tag>)> {
    let mut tags = validate::tags(tags, Place::InList)?;
    let tagged = tags.iter().find(|tag| tag.key == RUN_NAME_TAG).map(|tag| tag.value.clone());
    let tagged = tagged.filter(|name| !name.is_empty());
    let name = name.filter(|name| !name.is_empty());
    if let (Some(name), Some(tagged)) = (&name, &tagged)
        && name != tagged
    {
        return Err(Error::invalid(format!(
            "Both 'run_name' argument and 'mlflow.runName' tag are specified, but with different values \
             (run_name='{name}', mlflow.runName='{tagged}')."
        )));
    }
    let name = name.or(tagged).unwrap_or_else(random_name);
    validate::no_nul("run_name", &name)?;
    set_name_tag(&mut tags, &name);
    Ok((name, tags))
}

/// Puts `mlflow.runName` into tags that are ordered by key.
fn set_name_tag(tags: &mut Vec<Tag>, name: &str) {
    match tags.binary_search_by(|tag| tag.key.as_str().cmp(RUN_NAME_TAG)) {
        Ok(at) => {
            if let Some(tag) = tags.get_mut(at) {
                name.clone_into(&mut tag.value);
            }
        }
        Err(at) => tags.insert(at, Tag { key: RUN_NAME_TAG.to_owned(), value: name.to_owned() }),
    }
}

/// The tag that is the run's name.
pub(crate) const RUN_NAME_TAG: &str = "mlflow.runName";
/// The longest made-up name.
const MAX_RANDOM_NAME_LENGTH: usize = 20;

/// A made-up name in MLflow's shape, for instance `calm-otter-417`.
pub(crate) fn random_name() -> String {
    let number = store::run_key(&RunId::generate()) % 1_000;
    let mut name = String::new();
    for _ in 0..10 {
        name = format!("{}-{number}", petname::petname(2, "-").unwrap_or_else(|| "run".to_owned()));
        if name.len() <= MAX_RANDOM_NAME_LENGTH {
            return name;
        }
    }
    name.truncate(MAX_RANDOM_NAME_LENGTH);
    name
}

/// A run with the latest of everything logged to it, also a deleted one.
///
/// # Errors
/// `NotFound` when there is none of that id in the project.
pub async fn get_run(ctx: &Ctx, tracking: &Tracking, run_id: &RunId) -> Result<Run> {
    ctx.authorize(Action::Read)?;
    let mut runs = load::load_runs(ctx, tracking, &[store::run_key(run_id)]).await?;
    runs.pop().filter(|run| run.info.run_id == *run_id).ok_or_else(|| not_found(run_id.as_str()))
}

/// A run without what was logged to it, also a deleted one.
///
/// # Errors
/// `NotFound` when there is none of that id in the project.
pub async fn get_run_info(ctx: &Ctx, tracking: &Tracking, run_id: &RunId) -> Result<RunInfo> {
    ctx.authorize(Action::Read)?;
    let row = tracking.db.fetch_optional(store::runs::by_id(&ctx.project, run_id)).await?;
    store::runs::read(&row.ok_or_else(|| not_found(run_id.as_str()))?)
}

/// Changes status, end time or name of an active run.
///
/// # Errors
/// `NotFound`, or `InvalidArgument` when the run is deleted.
pub async fn update_run(ctx: &Ctx, tracking: &Tracking, run_id: &RunId, request: UpdateRun) -> Result<RunInfo> {
    ctx.authorize(Action::Write)?;
    let (ctx_inside, id) = (ctx.clone(), run_id.clone());
    let info = tracking
        .db
        .write_brief(move |tx| async move { update_run_in(&ctx_inside, tx, &id, request).await }.boxed())
        .await?;
    tracking.tell_changed(&ctx.project, run_id);
    Ok(info)
}

/// Changes a run within a transaction of the caller's, who says so once it is committed ([`Tracking::tell_changed`]).
///
/// # Errors
/// As [`update_run`].
pub async fn update_run_in(ctx: &Ctx, tx: &mut Tx, run_id: &RunId, request: UpdateRun) -> Result<RunInfo> {
    ctx.authorize(Action::Write)?;
    let UpdateRun { status, end_time_ms, name } = request;
    let name = name.filter(|name| !name.is_empty());
    if let Some(name) = &name {
        validate::no_nul("run_name", name)?;
    }
    let before = find_active(tx, ctx, run_id, Lock::Exclusive).await?;
    let mut after = before.clone();
    after.status = status.unwrap_or(before.status);
    after.end_time_ms = end_time_ms.or(before.end_time_ms);
    if let Some(name) = name {
        after.name = name;
    }
    if after == before {
        return Ok(after);
    }
    store::runs::update(tx, &after).await?;
    if after.name != before.name {
        let tag = Tag { key: RUN_NAME_TAG.to_owned(), value: after.name.clone() };
        store::runs::upsert_tags(tx, store::run_key(run_id), &[tag]).await?;
    }
    let is_end = after.status != before.status && after.status.is_terminal();
    let action = if is_end { "run.finished" } else { "run.updated" };
    let detail = json!({ "status": after.status.as_str(), "name": after.name });
    tx.record(ctx, event(ctx, action, run_id, detail)).await?;
    Ok(after)
}

/// Puts a run into the bin; one that is there stays there.
///
/// # Errors
/// `NotFound` when there is none of that id in the project.
pub async fn delete_run(ctx: &Ctx, tracking: &Tracking, run_id: &RunId) -> Result<()> {
    ctx.authorize(Action::Manage)?;
    set_stage(ctx, tracking, run_id, LifecycleStage::Deleted, "run.deleted").await
}

/// Takes a run out of the bin; one that is not there stays as it is.
///
/// # Errors
/// `NotFound` when there is none of that id in the project.
pub async fn restore_run(ctx: &Ctx, tracking: &Tracking, run_id: &RunId) -> Result<()> {
    ctx.authorize(Action::Manage)?;
    set_stage(ctx, tracking, run_id, LifecycleStage::Active, "run.restored").await
}

async fn set_stage(
    ctx: &Ctx,
    tracking: &Tracking,
    run_id: &RunId,
    stage: LifecycleStage,
    action: &'static str,
) -> Result<()> {
    let (ctx_inside, id) = (ctx.clone(), run_id.clone());
    tracking
        .db
        .write(move |tx| {
            async move {
                let ctx = ctx_inside;
                if tx.fetch_optional(store::runs::by_id(&ctx.project, &id)).await?.is_none() {
                    return Err(not_found(id.as_str()));
                }
                if store::runs::set_stage(tx, &id, stage, ctx.now_ms()).await? {
                    tx.record(&ctx, event(&ctx, action, &id, json!({}))).await?;
                }
                Ok(())
            }
            .boxed()
        })
        .await?;
    tracking.tell_changed(&ctx.project, run_id);
    Ok(())
}

/// The run, read in a transaction and held, so that it is not deleted meanwhile; it must be active.
pub(crate) async fn find_active(tx: &mut Tx, ctx: &Ctx, run_id: &RunId, lock: Lock) -> Result<RunInfo> {
    let select = lathe_db::lock(tx.kind(), lock, store::runs::by_id(&ctx.project, run_id));
    let row = tx.fetch_optional(select).await?.ok_or_else(|| not_found(run_id.as_str()))?;
    let info = store::runs::read(&row)?;
    require_active(&info)?;
    Ok(info)
}

pub(crate) fn require_active(info: &RunInfo) -> Result<()> {
    match info.lifecycle_stage {
        LifecycleStage::Active => Ok(()),
        LifecycleStage::Deleted => Err(Error::invalid(format!(
            "The run {} must be in the 'active' state. Current state is deleted.",
            info.run_id
        ))),
    }
}

/// A tag that says from which commit of which repository the run's code is: `<repository>@<commit>`.
const CODE_TAG: &str = "lathe.code";

/// Names are looked up by an index, which takes no long ones: anybody may set the tag to anything.
const MAX_CODE_NAME_BYTES: usize = 500;

/// The event of a new run, with the edge from its code where a tag names it.
fn created(ctx: &Ctx, run_id: &RunId, detail: serde_json::Value, tags: &[Tag]) -> Event {
    let event = event(ctx, "run.created", run_id, detail);
    let is_short = |tag: &&Tag| tag.key == CODE_TAG && tag.value.len() <= MAX_CODE_NAME_BYTES;
    let code = tags.iter().find(is_short).map(|tag| Name::new(&ctx.project, Kind::Code, &tag.value));
    match code.map(|code| Name::parse(code.as_str())) {
        Some(Ok(code)) => event.with_edge(code, Name::new(&ctx.project, Kind::Run, run_id), "ran"),
        // What is no name names nothing; the tag stays as it was given.
        Some(Err(_)) | None => event,
    }
}

pub(crate) fn event(ctx: &Ctx, action: &'static str, run_id: &RunId, detail: serde_json::Value) -> Event {
    Event::new(action, Name::new(&ctx.project, Kind::Run, run_id), detail)
}
