//! From what is wanted to what runs: for the loop of the binary, which knows where a model's files are.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use lathe_core::{Action, Ctx, Result};

use crate::deployment::{Deployment, DeploymentVersion, Role, State, VersionKey};
use crate::live::LiveVersion;
use crate::metrics::VersionLabels;
use crate::statistics::Statistics;
use crate::workers::{ANSWER_TIMEOUT, Launch, Pool};
use crate::{DeploymentName, Serving, store};

/// How long a version that is not wanted any more may take for what it was asked.
const DRAIN_LIMIT: Duration = ANSWER_TIMEOUT;
/// The same when the server stops.
const STOP_LIMIT: Duration = Duration::from_secs(10);
/// When deployments are read again that could not be.
const ROUTES_RETRY: Duration = Duration::from_secs(2);

/// All deployments of all projects.
///
/// # Errors
/// What the database answers.
pub async fn list_all(serving: &Serving) -> Result<Vec<Deployment>> {
    store::list(&serving.db, None).await
}

/// Reads what is wanted and routes requests by it, also what another server changed; answers all deployments.
///
/// # Errors
/// What the database answers; then requests are routed as before.
pub async fn route_all(serving: &Serving) -> Result<Vec<Deployment>> {
    let _one_at_a_time = serving.live.refreshing().lock().await;
    let deployments = list_all(serving).await?;
    serving.live.route_by(&deployments);
    Ok(deployments)
}

/// The versions of a deployment that should run: what has a role, and what answers until the primary does.
pub fn wanted<'a>(serving: &Serving, deployment: &'a Deployment) -> Vec<&'a DeploymentVersion> {
    let running = serving.live.versions();
    let primary = deployment.version(Role::Primary);
    let is_primary_ready = primary.is_some_and(|version| running.contains_key(&version.key));
    // Until a new primary has answered, the one before answers in its stead, after a restart of the server, too.
    let needs_stand_in = primary.is_some_and(|version| version.state == State::Failed || version.ready_at_ms.is_none());
    let is_wanted = |version: &&DeploymentVersion| match version.role {
        Role::Primary | Role::Canary | Role::Shadow => true,
        Role::Previous => !is_primary_ready && (needs_stand_in || running.contains_key(&version.key)),
    };
    deployment.versions.iter().filter(is_wanted).collect()
}

/// The versions that run.
pub fn running(serving: &Serving) -> Vec<VersionKey> {
    serving.live.versions().keys().cloned().collect()
}

/// The versions that requests are routed to now.
pub fn routed(serving: &Serving) -> HashSet<VersionKey> {
    serving.live.routed()
}

/// Starts the workers of a version and routes requests to it by its role.
///
/// # Errors
/// `Unavailable` with what the model or its environment said.
pub async fn start_version(
    ctx: &Ctx,
    serving: &Serving,
    deployment: &DeploymentName,
    version: &DeploymentVersion,
    launch: Launch,
) -> Result<()> {
    ctx.authorize(Action::Manage)?;
    let (pool, ready) = Pool::start(launch).await?;
    let labels = VersionLabels {
        project: ctx.project.to_string(),
        deployment: deployment.to_string(),
        model: version.model.clone(),
        version: version.version,
    };
    serving.live.add(&labels, version.key.clone(), ready.signature, pool);
    serving.refresh().await
}

/// Takes a version out of the running ones, waits for what it was asked, and ends its workers.
///
/// The routes must have left it already, or find another version. A rollback may have led requests back to it meanwhile: until the
/// routes are known to be without it, it goes on to answer.
pub async fn stop_version(serving: &Serving, key: &VersionKey) {
    loop {
        let Some(version) = serving.live.versions().remove(key) else { return };
        match route_all(serving).await {
            Ok(_) => {
                version.drain(DRAIN_LIMIT).await;
                return version.pool.stop().await;
            }
            Err(error) => {
                tracing::warn!(model = version.model, version = version.version, error = %error.log_line(), "a version goes on to answer until deployments can be read");
                serving.live.versions().insert(key.clone(), version);
            }
        }
        tokio::time::sleep(ROUTES_RETRY).await;
    }
}

/// Ends all workers: the server stops.
pub async fn stop_all(serving: &Serving) {
    let versions: Vec<_> = serving.live.versions().drain().map(|(_, version)| version).collect();
    let stop = async |version: &LiveVersion| {
        version.drain(STOP_LIMIT).await;
        version.pool.stop().await;
    };
    futures::future::join_all(versions.iter().map(|version| stop(version))).await;
}

/// What is counted of a version that runs.
#[derive(Debug, Clone, PartialEq)]
pub struct VersionStatistics {
    /// The registered model.
    pub model: String,
    /// Its version.
    pub version: i64,
    /// What it is in the deployment.
    pub role: Role,
    /// Since it began to answer.
    pub total: Statistics,
    /// In the last five minutes.
    pub recent: Statistics,
    /// Since the canary began.
    pub since_canary: Statistics,
    /// Of a shadow: answers that were compared with those given.
    pub compared: u64,
    /// Of these, those that differed by more than rounding.
    pub different: u64,
    /// The process ids of its workers.
    pub process_ids: Vec<u32>,
}

/// What is counted of the versions that answer now, without a look into the database.
///
/// # Errors
/// `NotFound` for the deployment.
pub fn live_statistics(ctx: &Ctx, serving: &Serving, name: &DeploymentName) -> Result<Vec<(i64, Statistics)>> {
    ctx.authorize(Action::Infer)?;
    let route = serving.live.route(&ctx.project, name)?;
    let now = Instant::now();
    let canary = route.canary.as_ref().map(|(_, live)| live);
    Ok(route
        .primary
        .as_ref()
        .into_iter()
        .chain(canary)
        .map(|live| (live.version, live.recorder().total(now)))
        .collect())
}

/// What is counted of a deployment's versions: of those that run, in the order in which they came.
pub fn statistics_of(serving: &Serving, deployment: &Deployment) -> Vec<VersionStatistics> {
    let running = serving.live.versions();
    let now = Instant::now();
    let of = |version: &DeploymentVersion| {
        let live = running.get(&version.key)?;
        let (total, recent, since_canary) = {
            let recorder = live.recorder();
            (recorder.total(now), recorder.recent(now), recorder.compared(now))
        };
        let (compared, different) = live.comparison();
        Some(VersionStatistics {
            model: version.model.clone(),
            version: version.version,
            role: version.role,
            total,
            recent,
            since_canary,
            compared,
            different,
            process_ids: live.pool.process_ids(),
        })
    };
    deployment.versions.iter().filter_map(of).collect()
}

#[cfg(test)]
mod tests {
    use lathe_core::Project;
    use lathe_db::{Db, FutureExt as _, query};
    use lathe_testkit::{ctx, store_test};

    use super::*;
    use crate::SCHEMA;
    use crate::live::Route;
    use crate::live::tests::{add, version};

    async fn rename(db: &Db, statement: &'static str) {
        db.write(move |tx| async move { tx.execute(query(statement)).await.map(|_| ()) }.boxed()).await.unwrap();
    }

    store_test!([SCHEMA] async fn a_version_answers_until_the_routes_are_known_to_be_without_it(db: Db) {
        let (ctx, serving) = (ctx(), Serving::new(db.clone()));
        let name = DeploymentName::from_trusted("scorer".to_owned());
        let deployment = Deployment {
            project: Project::default_project(),
            name: name.clone(),
            workers: 1,
            created_by: "anna".to_owned(),
            created_at_ms: 0,
            updated_at_ms: 0,
            versions: vec![version(1, Role::Primary)],
        };
        add(&serving.live, 1).await;
        // A rollback led requests back to it, and now the deployments cannot be read.
        serving.live.route_by(&[deployment]);
        rename(&db, "ALTER TABLE deployments RENAME TO away").await;
        let key = VersionKey("1".to_owned());
        let enter = || serving.live.enter(&ctx.project, &name, Route::pick_primary);
        let stopping = stop_version(&serving, &key);
        tokio::pin!(stopping);
        tokio::time::timeout(ROUTES_RETRY / 2, &mut stopping).await.unwrap_err();
        assert!(enter().is_ok());
        assert_eq!(running(&serving), std::slice::from_ref(&key));
        rename(&db, "ALTER TABLE away RENAME TO deployments").await;
        stopping.await;
        assert!(enter().is_err());
        assert_eq!(running(&serving), []);
    });
}
