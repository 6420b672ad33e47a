//! `experiments/*`.

use axum::extract::State;
use lathe_http::Caller;
use lathe_tracking::experiments::{self, CreateExperiment, SearchExperiments};
use lathe_tracking::{Experiment, ExperimentId, Tag, ViewType};
use serde::Serialize;

use crate::MlflowState;
use crate::wire::{Answer, Empty, Fields, Form, Reply, empty, is_empty};

/// MLflow's words and numbers for the stages that a list shows.
pub(crate) const VIEW_TYPES: [(&str, i64, ViewType); 3] =
    [("ACTIVE_ONLY", 1, ViewType::ActiveOnly), ("DELETED_ONLY", 2, ViewType::DeletedOnly), ("ALL", 3, ViewType::All)];

/// A key and a value.
#[derive(Debug, Serialize)]
pub(crate) struct Pair {
    key: String,
    value: String,
}

impl From<Tag> for Pair {
    fn from(Tag { key, value }: Tag) -> Self {
        Self { key, value }
    }
}

/// An experiment as MLflow's clients read it.
#[derive(Debug, Serialize)]
pub(crate) struct ExperimentBody {
    experiment_id: String,
    name: String,
    artifact_location: String,
    lifecycle_stage: &'static str,
    last_update_time: i64,
    creation_time: i64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<Pair>,
    workspace: String,
}

impl ExperimentBody {
    fn new(experiment: Experiment, workspace: &str) -> Self {
        let Experiment { id, name, artifact_location, lifecycle_stage, created_at_ms, updated_at_ms, tags } =
            experiment;
        Self {
            experiment_id: id.to_string(),
            name,
            artifact_location,
            lifecycle_stage: lifecycle_stage.as_str(),
            last_update_time: updated_at_ms,
            creation_time: created_at_ms,
            tags: tags.into_iter().map(Pair::from).collect(),
            workspace: workspace.to_owned(),
        }
    }
}

#[derive(Debug, Serialize)]
pub(crate) struct CreateExperimentAnswer {
    experiment_id: String,
}

#[derive(Debug, Serialize)]
pub(crate) struct ExperimentAnswer {
    experiment: ExperimentBody,
}

#[derive(Debug, Serialize)]
pub(crate) struct SearchExperimentsAnswer {
    #[serde(skip_serializing_if = "is_empty")]
    experiments: Vec<ExperimentBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

/// Reads tags, or params, or whatever else is a list of keys and values.
pub(crate) fn read_tags(fields: &Fields, name: &str) -> lathe_core::Result<Vec<Tag>> {
    fields.pairs(name, |key, value| Tag { key, value })
}

fn read_experiment_id(fields: &Fields) -> lathe_core::Result<ExperimentId> {
    ExperimentId::parse(&fields.required_text("experiment_id")?)
}

pub(crate) async fn create_experiment(
    State(state): State<MlflowState>,
    Caller(ctx): Caller,
    Form(fields): Form,
) -> Reply<CreateExperimentAnswer> {
    let request = CreateExperiment {
        name: fields.required_text("name")?,
        artifact_location: fields.text("artifact_location")?,
        tags: read_tags(&fields, "tags")?,
    };
    let id = experiments::create_experiment(&ctx, &state.tracking, request).await?;
    Ok(Answer(CreateExperimentAnswer { experiment_id: id.to_string() }))
}

pub(crate) async fn get_experiment(
    State(state): State<MlflowState>,
    Caller(ctx): Caller,
    Form(fields): Form,
) -> Reply<ExperimentAnswer> {
    let experiment = experiments::get_experiment(&ctx, &state.tracking, read_experiment_id(&fields)?).await?;
    Ok(Answer(ExperimentAnswer { experiment: ExperimentBody::new(experiment, ctx.project.as_str()) }))
}

pub(crate) async fn get_experiment_by_name(
    State(state): State<MlflowState>,
    Caller(ctx): Caller,
    Form(fields): Form,
) -> Reply<ExperimentAnswer> {
    let name = fields.required_text("experiment_name")?;
    let experiment = experiments::get_experiment_by_name(&ctx, &state.tracking, &name).await?;
    Ok(Answer(ExperimentAnswer { experiment: ExperimentBody::new(experiment, ctx.project.as_str()) }))
}

pub(crate) async fn search_experiments(
    State(state): State<MlflowState>,
    Caller(ctx): Caller,
    Form(fields): Form,
) -> Reply<SearchExperimentsAnswer> {
    let request = SearchExperiments {
        filter: fields.text("filter")?,
        order_by: fields.texts("order_by")?,
        view: fields.word("view_type", &VIEW_TYPES)?.unwrap_or_default(),
        // Protobuf's zero, which the room refuses: MLflow wants it to be said.
        max_results: fields.integer("max_results")?.unwrap_or_default(),
        page_token: fields.text("page_token")?,
    };
    let page = experiments::search_experiments(&ctx, &state.tracking, request).await?;
    let workspace = ctx.project.as_str();
    Ok(Answer(SearchExperimentsAnswer {
        experiments: page.items.into_iter().map(|found| ExperimentBody::new(found, workspace)).collect(),
        next_page_token: page.next.map(|token| token.encode()),
    }))
}

pub(crate) async fn update_experiment(
    State(state): State<MlflowState>,
    Caller(ctx): Caller,
    Form(fields): Form,
) -> Reply<Empty> {
    let (id, new_name) = (fields.required_text("experiment_id")?, fields.required_text("new_name")?);
    experiments::rename_experiment(&ctx, &state.tracking, ExperimentId::parse(&id)?, new_name).await?;
    empty()
}

pub(crate) async fn delete_experiment(
    State(state): State<MlflowState>,
    Caller(ctx): Caller,
    Form(fields): Form,
) -> Reply<Empty> {
    experiments::delete_experiment(&ctx, &state.tracking, read_experiment_id(&fields)?).await?;
    empty()
}

pub(crate) async fn restore_experiment(
    State(state): State<MlflowState>,
    Caller(ctx): Caller,
    Form(fields): Form,
) -> Reply<Empty> {
    experiments::restore_experiment(&ctx, &state.tracking, read_experiment_id(&fields)?).await?;
    empty()
}

pub(crate) async fn set_experiment_tag(
    State(state): State<MlflowState>,
    Caller(ctx): Caller,
    Form(fields): Form,
) -> Reply<Empty> {
    let id = fields.required_text("experiment_id")?;
    let tag = Tag { key: fields.required_text("key")?, value: fields.text("value")?.unwrap_or_default() };
    experiments::set_experiment_tag(&ctx, &state.tracking, ExperimentId::parse(&id)?, tag).await?;
    empty()
}

pub(crate) async fn delete_experiment_tag(
    State(state): State<MlflowState>,
    Caller(ctx): Caller,
    Form(fields): Form,
) -> Reply<Empty> {
    let (id, key) = (fields.required_text("experiment_id")?, fields.required_text("key")?);
    experiments::delete_experiment_tag(&ctx, &state.tracking, ExperimentId::parse(&id)?, key).await?;
    empty()
}
