//! Versions of registered models: where their files lie, what made them, in which stage they are.

use lathe_core::{Action, ActorKind, Ctx, Error, Event, Kind, LoggedModelId, Name, Page, PageToken, Result, RunId};
use lathe_db::{FutureExt as _, ledger, once, query};
use lathe_search::{MODEL_VERSIONS, parse_filter, parse_order_by};
use serde_json::json;

use crate::filter::{Searched, push_clauses, push_order};
use crate::source::{self, Source};
use crate::store::{self, find_version, hold_version, touch_model, touch_version, version_not_found};
use crate::{Models, PROMPT_TAG, Tag, validate};

/// A version of a registered model.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelVersion {
    /// The registered model.
    pub name: String,
    /// 1, 2, 3, …; never given twice.
    pub version: i64,
    /// The URI that was registered.
    pub source: String,
    /// Where the files lie: what a client downloads from.
    pub storage_location: String,
    /// The run that made it, as the client named it: here or on another server.
    pub run_id: Option<String>,
    /// A link to a run elsewhere.
    pub run_link: String,
    /// The logged model it was registered from.
    pub model_id: Option<LoggedModelId>,
    /// Who registered it.
    pub user_id: String,
    /// What it is; `None` when it was taken away.
    pub description: Option<String>,
    /// Its stage.
    pub stage: Stage,
    /// When it was made, in milliseconds since 1970.
    pub created_at_ms: i64,
    /// When it last changed.
    pub updated_at_ms: i64,
    /// By key.
    pub tags: Vec<Tag>,
    /// The aliases that point at it.
    pub aliases: Vec<String>,
}

/// Where a version stands in its life, in MLflow's older way; aliases are the newer one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stage {
    /// In no stage.
    None,
    /// Being tried.
    Staging,
    /// In use.
    Production,
    /// Put away.
    Archived,
}

impl Stage {
    const ALL: [Stage; 4] = [Stage::None, Stage::Staging, Stage::Production, Stage::Archived];

    /// The stage as it stands in JSON and SQL.
    pub fn as_str(self) -> &'static str {
        match self {
            Stage::None => "None",
            Stage::Staging => "Staging",
            Stage::Production => "Production",
            Stage::Archived => "Archived",
        }
    }

    /// Parses a stage; case does not count.
    ///
    /// # Errors
    /// `InvalidArgument` for any other word.
    pub fn parse(text: &str) -> Result<Self> {
        Stage::ALL.into_iter().find(|stage| stage.as_str().eq_ignore_ascii_case(text)).ok_or_else(|| {
            Error::invalid(format!(
                "Invalid Model Version stage: {text}. Value must be one of None, Staging, Production, Archived."
            ))
        })
    }
}

/// What a new version is made from.
///
/// The caller has looked up run and logged model in the context's project; it also says where the files lie when the source is
/// a reference (`runs:/…`, `models:/m-…`).
#[derive(Debug, Clone, Default)]
pub struct CreateModelVersion {
    /// The registered model.
    pub name: String,
    /// The URI as the client named it.
    pub source: String,
    /// Where the files lie, when the source only refers to it; `None`: the source itself.
    pub storage_location: Option<String>,
    /// The run that made it, if the project has it.
    pub run: Option<RunId>,
    /// The run as the client named it; `None`: `run`.
    pub run_id: Option<String>,
    /// A link to a run elsewhere.
    pub run_link: Option<String>,
    /// The logged model it is registered from.
    pub model_id: Option<LoggedModelId>,
    /// What it is.
    pub description: Option<String>,
    /// Of a key given twice the last wins.
    pub tags: Vec<Tag>,
}

/// Which versions, in which order.
#[derive(Debug, Clone, Default)]
pub struct SearchModelVersions {
    /// For instance `name = 'fraud' AND run_id IN ('…')`.
    pub filter: Option<String>,
    /// `name`, `version_number`, `creation_timestamp`, `last_updated_timestamp`; last changed first when empty.
    pub order_by: Vec<String>,
    /// 1-200,000.
    pub max_results: i64,
    /// The previous page's token.
    pub page_token: Option<String>,
}

const SEARCHED: Searched = Searched {
    columns: &[
        ("name", "v.model"),
        ("version_number", "v.version"),
        ("run_id", "v.run_id"),
        ("source_path", "v.source"),
        ("creation_timestamp", "v.created_at_ms"),
        ("last_updated_timestamp", "v.updated_at_ms"),
    ],
    tag_value: "SELECT 1 FROM version_tags t WHERE t.project = v.project AND t.model = v.model AND t.version = v.version AND t.key = ",
};

/// Checks the source of a version with these tags before anything is looked up for it.
///
/// # Errors
/// `InvalidArgument` for local paths and relative references, in every spelling.
pub fn check_source(source: &str, tags: &[Tag]) -> Result<()> {
    parse_source(source, tags).map(|_| ())
}

fn parse_source(source: &str, tags: &[Tag]) -> Result<Source> {
    let is_prompt = tags.iter().any(|tag| tag.key == PROMPT_TAG && tag.value.eq_ignore_ascii_case("true"));
    if is_prompt { source::parse_prompt(source) } else { source::parse(source) }
}

/// Registers a new version. Done once for a context that names the change: asked again, it answers the version that was made.
///
/// # Errors
/// `InvalidArgument` for a bad source, tag or description, `NotFound` when model or source version do not exist.
pub async fn create_model_version(ctx: &Ctx, models: &Models, request: CreateModelVersion) -> Result<ModelVersion> {
    ctx.authorize(Action::Write)?;
    let CreateModelVersion { name, source, storage_location, run, run_id, run_link, model_id, description, tags } =
        request;
    let parsed = parse_source(&source, &tags)?;
    let description = description.unwrap_or_default();
    validate::description(&description)?;
    let mut tags = validate::tags(tags)?;
    tags.sort_by(|left, right| left.key.cmp(&right.key));
    let ctx = ctx.clone();
    models
        .db
        .write(move |tx| {
            async move {
                if let Some(made) = store::find_made(tx, &ctx, &name).await? {
                    return find_version(tx, &ctx, &name, made_number(&made)?).await;
                }
                // The counter's row is held until the end, so two versions never get one number.
                let next = query(
                    "UPDATE registered_models SET last_version = last_version + 1, updated_at_ms = $3 \
                     WHERE project = $1 AND name = $2 RETURNING last_version",
                )
                .bind(ctx.project.as_str())
                .bind(name.as_str())
                .bind(ctx.now_ms());
                let row = tx.fetch_optional(next).await?.ok_or_else(|| store::model_not_found(&name))?;
                let mut version = ModelVersion {
                    version: row.get(0)?,
                    storage_location: storage_location.unwrap_or_else(|| source.clone()),
                    name,
                    source,
                    run_id: run_id.or_else(|| run.as_ref().map(String::from)),
                    run_link: run_link.unwrap_or_default(),
                    model_id,
                    user_id: ctx.actor.name.clone(),
                    description: Some(description),
                    stage: Stage::None,
                    created_at_ms: ctx.now_ms(),
                    updated_at_ms: ctx.now_ms(),
                    tags,
                    aliases: Vec::new(),
                };
                let mut event_from = None;
                if let Source::Version { model, version: number } = parsed {
                    let origin = find_version(tx, &ctx, &model, number).await?;
                    version.run_id = version.run_id.or(origin.run_id);
                    version.model_id = version.model_id.or(origin.model_id);
                    version.storage_location = origin.storage_location;
                    event_from = Some(Name::model_version(&ctx.project, &model, number));
                }
                insert_version(tx, &ctx, &version).await?;
                once::note_made(tx, &ctx, &version.version.to_string()).await?;
                let subject = Name::model_version(&ctx.project, &version.name, version.version);
                let mut event = Event::new("version.created", subject.clone(), json!({ "source": version.source }));
                if let Some(from) = event_from {
                    event = event.with_edge(from, subject.clone(), "registered");
                }
                if let Some(model_id) = &version.model_id {
                    event = event.with_edge(
                        Name::new(&ctx.project, Kind::LoggedModel, model_id),
                        subject.clone(),
                        "registered",
                    );
                }
                if let Some(run_id) = &run {
                    event = event.with_edge(Name::new(&ctx.project, Kind::Run, run_id), subject, "registered");
                }
                tx.record(&ctx, event).await?;
                Ok(version)
            }
            .boxed()
        })
        .await
}

fn made_number(made: &str) -> Result<i64> {
    made.parse().map_err(|_| Error::internal("what was noted of a version is no number"))
}

async fn insert_version(tx: &mut lathe_db::Tx, ctx: &Ctx, version: &ModelVersion) -> Result<()> {
    tx.execute(
        query(
            "INSERT INTO model_versions (project, model, version, source, storage_location, run_id, run_link, model_id, user_id, \
             description, stage, created_at_ms, updated_at_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        )
        .bind(ctx.project.as_str())
        .bind(version.name.as_str())
        .bind(version.version)
        .bind(version.source.as_str())
        .bind(version.storage_location.as_str())
        .bind(version.run_id.as_deref())
        .bind(version.run_link.as_str())
        .bind(version.model_id.as_ref().map(String::from))
        .bind(version.user_id.as_str())
        .bind(version.description.as_deref())
        .bind(version.stage.as_str())
        .bind(version.created_at_ms)
        .bind(version.updated_at_ms),
    )
    .await?;
    for tag in &version.tags {
        upsert_tag(tx, ctx, &version.name, version.version, tag).await?;
    }
    Ok(())
}

async fn upsert_tag(tx: &mut lathe_db::Tx, ctx: &Ctx, name: &str, version: i64, tag: &Tag) -> Result<()> {
    tx.execute(
        query(
            "INSERT INTO version_tags (project, model, version, key, value) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (project, model, version, key) DO UPDATE SET value = excluded.value",
        )
        .bind(ctx.project.as_str())
        .bind(name)
        .bind(version)
        .bind(tag.key.as_str())
        .bind(tag.value.as_str()),
    )
    .await
    .map(|_| ())
}

/// A version with its tags and aliases.
///
/// # Errors
/// `NotFound`.
pub async fn get_model_version(ctx: &Ctx, models: &Models, name: &str, version: i64) -> Result<ModelVersion> {
    ctx.authorize(Action::Read)?;
    let mut q = store::select_versions(&ctx.project);
    q.push(" AND v.model = ").push_bind(name).push(" AND v.version = ").push_bind(version);
    let row = models.db.fetch_optional(q).await?.ok_or_else(|| version_not_found(name, version))?;
    let mut found = [store::read_version(&row)?];
    store::fill_versions(&models.db, &ctx.project, &mut found).await?;
    let [version] = found;
    Ok(version)
}

/// Changes a version's description; `None` takes it away.
///
/// # Errors
/// `NotFound`, `InvalidArgument`.
pub async fn update_model_version(
    ctx: &Ctx,
    models: &Models,
    name: &str,
    version: i64,
    description: Option<String>,
) -> Result<ModelVersion> {
    ctx.authorize(Action::Write)?;
    validate::description(description.as_deref().unwrap_or_default())?;
    let (write_ctx, model) = (ctx.clone(), name.to_owned());
    models
        .db
        .write(move |tx| {
            async move {
                let ctx = write_ctx;
                touch_version(tx, &ctx, &model, version).await?;
                let update = query(
                    "UPDATE model_versions SET description = $4 WHERE project = $1 AND model = $2 AND version = $3",
                )
                .bind(ctx.project.as_str())
                .bind(model.as_str())
                .bind(version)
                .bind(description);
                tx.execute(update).await?;
                let subject = Name::model_version(&ctx.project, &model, version);
                tx.record(&ctx, Event::new("version.updated", subject, json!({ "changed": ["description"] }))).await
            }
            .boxed()
        })
        .await?;
    get_model_version(ctx, models, name, version).await
}

/// Removes a version with its aliases and tags. Its number is not given again.
///
/// # Errors
/// `NotFound`.
pub async fn delete_model_version(ctx: &Ctx, models: &Models, name: String, version: i64) -> Result<()> {
    ctx.authorize(Action::Manage)?;
    let ctx = ctx.clone();
    models
        .db
        .write(move |tx| {
            async move {
                touch_model(tx, &ctx, &name).await.map_err(|_| version_not_found(&name, version))?;
                find_version(tx, &ctx, &name, version).await?;
                for statement in [
                    "DELETE FROM model_aliases WHERE project = $1 AND model = $2 AND version = $3",
                    "DELETE FROM version_tags WHERE project = $1 AND model = $2 AND version = $3",
                    "DELETE FROM model_versions WHERE project = $1 AND model = $2 AND version = $3",
                ] {
                    tx.execute(query(statement).bind(ctx.project.as_str()).bind(name.as_str()).bind(version)).await?;
                }
                let subject = Name::model_version(&ctx.project, &name, version);
                tx.record(&ctx, Event::new("version.deleted", subject, json!({}))).await
            }
            .boxed()
        })
        .await
}

/// Versions that match.
///
/// # Errors
/// `InvalidArgument` for a bad filter, order, page size or token.
pub async fn search_model_versions(
    ctx: &Ctx,
    models: &Models,
    request: SearchModelVersions,
) -> Result<Page<ModelVersion>> {
    ctx.authorize(Action::Read)?;
    let SearchModelVersions { filter, order_by, max_results, page_token } = request;
    if max_results < 1 {
        return Err(Error::invalid(format!(
            "Invalid value for max_results. It must be a positive integer, but got {max_results}"
        )));
    }
    let limit = validate::max_results(max_results, 200_000)?;
    let token = PageToken::read(page_token.as_deref(), &format!("versions {filter:?} {order_by:?}"))?;
    let clauses = parse_filter(&MODEL_VERSIONS, filter.as_deref().unwrap_or_default())?;
    let orders = order_by.iter().map(|text| parse_order_by(&MODEL_VERSIONS, text)).collect::<Result<Vec<_>>>()?;
    let mut q = store::select_versions(&ctx.project);
    push_clauses(&mut q, &SEARCHED, &clauses)?;
    let last =
        if orders.is_empty() { "v.updated_at_ms DESC, v.model, v.version DESC" } else { "v.model, v.version DESC" };
    push_order(&mut q, &SEARCHED, &orders, last)?;
    q.push(" LIMIT ").push_bind(max_results + 1).push(" OFFSET ").push_bind(token.offset_sql());
    let rows = models.db.fetch_all(q).await?;
    let found = rows.iter().map(store::read_version).collect::<Result<Vec<_>>>()?;
    let mut page = Page::from_overread(found, &token, limit);
    store::fill_versions(&models.db, &ctx.project, &mut page.items).await?;
    Ok(page)
}

/// What becomes of other versions in the stage that a version enters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OthersInStage {
    /// They stay.
    Keep,
    /// They are archived; only for Staging and Production.
    Archive,
}

/// Moves a version into a stage.
///
/// # Errors
/// `NotFound`, `InvalidArgument` for an unknown stage, or when others should be archived from one that is not active.
pub async fn transition_stage(
    ctx: &Ctx,
    models: &Models,
    name: &str,
    version: i64,
    stage: &str,
    others: OthersInStage,
) -> Result<ModelVersion> {
    ctx.authorize(Action::Manage)?;
    let stage = Stage::parse(stage)?;
    if others == OthersInStage::Archive && !matches!(stage, Stage::Staging | Stage::Production) {
        return Err(Error::invalid(format!(
            "Model version transition cannot archive existing model versions because '{}' is not an Active stage. \
             Valid stages are ['Staging', 'Production']",
            stage.as_str()
        )));
    }
    let (write_ctx, model) = (ctx.clone(), name.to_owned());
    models
        .db
        .write(move |tx| {
            async move {
                let ctx = write_ctx;
                touch_model(tx, &ctx, &model).await.map_err(|_| version_not_found(&model, version))?;
                let before = find_version(tx, &ctx, &model, version).await?.stage;
                touch_version(tx, &ctx, &model, version).await?;
                let set = query("UPDATE model_versions SET stage = $4 WHERE project = $1 AND model = $2 AND version = $3")
                    .bind(ctx.project.as_str())
                    .bind(model.as_str())
                    .bind(version)
                    .bind(stage.as_str());
                tx.execute(set).await?;
                let mut archived = 0;
                if others == OthersInStage::Archive {
                    let archive = query(
                        "UPDATE model_versions SET stage = 'Archived', updated_at_ms = $5 \
                         WHERE project = $1 AND model = $2 AND version <> $3 AND stage = $4",
                    )
                    .bind(ctx.project.as_str())
                    .bind(model.as_str())
                    .bind(version)
                    .bind(stage.as_str())
                    .bind(ctx.now_ms());
                    archived = tx.execute(archive).await?;
                }
                let subject = Name::model_version(&ctx.project, &model, version);
                let detail = json!({ "stage": stage.as_str(), "previous_stage": before.as_str(), "archived_versions": archived });
                tx.record(&ctx, Event::new("version.staged", subject, detail)).await
            }
            .boxed()
        })
        .await?;
    get_model_version(ctx, models, name, version).await
}

/// Sets a tag of a version.
///
/// # Errors
/// `NotFound`, `InvalidArgument`.
pub async fn set_model_version_tag(ctx: &Ctx, models: &Models, name: String, version: i64, tag: Tag) -> Result<()> {
    ctx.authorize(Action::Write)?;
    validate::tag(&tag)?;
    let ctx = ctx.clone();
    models
        .db
        .write(move |tx| {
            async move {
                hold_version(tx, &ctx, &name, version).await?;
                upsert_tag(tx, &ctx, &name, version, &tag).await?;
                let subject = Name::model_version(&ctx.project, &name, version);
                tx.record(&ctx, Event::new("version.tagged", subject, json!({ "tags": [tag.key] }))).await
            }
            .boxed()
        })
        .await
}

/// Removes a tag of a version; one that does not exist is fine.
///
/// # Errors
/// `NotFound` when the version does not exist.
pub async fn delete_model_version_tag(
    ctx: &Ctx,
    models: &Models,
    name: String,
    version: i64,
    key: String,
) -> Result<()> {
    ctx.authorize(Action::Write)?;
    let ctx = ctx.clone();
    models
        .db
        .write(move |tx| {
            async move {
                hold_version(tx, &ctx, &name, version).await?;
                let delete =
                    query("DELETE FROM version_tags WHERE project = $1 AND model = $2 AND version = $3 AND key = $4")
                        .bind(ctx.project.as_str())
                        .bind(name.as_str())
                        .bind(version)
                        .bind(key.as_str());
                if tx.execute(delete).await? == 0 {
                    return Ok(());
                }
                let subject = Name::model_version(&ctx.project, &name, version);
                tx.record(&ctx, Event::new("version.tagged", subject, json!({ "deleted": [key] }))).await
            }
            .boxed()
        })
        .await
}

/// Where a client downloads the version's files from.
///
/// # Errors
/// `NotFound`.
pub async fn get_download_uri(ctx: &Ctx, models: &Models, name: &str, version: i64) -> Result<String> {
    get_model_version(ctx, models, name, version).await.map(|version| version.storage_location)
}

/// Notes that the run that acts reads a version: an edge of the lineage graph, once. Of what the run registered itself there is none.
///
/// # Errors
/// `NotFound` for the version.
pub async fn note_read(ctx: &Ctx, models: &Models, name: &str, version: i64) -> Result<()> {
    ctx.authorize(Action::Read)?;
    if ctx.actor.kind != ActorKind::Run {
        return Ok(());
    }
    let found = get_model_version(ctx, models, name, version).await?;
    let source = Name::model_version(&ctx.project, name, version);
    let run = Name::new(&ctx.project, Kind::Run, &ctx.actor.name);
    let is_own = found.run_id.as_deref() == Some(ctx.actor.name.as_str());
    // A version has many files, and is read many times: only the first one writes.
    if is_own || ledger::is_edge_known(&models.db, &source, &run, "read").await? {
        return Ok(());
    }
    let (ctx, name) = (ctx.clone(), name.to_owned());
    models
        .db
        .write(move |tx| {
            async move {
                tx.hold(&format!("read of {source} by {run}")).await?;
                if ledger::has_edge(tx, &source, &run, "read").await? {
                    return Ok(());
                }
                let happened = Event::new("version.read", run.clone(), json!({ "model": name, "version": version }));
                tx.record(&ctx, happened.with_edge(source, run, "read")).await
            }
            .boxed()
        })
        .await
}
