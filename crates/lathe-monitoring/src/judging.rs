//! How good the answers of a window were, by the labels that are there.
//!
//! **Invariant:** no window is read whole: labels come in pages, answers a few requests at a time, and what is measured is bounded.

use std::collections::{BTreeMap, HashMap};

use lathe_core::{Action, Ctx, Error, Result};
use serde_json::Value;

use crate::Monitoring;
use crate::collect::is_sampled;
use crate::measures::{Judged, measure};
use crate::settings::{Settings, of};
use crate::store::predictions::{self as rows, Counted, LabelledRow, WindowKey};
use crate::store::windows::Window;
use crate::windows::{Span, list};

/// So many labels of a window are measured; of more, an even choice of about so many.
const MAX_MEASURED: i64 = 200_000;
/// So many labels are read at once,
const PAGE: usize = 5_000;
/// and the answers of so many requests.
const REQUESTS: usize = 50;

/// How good a version was in a window.
#[derive(Debug, Clone, PartialEq)]
pub struct QualityRow {
    /// When the window begins.
    pub start_ms: i64,
    /// Its length.
    pub length_ms: i64,
    /// The version.
    pub version: i64,
    /// `primary`, `canary` or `shadow`.
    pub variant: String,
    /// Rows that were answered and kept.
    pub rows: i64,
    /// Rows of these that have a label.
    pub labelled: i64,
    /// `accuracy`, `f1`, `rmse`, … of the rows with labels.
    pub measures: BTreeMap<&'static str, f64>,
    /// What keeps scores from being measured.
    pub problem: Option<String>,
}

/// The quality of the latest windows, by time and version.
///
/// # Errors
/// `InvalidArgument` for a bad span.
pub async fn list_quality(ctx: &Ctx, monitoring: &Monitoring, deployment: &str, span: Span) -> Result<Vec<QualityRow>> {
    ctx.authorize(Action::Read)?;
    let windows = list(ctx, monitoring, deployment, span).await?;
    let settings = of(monitoring, &ctx.project, deployment).await?;
    let mut quality = Vec::new();
    for window in windows {
        let (start_ms, length_ms) = (window.start_ms, window.length_ms);
        for ((version, variant), found) in judge_window(monitoring, &window).await? {
            let Version { rows, labelled, judged, has_other_scores } = found;
            let measures = measure_off_reactor(&settings, judged).await?;
            let problem = has_other_scores.then(|| no_numbers(&settings, deployment));
            quality.push(QualityRow { start_ms, length_ms, version, variant, rows, labelled, measures, problem });
        }
    }
    Ok(quality)
}

fn no_numbers(settings: &Settings, deployment: &str) -> String {
    let column =
        settings.score_column.as_deref().map_or("`score` or `probability`".to_owned(), |name| format!("`{name}`"));
    format!(
        "the score column {column} holds texts or booleans, which are no scores; choose one of numbers: \
         lathe monitor settings {deployment} --score-column COLUMN"
    )
}

/// How good a window's answers were.
#[derive(Debug, Clone, Default)]
pub(crate) struct Measured {
    /// Rows with labels.
    pub(crate) labelled: u64,
    pub(crate) measures: BTreeMap<&'static str, f64>,
}

/// How good what clients were answered in a window was.
pub(crate) async fn of_window(monitoring: &Monitoring, settings: &Settings, window: &Window) -> Result<Measured> {
    let versions = judge_window(monitoring, window).await?;
    let seen = versions.into_iter().filter(|((_, variant), _)| variant != "shadow");
    let (mut labelled, mut judged) = (0, Vec::new());
    for (_, version) in seen {
        labelled += u64::try_from(version.labelled).unwrap_or_default();
        judged.extend(version.judged);
    }
    Ok(Measured { labelled, measures: measure_off_reactor(settings, judged).await? })
}

async fn measure_off_reactor(settings: &Settings, judged: Vec<Judged>) -> Result<BTreeMap<&'static str, f64>> {
    let settings = settings.clone();
    let measuring = tokio::task::spawn_blocking(move || measure(&settings, &judged)).await;
    measuring.map_err(|error| Error::internal("judging ended early").with_source(error))
}

#[derive(Debug, Default)]
struct Version {
    rows: i64,
    labelled: i64,
    /// Those that are measured.
    judged: Vec<Judged>,
    /// Whether what was kept as a score is no number.
    has_other_scores: bool,
}

/// Of each row of a request the prediction and the score.
type Answers = Vec<(Value, Value)>;

type Versions = BTreeMap<(i64, String), Version>;

async fn judge_window(monitoring: &Monitoring, window: &Window) -> Result<Versions> {
    let key = WindowKey { project: &window.project, deployment: &window.deployment, start_ms: window.start_ms };
    let counted = rows::count(&monitoring.db, key).await?;
    let share = measured_share(counted.iter().map(|counted| counted.labels).sum());
    let mut versions: Versions = counted
        .into_iter()
        .map(|Counted { version, variant, rows, labels: _ }| {
            ((version, variant), Version { rows, ..Version::default() })
        })
        .collect();
    let mut after: Option<LabelledRow> = None;
    loop {
        let page = rows::list_labelled(&monitoring.db, key, after.as_ref(), PAGE).await?;
        judge_page(monitoring, key, &page, share, &mut versions).await?;
        if page.len() < PAGE {
            return Ok(versions);
        }
        after = page.into_iter().next_back();
    }
}

/// Which share of so many labels is measured.
fn measured_share(labels: i64) -> f64 {
    if labels <= MAX_MEASURED { 1.0 } else { MAX_MEASURED as f64 / labels as f64 }
}

async fn judge_page(
    monitoring: &Monitoring,
    window: WindowKey<'_>,
    page: &[LabelledRow],
    share: f64,
    versions: &mut Versions,
) -> Result<()> {
    // Rows of a request stand together.
    let mut rest = page;
    while !rest.is_empty() {
        let mut requests: Vec<&str> = Vec::with_capacity(REQUESTS);
        let mut count = 0;
        for row in rest {
            if requests.last() != Some(&row.request_id.as_str()) {
                if requests.len() == REQUESTS {
                    break;
                }
                requests.push(&row.request_id);
            }
            count += 1;
        }
        let (rows_of_requests, further) = rest.split_at(count);
        let answers = rows::list_answers(&monitoring.db, window.project, window.deployment, &requests).await?;
        let parse = |text: &str| -> Answers { serde_json::from_str(text).unwrap_or_default() };
        let answers: HashMap<(&str, i64, &str), Answers> = answers
            .iter()
            .map(|one| ((one.request_id.as_str(), one.version, one.variant.as_str()), parse(&one.answers)))
            .collect();
        for row in rows_of_requests {
            let answers = answers.get(&(row.request_id.as_str(), row.version, row.variant.as_str()));
            let Some((prediction, score)) = answers.and_then(|answers| answer_of(answers, row)) else { continue };
            let version = versions.entry((row.version, row.variant.clone())).or_default();
            version.labelled += 1;
            version.has_other_scores |= score.is_string() || score.is_boolean();
            let Some(judged) = judge(prediction, score, row) else { continue };
            // Another choice than the one of which rows are kept, so that both are even.
            if share >= 1.0 || is_sampled(&format!("quality {} {}", row.request_id, row.row), share) {
                version.judged.push(judged);
            }
        }
        rest = further;
    }
    Ok(())
}

/// What a labelled row was answered; `None` where that was nothing.
fn answer_of<'a>(answers: &'a [(Value, Value)], row: &LabelledRow) -> Option<(&'a Value, &'a Value)> {
    let (prediction, score) = answers.get(usize::try_from(row.row).ok()?)?;
    (!prediction.is_null() || !score.is_null()).then_some((prediction, score))
}

/// A label beside its answer; `None` where that holds nothing that can be measured.
fn judge(prediction: &Value, score: &Value, row: &LabelledRow) -> Option<Judged> {
    let (prediction, score) = (prediction.clone(), score.as_f64());
    let is_measured = !prediction.is_null() || score.is_some();
    is_measured.then_some(Judged { prediction, score, label: serde_json::from_str(&row.label).ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_labels_an_even_share_is_measured() {
        assert_eq!((measured_share(0), measured_share(MAX_MEASURED)), (1.0, 1.0));
        assert!((measured_share(4 * MAX_MEASURED) - 0.25).abs() < 1e-12);
    }
}
