//! SQL of this room: reading rows with their tags and aliases in one query per kind, and what several operations share.

use std::collections::HashMap;

use lathe_core::{Ctx, Error, LoggedModelId, Project, Result};
use lathe_db::{Db, Lock, Query, Row, Tx, lock, once, query};

use crate::Tag;
use crate::model_versions::{ModelVersion, Stage};
use crate::registered_models::{Alias, RegisteredModel};

pub(crate) const MODEL_COLUMNS: &str =
    "SELECT m.name, m.description, m.created_at_ms, m.updated_at_ms FROM registered_models m WHERE m.project = ";
pub(crate) const VERSION_COLUMNS: &str = "SELECT v.model, v.version, v.source, v.storage_location, v.run_id, v.run_link, v.model_id, \
     v.user_id, v.description, v.stage, v.created_at_ms, v.updated_at_ms FROM model_versions v WHERE v.project = ";

/// `SELECT … FROM registered_models m WHERE project = …`, to be continued with ` AND …`.
pub(crate) fn select_models(project: &Project) -> Query {
    let mut q = query(MODEL_COLUMNS);
    q.push_bind(project.as_str());
    q
}

/// `SELECT … FROM model_versions v WHERE project = …`, to be continued with ` AND …`.
pub(crate) fn select_versions(project: &Project) -> Query {
    let mut q = query(VERSION_COLUMNS);
    q.push_bind(project.as_str());
    q
}

pub(crate) fn read_model(row: &Row) -> Result<RegisteredModel> {
    Ok(RegisteredModel {
        name: row.get(0)?,
        description: row.get(1)?,
        created_at_ms: row.get(2)?,
        updated_at_ms: row.get(3)?,
        tags: Vec::new(),
        aliases: Vec::new(),
        latest_versions: Vec::new(),
    })
}

pub(crate) fn read_version(row: &Row) -> Result<ModelVersion> {
    let (model_id, stage): (Option<String>, String) = (row.get(6)?, row.get(9)?);
    Ok(ModelVersion {
        name: row.get(0)?,
        version: row.get(1)?,
        source: row.get(2)?,
        storage_location: row.get(3)?,
        run_id: row.get(4)?,
        run_link: row.get(5)?,
        model_id: model_id.map(LoggedModelId::from_trusted),
        user_id: row.get(7)?,
        description: row.get(8)?,
        stage: Stage::parse(&stage)?,
        created_at_ms: row.get(10)?,
        updated_at_ms: row.get(11)?,
        tags: Vec::new(),
        aliases: Vec::new(),
    })
}

/// Fills tags, aliases and the newest version of each stage, with one query each.
pub(crate) async fn fill_models(db: &Db, project: &Project, models: &mut [RegisteredModel]) -> Result<()> {
    if models.is_empty() {
        return Ok(());
    }
    let of_models = |sql: &'static str, models: &[RegisteredModel]| {
        let mut q = query(sql);
        q.push_bind(project.as_str()).push(" AND model IN ").push_list(models.iter().map(|model| model.name.as_str()));
        q
    };
    let mut tags: HashMap<String, Vec<Tag>> = HashMap::new();
    let mut q = of_models("SELECT model, key, value FROM model_tags WHERE project = ", models);
    q.push(" ORDER BY key");
    for row in db.fetch_all(q).await? {
        tags.entry(row.get(0)?).or_default().push(Tag { key: row.get(1)?, value: row.get(2)? });
    }
    let mut aliases: HashMap<String, Vec<Alias>> = HashMap::new();
    let mut q = of_models("SELECT model, alias, version FROM model_aliases WHERE project = ", models);
    q.push(" ORDER BY alias");
    for row in db.fetch_all(q).await? {
        aliases.entry(row.get(0)?).or_default().push(Alias { alias: row.get(1)?, version: row.get(2)? });
    }
    let mut q = select_versions(project);
    q.push(" AND v.model IN ").push_list(models.iter().map(|model| model.name.as_str()));
    q.push(
        " AND NOT EXISTS (SELECT 1 FROM model_versions n WHERE n.project = v.project AND n.model = v.model \
         AND n.stage = v.stage AND n.version > v.version) ORDER BY v.version",
    );
    let rows = db.fetch_all(q).await?;
    let mut versions = rows.iter().map(read_version).collect::<Result<Vec<_>>>()?;
    fill_versions(db, project, &mut versions).await?;
    for model in models {
        model.tags = tags.remove(&model.name).unwrap_or_default();
        model.aliases = aliases.remove(&model.name).unwrap_or_default();
        model.latest_versions = versions.iter().filter(|version| version.name == model.name).cloned().collect();
    }
    Ok(())
}

/// Fills tags and aliases, with one query each.
pub(crate) async fn fill_versions(db: &Db, project: &Project, versions: &mut [ModelVersion]) -> Result<()> {
    if versions.is_empty() {
        return Ok(());
    }
    let push_names = |q: &mut Query, versions: &[ModelVersion]| {
        let mut names: Vec<&str> = versions.iter().map(|version| version.name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        q.push_bind(project.as_str()).push(" AND model IN ").push_list(names);
    };
    let mut q = query("SELECT model, version, alias FROM model_aliases WHERE project = ");
    push_names(&mut q, versions);
    q.push(" ORDER BY alias");
    let mut aliases: HashMap<(String, i64), Vec<String>> = HashMap::new();
    for row in db.fetch_all(q).await? {
        aliases.entry((row.get(0)?, row.get(1)?)).or_default().push(row.get(2)?);
    }
    let mut q = query("SELECT model, version, key, value FROM version_tags WHERE project = ");
    push_names(&mut q, versions);
    // One version is the usual case; many are bounded by the page.
    if let [only] = versions {
        q.push(" AND version = ").push_bind(only.version);
    }
    q.push(" ORDER BY key");
    let mut tags: HashMap<(String, i64), Vec<Tag>> = HashMap::new();
    for row in db.fetch_all(q).await? {
        tags.entry((row.get(0)?, row.get(1)?)).or_default().push(Tag { key: row.get(2)?, value: row.get(3)? });
    }
    for version in versions {
        let key = (version.name.clone(), version.version);
        version.aliases = aliases.remove(&key).unwrap_or_default();
        version.tags = tags.remove(&key).unwrap_or_default();
    }
    Ok(())
}

pub(crate) fn model_not_found(name: &str) -> Error {
    Error::not_found(format!("Registered Model with name={name} not found"))
}

pub(crate) fn version_not_found(name: &str, version: i64) -> Error {
    Error::not_found(format!("Model Version (name={name}, version={version}) not found"))
}

/// Moves the model's last update; also fails when there is no such model, and holds its row until the transaction ends.
pub(crate) async fn touch_model(tx: &mut Tx, ctx: &Ctx, name: &str) -> Result<()> {
    let update = query("UPDATE registered_models SET updated_at_ms = $3 WHERE project = $1 AND name = $2")
        .bind(ctx.project.as_str())
        .bind(name)
        .bind(ctx.now_ms());
    if tx.execute(update).await? == 0 { Err(model_not_found(name)) } else { Ok(()) }
}

/// Fails when there is no such model, and holds its row until the transaction ends. Tags and aliases are no change of the model itself.
pub(crate) async fn hold_model(tx: &mut Tx, ctx: &Ctx, name: &str) -> Result<()> {
    if lock_model(tx, ctx, name).await? { Ok(()) } else { Err(model_not_found(name)) }
}

/// Whether there is such a model, whose row is then held.
async fn lock_model(tx: &mut Tx, ctx: &Ctx, name: &str) -> Result<bool> {
    let held = query("SELECT name FROM registered_models WHERE project = $1 AND name = $2")
        .bind(ctx.project.as_str())
        .bind(name);
    Ok(tx.fetch_optional(lock(tx.kind(), Lock::Exclusive, held)).await?.is_some())
}

/// The same of a version: fails when there is none, and holds its row.
pub(crate) async fn hold_version(tx: &mut Tx, ctx: &Ctx, name: &str, version: i64) -> Result<()> {
    let held = query("SELECT version FROM model_versions WHERE project = $1 AND model = $2 AND version = $3")
        .bind(ctx.project.as_str())
        .bind(name)
        .bind(version);
    let row = tx.fetch_optional(lock(tx.kind(), Lock::Exclusive, held)).await?;
    row.map(|_| ()).ok_or_else(|| version_not_found(name, version))
}

/// The version, without tags and aliases.
pub(crate) async fn find_version(tx: &mut Tx, ctx: &Ctx, name: &str, version: i64) -> Result<ModelVersion> {
    let mut q = select_versions(&ctx.project);
    q.push(" AND v.model = ").push_bind(name).push(" AND v.version = ").push_bind(version);
    let row = tx.fetch_optional(q).await?.ok_or_else(|| version_not_found(name, version))?;
    read_version(&row)
}

/// What the context's change came to, if it was made before. Whoever else makes it of the same model is waited for.
pub(crate) async fn find_made(tx: &mut Tx, ctx: &Ctx, name: &str) -> Result<Option<String>> {
    if ctx.once.is_none() {
        return Ok(None);
    }
    lock_model(tx, ctx, name).await?;
    once::find_made(tx, ctx).await
}

pub(crate) async fn touch_version(tx: &mut Tx, ctx: &Ctx, name: &str, version: i64) -> Result<()> {
    let update =
        query("UPDATE model_versions SET updated_at_ms = $4 WHERE project = $1 AND model = $2 AND version = $3")
            .bind(ctx.project.as_str())
            .bind(name)
            .bind(version)
            .bind(ctx.now_ms());
    if tx.execute(update).await? == 0 { Err(version_not_found(name, version)) } else { Ok(()) }
}
