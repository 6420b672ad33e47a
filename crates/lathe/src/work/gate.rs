//! The gate of a canary: what it does is watched for a while, beside the version it would replace.

use std::time::Duration;

use lathe_core::{Ctx, Error, Result};
use lathe_serving::deployments::get_deployment;
use lathe_serving::reconcile::{VersionStatistics, statistics_of};
use lathe_serving::{DeploymentName, Role, Statistics, VersionKey};
use lathe_workflows::file::{Gate, GateBound, GateMetric, Watch, write_duration};
use tokio::time::{Instant, sleep};

use super::Work;

const POLL: Duration = Duration::from_millis(500);

/// Watches a canary until its time is over, and longer while it has answered too little to be judged, up to the job's deadline.
/// After a restart of the server, a canary that is wanted may not run yet: it is waited for.
///
/// # Errors
/// `Conflict` when a gate is breached, when this canary is gone, and when it, or what a gate compares it with, answered too little to
/// be judged.
pub(super) async fn watch(
    work: &Work,
    ctx: &Ctx,
    name: &DeploymentName,
    canary: &VersionKey,
    watch: &Watch,
    deadline: Instant,
) -> Result<()> {
    let begun = Instant::now();
    loop {
        let deployment = get_deployment(ctx, &work.rooms.serving, name).await?;
        if deployment.version(Role::Canary).is_none_or(|current| current.key != *canary) {
            return Err(Error::conflict(format!("the canary of `{name}` is gone")));
        }
        let found = statistics_of(&work.rooms.serving, &deployment);
        let of = |role: Role| found.iter().find(|one| one.role == role);
        let (is_over, is_late) = (begun.elapsed() >= watch.duration, Instant::now() >= deadline);
        match (of(Role::Canary), of(Role::Primary)) {
            (Some(canary), primary) if canary.since_canary.requests >= watch.min_requests => {
                let unjudged = judge(canary, primary, &watch.abort_if)?;
                match unjudged.filter(|_| is_over) {
                    Some(gate) => return Err(not_judged(name, gate)),
                    None if is_over => return Ok(()),
                    None => {}
                }
            }
            (canary, _) if is_over && is_late => {
                let requests = canary.map_or(0, |canary| canary.since_canary.requests);
                return Err(Error::conflict(format!(
                    "the canary of `{name}` is not judged: it answered {requests} requests within the job's timeout, and `min_requests` is {}",
                    watch.min_requests
                )));
            }
            _ => {}
        }
        if is_late {
            let watched = write_duration(watch.duration);
            return Err(Error::conflict(format!(
                "the canary of `{name}` is not judged: the job's timeout ended before it was watched for {watched}"
            )));
        }
        sleep(POLL).await;
    }
}

/// Fails when a gate is breached; answers one that says nothing yet, because what it is about has answered nothing.
fn judge<'g>(
    canary: &VersionStatistics,
    primary: Option<&VersionStatistics>,
    gates: &'g [Gate],
) -> Result<Option<&'g Gate>> {
    let mut unjudged = None;
    for gate in gates {
        let champion = primary.filter(|primary| primary.since_canary.requests > 0);
        let champion = champion.and_then(|primary| read(primary, gate.metric));
        let is_compared = matches!(gate.bound, GateBound::Champion(_));
        let (Some(value), false) = (read(canary, gate.metric), is_compared && champion.is_none()) else {
            unjudged = unjudged.or(Some(gate));
            continue;
        };
        if gate.is_breached(value, champion.unwrap_or_default()) {
            let words = |value| in_words(gate.metric, value);
            let champion = champion.map_or_else(|| "nothing".to_owned(), words);
            return Err(Error::conflict(format!(
                "the gate `{gate}` is breached: canary {}, champion {champion}",
                words(value)
            )));
        }
    }
    Ok(unjudged)
}

fn not_judged(name: &DeploymentName, gate: &Gate) -> Error {
    let why = match gate.bound {
        GateBound::Champion(_) => {
            "the canary or the champion answered nothing (a canary of 100% leaves the champion nothing: give it less)"
        }
        GateBound::Number(_) => "the canary answered nothing (all of its requests failed: add a gate of `error_rate`)",
    };
    Error::conflict(format!("the canary of `{name}` is not judged by the gate `{gate}`: {why}"))
}

fn in_words(metric: GateMetric, value: f64) -> String {
    match metric {
        GateMetric::ErrorRate => format!("{value:.4}"),
        GateMetric::P50Latency | GateMetric::P95Latency | GateMetric::P99Latency => format!("{value:.1} ms"),
    }
}

#[expect(clippy::cast_precision_loss, reason = "a rate")]
fn error_rate(found: &Statistics) -> f64 {
    if found.requests == 0 { 0.0 } else { found.errors as f64 / found.requests as f64 }
}

fn read(version: &VersionStatistics, metric: GateMetric) -> Option<f64> {
    let found = &version.since_canary;
    match metric {
        GateMetric::ErrorRate => Some(error_rate(found)),
        GateMetric::P50Latency => found.p50_ms,
        GateMetric::P95Latency => found.p95_ms,
        GateMetric::P99Latency => found.p99_ms,
    }
}
