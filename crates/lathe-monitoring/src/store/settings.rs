//! SQL of settings.

use lathe_core::{Project, Result};
use lathe_db::{Db, Lock, Query, Tx, lock, query};

fn select(project: &Project, deployment: &str) -> Query {
    let select = query("SELECT settings FROM monitor_settings WHERE project = $1 AND deployment = $2");
    select.bind(project.as_str()).bind(deployment)
}

pub(crate) async fn find(db: &Db, project: &Project, deployment: &str) -> Result<Option<String>> {
    db.fetch_optional(select(project, deployment)).await?.map(|row| row.get(0)).transpose()
}

pub(crate) async fn find_in(tx: &mut Tx, project: &Project, deployment: &str) -> Result<Option<String>> {
    tx.fetch_optional(select(project, deployment)).await?.map(|row| row.get(0)).transpose()
}

/// The same, and nobody else changes them until the transaction ends; where nothing was chosen, `default` is what stands from now on.
pub(crate) async fn hold(
    tx: &mut Tx,
    project: &Project,
    deployment: &str,
    default: String,
    now_ms: i64,
) -> Result<String> {
    let insert = query(
        "INSERT INTO monitor_settings (project, deployment, settings, updated_at_ms) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (project, deployment) DO NOTHING",
    );
    tx.execute(insert.bind(project.as_str()).bind(deployment).bind(default).bind(now_ms)).await?;
    let select = lock(tx.kind(), Lock::Exclusive, select(project, deployment));
    tx.fetch_one(select).await?.get(0)
}

pub(crate) async fn upsert(tx: &mut Tx, project: &Project, deployment: &str, text: String, now_ms: i64) -> Result<()> {
    let statement = query(
        "INSERT INTO monitor_settings (project, deployment, settings, updated_at_ms) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (project, deployment) DO UPDATE SET settings = excluded.settings, updated_at_ms = excluded.updated_at_ms",
    );
    tx.execute(statement.bind(project.as_str()).bind(deployment).bind(text).bind(now_ms)).await.map(|_| ())
}

/// Forgets what a person chose for a deployment, and the alerts that came of it.
pub(crate) async fn forget(tx: &mut Tx, project: &Project, deployment: &str) -> Result<()> {
    for statement in [
        "DELETE FROM monitor_settings WHERE project = $1 AND deployment = $2",
        "DELETE FROM reference_profiles WHERE project = $1 AND deployment = $2",
        "DELETE FROM alert_rules WHERE project = $1 AND deployment = $2",
        "DELETE FROM alerts WHERE project = $1 AND deployment = $2",
    ] {
        tx.execute(query(statement).bind(project.as_str()).bind(deployment)).await?;
    }
    Ok(())
}
