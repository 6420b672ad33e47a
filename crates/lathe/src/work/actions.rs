//! What a job does without a process: versions, aliases, deployments.
//!
//! A crash may leave open whether a change was made, and who adopts the attempt does all of it again. So each change has a name, of
//! the run, the job, the attempt and its place in the job, and is made once under that name ([`Ctx::once`]).

use std::collections::BTreeMap;
use std::time::Duration;

use lathe_core::{Code, Ctx, Error, Result, RunId};
use lathe_models::Tag;
use lathe_models::model_versions::{CreateModelVersion, create_model_version};
use lathe_models::registered_models::{
    CreateRegisteredModel, create_registered_model, get_version_by_alias, set_registered_model_alias,
};
use lathe_serving::deployments::{
    create_deployment, get_deployment, made_version, promote, rollback, start_canary, start_shadow,
};
use lathe_serving::{
    Deployment, DeploymentName, DeploymentVersion, ModelReference, Pick, Role, Served, State, VersionKey,
};
use lathe_tracking::runs::get_run_info;
use lathe_workflows::attempts::Claim;
use lathe_workflows::file::{self, Action, Deploy, DeployStep, RegisterModel, SetAlias, Text, write_duration};
use tokio::time::{Instant, sleep};

use super::inputs::models_of;
use super::{Work, gate};

type Values = BTreeMap<String, String>;

/// The tag of a version that says which job made it.
const JOB_TAG: &str = "lathe.job";
/// How long a version may take until it answers; its Python environment may have to be made first.
const READY_TIMEOUT: Duration = Duration::from_secs(20 * 60);
const READY_POLL: Duration = Duration::from_millis(200);

/// Does what a job says, in the order of the file, and waits for nothing beyond the deadline; answers its values.
pub(super) async fn perform(work: &Work, claim: &Claim, deadline: Instant) -> Result<Values> {
    // The changes are the starter's; that a run made them is what keeps them from starting its pipeline again.
    let request_id = claim.run.id.to_string();
    let ctx = Ctx { actor: claim.run.actor.clone(), request_id, ..work.ctx(&claim.run.project) };
    let job = claim.declaration()?;
    let mut values = Values::new();
    for (place, action) in job.actions.iter().enumerate() {
        let change = Change { claim, place, deadline };
        match action {
            Action::RegisterModel(register) => register_model(work, &ctx, change, register, &mut values).await?,
            Action::SetAlias(set) => set_alias(work, &ctx, change, set, &mut values).await?,
            Action::Deploy(step) => deploy(work, &ctx, change, step, &mut values).await?,
            Action::Run(_) | Action::Approval(_) => {
                return Err(Error::internal("a command is no action of the server"));
            }
        }
    }
    Ok(values)
}

/// An action of an attempt, by its place in the job.
#[derive(Debug, Clone, Copy)]
struct Change<'c> {
    claim: &'c Claim,
    place: usize,
    /// When the job's time is over.
    deadline: Instant,
}

impl Change<'_> {
    /// The context of a change that each attempt makes once.
    fn of_attempt(self, ctx: &Ctx, step: &str) -> Ctx {
        self.of(ctx, self.claim.attempt.attempt, step)
    }

    fn of(self, ctx: &Ctx, attempt: i64, step: &str) -> Ctx {
        ctx.once(format!("{}/{}/{attempt}/{}/{step}", self.claim.run.id, self.claim.job.key, self.place))
    }

    /// The context of a change that is made once, by whichever attempt comes to it.
    fn of_job(self, ctx: &Ctx, step: &str) -> Ctx {
        ctx.once(format!("{}/{}/{}/{step}", self.claim.run.id, self.claim.job.key, self.place))
    }
}

fn text(claim: &Claim, text: &Text) -> Result<String> {
    text.evaluate(&claim.context).map_err(|error| Error::invalid(error.to_string()))
}

async fn register_model(
    work: &Work,
    ctx: &Ctx,
    change: Change<'_>,
    register: &RegisterModel,
    values: &mut Values,
) -> Result<()> {
    let (claim, models) = (change.claim, &work.rooms.models);
    let (name, from) = (text(claim, &register.name)?, text(claim, &register.from)?);
    let made = RunId::parse(&from).map_err(|_| Error::invalid(format!("`from` is {from:?}, which is no run id")))?;
    let model = CreateRegisteredModel { name: name.clone(), ..CreateRegisteredModel::default() };
    match create_registered_model(ctx, models, model).await {
        Err(error) if error.code() != Code::AlreadyExists => return Err(error),
        _ => {}
    }
    let request = source_of(work, ctx, &made).await?;
    let tags = vec![Tag { key: JOB_TAG.to_owned(), value: format!("{}/{}", claim.run.id, claim.job.key) }];
    let request = CreateModelVersion { name: name.clone(), tags, ..request };
    // What another run logged, as after a retry of the job that made it, is another version.
    let step = format!("version/{name}/{made}");
    let version = create_model_version(&change.of_job(ctx, &step), models, request).await?;
    if let Some(alias) = &register.alias {
        let ctx = change.of_attempt(ctx, "alias");
        set_registered_model_alias(&ctx, models, name.clone(), text(claim, alias)?, version.version).await?;
    }
    values.insert("model".to_owned(), name);
    values.insert("version".to_owned(), version.version.to_string());
    Ok(())
}

/// The model that a run logged; of several, the one called `model`.
async fn source_of(work: &Work, ctx: &Ctx, run_id: &RunId) -> Result<CreateModelVersion> {
    let run = get_run_info(ctx, &work.rooms.tracking, run_id).await?;
    let mut models = models_of(work, ctx, &run).await?;
    let model = match models.len() {
        0 => return Err(Error::not_found(format!("run {run_id} logged no model, so there is nothing to register"))),
        1 => models.pop(),
        _ => models.into_iter().find(|model| model.name == "model"),
    };
    let model = model.ok_or_else(|| {
        Error::conflict(format!("run {run_id} logged several models, and none of them is called `model`"))
    })?;
    Ok(CreateModelVersion {
        source: format!("models:/{}", model.model_id),
        storage_location: Some(model.artifact_uri),
        run: Some(run_id.clone()),
        model_id: Some(model.model_id),
        ..CreateModelVersion::default()
    })
}

async fn set_alias(work: &Work, ctx: &Ctx, change: Change<'_>, set: &SetAlias, values: &mut Values) -> Result<()> {
    let claim = change.claim;
    let (model, alias) = (text(claim, &set.model)?, text(claim, &set.alias)?);
    let version = match (&set.version, values.get("version")) {
        (Some(version), _) => text(claim, version)?,
        (None, Some(version)) => version.clone(),
        (None, None) => return Err(Error::invalid("set_alias has no version, and the job deployed none")),
    };
    let number: i64 = version.parse().map_err(|_| {
        Error::invalid(format!("the version for alias `{alias}` of `{model}` is {version:?}, which is no number"))
    })?;
    let ctx = change.of_attempt(ctx, "alias");
    set_registered_model_alias(&ctx, &work.rooms.models, model.clone(), alias, number).await?;
    values.insert("model".to_owned(), model);
    values.insert("version".to_owned(), version);
    Ok(())
}

/// The version that a reference names now.
async fn served(work: &Work, ctx: &Ctx, claim: &Claim, model: &Text) -> Result<Served> {
    let reference = ModelReference::parse(&text(claim, model)?)?;
    let version = match &reference.pick {
        Pick::Version(version) => *version,
        Pick::Alias(alias) => get_version_by_alias(ctx, &work.rooms.models, &reference.model, alias).await?.version,
    };
    Ok(Served { reference, version })
}

/// The same version by its number: what a pipeline tries must not change while it is tried.
fn fixed(served: Served) -> Served {
    let reference = ModelReference { pick: Pick::Version(served.version), ..served.reference };
    Served { reference, version: served.version }
}

async fn deploy(work: &Work, ctx: &Ctx, change: Change<'_>, step: &Deploy, values: &mut Values) -> Result<()> {
    let (claim, serving) = (change.claim, &work.rooms.serving);
    let name = DeploymentName::parse(&text(claim, &step.deployment)?)?;
    values.insert("deployment".to_owned(), name.to_string());
    let key = match &step.step {
        DeployStep::Replace { model } => {
            let served = fixed(served(work, ctx, claim, model).await?);
            replace(work, ctx, change, &name, served).await?
        }
        DeployStep::Canary { model, percent } => {
            let ctx = &change.of_attempt(ctx, "canary");
            let served = fixed(served(work, ctx, claim, model).await?);
            start_canary(ctx, serving, &name, served, whole_percent(*percent)).await?;
            ready(work, ctx, change, &name, Role::Canary, &made(work, ctx).await?).await?
        }
        DeployStep::Shadow { model } => {
            let ctx = &change.of_attempt(ctx, "shadow");
            let served = fixed(served(work, ctx, claim, model).await?);
            start_shadow(ctx, serving, &name, served).await?;
            ready(work, ctx, change, &name, Role::Shadow, &made(work, ctx).await?).await?
        }
        DeployStep::Promote => match made_before(work, ctx, change, "promote", &name).await? {
            Some(key) => key,
            None => {
                let canary = find_tried(&get_deployment(ctx, serving, &name).await?, claim)?;
                ready(work, ctx, change, &name, Role::Canary, &canary).await?;
                promote(&change.of_attempt(ctx, "promote"), serving, &name).await?;
                canary
            }
        },
        DeployStep::Rollback => match made_before(work, ctx, change, "rollback", &name).await? {
            Some(key) => key,
            None => {
                let ctx = &change.of_attempt(ctx, "rollback");
                rollback(ctx, serving, &name).await?;
                made(work, ctx).await?
            }
        },
    };
    let deployment = get_deployment(ctx, serving, &name).await?;
    if let Some(version) = deployment.versions.iter().find(|version| version.key == key) {
        values.insert("model".to_owned(), version.model.clone());
        values.insert("version".to_owned(), version.version.to_string());
    }
    let job = claim.declaration()?;
    match &job.watch {
        Some(watch) => gate::watch(work, ctx, &name, &key, watch, change.deadline).await,
        None => Ok(()),
    }
}

/// The version that the context's change was about, once it was made.
async fn made(work: &Work, ctx: &Ctx) -> Result<VersionKey> {
    let made = made_version(ctx, &work.rooms.serving).await?;
    made.ok_or_else(|| Error::internal("a change of a deployment was made and not noted"))
}

/// The primary that this change led to, when it was made already: by this attempt before a crash, or by one before it and nothing has
/// changed since. Then there may be no canary to promote any more, and a second rollback would leave the version that was gone back to.
async fn made_before(
    work: &Work,
    ctx: &Ctx,
    change: Change<'_>,
    step: &str,
    name: &DeploymentName,
) -> Result<Option<VersionKey>> {
    let serving = &work.rooms.serving;
    if let Some(key) = made_version(&change.of_attempt(ctx, step), serving).await? {
        return Ok(Some(key));
    }
    for attempt in (1..change.claim.attempt.attempt).rev() {
        let Some(key) = made_version(&change.of(ctx, attempt, step), serving).await? else { continue };
        let deployment = get_deployment(ctx, serving, name).await?;
        let stands = deployment.version(Role::Primary).is_some_and(|primary| primary.key == key)
            && deployment.version(Role::Canary).is_none();
        return Ok(stands.then_some(key));
    }
    Ok(None)
}

/// The canary of a deployment; not one of somebody else's, when an earlier job of the run tried a version there.
fn find_tried(deployment: &Deployment, claim: &Claim) -> Result<VersionKey> {
    let name = &deployment.name;
    let canary = deployment
        .version(Role::Canary)
        .ok_or_else(|| Error::conflict(format!("deployment `{name}` has no canary to promote")))?;
    let is_canary = |job: &file::Job| {
        job.actions
            .iter()
            .any(|action| matches!(action, Action::Deploy(step) if matches!(step.step, DeployStep::Canary { .. })))
    };
    let declared = |job: &str| claim.declared.as_ref().and_then(|declared| declared.job(job));
    let tried = claim.context.jobs.iter().filter(|(job, _)| declared(job).is_some_and(is_canary));
    for (job, facts) in tried {
        let Some(values) = facts.run.as_ref().map(|run| &run.values) else { continue };
        let is = |key: &str, word: &str| values.get(key).is_some_and(|value| value.to_string() == word);
        let is_it = is("model", &canary.model) && is("version", &canary.version.to_string());
        if is("deployment", name.as_str()) && !is_it {
            return Err(Error::conflict(format!(
                "the canary of `{name}` is version {} of `{}`, which is not what the job `{job}` tried",
                canary.version, canary.model
            )));
        }
    }
    Ok(canary.key.clone())
}

#[expect(clippy::cast_possible_truncation, reason = "the lint bounds it by 100")]
fn whole_percent(percent: f64) -> i64 {
    (percent.round() as i64).max(1)
}

/// Gives a version all traffic, without an unanswered request: it is ready before the old one goes.
async fn replace(
    work: &Work,
    ctx: &Ctx,
    change: Change<'_>,
    name: &DeploymentName,
    served: Served,
) -> Result<VersionKey> {
    let serving = &work.rooms.serving;
    let promoting = change.of_attempt(ctx, "promote");
    if let Some(key) = made_version(&promoting, serving).await? {
        return Ok(key);
    }
    let current = match get_deployment(ctx, serving, name).await {
        Err(error) if error.code() == Code::NotFound => {
            match create_deployment(ctx, serving, name.clone(), served.clone(), 1).await {
                Err(error) if error.code() == Code::AlreadyExists => get_deployment(ctx, serving, name).await?,
                made => made?,
            }
        }
        found => found?,
    };
    let is_served =
        |version: &&DeploymentVersion| version.model == served.reference.model && version.version == served.version;
    if let Some(primary) = current.version(Role::Primary).filter(is_served) {
        return ready(work, ctx, change, name, Role::Primary, &primary.key).await;
    }
    let starting = change.of_attempt(ctx, "canary");
    start_canary(&starting, serving, name, served, 0).await?;
    let canary = ready(work, ctx, change, name, Role::Canary, &made(work, &starting).await?).await?;
    promote(&promoting, serving, name).await?;
    Ok(canary)
}

/// Waits until a version answers in its role.
async fn ready(
    work: &Work,
    ctx: &Ctx,
    change: Change<'_>,
    name: &DeploymentName,
    role: Role,
    key: &VersionKey,
) -> Result<VersionKey> {
    let deadline = change.deadline.min(Instant::now() + READY_TIMEOUT);
    let begun = Instant::now();
    loop {
        let deployment = get_deployment(ctx, &work.rooms.serving, name).await?;
        let version = deployment
            .version(role)
            .filter(|version| version.key == *key)
            .ok_or_else(|| Error::conflict(format!("another version is the {} of `{name}` now", role.as_str())))?;
        match version.state {
            State::Ready => return Ok(key.clone()),
            State::Failed => {
                let why = version.error.clone().unwrap_or_default();
                return Err(Error::conflict(format!(
                    "version {} of `{}` cannot be served: {why}",
                    version.version, version.model
                )));
            }
            _ if Instant::now() >= deadline => {
                return Err(Error::conflict(format!(
                    "version {} of `{}` does not answer after {}",
                    version.version,
                    version.model,
                    write_duration(Duration::from_secs(begun.elapsed().as_secs()))
                )));
            }
            _ => sleep(READY_POLL).await,
        }
    }
}
