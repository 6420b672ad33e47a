//! What a deployment's windows are compared with.

use axum::Json;
use axum::extract::State;
use lathe_core::{Ctx, Error, Kind, Name};
use lathe_data::refs::resolve_ref;
use lathe_data::{RepositoryName, Revision};
use lathe_http::{Caller, Failure};
use lathe_monitoring::references;
use lathe_serving::{DeploymentVersion, Role};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::check_exists;
use super::training_data::{self, TrainingData};
use crate::deployments::parse_name;
use crate::extract::{Body, Captured, Query};
use crate::state::ApiState;

/// What windows are compared with.
#[derive(Debug, Serialize, ToSchema)]
pub struct Reference {
    /// The model version it is for; 0 for all.
    version: i64,
    /// Where it came from.
    source: String,
    /// How many rows it has seen.
    rows: i64,
    /// When it was set, in milliseconds since 1970.
    created_at_ms: i64,
}

impl From<references::Reference> for Reference {
    fn from(reference: references::Reference) -> Self {
        let references::Reference { version, source, rows, created_at_ms } = reference;
        Self { version, source, rows, created_at_ms }
    }
}

/// Which reference.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ReferenceQuery {
    /// The model version; the primary if absent. A reference that stands for all versions comes first.
    version: Option<i64>,
}

/// What is to become the reference.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(tag = "from", rename_all = "snake_case", deny_unknown_fields)]
pub enum NewReference {
    /// The data that the primary version's model learnt from, found by lineage. The server does this by itself for each new version.
    Training {},
    /// A window of the deployment, for all versions.
    Window {
        /// When it begins, in milliseconds since 1970.
        window_start_ms: i64,
    },
    /// Files of a repository, CSV or Parquet, for all versions.
    Data {
        /// The repository.
        repository: String,
        /// A branch, tag or commit.
        #[serde(rename = "ref")]
        reference: String,
        /// A file or a folder.
        path: String,
    },
}

/// What a deployment's windows are compared with.
#[utoipa::path(get, path = "/api/v1/deployments/{deployment}/reference", tag = "monitoring",
    params(("deployment" = String, Path, description = "The deployment"), ReferenceQuery), responses((status = 200, body = Reference)))]
pub(crate) async fn get_reference(
    State(api): State<ApiState>,
    Caller(ctx): Caller,
    Captured(deployment): Captured<String>,
    Query(ReferenceQuery { version }): Query<ReferenceQuery>,
) -> Result<Json<Reference>, Failure> {
    check_exists(&ctx, &api, &deployment).await?;
    let version = match version {
        Some(version) => version,
        None => primary_of(&ctx, &api, &deployment).await?.version,
    };
    let found = references::get_reference(&ctx, &api.monitoring, &deployment, version).await?;
    Ok(Json(found.into()))
}

/// Sets what a deployment's windows are compared with.
#[utoipa::path(put, path = "/api/v1/deployments/{deployment}/reference", tag = "monitoring",
    params(("deployment" = String, Path, description = "The deployment")), request_body = NewReference,
    responses((status = 200, body = Reference)))]
pub(crate) async fn set_reference(
    State(api): State<ApiState>,
    Caller(ctx): Caller,
    Captured(deployment): Captured<String>,
    Body(new): Body<NewReference>,
) -> Result<Json<Reference>, Failure> {
    check_exists(&ctx, &api, &deployment).await?;
    let monitoring = &api.monitoring;
    let set = match new {
        NewReference::Window { window_start_ms } => {
            references::set_window_reference(&ctx, monitoring, &deployment, 0, window_start_ms).await?
        }
        NewReference::Training {} => {
            let (version, found) = of_training(&ctx, &api, &deployment).await?;
            let TrainingData { source, from, profile } = found;
            references::set_reference(&ctx, monitoring, &deployment, version, &source, from, profile).await?
        }
        NewReference::Data { repository, reference, path } => {
            let name = RepositoryName::parse(&repository)?;
            let commit = resolve_ref(&ctx, &api.data, &name, &Revision::parse(&reference)?).await?.id;
            let choice = references::sampled_columns(&ctx, monitoring, &deployment).await?;
            let profile = training_data::profile_path(&ctx, (&api).into(), &name, &commit, &path, &choice).await?;
            let from = vec![Name::new(&ctx.project, Kind::Data, format_args!("{repository}@{commit}"))];
            let source = format!("{repository}@{commit}/{path}");
            references::set_reference(&ctx, monitoring, &deployment, 0, &source, from, profile).await?
        }
    };
    Ok(Json(set.into()))
}

async fn primary_of(ctx: &Ctx, api: &ApiState, deployment: &str) -> lathe_core::Result<DeploymentVersion> {
    let found = lathe_serving::deployments::get_deployment(ctx, &api.serving, &parse_name(deployment)?).await?;
    let primary = found.versions.into_iter().find(|version| version.role == Role::Primary);
    primary.ok_or_else(|| Error::not_found(format!("deployment `{deployment}` has no primary version")))
}

async fn of_training(ctx: &Ctx, api: &ApiState, deployment: &str) -> lathe_core::Result<(i64, TrainingData)> {
    let primary = primary_of(ctx, api, deployment).await?;
    let choice = references::sampled_columns(ctx, &api.monitoring, deployment).await?;
    let data = training_data::find(ctx, api.into(), &primary.model, primary.version, &choice).await?;
    let data = data.ok_or_else(|| {
        Error::not_found(format!(
            "lineage knows no CSV or Parquet file with the inputs of {} version {} that its run read",
            primary.model, primary.version
        ))
        .with_hint(format!(
            "name the data: lathe monitor reference {deployment} --data REPO@REF/PATH; or a window of traffic: --window TIME"
        ))
    })?;
    Ok((primary.version, data))
}
