//! The one way to a deployment, for all dialects.

use std::time::Duration;

use lathe_core::{Code, Ctx, Error, Result};
use lathe_serving::{Answer, DeploymentMetadata, DeploymentName, Inference};

use crate::OipState;
use crate::limits::{DEADLINE, check_rows};

/// What a request says beside its inputs.
#[derive(Debug, Clone, Default)]
pub(crate) struct Asked {
    /// The version that must answer; `None` leaves it to the deployment.
    pub(crate) version: Option<String>,
    /// How long the client waits.
    pub(crate) deadline: Option<Duration>,
}

/// The deployment of a path. A name that none can have is one that does not exist.
///
/// # Errors
/// `NotFound`.
pub(crate) fn parse_deployment(name: &str) -> Result<DeploymentName> {
    DeploymentName::parse(name).map_err(|_| Error::not_found(format!("deployment `{name}` does not exist")))
}

/// Asks a deployment.
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
    check_rows(inference.inputs.rows())?;
    if let Some(version) = &asked.version {
        find_version(ctx, state, deployment, version)?;
    }
    let limit = asked.deadline.map_or(DEADLINE, |deadline| deadline.min(DEADLINE));
    match tokio::time::timeout(limit, lathe_serving::infer(ctx, &state.serving, deployment, inference)).await {
        Ok(answer) => answer,
        Err(_) => Err(Error::new(
            Code::TimedOut,
            format!("deployment `{deployment}` did not answer within {} ms", limit.as_millis()),
        )),
    }
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
