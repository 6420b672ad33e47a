//! SQL of alert rules and alerts.

use lathe_core::{Error, Project, Result};
use lathe_db::{Db, Query, Row, Tx, query};

use crate::alerts::{Alert, OnlyOpen};
use crate::rules::{Rule, StandingRule};

fn select_rules(project: &Project, deployment: &str) -> Query {
    query(
        "SELECT rule_id, rule, created_at_ms FROM alert_rules WHERE project = $1 AND deployment = $2 ORDER BY rule_id",
    )
    .bind(project.as_str())
    .bind(deployment)
}

fn read_rule(row: &Row) -> Result<StandingRule> {
    let text: String = row.get(1)?;
    let rule: Rule =
        serde_json::from_str(&text).map_err(|error| Error::internal("an alert rule").with_source(error))?;
    Ok(StandingRule { id: row.get(0)?, rule, created_at_ms: row.get(2)? })
}

pub(crate) async fn list_rules(db: &Db, project: &Project, deployment: &str) -> Result<Vec<StandingRule>> {
    db.fetch_all(select_rules(project, deployment)).await?.iter().map(read_rule).collect()
}

pub(crate) async fn list_rules_in(tx: &mut Tx, project: &Project, deployment: &str) -> Result<Vec<StandingRule>> {
    tx.fetch_all(select_rules(project, deployment)).await?.iter().map(read_rule).collect()
}

pub(crate) async fn insert_rule(tx: &mut Tx, project: &Project, deployment: &str, made: &StandingRule) -> Result<()> {
    let text =
        serde_json::to_string(&made.rule).map_err(|error| Error::internal("an alert rule").with_source(error))?;
    let statement = query(
        "INSERT INTO alert_rules (rule_id, project, deployment, rule, created_at_ms) VALUES ($1, $2, $3, $4, $5)",
    );
    let statement =
        statement.bind(made.id.as_str()).bind(project.as_str()).bind(deployment).bind(text).bind(made.created_at_ms);
    tx.execute(statement).await.map(|_| ())
}

pub(crate) async fn delete_rule(tx: &mut Tx, rule_id: &str, now_ms: i64) -> Result<()> {
    tx.execute(query("DELETE FROM alert_rules WHERE rule_id = $1").bind(rule_id)).await?;
    let resolve = query("UPDATE alerts SET resolved_at_ms = $2 WHERE rule_id = $1 AND resolved_at_ms IS NULL");
    tx.execute(resolve.bind(rule_id).bind(now_ms)).await.map(|_| ())
}

/// Deployments with a rule about rows, and since when.
pub(crate) async fn watched_for_silence(db: &Db) -> Result<Vec<(Project, String, i64)>> {
    let select = query(
        "SELECT project, deployment, MIN(created_at_ms) FROM alert_rules WHERE rule LIKE '%\"metric\":\"rows\"%' \
         GROUP BY project, deployment ORDER BY project, deployment",
    );
    let rows = db.fetch_all(select).await?;
    rows.iter().map(|row| Ok((Project::from_trusted(row.get(0)?), row.get(1)?, row.get(2)?))).collect()
}

fn select() -> Query {
    query(
        "SELECT alert_id, deployment, rule_id, rule, severity, window_start_ms, value, threshold, raised_at_ms, resolved_at_ms, \
         resolved_window_ms FROM alerts WHERE ",
    )
}

fn read(row: &Row) -> Result<Alert> {
    Ok(Alert {
        id: row.get(0)?,
        deployment: row.get(1)?,
        rule_id: row.get(2)?,
        rule: row.get(3)?,
        severity: row.get(4)?,
        window_start_ms: row.get(5)?,
        value: row.get(6)?,
        threshold: row.get(7)?,
        raised_at_ms: row.get(8)?,
        resolved_at_ms: row.get(9)?,
        resolved_window_start_ms: row.get(10)?,
    })
}

/// The alert of a rule in its latest window.
pub(crate) async fn latest_of(tx: &mut Tx, rule_id: &str) -> Result<Option<Alert>> {
    let mut statement = select();
    statement.push("rule_id = ").push_bind(rule_id).push(" ORDER BY window_start_ms DESC LIMIT 1");
    tx.fetch_optional(statement).await?.as_ref().map(read).transpose()
}

/// Inserts, or opens again what the same window had resolved; answers id and time of the one that is open by this.
pub(crate) async fn insert(tx: &mut Tx, project: &Project, alert: &Alert) -> Result<Option<(String, i64)>> {
    let statement = query(
        "INSERT INTO alerts (alert_id, project, deployment, rule_id, rule, severity, window_start_ms, value, threshold, raised_at_ms) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (rule_id, window_start_ms) DO UPDATE SET \
         resolved_at_ms = NULL, resolved_window_ms = NULL, value = excluded.value \
         WHERE alerts.resolved_window_ms = excluded.window_start_ms RETURNING alert_id, raised_at_ms",
    );
    let statement = statement
        .bind(alert.id.as_str())
        .bind(project.as_str())
        .bind(alert.deployment.as_str())
        .bind(alert.rule_id.as_str())
        .bind(alert.rule.as_str())
        .bind(alert.severity.as_str())
        .bind(alert.window_start_ms)
        .bind(alert.value)
        .bind(alert.threshold)
        .bind(alert.raised_at_ms);
    tx.fetch_optional(statement).await?.map(|row| Ok((row.get(0)?, row.get(1)?))).transpose()
}

pub(crate) async fn resolve(tx: &mut Tx, alert_id: &str, now_ms: i64, window_start_ms: i64) -> Result<()> {
    let statement = query("UPDATE alerts SET resolved_at_ms = $2, resolved_window_ms = $3 WHERE alert_id = $1");
    tx.execute(statement.bind(alert_id).bind(now_ms).bind(window_start_ms)).await.map(|_| ())
}

pub(crate) async fn list(
    db: &Db,
    project: &Project,
    deployment: Option<&str>,
    only_open: OnlyOpen,
    limit: i64,
) -> Result<Vec<Alert>> {
    let mut statement = select();
    statement.push("project = ").push_bind(project.as_str());
    if let Some(deployment) = deployment {
        statement.push(" AND deployment = ").push_bind(deployment);
    }
    if only_open == OnlyOpen::Yes {
        statement.push(" AND resolved_at_ms IS NULL");
    }
    statement.push(" ORDER BY alert_id DESC LIMIT ").push_bind(limit);
    db.fetch_all(statement).await?.iter().map(read).collect()
}
