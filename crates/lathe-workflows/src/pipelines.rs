//! Pipelines: a file, the code it belongs to, and whether it may start by itself.

use std::sync::Arc;

use lathe_core::{Action, Ctx, Error, Event, Page, PageToken, Project, Result};
use lathe_db::{FutureExt as _, Tx};
use serde_json::json;

use crate::pipeline_runs::PipelineRun;
use crate::{PipelineName, Workflows, file, store};

const MAX_PAGE: usize = 1_000;

/// A pipeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pipeline {
    /// Its name, unique in the project.
    pub name: PipelineName,
    /// BLAKE3 of its file's text, as hex.
    pub file_hash: String,
    /// The code its jobs run; `None` when it was pushed without.
    pub code_id: Option<String>,
    /// Whether nothing starts it by itself.
    pub is_paused: bool,
    /// How many runs it has had.
    pub runs: i64,
    /// When it was first pushed, in milliseconds since 1970.
    pub created_at_ms: i64,
    /// When it was last pushed, in milliseconds since 1970.
    pub updated_at_ms: i64,
}

/// Stores a pipeline's file, under the name that stands in it.
///
/// # Errors
/// `InvalidArgument` when the file does not pass `lathe pipeline lint`, `NotFound` for the code.
pub async fn push_pipeline(
    ctx: &Ctx,
    workflows: &Workflows,
    text: String,
    code_id: Option<String>,
) -> Result<Pipeline> {
    ctx.authorize(Action::Write)?;
    let parsed = file::read(&text).map_err(|found| not_valid(&found))?;
    if parsed.triggers.is_automatic() {
        // Nobody is asked again when it starts by itself.
        crate::pipeline_runs::authorize_actions(ctx, &parsed).map_err(|error| {
            Error::new(error.code(), format!("{}, and `on` starts the pipeline by itself", error.message()))
                .with_hint("let a maintainer push it, or leave `manual: {}` alone in `on`")
        })?;
    }
    if let Some(id) = &code_id {
        crate::code::get_code(ctx, workflows, id).await?;
    }
    let name = PipelineName::parse(&parsed.name.value)?;
    let file_hash = blake3::hash(text.as_bytes()).to_hex().to_string();
    let now_ms = ctx.now_ms();
    let pipeline = Pipeline {
        name: name.clone(),
        file_hash,
        code_id,
        is_paused: false,
        runs: 0,
        created_at_ms: now_ms,
        updated_at_ms: now_ms,
    };
    let event_ctx = ctx.clone();
    workflows
        .db
        .write(move |tx| {
            async move {
                let project = &event_ctx.project;
                store::pipelines::insert_file(tx, project, &pipeline.file_hash, &text).await?;
                let before = store::pipelines::upsert(tx, project, &pipeline).await?;
                let is_new_file = before.as_ref().is_none_or(|(file, _)| *file != pipeline.file_hash);
                let action = match &before {
                    None => "pipeline.created",
                    Some((_, code)) if !is_new_file && *code == pipeline.code_id => return Ok(()),
                    Some(_) => "pipeline.updated",
                };
                if is_new_file {
                    store::triggers::delete_schedules(tx, project, &pipeline.name).await?;
                }
                let detail = json!({ "file_hash": pipeline.file_hash, "code": pipeline.code_id });
                tx.record(&event_ctx, Event::new(action, pipeline.name.name(project), detail)).await
            }
            .boxed()
        })
        .await?;
    get_pipeline(ctx, workflows, &name).await
}

/// A pipeline.
///
/// # Errors
/// `NotFound`.
pub async fn get_pipeline(ctx: &Ctx, workflows: &Workflows, name: &PipelineName) -> Result<Pipeline> {
    ctx.authorize(Action::Read)?;
    store::pipelines::find(&workflows.db, &ctx.project, name).await?.ok_or_else(|| not_found(name))
}

/// The project's pipelines, by name.
///
/// # Errors
/// `InvalidArgument` for a bad page.
pub async fn list_pipelines(
    ctx: &Ctx,
    workflows: &Workflows,
    page_token: Option<&str>,
    max_results: usize,
) -> Result<Page<Pipeline>> {
    ctx.authorize(Action::Read)?;
    let limit = page_size(max_results)?;
    let token = PageToken::read(page_token, &format!("pipelines {}", ctx.project))?;
    let rows = store::pipelines::list(&workflows.db, &ctx.project, token.offset_sql(), overread(limit)).await?;
    Ok(Page::from_overread(rows, &token, limit))
}

/// Lets a pipeline start by itself, or keeps it from doing so. Times of its schedules that pass meanwhile are not made up for.
///
/// # Errors
/// `NotFound`; `PermissionDenied` for whoever resumes what moves aliases or deployments and may not do so by hand.
pub async fn set_paused(ctx: &Ctx, workflows: &Workflows, name: &PipelineName, is_paused: bool) -> Result<Pipeline> {
    ctx.authorize(Action::Write)?;
    if !is_paused {
        let (_, declared) = read_pipeline(ctx, workflows, name).await?;
        crate::pipeline_runs::authorize_actions(ctx, &declared)?;
    }
    let (event_ctx, target) = (ctx.clone(), name.clone());
    workflows
        .db
        .write(move |tx| {
            async move {
                let was_paused = store::pipelines::set_paused(tx, &event_ctx.project, &target, is_paused).await?;
                if was_paused.ok_or_else(|| not_found(&target))? && !is_paused {
                    // What its schedules would have started meanwhile was not wanted: they begin anew from now.
                    store::triggers::delete_schedules(tx, &event_ctx.project, &target).await?;
                }
                let action = if is_paused { "pipeline.paused" } else { "pipeline.resumed" };
                tx.record(&event_ctx, Event::new(action, target.name(&event_ctx.project), json!({}))).await
            }
            .boxed()
        })
        .await?;
    get_pipeline(ctx, workflows, name).await
}

/// A pipeline and what its file says.
///
/// # Errors
/// `NotFound`.
pub async fn read_pipeline(
    ctx: &Ctx,
    workflows: &Workflows,
    name: &PipelineName,
) -> Result<(Pipeline, Arc<file::Pipeline>)> {
    let pipeline = get_pipeline(ctx, workflows, name).await?;
    let declared = load(workflows, &ctx.project, &pipeline.file_hash).await?;
    Ok((pipeline, declared))
}

/// What the file of a run says, as it was when the run started.
///
/// # Errors
/// `PermissionDenied`.
pub async fn read_declared(ctx: &Ctx, workflows: &Workflows, run: &PipelineRun) -> Result<Arc<file::Pipeline>> {
    ctx.authorize(Action::Read)?;
    load(workflows, &ctx.project, &run.file_hash).await
}

/// The text of a file that a pipeline has or had.
///
/// # Errors
/// `NotFound`.
pub async fn get_file(ctx: &Ctx, workflows: &Workflows, file_hash: &str) -> Result<String> {
    ctx.authorize(Action::Read)?;
    read_file(workflows, &ctx.project, file_hash).await
}

async fn read_file(workflows: &Workflows, project: &Project, file_hash: &str) -> Result<String> {
    let found = store::pipelines::read_file(&workflows.db, project, file_hash).await?;
    found.ok_or_else(|| no_file(file_hash))
}

/// A stored file, parsed; the newest ones are kept parsed.
pub(crate) async fn load(workflows: &Workflows, project: &Project, file_hash: &str) -> Result<Arc<file::Pipeline>> {
    let key = (project.clone(), file_hash.to_owned());
    if let Some(parsed) = workflows.files.get(&key) {
        return Ok(parsed);
    }
    let parsed = Arc::new(parse(&read_file(workflows, project, file_hash).await?)?);
    workflows.files.insert(key, Arc::clone(&parsed));
    Ok(parsed)
}

/// The same within a transaction.
pub(crate) async fn load_in(tx: &mut Tx, project: &Project, file_hash: &str) -> Result<file::Pipeline> {
    let found = store::pipelines::read_file_in(tx, project, file_hash).await?;
    parse(&found.ok_or_else(|| no_file(file_hash))?)
}

fn parse(text: &str) -> Result<file::Pipeline> {
    file::read_stored(text).map_err(|found| not_valid(&found))
}

/// All that is wrong with a file, a line each.
fn not_valid(found: &[file::Diagnostic]) -> Error {
    let lines: Vec<String> =
        found.iter().map(|one| format!("{}:{}: {} [{}]", one.at.line, one.at.column, one.message, one.code)).collect();
    Error::invalid(format!("the pipeline file is not valid:\n{}", lines.join("\n"))).with_hint("lathe pipeline lint")
}

fn no_file(file_hash: &str) -> Error {
    Error::not_found(format!("pipeline file {file_hash:?} does not exist"))
}

pub(crate) fn not_found(name: &PipelineName) -> Error {
    Error::not_found(format!("pipeline `{name}` does not exist")).with_hint("lathe pipeline list")
}

pub(crate) fn page_size(max_results: usize) -> Result<usize> {
    if (1..=MAX_PAGE).contains(&max_results) {
        return Ok(max_results);
    }
    Err(Error::invalid(format!("max_results must be 1-{MAX_PAGE}, not {max_results}")))
}

pub(crate) fn overread(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX - 1) + 1
}
