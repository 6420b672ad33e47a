//! Asking a deployment.

use std::sync::Arc;
use std::time::{Duration, Instant};

use lathe_core::{Action, Code, Ctx, Error, Result};
use serde_json::{Map, Value};

use crate::live::{Live, LiveVersion};
use crate::payload::{Inputs, Outputs, Table, Tensor, Values};
use crate::signature::{Given, Signature, validate, validate_params};
use crate::{DeploymentName, Serving};

/// What a deployment is asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Inference {
    /// Rows or arrays.
    pub inputs: Given,
    /// Parameters of the model.
    pub params: Map<String, Value>,
    /// Requests with the same key go to the same version while the weights stay; without one, versions take turns by weight.
    pub route_key: Option<String>,
    /// How long the caller waits, if not for as long as a worker may take.
    pub timeout: Option<Duration>,
}

/// Which part a version played for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Variant {
    /// It answers all that no canary does.
    Primary,
    /// It answers a part, on trial.
    Canary,
    /// Its answer was only compared.
    Shadow,
}

impl Variant {
    /// The variant as it stands in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Variant::Primary => "primary",
            Variant::Canary => "canary",
            Variant::Shadow => "shadow",
        }
    }
}

/// What a deployment answered.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// Row by row as it was asked.
    pub outputs: Outputs,
    /// The request as it was checked.
    pub inputs: Arc<Inputs>,
    /// The registered model.
    pub model: String,
    /// Its version.
    pub version: i64,
    /// Which part the version played.
    pub variant: Variant,
    /// From the checked request to the answer.
    pub latency: Duration,
}

/// What is known of a deployment without asking it.
#[derive(Debug, Clone, PartialEq)]
pub struct DeploymentMetadata {
    /// The registered model that is primary.
    pub model: String,
    /// Its version.
    pub version: i64,
    /// What it takes and answers.
    pub signature: Arc<Signature>,
    /// The versions that answer: the primary, then the canary.
    pub versions: Vec<i64>,
}

/// A request that was not answered.
#[derive(Debug)]
pub struct Unanswered {
    /// Why.
    pub error: Error,
    /// The model, the version and its part, when one was asked.
    pub by: Option<(String, i64, Variant)>,
}

impl From<Error> for Unanswered {
    fn from(error: Error) -> Self {
        Self { error, by: None }
    }
}

/// Asks a deployment. No database is touched.
///
/// # Errors
/// `NotFound` for the deployment; `InvalidArgument` when the inputs break the model's signature; `ModelFailed` when the model
/// raises an error; `Unavailable` when no version is ready, too many wait, or the worker ended; `TimedOut`.
pub async fn infer(
    ctx: &Ctx,
    serving: &Serving,
    name: &DeploymentName,
    request: Inference,
) -> std::result::Result<Answer, Unanswered> {
    ctx.authorize(Action::Infer)?;
    let Inference { inputs, params, route_key, timeout } = request;
    let (entered, is_canary, shadow) = serving.live.enter(&ctx.project, name, route_key.as_deref())?;
    let version = &entered.0;
    if inputs.rows() == 0 {
        return Err(Error::invalid("the request has no rows").into());
    }
    let variant = if is_canary { Variant::Canary } else { Variant::Primary };
    let inputs = Arc::new(validate(&version.signature, inputs)?);
    let params = Arc::new(validate_params(&version.signature, params)?);
    let started = Instant::now();
    let asked = version.pool.ask(Arc::clone(&inputs), Arc::clone(&params));
    let result = match timeout {
        Some(limit) => tokio::time::timeout(limit, asked).await.unwrap_or_else(|_| Err(timed_out(name, limit))),
        None => asked.await,
    };
    let latency = started.elapsed();
    version.count_result(&result, latency);
    let by = || Some((version.model.clone(), version.version, variant));
    let outputs = result.map_err(|error| Unanswered { error, by: by() })?;
    if let Some(shadow) = shadow {
        ask_shadow(&serving.live, &shadow, &inputs, params, &outputs);
    }
    Ok(Answer { outputs, inputs, model: version.model.clone(), version: version.version, variant, latency })
}

fn timed_out(name: &DeploymentName, limit: Duration) -> Error {
    Error::new(Code::TimedOut, format!("deployment `{name}` did not answer within {} ms", limit.as_millis()))
}

/// What a deployment takes and answers, from its primary.
///
/// # Errors
/// `NotFound` for the deployment, `Unavailable` while no version is ready.
pub fn metadata(ctx: &Ctx, serving: &Serving, name: &DeploymentName) -> Result<DeploymentMetadata> {
    ctx.authorize(Action::Infer)?;
    let route = serving.live.route(&ctx.project, name)?;
    let Some(primary) = &route.primary else {
        // The same words as a request would read.
        return Err(route
            .pick(None)
            .err()
            .unwrap_or_else(|| Error::new(Code::Unavailable, "the deployment is not ready")));
    };
    let canary = route.canary.as_ref().map(|(_, canary)| canary.version);
    Ok(DeploymentMetadata {
        model: primary.model.clone(),
        version: primary.version,
        signature: Arc::clone(&primary.signature),
        versions: std::iter::once(primary.version).chain(canary).collect(),
    })
}

/// Asks the shadow beside the one that answered, unless too many are asked already. Nobody waits for it.
fn ask_shadow(
    live: &Live,
    shadow: &Arc<LiveVersion>,
    inputs: &Arc<Inputs>,
    params: Arc<Map<String, Value>>,
    given: &Outputs,
) {
    let Ok(permit) = Arc::clone(live.shadowed()).try_acquire_owned() else { return };
    let Some(entered) = Live::enter_version(shadow) else { return };
    let (inputs, given) = (Arc::clone(inputs), given.clone());
    tokio::spawn(async move {
        let _permit = permit;
        let entered = &entered.0;
        let Ok(inputs) = validate(&entered.signature, inputs.as_ref().clone()) else {
            entered.count(None);
            return;
        };
        let started = Instant::now();
        let result = entered.pool.ask(Arc::new(inputs), params).await;
        entered.count_result(&result, started.elapsed());
        if let Ok(outputs) = result {
            entered.compare(is_different(&given, &outputs));
        }
    });
}

/// Whether two answers differ by more than rounding.
fn is_different(one: &Outputs, other: &Outputs) -> bool {
    match (one, other) {
        (Outputs::Table(one), Outputs::Table(other)) => is_table_different(one, other),
        (Outputs::Tensors(one), Outputs::Tensors(other)) => {
            one.len() != other.len() || one.iter().zip(other).any(|(one, other)| is_tensor_different(one, other))
        }
        (one, other) => one != other,
    }
}

fn is_table_different(one: &Table, other: &Table) -> bool {
    one.columns.len() != other.columns.len()
        || one.columns.iter().zip(&other.columns).any(|(one, other)| match (&one.values, &other.values) {
            (Values::Float64(one), Values::Float64(other)) => are_apart(one, other),
            (one, other) => one != other,
        })
}

fn is_tensor_different(one: &Tensor, other: &Tensor) -> bool {
    if one.shape != other.shape {
        return true;
    }
    match (one.floats(), other.floats()) {
        (Some(one), Some(other)) => are_apart(&one, &other),
        _ => one.datatype != other.datatype || one.data != other.data,
    }
}

/// Whether some pair of numbers is further apart than a millionth of the larger.
fn are_apart(one: &[f64], other: &[f64]) -> bool {
    one.len() != other.len()
        || one.iter().zip(other).any(|(one, other)| {
            one.is_nan() != other.is_nan() || (one - other).abs() > 1e-6 * one.abs().max(other.abs()).max(1e-9)
        })
}
