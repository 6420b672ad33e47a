//! Windows: the spans of time that a deployment's traffic is cut into.

use std::collections::BTreeSet;

use lathe_core::{Ctx, Error, Project, Result};

use crate::settings::check_deployment;
use crate::store::windows::{self as rows, Window};
use crate::{Monitoring, store};

/// How many windows one answer holds at the most.
const MAX_WINDOWS: i64 = 200;

/// Which windows: the latest ones that begin in a span of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// From this time on, in milliseconds since 1970.
    pub from_ms: i64,
    /// Before this time.
    pub to_ms: i64,
    /// How many, 1-200.
    pub windows: i64,
}

impl Default for Span {
    fn default() -> Self {
        Self { from_ms: i64::MIN, to_ms: i64::MAX, windows: 48 }
    }
}

/// The windows of a span, oldest first.
pub(crate) async fn list(ctx: &Ctx, monitoring: &Monitoring, deployment: &str, span: Span) -> Result<Vec<Window>> {
    check_deployment(deployment)?;
    if !(1..=MAX_WINDOWS).contains(&span.windows) {
        return Err(Error::invalid(format!("windows is {}; it must be from 1 to {MAX_WINDOWS}", span.windows)));
    }
    rows::list(&monitoring.db, &ctx.project, deployment, span.from_ms, span.to_ms, span.windows).await
}

/// The window that begins at this time.
pub(crate) async fn get(ctx: &Ctx, monitoring: &Monitoring, deployment: &str, start_ms: i64) -> Result<Window> {
    let span = Span { from_ms: start_ms, to_ms: start_ms.saturating_add(1), windows: 1 };
    let found = list(ctx, monitoring, deployment, span).await?.pop();
    found.ok_or_else(|| Error::not_found(format!("deployment `{deployment}` has no window that begins at {start_ms}")))
}

/// When the window that holds a time begins.
pub(crate) fn start_of(at_ms: i64, length_ms: i64) -> i64 {
    at_ms - at_ms.rem_euclid(length_ms.max(1))
}

/// Deletes windows that nothing came to for longer than their deployment keeps them; answers how many.
///
/// For a background loop: it looks at all projects.
///
/// # Errors
/// What the database answers.
pub async fn expire_windows(monitoring: &Monitoring, now_ms: i64) -> Result<u64> {
    use lathe_db::FutureExt as _;
    let mut expired = 0;
    for (project, deployment) in store::windows::deployments(&monitoring.db).await? {
        let settings = crate::settings::of(monitoring, &project, &deployment).await?;
        let before_ms = now_ms - settings.retention_ms;
        expired += monitoring
            .db
            .write(move |tx| async move { rows::forget(tx, &project, &deployment, before_ms).await }.boxed())
            .await?;
    }
    Ok(expired)
}

/// Deletes all that is known of a deployment: it was deleted itself. Alerts that were raised stay in the ledger.
///
/// # Errors
/// `InvalidArgument` for a name that no deployment can have.
pub async fn forget_deployment(ctx: &Ctx, monitoring: &Monitoring, deployment: &str) -> Result<()> {
    ctx.authorize(lathe_core::Action::Manage)?;
    check_deployment(deployment)?;
    forget(monitoring, ctx.project.clone(), deployment.to_owned()).await
}

/// Deletes what is known of deployments that are none of these: samples that were on their way when theirs was deleted.
///
/// For a background loop: it looks at all projects.
///
/// # Errors
/// What the database answers.
pub async fn forget_unknown(monitoring: &Monitoring, known: &BTreeSet<(Project, String)>) -> Result<()> {
    for (project, deployment) in store::windows::deployments(&monitoring.db).await? {
        if !known.contains(&(project.clone(), deployment.clone())) {
            forget(monitoring, project, deployment).await?;
        }
    }
    Ok(())
}

async fn forget(monitoring: &Monitoring, project: Project, deployment: String) -> Result<()> {
    use lathe_db::FutureExt as _;
    monitoring
        .db
        .write(move |tx| {
            async move {
                rows::forget(tx, &project, &deployment, i64::MAX).await?;
                store::settings::forget(tx, &project, &deployment).await
            }
            .boxed()
        })
        .await
}
