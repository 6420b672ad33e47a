//! What runs read (datasets, logged models) and what they made (logged models).
//!
//! Called by the MLflow door (`log-inputs`, `outputs`). Each becomes an edge of the lineage graph.

use lathe_core::{Action, Ctx, Error, Kind, LoggedModelId, Name, Result, RunId};
use lathe_db::{FutureExt as _, Lock};
use serde_json::json;

use crate::runs::{event, find_active};
use crate::{Tag, Tracking, logged_models, store, validate};

/// A dataset as a run saw it; name and digest together name it in the project.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Dataset {
    /// 1-500 characters.
    pub name: String,
    /// At most 36 characters.
    pub digest: String,
    /// The kind of source: `s3`, `local`, `http`, `code`, …
    pub source_type: String,
    /// Where it came from; opaque, never dereferenced.
    pub source: String,
    /// Its schema as JSON text.
    pub schema: Option<String>,
    /// Its profile (row counts and the like) as JSON text.
    pub profile: Option<String>,
}

/// A dataset that a run read, with the tags of that reading (`mlflow.data.context` is `training` or `eval`).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DatasetInput {
    /// The dataset.
    pub dataset: Dataset,
    /// Tags of this input.
    pub tags: Vec<Tag>,
}

/// A logged model that a run made.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelOutput {
    /// The model.
    pub model_id: LoggedModelId,
    /// The step at which it was made.
    pub step: i64,
}

/// The tag of an input that says what the dataset was used for.
pub(crate) const CONTEXT_TAG: &str = "mlflow.data.context";
/// How many inputs or outputs one request may log.
const MAX_PER_REQUEST: usize = 1_000;

/// Notes which datasets and logged models a run read. A dataset that the run has already stays as it was noted first.
///
/// # Errors
/// `NotFound` for an unknown run or model, `InvalidArgument` for a deleted run or a bad dataset.
pub async fn log_inputs(
    ctx: &Ctx,
    tracking: &Tracking,
    run_id: &RunId,
    datasets: Vec<DatasetInput>,
    models: Vec<LoggedModelId>,
) -> Result<()> {
    ctx.authorize(Action::Write)?;
    check_count(datasets.len() + models.len())?;
    let datasets = validate::dataset_inputs(datasets)?;
    let (ctx_inside, id) = (ctx.clone(), run_id.clone());
    tracking
        .db
        .write(move |tx| {
            async move {
                let ctx = ctx_inside;
                find_active(tx, &ctx, &id, Lock::Shared).await?;
                logged_models::require_all(tx, &ctx, models.iter().map(LoggedModelId::as_str)).await?;
                let run_key = store::run_key(&id);
                let first = ctx.now_ms().saturating_mul(1_000);
                store::inputs::insert_datasets(tx, &ctx.project, run_key, first, &datasets).await?;
                let inputs: Vec<ModelOutput> =
                    models.iter().map(|model_id| ModelOutput { model_id: model_id.clone(), step: 0 }).collect();
                store::inputs::upsert_models(tx, run_key, store::inputs::Direction::Input, first, &inputs).await?;

                let run = Name::new(&ctx.project, Kind::Run, &id);
                let names: Vec<String> =
                    datasets.iter().map(|input| format!("{}@{}", input.dataset.name, input.dataset.digest)).collect();
                let models_read: Vec<&str> = models.iter().map(LoggedModelId::as_str).collect();
                let detail = json!({ "datasets": names, "models": models_read });
                let mut happened = event(&ctx, "run.inputs_logged", &id, detail);
                for input in &datasets {
                    let dataset = Name::dataset(&ctx.project, &input.dataset.name, &input.dataset.digest);
                    happened = happened.with_edge(dataset, run.clone(), "read");
                }
                for model_id in &models {
                    let model = Name::new(&ctx.project, Kind::LoggedModel, model_id);
                    happened = happened.with_edge(model, run.clone(), "read");
                }
                tx.record(&ctx, happened).await
            }
            .boxed()
        })
        .await?;
    tracking.tell_changed(&ctx.project, run_id);
    Ok(())
}

/// Notes which logged models a run made.
///
/// # Errors
/// `NotFound` for an unknown run or model, `InvalidArgument` for a deleted run.
pub async fn log_outputs(ctx: &Ctx, tracking: &Tracking, run_id: &RunId, models: Vec<ModelOutput>) -> Result<()> {
    ctx.authorize(Action::Write)?;
    check_count(models.len())?;
    let (ctx_inside, id) = (ctx.clone(), run_id.clone());
    tracking
        .db
        .write(move |tx| {
            async move {
                let ctx = ctx_inside;
                find_active(tx, &ctx, &id, Lock::Shared).await?;
                let sources =
                    logged_models::require_all(tx, &ctx, models.iter().map(|model| model.model_id.as_str())).await?;
                let first = ctx.now_ms().saturating_mul(1_000);
                let direction = store::inputs::Direction::Output;
                store::inputs::upsert_models(tx, store::run_key(&id), direction, first, &models).await?;
                let ids: Vec<&str> = models.iter().map(|model| model.model_id.as_str()).collect();
                let mut happened = event(&ctx, "run.outputs_logged", &id, json!({ "models": ids }));
                for model in &models {
                    // A model that was made with this run as its source has the edge since then.
                    let source = sources.get(model.model_id.as_str()).and_then(Option::as_deref);
                    if source != Some(id.as_str()) {
                        let name = Name::new(&ctx.project, Kind::LoggedModel, &model.model_id);
                        happened = happened.with_edge(Name::new(&ctx.project, Kind::Run, &id), name, "logged");
                    }
                }
                tx.record(&ctx, happened).await
            }
            .boxed()
        })
        .await?;
    tracking.tell_changed(&ctx.project, run_id);
    Ok(())
}

fn check_count(count: usize) -> Result<()> {
    if count > MAX_PER_REQUEST {
        return Err(Error::invalid(format!(
            "a request can log at most {MAX_PER_REQUEST} inputs or outputs, got {count}; split it up"
        )));
    }
    Ok(())
}
