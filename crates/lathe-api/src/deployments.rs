//! Deployments: which model versions answer under a name. Asking them is the inference door's.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use lathe_core::{Ctx, Error, Result};
use lathe_http::{Caller, Failure};
use lathe_models::model_versions::get_model_version;
use lathe_models::registered_models::get_version_by_alias;
use lathe_serving::reconcile::statistics_of;
use lathe_serving::{DeploymentName, DeploymentVersion, ModelReference, Pick, Served, Statistics, VersionStatistics};
use lathe_serving::{Serving, deployments};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::extract::{Body, Captured};
use crate::state::ApiState;

/// A name under which model versions answer, at `/serving/<name>/…`.
#[derive(Debug, Serialize, ToSchema)]
pub struct Deployment {
    /// Its name.
    pub name: String,
    /// Whether its primary answers: `ready`, `starting` or `failed`.
    pub state: String,
    /// Worker processes for each version.
    pub workers: i64,
    /// Who made it.
    pub created_by: String,
    /// When, in milliseconds since 1970.
    pub created_at_ms: i64,
    /// When it last changed.
    pub updated_at_ms: i64,
    /// At most one for each role.
    pub versions: Vec<DeployedVersion>,
}

/// A model version in a deployment.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeployedVersion {
    /// The registered model.
    pub model: String,
    /// Its version.
    pub version: i64,
    /// The alias that is followed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub alias: Option<String>,
    /// `primary`, `canary`, `shadow`, or `previous`: the last primary, for a rollback.
    pub role: String,
    /// Percent of the requests that it answers.
    pub weight: i64,
    /// `starting`, `ready`, `failed`, `draining` or `stopped`.
    pub state: String,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub error: Option<String>,
    /// When it came here, in milliseconds since 1970.
    pub created_at_ms: i64,
    /// When it last changed.
    pub updated_at_ms: i64,
    /// What is counted while it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub statistics: Option<DeployedStatistics>,
}

/// What is counted of a version that runs. In memory: a server that starts again begins anew.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeployedStatistics {
    /// Since it began to answer.
    pub total: TrafficStatistics,
    /// In the last five minutes.
    pub recent: TrafficStatistics,
    /// Since the canary began.
    pub since_canary: TrafficStatistics,
    /// Of a shadow: answers that were compared with those given.
    pub compared: u64,
    /// Of these, those that differed by more than rounding.
    pub different: u64,
    /// The process ids of its workers.
    pub process_ids: Vec<u32>,
}

/// Requests, errors and latencies.
#[derive(Debug, Serialize, ToSchema)]
pub struct TrafficStatistics {
    /// Requests asked.
    pub requests: u64,
    /// Requests that the model did not answer.
    pub errors: u64,
    /// Median time to an answer in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub p50_ms: Option<f64>,
    /// 95 of 100 answers came within this.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub p95_ms: Option<f64>,
    /// 99 of 100 answers came within this.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub p99_ms: Option<f64>,
    /// For how many seconds was counted.
    pub seconds: f64,
}

/// All deployments of the project, by name.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeploymentList {
    /// By name.
    pub deployments: Vec<Deployment>,
}

/// A deployment to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewDeployment {
    /// 1-63 characters of `a-z`, `0-9`, `_` and `-`, beginning with a letter.
    name: String,
    /// `models:/<model>/<version>` or `models:/<model>@<alias>`; an alias is followed.
    model: String,
    /// Worker processes for each version: 1-64.
    #[serde(default = "one")]
    workers: i64,
}

/// A canary to start.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCanary {
    /// `models:/<model>/<version>` or `models:/<model>@<alias>`; an alias is followed.
    model: String,
    /// Percent of the requests: 0-100.
    weight: i64,
}

/// Another weight of a canary.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewWeight {
    /// Percent of the requests: 0-100.
    weight: i64,
}

/// A shadow to start.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewShadow {
    /// `models:/<model>/<version>` or `models:/<model>@<alias>`; an alias is followed.
    model: String,
}

/// An alias to follow.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewFollowing {
    /// An alias of the primary's registered model.
    alias: String,
}

fn one() -> i64 {
    1
}

/// The project's deployments.
#[utoipa::path(get, path = "/api/v1/deployments", tag = "deployments", responses((status = 200, body = DeploymentList)))]
pub(crate) async fn list_deployments(
    State(api): State<ApiState>,
    Caller(ctx): Caller,
) -> Result<Json<DeploymentList>, Failure> {
    let found = deployments::list_deployments(&ctx, &api.serving).await?;
    let deployments = found.into_iter().map(|deployment| shown(&api.serving, deployment)).collect();
    Ok(Json(DeploymentList { deployments }))
}

/// Makes a deployment. It answers once its state is `ready`.
#[utoipa::path(post, path = "/api/v1/deployments", tag = "deployments", request_body = NewDeployment,
    responses((status = 201, body = Deployment)))]
pub(crate) async fn create_deployment(
    State(api): State<ApiState>,
    Caller(ctx): Caller,
    Body(new): Body<NewDeployment>,
) -> Result<Response, Failure> {
    let NewDeployment { name, model, workers } = new;
    let name = DeploymentName::parse(&name)?;
    let served = find_served(&ctx, &api, &model).await?;
    let made = deployments::create_deployment(&ctx, &api.serving, name, served, workers).await?;
    Ok((StatusCode::CREATED, Json(shown(&api.serving, made))).into_response())
}

/// A deployment with its versions.
#[utoipa::path(get, path = "/api/v1/deployments/{deployment}", tag = "deployments",
    params(("deployment" = String, Path, description = "The deployment")), responses((status = 200, body = Deployment)))]
pub(crate) async fn get_deployment(
    State(api): State<ApiState>,
    Caller(ctx): Caller,
    Captured(deployment): Captured<String>,
) -> Result<Json<Deployment>, Failure> {
    let found = deployments::get_deployment(&ctx, &api.serving, &parse_name(&deployment)?).await?;
    Ok(Json(shown(&api.serving, found)))
}

/// Deletes a deployment, with its samples, labels, reports and alert rules.
#[utoipa::path(delete, path = "/api/v1/deployments/{deployment}", tag = "deployments",
    params(("deployment" = String, Path, description = "The deployment")), responses((status = 204)))]
pub(crate) async fn delete_deployment(
    State(api): State<ApiState>,
    Caller(ctx): Caller,
    Captured(deployment): Captured<String>,
) -> Result<StatusCode, Failure> {
    deployments::delete_deployment(&ctx, &api.serving, &parse_name(&deployment)?).await?;
    lathe_monitoring::windows::forget_deployment(&ctx, &api.monitoring, &deployment).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Tries a version on a part of the requests; takes the place of a canary that runs.
#[utoipa::path(post, path = "/api/v1/deployments/{deployment}/canary", tag = "deployments",
    params(("deployment" = String, Path, description = "The deployment")), request_body = NewCanary,
    responses((status = 200, body = Deployment)))]
pub(crate) async fn start_canary(
    State(api): State<ApiState>,
    Caller(ctx): Caller,
    Captured(deployment): Captured<String>,
    Body(NewCanary { model, weight }): Body<NewCanary>,
) -> Result<Json<Deployment>, Failure> {
    let name = parse_name(&deployment)?;
    let served = find_served(&ctx, &api, &model).await?;
    let changed = deployments::start_canary(&ctx, &api.serving, &name, served, weight).await?;
    Ok(Json(shown(&api.serving, changed)))
}

/// Changes the canary's part of the requests.
#[utoipa::path(put, path = "/api/v1/deployments/{deployment}/canary", tag = "deployments",
    params(("deployment" = String, Path, description = "The deployment")), request_body = NewWeight,
    responses((status = 200, body = Deployment)))]
pub(crate) async fn set_weight(
    State(api): State<ApiState>,
    Caller(ctx): Caller,
    Captured(deployment): Captured<String>,
    Body(NewWeight { weight }): Body<NewWeight>,
) -> Result<Json<Deployment>, Failure> {
    let changed = deployments::set_weight(&ctx, &api.serving, &parse_name(&deployment)?, weight).await?;
    Ok(Json(shown(&api.serving, changed)))
}

/// Asks a version everything that the deployment is asked, and compares its answers; takes the place of a shadow that runs.
#[utoipa::path(post, path = "/api/v1/deployments/{deployment}/shadow", tag = "deployments",
    params(("deployment" = String, Path, description = "The deployment")), request_body = NewShadow,
    responses((status = 200, body = Deployment)))]
pub(crate) async fn start_shadow(
    State(api): State<ApiState>,
    Caller(ctx): Caller,
    Captured(deployment): Captured<String>,
    Body(NewShadow { model }): Body<NewShadow>,
) -> Result<Json<Deployment>, Failure> {
    let name = parse_name(&deployment)?;
    let served = find_served(&ctx, &api, &model).await?;
    let changed = deployments::start_shadow(&ctx, &api.serving, &name, served).await?;
    Ok(Json(shown(&api.serving, changed)))
}

/// Ends the shadow.
#[utoipa::path(delete, path = "/api/v1/deployments/{deployment}/shadow", tag = "deployments",
    params(("deployment" = String, Path, description = "The deployment")), responses((status = 200, body = Deployment)))]
pub(crate) async fn end_shadow(
    State(api): State<ApiState>,
    Caller(ctx): Caller,
    Captured(deployment): Captured<String>,
) -> Result<Json<Deployment>, Failure> {
    let changed = deployments::end_shadow(&ctx, &api.serving, &parse_name(&deployment)?).await?;
    Ok(Json(shown(&api.serving, changed)))
}

/// Makes the canary the primary.
#[utoipa::path(post, path = "/api/v1/deployments/{deployment}/promote", tag = "deployments",
    params(("deployment" = String, Path, description = "The deployment")), responses((status = 200, body = Deployment)))]
pub(crate) async fn promote(
    State(api): State<ApiState>,
    Caller(ctx): Caller,
    Captured(deployment): Captured<String>,
) -> Result<Json<Deployment>, Failure> {
    let changed = deployments::promote(&ctx, &api.serving, &parse_name(&deployment)?).await?;
    Ok(Json(shown(&api.serving, changed)))
}

/// Ends the canary, if one runs; otherwise makes the previous primary the primary again, which follows no alias then.
#[utoipa::path(post, path = "/api/v1/deployments/{deployment}/rollback", tag = "deployments",
    params(("deployment" = String, Path, description = "The deployment")), responses((status = 200, body = Deployment)))]
pub(crate) async fn rollback(
    State(api): State<ApiState>,
    Caller(ctx): Caller,
    Captured(deployment): Captured<String>,
) -> Result<Json<Deployment>, Failure> {
    let changed = deployments::rollback(&ctx, &api.serving, &parse_name(&deployment)?).await?;
    Ok(Json(shown(&api.serving, changed)))
}

/// Lets the primary follow an alias of its model from now on, as after a rollback.
#[utoipa::path(post, path = "/api/v1/deployments/{deployment}/follow", tag = "deployments",
    params(("deployment" = String, Path, description = "The deployment")), request_body = NewFollowing,
    responses((status = 200, body = Deployment)))]
pub(crate) async fn follow(
    State(api): State<ApiState>,
    Caller(ctx): Caller,
    Captured(deployment): Captured<String>,
    Body(NewFollowing { alias }): Body<NewFollowing>,
) -> Result<Json<Deployment>, Failure> {
    let name = parse_name(&deployment)?;
    let found = deployments::get_deployment(&ctx, &api.serving, &name).await?;
    let primary = found.version(lathe_serving::Role::Primary);
    let primary = primary.ok_or_else(|| Error::conflict(format!("deployment `{name}` has no primary")))?;
    let served = find_served(&ctx, &api, &format!("models:/{}@{alias}", primary.model)).await?;
    let changed = deployments::follow(&ctx, &api.serving, &name, served).await?;
    Ok(Json(shown(&api.serving, changed)))
}

/// The deployment of a path. A name that none can have is one that does not exist.
pub(crate) fn parse_name(text: &str) -> Result<DeploymentName> {
    DeploymentName::parse(text).map_err(|_| Error::not_found(format!("deployment `{text}` does not exist")))
}

/// The model version that a reference stands for now.
async fn find_served(ctx: &Ctx, api: &ApiState, text: &str) -> Result<Served> {
    let reference = ModelReference::parse(text)?;
    let found = match &reference.pick {
        Pick::Version(version) => get_model_version(ctx, &api.models, &reference.model, *version).await?,
        Pick::Alias(alias) => get_version_by_alias(ctx, &api.models, &reference.model, alias).await?,
    };
    Ok(Served { reference, version: found.version })
}

fn shown(serving: &Serving, deployment: lathe_serving::Deployment) -> Deployment {
    let mut counted = statistics_of(serving, &deployment);
    let lathe_serving::Deployment { project: _, name, workers, created_by, created_at_ms, updated_at_ms, versions } =
        deployment;
    let state =
        versions.iter().find(|version| version.role == lathe_serving::Role::Primary).map(|primary| primary.state);
    let versions = versions.into_iter().map(|version| {
        let at = counted.iter().position(|one| one.role == version.role);
        shown_version(version, at.map(|at| counted.swap_remove(at)))
    });
    Deployment {
        name: name.to_string(),
        versions: versions.collect(),
        state: state.map_or("starting", lathe_serving::State::as_str).to_owned(),
        workers,
        created_by,
        created_at_ms,
        updated_at_ms,
    }
}

fn shown_version(version: DeploymentVersion, counted: Option<VersionStatistics>) -> DeployedVersion {
    let DeploymentVersion {
        key: _,
        model,
        version,
        alias,
        role,
        weight,
        state,
        error,
        ready_at_ms: _,
        created_at_ms,
        updated_at_ms,
    } = version;
    DeployedVersion {
        model,
        version,
        alias,
        role: role.as_str().to_owned(),
        weight,
        state: state.as_str().to_owned(),
        error,
        created_at_ms,
        updated_at_ms,
        statistics: counted.map(DeployedStatistics::from),
    }
}

impl From<VersionStatistics> for DeployedStatistics {
    fn from(counted: VersionStatistics) -> Self {
        let VersionStatistics {
            model: _,
            version: _,
            role: _,
            total,
            recent,
            since_canary,
            compared,
            different,
            process_ids,
        } = counted;
        Self {
            total: total.into(),
            recent: recent.into(),
            since_canary: since_canary.into(),
            compared,
            different,
            process_ids,
        }
    }
}

impl From<Statistics> for TrafficStatistics {
    fn from(statistics: Statistics) -> Self {
        let Statistics { requests, errors, p50_ms, p95_ms, p99_ms, seconds } = statistics;
        Self { requests, errors, p50_ms, p95_ms, p99_ms, seconds }
    }
}
