//! Monitoring by itself: alert rules are applied to windows that ended, versions get what they learnt from as their reference, and
//! what is too old goes.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use lathe_api::monitoring::training_data::{self, Sources, TrainingData};
use lathe_core::{Clock, Code, Ctx, Result};
use lathe_monitoring::references::{get_reference, sampled_columns, set_reference};
use lathe_monitoring::{alerts, windows};
use lathe_serving::reconcile::list_all;
use lathe_serving::{Deployment, DeploymentVersion, Role};
use tokio::sync::watch;

use crate::server::Rooms;

const INTERVAL: Duration = Duration::from_secs(2);
/// A version whose data was not found is looked at again after so long.
const SEARCH_AGAIN_MS: i64 = 10 * 60 * 1000;
const EXPIRE_MS: i64 = 3600 * 1000;

/// Runs until the server stops.
pub(crate) async fn run(rooms: Rooms, clock: Clock, mut stopping: watch::Receiver<bool>) {
    let mut searched = HashMap::new();
    let mut expires_at_ms = clock.now_ms();
    loop {
        tokio::select! {
            () = tokio::time::sleep(INTERVAL) => {}
            _ = stopping.wait_for(|is_stopping| *is_stopping) => return,
        }
        if let Err(error) = note_references(&rooms, &clock, &mut searched).await {
            tracing::warn!(error = %error.log_line(), "references of deployments could not be looked after");
        }
        if let Err(error) = check(&rooms, &clock).await {
            tracing::warn!(error = %error.log_line(), "alert rules could not be applied; trying again");
        }
        if clock.now_ms() >= expires_at_ms {
            expires_at_ms = clock.now_ms() + EXPIRE_MS;
            if let Err(error) = tidy(&rooms, &clock).await {
                tracing::warn!(error = %error.log_line(), "old windows could not be deleted; trying again");
            }
        }
    }
}

/// Deletes what is too old, and what was left of deployments that are gone.
async fn tidy(rooms: &Rooms, clock: &Clock) -> Result<()> {
    let known = list_all(&rooms.serving).await?;
    let known: BTreeSet<_> = known.into_iter().map(|one| (one.project, one.name.to_string())).collect();
    windows::forget_unknown(&rooms.monitoring, &known).await?;
    windows::expire_windows(&rooms.monitoring, clock.now_ms()).await.map(|_| ())
}

async fn check(rooms: &Rooms, clock: &Clock) -> Result<()> {
    let checked = alerts::check_all(&rooms.monitoring, clock.now_ms()).await?;
    for alert in checked.raised {
        tracing::warn!(
            deployment.name = alert.deployment,
            rule = alert.rule,
            severity = alert.severity,
            value = alert.value,
            "an alert was raised"
        );
    }
    for alert in checked.resolved {
        tracing::info!(deployment.name = alert.deployment, rule = alert.rule, "an alert was resolved");
    }
    Ok(())
}

/// Versions by key, with when their data was searched in vain.
type Searched = HashMap<String, i64>;

/// Gives each version that answers a reference: the data that its model learnt from.
async fn note_references(rooms: &Rooms, clock: &Clock, searched: &mut Searched) -> Result<()> {
    for deployment in list_all(&rooms.serving).await? {
        let answering = |version: &&DeploymentVersion| matches!(version.role, Role::Primary | Role::Canary);
        for version in deployment.versions.iter().filter(answering) {
            let key = format!("{}/{}/{}/{}", deployment.project, deployment.name, version.model, version.version);
            if searched.get(&key).is_some_and(|at_ms| clock.now_ms() < at_ms + SEARCH_AGAIN_MS) {
                continue;
            }
            match note_reference(rooms, &deployment, version).await {
                Ok(Noted::NoSamples) => {}
                Ok(Noted::Known) => {
                    searched.insert(key, clock.now_ms());
                }
                Err(error) => {
                    searched.insert(key, clock.now_ms());
                    tracing::warn!(deployment.name = %deployment.name, version = version.version, error = %error.log_line(), "a version's training data cannot be read");
                }
            }
        }
    }
    Ok(())
}

enum Noted {
    /// Nobody has asked yet, so the model's columns are not known.
    NoSamples,
    /// There is a reference, or none can be found.
    Known,
}

async fn note_reference(rooms: &Rooms, deployment: &Deployment, version: &DeploymentVersion) -> Result<Noted> {
    let ctx = Ctx::system("monitoring", deployment.project.clone());
    let name = deployment.name.as_str();
    match get_reference(&ctx, &rooms.monitoring, name, version.version).await {
        Ok(_) => return Ok(Noted::Known),
        Err(error) if error.code() == Code::NotFound => {}
        Err(error) => return Err(error),
    }
    let choice = sampled_columns(&ctx, &rooms.monitoring, name).await?;
    if choice.is_empty() {
        return Ok(Noted::NoSamples);
    }
    let sources = Sources { db: &rooms.db, tracking: &rooms.tracking, models: &rooms.models, data: &rooms.data };
    let found = training_data::find(&ctx, sources, &version.model, version.version, &choice).await?;
    if let Some(TrainingData { source, from, profile }) = found {
        set_reference(&ctx, &rooms.monitoring, name, version.version, &source, from, profile).await?;
    }
    Ok(Noted::Known)
}
