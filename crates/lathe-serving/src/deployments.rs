//! Deployments: which model versions answer under a name, in which role, with which part of the traffic.
//!
//! These functions say what is wanted; a loop of the binary makes it so and notes what it found with [`set_state`].
//! [`start_canary`], [`start_shadow`], [`promote`] and [`rollback`] are done once for a context that names the change
//! ([`Ctx::once`]): asked again, they change nothing, and [`made_version`] says which version the change was about.

use lathe_core::{Action, Ctx, Error, Event, EventId, Kind, Name, Result};
use lathe_db::{FutureExt as _, Tx, once};
use serde_json::{Value, json};

use crate::{Deployment, DeploymentName, DeploymentVersion, Role, Served, Serving, State, VersionKey, store};

/// Workers that a deployment may have for each version.
pub const MAX_WORKERS: i64 = 64;

/// Makes a deployment.
///
/// # Errors
/// `AlreadyExists`, `InvalidArgument` for a number of workers outside 1-64.
pub async fn create_deployment(
    ctx: &Ctx,
    serving: &Serving,
    name: DeploymentName,
    served: Served,
    workers: i64,
) -> Result<Deployment> {
    ctx.authorize(Action::Manage)?;
    if !(1..=MAX_WORKERS).contains(&workers) {
        return Err(Error::invalid(format!("a deployment has 1-{MAX_WORKERS} workers, not {workers}")));
    }
    let (now_ms, write_ctx, key) = (ctx.now_ms(), ctx.clone(), name.clone());
    let deployment = Deployment {
        project: ctx.project.clone(),
        name,
        workers,
        created_by: ctx.actor.name.clone(),
        created_at_ms: now_ms,
        updated_at_ms: now_ms,
        versions: Vec::new(),
    };
    let written = serving.db.write(move |tx| {
        async move {
            if !store::insert(tx, &deployment).await? {
                return Err(Error::already_exists(format!("deployment `{}` exists already", deployment.name)));
            }
            let version = new_version(&write_ctx, served, Role::Primary, 100);
            give_role(tx, &write_ctx, &deployment.name, "deployment.created", version).await
        }
        .boxed()
    });
    written.await?;
    finish(ctx, serving, &key).await
}

/// A deployment.
///
/// # Errors
/// `NotFound`.
pub async fn get_deployment(ctx: &Ctx, serving: &Serving, name: &DeploymentName) -> Result<Deployment> {
    ctx.authorize(Action::Read)?;
    store::find(&serving.db, &ctx.project, name).await?.ok_or_else(|| store::not_found(name))
}

/// The project's deployments, by name.
///
/// # Errors
/// What the database answers.
pub async fn list_deployments(ctx: &Ctx, serving: &Serving) -> Result<Vec<Deployment>> {
    // Whoever may ask them may know them.
    ctx.authorize(Action::Read).or_else(|_| ctx.authorize(Action::Infer))?;
    store::list(&serving.db, Some(&ctx.project)).await
}

/// Tries a version on `weight` percent of the requests; takes the place of a canary that runs.
///
/// # Errors
/// `NotFound`, `InvalidArgument` for a weight outside 0-100, `Conflict` for a version of another registered model.
pub async fn start_canary(
    ctx: &Ctx,
    serving: &Serving,
    name: &DeploymentName,
    served: Served,
    weight: i64,
) -> Result<Deployment> {
    ctx.authorize(Action::Manage)?;
    check_weight(weight)?;
    start(ctx, serving, name, new_version(ctx, served, Role::Canary, weight), "deployment.canary_started").await
}

/// Asks a version everything that the deployment is asked, and compares its answers; takes the place of a shadow that runs.
///
/// # Errors
/// `NotFound`, `Conflict` for a version of another registered model.
pub async fn start_shadow(ctx: &Ctx, serving: &Serving, name: &DeploymentName, served: Served) -> Result<Deployment> {
    ctx.authorize(Action::Manage)?;
    start(ctx, serving, name, new_version(ctx, served, Role::Shadow, 0), "deployment.shadow_started").await
}

/// Ends the shadow; nobody heard its answers, so nothing else changes.
///
/// # Errors
/// `NotFound` for the deployment, `Conflict` without a shadow.
pub async fn end_shadow(ctx: &Ctx, serving: &Serving, name: &DeploymentName) -> Result<Deployment> {
    ctx.authorize(Action::Manage)?;
    let (write_ctx, key) = (ctx.clone(), name.clone());
    let written = serving.db.write(move |tx| {
        async move {
            let ctx = write_ctx;
            let deployment = store::hold(tx, &ctx.project, &key).await?;
            let shadow = deployment.version(Role::Shadow).ok_or_else(|| {
                Error::conflict(format!("deployment `{key}` has no shadow"))
                    .with_hint(format!("start one: lathe deploy shadow {key} --model models:/<model>@<alias>"))
            })?;
            store::delete_version(tx, &shadow.key).await?;
            store::touch(tx, &ctx.project, &key, ctx.now_ms()).await?;
            let subject = Name::new(&ctx.project, Kind::Deployment, &key);
            let detail = json!({ "model": shadow.model, "version": shadow.version });
            tx.record(&ctx, Event::new("deployment.shadow_ended", subject, detail)).await
        }
        .boxed()
    });
    written.await?;
    finish(ctx, serving, name).await
}

async fn start(
    ctx: &Ctx,
    serving: &Serving,
    name: &DeploymentName,
    version: DeploymentVersion,
    action: &'static str,
) -> Result<Deployment> {
    let (write_ctx, key) = (ctx.clone(), name.clone());
    let written = serving.db.write(move |tx| {
        async move {
            let deployment = store::hold(tx, &write_ctx.project, &key).await?;
            if once::find_made(tx, &write_ctx).await?.is_some() {
                return Ok(());
            }
            check_model(&deployment, &version.model)?;
            if let Some(old) = deployment.version(version.role) {
                store::delete_version(tx, &old.key).await?;
            }
            give_role(tx, &write_ctx, &key, action, version).await
        }
        .boxed()
    });
    written.await?;
    finish(ctx, serving, name).await
}

/// Changes the canary's part of the requests.
///
/// # Errors
/// `NotFound` for the deployment, `Conflict` without a canary, `InvalidArgument` for a weight outside 0-100.
pub async fn set_weight(ctx: &Ctx, serving: &Serving, name: &DeploymentName, weight: i64) -> Result<Deployment> {
    ctx.authorize(Action::Manage)?;
    check_weight(weight)?;
    let (write_ctx, key) = (ctx.clone(), name.clone());
    let written = serving.db.write(move |tx| {
        async move {
            let ctx = write_ctx;
            let deployment = store::hold(tx, &ctx.project, &key).await?;
            let canary = deployment.version(Role::Canary).ok_or_else(|| no_canary(&key))?;
            store::set_role(tx, &canary.key, Role::Canary, weight, ctx.now_ms()).await?;
            let changed = DeploymentVersion { weight, ..canary.clone() };
            record(tx, &ctx, &key, "deployment.weight_set", &changed, Value::Null).await
        }
        .boxed()
    });
    written.await?;
    finish(ctx, serving, name).await
}

/// Makes the canary the primary; the primary becomes the previous one.
///
/// # Errors
/// `NotFound` for the deployment, `Conflict` without a canary or when it is not ready.
pub async fn promote(ctx: &Ctx, serving: &Serving, name: &DeploymentName) -> Result<Deployment> {
    ctx.authorize(Action::Manage)?;
    let (write_ctx, key) = (ctx.clone(), name.clone());
    let written = serving.db.write(move |tx| {
        async move {
            let ctx = write_ctx;
            let deployment = store::hold(tx, &ctx.project, &key).await?;
            if once::find_made(tx, &ctx).await?.is_some() {
                return Ok(());
            }
            let canary = deployment.version(Role::Canary).ok_or_else(|| no_canary(&key))?;
            if canary.state != State::Ready {
                return Err(Error::conflict(format!(
                    "the canary of `{key}` is {}; only one that is ready can be promoted",
                    canary.state.as_str()
                )));
            }
            let before = deployment.version(Role::Previous);
            let previous = retire_primary(tx, &ctx, &deployment, before, canary.state).await?;
            store::set_role(tx, &canary.key, Role::Primary, 100, ctx.now_ms()).await?;
            let detail = json!({ "previous_version": previous });
            record(tx, &ctx, &key, "deployment.promoted", canary, detail).await
        }
        .boxed()
    });
    written.await?;
    finish(ctx, serving, name).await
}

/// Ends the canary, if one runs; otherwise makes the previous primary the primary again. It answers until the other does, and
/// follows no alias any more: [`follow`] lets it.
///
/// # Errors
/// `NotFound` for the deployment, `Conflict` when there is nothing to go back to.
pub async fn rollback(ctx: &Ctx, serving: &Serving, name: &DeploymentName) -> Result<Deployment> {
    ctx.authorize(Action::Manage)?;
    let (write_ctx, key) = (ctx.clone(), name.clone());
    let written = serving.db.write(move |tx| {
        async move {
            let ctx = write_ctx;
            let deployment = store::hold(tx, &ctx.project, &key).await?;
            if once::find_made(tx, &ctx).await?.is_some() {
                return Ok(());
            }
            if let Some(canary) = deployment.version(Role::Canary) {
                store::delete_version(tx, &canary.key).await?;
                let primary = deployment.version(Role::Primary).unwrap_or(canary);
                let detail = json!({ "ended_canary": canary.version });
                return record(tx, &ctx, &key, "deployment.rolled_back", primary, detail).await;
            }
            let previous = deployment.version(Role::Previous).ok_or_else(|| {
                Error::conflict(format!("`{key}` has no canary to end and no previous version to go back to"))
            })?;
            store::delete_version(tx, &previous.key).await?;
            let from = retire_primary(tx, &ctx, &deployment, None, previous.state).await?;
            // The alias that was followed points elsewhere: following it would undo this at once.
            let is_running = matches!(previous.state, State::Ready);
            let again = DeploymentVersion {
                alias: None,
                role: Role::Primary,
                weight: 100,
                state: if is_running { State::Ready } else { State::Starting },
                error: None,
                ..previous.clone()
            };
            store::insert_version(tx, &(ctx.project.clone(), key.clone()), &again).await?;
            record(tx, &ctx, &key, "deployment.rolled_back", &again, json!({ "previous_version": from })).await
        }
        .boxed()
    });
    written.await?;
    finish(ctx, serving, name).await
}

/// Lets the primary follow an alias of its model from now on, as after a rollback, which ends that. When the alias points at
/// another version, that one becomes the primary, and what answered goes on until it does.
///
/// # Errors
/// `NotFound` for the deployment; `Conflict` when its primary is of another model; `InvalidArgument` for a version without alias.
pub async fn follow(ctx: &Ctx, serving: &Serving, name: &DeploymentName, served: Served) -> Result<Deployment> {
    ctx.authorize(Action::Manage)?;
    if served.reference.alias().is_none() {
        return Err(Error::invalid(format!("{} is no alias that can be followed", served.reference)));
    }
    let (write_ctx, key) = (ctx.clone(), name.clone());
    let written = serving.db.write(move |tx| {
        async move {
            let ctx = write_ctx;
            let deployment = store::hold(tx, &ctx.project, &key).await?;
            if once::find_made(tx, &ctx).await?.is_some() {
                return Ok(());
            }
            let primary = deployment.version(Role::Primary);
            let primary = primary.ok_or_else(|| Error::conflict(format!("deployment `{key}` has no primary")))?;
            check_model(&deployment, &served.reference.model)?;
            let followed = new_version(&ctx, served, Role::Primary, 100);
            let before = deployment.version(Role::Previous);
            let detail = |previous: Option<i64>| json!({ "alias": followed.alias, "previous_version": previous });
            if followed.version == primary.version {
                let detail = detail(before.map(|before| before.version));
                store::set_alias(tx, &primary.key, followed.alias.as_deref(), ctx.now_ms()).await?;
                return record(tx, &ctx, &key, "deployment.alias_followed", primary, detail).await;
            }
            let detail = detail(retire_primary(tx, &ctx, &deployment, before, followed.state).await?);
            store::insert_version(tx, &(ctx.project.clone(), key.clone()), &followed).await?;
            record(tx, &ctx, &key, "deployment.alias_followed", &followed, detail).await
        }
        .boxed()
    });
    written.await?;
    finish(ctx, serving, name).await
}

/// Which version the change that the context names was about, once it is made: the new canary or shadow, or the primary that a
/// promotion or a rollback led to.
///
/// # Errors
/// What the database answers.
pub async fn made_version(ctx: &Ctx, serving: &Serving) -> Result<Option<VersionKey>> {
    ctx.authorize(Action::Read)?;
    Ok(once::look_up(&serving.db, ctx).await?.map(VersionKey))
}

/// Deletes a deployment; what it is being asked is still answered.
///
/// # Errors
/// `NotFound`.
pub async fn delete_deployment(ctx: &Ctx, serving: &Serving, name: &DeploymentName) -> Result<()> {
    ctx.authorize(Action::Manage)?;
    let (write_ctx, key) = (ctx.clone(), name.clone());
    let written = serving.db.write(move |tx| {
        async move {
            let ctx = write_ctx;
            store::hold(tx, &ctx.project, &key).await?;
            store::delete(tx, &ctx.project, &key).await?;
            let subject = Name::new(&ctx.project, Kind::Deployment, &key);
            tx.record(&ctx, Event::new("deployment.deleted", subject, json!({}))).await
        }
        .boxed()
    });
    written.await?;
    serving.refresh().await
}

/// Lets a version that follows an alias become the version that the alias points at now. What answered goes on until the new one
/// does.
///
/// # Errors
/// What the database answers; a version that is not there any more is fine.
pub async fn follow_alias(
    ctx: &Ctx,
    serving: &Serving,
    name: &DeploymentName,
    followed: &VersionKey,
    version: i64,
) -> Result<()> {
    ctx.authorize(Action::Manage)?;
    let (write_ctx, key, followed) = (ctx.clone(), name.clone(), followed.clone());
    let written = serving.db.write(move |tx| {
        async move {
            let ctx = write_ctx;
            let deployment = store::hold(tx, &ctx.project, &key).await?;
            let Some(old) = deployment.versions.iter().find(|version| version.key == followed) else { return Ok(()) };
            let (role, action) = match old.role {
                Role::Primary => (Role::Primary, "deployment.promoted"),
                Role::Canary => (Role::Canary, "deployment.canary_started"),
                Role::Shadow => (Role::Shadow, "deployment.shadow_started"),
                Role::Previous => return Ok(()),
            };
            let new = DeploymentVersion {
                key: new_key(),
                version,
                state: State::Starting,
                error: None,
                ready_at_ms: None,
                created_at_ms: ctx.now_ms(),
                updated_at_ms: ctx.now_ms(),
                ..old.clone()
            };
            let detail = if role == Role::Primary {
                let before = deployment.version(Role::Previous);
                json!({ "previous_version": retire_primary(tx, &ctx, &deployment, before, new.state).await? })
            } else {
                store::delete_version(tx, &old.key).await?;
                Value::Null
            };
            store::insert_version(tx, &(ctx.project.clone(), key.clone()), &new).await?;
            record(tx, &ctx, &key, action, &new, detail).await
        }
        .boxed()
    });
    written.await?;
    serving.refresh().await
}

/// Notes what a version is found to be.
///
/// # Errors
/// What the database answers.
pub async fn set_state(
    ctx: &Ctx,
    serving: &Serving,
    key: &VersionKey,
    state: State,
    error: Option<String>,
) -> Result<()> {
    ctx.authorize(Action::Manage)?;
    let (now_ms, key) = (ctx.now_ms(), key.clone());
    serving
        .db
        .write(move |tx| async move { store::set_state(tx, &key, state, error.as_deref(), now_ms).await }.boxed())
        .await
}

fn check_weight(weight: i64) -> Result<()> {
    if (0..=100).contains(&weight) {
        return Ok(());
    }
    Err(Error::invalid(format!("the weight of a canary is 0-100 percent, not {weight}")))
}

/// A deployment answers for one registered model: its samples, references and labels are told apart by version alone.
fn check_model(deployment: &Deployment, model: &str) -> Result<()> {
    let name = &deployment.name;
    match deployment.version(Role::Primary) {
        Some(primary) if primary.model != model => {
            let served = &primary.model;
            Err(Error::conflict(format!(
                "deployment `{name}` serves the model `{served}`, and `{model}` is another one"
            ))
            .with_hint(format!("make a second deployment: lathe deploy create NAME --model models:/{model}@<alias>")))
        }
        _ => Ok(()),
    }
}

fn no_canary(name: &DeploymentName) -> Error {
    Error::conflict(format!("deployment `{name}` has no canary"))
        .with_hint(format!("start one: lathe deploy canary {name} --model models:/<model>@<alias> --weight 10"))
}

fn new_key() -> VersionKey {
    VersionKey(EventId::generate().to_string())
}

fn new_version(ctx: &Ctx, served: Served, role: Role, weight: i64) -> DeploymentVersion {
    let Served { reference, version } = served;
    DeploymentVersion {
        key: new_key(),
        alias: reference.alias().map(str::to_owned),
        model: reference.model,
        version,
        role,
        weight,
        state: State::Starting,
        error: None,
        ready_at_ms: None,
        created_at_ms: ctx.now_ms(),
        updated_at_ms: ctx.now_ms(),
    }
}

/// Makes the primary the previous one, in the place of the one before. Where that one answers in the primary's stead, or the primary
/// never was ready, the primary goes, and the one before stays: it is what answers, and what a rollback leads to. A successor that is
/// ready needs nobody to answer until it does: then a primary that is only starting keeps its place. Answers which version is the
/// previous one then.
async fn retire_primary(
    tx: &mut Tx,
    ctx: &Ctx,
    deployment: &Deployment,
    before: Option<&DeploymentVersion>,
    successor: State,
) -> Result<Option<i64>> {
    let Some(primary) = deployment.version(Role::Primary) else { return Ok(before.map(|before| before.version)) };
    let stands_in = before.is_some_and(|before| match before.state {
        State::Ready if successor != State::Ready => primary.state != State::Ready,
        State::Ready | State::Starting => primary.state == State::Failed,
        State::Failed | State::Draining | State::Stopped => false,
    });
    if primary.ready_at_ms.is_none() || stands_in {
        store::delete_version(tx, &primary.key).await?;
        return Ok(before.map(|before| before.version));
    }
    if let Some(before) = before {
        store::delete_version(tx, &before.key).await?;
    }
    store::set_role(tx, &primary.key, Role::Previous, 0, ctx.now_ms()).await?;
    Ok(Some(primary.version))
}

async fn give_role(
    tx: &mut Tx,
    ctx: &Ctx,
    name: &DeploymentName,
    action: &'static str,
    version: DeploymentVersion,
) -> Result<()> {
    store::insert_version(tx, &(ctx.project.clone(), name.clone()), &version).await?;
    record(tx, ctx, name, action, &version, Value::Null).await
}

async fn record(
    tx: &mut Tx,
    ctx: &Ctx,
    name: &DeploymentName,
    action: &'static str,
    version: &DeploymentVersion,
    more: Value,
) -> Result<()> {
    once::note_made(tx, ctx, &version.key.0).await?;
    store::touch(tx, &ctx.project, name, ctx.now_ms()).await?;
    let mut detail = json!({ "model": version.model, "version": version.version, "weight": version.weight });
    if let (Some(detail), Value::Object(more)) = (detail.as_object_mut(), more) {
        detail.extend(more);
    }
    let subject = Name::new(&ctx.project, Kind::Deployment, name);
    let model = Name::model_version(&ctx.project, &version.model, version.version);
    let event = Event::new(action, subject.clone(), detail).with_edge(model, subject, "serves");
    tx.record(ctx, event).await
}

async fn finish(ctx: &Ctx, serving: &Serving, name: &DeploymentName) -> Result<Deployment> {
    serving.refresh().await?;
    store::find(&serving.db, &ctx.project, name).await?.ok_or_else(|| store::not_found(name))
}
