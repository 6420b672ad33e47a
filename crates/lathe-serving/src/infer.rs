//! Asking a deployment.

use std::sync::Arc;
use std::time::{Duration, Instant};

use lathe_core::{Action, Code, Ctx, Error, Result};
use serde_json::{Map, Value};
use tokio::sync::OwnedSemaphorePermit;

use crate::live::{Entered, Live, LiveVersion, Route};
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
    /// By what it was checked.
    pub signature: Arc<Signature>,
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

/// What is asked, as the caller asked it.
#[derive(Debug, Clone)]
struct Question {
    inputs: Given,
    params: Map<String, Value>,
}

/// A question as a version's model takes it.
type Checked = (Inputs, Map<String, Value>);

impl Question {
    fn checked_for(self, version: &LiveVersion) -> Result<Checked> {
        let inputs = validate(&version.signature, self.inputs)?;
        Ok((inputs, validate_params(&version.signature, self.params)?))
    }
}

/// What a version answered.
#[derive(Debug)]
struct Answered {
    /// The question as it was checked.
    inputs: Arc<Inputs>,
    outputs: Outputs,
    latency: Duration,
}

/// How long a caller waits, however many versions are asked for it.
#[derive(Debug, Clone, Copy)]
struct Limit<'a> {
    name: &'a DeploymentName,
    given: Duration,
    began: Instant,
}

impl Limit<'_> {
    async fn wait_for(self, asked: impl Future<Output = Result<Outputs>>) -> Result<Outputs> {
        let left = self.given.saturating_sub(self.began.elapsed());
        tokio::time::timeout(left, asked).await.unwrap_or_else(|_| Err(timed_out(self.name, self.given)))
    }

    /// Whether the caller waits no longer.
    fn is_over(self) -> bool {
        self.began.elapsed() >= self.given
    }
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

impl Unanswered {
    fn by(version: &LiveVersion, variant: Variant, error: Error) -> Self {
        Self { error, by: Some((version.model.clone(), version.version, variant)) }
    }
}

/// Asks a deployment. No database is touched. What the canary does not take, by its signature or in its worker, and the primary does is
/// the canary's error, and answered by the primary.
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
    let live = &serving.live;
    let (entered, variant, shadow) = live.enter(&ctx.project, name, |route| route.pick(route_key.as_deref()))?;
    if inputs.rows() == 0 {
        return Err(Error::invalid("the request has no rows").into());
    }
    let question = Question { inputs, params };
    // Taken before: so many copies of questions are kept, and no more.
    let shadow = shadow.and_then(|shadow| Some((shadow, Arc::clone(live.shadowed()).try_acquire_owned().ok()?)));
    // Others are asked what the caller asked, and not what this version keeps of it.
    let mut as_asked = (shadow.is_some() || variant == Variant::Canary).then(|| question.clone());
    let limit = timeout.map(|given| Limit { name, given, began: Instant::now() });
    let alive = entered.0.pool.check_alive();
    let is_dead = alive.is_err();
    let result = match alive {
        Ok(()) => ask(&entered.0, question, limit).await,
        Err(error) => Err(error),
    };
    let is_led_on =
        variant == Variant::Canary && result.as_ref().is_err_and(|refusal| is_dead || refusal.code().is_of_caller());
    // Only a shadow needs it after that.
    let again = match (is_led_on, &shadow) {
        (false, _) => None,
        (true, Some(_)) => as_asked.clone(),
        (true, None) => as_asked.take(),
    };
    let (entered, variant, result) = match (result, again) {
        (Err(refusal), Some(question)) => {
            ask_primary_instead(ctx, live, name, (entered, refusal), question, limit).await
        }
        (result, _) => (entered, variant, result),
    };
    let version = &entered.0;
    let Answered { inputs, outputs, latency } = match result {
        Ok(answered) => answered,
        Err(error) => {
            version.count_error(variant, &error);
            return Err(Unanswered::by(version, variant, error));
        }
    };
    version.count(variant, Some(latency));
    if let (Some((shadow, permit)), Some(question)) = (shadow, as_asked) {
        ask_shadow(&shadow, permit, question, &outputs);
    }
    let (signature, model) = (Arc::clone(&version.signature), version.model.clone());
    Ok(Answer { outputs, inputs, signature, model, version: version.version, variant, latency })
}

/// Asks one version, which checks the question by its signature first.
async fn ask(version: &LiveVersion, question: Question, limit: Option<Limit<'_>>) -> Result<Answered> {
    let (inputs, params) = question.checked_for(version)?;
    let inputs = Arc::new(inputs);
    let started = Instant::now();
    let asked = version.pool.ask(Arc::clone(&inputs), Arc::new(params));
    let outputs = match limit {
        Some(limit) => limit.wait_for(asked).await?,
        None => asked.await?,
    };
    Ok(Answered { inputs, outputs, latency: started.elapsed() })
}

/// Leads what the canary refused, by its signature or in its worker, to the primary. Where that answers, the refusal is the canary's
/// error; where that refuses, too, the caller's. Where the canary left it too little time to answer, that is the canary's error as well.
async fn ask_primary_instead(
    ctx: &Ctx,
    live: &Live,
    name: &DeploymentName,
    (canary, refusal): (Entered, Error),
    question: Question,
    limit: Option<Limit<'_>>,
) -> (Entered, Variant, Result<Answered>) {
    let Ok((primary, variant, _)) = live.enter(&ctx.project, name, Route::pick_primary) else {
        return (canary, Variant::Canary, Err(refusal));
    };
    let most_is_used = limit.filter(|limit| limit.began.elapsed() > limit.given / 2);
    let result = ask(&primary.0, question, limit).await;
    match &result {
        Err(error) if error.code() == Code::TimedOut && most_is_used.is_some_and(Limit::is_over) => {
            return (canary, Variant::Canary, result);
        }
        Ok(_) => canary.0.count(Variant::Canary, None),
        Err(error) if error.code().is_of_caller() => {}
        // Nobody knows whether the primary takes it: a refusal counts for nothing, a dead worker does.
        Err(_) => canary.0.count_error(Variant::Canary, &refusal),
    }
    (primary, variant, result)
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
    let (primary, _) = route.pick_primary()?;
    // A canary of the primary's own version is no other one to ask for.
    let is_other = |canary: &&Arc<LiveVersion>| (&canary.model, canary.version) != (&primary.model, primary.version);
    let canary = route.canary.as_ref().map(|(_, canary)| canary).filter(is_other).map(|canary| canary.version);
    Ok(DeploymentMetadata {
        model: primary.model.clone(),
        version: primary.version,
        signature: Arc::clone(&primary.signature),
        versions: std::iter::once(primary.version).chain(canary).collect(),
    })
}

/// What a deployment's primary takes and answers, alone.
///
/// # Errors
/// `NotFound` for the deployment, `Unavailable` while no version is ready.
pub fn signature_of(ctx: &Ctx, serving: &Serving, name: &DeploymentName) -> Result<Arc<Signature>> {
    ctx.authorize(Action::Infer)?;
    let route = serving.live.route(&ctx.project, name)?;
    let (primary, _) = route.pick_primary()?;
    Ok(Arc::clone(&primary.signature))
}

/// Fails unless a deployment's primary can answer now.
///
/// # Errors
/// `NotFound` for the deployment, `Unavailable` while no version is ready or no worker of the primary lives.
pub fn check_ready(ctx: &Ctx, serving: &Serving, name: &DeploymentName) -> Result<()> {
    ctx.authorize(Action::Infer)?;
    serving.live.route(&ctx.project, name)?.pick_primary()?.0.pool.check_alive()
}

/// Asks the shadow beside the one that answered. Nobody waits for it.
fn ask_shadow(shadow: &Arc<LiveVersion>, permit: OwnedSemaphorePermit, question: Question, given: &Outputs) {
    let Some(entered) = Live::enter_version(shadow) else { return };
    let given = given.clone();
    tokio::spawn(async move {
        let _permit = permit;
        let entered = &entered.0;
        match ask(entered, question, None).await {
            Ok(answered) => {
                entered.count(Variant::Shadow, Some(answered.latency));
                entered.compare(is_different(&given, &answered.outputs));
            }
            // The caller asked what the deployment takes: whatever the shadow says to it is the shadow's error.
            Err(_) => entered.count(Variant::Shadow, None),
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

#[cfg(test)]
mod tests {
    use lathe_core::Project;
    use lathe_testkit::ctx;

    use super::*;
    use crate::deployment::{Deployment, DeploymentVersion, Role};
    use crate::live::tests::{add, version};
    use crate::metrics::ServingMetrics;
    use crate::payload::Column;

    #[tokio::test]
    async fn what_the_primary_had_no_time_for_is_the_canarys_error() {
        let (live, ctx) = (Live::new(ServingMetrics::default()), ctx());
        let name = DeploymentName::from_trusted("scorer".to_owned());
        let deployment = Deployment {
            project: Project::default_project(),
            name: name.clone(),
            workers: 1,
            created_by: "anna".to_owned(),
            created_at_ms: 0,
            updated_at_ms: 0,
            versions: vec![version(1, Role::Primary), DeploymentVersion { weight: 100, ..version(2, Role::Canary) }],
        };
        add(&live, 1).await;
        add(&live, 2).await;
        live.route_by(&[deployment]);
        let given = Duration::from_millis(400);
        for (used, charged) in [(300, Variant::Canary), (0, Variant::Primary)] {
            let (canary, variant, _) = live.enter(&ctx.project, &name, |route| route.pick(None)).unwrap();
            assert_eq!(variant, Variant::Canary);
            let began = Instant::now().checked_sub(Duration::from_millis(used)).unwrap();
            let limit = Limit { name: &name, given, began };
            let columns = vec![Column { name: "a".to_owned(), values: Values::Float64(vec![1.0]) }];
            let question = Question { inputs: Inputs::Table(Table { columns }).into(), params: Map::new() };
            let refused = (canary, Error::invalid("no such value"));
            let (_, variant, result) = ask_primary_instead(&ctx, &live, &name, refused, question, Some(limit)).await;
            assert_eq!((variant, result.unwrap_err().code()), (charged, Code::TimedOut));
        }
        let versions: Vec<_> = live.versions().drain().map(|(_, version)| version).collect();
        for version in versions {
            version.pool.stop().await;
        }
    }
}
