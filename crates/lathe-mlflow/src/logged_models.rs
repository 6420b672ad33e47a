//! `logged-models/*`: the models that runs write.

use axum::extract::State;
use lathe_core::Result;
use lathe_http::Caller;
use lathe_tracking::logged_models::{
    self, CreateLoggedModel, DatasetFilter, Direction, LoggedModelMetric, LoggedModelOrder, SearchLoggedModels,
    parse_model_id,
};
use lathe_tracking::{ExperimentId, LoggedModel, LoggedModelStatus, Param, Tag};
use serde::Serialize;

use crate::MlflowState;
use crate::experiments::{Pair, read_tags};
use crate::wire::{Answer, Captured, Double, Empty, Fields, Form, Reply, empty};

/// The page of a search that does not say.
const DEFAULT_MAX_RESULTS: i64 = 50;

/// MLflow's words and numbers for how far an upload is.
const STATUSES: [(&str, i64, LoggedModelStatus); 4] = [
    ("LOGGED_MODEL_STATUS_UNSPECIFIED", 0, LoggedModelStatus::Unspecified),
    ("LOGGED_MODEL_PENDING", 1, LoggedModelStatus::Pending),
    ("LOGGED_MODEL_READY", 2, LoggedModelStatus::Ready),
    ("LOGGED_MODEL_UPLOAD_FAILED", 3, LoggedModelStatus::Failed),
];

#[derive(Debug, Serialize)]
struct LoggedModelInfoBody {
    model_id: String,
    experiment_id: String,
    name: String,
    creation_timestamp_ms: i64,
    last_updated_timestamp_ms: i64,
    artifact_uri: String,
    status: &'static str,
    model_type: String,
    source_run_id: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<Pair>,
}

#[derive(Debug, Serialize)]
struct LoggedModelMetricBody {
    key: String,
    value: Double,
    timestamp: i64,
    step: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    dataset_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dataset_digest: Option<String>,
    model_id: String,
    run_id: String,
}

impl LoggedModelMetricBody {
    fn new(model_id: &str, metric: LoggedModelMetric) -> Self {
        let LoggedModelMetric { key, value, timestamp_ms, step, run_id, dataset_name, dataset_digest } = metric;
        Self {
            key,
            value: Double(value),
            timestamp: timestamp_ms,
            step,
            dataset_name,
            dataset_digest,
            model_id: model_id.to_owned(),
            run_id: run_id.to_string(),
        }
    }
}

#[derive(Debug, Serialize)]
struct LoggedModelDataBody {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    params: Vec<Pair>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    metrics: Vec<LoggedModelMetricBody>,
}

/// A logged model as MLflow's clients read it.
#[derive(Debug, Serialize)]
pub(crate) struct LoggedModelBody {
    info: LoggedModelInfoBody,
    data: LoggedModelDataBody,
}

impl From<LoggedModel> for LoggedModelBody {
    fn from(model: LoggedModel) -> Self {
        let LoggedModel {
            model_id,
            experiment_id,
            name,
            artifact_uri,
            created_at_ms,
            updated_at_ms,
            status,
            lifecycle_stage: _,
            model_type,
            source_run_id,
            params,
            tags,
            metrics,
        } = model;
        let model_id = model_id.to_string();
        let metrics = metrics.into_iter().map(|metric| LoggedModelMetricBody::new(&model_id, metric)).collect();
        Self {
            info: LoggedModelInfoBody {
                experiment_id: experiment_id.to_string(),
                name,
                creation_timestamp_ms: created_at_ms,
                last_updated_timestamp_ms: updated_at_ms,
                artifact_uri,
                status: STATUSES.iter().find(|(_, _, known)| *known == status).map_or("", |(word, _, _)| word),
                model_type,
                source_run_id: source_run_id.unwrap_or_default(),
                tags: tags.into_iter().map(Pair::from).collect(),
                model_id,
            },
            data: LoggedModelDataBody { params: params.into_iter().map(Pair::from).collect(), metrics },
        }
    }
}

#[derive(Debug, Serialize)]
pub(crate) struct LoggedModelAnswer {
    model: LoggedModelBody,
}

impl LoggedModelAnswer {
    fn reply(model: LoggedModel) -> Reply<Self> {
        Ok(Answer(Self { model: model.into() }))
    }
}

#[derive(Debug, Serialize)]
pub(crate) struct SearchLoggedModelsAnswer {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    models: Vec<LoggedModelBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

fn read_params(fields: &Fields) -> Result<Vec<Param>> {
    fields.pairs("params", |key, value| Param { key, value })
}

pub(crate) async fn create_logged_model(
    State(state): State<MlflowState>,
    Caller(ctx): Caller,
    Form(fields): Form,
) -> Reply<LoggedModelAnswer> {
    let experiment_id = fields.required_text("experiment_id")?;
    let text = |name| Ok::<_, lathe_core::Error>(fields.text(name)?.filter(|text| !text.is_empty()));
    let request = CreateLoggedModel {
        name: text("name")?,
        model_type: text("model_type")?.unwrap_or_default(),
        source_run_id: text("source_run_id")?,
        params: read_params(&fields)?,
        tags: read_tags(&fields, "tags")?,
        experiment_id: ExperimentId::parse(&experiment_id)?.number(),
    };
    LoggedModelAnswer::reply(logged_models::create_logged_model(&ctx, &state.tracking, request).await?)
}

pub(crate) async fn get_logged_model(
    State(state): State<MlflowState>,
    Caller(ctx): Caller,
    Captured(model_id): Captured<String>,
) -> Reply<LoggedModelAnswer> {
    let model_id = parse_model_id(&model_id)?;
    LoggedModelAnswer::reply(logged_models::get_logged_model(&ctx, &state.tracking, &model_id).await?)
}

pub(crate) async fn finalize_logged_model(
    State(state): State<MlflowState>,
    Caller(ctx): Caller,
    Captured(model_id): Captured<String>,
    Form(fields): Form,
) -> Reply<LoggedModelAnswer> {
    let status = fields.required_word("status", &STATUSES)?;
    let model_id = parse_model_id(&model_id)?;
    LoggedModelAnswer::reply(logged_models::finalize_logged_model(&ctx, &state.tracking, &model_id, status).await?)
}

pub(crate) async fn delete_logged_model(
    State(state): State<MlflowState>,
    Caller(ctx): Caller,
    Captured(model_id): Captured<String>,
) -> Reply<Empty> {
    logged_models::delete_logged_model(&ctx, &state.tracking, &parse_model_id(&model_id)?).await?;
    empty()
}

pub(crate) async fn set_logged_model_tags(
    State(state): State<MlflowState>,
    Caller(ctx): Caller,
    Captured(model_id): Captured<String>,
    Form(fields): Form,
) -> Reply<Empty> {
    let tags: Vec<Tag> = read_tags(&fields, "tags")?;
    logged_models::set_logged_model_tags(&ctx, &state.tracking, &parse_model_id(&model_id)?, tags).await?;
    empty()
}

pub(crate) async fn delete_logged_model_tag(
    State(state): State<MlflowState>,
    Caller(ctx): Caller,
    Captured((model_id, key)): Captured<(String, String)>,
) -> Reply<Empty> {
    logged_models::delete_logged_model_tag(&ctx, &state.tracking, &parse_model_id(&model_id)?, key).await?;
    empty()
}

pub(crate) async fn log_logged_model_params(
    State(state): State<MlflowState>,
    Caller(ctx): Caller,
    Captured(model_id): Captured<String>,
    Form(fields): Form,
) -> Reply<Empty> {
    let params = read_params(&fields)?;
    logged_models::log_logged_model_params(&ctx, &state.tracking, &parse_model_id(&model_id)?, params).await?;
    empty()
}

pub(crate) async fn search_logged_models(
    State(state): State<MlflowState>,
    Caller(ctx): Caller,
    Form(fields): Form,
) -> Reply<SearchLoggedModelsAnswer> {
    let request = read_search(&fields)?;
    let page = logged_models::search_logged_models(&ctx, &state.tracking, request).await?;
    Ok(Answer(SearchLoggedModelsAnswer {
        models: page.items.into_iter().map(LoggedModelBody::from).collect(),
        next_page_token: page.next.map(|token| token.encode()),
    }))
}

fn read_search(fields: &Fields) -> Result<SearchLoggedModels> {
    fields.require("experiment_ids")?;
    let experiment_ids = fields.texts("experiment_ids")?;
    Ok(SearchLoggedModels {
        filter: fields.text("filter")?.filter(|filter| !filter.is_empty()),
        datasets: fields.objects("datasets")?.iter().map(read_dataset_filter).collect::<Result<_>>()?,
        max_results: fields.integer("max_results")?.unwrap_or(DEFAULT_MAX_RESULTS),
        order_by: fields.objects("order_by")?.iter().map(read_order).collect::<Result<_>>()?,
        page_token: fields.text("page_token")?,
        experiment_ids: experiment_ids.iter().map(|id| ExperimentId::parse(id)).collect::<Result<_>>()?,
    })
}

fn read_dataset_filter(dataset: &Fields) -> Result<DatasetFilter> {
    Ok(DatasetFilter {
        name: dataset.text("dataset_name")?.unwrap_or_default(),
        digest: dataset.text("dataset_digest")?.filter(|digest| !digest.is_empty()),
    })
}

fn read_order(order: &Fields) -> Result<LoggedModelOrder> {
    let is_ascending = order.flag("ascending")?.unwrap_or(true);
    Ok(LoggedModelOrder {
        field_name: order.text("field_name")?.unwrap_or_default(),
        direction: if is_ascending { Direction::Ascending } else { Direction::Descending },
        dataset_name: order.text("dataset_name")?.filter(|name| !name.is_empty()),
        dataset_digest: order.text("dataset_digest")?.filter(|digest| !digest.is_empty()),
    })
}
