//! The one way to a deployment, for all dialects.

use std::time::{Duration, Instant};

use http::HeaderMap;
use lathe_core::{Ctx, Error, Result};
use lathe_serving::{Answer, DeploymentMetadata, DeploymentName, Inference, Unanswered};
use serde_json::{Map, Value};

use crate::OipState;
use crate::limits::{DEADLINE, check_rows};
use crate::protocol::OF_THE_SERVER;
use crate::sample::{self, Call, Tags};

/// What a request says beside its inputs.
#[derive(Debug, Clone, Default)]
pub(crate) struct Asked {
    /// The version that must answer; `None` leaves it to the deployment.
    pub(crate) version: Option<String>,
    /// How long the client waits.
    pub(crate) deadline: Option<Duration>,
    /// What it is to be found by.
    pub(crate) tags: Tags,
}

/// What the headers of a request say of it.
///
/// # Errors
/// `InvalidArgument` for a time that is none.
pub(crate) fn read_tags(headers: &HeaderMap) -> Result<Tags> {
    Tags::read(|name| headers.get(name).and_then(|value| value.to_str().ok()))
}

/// The deployment of a path. A name that none can have is one that does not exist.
///
/// # Errors
/// `NotFound`.
pub(crate) fn parse_deployment(name: &str) -> Result<DeploymentName> {
    DeploymentName::parse(name).map_err(|_| Error::not_found(format!("deployment `{name}` does not exist")))
}

/// The parameters without those that speak to the server only: a model may have one of the same name.
///
/// # Errors
/// `NotFound` for the deployment, `Unavailable` while none of its versions is ready.
pub(crate) fn for_model(
    ctx: &Ctx,
    state: &OipState,
    deployment: &DeploymentName,
    mut params: Map<String, Value>,
) -> Result<Map<String, Value>> {
    let is_of_server = |name: &str| OF_THE_SERVER.contains(&name);
    if params.keys().any(|name| is_of_server(name)) {
        let signature = lathe_serving::signature_of(ctx, &state.serving, deployment)?;
        params.retain(|name, _| !is_of_server(name) || signature.params.iter().any(|param| param.name == *name));
    }
    Ok(params)
}

/// Asks a deployment, and hands what was asked and answered to the monitoring room.
///
/// # Errors
/// What the room answers; `TimedOut` when the deadline passes first.
pub(crate) async fn infer(
    ctx: &Ctx,
    state: &OipState,
    deployment: &DeploymentName,
    inference: Inference,
    asked: Asked,
) -> Result<Answer> {
    let Asked { version, deadline, tags } = asked;
    let call = Call { ctx, deployment, tags, at_ms: ctx.now_ms() };
    let started = Instant::now();
    let answer = infer_unobserved(ctx, state, deployment, inference, version.as_deref(), deadline).await;
    match &answer {
        Ok(answer) => state.monitoring.observe(sample::answered(call, answer)),
        Err(Unanswered { error, by }) if sample::is_counted(error) => {
            // Where none was reached it counts as the primary's. A deployment that nobody may know of has no samples.
            let primary = || {
                let known = lathe_serving::metadata(ctx, &state.serving, deployment).ok()?;
                Some((known.model, known.version, lathe_serving::Variant::Primary))
            };
            if let Some(by) = by.clone().or_else(primary) {
                state.monitoring.observe(sample::failed(call, by, error, started.elapsed()));
            }
        }
        Err(_) => {}
    }
    answer.map_err(|unanswered| unanswered.error)
}

async fn infer_unobserved(
    ctx: &Ctx,
    state: &OipState,
    deployment: &DeploymentName,
    inference: Inference,
    version: Option<&str>,
    deadline: Option<Duration>,
) -> std::result::Result<Answer, Unanswered> {
    check_rows(inference.inputs.rows())?;
    if let Some(version) = version {
        find_version(ctx, state, deployment, version)?;
    }
    let timeout = Some(deadline.map_or(DEADLINE, |deadline| deadline.min(DEADLINE)));
    lathe_serving::infer(ctx, &state.serving, deployment, Inference { timeout, ..inference }).await
}

/// What a deployment takes and answers, when the version that was asked for is one that answers.
///
/// # Errors
/// `NotFound` for the deployment or the version, `Unavailable` while none is ready, `InvalidArgument` for a version that
/// answers only a part of the requests.
pub(crate) fn find_version(
    ctx: &Ctx,
    state: &OipState,
    deployment: &DeploymentName,
    version: &str,
) -> Result<DeploymentMetadata> {
    let known = lathe_serving::metadata(ctx, &state.serving, deployment)?;
    if version.is_empty() {
        return Ok(known);
    }
    let asked = version.parse::<i64>().ok().filter(|version| known.versions.contains(version));
    if asked.is_none() {
        return Err(Error::not_found(format!("deployment `{deployment}` does not serve version `{version}`")));
    }
    if known.versions.len() > 1 {
        return Err(Error::invalid(format!(
            "deployment `{deployment}` shares its requests between versions; leave the version out"
        )));
    }
    Ok(known)
}
