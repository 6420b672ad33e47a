//! SQL of pipelines, their files and their code.

use lathe_core::{Project, Result};
use lathe_db::{Db, Lock, Query, Row, Tx, lock, query};
use lathe_objects::ObjectHash;

use crate::PipelineName;
use crate::code::Code;
use crate::pipelines::Pipeline;

fn select() -> Query {
    query("SELECT name, file_hash, code_id, is_paused, runs, created_at_ms, updated_at_ms FROM pipelines ")
}

fn read(row: &Row) -> Result<Pipeline> {
    Ok(Pipeline {
        name: PipelineName::from_trusted(row.get(0)?),
        file_hash: row.get(1)?,
        code_id: row.get(2)?,
        is_paused: row.get(3)?,
        runs: row.get(4)?,
        created_at_ms: row.get(5)?,
        updated_at_ms: row.get(6)?,
    })
}

pub(crate) async fn find(db: &Db, project: &Project, name: &PipelineName) -> Result<Option<Pipeline>> {
    let mut statement = select();
    statement.push("WHERE project = ").push_bind(project.as_str()).push(" AND name = ").push_bind(name.as_str());
    db.fetch_optional(statement).await?.as_ref().map(read).transpose()
}

pub(crate) async fn list(db: &Db, project: &Project, offset: i64, limit: i64) -> Result<Vec<Pipeline>> {
    let mut statement = select();
    statement.push("WHERE project = ").push_bind(project.as_str());
    statement.push(" ORDER BY name LIMIT ").push_bind(limit).push(" OFFSET ").push_bind(offset);
    db.fetch_all(statement).await?.iter().map(read).collect()
}

/// Every pipeline of every project, for those who look for what starts one.
pub(crate) async fn list_everywhere(db: &Db) -> Result<Vec<(Project, Pipeline)>> {
    let statement = query(
        "SELECT name, file_hash, code_id, is_paused, runs, created_at_ms, updated_at_ms, project FROM pipelines \
         ORDER BY project, name",
    );
    let rows = db.fetch_all(statement).await?;
    rows.iter().map(|row| Ok((Project::from_trusted(row.get(7)?), read(row)?))).collect()
}

/// Stores the pipeline's newest file and code; answers which ones it had before.
pub(crate) async fn upsert(
    tx: &mut Tx,
    project: &Project,
    pipeline: &Pipeline,
) -> Result<Option<(String, Option<String>)>> {
    let before = query("SELECT file_hash, code_id FROM pipelines WHERE project = $1 AND name = $2")
        .bind(project.as_str())
        .bind(pipeline.name.as_str());
    let before =
        tx.fetch_optional(before).await?.map(|row| -> Result<_> { Ok((row.get(0)?, row.get(1)?)) }).transpose()?;
    let statement = query(
        "INSERT INTO pipelines (project, name, file_hash, code_id, is_paused, runs, created_at_ms, updated_at_ms) \
         VALUES ($1, $2, $3, $4, FALSE, 0, $5, $6) \
         ON CONFLICT (project, name) DO UPDATE SET file_hash = excluded.file_hash, code_id = excluded.code_id, \
           updated_at_ms = excluded.updated_at_ms",
    )
    .bind(project.as_str())
    .bind(pipeline.name.as_str())
    .bind(&pipeline.file_hash)
    .bind(pipeline.code_id.clone())
    .bind(pipeline.created_at_ms)
    .bind(pipeline.updated_at_ms);
    tx.execute(statement).await?;
    Ok(before)
}

/// Answers whether it was paused before; `None` when there is no such pipeline.
pub(crate) async fn set_paused(
    tx: &mut Tx,
    project: &Project,
    name: &PipelineName,
    is_paused: bool,
) -> Result<Option<bool>> {
    let before = query("SELECT is_paused FROM pipelines WHERE project = $1 AND name = $2")
        .bind(project.as_str())
        .bind(name.as_str());
    let before = lock(tx.kind(), Lock::Exclusive, before);
    let Some(before) = tx.fetch_optional(before).await? else { return Ok(None) };
    let statement = query("UPDATE pipelines SET is_paused = $3 WHERE project = $1 AND name = $2")
        .bind(project.as_str())
        .bind(name.as_str())
        .bind(is_paused);
    tx.execute(statement).await?;
    before.get(0).map(Some)
}

/// Counts one more run of the pipeline; answers its number.
pub(crate) async fn next_number(tx: &mut Tx, project: &Project, name: &PipelineName) -> Result<Option<i64>> {
    let statement = query("UPDATE pipelines SET runs = runs + 1 WHERE project = $1 AND name = $2 RETURNING runs")
        .bind(project.as_str())
        .bind(name.as_str());
    tx.fetch_optional(statement).await?.map(|row| row.get(0)).transpose()
}

pub(crate) async fn insert_file(tx: &mut Tx, project: &Project, hash: &str, content: &str) -> Result<()> {
    let statement =
        query("INSERT INTO pipeline_files (project, file_hash, content) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING")
            .bind(project.as_str())
            .bind(hash)
            .bind(content);
    tx.execute(statement).await.map(|_| ())
}

fn select_file(project: &Project, hash: &str) -> Query {
    query("SELECT content FROM pipeline_files WHERE project = $1 AND file_hash = $2").bind(project.as_str()).bind(hash)
}

pub(crate) async fn read_file(db: &Db, project: &Project, hash: &str) -> Result<Option<String>> {
    db.fetch_optional(select_file(project, hash)).await?.map(|row| row.get(0)).transpose()
}

pub(crate) async fn read_file_in(tx: &mut Tx, project: &Project, hash: &str) -> Result<Option<String>> {
    tx.fetch_optional(select_file(project, hash)).await?.map(|row| row.get(0)).transpose()
}

/// Answers whether the code is new.
pub(crate) async fn insert_code(tx: &mut Tx, project: &Project, code: &Code, now_ms: i64) -> Result<bool> {
    let statement = query(
        "INSERT INTO code_bundles (project, code_id, object_hash, repository, commit_id, folder, diff, created_at_ms) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING",
    )
    .bind(project.as_str())
    .bind(&code.id)
    .bind(code.bundle.as_str())
    .bind(&code.repository)
    .bind(&code.commit)
    .bind(&code.folder)
    .bind(&code.diff)
    .bind(now_ms);
    Ok(tx.execute(statement).await? == 1)
}

/// Lets all states of a commit be laid out from this bundle; answers whether one was laid out from another.
pub(crate) async fn replace_bundle(tx: &mut Tx, project: &Project, code: &Code) -> Result<bool> {
    let statement = query(
        "UPDATE code_bundles SET object_hash = $4 \
         WHERE project = $1 AND repository = $2 AND commit_id = $3 AND object_hash <> $4",
    )
    .bind(project.as_str())
    .bind(&code.repository)
    .bind(&code.commit)
    .bind(code.bundle.as_str());
    Ok(tx.execute(statement).await? > 0)
}

pub(crate) async fn find_code(db: &Db, project: &Project, id: &str) -> Result<Option<Code>> {
    let statement = query(
        "SELECT object_hash, repository, commit_id, folder, diff FROM code_bundles WHERE project = $1 AND code_id = $2",
    )
    .bind(project.as_str())
    .bind(id);
    let read = |row: Row| {
        let hash: String = row.get(0)?;
        Ok(Code {
            id: id.to_owned(),
            bundle: ObjectHash::parse(&hash)?,
            repository: row.get(1)?,
            commit: row.get(2)?,
            folder: row.get(3)?,
            diff: row.get(4)?,
        })
    };
    db.fetch_optional(statement).await?.map(read).transpose()
}

/// A bundle of this commit that was pushed before, with whatever difference.
pub(crate) async fn find_bundle(
    db: &Db,
    project: &Project,
    repository: &str,
    commit: &str,
) -> Result<Option<ObjectHash>> {
    let statement =
        query("SELECT object_hash FROM code_bundles WHERE project = $1 AND repository = $2 AND commit_id = $3 LIMIT 1")
            .bind(project.as_str())
            .bind(repository)
            .bind(commit);
    let row = db.fetch_optional(statement).await?;
    row.map(|row| ObjectHash::parse(&row.get::<String>(0)?)).transpose()
}
