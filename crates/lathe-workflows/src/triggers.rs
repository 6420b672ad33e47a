//! What starts pipelines by itself: times, and what happened elsewhere.

use std::collections::BTreeMap;

use lathe_core::{Action, Actor, ActorKind, Ctx, Error, Event, Name, PipelineRunId, Project, Result};
use lathe_db::FutureExt as _;
use serde_json::{Value, json};

use crate::file::{self, Catchup, Severity, next_after};
use crate::pipeline_runs::{StartPipelineRun, Trigger};
use crate::pipelines::{self, Pipeline};
use crate::{PipelineName, Workflows, store};

/// The reader of the ledger that starts pipelines.
const READER: &str = "triggers";
/// Times of one schedule that are made up for at once, at the most.
const MAX_CATCHUP: usize = 100;

/// Something that happened and that pipelines may start on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Happening {
    /// A branch has a new commit.
    DataCommit {
        /// The repository.
        repository: String,
        /// The branch.
        branch: String,
        /// The commit.
        commit: String,
        /// Where the branch stood before, when that is not the commit's first parent: it may have moved over several.
        previous: Option<String>,
    },
    /// An alias names another version.
    ModelAlias {
        /// The registered model.
        model: String,
        /// The alias.
        alias: String,
        /// The version.
        version: String,
    },
    /// A deployment's data drifted.
    DriftAlert {
        /// The deployment.
        deployment: String,
        /// `info`, `warning` or `critical`.
        severity: String,
        /// Whatever else the alert says.
        detail: BTreeMap<String, Value>,
    },
}

impl Happening {
    /// The kind of trigger that waits for it, as in [`Trigger::kind`].
    pub fn kind(&self) -> &'static str {
        match self {
            Happening::DataCommit { .. } => "data_commit",
            Happening::ModelAlias { .. } => "model_alias",
            Happening::DriftAlert { .. } => "drift_alert",
        }
    }
}

/// What a pipeline does because of what happened.
#[derive(Debug)]
pub enum Reaction {
    /// It does not wait for that.
    Nothing,
    /// It starts.
    Start(StartPipelineRun),
    /// It would start, but for a reason that is to be told.
    HeldBack {
        /// What would start.
        start: StartPipelineRun,
        /// Why it does not.
        why: Error,
    },
}

/// A pipeline that may start by itself.
#[derive(Debug, Clone)]
pub struct Automatic {
    /// Its project.
    pub project: Project,
    /// The pipeline.
    pub pipeline: Pipeline,
    declared: std::sync::Arc<file::Pipeline>,
}

/// Every pipeline of every project that something may start, and that is not paused. One whose file cannot be read is left out, and
/// says so itself.
///
/// # Errors
/// `PermissionDenied` for all but the server itself.
pub async fn list_automatic(ctx: &Ctx, workflows: &Workflows) -> Result<Vec<Automatic>> {
    ctx.authorize(Action::Server)?;
    let mut automatic = Vec::new();
    for (project, pipeline) in store::pipelines::list_everywhere(&workflows.db).await? {
        if pipeline.is_paused {
            continue;
        }
        let declared = match pipelines::load(workflows, &project, &pipeline.file_hash).await {
            Ok(declared) => declared,
            Err(error) if error.code().is_transient() => return Err(error),
            Err(error) => {
                let ctx = Ctx { project, ..ctx.clone() };
                let cause = format!("file:{}", pipeline.file_hash);
                let trigger = Trigger { kind: "file".to_owned(), detail: BTreeMap::new() };
                record(&ctx, workflows, &pipeline.name, &trigger, &cause, &error).await?;
                continue;
            }
        };
        if declared.triggers.is_automatic() {
            automatic.push(Automatic { project, pipeline, declared });
        }
    }
    Ok(automatic)
}

impl Automatic {
    /// Patterns of the paths of a commit that would start it, of all its triggers on this branch: `None` when no commit of it does, an
    /// empty list when any does.
    pub fn wanted_paths(&self, repository: &str, branch: &str) -> Option<Vec<String>> {
        let triggers = self.declared.triggers.data_commits.iter();
        let is_meant = |one: &&file::DataCommit| one.repository.value == repository && one.branch.value == branch;
        let wants: Vec<_> = triggers.filter(is_meant).collect();
        if wants.iter().any(|one| one.paths.is_empty()) {
            return Some(Vec::new());
        }
        (!wants.is_empty())
            .then(|| wants.iter().flat_map(|one| one.paths.iter().map(|path| path.value.clone())).collect())
    }

    /// What it does because of what happened; `event` names the cause, and `by` is the pipeline that did it, if one did.
    ///
    /// # Errors
    /// What the database answers.
    pub async fn react(
        &self,
        ctx: &Ctx,
        workflows: &Workflows,
        happening: &Happening,
        (event, by): (&str, Option<&PipelineName>),
        from: Vec<Name>,
    ) -> Result<Reaction> {
        let triggers = &self.declared.triggers;
        let mut held_back = (by == Some(&self.pipeline.name)).then(|| {
            Error::conflict(format!(
                "a run of `{}` caused it, and a pipeline does not start itself",
                self.pipeline.name
            ))
        });
        let (cause, detail) = match happening {
            Happening::DataCommit { repository, branch, commit, .. } => {
                if self.wanted_paths(repository, branch).is_none() {
                    return Ok(Reaction::Nothing);
                }
                let detail = json!({ "repository": repository, "branch": branch, "commit": commit });
                (format!("data_commit:{repository}:{branch}:{commit}"), detail)
            }
            Happening::ModelAlias { model, alias, version } => {
                if !triggers.model_aliases.iter().any(|one| one.model.value == *model && one.alias.value == *alias) {
                    return Ok(Reaction::Nothing);
                }
                let detail = json!({ "model": model, "alias": alias, "version": version });
                (format!("model_alias:{event}"), detail)
            }
            Happening::DriftAlert { deployment, severity, detail } => {
                let severity_rank = severity_of(severity);
                let text = |key: &str| detail.get(key).and_then(Value::as_str);
                let found = triggers.drift_alerts.iter().find(|one| {
                    one.deployment == *deployment
                        && severity_rank.is_some_and(|severity| severity >= one.min_severity)
                        && one.is_about(text("metric"), text("rule"))
                });
                let Some(wanted) = found else { return Ok(Reaction::Nothing) };
                let prefix = format!("drift_alert:{deployment}:");
                let last =
                    store::triggers::last_fired(&workflows.db, &self.project, &self.pipeline.name, &prefix).await?;
                let cooldown_ms = i64::try_from(wanted.cooldown.as_millis()).unwrap_or(i64::MAX);
                if last.is_some_and(|last| last.saturating_add(cooldown_ms) > ctx.now_ms()) {
                    held_back = Some(Error::conflict(format!(
                        "an alert of `{deployment}` started it less than {} ago, which is its `cooldown`",
                        file::write_duration(wanted.cooldown)
                    )));
                }
                let mut all = json!({ "deployment": deployment, "severity": severity });
                if let Some(all) = all.as_object_mut() {
                    all.extend(detail.clone());
                }
                (format!("{prefix}{event}"), all)
            }
        };
        let start = self.start(happening.kind(), cause, detail, from);
        Ok(match held_back {
            Some(why) => Reaction::HeldBack { start, why },
            None => Reaction::Start(start),
        })
    }

    fn start(&self, kind: &str, cause: String, detail: Value, from: Vec<Name>) -> StartPipelineRun {
        let detail = detail.as_object().cloned().unwrap_or_default().into_iter().collect();
        StartPipelineRun {
            pipeline: self.pipeline.name.clone(),
            params: BTreeMap::new(),
            trigger: Trigger { kind: kind.to_owned(), detail },
            from,
            cause: Some(cause),
        }
    }

    /// What its schedules start now: times that passed since they were last looked at, as `catchup` says.
    ///
    /// # Errors
    /// What the database answers.
    pub async fn due(&self, ctx: &Ctx, workflows: &Workflows) -> Result<Vec<Due>> {
        let mut due = Vec::new();
        for (schedule, ordinal) in self.declared.triggers.schedules.iter().zip(0_i64..) {
            let now_ms = ctx.now_ms();
            let next = store::triggers::next_at(&workflows.db, &self.project, &self.pipeline.name, ordinal).await?;
            let Some(first) = next else {
                if let Some(next_at_ms) = next_after(schedule, now_ms) {
                    due.push(Due { ordinal, next_at_ms, starts: Vec::new() });
                }
                continue;
            };
            if first > now_ms {
                continue;
            }
            let (mut times, mut next_at_ms) = (vec![first], next_after(schedule, first));
            while let Some(time) = next_at_ms.filter(|time| *time <= now_ms) {
                if schedule.catchup != Catchup::All {
                    times.clear();
                } else if times.len() == MAX_CATCHUP {
                    // The others are made up for the next time.
                    break;
                }
                times.push(time);
                next_at_ms = next_after(schedule, time);
            }
            // A time that passed just now is on time; one that passed while nobody looked is made up for, or not.
            let is_late = times.last().is_some_and(|last| now_ms - last > LATE_MS);
            if schedule.catchup == Catchup::None && is_late {
                times.clear();
            }
            let starts = times.into_iter().map(|time| {
                let detail = json!({ "scheduled_at_ms": time, "cron": schedule.cron });
                self.start("schedule", format!("schedule:{ordinal}:{time}"), detail, Vec::new())
            });
            due.push(Due { ordinal, next_at_ms: next_at_ms.unwrap_or(i64::MAX), starts: starts.collect() });
        }
        Ok(due)
    }
}

/// When the pipeline's schedules start it next, in milliseconds since 1970; `None` without a schedule, for one that never comes, and
/// while the pipeline is paused.
///
/// # Errors
/// `PermissionDenied`.
pub fn next_run_at(ctx: &Ctx, pipeline: &Pipeline, declared: &file::Pipeline) -> Result<Option<i64>> {
    ctx.authorize(Action::Read)?;
    if pipeline.is_paused {
        return Ok(None);
    }
    let now_ms = ctx.now_ms();
    Ok(declared.triggers.schedules.iter().filter_map(|schedule| next_after(schedule, now_ms)).min())
}

/// How long after its time a schedule is on time still.
const LATE_MS: i64 = 60_000;

/// What a schedule starts.
#[derive(Debug, Clone)]
pub struct Due {
    /// Which schedule of the pipeline.
    pub ordinal: i64,
    /// When it is next looked at.
    pub next_at_ms: i64,
    /// What starts now. Each has a cause, so that it starts once even if [`set_next`] is not reached.
    pub starts: Vec<StartPipelineRun>,
}

fn severity_of(word: &str) -> Option<Severity> {
    match word {
        "info" => Some(Severity::Info),
        "warning" => Some(Severity::Warning),
        "critical" => Some(Severity::Critical),
        _ => None,
    }
}

/// The pipeline whose run did what an event tells: a job of it, with its own credentials, or the server on its behalf.
///
/// # Errors
/// `PermissionDenied` for all but the server itself.
pub async fn find_cause(
    ctx: &Ctx,
    workflows: &Workflows,
    actor: &Actor,
    request_id: &str,
) -> Result<Option<PipelineName>> {
    ctx.authorize(Action::Server)?;
    let run = match actor.kind {
        ActorKind::Run => store::attempts::find_pipeline_run(&workflows.db, &actor.name).await?,
        _ => PipelineRunId::parse(request_id).ok(),
    };
    let Some(run) = run else { return Ok(None) };
    let run = store::runs::find(&workflows.db, &run).await?;
    Ok(run.filter(|run| run.project == ctx.project).map(|run| run.pipeline))
}

/// Says on a pipeline that something would have started it, or could not be looked at, and why; once for each cause. Answers whether it is
/// the first time.
///
/// # Errors
/// `PermissionDenied` for all but the server itself.
pub async fn record_not_started(
    ctx: &Ctx,
    workflows: &Workflows,
    pipeline: &PipelineName,
    (trigger, cause): (&Trigger, &str),
    error: &Error,
) -> Result<bool> {
    ctx.authorize(Action::Server)?;
    record(ctx, workflows, pipeline, trigger, cause, error).await
}

async fn record(
    ctx: &Ctx,
    workflows: &Workflows,
    pipeline: &PipelineName,
    trigger: &Trigger,
    cause: &str,
    error: &Error,
) -> Result<bool> {
    let cause = format!("not_started:{cause}");
    if store::triggers::has_fired(&workflows.db, &ctx.project, pipeline, &cause).await? {
        return Ok(false);
    }
    tracing::warn!(%pipeline, project = %ctx.project, error = %error.log_line(), "a trigger did not start its pipeline");
    let detail = json!({ "trigger": trigger.kind, "detail": trigger.detail, "reason": error.message() });
    let (ctx, pipeline) = (ctx.clone(), pipeline.clone());
    let recorded = workflows.db.write(move |tx| {
        async move {
            if !store::triggers::fire(tx, &ctx.project, &pipeline, &cause, ctx.now_ms()).await? {
                return Ok(false);
            }
            tx.record(&ctx, Event::new("pipeline.not_started", pipeline.name(&ctx.project), detail)).await?;
            Ok(true)
        }
        .boxed()
    });
    recorded.await
}

/// Stores when a schedule is next looked at.
///
/// # Errors
/// `PermissionDenied` for all but the server itself.
pub async fn set_next(
    ctx: &Ctx,
    workflows: &Workflows,
    project: &Project,
    name: &PipelineName,
    due: &Due,
) -> Result<()> {
    ctx.authorize(Action::Server)?;
    let (project, name, ordinal, next_at_ms) = (project.clone(), name.clone(), due.ordinal, due.next_at_ms);
    workflows
        .db
        .write(move |tx| {
            async move { store::triggers::set_next_at(tx, &project, &name, ordinal, next_at_ms).await }.boxed()
        })
        .await
}

/// How far the ledger was read for triggers; `None` at first.
///
/// # Errors
/// What the database answers.
pub async fn get_position(ctx: &Ctx, workflows: &Workflows) -> Result<Option<i64>> {
    ctx.authorize(Action::Server)?;
    store::triggers::position(&workflows.db, READER).await
}

/// Stores how far the ledger was read.
///
/// # Errors
/// What the database answers.
pub async fn set_position(ctx: &Ctx, workflows: &Workflows, position: i64) -> Result<()> {
    ctx.authorize(Action::Server)?;
    workflows.db.write(move |tx| async move { store::triggers::set_position(tx, READER, position).await }.boxed()).await
}
