//! SQL of this room.

use lathe_core::{Error, Project, Result};
use lathe_db::{Db, Lock, Query, Row, Tx, lock, query};

use crate::DeploymentName;
use crate::deployment::{Deployment, DeploymentVersion, Role, State, VersionKey};

const DEPLOYMENT_COLUMNS: &str =
    "SELECT project, name, workers, created_by, created_at_ms, updated_at_ms FROM deployments";
const VERSION_COLUMNS: &str = "SELECT version_key, project, deployment, model, version, alias, role, weight, state, error, created_at_ms, \
     updated_at_ms, ready_at_ms FROM deployment_versions";

/// A deployment's key.
pub(crate) type Key = (Project, DeploymentName);

fn read_deployment(row: &Row) -> Result<Deployment> {
    Ok(Deployment {
        project: Project::from_trusted(row.get(0)?),
        name: DeploymentName::from_trusted(row.get(1)?),
        workers: row.get(2)?,
        created_by: row.get(3)?,
        created_at_ms: row.get(4)?,
        updated_at_ms: row.get(5)?,
        versions: Vec::new(),
    })
}

fn read_version(row: &Row) -> Result<(Key, DeploymentVersion)> {
    let (role, state): (String, String) = (row.get(6)?, row.get(8)?);
    let key = (Project::from_trusted(row.get(1)?), DeploymentName::from_trusted(row.get(2)?));
    let version = DeploymentVersion {
        key: VersionKey(row.get(0)?),
        model: row.get(3)?,
        version: row.get(4)?,
        alias: row.get(5)?,
        role: Role::parse(&role)?,
        weight: row.get(7)?,
        state: State::parse(&state)?,
        error: row.get(9)?,
        created_at_ms: row.get(10)?,
        updated_at_ms: row.get(11)?,
        ready_at_ms: row.get(12)?,
    };
    Ok((key, version))
}

/// All deployments of all projects, or of one, by name; each with its versions.
pub(crate) async fn list(db: &Db, project: Option<&Project>) -> Result<Vec<Deployment>> {
    let (mut deployments, mut versions) = (query(DEPLOYMENT_COLUMNS), query(VERSION_COLUMNS));
    if let Some(project) = project {
        deployments.push(" WHERE project = ").push_bind(project.as_str());
        versions.push(" WHERE project = ").push_bind(project.as_str());
    }
    deployments.push(" ORDER BY project, name");
    versions.push(" ORDER BY version_key");
    let mut found = db.fetch_all(deployments).await?.iter().map(read_deployment).collect::<Result<Vec<_>>>()?;
    for row in db.fetch_all(versions).await? {
        let ((project, name), version) = read_version(&row)?;
        let at = found.binary_search_by(|deployment| (&deployment.project, &deployment.name).cmp(&(&project, &name)));
        if let Some(deployment) = at.ok().and_then(|at| found.get_mut(at)) {
            deployment.versions.push(version);
        }
    }
    Ok(found)
}

/// One deployment with its versions.
pub(crate) async fn find(db: &Db, project: &Project, name: &DeploymentName) -> Result<Option<Deployment>> {
    let row = db.fetch_optional(by_name(DEPLOYMENT_COLUMNS, project, name)).await?;
    let Some(mut deployment) = row.as_ref().map(read_deployment).transpose()? else { return Ok(None) };
    for row in db.fetch_all(versions_of(project, name)).await? {
        deployment.versions.push(read_version(&row)?.1);
    }
    Ok(Some(deployment))
}

fn by_name(columns: &'static str, project: &Project, name: &DeploymentName) -> Query {
    let mut statement = query(columns);
    statement.push(" WHERE project = ").push_bind(project.as_str());
    statement.push(" AND name = ").push_bind(name.as_str());
    statement
}

fn versions_of(project: &Project, name: &DeploymentName) -> Query {
    let mut statement = query(VERSION_COLUMNS);
    statement.push(" WHERE project = ").push_bind(project.as_str());
    statement.push(" AND deployment = ").push_bind(name.as_str()).push(" ORDER BY version_key");
    statement
}

/// Holds a deployment until the transaction ends, and reads it with its versions.
pub(crate) async fn hold(tx: &mut Tx, project: &Project, name: &DeploymentName) -> Result<Deployment> {
    let statement = lock(tx.kind(), Lock::Exclusive, by_name(DEPLOYMENT_COLUMNS, project, name));
    let row = tx.fetch_optional(statement).await?.ok_or_else(|| not_found(name))?;
    let mut deployment = read_deployment(&row)?;
    for row in tx.fetch_all(versions_of(project, name)).await? {
        deployment.versions.push(read_version(&row)?.1);
    }
    Ok(deployment)
}

/// Inserts; answers whether the name was free.
pub(crate) async fn insert(tx: &mut Tx, deployment: &Deployment) -> Result<bool> {
    let statement = query(
        "INSERT INTO deployments (project, name, workers, created_by, created_at_ms, updated_at_ms) \
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
    )
    .bind(deployment.project.as_str())
    .bind(deployment.name.as_str())
    .bind(deployment.workers)
    .bind(deployment.created_by.as_str())
    .bind(deployment.created_at_ms)
    .bind(deployment.updated_at_ms);
    Ok(tx.execute(statement).await? == 1)
}

/// Notes that a deployment changed.
pub(crate) async fn touch(tx: &mut Tx, project: &Project, name: &DeploymentName, now_ms: i64) -> Result<()> {
    let statement = query("UPDATE deployments SET updated_at_ms = $3 WHERE project = $1 AND name = $2")
        .bind(project.as_str())
        .bind(name.as_str())
        .bind(now_ms);
    tx.execute(statement).await.map(|_| ())
}

/// Gives a version a role; whoever had it must have left it.
pub(crate) async fn insert_version(tx: &mut Tx, key: &Key, version: &DeploymentVersion) -> Result<()> {
    let statement = query(
        "INSERT INTO deployment_versions (version_key, project, deployment, model, version, alias, role, weight, state, error, \
         created_at_ms, updated_at_ms, ready_at_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
    )
    .bind(version.key.0.as_str())
    .bind(key.0.as_str())
    .bind(key.1.as_str())
    .bind(version.model.as_str())
    .bind(version.version)
    .bind(version.alias.clone())
    .bind(version.role.as_str())
    .bind(version.weight)
    .bind(version.state.as_str())
    .bind(version.error.clone())
    .bind(version.created_at_ms)
    .bind(version.updated_at_ms)
    .bind(version.ready_at_ms);
    tx.execute(statement).await.map(|_| ())
}

/// Moves a version to another role.
pub(crate) async fn set_role(tx: &mut Tx, key: &VersionKey, role: Role, weight: i64, now_ms: i64) -> Result<()> {
    let statement =
        query("UPDATE deployment_versions SET role = $2, weight = $3, updated_at_ms = $4 WHERE version_key = $1")
            .bind(key.0.as_str())
            .bind(role.as_str())
            .bind(weight)
            .bind(now_ms);
    tx.execute(statement).await.map(|_| ())
}

/// Says which alias a version follows.
pub(crate) async fn set_alias(tx: &mut Tx, key: &VersionKey, alias: Option<&str>, now_ms: i64) -> Result<()> {
    let statement = query("UPDATE deployment_versions SET alias = $2, updated_at_ms = $3 WHERE version_key = $1")
        .bind(key.0.as_str())
        .bind(alias.map(str::to_owned))
        .bind(now_ms);
    tx.execute(statement).await.map(|_| ())
}

/// Takes a version out of its deployment.
pub(crate) async fn delete_version(tx: &mut Tx, key: &VersionKey) -> Result<()> {
    tx.execute(query("DELETE FROM deployment_versions WHERE version_key = $1").bind(key.0.as_str())).await.map(|_| ())
}

/// Deletes a deployment with its versions.
pub(crate) async fn delete(tx: &mut Tx, project: &Project, name: &DeploymentName) -> Result<()> {
    for statement in [
        "DELETE FROM deployment_versions WHERE project = $1 AND deployment = $2",
        "DELETE FROM deployments WHERE project = $1 AND name = $2",
    ] {
        tx.execute(query(statement).bind(project.as_str()).bind(name.as_str())).await?;
    }
    Ok(())
}

/// Notes what a version is found to be; one that is gone is fine.
pub(crate) async fn set_state(
    tx: &mut Tx,
    key: &VersionKey,
    state: State,
    error: Option<&str>,
    now_ms: i64,
) -> Result<()> {
    let ready_at_ms = (state == State::Ready).then_some(now_ms);
    let statement = query(
        "UPDATE deployment_versions SET state = $2, error = $3, updated_at_ms = $4, ready_at_ms = COALESCE(ready_at_ms, $5) \
         WHERE version_key = $1",
    );
    let statement = statement
        .bind(key.0.as_str())
        .bind(state.as_str())
        .bind(error.map(str::to_owned))
        .bind(now_ms)
        .bind(ready_at_ms);
    tx.execute(statement).await.map(|_| ())
}

pub(crate) fn not_found(name: &DeploymentName) -> Error {
    Error::not_found(format!("deployment `{name}` does not exist"))
}
