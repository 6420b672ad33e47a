//! Logging to runs: metrics, params and tags, alone or in a batch. Each request is one transaction.

use std::collections::BTreeMap;

use lathe_core::{Action, Ctx, Error, Result, RunId};
use lathe_db::{FutureExt as _, Lock, Tx};
use serde_json::{Value, json};

use super::{LogBatch, RUN_NAME_TAG, RunInfo, event, find_active};
use crate::store::metrics::{KeyIds, ModelMetricRow};
use crate::validate::Place;
use crate::{MetricPoint, NewMetric, Param, Tag, Tracking, logged_models, store, validate};

/// The tag that lists the models a run logged, as MLflow's older clients keep it.
const LOGGED_MODELS_TAG: &str = "mlflow.log-model.history";

/// How many entries are written where they are asked for, without the way to the writer.
const BRIEF_ENTRIES: usize = 32;

/// Logs metrics, params and tags: all of them, or none.
///
/// # Errors
/// `InvalidArgument` for anything over its limit, a bad key, a changed param or a deleted run; `NotFound` for an unknown run.
pub async fn log_batch(ctx: &Ctx, tracking: &Tracking, run_id: &RunId, batch: LogBatch) -> Result<()> {
    ctx.authorize(Action::Write)?;
    let batch = validate::log_batch(batch)?;
    write_log(ctx, tracking, run_id, batch, Place::InList).await
}

/// Logs one metric point.
///
/// # Errors
/// As [`log_batch`].
pub async fn log_metric(ctx: &Ctx, tracking: &Tracking, run_id: &RunId, metric: NewMetric) -> Result<()> {
    ctx.authorize(Action::Write)?;
    validate::metric(&metric, Place::Alone, 0)?;
    let batch = LogBatch { metrics: vec![metric], ..LogBatch::default() };
    write_log(ctx, tracking, run_id, batch, Place::Alone).await
}

/// Logs one param.
///
/// # Errors
/// As [`log_batch`].
pub async fn log_param(ctx: &Ctx, tracking: &Tracking, run_id: &RunId, param: Param) -> Result<()> {
    ctx.authorize(Action::Write)?;
    let params = validate::params(vec![param], Place::Alone)?;
    write_log(ctx, tracking, run_id, LogBatch { params, ..LogBatch::default() }, Place::Alone).await
}

/// Sets one tag; `mlflow.runName` renames the run.
///
/// # Errors
/// As [`log_batch`].
pub async fn set_tag(ctx: &Ctx, tracking: &Tracking, run_id: &RunId, tag: Tag) -> Result<()> {
    ctx.authorize(Action::Write)?;
    let tags = validate::tags(vec![tag], Place::Alone)?;
    write_log(ctx, tracking, run_id, LogBatch { tags, ..LogBatch::default() }, Place::Alone).await
}

/// Removes a tag.
///
/// # Errors
/// `NotFound` when run or tag do not exist, `InvalidArgument` when the run is deleted.
pub async fn delete_tag(ctx: &Ctx, tracking: &Tracking, run_id: &RunId, key: String) -> Result<()> {
    ctx.authorize(Action::Write)?;
    let (ctx_inside, id) = (ctx.clone(), run_id.clone());
    tracking
        .db
        .write(move |tx| {
            async move {
                let ctx = ctx_inside;
                find_active(tx, &ctx, &id, Lock::Shared).await?;
                if !store::runs::delete_tag(tx, store::run_key(&id), &key).await? {
                    return Err(Error::not_found(format!("No tag with name: {key} in run with id {id}")));
                }
                tx.record(&ctx, event(&ctx, "run.tagged", &id, json!({ "deleted": [key] }))).await
            }
            .boxed()
        })
        .await?;
    tracking.tell_changed(&ctx.project, run_id);
    Ok(())
}

/// Adds a model's description to the list in tag `mlflow.log-model.history`, as MLflow's clients before 3.0 do.
///
/// # Errors
/// `NotFound` for an unknown run, `InvalidArgument` when it is deleted.
pub async fn record_logged_model(ctx: &Ctx, tracking: &Tracking, run_id: &RunId, model: Value) -> Result<()> {
    ctx.authorize(Action::Write)?;
    let (ctx_inside, id) = (ctx.clone(), run_id.clone());
    tracking
        .db
        .write(move |tx| {
            async move {
                let ctx = ctx_inside;
                find_active(tx, &ctx, &id, Lock::Exclusive).await?;
                let run_key = store::run_key(&id);
                let before = store::runs::find_tag(tx, run_key, LOGGED_MODELS_TAG).await?;
                let mut models: Vec<Value> =
                    before.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
                models.push(model);
                let value = Value::from(models).to_string();
                validate::no_nul("model_json", &value)?;
                let tag = Tag { key: LOGGED_MODELS_TAG.to_owned(), value };
                store::runs::upsert_tags(tx, run_key, &[tag]).await?;
                tx.record(&ctx, event(&ctx, "run.tagged", &id, json!({ "tags": [LOGGED_MODELS_TAG] }))).await
            }
            .boxed()
        })
        .await?;
    tracking.tell_changed(&ctx.project, run_id);
    Ok(())
}

async fn write_log(ctx: &Ctx, tracking: &Tracking, run_id: &RunId, batch: LogBatch, place: Place) -> Result<()> {
    let (known, unknown) = tracking.known_keys(&ctx.project, batch.metrics.iter().map(|metric| metric.key.as_str()));
    let unknown: Vec<String> = unknown.into_iter().map(str::to_owned).collect();
    let entries = batch.metrics.len() + batch.params.len() + batch.tags.len();
    let log = Log { ctx: ctx.clone(), run_id: run_id.clone(), batch, place, known, unknown };
    let new_keys = if entries <= BRIEF_ENTRIES {
        tracking.db.write_brief(move |tx| log.write(tx).boxed()).await?
    } else {
        tracking.db.write(move |tx| log.write(tx).boxed()).await?
    };
    tracking.remember_keys(&ctx.project, &new_keys);
    tracking.tell_changed(&ctx.project, run_id);
    Ok(())
}

/// What is written in one transaction.
struct Log {
    ctx: Ctx,
    run_id: RunId,
    batch: LogBatch,
    place: Place,
    known: KeyIds,
    unknown: Vec<String>,
}

impl Log {
    /// Answers the metric keys that were new.
    async fn write(self, tx: &mut Tx) -> Result<KeyIds> {
        let Self { ctx, run_id, batch: LogBatch { metrics, params, tags }, place, known, unknown } = self;
        let is_rename = tags.iter().any(|tag| tag.key == RUN_NAME_TAG);
        let lock = if is_rename { Lock::Exclusive } else { Lock::Shared };
        let info = find_active(tx, &ctx, &run_id, lock).await?;
        let new_params = write_params(tx, &info, &params, place).await?;
        let new_keys = write_metrics(tx, &ctx, &info, &metrics, known, &unknown).await?;
        write_tags(tx, &info, &tags).await?;
        record_log(tx, &ctx, &run_id, if new_params > 0 { &params } else { &[] }, &tags).await?;
        Ok(new_keys)
    }
}

/// Stores params; answers how many were new. One that is there with another value refuses all.
async fn write_params(tx: &mut Tx, info: &RunInfo, params: &[Param], place: Place) -> Result<u64> {
    if params.is_empty() {
        return Ok(0);
    }
    let run_key = store::run_key(&info.run_id);
    let mut ordered = params.to_vec();
    ordered.sort_unstable_by(|a, b| a.key.cmp(&b.key));
    let inserted = store::runs::insert_params(tx, run_key, &ordered).await?;
    if inserted == params.len() as u64 {
        return Ok(inserted);
    }
    let stored = store::runs::find_params(tx, run_key, params).await?;
    let changed: Vec<(&Param, &String)> = params
        .iter()
        .filter_map(|param| stored.get(&param.key).filter(|old| **old != param.value).map(|old| (param, old)))
        .collect();
    let Some((param, old)) = changed.first() else { return Ok(inserted) };
    Err(Error::invalid(match place {
        Place::Alone => format!(
            "Changing param values is not allowed. Param with key='{}' was already logged with value='{old}' for run \
             ID='{}'. Attempted logging new value '{}'.",
            param.key, info.run_id, param.value
        ),
        Place::InList => {
            let list: Vec<String> = changed
                .iter()
                .map(|(param, old)| {
                    format!("{{'key': '{}', 'old_value': '{old}', 'new_value': '{}'}}", param.key, param.value)
                })
                .collect();
            format!(
                "Changing param values is not allowed. Params were already logged='[{}]' for run ID='{}'.",
                list.join(", "),
                info.run_id
            )
        }
    }))
}

/// Stores points; answers the ids of metric names that were not `known`.
async fn write_metrics(
    tx: &mut Tx,
    ctx: &Ctx,
    info: &RunInfo,
    metrics: &[NewMetric],
    known: KeyIds,
    unknown: &[String],
) -> Result<KeyIds> {
    if metrics.is_empty() {
        return Ok(KeyIds::new());
    }
    let new_keys =
        if unknown.is_empty() { KeyIds::new() } else { store::metrics::intern_keys(tx, &ctx.project, unknown).await? };
    let mut points: BTreeMap<i64, Vec<MetricPoint>> = BTreeMap::new();
    for metric in metrics {
        let id = known.get(&metric.key).or_else(|| new_keys.get(&metric.key));
        let id = id.ok_or_else(|| Error::internal("a metric name got no id"))?;
        points.entry(*id).or_default().push(point(metric));
    }
    store::metrics::append(tx, store::run_key(&info.run_id), info.experiment_id.number(), &points).await?;
    write_model_metrics(tx, ctx, info, metrics).await?;
    Ok(new_keys)
}

fn point(metric: &NewMetric) -> MetricPoint {
    MetricPoint { step: metric.step, timestamp_ms: metric.timestamp_ms, value: metric.value }
}

async fn write_model_metrics(tx: &mut Tx, ctx: &Ctx, info: &RunInfo, metrics: &[NewMetric]) -> Result<()> {
    let rows: Vec<ModelMetricRow<'_>> = metrics
        .iter()
        .filter_map(|metric| {
            let model_id = metric.model_id.as_deref().filter(|id| !id.is_empty())?;
            Some(ModelMetricRow {
                model_id,
                key: &metric.key,
                point: point(metric),
                dataset_name: metric.dataset_name.as_deref().filter(|name| !name.is_empty()),
                dataset_digest: metric.dataset_digest.as_deref().filter(|digest| !digest.is_empty()),
            })
        })
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    logged_models::require_all(tx, ctx, rows.iter().map(|row| row.model_id)).await?;
    store::metrics::insert_model_metrics(tx, &info.run_id, rows).await
}

/// Stores tags. An empty name leaves the run its name, and the tag that says it.
async fn write_tags(tx: &mut Tx, info: &RunInfo, tags: &[Tag]) -> Result<()> {
    let is_kept = |tag: &&Tag| tag.key != RUN_NAME_TAG || !tag.value.is_empty();
    let tags: Vec<Tag> = tags.iter().filter(is_kept).cloned().collect();
    if tags.is_empty() {
        return Ok(());
    }
    store::runs::upsert_tags(tx, store::run_key(&info.run_id), &tags).await?;
    match tags.iter().find(|tag| tag.key == RUN_NAME_TAG) {
        Some(name) => store::runs::set_name(tx, &info.run_id, &name.value).await,
        None => Ok(()),
    }
}

/// One event for a request that changed params or tags. Keys only: values may be secrets. Points make none.
async fn record_log(tx: &mut Tx, ctx: &Ctx, run_id: &RunId, params: &[Param], tags: &[Tag]) -> Result<()> {
    let param_keys: Vec<&str> = params.iter().map(|param| param.key.as_str()).collect();
    let tag_keys: Vec<&str> = tags.iter().map(|tag| tag.key.as_str()).collect();
    let (action, detail) = match (param_keys.is_empty(), tag_keys.is_empty()) {
        (true, true) => return Ok(()),
        (true, false) => ("run.tagged", json!({ "tags": tag_keys })),
        (false, true) => ("run.logged", json!({ "params": param_keys })),
        (false, false) => ("run.logged", json!({ "params": param_keys, "tags": tag_keys })),
    };
    tx.record(ctx, event(ctx, action, run_id, detail)).await
}
