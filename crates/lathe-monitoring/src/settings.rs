//! What a person chose for the monitoring of a deployment.

use lathe_core::{Action, Ctx, DeploymentName, Error, Event, Kind, Name, Project, Result};
use lathe_db::{FutureExt as _, Tx};
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

/// What is to be otherwise. What is `None` stays as it is; of what may be absent, an inner `None` makes it so.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Change {
    /// The length of a window.
    pub window_ms: Option<i64>,
    /// The share of requests whose rows are kept.
    pub sample_share: Option<f64>,
    /// How long windows are kept.
    pub retention_ms: Option<i64>,
    /// Whether a client may say when a request was made.
    pub allows_replay: Option<bool>,
    /// The output column that labels are compared with.
    pub prediction_column: Option<Option<String>>,
    /// The output column with the score.
    pub score_column: Option<Option<String>>,
    /// The positive class.
    pub positive_label: Option<Option<String>>,
    /// What the answers are.
    pub task: Option<Option<Task>>,
}

impl Change {
    fn of(self, settings: Settings) -> Settings {
        Settings {
            window_ms: self.window_ms.unwrap_or(settings.window_ms),
            sample_share: self.sample_share.unwrap_or(settings.sample_share),
            retention_ms: self.retention_ms.unwrap_or(settings.retention_ms),
            allows_replay: self.allows_replay.unwrap_or(settings.allows_replay),
            prediction_column: self.prediction_column.unwrap_or(settings.prediction_column),
            score_column: self.score_column.unwrap_or(settings.score_column),
            positive_label: self.positive_label.unwrap_or(settings.positive_label),
            task: self.task.unwrap_or(settings.task),
        }
    }
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
    read(store::settings::find(&monitoring.db, project, deployment).await?)
}

/// The same within a transaction.
pub(crate) async fn of_in(tx: &mut Tx, project: &Project, deployment: &str) -> Result<Settings> {
    read(store::settings::find_in(tx, project, deployment).await?)
}

fn read(text: Option<String>) -> Result<Settings> {
    text.map_or_else(|| Ok(Settings::default()), |text| parse(&text))
}

fn parse(text: &str) -> Result<Settings> {
    serde_json::from_str(text).map_err(|error| Error::internal("settings").with_source(error))
}

/// Changes them, and answers what they are then.
///
/// # Errors
/// `InvalidArgument`; `Conflict` for another length of windows when there are windows.
pub async fn set_settings(ctx: &Ctx, monitoring: &Monitoring, deployment: &str, change: Change) -> Result<Settings> {
    ctx.authorize(Action::Write)?;
    check_deployment(deployment)?;
    let (ctx, deployment) = (ctx.clone(), deployment.to_owned());
    monitoring
        .db
        .write(move |tx| {
            async move {
                let failed = |error: serde_json::Error| Error::internal("settings").with_source(error);
                let default = serde_json::to_string(&Settings::default()).map_err(failed)?;
                // Nobody makes a window of the length that was until the transaction ends.
                store::windows::hold_length(tx, &ctx.project, &deployment).await?;
                let held = store::settings::hold(tx, &ctx.project, &deployment, default, ctx.now_ms()).await?;
                let before = parse(&held)?;
                let (length_before_ms, settings) = (before.window_ms, change.of(before));
                check(&settings)?;
                if settings.window_ms != length_before_ms
                    && let Some(length_ms) = store::windows::any_length(tx, &ctx.project, &deployment).await?
                    && length_ms != settings.window_ms
                {
                    return Err(Error::conflict(format!(
                        "deployment `{deployment}` has windows of {} already; their length cannot change",
                        shown(length_ms)
                    )));
                }
                let text = serde_json::to_string(&settings).map_err(failed)?;
                let detail = serde_json::to_value(&settings).map_err(failed)?;
                store::settings::upsert(tx, &ctx.project, &deployment, text, ctx.now_ms()).await?;
                let subject = Name::new(&ctx.project, Kind::Deployment, &deployment);
                tx.record(&ctx, Event::new("monitoring.configured", subject, detail)).await?;
                Ok(settings)
            }
            .boxed()
        })
        .await
}

/// A length of time in the largest unit that makes it a whole number.
fn shown(length_ms: i64) -> String {
    for (unit_ms, unit) in [(DAY_MS, "d"), (HOUR_MS, "h"), (60_000, "m"), (1_000, "s")] {
        if length_ms != 0 && length_ms % unit_ms == 0 {
            return format!("{}{unit}", length_ms / unit_ms);
        }
    }
    format!("{length_ms} ms")
}

fn check(settings: &Settings) -> Result<()> {
    let Settings { window_ms, sample_share, retention_ms, prediction_column, score_column, positive_label, .. } =
        settings;
    if !(1_000..=31 * DAY_MS).contains(window_ms) {
        return Err(Error::invalid(format!("window_ms is {}; it must be from 1s to 31d", shown(*window_ms))));
    }
    if !(0.0..=1.0).contains(sample_share) {
        return Err(Error::invalid(format!("sample_share is {sample_share}; it must be from 0 to 1")));
    }
    if *retention_ms < *window_ms || *retention_ms > 3650 * DAY_MS {
        return Err(Error::invalid(format!(
            "retention_ms is {}; it must be from the length of a window, {}, to 3650d",
            shown(*retention_ms),
            shown(*window_ms)
        )));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_of_time_is_shown_in_its_largest_unit() {
        for (length_ms, expected) in [
            (0, "0 ms"),
            (1, "1 ms"),
            (1_500, "1500 ms"),
            (90_000, "90s"),
            (60_000, "1m"),
            (7_200_000, "2h"),
            (31 * DAY_MS, "31d"),
        ] {
            assert_eq!(shown(length_ms), expected);
        }
    }

    #[test]
    fn what_a_change_leaves_out_stays() {
        let settings = Settings { window_ms: 60_000, score_column: Some("score".to_owned()), ..Settings::default() };
        assert_eq!(Change::default().of(settings.clone()), settings);
        let change = Change { score_column: Some(None), allows_replay: Some(true), ..Change::default() };
        let changed = change.of(settings.clone());
        assert_eq!(changed, Settings { score_column: None, allows_replay: true, ..settings });
    }
}
