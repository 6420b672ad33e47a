//! What a job does without a process: versions, aliases, deployments.

use std::collections::BTreeMap;
use std::time::Duration;

use lathe_core::{Code, Ctx, Error, Result, RunId};
use lathe_models::model_versions::{
    CreateModelVersion, SearchModelVersions, create_model_version, search_model_versions,
};
use lathe_models::registered_models::{
    CreateRegisteredModel, create_registered_model, get_version_by_alias, set_registered_model_alias,
};
use lathe_models::{ModelVersion, Tag};
use lathe_serving::deployments::{
    Deployment, Role, Served, State, create_deployment, get_deployment, promote, rollback, start_canary, start_shadow,
};
use lathe_serving::{DeploymentName, ModelReference, Pick};
use lathe_tracking::runs::get_run_info;
use lathe_workflows::attempts::Claim;
use lathe_workflows::file::{Action, Deploy, DeployStep, RegisterModel, SetAlias, Text};
use tokio::time::{Instant, sleep};

use super::inputs::models_of;
use super::{Work, gate};

type Values = BTreeMap<String, String>;

/// The tag of a version that says which job made it: a job that is done again after a crash makes no second one.
const JOB_TAG: &str = "lathe.job";
/// How long a version may take until it answers; its Python environment may have to be made first.
const READY_TIMEOUT: Duration = Duration::from_secs(20 * 60);
const READY_POLL: Duration = Duration::from_millis(200);

/// Does what a job says, in the order of the file; answers its values.
pub(super) async fn perform(work: &Work, claim: &Claim) -> Result<Values> {
    let ctx = Ctx { actor: claim.run.actor.clone(), ..work.ctx(&claim.run.project) };
    let job = claim.declaration()?;
    let mut values = Values::new();
    for action in &job.actions {
        match action {
            Action::RegisterModel(register) => register_model(work, &ctx, claim, register, &mut values).await?,
            Action::SetAlias(set) => set_alias(work, &ctx, claim, set, &mut values).await?,
            Action::Deploy(step) => deploy(work, &ctx, claim, step, &mut values).await?,
            Action::Run(_) | Action::Approval(_) => {
                return Err(Error::internal("a command is no action of the server"));
            }
        }
    }
    Ok(values)
}

fn text(claim: &Claim, text: &Text) -> Result<String> {
    text.evaluate(&claim.context).map_err(|error| Error::invalid(error.to_string()))
}

async fn register_model(
    work: &Work,
    ctx: &Ctx,
    claim: &Claim,
    register: &RegisterModel,
    values: &mut Values,
) -> Result<()> {
    let (name, from) = (text(claim, &register.name)?, text(claim, &register.from)?);
    let made = RunId::parse(&from).map_err(|_| Error::invalid(format!("`from` is {from:?}, which is no run id")))?;
    let job = format!("{}/{}", claim.run.id, claim.job.key);
    let version = match find_made(work, ctx, &name, &job).await? {
        Some(version) => version,
        None => {
            let model = CreateRegisteredModel { name: name.clone(), ..CreateRegisteredModel::default() };
            match create_registered_model(ctx, &work.rooms.models, model).await {
                Err(error) if error.code() != Code::AlreadyExists => return Err(error),
                _ => {}
            }
            let request = source_of(work, ctx, &made).await?;
            let tags = vec![Tag { key: JOB_TAG.to_owned(), value: job }];
            create_model_version(ctx, &work.rooms.models, CreateModelVersion { name: name.clone(), tags, ..request })
                .await?
        }
    };
    if let Some(alias) = &register.alias {
        let alias = text(claim, alias)?;
        set_registered_model_alias(ctx, &work.rooms.models, name.clone(), alias, version.version).await?;
    }
    values.insert("model".to_owned(), name);
    values.insert("version".to_owned(), version.version.to_string());
    Ok(())
}

async fn find_made(work: &Work, ctx: &Ctx, name: &str, job: &str) -> Result<Option<ModelVersion>> {
    let quoted = name.replace('\'', "''");
    let request = SearchModelVersions {
        filter: Some(format!("name = '{quoted}' AND tags.`{JOB_TAG}` = '{job}'")),
        max_results: 1,
        ..SearchModelVersions::default()
    };
    Ok(search_model_versions(ctx, &work.rooms.models, request).await?.items.into_iter().next())
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

async fn set_alias(work: &Work, ctx: &Ctx, claim: &Claim, set: &SetAlias, values: &mut Values) -> Result<()> {
    let (model, alias) = (text(claim, &set.model)?, text(claim, &set.alias)?);
    let version = match (&set.version, values.get("version")) {
        (Some(version), _) => text(claim, version)?,
        (None, Some(version)) => version.clone(),
        (None, None) => return Err(Error::invalid("set_alias has no version, and the job deployed none")),
    };
    let number: i64 = version.parse().map_err(|_| {
        Error::invalid(format!("the version for alias `{alias}` of `{model}` is {version:?}, which is no number"))
    })?;
    set_registered_model_alias(ctx, &work.rooms.models, model.clone(), alias, number).await?;
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

async fn deploy(work: &Work, ctx: &Ctx, claim: &Claim, step: &Deploy, values: &mut Values) -> Result<()> {
    let serving = &work.rooms.serving;
    let name = DeploymentName::parse(&text(claim, &step.deployment)?)?;
    values.insert("deployment".to_owned(), name.to_string());
    let role = match &step.step {
        DeployStep::Replace { model } => {
            let served = fixed(served(work, ctx, claim, model).await?);
            replace(work, ctx, &name, served).await?;
            Role::Primary
        }
        DeployStep::Canary { model, percent } => {
            let served = fixed(served(work, ctx, claim, model).await?);
            let current = get_deployment(ctx, serving, &name).await?;
            // Done again after a crash, the canary that runs is the one.
            if current.version(Role::Canary).is_none_or(|canary| canary.version != served.version) {
                start_canary(ctx, serving, &name, served, whole_percent(*percent)).await?;
            }
            ready(work, ctx, &name, Role::Canary).await?;
            Role::Canary
        }
        DeployStep::Shadow { model } => {
            let served = fixed(served(work, ctx, claim, model).await?);
            start_shadow(ctx, serving, &name, served).await?;
            ready(work, ctx, &name, Role::Shadow).await?;
            Role::Shadow
        }
        DeployStep::Promote => {
            ready(work, ctx, &name, Role::Canary).await?;
            promote(ctx, serving, &name).await?;
            Role::Primary
        }
        DeployStep::Rollback => {
            rollback(ctx, serving, &name).await?;
            Role::Primary
        }
    };
    let deployment = get_deployment(ctx, serving, &name).await?;
    if let Some(version) = deployment.version(role) {
        values.insert("model".to_owned(), version.model.clone());
        values.insert("version".to_owned(), version.version.to_string());
    }
    let job = claim.declaration()?;
    match &job.watch {
        Some(watch) => gate::watch(work, ctx, &name, watch, job.timeout).await,
        None => Ok(()),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the lint bounds it by 100")]
fn whole_percent(percent: f64) -> i64 {
    (percent.round() as i64).max(1)
}

/// Gives a version all traffic, without an unanswered request: it is ready before the old one goes.
async fn replace(work: &Work, ctx: &Ctx, name: &DeploymentName, served: Served) -> Result<()> {
    let serving = &work.rooms.serving;
    match get_deployment(ctx, serving, name).await {
        Ok(current) => {
            let is_primary = current
                .version(Role::Primary)
                .is_some_and(|primary| primary.model == served.reference.model && primary.version == served.version);
            if is_primary {
                return ready(work, ctx, name, Role::Primary).await.map(|_| ());
            }
            start_canary(ctx, serving, name, served, 0).await?;
            ready(work, ctx, name, Role::Canary).await?;
            promote(ctx, serving, name).await.map(|_| ())
        }
        Err(error) if error.code() == Code::NotFound => {
            create_deployment(ctx, serving, name.clone(), served, 1).await?;
            ready(work, ctx, name, Role::Primary).await.map(|_| ())
        }
        Err(error) => Err(error),
    }
}

/// Waits until a version answers.
async fn ready(work: &Work, ctx: &Ctx, name: &DeploymentName, role: Role) -> Result<Deployment> {
    let begun = Instant::now();
    loop {
        let deployment = get_deployment(ctx, &work.rooms.serving, name).await?;
        let version = deployment
            .version(role)
            .ok_or_else(|| Error::conflict(format!("deployment `{name}` has no {} any more", role.as_str())))?;
        match version.state {
            State::Ready => return Ok(deployment),
            State::Failed => {
                let why = version.error.clone().unwrap_or_default();
                return Err(Error::conflict(format!(
                    "version {} of `{}` cannot be served: {why}",
                    version.version, version.model
                )));
            }
            _ if begun.elapsed() > READY_TIMEOUT => {
                return Err(Error::conflict(format!(
                    "version {} of `{}` does not answer after {} minutes",
                    version.version,
                    version.model,
                    READY_TIMEOUT.as_secs() / 60
                )));
            }
            _ => sleep(READY_POLL).await,
        }
    }
}
