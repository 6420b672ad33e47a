//! What a person chose for the monitoring of a deployment.

use lathe_core::{Action, Ctx, DeploymentName, Error, Event, Kind, Name, Project, Result};
use lathe_db::FutureExt as _;
use serde::{Deserialize, Serialize};

use crate::{Monitoring, store};

const HOUR_MS: i64 = 3600 * 1000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// What a model's answers are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Task {
    /// Classes.
    Classification,
    /// Numbers.
    Regression,
}

/// How a deployment is monitored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// The length of a window in milliseconds, from a second to 31 days.
    pub window_ms: i64,
    /// The share of requests whose rows are kept, from 0 to 1. All requests are counted.
    pub sample_share: f64,
    /// How long windows with their samples, labels and sketches are kept after the last one came, in milliseconds.
    pub retention_ms: i64,
    /// Whether a client may say when a request was made, to replay traffic of the past.
    pub allows_replay: bool,
    /// The output column that labels are compared with; if absent `prediction`, or the first column when there are no scores.
    /// Where there are only scores, 0.5 and more means the positive class.
    pub prediction_column: Option<String>,
    /// The output column with the score of the positive class; if absent `score` or `probability`, where there is one.
    pub score_column: Option<String>,
    /// The class that precision, recall, log loss and AUC are about; if absent `1` or `true`.
    pub positive_label: Option<String>,
    /// What the answers are; if absent it is seen from the labels.
    pub task: Option<Task>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            window_ms: HOUR_MS,
            sample_share: 1.0,
            retention_ms: 90 * DAY_MS,
            allows_replay: false,
            prediction_column: None,
            score_column: None,
            positive_label: None,
            task: None,
        }
    }
}

/// Fails unless the text can be a deployment's name.
///
/// # Errors
/// `InvalidArgument`.
pub fn check_deployment(name: &str) -> Result<()> {
    DeploymentName::parse(name).map(|_| ())
}

/// The settings of a deployment; the defaults when nobody has chosen any.
///
/// # Errors
/// `InvalidArgument` for a name that no deployment can have.
pub async fn get_settings(ctx: &Ctx, monitoring: &Monitoring, deployment: &str) -> Result<Settings> {
    ctx.authorize(Action::Read)?;
    check_deployment(deployment)?;
    of(monitoring, &ctx.project, deployment).await
}

pub(crate) async fn of(monitoring: &Monitoring, project: &Project, deployment: &str) -> Result<Settings> {
    match store::settings::find(&monitoring.db, project, deployment).await? {
        Some(text) => serde_json::from_str(&text).map_err(|error| Error::internal("settings").with_source(error)),
        None => Ok(Settings::default()),
    }
}

/// Sets them.
///
/// # Errors
/// `InvalidArgument`; `Conflict` for another length of windows when there are windows.
pub async fn set_settings(
    ctx: &Ctx,
    monitoring: &Monitoring,
    deployment: &str,
    settings: Settings,
) -> Result<Settings> {
    ctx.authorize(Action::Write)?;
    check_deployment(deployment)?;
    check(&settings)?;
    let text = serde_json::to_string(&settings).map_err(|error| Error::internal("settings").with_source(error))?;
    let (ctx, deployment, window_ms) = (ctx.clone(), deployment.to_owned(), settings.window_ms);
    monitoring
        .db
        .write(move |tx| {
            async move {
                if let Some(length_ms) = store::windows::any_length(tx, &ctx.project, &deployment).await?
                    && length_ms != window_ms
                {
                    return Err(Error::conflict(format!(
                        "deployment `{deployment}` has windows of {length_ms} ms already; their length cannot change"
                    )));
                }
                let detail: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
                store::settings::upsert(tx, &ctx.project, &deployment, text, ctx.now_ms()).await?;
                let subject = Name::new(&ctx.project, Kind::Deployment, &deployment);
                tx.record(&ctx, Event::new("monitoring.configured", subject, detail)).await
            }
            .boxed()
        })
        .await?;
    Ok(settings)
}

fn check(settings: &Settings) -> Result<()> {
    let Settings { window_ms, sample_share, retention_ms, prediction_column, score_column, positive_label, .. } =
        settings;
    if !(1_000..=31 * DAY_MS).contains(window_ms) {
        return Err(Error::invalid(format!("window_ms is {window_ms}; it must be from 1000 to {}", 31 * DAY_MS)));
    }
    if !(0.0..=1.0).contains(sample_share) {
        return Err(Error::invalid(format!("sample_share is {sample_share}; it must be from 0 to 1")));
    }
    if *retention_ms < *window_ms || *retention_ms > 3650 * DAY_MS {
        return Err(Error::invalid(format!("retention_ms is {retention_ms}; it must be from window_ms to 3650 days")));
    }
    for text in [prediction_column, score_column, positive_label].into_iter().flatten() {
        check_text("a column or label", text)?;
    }
    Ok(())
}

/// Fails for texts that cannot be stored or are no sensible names.
pub(crate) fn check_text(what: &str, text: &str) -> Result<()> {
    if text.is_empty() || text.len() > 500 || text.contains('\0') {
        return Err(Error::invalid(format!("{what} must have 1-500 bytes and no NUL character")));
    }
    Ok(())
}
