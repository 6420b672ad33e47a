//! SQL of windows.

use lathe_core::{Project, Result};
use lathe_db::{Db, Row, Tx, query};

/// A window of a deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) project: Project,
    pub(crate) deployment: String,
    pub(crate) start_ms: i64,
    pub(crate) length_ms: i64,
    pub(crate) revision: i64,
}

fn read(row: &Row) -> Result<Window> {
    Ok(Window {
        project: Project::from_trusted(row.get(0)?),
        deployment: row.get(1)?,
        start_ms: row.get(2)?,
        length_ms: row.get(3)?,
        revision: row.get(4)?,
    })
}

/// The length of a deployment's windows, if it has any.
pub(crate) async fn any_length(tx: &mut Tx, project: &Project, deployment: &str) -> Result<Option<i64>> {
    let select = query("SELECT length_ms FROM monitor_windows WHERE project = $1 AND deployment = $2 LIMIT 1");
    tx.fetch_optional(select.bind(project.as_str()).bind(deployment)).await?.map(|row| row.get(0)).transpose()
}

/// Keeps others from making windows of a length that they read before, and from changing how long they are, until the transaction ends.
pub(crate) async fn hold_length(tx: &mut Tx, project: &Project, deployment: &str) -> Result<()> {
    tx.hold(&format!("windows of {deployment} of {project}")).await
}

/// Makes the window, or notes that something in it changed.
pub(crate) async fn touch(
    tx: &mut Tx,
    project: &Project,
    deployment: &str,
    start_ms: i64,
    length_ms: i64,
    now_ms: i64,
) -> Result<()> {
    let statement = query(
        "INSERT INTO monitor_windows (project, deployment, start_ms, length_ms, revision, checked_revision, updated_at_ms, changed_at_ms) \
         VALUES ($1, $2, $3, $4, 1, 0, $5, $5) ON CONFLICT (project, deployment, start_ms) \
         DO UPDATE SET revision = monitor_windows.revision + 1, updated_at_ms = excluded.updated_at_ms, \
         changed_at_ms = CASE WHEN monitor_windows.checked_revision < monitor_windows.revision \
         THEN monitor_windows.changed_at_ms ELSE excluded.changed_at_ms END",
    );
    let statement = statement.bind(project.as_str()).bind(deployment).bind(start_ms).bind(length_ms).bind(now_ms);
    tx.execute(statement).await.map(|_| ())
}

/// Makes an empty window where there is none.
pub(crate) async fn ensure(tx: &mut Tx, window: &Window, now_ms: i64) -> Result<()> {
    let statement = query(
        "INSERT INTO monitor_windows (project, deployment, start_ms, length_ms, revision, checked_revision, updated_at_ms, changed_at_ms) \
         VALUES ($1, $2, $3, $4, 1, 0, $5, $5) ON CONFLICT DO NOTHING",
    );
    let statement = statement
        .bind(window.project.as_str())
        .bind(window.deployment.as_str())
        .bind(window.start_ms)
        .bind(window.length_ms)
        .bind(now_ms);
    tx.execute(statement).await.map(|_| ())
}

/// The latest windows of a deployment, oldest first.
pub(crate) async fn list(
    db: &Db,
    project: &Project,
    deployment: &str,
    from_ms: i64,
    to_ms: i64,
    limit: i64,
) -> Result<Vec<Window>> {
    let select = query(
        "SELECT project, deployment, start_ms, length_ms, revision FROM monitor_windows \
         WHERE project = $1 AND deployment = $2 AND start_ms >= $3 AND start_ms < $4 ORDER BY start_ms DESC LIMIT $5",
    );
    let select = select.bind(project.as_str()).bind(deployment).bind(from_ms).bind(to_ms).bind(limit);
    let mut windows = db.fetch_all(select).await?.iter().map(read).collect::<Result<Vec<_>>>()?;
    windows.reverse();
    Ok(windows)
}

/// When a window that changed is looked at.
#[derive(Debug, Clone, Copy)]
pub(crate) enum When {
    /// At once.
    Now,
    /// When nothing came to it since the first of these times, or when the window ended and was changed before the second.
    Settled { quiet_before_ms: i64, changed_before_ms: i64 },
}

/// Windows that ended and that the rules have not seen as they are, of one deployment or of all.
pub(crate) async fn list_unchecked(
    db: &Db,
    of: Option<(&Project, &str)>,
    now_ms: i64,
    when: When,
) -> Result<Vec<Window>> {
    let mut select = query(
        "SELECT project, deployment, start_ms, length_ms, revision FROM monitor_windows WHERE checked_revision < revision",
    );
    select.push(" AND start_ms + length_ms <= ").push_bind(now_ms);
    if let When::Settled { quiet_before_ms, changed_before_ms } = when {
        select.push(" AND (updated_at_ms <= ").push_bind(quiet_before_ms);
        select.push(" OR (changed_at_ms <= ").push_bind(changed_before_ms);
        select.push(" AND start_ms + length_ms <= ").push_bind(changed_before_ms).push("))");
    }
    if let Some((project, deployment)) = of {
        select.push(" AND project = ").push_bind(project.as_str());
        select.push(" AND deployment = ").push_bind(deployment);
    }
    select.push(" ORDER BY project, deployment, start_ms LIMIT 500");
    db.fetch_all(select).await?.iter().map(read).collect()
}

/// Notes that the rules have seen this revision; answers whether this call is the first to say so.
pub(crate) async fn claim(tx: &mut Tx, window: &Window, now_ms: i64) -> Result<bool> {
    // What came meanwhile is a change since now.
    let statement = query(
        "UPDATE monitor_windows SET checked_revision = $4, changed_at_ms = $5 WHERE project = $1 AND deployment = $2 \
         AND start_ms = $3 AND checked_revision < $4",
    );
    let statement = statement
        .bind(window.project.as_str())
        .bind(window.deployment.as_str())
        .bind(window.start_ms)
        .bind(window.revision)
        .bind(now_ms);
    Ok(tx.execute(statement).await? == 1)
}

/// Lets the rules see the latest window that has ended once more.
pub(crate) async fn look_again(tx: &mut Tx, project: &Project, deployment: &str, now_ms: i64) -> Result<()> {
    let statement = query(
        "UPDATE monitor_windows SET revision = revision + 1 WHERE project = $1 AND deployment = $2 AND start_ms = \
         (SELECT MAX(w.start_ms) FROM monitor_windows w WHERE w.project = $1 AND w.deployment = $2 AND w.start_ms + w.length_ms <= $3)",
    );
    tx.execute(statement.bind(project.as_str()).bind(deployment).bind(now_ms)).await.map(|_| ())
}

/// Deployments that have windows or settings.
pub(crate) async fn deployments(db: &Db) -> Result<Vec<(Project, String)>> {
    let select = query(
        "SELECT project, deployment FROM monitor_windows UNION SELECT project, deployment FROM monitor_settings \
         ORDER BY 1, 2",
    );
    db.fetch_all(select).await?.iter().map(|row| Ok((Project::from_trusted(row.get(0)?), row.get(1)?))).collect()
}

/// Forgets windows that nothing came to since a time, with all that belongs to them. Not by when they began: what is replayed
/// today is new.
pub(crate) async fn forget(tx: &mut Tx, project: &Project, deployment: &str, quiet_since_ms: i64) -> Result<u64> {
    const QUIET: &str = "(SELECT w.start_ms FROM monitor_windows w WHERE w.project = $1 AND w.deployment = $2 AND w.updated_at_ms < $3)";
    // Labels first: they are found by the predictions.
    for (table, rest) in [
        (
            "labels",
            " AND request_id IN (SELECT p.request_id FROM predictions p WHERE p.project = $1 AND p.deployment = $2 AND p.window_start_ms IN ",
        ),
        ("predictions", " AND (window_start_ms IN "),
        ("sample_files", " AND (window_start_ms IN "),
        ("segments", " AND (window_start_ms IN "),
    ] {
        let mut statement = query("DELETE FROM ");
        statement.push(table).push(" WHERE project = $1 AND deployment = $2").push(rest).push(QUIET).push(")");
        tx.execute(statement.bind(project.as_str()).bind(deployment).bind(quiet_since_ms)).await?;
    }
    let windows = query("DELETE FROM monitor_windows WHERE project = $1 AND deployment = $2 AND updated_at_ms < $3");
    tx.execute(windows.bind(project.as_str()).bind(deployment).bind(quiet_since_ms)).await
}
