//! What starts pipelines by itself: the ledger, read from where the last server stopped, and schedules.

use std::collections::BTreeMap;

use lathe_core::{Ctx, Error, Name, Project, Result};
use lathe_data::changes::{Compared, ListChanges, list_changes};
use lathe_data::{RepositoryName, Revision};
use lathe_db::ledger::{EventRecord, follow_all, sealed_position};
use lathe_workflows::pipeline_runs::{StartPipelineRun, Trigger, start_pipeline_run};
use lathe_workflows::triggers::{
    Automatic, Happening, Reaction, find_cause, get_position, list_automatic, record_not_started, set_next,
    set_position,
};
use lathe_workflows::{PipelineName, file};
use serde_json::Value;

use super::Work;

/// What can start a pipeline: [`read`] knows each.
const ACTIONS: [&str; 5] = ["data.committed", "data.merged", "data.reverted", "alias.set", "alert.raised"];
/// Events read at a time.
const PAGE: i64 = 500;
/// Changed paths read at a time.
const CHANGES: usize = 1_000;

/// Starts whatever is to be started now.
pub(super) async fn fire(work: &Work) -> Result<()> {
    let (ctx, workflows) = (work.server_ctx(), &work.rooms.workflows);
    let sealed = sealed_position(&work.rooms.db).await?;
    let position = match get_position(&ctx, workflows).await? {
        Some(position) => position,
        // What happened before there was anybody to look starts nothing.
        None => {
            set_position(&ctx, workflows, sealed).await?;
            sealed
        }
    };
    let automatic = list_automatic(&ctx, workflows).await?;
    for one in &automatic {
        if let Err(error) = start_due(work, &ctx, one).await {
            let looked = Looked { kind: "schedule", cause: format!("look:schedule:{}", one.pipeline.file_hash) };
            pass_over(work, one, looked, error).await?;
        }
    }
    if sealed <= position {
        return Ok(());
    }
    let events = follow_all(&work.rooms.db, &ACTIONS, position, PAGE).await?;
    let is_page_full = i64::try_from(events.len()).is_ok_and(|count| count == PAGE);
    // What was sealed since comes next time: a pipeline that was pushed before it may not be among those that were listed.
    let last = match events.last().and_then(|event| event.position) {
        Some(last) if is_page_full => last.min(sealed),
        _ => sealed,
    };
    for event in events.iter().filter(|event| event.position.is_some_and(|position| position <= last)) {
        if let Some(happening) = read(event) {
            start_on(work, &ctx, &automatic, event, &happening).await?;
        }
    }
    // A cause starts a pipeline once, so that a crash before this line repeats nothing.
    set_position(&ctx, workflows, last).await
}

/// What an event is to pipelines, if anything.
fn read(event: &EventRecord) -> Option<Happening> {
    let detail: BTreeMap<String, Value> = serde_json::from_str(&event.detail).ok()?;
    let text = |key: &str| detail.get(key).and_then(Value::as_str).map(str::to_owned);
    let rest = event.subject.as_str().splitn(3, '/').nth(2)?.to_owned();
    match event.action.as_str() {
        "data.committed" | "data.merged" | "data.reverted" => {
            let (repository, commit) = rest.split_once('@')?;
            let (repository, commit) = (repository.to_owned(), commit.to_owned());
            Some(Happening::DataCommit { repository, branch: text("branch")?, commit, previous: text("previous") })
        }
        "alias.set" => {
            let (model, version) = rest.rsplit_once('/')?;
            Some(Happening::ModelAlias { model: model.to_owned(), alias: text("alias")?, version: version.to_owned() })
        }
        "alert.raised" => Some(Happening::DriftAlert { deployment: rest, severity: text("severity")?, detail }),
        _ => None,
    }
}

/// Which trigger was looked at.
struct Looked {
    /// As in [`Trigger::kind`].
    kind: &'static str,
    /// What is told once.
    cause: String,
}

/// What is wrong with one pipeline keeps no other from starting, and is told on it; what is wrong with the database keeps the position where
/// it is.
async fn pass_over(work: &Work, one: &Automatic, Looked { kind, cause }: Looked, error: Error) -> Result<()> {
    if error.code().is_transient() {
        return Err(error);
    }
    let (ctx, workflows) = (work.ctx(&one.project), &work.rooms.workflows);
    let trigger = Trigger { kind: kind.to_owned(), detail: BTreeMap::new() };
    match record_not_started(&ctx, workflows, &one.pipeline.name, (&trigger, &cause), &error).await {
        Err(unrecorded) if !unrecorded.code().is_transient() => {
            tracing::warn!(pipeline = %one.pipeline.name, error = %error.log_line(), "a pipeline's triggers are passed over");
            Ok(())
        }
        recorded => recorded.map(|_| ()),
    }
}

async fn start_due(work: &Work, ctx: &Ctx, one: &Automatic) -> Result<()> {
    let workflows = &work.rooms.workflows;
    for due in one.due(ctx, workflows).await? {
        for start in due.starts.clone() {
            begin(work, &one.project, start).await?;
        }
        set_next(ctx, workflows, &one.project, &one.pipeline.name, &due).await?;
    }
    Ok(())
}

async fn start_on(
    work: &Work,
    ctx: &Ctx,
    automatic: &[Automatic],
    event: &EventRecord,
    happening: &Happening,
) -> Result<()> {
    let found: Vec<&Automatic> = automatic.iter().filter(|one| one.project == event.project).collect();
    if found.is_empty() {
        return Ok(());
    }
    let by = find_cause(&work.ctx(&event.project), &work.rooms.workflows, &event.actor, &event.request_id).await?;
    for one in found {
        if let Err(error) = start_one_on(work, ctx, one, (event, by.as_ref()), happening).await {
            let looked = Looked { kind: happening.kind(), cause: format!("look:{}", event.id.as_str()) };
            pass_over(work, one, looked, error).await?;
        }
    }
    Ok(())
}

async fn start_one_on(
    work: &Work,
    ctx: &Ctx,
    one: &Automatic,
    (event, by): (&EventRecord, Option<&PipelineName>),
    happening: &Happening,
) -> Result<()> {
    let from = vec![cause_of(event, happening).clone()];
    let reaction = one.react(ctx, &work.rooms.workflows, happening, (event.id.as_str(), by), from).await?;
    let (start, why) = match reaction {
        Reaction::Nothing => return Ok(()),
        Reaction::Start(start) => (start, None),
        Reaction::HeldBack { start, why } => (start, Some(why)),
    };
    if let Happening::DataCommit { repository, branch, commit, previous } = happening
        && let Some(patterns) = one.wanted_paths(repository, branch)
        && !patterns.is_empty()
    {
        let before = previous.clone().unwrap_or_else(|| format!("{commit}~1"));
        match touches(work, &one.project, repository, (&before, commit), &patterns).await {
            Ok(true) => {}
            Ok(false) => return Ok(()),
            Err(error) => return not_started(work, &one.project, &start, error).await,
        }
    }
    match why {
        None => begin(work, &one.project, start).await,
        Some(why) => not_started(work, &one.project, &start, why).await,
    }
}

/// What the run comes from: of an alert, the window that was looked at.
fn cause_of<'a>(event: &'a EventRecord, happening: &Happening) -> &'a Name {
    let mut others = event.edges.iter().map(|edge| &edge.to).filter(|name| **name != event.subject);
    match happening {
        Happening::DriftAlert { .. } => others.next().unwrap_or(&event.subject),
        Happening::DataCommit { .. } | Happening::ModelAlias { .. } => &event.subject,
    }
}

/// Starts a run; what keeps one from starting for good is recorded, and must not keep others.
async fn begin(work: &Work, project: &Project, start: StartPipelineRun) -> Result<()> {
    let (ctx, workflows) = (work.ctx(project), &work.rooms.workflows);
    let started = match lathe_api::pipelines::complete(&ctx, workflows, &work.rooms.data, start.clone()).await {
        Ok(start) => start_pipeline_run(&ctx, workflows, start).await,
        Err(error) => Err(error),
    };
    match started {
        Ok(Some(run)) => {
            tracing::info!(pipeline = %run.pipeline, run = %run.id, trigger = %run.trigger.kind, "a pipeline started");
            Ok(())
        }
        Ok(None) => Ok(()),
        Err(error) => not_started(work, project, &start, error).await,
    }
}

async fn not_started(work: &Work, project: &Project, start: &StartPipelineRun, error: Error) -> Result<()> {
    if error.code().is_transient() {
        return Err(error);
    }
    let told = (&start.trigger, start.cause.as_deref().unwrap_or_default());
    record_not_started(&work.ctx(project), &work.rooms.workflows, &start.pipeline, told, &error).await.map(|_| ())
}

/// Whether a path that one of the patterns means changed between two commits.
async fn touches(
    work: &Work,
    project: &Project,
    repository: &str,
    (before, commit): (&str, &str),
    patterns: &[String],
) -> Result<bool> {
    let (ctx, name) = (work.ctx(project), RepositoryName::parse(repository)?);
    let compared = Compared::Refs { from: Revision::parse(before)?, to: Revision::parse(commit)? };
    let mut request = ListChanges { compared, prefix: String::new(), page_token: None, max_results: CHANGES };
    loop {
        let page = list_changes(&ctx, &work.rooms.data, &name, request.clone()).await?;
        if file::matches_any(patterns, page.changes.iter().map(|change| change.path.as_str())) {
            return Ok(true);
        }
        if page.next_page_token.is_none() {
            return Ok(false);
        }
        request.page_token = page.next_page_token;
    }
}

#[cfg(test)]
mod tests {
    use lathe_data::RefName;

    use super::*;

    #[test]
    fn a_file_names_what_a_repository_and_a_branch_can_be_called() {
        let is_valid = |repo: &str, branch: &str| {
            let on = format!("on: {{ data_commit: {{ repo: {repo:?}, branch: {branch:?} }} }}");
            file::read(&format!("name: p\n{on}\njobs: {{ a: {{ run: x }} }}\n")).is_ok()
        };
        for name in
            ["abc", "a1-b", "ab", "-abc", "abc-", "a--b", "Abc", "a_b", "a.b", "x/y", &"a".repeat(63), &"a".repeat(64)]
        {
            assert_eq!(is_valid(name, "main"), RepositoryName::parse(name).is_ok(), "{name}");
        }
        for name in [
            "main",
            "a",
            ".",
            "a..b",
            "x.lock",
            "a/b",
            "ä",
            "0123abcd",
            "0123ABCD",
            "0123abc",
            &"a".repeat(200),
            &"x".repeat(201),
        ] {
            assert_eq!(is_valid("abc", name), RefName::parse(name).is_ok(), "{name}");
        }
    }
}
