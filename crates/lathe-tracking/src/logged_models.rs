//! Logged models: the models that runs write, with their own params, tags, metrics and artifact folder.
//!
//! Called by the MLflow door; every `log_model` of a 3.x client makes one. Registered names and versions are another room.

use std::collections::BTreeMap;

use lathe_core::{Action, ActorKind, Ctx, Error, Event, Kind, LoggedModelId, Name, Page, PageToken, Result, RunId};
use lathe_db::{FutureExt as _, Lock, Tx};
use serde_json::{Value, json};

use crate::validate::Place;
use crate::{ExperimentId, LifecycleStage, Param, Tag, Tracking, experiments, runs, store, validate};

/// How far the upload of a logged model is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoggedModelStatus {
    /// Not said.
    Unspecified,
    /// Its files are being written.
    Pending,
    /// Complete.
    Ready,
    /// The upload failed.
    Failed,
}

impl LoggedModelStatus {
    /// All statuses, in the order of MLflow's numbers for them (0-3).
    pub const ALL: [LoggedModelStatus; 4] = [
        LoggedModelStatus::Unspecified,
        LoggedModelStatus::Pending,
        LoggedModelStatus::Ready,
        LoggedModelStatus::Failed,
    ];

    /// The status as it stands in SQL, events and filters; the names on MLflow's wire are the door's.
    pub fn as_sql(self) -> &'static str {
        match self {
            LoggedModelStatus::Unspecified => "UNSPECIFIED",
            LoggedModelStatus::Pending => "PENDING",
            LoggedModelStatus::Ready => "READY",
            LoggedModelStatus::Failed => "FAILED",
        }
    }

    pub(crate) fn from_sql(text: &str) -> Self {
        LoggedModelStatus::ALL
            .into_iter()
            .find(|status| status.as_sql() == text)
            .unwrap_or(LoggedModelStatus::Unspecified)
    }
}

/// A metric of a logged model, on a dataset or on none.
#[derive(Debug, Clone, PartialEq)]
pub struct LoggedModelMetric {
    /// Its name.
    pub key: String,
    /// Its value; may be NaN.
    pub value: f64,
    /// When it was measured.
    pub timestamp_ms: i64,
    /// The training step.
    pub step: i64,
    /// The run that logged it.
    pub run_id: RunId,
    /// The dataset it was measured on.
    pub dataset_name: Option<String>,
    /// That dataset's digest.
    pub dataset_digest: Option<String>,
}

/// A logged model with everything known of it.
#[derive(Debug, Clone, PartialEq)]
pub struct LoggedModel {
    /// `m-` and 32 hex digits.
    pub model_id: LoggedModelId,
    /// The experiment it belongs to.
    pub experiment_id: ExperimentId,
    /// Its name; several may have the same.
    pub name: String,
    /// `mlflow-artifacts:/<experiment>/models/<model id>/artifacts`.
    pub artifact_uri: String,
    /// When it was made.
    pub created_at_ms: i64,
    /// When its status or stage last changed.
    pub updated_at_ms: i64,
    /// How far its upload is.
    pub status: LoggedModelStatus,
    /// Active or deleted.
    pub lifecycle_stage: LifecycleStage,
    /// A word for its kind, for instance `agent`; may be empty.
    pub model_type: String,
    /// The run that made it, as the client named it: here or on another server.
    pub source_run_id: Option<String>,
    /// Its params, by key.
    pub params: Vec<Param>,
    /// Its tags, by key.
    pub tags: Vec<Tag>,
    /// All its metrics, by run, key, timestamp and step.
    pub metrics: Vec<LoggedModelMetric>,
}

/// What a new logged model is made from.
#[derive(Debug, Clone, Default)]
pub struct CreateLoggedModel {
    /// The experiment's number.
    pub experiment_id: i64,
    /// `None` for a made-up name.
    pub name: Option<String>,
    /// A word for its kind.
    pub model_type: String,
    /// The run that makes it.
    pub source_run_id: Option<String>,
    /// Its params.
    pub params: Vec<Param>,
    /// Its tags.
    pub tags: Vec<Tag>,
}

/// A dataset that metrics of a search must be measured on.
#[derive(Debug, Clone, Default)]
pub struct DatasetFilter {
    /// Its name.
    pub name: String,
    /// Its digest, or any.
    pub digest: Option<String>,
}

/// One key of a search's order.
#[derive(Debug, Clone)]
pub struct LoggedModelOrder {
    /// An attribute (`creation_time`, `name`, …) or `metrics.<name>`.
    pub field_name: String,
    /// Smallest first.
    pub direction: Direction,
    /// Only metrics on this dataset.
    pub dataset_name: Option<String>,
    /// Only metrics on this digest.
    pub dataset_digest: Option<String>,
}

/// Which way a list runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Smallest first.
    Ascending,
    /// Largest first.
    Descending,
}

/// Which logged models, in which order.
#[derive(Debug, Clone, Default)]
pub struct SearchLoggedModels {
    /// In these experiments.
    pub experiment_ids: Vec<ExperimentId>,
    /// MLflow's filter over attributes, params, tags and metrics.
    pub filter: Option<String>,
    /// Metrics of the filter must be on one of these; without a metric in the filter, the model must have any metric there.
    pub datasets: Vec<DatasetFilter>,
    /// Page size, 0 for the default of 100.
    pub max_results: i64,
    /// The order; newest first when empty.
    pub order_by: Vec<LoggedModelOrder>,
    /// The previous page's token.
    pub page_token: Option<String>,
}

/// How many a search answers when it does not say.
const DEFAULT_MAX_RESULTS: i64 = 100;

/// Parses a logged model's id.
///
/// # Errors
/// `NotFound`, in MLflow's words, when the text has not the form of an id.
pub fn parse_model_id(text: &str) -> Result<LoggedModelId> {
    LoggedModelId::parse(text).map_err(|_| not_found(text))
}

/// Makes a logged model in an active experiment; its files come later, and `finalize_logged_model` ends that.
///
/// # Errors
/// `NotFound` for an unknown experiment, `InvalidArgument` for a deleted one or bad names and values.
pub async fn create_logged_model(ctx: &Ctx, tracking: &Tracking, request: CreateLoggedModel) -> Result<LoggedModel> {
    ctx.authorize(Action::Write)?;
    let CreateLoggedModel { experiment_id, name, model_type, source_run_id, params, tags } = request;
    if let Some(name) = &name {
        validate::logged_model_name(name)?;
    }
    validate::no_nul("model_type", &model_type)?;
    // What a run's credentials make comes from that run, also when its client does not say so.
    let own_run = || (ctx.actor.kind == ActorKind::Run).then(|| ctx.actor.name.clone());
    let source_run_id = source_run_id.filter(|id| !id.is_empty()).or_else(own_run);
    validate::no_nul("source_run_id", source_run_id.as_deref().unwrap_or_default())?;
    let source = source_run_id.as_deref().and_then(|id| runs::parse_run_id(id).ok());
    let params = validate::logged_model_params(params)?;
    let tags = validate::tags(tags, Place::InList)?;
    experiments::ensure_default_experiment(ctx, tracking).await?;
    let ctx = ctx.clone();
    tracking
        .db
        .write(move |tx| {
            async move {
                let id = ExperimentId::from_number(experiment_id);
                let experiment = experiments::find(tx, &ctx, id, Lock::Shared).await?;
                experiments::require_active(&experiment)?;
                // A run of another server stays a name: lineage knows only what is here.
                let source = match source {
                    Some(id) => tx.fetch_optional(store::runs::by_id(&ctx.project, &id)).await?.map(|_| id),
                    None => None,
                };
                let model_id = LoggedModelId::generate();
                let location = experiment.artifact_location.trim_end_matches('/');
                let model = LoggedModel {
                    artifact_uri: format!("{location}/models/{model_id}/artifacts"),
                    model_id,
                    experiment_id: id,
                    name: name.unwrap_or_else(runs::random_name),
                    created_at_ms: ctx.now_ms(),
                    updated_at_ms: ctx.now_ms(),
                    status: LoggedModelStatus::Pending,
                    lifecycle_stage: LifecycleStage::Active,
                    model_type,
                    source_run_id,
                    params,
                    tags,
                    metrics: Vec::new(),
                };
                store::logged_models::insert(tx, &ctx.project, &model).await?;
                let detail = json!({ "experiment_id": id.to_string(), "name": model.name });
                let mut created = event(&ctx, "logged_model.created", &model.model_id, detail);
                if let Some(run_id) = &source {
                    let model = Name::new(&ctx.project, Kind::LoggedModel, &model.model_id);
                    created = created.with_edge(Name::new(&ctx.project, Kind::Run, run_id), model, "logged");
                }
                tx.record(&ctx, created).await?;
                Ok(model)
            }
            .boxed()
        })
        .await
}

/// A logged model with everything known of it.
///
/// # Errors
/// `NotFound` when there is none of that id in the project, or it is deleted.
pub async fn get_logged_model(ctx: &Ctx, tracking: &Tracking, model_id: &LoggedModelId) -> Result<LoggedModel> {
    ctx.authorize(Action::Read)?;
    let row = tracking.db.fetch_optional(store::logged_models::by_id(&ctx.project, model_id.as_str())).await?;
    let model = row.as_ref().map(store::logged_models::read).transpose()?;
    let model = model.filter(|model| model.lifecycle_stage == LifecycleStage::Active);
    let mut found = [model.ok_or_else(|| not_found(model_id.as_str()))?];
    store::logged_models::complete(&tracking.db, &mut found).await?;
    let [model] = found;
    Ok(model)
}

/// Says how the upload of a logged model ended.
///
/// # Errors
/// `NotFound` when there is none of that id in the project, or it is deleted.
pub async fn finalize_logged_model(
    ctx: &Ctx,
    tracking: &Tracking,
    model_id: &LoggedModelId,
    status: LoggedModelStatus,
) -> Result<LoggedModel> {
    ctx.authorize(Action::Write)?;
    let (ctx_inside, id) = (ctx.clone(), model_id.clone());
    tracking
        .db
        .write(move |tx| {
            async move {
                let ctx = ctx_inside;
                let model = find(tx, &ctx, &id).await?;
                if model.status == status {
                    return Ok(());
                }
                store::logged_models::set_status(tx, &id, status, ctx.now_ms()).await?;
                tx.record(&ctx, event(&ctx, "logged_model.updated", &id, json!({ "status": status.as_sql() }))).await
            }
            .boxed()
        })
        .await?;
    get_logged_model(ctx, tracking, model_id).await
}

/// Puts a logged model into the bin; one that is there stays there.
///
/// # Errors
/// `NotFound` when there is none of that id in the project.
pub async fn delete_logged_model(ctx: &Ctx, tracking: &Tracking, model_id: &LoggedModelId) -> Result<()> {
    ctx.authorize(Action::Manage)?;
    let (ctx, id) = (ctx.clone(), model_id.clone());
    tracking
        .db
        .write(move |tx| {
            async move {
                if find_any(tx, &ctx, &id).await?.lifecycle_stage == LifecycleStage::Deleted {
                    return Ok(());
                }
                store::logged_models::delete(tx, &id, ctx.now_ms()).await?;
                tx.record(&ctx, event(&ctx, "logged_model.deleted", &id, json!({}))).await
            }
            .boxed()
        })
        .await
}

/// Sets tags of a logged model.
///
/// # Errors
/// `NotFound` for an unknown or deleted model, `InvalidArgument` for bad tags.
pub async fn set_logged_model_tags(
    ctx: &Ctx,
    tracking: &Tracking,
    model_id: &LoggedModelId,
    tags: Vec<Tag>,
) -> Result<()> {
    ctx.authorize(Action::Write)?;
    let tags = validate::tags(tags, Place::InList)?;
    let (ctx, id) = (ctx.clone(), model_id.clone());
    tracking
        .db
        .write(move |tx| {
            async move {
                find(tx, &ctx, &id).await?;
                store::logged_models::upsert_tags(tx, &id, &tags).await?;
                let keys: Vec<&str> = tags.iter().map(|tag| tag.key.as_str()).collect();
                tx.record(&ctx, event(&ctx, "logged_model.tagged", &id, json!({ "tags": keys }))).await
            }
            .boxed()
        })
        .await
}

/// Removes a tag of a logged model.
///
/// # Errors
/// `NotFound` when model or tag do not exist.
pub async fn delete_logged_model_tag(
    ctx: &Ctx,
    tracking: &Tracking,
    model_id: &LoggedModelId,
    key: String,
) -> Result<()> {
    ctx.authorize(Action::Write)?;
    let (ctx, id) = (ctx.clone(), model_id.clone());
    tracking
        .db
        .write(move |tx| {
            async move {
                find(tx, &ctx, &id).await?;
                if !store::logged_models::delete_tag(tx, &id, &key).await? {
                    return Err(Error::not_found(format!("No tag with key '{key}' found for model with ID '{id}'.")));
                }
                tx.record(&ctx, event(&ctx, "logged_model.tagged", &id, json!({ "deleted": [key] }))).await
            }
            .boxed()
        })
        .await
}

/// Adds params to a logged model. The same value again is fine.
///
/// # Errors
/// `NotFound` for an unknown or deleted model, `InvalidArgument` for bad or changed params.
pub async fn log_logged_model_params(
    ctx: &Ctx,
    tracking: &Tracking,
    model_id: &LoggedModelId,
    params: Vec<Param>,
) -> Result<()> {
    ctx.authorize(Action::Write)?;
    let params = validate::logged_model_params(params)?;
    let (ctx, id) = (ctx.clone(), model_id.clone());
    tracking
        .db
        .write(move |tx| {
            async move {
                find(tx, &ctx, &id).await?;
                let stored = store::logged_models::find_params(tx, &id).await?;
                for param in &params {
                    if let Some(old) = stored.get(&param.key).filter(|old| **old != param.value) {
                        return Err(Error::invalid(format!(
                            "Changing param values is not allowed. Param with key='{}' was already logged with value='{old}' \
                             for model ID='{id}'. Attempted logging new value '{}'.",
                            param.key, param.value
                        )));
                    }
                }
                store::logged_models::upsert_params(tx, &id, &params).await?;
                let keys: Vec<&str> = params.iter().map(|param| param.key.as_str()).collect();
                tx.record(&ctx, event(&ctx, "logged_model.updated", &id, json!({ "params": keys }))).await
            }
            .boxed()
        })
        .await
}

/// Logged models that match, newest first unless asked otherwise. Deleted ones are never among them.
///
/// # Errors
/// `InvalidArgument` for a bad filter, order, dataset, page size or token.
pub async fn search_logged_models(
    ctx: &Ctx,
    tracking: &Tracking,
    request: SearchLoggedModels,
) -> Result<Page<LoggedModel>> {
    ctx.authorize(Action::Read)?;
    let asked = if request.max_results == 0 { DEFAULT_MAX_RESULTS } else { request.max_results };
    let limit = validate::max_results(asked)?;
    if request.datasets.iter().any(|dataset| dataset.name.is_empty()) {
        return Err(Error::invalid("`dataset_name` in the `datasets` clause must be specified."));
    }
    let SearchLoggedModels { experiment_ids, filter, datasets, max_results: _, order_by, page_token } = &request;
    let fingerprint = format!("logged models {experiment_ids:?} {filter:?} {datasets:?} {order_by:?}");
    let token = PageToken::read(page_token.as_deref(), &fingerprint)?;
    let select = crate::search::logged_models::select(&ctx.project, &request, limit, &token)?;
    let rows = tracking.db.fetch_all(select).await?;
    let models = rows.iter().map(store::logged_models::read).collect::<Result<Vec<_>>>()?;
    let mut page = Page::from_overread(models, &token, limit);
    store::logged_models::complete(&tracking.db, &mut page.items).await?;
    Ok(page)
}

/// The model, read in a transaction and held; it must not be deleted.
pub(crate) async fn find(tx: &mut Tx, ctx: &Ctx, model_id: &LoggedModelId) -> Result<LoggedModel> {
    let model = find_any(tx, ctx, model_id).await?;
    if model.lifecycle_stage == LifecycleStage::Active { Ok(model) } else { Err(not_found(model_id.as_str())) }
}

/// The model, deleted or not, read in a transaction and held.
async fn find_any(tx: &mut Tx, ctx: &Ctx, model_id: &LoggedModelId) -> Result<LoggedModel> {
    let select = store::logged_models::by_id(&ctx.project, model_id.as_str());
    let row = tx.fetch_optional(lathe_db::lock(tx.kind(), Lock::Exclusive, select)).await?;
    store::logged_models::read(&row.ok_or_else(|| not_found(model_id.as_str()))?)
}

/// Fails unless all these models are in the project; answers each one's source run.
pub(crate) async fn require_all<'a>(
    tx: &mut Tx,
    ctx: &Ctx,
    model_ids: impl Iterator<Item = &'a str> + Send,
) -> Result<BTreeMap<String, Option<String>>> {
    let mut wanted: Vec<&str> = model_ids.collect();
    wanted.sort_unstable();
    wanted.dedup();
    let found = store::logged_models::find_sources(tx, &ctx.project, &wanted).await?;
    match wanted.iter().find(|id| !found.contains_key(**id)) {
        Some(missing) => Err(not_found(missing)),
        None => Ok(found),
    }
}

fn not_found(model_id: &str) -> Error {
    Error::not_found(format!("Logged model with ID '{model_id}' not found."))
}

fn event(ctx: &Ctx, action: &'static str, model_id: &LoggedModelId, detail: Value) -> Event {
    Event::new(action, Name::new(&ctx.project, Kind::LoggedModel, model_id), detail)
}
