//! Alerts: rules applied to windows that ended, each window as it is once, whoever looks first.

use lathe_core::{Action, Ctx, Event, EventId, Kind, Name, Result};
use lathe_db::{FutureExt as _, Tx};
use serde_json::json;

use crate::drift::ColumnReport;
use crate::profile::Part;
use crate::report::{WindowReport, report_drift};
use crate::rules::{Metric, Rule, StandingRule};
use crate::settings::{check_deployment, of, of_in};
use crate::store::alerts as rows;
use crate::store::windows::{When, Window, claim, ensure, hold_length};
use crate::windows::{Span, start_of};
use crate::{Monitoring, judging, store, traffic};

/// A window that is still written to is left alone for so long: samples take a moment to arrive.
const QUIET_MS: i64 = 5_000;
/// One that is never quiet for that long, such as one whose labels trickle in, is judged so long after its first change all the same.
const LATEST_MS: i64 = 60_000;

/// How many alerts one answer holds at the most.
const MAX_ALERTS: i64 = 500;

/// An alert.
#[derive(Debug, Clone, PartialEq)]
pub struct Alert {
    /// Its id.
    pub id: String,
    /// The deployment.
    pub deployment: String,
    /// The id of its rule.
    pub rule_id: String,
    /// The name of its rule.
    pub rule: String,
    /// `info`, `warning` or `critical`.
    pub severity: String,
    /// The window in which the rule's condition began to hold.
    pub window_start_ms: i64,
    /// What was seen.
    pub value: f64,
    /// What the rule allowed.
    pub threshold: f64,
    /// When it was raised, in milliseconds since 1970.
    pub raised_at_ms: i64,
    /// When it was resolved.
    pub resolved_at_ms: Option<i64>,
    /// The window that resolved it, because the condition held no more; `None` while it is open, and when its rule was deleted.
    pub resolved_window_start_ms: Option<i64>,
}

/// What a check did.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Checked {
    /// How many windows were looked at.
    pub windows: usize,
    /// Alerts that this check raised.
    pub raised: Vec<Alert>,
    /// Alerts that this check resolved.
    pub resolved: Vec<Alert>,
}

/// The alerts of a deployment, or of the project: newest first, up to 500.
///
/// # Errors
/// `InvalidArgument` for a name that no deployment can have.
pub async fn list_alerts(
    ctx: &Ctx,
    monitoring: &Monitoring,
    deployment: Option<&str>,
    only_open: OnlyOpen,
) -> Result<Vec<Alert>> {
    ctx.authorize(Action::Read)?;
    deployment.map(check_deployment).transpose()?;
    rows::list(&monitoring.db, &ctx.project, deployment, only_open, MAX_ALERTS).await
}

/// Whether resolved alerts are listed too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnlyOpen {
    /// Only those that are not resolved.
    Yes,
    /// All.
    No,
}

/// Applies a deployment's rules now to its windows that have ended.
///
/// # Errors
/// `InvalidArgument` for a name that no deployment can have.
pub async fn check_deployment_now(ctx: &Ctx, monitoring: &Monitoring, deployment: &str) -> Result<Checked> {
    ctx.authorize(Action::Write)?;
    check_deployment(deployment)?;
    let now_ms = ctx.now_ms();
    let mut checked = Checked::default();
    loop {
        let windows =
            store::windows::list_unchecked(&monitoring.db, Some((&ctx.project, deployment)), now_ms, When::Now).await?;
        if windows.is_empty() {
            return Ok(checked);
        }
        for window in windows {
            check_window(ctx, monitoring, &window, &mut checked).await?;
        }
    }
}

/// Applies all rules to windows that have ended and are quiet, or have waited for long enough; for a background loop.
///
/// # Errors
/// What the database answers.
pub async fn check_all(monitoring: &Monitoring, now_ms: i64) -> Result<Checked> {
    note_silence(monitoring, now_ms).await?;
    let mut checked = Checked::default();
    let when = When::Settled { quiet_before_ms: now_ms - QUIET_MS, changed_before_ms: now_ms - LATEST_MS };
    for window in store::windows::list_unchecked(&monitoring.db, None, now_ms, when).await? {
        let ctx = Ctx::system("monitoring", window.project.clone());
        // A window that cannot be judged must not keep others from it.
        if let Err(error) = check_window(&ctx, monitoring, &window, &mut checked).await {
            tracing::warn!(error = %error.log_line(), deployment.name = window.deployment, window = window.start_ms, "a window cannot be judged");
        }
    }
    Ok(checked)
}

/// A deployment that gets no requests has no windows. Where a rule is about rows, the last one is made, so that it is seen.
async fn note_silence(monitoring: &Monitoring, now_ms: i64) -> Result<()> {
    for (project, deployment, created_at_ms) in rows::watched_for_silence(&monitoring.db).await? {
        let length_ms = of(monitoring, &project, &deployment).await?.window_ms;
        let start_ms = start_of(now_ms, length_ms) - length_ms;
        if start_ms < created_at_ms {
            continue;
        }
        let window = Window { project, deployment, start_ms, length_ms, revision: 1 };
        let making = monitoring.db.write(move |tx| {
            async move {
                hold_length(tx, &window.project, &window.deployment).await?;
                // Changed just now, it is looked at with the new one the next time.
                if of_in(tx, &window.project, &window.deployment).await?.window_ms == length_ms {
                    ensure(tx, &window, now_ms).await?;
                }
                Ok(())
            }
            .boxed()
        });
        making.await?;
    }
    Ok(())
}

async fn check_window(ctx: &Ctx, monitoring: &Monitoring, window: &Window, checked: &mut Checked) -> Result<()> {
    let standing = rows::list_rules(&monitoring.db, &window.project, &window.deployment).await?;
    let mut seen = Vec::with_capacity(standing.len());
    if !standing.is_empty() {
        let facts = Facts::of(ctx, monitoring, window, &standing).await?;
        for rule in standing {
            if let Some(value) = facts.value(&rule.rule).filter(|value| value.is_finite()) {
                seen.push((rule, value));
            }
        }
    }
    let (ctx, window) = (ctx.clone(), window.clone());
    let done = monitoring
        .db
        .write(move |tx| {
            async move {
                let mut done = Checked::default();
                // Another server, or a newer state of the window, was first.
                if !claim(tx, &window, ctx.now_ms()).await? {
                    return Ok(done);
                }
                done.windows = 1;
                // A rule that was just deleted raises nothing any more.
                let standing = rows::list_rules_in(tx, &window.project, &window.deployment).await?;
                for (rule, value) in seen.iter().filter(|(rule, _)| standing.iter().any(|one| one.id == rule.id)) {
                    apply(tx, &ctx, &window, rule, *value, &mut done).await?;
                }
                Ok(done)
            }
            .boxed()
        })
        .await?;
    checked.windows += done.windows;
    checked.raised.extend(done.raised);
    checked.resolved.extend(done.resolved);
    Ok(())
}

async fn apply(
    tx: &mut Tx,
    ctx: &Ctx,
    window: &Window,
    StandingRule { id, rule, .. }: &StandingRule,
    value: f64,
    done: &mut Checked,
) -> Result<()> {
    let last = rows::latest_of(tx, id).await?;
    let holds = rule.holds(value);
    if let Some(mut open) = last.clone().filter(|alert| alert.resolved_at_ms.is_none()) {
        if !holds && window.start_ms >= open.window_start_ms {
            rows::resolve(tx, &open.id, ctx.now_ms(), window.start_ms).await?;
            open.resolved_at_ms = Some(ctx.now_ms());
            open.resolved_window_start_ms = Some(window.start_ms);
            record(tx, ctx, "alert.resolved", window, &open, (rule.metric, value)).await?;
            done.resolved.push(open);
        }
        return Ok(());
    }
    let is_cooling = last.is_some_and(|last| window.start_ms < last.window_start_ms.saturating_add(rule.cool_down_ms));
    if !holds || is_cooling {
        return Ok(());
    }
    let mut alert = Alert {
        id: EventId::generate().to_string(),
        deployment: window.deployment.clone(),
        rule_id: id.clone(),
        rule: rule.name.clone(),
        severity: rule.severity.as_str().to_owned(),
        window_start_ms: window.start_ms,
        value,
        threshold: rule.threshold,
        raised_at_ms: ctx.now_ms(),
        resolved_at_ms: None,
        resolved_window_start_ms: None,
    };
    if let Some((id, raised_at_ms)) = rows::insert(tx, &window.project, &alert).await? {
        (alert.id, alert.raised_at_ms) = (id, raised_at_ms);
        record(tx, ctx, "alert.raised", window, &alert, (rule.metric, value)).await?;
        done.raised.push(alert);
    }
    Ok(())
}

async fn record(
    tx: &mut Tx,
    ctx: &Ctx,
    action: &'static str,
    window: &Window,
    alert: &Alert,
    (metric, value): (Metric, f64),
) -> Result<()> {
    let deployment = Name::new(&window.project, Kind::Deployment, &window.deployment);
    let name = Name::new(&window.project, Kind::Window, format_args!("{}/{}", window.deployment, window.start_ms));
    let detail = json!({
        "rule": alert.rule, "metric": metric.as_str(), "severity": alert.severity, "value": value,
        "threshold": alert.threshold, "window_start_ms": window.start_ms,
    });
    tx.record(ctx, Event::new(action, deployment.clone(), detail).with_edge(deployment, name, "observed")).await
}

/// What rules ask of a window; only what some rule asks is computed.
struct Facts {
    traffic: traffic::Traffic,
    drift: Option<WindowReport>,
    quality: judging::Measured,
}

impl Facts {
    async fn of(ctx: &Ctx, monitoring: &Monitoring, window: &Window, standing: &[StandingRule]) -> Result<Self> {
        let segments =
            store::segments::list(&monitoring.db, &window.project, &window.deployment, window.start_ms).await?;
        let drift = if standing.iter().any(|standing| standing.rule.metric.is_of_report()) {
            let span = Span { from_ms: window.start_ms, to_ms: window.start_ms.saturating_add(1), windows: 1 };
            report_drift(ctx, monitoring, &window.deployment, None, span).await?.windows.pop()
        } else {
            None
        };
        let quality = if standing.iter().any(|standing| standing.rule.metric == Metric::Quality) {
            let settings = of(monitoring, &window.project, &window.deployment).await?;
            judging::of_window(monitoring, &settings, window).await?
        } else {
            judging::Measured::default()
        };
        Ok(Self { traffic: traffic::seen_by_clients(&segments)?, drift, quality })
    }

    /// What a rule is about; `None` where there is too little to say anything.
    fn value(&self, rule: &Rule) -> Option<f64> {
        let rows = match rule.metric {
            metric if metric.is_of_report() => self.drift.as_ref()?.rows,
            Metric::ErrorRate | Metric::P95LatencyMs => self.traffic.asked_well(),
            Metric::Quality => self.quality.labelled,
            _ => return Some(self.traffic.rows as f64),
        };
        if rows < u64::try_from(rule.min_rows).unwrap_or_default() {
            return None;
        }
        match rule.metric {
            Metric::ErrorRate => (self.traffic.asked_well() > 0).then(|| self.traffic.error_rate()),
            Metric::P95LatencyMs => self.traffic.latency_us.quantile(0.95).ok().flatten().map(|us| us / 1e3),
            Metric::Quality => self.quality.measures.get(rule.measure.as_deref()?).copied(),
            Metric::Rows => Some(self.traffic.rows as f64),
            _ => value_in(self.drift.as_ref()?, rule),
        }
    }
}

/// What a report says of what a rule is about.
fn value_in(report: &WindowReport, rule: &Rule) -> Option<f64> {
    let inputs = || report.columns.iter().filter(|column| column.part == Part::Input);
    match rule.metric {
        Metric::DriftShare => return report.drift_share,
        Metric::PredictionDriftShare => return report.prediction_drift_share,
        Metric::SchemaChanges => return Some(inputs().filter(|column| column.has_schema_problem).count() as f64),
        _ => {}
    }
    // Inputs come before outputs, and a column whose values changed their kind is there twice.
    let is_meant = |column: &&ColumnReport| Some(column.name.as_str()) == rule.column.as_deref();
    let part = report.columns.iter().find(is_meant)?.part;
    let columns = || report.columns.iter().filter(|column| column.part == part && is_meant(column));
    match rule.metric {
        Metric::MissingShare => {
            let share = columns().find_map(|column| column.current.as_ref()).map(|column| column.missing_share);
            // An input that no request has is missing in all of them.
            share.or_else(|| (part == Part::Input && report.rows > 0).then_some(1.0))
        }
        Metric::NewCategoryShare => columns().find_map(|column| column.new_category_share),
        metric => metric.test().and_then(|test| columns().find_map(|column| column.value_of(test))),
    }
}
