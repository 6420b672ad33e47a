//! `registered-models/*`: names, tags and aliases of the model repository.

use axum::extract::State;
use lathe_core::Result;
use lathe_http::Caller;
use lathe_models::registered_models::{self, CreateRegisteredModel, SearchRegisteredModels};
use lathe_models::{Alias, RegisteredModel, Tag};
use serde::Serialize;

use crate::MlflowState;
use crate::experiments::Pair;
use crate::model_versions::{VersionAnswer, VersionBody, VersionsAnswer, read_version};
use crate::wire::{Answer, Empty, Fields, Form, Reply, empty};

/// The page of a search that does not say.
const DEFAULT_MAX_RESULTS: i64 = 100;
/// The largest page of a search.
const MAX_RESULTS: i64 = 1_000;

#[derive(Debug, Serialize)]
struct AliasBody {
    alias: String,
    version: String,
}

/// A registered model as MLflow's clients read it.
#[derive(Debug, Serialize)]
pub(crate) struct ModelBody {
    name: String,
    creation_timestamp: i64,
    last_updated_timestamp: i64,
    #[serde(skip_serializing_if = "String::is_empty")]
    description: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    latest_versions: Vec<VersionBody>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<Pair>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    aliases: Vec<AliasBody>,
}

impl From<Tag> for Pair {
    fn from(Tag { key, value }: Tag) -> Self {
        lathe_tracking::Tag { key, value }.into()
    }
}

impl From<RegisteredModel> for ModelBody {
    fn from(model: RegisteredModel) -> Self {
        let RegisteredModel { name, description, created_at_ms, updated_at_ms, tags, aliases, latest_versions } = model;
        let alias = |Alias { alias, version }| AliasBody { alias, version: version.to_string() };
        Self {
            name,
            creation_timestamp: created_at_ms,
            last_updated_timestamp: updated_at_ms,
            description: description.unwrap_or_default(),
            latest_versions: latest_versions.into_iter().map(VersionBody::without_aliases).collect(),
            tags: tags.into_iter().map(Pair::from).collect(),
            aliases: aliases.into_iter().map(alias).collect(),
        }
    }
}

#[derive(Debug, Serialize)]
pub(crate) struct ModelAnswer {
    registered_model: ModelBody,
}

impl ModelAnswer {
    fn reply(model: RegisteredModel) -> Reply<Self> {
        Ok(Answer(Self { registered_model: model.into() }))
    }
}

#[derive(Debug, Serialize)]
pub(crate) struct SearchModelsAnswer {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    registered_models: Vec<ModelBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

/// Reads the tags of a model or version.
pub(crate) fn read_tags(fields: &Fields) -> Result<Vec<Tag>> {
    fields.pairs("tags", |key, value| Tag { key, value })
}

/// Reads a tag from the request itself.
pub(crate) fn read_tag(fields: &Fields) -> Result<Tag> {
    Ok(Tag { key: fields.required_text("key")?, value: fields.text("value")?.unwrap_or_default() })
}

pub(crate) async fn create_registered_model(
    State(state): State<MlflowState>,
    Caller(ctx): Caller,
    Form(fields): Form,
) -> Reply<ModelAnswer> {
    let request = CreateRegisteredModel {
        name: fields.required_text("name")?,
        description: fields.text("description")?,
        tags: read_tags(&fields)?,
    };
    ModelAnswer::reply(registered_models::create_registered_model(&ctx, &state.models, request).await?)
}

pub(crate) async fn get_registered_model(
    State(state): State<MlflowState>,
    Caller(ctx): Caller,
    Form(fields): Form,
) -> Reply<ModelAnswer> {
    let name = fields.required_text("name")?;
    ModelAnswer::reply(registered_models::get_registered_model(&ctx, &state.models, &name).await?)
}

pub(crate) async fn rename_registered_model(
    State(state): State<MlflowState>,
    Caller(ctx): Caller,
    Form(fields): Form,
) -> Reply<ModelAnswer> {
    let (name, new_name) = (fields.required_text("name")?, fields.required_text("new_name")?);
    ModelAnswer::reply(registered_models::rename_registered_model(&ctx, &state.models, &name, &new_name).await?)
}

pub(crate) async fn update_registered_model(
    State(state): State<MlflowState>,
    Caller(ctx): Caller,
    Form(fields): Form,
) -> Reply<ModelAnswer> {
    let (name, description) = (fields.required_text("name")?, fields.text("description")?);
    ModelAnswer::reply(registered_models::update_registered_model(&ctx, &state.models, &name, description).await?)
}

pub(crate) async fn delete_registered_model(
    State(state): State<MlflowState>,
    Caller(ctx): Caller,
    Form(fields): Form,
) -> Reply<Empty> {
    registered_models::delete_registered_model(&ctx, &state.models, fields.required_text("name")?).await?;
    empty()
}

pub(crate) async fn search_registered_models(
    State(state): State<MlflowState>,
    Caller(ctx): Caller,
    Form(fields): Form,
) -> Reply<SearchModelsAnswer> {
    let request = SearchRegisteredModels {
        filter: fields.text("filter")?,
        max_results: fields.integer_at_most("max_results", MAX_RESULTS)?.unwrap_or(DEFAULT_MAX_RESULTS),
        order_by: fields.texts("order_by")?,
        page_token: fields.text("page_token")?,
    };
    let page = registered_models::search_registered_models(&ctx, &state.models, request).await?;
    Ok(Answer(SearchModelsAnswer {
        registered_models: page.items.into_iter().map(ModelBody::from).collect(),
        next_page_token: page.next.map(|token| token.encode()),
    }))
}

pub(crate) async fn get_latest_versions(
    State(state): State<MlflowState>,
    Caller(ctx): Caller,
    Form(fields): Form,
) -> Reply<VersionsAnswer> {
    let (name, stages) = (fields.required_text("name")?, fields.texts("stages")?);
    let versions = registered_models::get_latest_versions(&ctx, &state.models, &name, &stages).await?;
    Ok(Answer(VersionsAnswer::new(versions.into_iter().map(VersionBody::from), None)))
}

pub(crate) async fn set_registered_model_tag(
    State(state): State<MlflowState>,
    Caller(ctx): Caller,
    Form(fields): Form,
) -> Reply<Empty> {
    let (name, tag) = (fields.required_text("name")?, read_tag(&fields)?);
    registered_models::set_registered_model_tag(&ctx, &state.models, name, tag).await?;
    empty()
}

pub(crate) async fn delete_registered_model_tag(
    State(state): State<MlflowState>,
    Caller(ctx): Caller,
    Form(fields): Form,
) -> Reply<Empty> {
    let (name, key) = (fields.required_text("name")?, fields.required_text("key")?);
    registered_models::delete_registered_model_tag(&ctx, &state.models, name, key).await?;
    empty()
}

pub(crate) async fn set_registered_model_alias(
    State(state): State<MlflowState>,
    Caller(ctx): Caller,
    Form(fields): Form,
) -> Reply<Empty> {
    let (name, alias) = (fields.required_text("name")?, fields.required_text("alias")?);
    let version = read_version(&fields)?;
    registered_models::set_registered_model_alias(&ctx, &state.models, name, alias, version).await?;
    empty()
}

pub(crate) async fn delete_registered_model_alias(
    State(state): State<MlflowState>,
    Caller(ctx): Caller,
    Form(fields): Form,
) -> Reply<Empty> {
    let (name, alias) = (fields.required_text("name")?, fields.required_text("alias")?);
    registered_models::delete_registered_model_alias(&ctx, &state.models, name, alias).await?;
    empty()
}

pub(crate) async fn get_version_by_alias(
    State(state): State<MlflowState>,
    Caller(ctx): Caller,
    Form(fields): Form,
) -> Reply<VersionAnswer> {
    let (name, alias) = (fields.required_text("name")?, fields.required_text("alias")?);
    VersionAnswer::reply(registered_models::get_version_by_alias(&ctx, &state.models, &name, &alias).await?)
}
