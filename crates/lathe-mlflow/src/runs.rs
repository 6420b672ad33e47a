//! `runs/*`, without the logging of metrics (`metrics`), of batches (`batches`), and of inputs and outputs (`inputs`).

use axum::extract::State;
use lathe_core::{Error, Result};
use lathe_http::Caller;
use lathe_tracking::runs::{self, CreateRun, UpdateRun, parse_run_id};
use lathe_tracking::search::{self, SearchRuns};
use lathe_tracking::{ExperimentId, Metric, Param, Run, RunInfo, RunStatus, Tag};
use serde::Serialize;
use serde_json::{Value, json};

use crate::MlflowState;
use crate::experiments::{Pair, VIEW_TYPES, read_tags};
use crate::inputs::{InputsBody, OutputsBody};
use crate::wire::{Answer, Double, Empty, Form, Reply, empty};

/// The largest page of a search.
const MAX_RESULTS: i64 = 50_000;
/// The page of a search that does not say.
const DEFAULT_MAX_RESULTS: i64 = 1_000;

/// MLflow's words and numbers for what a run is doing.
const RUN_STATUSES: [(&str, i64, RunStatus); 5] = [
    ("RUNNING", 1, RunStatus::Running),
    ("SCHEDULED", 2, RunStatus::Scheduled),
    ("FINISHED", 3, RunStatus::Finished),
    ("FAILED", 4, RunStatus::Failed),
    ("KILLED", 5, RunStatus::Killed),
];

/// What old clients must say of a model that they logged.
const LOGGED_MODEL_FIELDS: [&str; 4] = ["artifact_path", "flavors", "utc_time_created", "run_id"];

impl From<Param> for Pair {
    fn from(Param { key, value }: Param) -> Self {
        Tag { key, value }.into()
    }
}

/// A run without what was logged to it.
#[derive(Debug, Serialize)]
pub(crate) struct RunInfoBody {
    run_uuid: String,
    experiment_id: String,
    run_name: String,
    user_id: String,
    status: &'static str,
    start_time: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_time: Option<i64>,
    artifact_uri: String,
    lifecycle_stage: &'static str,
    run_id: String,
}

impl From<RunInfo> for RunInfoBody {
    fn from(info: RunInfo) -> Self {
        let RunInfo {
            run_id,
            name,
            experiment_id,
            user_id,
            status,
            start_time_ms,
            end_time_ms,
            artifact_uri,
            lifecycle_stage,
        } = info;
        Self {
            run_uuid: run_id.to_string(),
            experiment_id: experiment_id.to_string(),
            run_name: name,
            user_id,
            status: status.as_str(),
            start_time: start_time_ms,
            end_time: end_time_ms,
            artifact_uri,
            lifecycle_stage: lifecycle_stage.as_str(),
            run_id: run_id.to_string(),
        }
    }
}

/// The latest value of a metric.
#[derive(Debug, Serialize)]
struct MetricBody {
    key: String,
    value: Double,
    timestamp: i64,
    step: i64,
}

impl From<Metric> for MetricBody {
    fn from(Metric { key, value, timestamp_ms, step }: Metric) -> Self {
        Self { key, value: Double(value), timestamp: timestamp_ms, step }
    }
}

#[derive(Debug, Serialize)]
struct RunDataBody {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    metrics: Vec<MetricBody>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    params: Vec<Pair>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<Pair>,
}

/// A run with the latest of everything logged to it.
#[derive(Debug, Serialize)]
pub(crate) struct RunBody {
    info: RunInfoBody,
    data: RunDataBody,
    inputs: InputsBody,
    #[serde(skip_serializing_if = "Option::is_none")]
    outputs: Option<OutputsBody>,
}

impl From<Run> for RunBody {
    fn from(run: Run) -> Self {
        let Run { info, metrics, params, tags, dataset_inputs, model_inputs, model_outputs } = run;
        Self {
            info: info.into(),
            data: RunDataBody {
                metrics: metrics.into_iter().map(MetricBody::from).collect(),
                params: params.into_iter().map(Pair::from).collect(),
                tags: tags.into_iter().map(Pair::from).collect(),
            },
            inputs: InputsBody::new(dataset_inputs, model_inputs),
            outputs: Some(OutputsBody::from(model_outputs)),
        }
    }
}

#[derive(Debug, Serialize)]
pub(crate) struct RunAnswer {
    run: RunBody,
}

#[derive(Debug, Serialize)]
pub(crate) struct UpdateRunAnswer {
    run_info: RunInfoBody,
}

#[derive(Debug, Serialize)]
pub(crate) struct SearchRunsAnswer {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    runs: Vec<RunBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

pub(crate) async fn create_run(
    State(state): State<MlflowState>,
    Caller(ctx): Caller,
    Form(fields): Form,
) -> Reply<RunAnswer> {
    let experiment_id = fields.text("experiment_id")?.unwrap_or_default();
    let request = CreateRun {
        user_id: fields.text("user_id")?.unwrap_or_default(),
        start_time_ms: fields.integer("start_time")?.unwrap_or_default(),
        name: fields.text("run_name")?,
        tags: read_tags(&fields, "tags")?,
        experiment_id: ExperimentId::parse(&experiment_id)?.number(),
    };
    let run = runs::create_run(&ctx, &state.tracking, request).await?;
    // A run that has just been made has no outputs, and MLflow does not say so.
    Ok(Answer(RunAnswer { run: RunBody { outputs: None, ..run.into() } }))
}

pub(crate) async fn get_run(
    State(state): State<MlflowState>,
    Caller(ctx): Caller,
    Form(fields): Form,
) -> Reply<RunAnswer> {
    let run_id = parse_run_id(&fields.required_run_id()?)?;
    let run = runs::get_run(&ctx, &state.tracking, &run_id).await?;
    Ok(Answer(RunAnswer { run: run.into() }))
}

pub(crate) async fn update_run(
    State(state): State<MlflowState>,
    Caller(ctx): Caller,
    Form(fields): Form,
) -> Reply<UpdateRunAnswer> {
    let run_id = fields.required_run_id()?;
    let request = UpdateRun {
        status: fields.word("status", &RUN_STATUSES)?,
        end_time_ms: fields.integer("end_time")?,
        name: fields.text("run_name")?,
    };
    let info = runs::update_run(&ctx, &state.tracking, &parse_run_id(&run_id)?, request).await?;
    Ok(Answer(UpdateRunAnswer { run_info: info.into() }))
}

pub(crate) async fn delete_run(
    State(state): State<MlflowState>,
    Caller(ctx): Caller,
    Form(fields): Form,
) -> Reply<Empty> {
    runs::delete_run(&ctx, &state.tracking, &parse_run_id(&fields.required_text("run_id")?)?).await?;
    empty()
}

pub(crate) async fn restore_run(
    State(state): State<MlflowState>,
    Caller(ctx): Caller,
    Form(fields): Form,
) -> Reply<Empty> {
    runs::restore_run(&ctx, &state.tracking, &parse_run_id(&fields.required_text("run_id")?)?).await?;
    empty()
}

pub(crate) async fn search_runs(
    State(state): State<MlflowState>,
    Caller(ctx): Caller,
    Form(fields): Form,
) -> Reply<SearchRunsAnswer> {
    let experiment_ids = fields.texts("experiment_ids")?;
    let request = SearchRuns {
        filter: fields.text("filter")?,
        view: fields.word("run_view_type", &VIEW_TYPES)?.unwrap_or_default(),
        max_results: fields.integer_at_most("max_results", MAX_RESULTS)?.unwrap_or(DEFAULT_MAX_RESULTS),
        order_by: fields.texts("order_by")?,
        page_token: fields.text("page_token")?,
        experiment_ids: experiment_ids.iter().map(|id| ExperimentId::parse(id)).collect::<Result<_>>()?,
    };
    let page = search::search_runs(&ctx, &state.tracking, request).await?;
    Ok(Answer(SearchRunsAnswer {
        runs: page.items.into_iter().map(RunBody::from).collect(),
        next_page_token: page.next.map(|token| token.encode()),
    }))
}

pub(crate) async fn log_param(
    State(state): State<MlflowState>,
    Caller(ctx): Caller,
    Form(fields): Form,
) -> Reply<Empty> {
    let run_id = fields.required_run_id()?;
    let param = Param { key: fields.required_text("key")?, value: fields.text("value")?.unwrap_or_default() };
    runs::log_param(&ctx, &state.tracking, &parse_run_id(&run_id)?, param).await?;
    empty()
}

pub(crate) async fn set_tag(State(state): State<MlflowState>, Caller(ctx): Caller, Form(fields): Form) -> Reply<Empty> {
    let run_id = fields.required_run_id()?;
    let tag = Tag { key: fields.required_text("key")?, value: fields.text("value")?.unwrap_or_default() };
    runs::set_tag(&ctx, &state.tracking, &parse_run_id(&run_id)?, tag).await?;
    empty()
}

pub(crate) async fn delete_tag(
    State(state): State<MlflowState>,
    Caller(ctx): Caller,
    Form(fields): Form,
) -> Reply<Empty> {
    let (run_id, key) = (fields.required_text("run_id")?, fields.required_text("key")?);
    runs::delete_tag(&ctx, &state.tracking, &parse_run_id(&run_id)?, key).await?;
    empty()
}

/// `runs/log-model`, of clients before 3.0.
pub(crate) async fn record_logged_model(
    State(state): State<MlflowState>,
    Caller(ctx): Caller,
    Form(fields): Form,
) -> Reply<Empty> {
    let (run_id, text) = (fields.required_text("run_id")?, fields.required_text("model_json")?);
    let model = parse_logged_model(&text)?;
    runs::record_logged_model(&ctx, &state.tracking, &parse_run_id(&run_id)?, model).await?;
    empty()
}

/// The part of a model's description that is kept with the run.
fn parse_logged_model(text: &str) -> Result<Value> {
    let malformed = || Error::invalid(format!("Malformed model info. \n {text} \n is not a valid JSON."));
    let model: Value = serde_json::from_str(text).map_err(|_| malformed())?;
    let object = model.as_object().ok_or_else(malformed)?;
    let missing: Vec<String> = LOGGED_MODEL_FIELDS
        .iter()
        .filter(|field| !object.contains_key(**field))
        .map(|field| format!("'{field}'"))
        .collect();
    if !missing.is_empty() {
        return Err(Error::invalid(format!("Model json is missing mandatory fields: {{{}}}", missing.join(", "))));
    }
    Ok(json!({
        "run_id": object.get("run_id"),
        "artifact_path": object.get("artifact_path"),
        "utc_time_created": object.get("utc_time_created"),
        "model_uuid": object.get("model_uuid"),
        "flavors": object.get("flavors").map(without_configs),
    }))
}

/// The flavors of a model without how each is configured, which may be long.
fn without_configs(flavors: &Value) -> Value {
    let mut flavors = flavors.clone();
    for flavor in flavors.as_object_mut().into_iter().flat_map(|flavors| flavors.values_mut()) {
        if let Some(flavor) = flavor.as_object_mut() {
            flavor.remove("config");
        }
    }
    flavors
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_of_old_clients_must_say_what_they_are() {
        let whole = r#"{"artifact_path":"m","flavors":{"f":{"config":{},"x":1}},"utc_time_created":"x","run_id":"r","signature":{}}"#;
        assert_eq!(
            parse_logged_model(whole).unwrap(),
            json!({"artifact_path": "m", "flavors": {"f": {"x": 1}}, "utc_time_created": "x", "run_id": "r", "model_uuid": null})
        );
        let message = |text| parse_logged_model(text).unwrap_err().message().to_owned();
        assert_eq!(
            message(r#"{"artifact_path":"m","flavors":{},"utc_time_created":"x"}"#),
            "Model json is missing mandatory fields: {'run_id'}"
        );
        for text in ["no json", "[]", "5", ""] {
            assert!(message(text).contains("is not a valid JSON"), "{text}");
        }
    }
}
