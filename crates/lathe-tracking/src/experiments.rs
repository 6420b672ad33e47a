//! Experiments: the folders that runs live in. Number 0, `Default`, exists in every project.
//!
//! Called by the MLflow door. Runs of a deleted experiment are deleted and restored with it.

use std::fmt;

use lathe_core::{Action, Code, Ctx, Error, Event, Kind, Name, Page, PageToken, Result};
use lathe_db::{FutureExt as _, Lock, Query, Tx};
use serde_json::{Value, json};

use crate::{LifecycleStage, Tag, Tracking, ViewType, store, validate};

/// An experiment's number within its project; a decimal string on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ExperimentId(i64);

impl ExperimentId {
    /// The experiment that always exists.
    pub const DEFAULT: ExperimentId = ExperimentId(0);

    /// Parses the decimal text; an empty text is the default experiment, as MLflow's clients expect.
    ///
    /// # Errors
    /// `InvalidArgument` when it is no integer.
    pub fn parse(text: &str) -> Result<Self> {
        if text.is_empty() {
            return Ok(Self::DEFAULT);
        }
        text.trim().parse().map(Self).map_err(|_| {
            Error::invalid(format!("Invalid experiment ID '{text}'. Experiment ID must be a valid integer."))
        })
    }

    /// Takes a number, such as one read from the database.
    pub fn from_number(number: i64) -> Self {
        Self(number)
    }

    /// The number.
    pub fn number(self) -> i64 {
        self.0
    }
}

impl fmt::Display for ExperimentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An experiment with its tags.
#[derive(Debug, Clone, PartialEq)]
pub struct Experiment {
    /// Its number.
    pub id: ExperimentId,
    /// Its name, unique in the project even after deletion.
    pub name: String,
    /// Where its runs' artifacts go: `mlflow-artifacts:/<id>`, or what its creator gave; never dereferenced.
    pub artifact_location: String,
    /// Active or deleted.
    pub lifecycle_stage: LifecycleStage,
    /// When it was made.
    pub created_at_ms: i64,
    /// When its name or stage last changed.
    pub updated_at_ms: i64,
    /// Its tags, by key.
    pub tags: Vec<Tag>,
}

/// What a new experiment is made from.
#[derive(Debug, Clone, Default)]
pub struct CreateExperiment {
    /// 1-500 characters, not taken.
    pub name: String,
    /// An opaque URI; `None` for the project's own artifact store.
    pub artifact_location: Option<String>,
    /// Tags; of a key given twice the last wins.
    pub tags: Vec<Tag>,
}

/// Which experiments, in which order.
#[derive(Debug, Clone)]
pub struct SearchExperiments {
    /// MLflow's filter, for instance `name LIKE 'fraud%' AND tags.team = 'risk'`.
    pub filter: Option<String>,
    /// `name`, `experiment_id`, `creation_time` or `last_update_time`, each with ASC or DESC.
    pub order_by: Vec<String>,
    /// Active ones, deleted ones, or both.
    pub view: ViewType,
    /// 1-50,000.
    pub max_results: i64,
    /// The previous page's token.
    pub page_token: Option<String>,
}

/// Makes an experiment and answers its number.
///
/// # Errors
/// `InvalidArgument` for a bad name or tag, `AlreadyExists` when the name is taken, also by a deleted experiment.
pub async fn create_experiment(ctx: &Ctx, tracking: &Tracking, request: CreateExperiment) -> Result<ExperimentId> {
    ctx.authorize(Action::Write)?;
    let CreateExperiment { name, artifact_location, tags } = request;
    validate::experiment_name(&name)?;
    let artifact_location = artifact_location.filter(|location| !location.is_empty());
    if let Some(location) = &artifact_location {
        validate::artifact_location(location)?;
    }
    let tags = validate::experiment_tags(tags)?;
    ensure_default_experiment(ctx, tracking).await?;
    let ctx = ctx.clone();
    tracking
        .db
        .write(move |tx| {
            async move {
                let number = store::take_numbers(tx, ctx.project.as_str(), "experiment", 1).await?;
                let id = ExperimentId(number);
                let artifact_location = artifact_location.unwrap_or_else(|| default_location(id));
                let experiment = new_experiment(id, name, artifact_location, ctx.now_ms());
                if !store::experiments::insert(tx, &ctx.project, &experiment).await? {
                    return Err(name_taken(&experiment.name));
                }
                store::experiments::upsert_tags(tx, &ctx.project, id, &tags).await?;
                tx.record(&ctx, event(&ctx, "experiment.created", id, json!({ "name": experiment.name }))).await?;
                Ok(id)
            }
            .boxed()
        })
        .await
}

/// Makes the experiment `Default` of the context's project if it is missing. Cheap: a look into memory after the first time.
///
/// Every function that shows or uses experiments calls it, so that a new project needs no other preparation.
///
/// # Errors
/// What the database answers.
pub async fn ensure_default_experiment(ctx: &Ctx, tracking: &Tracking) -> Result<()> {
    if tracking.is_known(&ctx.project) {
        return Ok(());
    }
    let select = store::experiments::by_number(&ctx.project, ExperimentId::DEFAULT);
    if tracking.db.fetch_optional(select).await?.is_none() {
        let ctx = Ctx { clock: ctx.clock.clone(), ..Ctx::system("tracking", ctx.project.clone()) };
        tracking
            .db
            .write(move |tx| {
                async move {
                    let id = ExperimentId::DEFAULT;
                    let experiment = new_experiment(id, "Default".to_owned(), default_location(id), ctx.now_ms());
                    // Another request may have been faster; then there is nothing to tell.
                    if store::experiments::insert(tx, &ctx.project, &experiment).await? {
                        let detail = json!({ "name": experiment.name });
                        tx.record(&ctx, event(&ctx, "experiment.created", id, detail)).await?;
                    }
                    Ok(())
                }
                .boxed()
            })
            .await?;
    }
    tracking.remember(&ctx.project);
    Ok(())
}

/// An experiment, also a deleted one.
///
/// # Errors
/// `NotFound` when there is none of that number.
pub async fn get_experiment(ctx: &Ctx, tracking: &Tracking, id: ExperimentId) -> Result<Experiment> {
    ctx.authorize(Action::Read)?;
    ensure_default_for_reading(ctx, tracking).await?;
    load_one(ctx, tracking, store::experiments::by_number(&ctx.project, id)).await?.ok_or_else(|| not_found(id))
}

/// The experiment of that name, also a deleted one.
///
/// # Errors
/// `NotFound` when there is none of that name.
pub async fn get_experiment_by_name(ctx: &Ctx, tracking: &Tracking, name: &str) -> Result<Experiment> {
    ctx.authorize(Action::Read)?;
    ensure_default_for_reading(ctx, tracking).await?;
    load_one(ctx, tracking, store::experiments::by_name(&ctx.project, name))
        .await?
        .ok_or_else(|| Error::not_found(format!("Could not find experiment with name '{name}'")))
}

async fn load_one(ctx: &Ctx, tracking: &Tracking, select: Query) -> Result<Option<Experiment>> {
    let Some(row) = tracking.db.fetch_optional(select).await? else { return Ok(None) };
    let mut found = [store::experiments::read(&row)?];
    store::experiments::load_tags(&tracking.db, &ctx.project, &mut found).await?;
    let [experiment] = found;
    Ok(Some(experiment))
}

/// Experiments that match, newest first unless asked otherwise.
///
/// # Errors
/// `InvalidArgument` for a bad filter, order, page size or token.
pub async fn search_experiments(
    ctx: &Ctx,
    tracking: &Tracking,
    request: SearchExperiments,
) -> Result<Page<Experiment>> {
    ctx.authorize(Action::Read)?;
    let limit = validate::max_results(request.max_results)?;
    ensure_default_for_reading(ctx, tracking).await?;
    let fingerprint = format!("experiments {:?} {:?} {:?}", request.filter, request.order_by, request.view);
    let token = PageToken::read(request.page_token.as_deref(), &fingerprint)?;
    let select = crate::search::experiments::select(&ctx.project, &request, &token)?;
    let rows = tracking.db.fetch_all(select).await?;
    let experiments = rows.iter().map(store::experiments::read).collect::<Result<Vec<_>>>()?;
    let mut page = Page::from_overread(experiments, &token, limit);
    store::experiments::load_tags(&tracking.db, &ctx.project, &mut page.items).await?;
    Ok(page)
}

/// Gives an experiment another name.
///
/// # Errors
/// `NotFound`, `Conflict` when it is deleted, `AlreadyExists` when the name is taken.
pub async fn rename_experiment(ctx: &Ctx, tracking: &Tracking, id: ExperimentId, new_name: String) -> Result<()> {
    ctx.authorize(Action::Write)?;
    validate::experiment_name(&new_name)?;
    ensure_default_experiment(ctx, tracking).await?;
    let ctx = ctx.clone();
    tracking
        .db
        .write(move |tx| {
            async move {
                let experiment = find(tx, &ctx, id, Lock::Exclusive).await?;
                if experiment.lifecycle_stage != LifecycleStage::Active {
                    return Err(Error::conflict("Cannot rename a non-active experiment."));
                }
                if experiment.name == new_name {
                    return Ok(());
                }
                if tx.fetch_optional(store::experiments::by_name(&ctx.project, &new_name)).await?.is_some() {
                    return Err(name_taken(&new_name));
                }
                store::experiments::rename(tx, &ctx.project, id, &new_name, ctx.now_ms()).await?;
                let detail = json!({ "name": new_name, "old_name": experiment.name });
                tx.record(&ctx, event(&ctx, "experiment.updated", id, detail)).await
            }
            .boxed()
        })
        .await
}

/// Puts an experiment and its runs into the bin. Its name stays taken.
///
/// # Errors
/// `NotFound` when there is none, or it is deleted already.
pub async fn delete_experiment(ctx: &Ctx, tracking: &Tracking, id: ExperimentId) -> Result<()> {
    ctx.authorize(Action::Manage)?;
    set_stage(ctx, tracking, id, LifecycleStage::Deleted, "experiment.deleted").await
}

/// Takes an experiment and its runs out of the bin.
///
/// # Errors
/// `NotFound` when there is none, or it is not deleted.
pub async fn restore_experiment(ctx: &Ctx, tracking: &Tracking, id: ExperimentId) -> Result<()> {
    ctx.authorize(Action::Manage)?;
    set_stage(ctx, tracking, id, LifecycleStage::Active, "experiment.restored").await
}

async fn set_stage(
    ctx: &Ctx,
    tracking: &Tracking,
    id: ExperimentId,
    stage: LifecycleStage,
    action: &'static str,
) -> Result<()> {
    ensure_default_experiment(ctx, tracking).await?;
    let ctx = ctx.clone();
    tracking
        .db
        .write(move |tx| {
            async move {
                let moved = store::experiments::set_stage(tx, &ctx.project, id, stage, ctx.now_ms()).await?;
                let runs = moved.ok_or_else(|| not_found(id))?;
                tx.record(&ctx, event(&ctx, action, id, json!({ "runs": runs }))).await
            }
            .boxed()
        })
        .await
}

/// Sets a tag of an active experiment.
///
/// # Errors
/// `NotFound`, or `InvalidArgument` when it is deleted or the tag is not valid.
pub async fn set_experiment_tag(ctx: &Ctx, tracking: &Tracking, id: ExperimentId, tag: Tag) -> Result<()> {
    ctx.authorize(Action::Write)?;
    let tags = validate::experiment_tags(vec![tag])?;
    ensure_default_experiment(ctx, tracking).await?;
    let ctx = ctx.clone();
    tracking
        .db
        .write(move |tx| {
            async move {
                require_active(&find(tx, &ctx, id, Lock::Shared).await?)?;
                store::experiments::upsert_tags(tx, &ctx.project, id, &tags).await?;
                let keys: Vec<&str> = tags.iter().map(|tag| tag.key.as_str()).collect();
                tx.record(&ctx, event(&ctx, "experiment.tagged", id, json!({ "tags": keys }))).await
            }
            .boxed()
        })
        .await
}

/// Removes a tag of an active experiment.
///
/// # Errors
/// `NotFound` when experiment or tag do not exist, `InvalidArgument` when the experiment is deleted.
pub async fn delete_experiment_tag(ctx: &Ctx, tracking: &Tracking, id: ExperimentId, key: String) -> Result<()> {
    ctx.authorize(Action::Write)?;
    let ctx = ctx.clone();
    tracking
        .db
        .write(move |tx| {
            async move {
                require_active(&find(tx, &ctx, id, Lock::Shared).await?)?;
                if !store::experiments::delete_tag(tx, &ctx.project, id, &key).await? {
                    return Err(Error::not_found(format!("No tag with name: {key} in experiment with id {id}")));
                }
                tx.record(&ctx, event(&ctx, "experiment.tagged", id, json!({ "deleted": [key] }))).await
            }
            .boxed()
        })
        .await
}

/// The experiment, read in a transaction, without its tags.
pub(crate) async fn find(tx: &mut Tx, ctx: &Ctx, id: ExperimentId, lock: Lock) -> Result<Experiment> {
    let select = lathe_db::lock(tx.kind(), lock, store::experiments::by_number(&ctx.project, id));
    let row = tx.fetch_optional(select).await?.ok_or_else(|| not_found(id))?;
    store::experiments::read(&row)
}

pub(crate) fn require_active(experiment: &Experiment) -> Result<()> {
    match experiment.lifecycle_stage {
        LifecycleStage::Active => Ok(()),
        LifecycleStage::Deleted => Err(Error::invalid(format!(
            "The experiment {} must be in the 'active' state. Current state is deleted.",
            experiment.id
        ))),
    }
}

/// Reading goes on when nothing can be written: a project without its default experiment then just does not show it.
pub(crate) async fn ensure_default_for_reading(ctx: &Ctx, tracking: &Tracking) -> Result<()> {
    match ensure_default_experiment(ctx, tracking).await {
        Err(error) if error.code() == Code::OutOfSpace => Ok(()),
        other => other,
    }
}

pub(crate) fn not_found(id: ExperimentId) -> Error {
    Error::not_found(format!("No Experiment with id={id} exists"))
}

fn name_taken(name: &str) -> Error {
    Error::already_exists(format!("Experiment(name={name}) already exists."))
        .with_hint("choose another name; the names of deleted experiments stay taken until they are removed for good")
}

fn default_location(id: ExperimentId) -> String {
    format!("mlflow-artifacts:/{id}")
}

fn new_experiment(id: ExperimentId, name: String, artifact_location: String, now_ms: i64) -> Experiment {
    Experiment {
        id,
        name,
        artifact_location,
        lifecycle_stage: LifecycleStage::Active,
        created_at_ms: now_ms,
        updated_at_ms: now_ms,
        tags: Vec::new(),
    }
}

fn event(ctx: &Ctx, action: &'static str, id: ExperimentId, detail: Value) -> Event {
    Event::new(action, Name::new(&ctx.project, Kind::Experiment, id), detail)
}
