//! Registered models: names under which versions are kept, with tags and aliases.

use lathe_core::{Action, Code, Ctx, Error, Event, Kind, Name, Page, PageToken, Result};
use lathe_db::{FutureExt as _, Tx, once, query};
use lathe_search::{REGISTERED_MODELS, parse_filter, parse_order_by};
use serde_json::{Value, json};

use crate::filter::{Searched, push_clauses, push_order};
use crate::store::{self, hold_model, model_not_found, touch_model, version_not_found};
use crate::{ModelVersion, Models, Stage, Tag, validate};

/// A registered model.
#[derive(Debug, Clone, PartialEq)]
pub struct RegisteredModel {
    /// Its name, unique in the project.
    pub name: String,
    /// What it is for; `None` when never given.
    pub description: Option<String>,
    /// When it was made, in milliseconds since 1970.
    pub created_at_ms: i64,
    /// When it or one of its versions last changed.
    pub updated_at_ms: i64,
    /// By key.
    pub tags: Vec<Tag>,
    /// By alias.
    pub aliases: Vec<Alias>,
    /// The newest version of each stage that has one.
    pub latest_versions: Vec<ModelVersion>,
}

/// A movable name of one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alias {
    /// The name.
    pub alias: String,
    /// Where it points.
    pub version: i64,
}

/// What a new registered model is made from.
#[derive(Debug, Clone, Default)]
pub struct CreateRegisteredModel {
    /// Without `/`, `:` and control characters, at most 256 characters.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// Of a key given twice the last wins.
    pub tags: Vec<Tag>,
}

/// Which models, in which order.
#[derive(Debug, Clone, Default)]
pub struct SearchRegisteredModels {
    /// For instance `name ILIKE '%fraud%' AND tags.team = 'risk'`.
    pub filter: Option<String>,
    /// `name`, `creation_timestamp`, `last_updated_timestamp`; by name when empty.
    pub order_by: Vec<String>,
    /// 1-1,000.
    pub max_results: i64,
    /// The previous page's token.
    pub page_token: Option<String>,
}

const SEARCHED: Searched = Searched {
    columns: &[
        ("name", "m.name"),
        ("creation_timestamp", "m.created_at_ms"),
        ("last_updated_timestamp", "m.updated_at_ms"),
    ],
    tag_value: "SELECT 1 FROM model_tags t WHERE t.project = m.project AND t.model = m.name AND t.key = ",
};

/// Makes a registered model.
///
/// # Errors
/// `InvalidArgument` for a bad name or tag, `AlreadyExists`.
pub async fn create_registered_model(
    ctx: &Ctx,
    models: &Models,
    request: CreateRegisteredModel,
) -> Result<RegisteredModel> {
    ctx.authorize(Action::Write)?;
    let CreateRegisteredModel { name, description, tags } = request;
    validate::model_name(&name)?;
    validate::description(description.as_deref().unwrap_or_default())?;
    let mut tags = validate::tags(tags)?;
    tags.sort_by(|left, right| left.key.cmp(&right.key));
    let ctx = ctx.clone();
    models
        .db
        .write(move |tx| {
            async move {
                let insert = query(
                    "INSERT INTO registered_models (project, name, description, created_at_ms, updated_at_ms, last_version) \
                     VALUES ($1, $2, $3, $4, $5, 0) ON CONFLICT DO NOTHING",
                )
                .bind(ctx.project.as_str())
                .bind(name.as_str())
                .bind(description.as_deref())
                .bind(ctx.now_ms())
                .bind(ctx.now_ms());
                if tx.execute(insert).await? == 0 {
                    return Err(taken(&name));
                }
                for tag in &tags {
                    upsert_tag(tx, &ctx, &name, tag).await?;
                }
                tx.record(&ctx, event(&ctx, "model.created", &name, json!({ "tags": keys(&tags) }))).await?;
                let now_ms = ctx.now_ms();
                Ok(RegisteredModel {
                    name,
                    description,
                    created_at_ms: now_ms,
                    updated_at_ms: now_ms,
                    tags,
                    aliases: Vec::new(),
                    latest_versions: Vec::new(),
                })
            }
            .boxed()
        })
        .await
}

fn taken(name: &str) -> Error {
    Error::already_exists(format!("Registered Model (name={name}) already exists."))
}

fn keys(tags: &[Tag]) -> Vec<&str> {
    tags.iter().map(|tag| tag.key.as_str()).collect()
}

fn event(ctx: &Ctx, action: &'static str, name: &str, detail: Value) -> Event {
    Event::new(action, Name::new(&ctx.project, Kind::Model, name), detail)
}

/// A registered model with its tags, aliases and newest versions.
///
/// # Errors
/// `NotFound`.
pub async fn get_registered_model(ctx: &Ctx, models: &Models, name: &str) -> Result<RegisteredModel> {
    ctx.authorize(Action::Read)?;
    let mut q = store::select_models(&ctx.project);
    q.push(" AND m.name = ").push_bind(name);
    let row = models.db.fetch_optional(q).await?.ok_or_else(|| model_not_found(name))?;
    let mut found = [store::read_model(&row)?];
    store::fill_models(&models.db, &ctx.project, &mut found).await?;
    let [model] = found;
    Ok(model)
}

/// Gives a model, with all its versions, aliases and tags, another name.
///
/// # Errors
/// `NotFound`, `AlreadyExists`, `InvalidArgument`.
pub async fn rename_registered_model(
    ctx: &Ctx,
    models: &Models,
    name: &str,
    new_name: &str,
) -> Result<RegisteredModel> {
    ctx.authorize(Action::Write)?;
    validate::model_name(new_name)?;
    let (write_ctx, old, new) = (ctx.clone(), name.to_owned(), new_name.to_owned());
    models
        .db
        .write(move |tx| {
            async move {
                let ctx = write_ctx;
                touch_model(tx, &ctx, &old).await?;
                if old == new {
                    return Ok(());
                }
                let rename = query("UPDATE registered_models SET name = $3 WHERE project = $1 AND name = $2")
                    .bind(ctx.project.as_str())
                    .bind(old.as_str())
                    .bind(new.as_str());
                tx.execute(rename)
                    .await
                    .map_err(|error| if error.code() == Code::AlreadyExists { taken(&new) } else { error })?;
                for statement in [
                    "UPDATE model_tags SET model = $3 WHERE project = $1 AND model = $2",
                    "UPDATE model_versions SET model = $3 WHERE project = $1 AND model = $2",
                    "UPDATE version_tags SET model = $3 WHERE project = $1 AND model = $2",
                    "UPDATE model_aliases SET model = $3 WHERE project = $1 AND model = $2",
                ] {
                    tx.execute(query(statement).bind(ctx.project.as_str()).bind(old.as_str()).bind(new.as_str()))
                        .await?;
                }
                let (from, to) =
                    (Name::new(&ctx.project, Kind::Model, &old), Name::new(&ctx.project, Kind::Model, &new));
                let renamed =
                    event(&ctx, "model.renamed", &new, json!({ "old_name": old })).with_edge(from, to, "renamed");
                tx.record(&ctx, renamed).await
            }
            .boxed()
        })
        .await?;
    get_registered_model(ctx, models, new_name).await
}

/// Changes a model's description.
///
/// # Errors
/// `NotFound`, `InvalidArgument`.
pub async fn update_registered_model(
    ctx: &Ctx,
    models: &Models,
    name: &str,
    description: Option<String>,
) -> Result<RegisteredModel> {
    ctx.authorize(Action::Write)?;
    validate::description(description.as_deref().unwrap_or_default())?;
    let (write_ctx, model) = (ctx.clone(), name.to_owned());
    models
        .db
        .write(move |tx| {
            async move {
                let ctx = write_ctx;
                touch_model(tx, &ctx, &model).await?;
                let update = query("UPDATE registered_models SET description = $3 WHERE project = $1 AND name = $2")
                    .bind(ctx.project.as_str())
                    .bind(model.as_str())
                    .bind(description);
                tx.execute(update).await?;
                tx.record(&ctx, event(&ctx, "model.updated", &model, json!({ "changed": ["description"] }))).await
            }
            .boxed()
        })
        .await?;
    get_registered_model(ctx, models, name).await
}

/// Removes a model with all its versions, aliases and tags. What happened to it stays in the ledger.
///
/// # Errors
/// `NotFound`.
pub async fn delete_registered_model(ctx: &Ctx, models: &Models, name: String) -> Result<()> {
    ctx.authorize(Action::Manage)?;
    let ctx = ctx.clone();
    models
        .db
        .write(move |tx| {
            async move {
                touch_model(tx, &ctx, &name).await?;
                for statement in [
                    "DELETE FROM model_aliases WHERE project = $1 AND model = $2",
                    "DELETE FROM version_tags WHERE project = $1 AND model = $2",
                    "DELETE FROM model_versions WHERE project = $1 AND model = $2",
                    "DELETE FROM model_tags WHERE project = $1 AND model = $2",
                    "DELETE FROM registered_models WHERE project = $1 AND name = $2",
                ] {
                    tx.execute(query(statement).bind(ctx.project.as_str()).bind(name.as_str())).await?;
                }
                tx.record(&ctx, event(&ctx, "model.deleted", &name, json!({}))).await
            }
            .boxed()
        })
        .await
}

/// Models that match.
///
/// # Errors
/// `InvalidArgument` for a bad filter, order, page size or token.
pub async fn search_registered_models(
    ctx: &Ctx,
    models: &Models,
    request: SearchRegisteredModels,
) -> Result<Page<RegisteredModel>> {
    ctx.authorize(Action::Read)?;
    let SearchRegisteredModels { filter, order_by, max_results, page_token } = request;
    let limit = validate::max_results(max_results, 1000)?;
    let token = PageToken::read(page_token.as_deref(), &format!("models {filter:?} {order_by:?}"))?;
    let clauses = parse_filter(&REGISTERED_MODELS, filter.as_deref().unwrap_or_default())?;
    let orders = order_by.iter().map(|text| parse_order_by(&REGISTERED_MODELS, text)).collect::<Result<Vec<_>>>()?;
    let mut q = store::select_models(&ctx.project);
    push_clauses(&mut q, &SEARCHED, &clauses)?;
    push_order(&mut q, &SEARCHED, &orders, "m.name")?;
    q.push(" LIMIT ").push_bind(max_results + 1).push(" OFFSET ").push_bind(token.offset_sql());
    let rows = models.db.fetch_all(q).await?;
    let found = rows.iter().map(store::read_model).collect::<Result<Vec<_>>>()?;
    let mut page = Page::from_overread(found, &token, limit);
    store::fill_models(&models.db, &ctx.project, &mut page.items).await?;
    Ok(page)
}

async fn upsert_tag(tx: &mut Tx, ctx: &Ctx, name: &str, tag: &Tag) -> Result<()> {
    tx.execute(
        query(
            "INSERT INTO model_tags (project, model, key, value) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (project, model, key) DO UPDATE SET value = excluded.value",
        )
        .bind(ctx.project.as_str())
        .bind(name)
        .bind(tag.key.as_str())
        .bind(tag.value.as_str()),
    )
    .await
    .map(|_| ())
}

/// Sets a tag of a model.
///
/// # Errors
/// `NotFound`, `InvalidArgument`.
pub async fn set_registered_model_tag(ctx: &Ctx, models: &Models, name: String, tag: Tag) -> Result<()> {
    ctx.authorize(Action::Write)?;
    validate::tag(&tag)?;
    let ctx = ctx.clone();
    models
        .db
        .write(move |tx| {
            async move {
                hold_model(tx, &ctx, &name).await?;
                upsert_tag(tx, &ctx, &name, &tag).await?;
                tx.record(&ctx, event(&ctx, "model.tagged", &name, json!({ "tags": [tag.key] }))).await
            }
            .boxed()
        })
        .await
}

/// Removes a tag of a model; one that does not exist is fine.
///
/// # Errors
/// `NotFound` when the model does not exist.
pub async fn delete_registered_model_tag(ctx: &Ctx, models: &Models, name: String, key: String) -> Result<()> {
    ctx.authorize(Action::Write)?;
    let ctx = ctx.clone();
    models
        .db
        .write(move |tx| {
            async move {
                hold_model(tx, &ctx, &name).await?;
                let delete = query("DELETE FROM model_tags WHERE project = $1 AND model = $2 AND key = $3")
                    .bind(ctx.project.as_str())
                    .bind(name.as_str())
                    .bind(key.as_str());
                if tx.execute(delete).await? == 0 {
                    return Ok(());
                }
                tx.record(&ctx, event(&ctx, "model.tagged", &name, json!({ "deleted": [key] }))).await
            }
            .boxed()
        })
        .await
}

/// Points an alias at a version, wherever it pointed before. Done once for a context that names the change: what others did with
/// the alias since then stays.
///
/// # Errors
/// `InvalidArgument` for a reserved or malformed alias, `NotFound` when the version does not exist.
pub async fn set_registered_model_alias(
    ctx: &Ctx,
    models: &Models,
    name: String,
    alias: String,
    version: i64,
) -> Result<()> {
    ctx.authorize(Action::Manage)?;
    validate::alias(&alias)?;
    let ctx = ctx.clone();
    models
        .db
        .write(move |tx| {
            async move {
                if store::find_made(tx, &ctx, &name).await?.is_some() {
                    return Ok(());
                }
                once::note_made(tx, &ctx, &version.to_string()).await?;
                hold_model(tx, &ctx, &name).await.map_err(|_| version_not_found(&name, version))?;
                store::find_version(tx, &ctx, &name, version).await?;
                let before =
                    query("SELECT version FROM model_aliases WHERE project = $1 AND model = $2 AND alias = $3")
                        .bind(ctx.project.as_str())
                        .bind(name.as_str())
                        .bind(alias.as_str());
                let previous: Option<i64> = tx.fetch_optional(before).await?.map(|row| row.get(0)).transpose()?;
                if previous == Some(version) {
                    return Ok(());
                }
                tx.execute(
                    query(
                        "INSERT INTO model_aliases (project, model, alias, version) VALUES ($1, $2, $3, $4) \
                         ON CONFLICT (project, model, alias) DO UPDATE SET version = excluded.version",
                    )
                    .bind(ctx.project.as_str())
                    .bind(name.as_str())
                    .bind(alias.as_str())
                    .bind(version),
                )
                .await?;
                let subject = Name::model_version(&ctx.project, &name, version);
                tx.record(
                    &ctx,
                    Event::new("alias.set", subject, json!({ "alias": alias, "previous_version": previous })),
                )
                .await
            }
            .boxed()
        })
        .await
}

/// Removes an alias; one that does not exist is fine.
///
/// # Errors
/// `NotFound` when the model does not exist.
pub async fn delete_registered_model_alias(ctx: &Ctx, models: &Models, name: String, alias: String) -> Result<()> {
    ctx.authorize(Action::Manage)?;
    let ctx = ctx.clone();
    models
        .db
        .write(move |tx| {
            async move {
                hold_model(tx, &ctx, &name).await?;
                let delete = query(
                    "DELETE FROM model_aliases WHERE project = $1 AND model = $2 AND alias = $3 RETURNING version",
                )
                .bind(ctx.project.as_str())
                .bind(name.as_str())
                .bind(alias.as_str());
                let Some(row) = tx.fetch_optional(delete).await? else { return Ok(()) };
                let subject = Name::model_version(&ctx.project, &name, row.get(0)?);
                tx.record(&ctx, Event::new("alias.deleted", subject, json!({ "alias": alias }))).await
            }
            .boxed()
        })
        .await
}

/// The version that an alias points at; `latest` is the newest one.
///
/// # Errors
/// `NotFound` when the model does not exist or has no version, `InvalidArgument` (MLflow's code) when the alias does not.
pub async fn get_version_by_alias(ctx: &Ctx, models: &Models, name: &str, alias: &str) -> Result<ModelVersion> {
    ctx.authorize(Action::Read)?;
    if alias.eq_ignore_ascii_case("latest") {
        let model = get_registered_model(ctx, models, name).await?;
        let newest = model.latest_versions.into_iter().max_by_key(|version| version.version);
        return newest.ok_or_else(|| Error::not_found(format!("Latest version not found for model {name}.")));
    }
    let q = query(
        "SELECT a.version FROM registered_models m LEFT JOIN model_aliases a ON a.project = m.project AND a.model = m.name \
         AND a.alias = $3 WHERE m.project = $1 AND m.name = $2",
    )
    .bind(ctx.project.as_str())
    .bind(name)
    .bind(alias);
    let row = models.db.fetch_optional(q).await?.ok_or_else(|| model_not_found(name))?;
    let version: Option<i64> = row.get(0)?;
    let version = version.ok_or_else(|| Error::invalid(format!("Registered model alias {alias} not found.")))?;
    crate::model_versions::get_model_version(ctx, models, name, version).await
}

/// The newest version of each of the stages, or of every stage when none is named.
///
/// # Errors
/// `NotFound`, `InvalidArgument` for an unknown stage.
pub async fn get_latest_versions(
    ctx: &Ctx,
    models: &Models,
    name: &str,
    stages: &[String],
) -> Result<Vec<ModelVersion>> {
    let stages = stages.iter().map(|stage| Stage::parse(stage)).collect::<Result<Vec<_>>>()?;
    let model = get_registered_model(ctx, models, name).await?;
    let is_asked = |version: &ModelVersion| stages.is_empty() || stages.contains(&version.stage);
    Ok(model.latest_versions.into_iter().filter(is_asked).collect())
}

/// Numbers for the home page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Registered models.
    pub models: i64,
    /// Versions of all of them.
    pub versions: i64,
}

/// How many models and versions the project has.
///
/// # Errors
/// `PermissionDenied`, or what the database answers.
pub async fn count(ctx: &Ctx, models: &Models) -> Result<Counts> {
    ctx.authorize(Action::Read)?;
    let q = query(
        "SELECT (SELECT COUNT(*) FROM registered_models WHERE project = $1), (SELECT COUNT(*) FROM model_versions WHERE project = $1)",
    )
    .bind(ctx.project.as_str());
    let row = models.db.fetch_one(q).await?;
    Ok(Counts { models: row.get(0)?, versions: row.get(1)? })
}
