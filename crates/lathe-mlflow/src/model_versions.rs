//! `model-versions/*`: versions of registered models.

use axum::extract::State;
use lathe_core::{Error, PageToken, Result};
use lathe_http::Caller;
use lathe_models::ModelVersion;
use lathe_models::model_versions::{self, CreateModelVersion, OthersInStage, SearchModelVersions};
use serde::Serialize;

use crate::MlflowState;
use crate::experiments::Pair;
use crate::origin::{self, Claims};
use crate::registered_models::{read_tag, read_tags};
use crate::wire::{Answer, Empty, Fields, Form, Reply, empty};

/// The largest page of a search, and the page of one that does not say.
const MAX_RESULTS: i64 = 200_000;

/// A version as MLflow's clients read it.
#[derive(Debug, Serialize)]
pub(crate) struct VersionBody {
    name: String,
    version: String,
    creation_timestamp: i64,
    last_updated_timestamp: i64,
    current_stage: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    source: String,
    run_id: String,
    status: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<Pair>,
    run_link: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    aliases: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model_id: Option<String>,
}

impl From<ModelVersion> for VersionBody {
    fn from(version: ModelVersion) -> Self {
        let ModelVersion {
            name,
            version,
            source,
            storage_location: _,
            run_id,
            run_link,
            model_id,
            user_id: _,
            description,
            stage,
            created_at_ms,
            updated_at_ms,
            tags,
            aliases,
        } = version;
        Self {
            name,
            version: version.to_string(),
            creation_timestamp: created_at_ms,
            last_updated_timestamp: updated_at_ms,
            current_stage: stage.as_str(),
            description,
            source,
            run_id: run_id.unwrap_or_default(),
            // Registering a version is one transaction: there is no other status.
            status: "READY",
            tags: tags.into_iter().map(Pair::from).collect(),
            run_link,
            aliases,
            model_id: model_id.map(|id| id.to_string()),
        }
    }
}

impl VersionBody {
    /// As it stands inside its model, which lists the aliases itself, and among the results of a search.
    pub(crate) fn without_aliases(version: ModelVersion) -> Self {
        Self { aliases: Vec::new(), ..version.into() }
    }
}

#[derive(Debug, Serialize)]
pub(crate) struct VersionAnswer {
    model_version: VersionBody,
}

impl VersionAnswer {
    pub(crate) fn reply(version: ModelVersion) -> Reply<Self> {
        Ok(Answer(Self { model_version: version.into() }))
    }
}

#[derive(Debug, Serialize)]
pub(crate) struct VersionsAnswer {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    model_versions: Vec<VersionBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

impl VersionsAnswer {
    pub(crate) fn new(versions: impl Iterator<Item = VersionBody>, next: Option<PageToken>) -> Self {
        Self { model_versions: versions.collect(), next_page_token: next.map(|token| token.encode()) }
    }
}

#[derive(Debug, Serialize)]
pub(crate) struct DownloadUriAnswer {
    artifact_uri: String,
}

/// Reads the number of a version, which is a text on the wire.
pub(crate) fn read_version(fields: &Fields) -> Result<i64> {
    let text = fields.required_text("version")?;
    text.trim().parse().map_err(|_| Error::invalid(format!("Parameter 'version' must be an integer, got '{text}'.")))
}

fn read_name_and_version(fields: &Fields) -> Result<(String, i64)> {
    Ok((fields.required_text("name")?, read_version(fields)?))
}

pub(crate) async fn create_model_version(
    State(state): State<MlflowState>,
    Caller(ctx): Caller,
    Form(fields): Form,
) -> Reply<VersionAnswer> {
    let (name, source) = (fields.required_text("name")?, fields.required_text("source")?);
    let text = |name| Ok::<_, Error>(fields.text(name)?.filter(|text| !text.is_empty()));
    let claims = Claims { run_id: text("run_id")?, run_link: text("run_link")?, model_id: text("model_id")? };
    let (description, tags) = (fields.text("description")?, read_tags(&fields)?);
    let origin = origin::resolve(&ctx, &state.tracking, &source, &tags, claims).await?;
    let request = CreateModelVersion {
        name,
        source,
        storage_location: origin.storage_location,
        run: origin.run,
        run_id: origin.run_id,
        run_link: origin.run_link,
        model_id: origin.model_id,
        description,
        tags,
    };
    VersionAnswer::reply(model_versions::create_model_version(&ctx, &state.models, request).await?)
}

pub(crate) async fn get_model_version(
    State(state): State<MlflowState>,
    Caller(ctx): Caller,
    Form(fields): Form,
) -> Reply<VersionAnswer> {
    let (name, version) = read_name_and_version(&fields)?;
    VersionAnswer::reply(model_versions::get_model_version(&ctx, &state.models, &name, version).await?)
}

pub(crate) async fn update_model_version(
    State(state): State<MlflowState>,
    Caller(ctx): Caller,
    Form(fields): Form,
) -> Reply<VersionAnswer> {
    let (name, version) = read_name_and_version(&fields)?;
    let description = fields.text("description")?;
    VersionAnswer::reply(model_versions::update_model_version(&ctx, &state.models, &name, version, description).await?)
}

pub(crate) async fn transition_stage(
    State(state): State<MlflowState>,
    Caller(ctx): Caller,
    Form(fields): Form,
) -> Reply<VersionAnswer> {
    let (name, version) = read_name_and_version(&fields)?;
    let stage = fields.required_text("stage")?;
    let others = match fields.flag("archive_existing_versions")? {
        Some(true) => OthersInStage::Archive,
        Some(false) | None => OthersInStage::Keep,
    };
    VersionAnswer::reply(model_versions::transition_stage(&ctx, &state.models, &name, version, &stage, others).await?)
}

pub(crate) async fn delete_model_version(
    State(state): State<MlflowState>,
    Caller(ctx): Caller,
    Form(fields): Form,
) -> Reply<Empty> {
    let (name, version) = read_name_and_version(&fields)?;
    model_versions::delete_model_version(&ctx, &state.models, name, version).await?;
    empty()
}

pub(crate) async fn search_model_versions(
    State(state): State<MlflowState>,
    Caller(ctx): Caller,
    Form(fields): Form,
) -> Reply<VersionsAnswer> {
    let request = SearchModelVersions {
        filter: fields.text("filter")?,
        max_results: fields.integer_at_most("max_results", MAX_RESULTS)?.unwrap_or(MAX_RESULTS),
        order_by: fields.texts("order_by")?,
        page_token: fields.text("page_token")?,
    };
    let page = model_versions::search_model_versions(&ctx, &state.models, request).await?;
    Ok(Answer(VersionsAnswer::new(page.items.into_iter().map(VersionBody::without_aliases), page.next)))
}

pub(crate) async fn set_model_version_tag(
    State(state): State<MlflowState>,
    Caller(ctx): Caller,
    Form(fields): Form,
) -> Reply<Empty> {
    let ((name, version), tag) = (read_name_and_version(&fields)?, read_tag(&fields)?);
    model_versions::set_model_version_tag(&ctx, &state.models, name, version, tag).await?;
    empty()
}

pub(crate) async fn delete_model_version_tag(
    State(state): State<MlflowState>,
    Caller(ctx): Caller,
    Form(fields): Form,
) -> Reply<Empty> {
    let ((name, version), key) = (read_name_and_version(&fields)?, fields.required_text("key")?);
    model_versions::delete_model_version_tag(&ctx, &state.models, name, version, key).await?;
    empty()
}

pub(crate) async fn get_download_uri(
    State(state): State<MlflowState>,
    Caller(ctx): Caller,
    Form(fields): Form,
) -> Reply<DownloadUriAnswer> {
    let (name, version) = read_name_and_version(&fields)?;
    let artifact_uri = model_versions::get_download_uri(&ctx, &state.models, &name, version).await?;
    // Who asks where its files lie goes on to read them, from there.
    model_versions::note_read(&ctx, &state.models, &name, version).await?;
    Ok(Answer(DownloadUriAnswer { artifact_uri }))
}
