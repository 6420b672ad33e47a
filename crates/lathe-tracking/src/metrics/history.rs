//! Reading points back: one metric's history, several runs' histories, and evenly sampled ones.

use lathe_core::{Action, Ctx, Error, Page, PageToken, Result, RunId};

use super::{blocks, compute};
use crate::{MetricPoint, Tracking, runs, store};

/// A point of one of several runs.
#[derive(Debug, Clone, PartialEq)]
pub struct RunPoint {
    /// The run.
    pub run_id: RunId,
    /// The point.
    pub point: MetricPoint,
}

/// A page of a metric's history.
#[derive(Debug, Clone, Default)]
pub struct GetHistory {
    /// The metric's name.
    pub key: String,
    /// Page size; `None` for everything.
    pub max_results: Option<i64>,
    /// The previous page's token.
    pub page_token: Option<String>,
}

/// An even sample of a metric's history for each of several runs.
#[derive(Debug, Clone, Default)]
pub struct SampleHistory {
    /// The runs.
    pub run_ids: Vec<RunId>,
    /// The metric's name.
    pub key: String,
    /// How many points of each run at the most; 1 answers the last one.
    pub max_results: i64,
    /// Only steps from and to these, both included.
    pub steps: Option<(i64, i64)>,
}

/// The points of one metric of a run, by timestamp, step and value, each once. An unknown metric has none.
///
/// # Errors
/// `NotFound` for an unknown run, `InvalidArgument` for a bad page size or token.
pub async fn get_history(
    ctx: &Ctx,
    tracking: &Tracking,
    run_id: &RunId,
    request: GetHistory,
) -> Result<Page<MetricPoint>> {
    ctx.authorize(Action::Read)?;
    let GetHistory { key, max_results, page_token } = request;
    if let Some(max_results) = max_results.filter(|max_results| *max_results < 1) {
        return Err(Error::invalid(format!(
            "Invalid value {max_results} for parameter 'max_results' supplied. It must be a positive integer."
        )));
    }
    let token = PageToken::read(page_token.as_deref(), &format!("history {run_id} {key}"))?;
    let [run_key] = require_runs(ctx, tracking, std::slice::from_ref(run_id)).await?[..] else {
        return Err(runs::not_found(run_id.as_str()));
    };
    let points = match tracking.find_keys(&ctx.project, [key.as_str()]).await?.get(&key) {
        Some(key_id) => store::metrics::read_metric(&tracking.db, run_key, *key_id).await?,
        None => Vec::new(),
    };
    let points = compute(points, |mut points| {
        blocks::to_history(&mut points);
        points
    })
    .await?;
    if token.offset == 0 && max_results.is_none() {
        return Ok(Page { items: points, next: None });
    }
    let limit = max_results.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX - 1);
    let offset = usize::try_from(token.offset).unwrap_or(usize::MAX);
    let rows: Vec<MetricPoint> = points.into_iter().skip(offset).take(limit + 1).collect();
    Ok(Page::from_overread(rows, &token, limit))
}

/// The points of one metric of several runs: by run id, then as a history; at most `max_results` in all. Runs that do not
/// exist have none.
///
/// # Errors
/// What the database answers.
pub async fn get_history_bulk(
    ctx: &Ctx,
    tracking: &Tracking,
    run_ids: &[RunId],
    key: &str,
    max_results: usize,
) -> Result<Vec<RunPoint>> {
    ctx.authorize(Action::Read)?;
    let Some(key_id) = tracking.find_keys(&ctx.project, [key]).await?.get(key).copied() else { return Ok(Vec::new()) };
    let mut runs = store::runs::existing(&tracking.db, &ctx.project, run_ids).await?;
    runs.sort_unstable();
    runs.dedup();
    let mut all = Vec::new();
    for (run_id, run_key) in runs {
        let mut points = store::metrics::read_metric(&tracking.db, run_key, key_id).await?;
        blocks::to_history(&mut points);
        let room = max_results - all.len();
        all.extend(points.into_iter().take(room).map(|point| RunPoint { run_id: run_id.clone(), point }));
        if all.len() >= max_results {
            break;
        }
    }
    Ok(all)
}

/// An even sample of one metric of several runs, in the order of steps: the first and the last point are always among them.
///
/// # Errors
/// `NotFound` when a run does not exist.
pub async fn sample_history(ctx: &Ctx, tracking: &Tracking, request: SampleHistory) -> Result<Vec<RunPoint>> {
    ctx.authorize(Action::Read)?;
    let SampleHistory { run_ids, key, max_results, steps } = request;
    let count = usize::try_from(max_results.max(1)).unwrap_or(usize::MAX);
    let run_keys = require_runs(ctx, tracking, &run_ids).await?;
    let Some(key_id) = tracking.find_keys(&ctx.project, [key.as_str()]).await?.get(&key).copied() else {
        return Ok(Vec::new());
    };
    let mut all = Vec::new();
    for (run_id, run_key) in run_ids.iter().zip(run_keys) {
        let points = store::metrics::read_metric(&tracking.db, run_key, key_id).await?;
        let sampled = compute(points, move |mut points| {
            if let Some((from, to)) = steps {
                points.retain(|point| (from..=to).contains(&point.step));
            }
            blocks::to_steps(&mut points);
            sample(&points, count)
        })
        .await?;
        all.extend(sampled.into_iter().map(|point| RunPoint { run_id: run_id.clone(), point }));
    }
    Ok(all)
}

/// Cuts ordered points into `count` parts of equal size (the first ones larger by one where it does not divide) and keeps
/// the first of each, and the last of all in the last place: MLflow's own sample.
fn sample(points: &[MetricPoint], count: usize) -> Vec<MetricPoint> {
    let Some(last) = points.last() else { return Vec::new() };
    let parts = count.clamp(1, points.len());
    let (length, larger) = (points.len() / parts, points.len() % parts);
    let firsts = (0..parts).map(|part| part * length + part.min(larger));
    let mut sampled: Vec<MetricPoint> = firsts.filter_map(|first| points.get(first).copied()).collect();
    if parts < points.len()
        && let Some(place) = sampled.last_mut()
    {
        *place = *last;
    }
    sampled
}

/// The keys of runs, in the order given; all must exist.
async fn require_runs(ctx: &Ctx, tracking: &Tracking, run_ids: &[RunId]) -> Result<Vec<i64>> {
    let found = store::runs::existing(&tracking.db, &ctx.project, run_ids).await?;
    if found.len() < run_ids.len() {
        let missing = run_ids.iter().find(|id| !found.iter().any(|(found, _)| found == *id));
        return Err(runs::not_found(missing.map_or("", RunId::as_str)));
    }
    Ok(found.into_iter().map(|(_, run_key)| run_key).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn line(count: usize) -> Vec<MetricPoint> {
        (0..count as i64).map(|step| MetricPoint { step, timestamp_ms: step, value: step as f64 }).collect()
    }

    #[test]
    fn samples_are_those_of_mlflow() {
        let steps = |count, max| sample(&line(count), max).iter().map(|point| point.step).collect::<Vec<_>>();
        assert_eq!(steps(10, 4), [0, 3, 6, 9]);
        assert_eq!(steps(10, 1), [9]);
        assert_eq!(steps(3, 10), [0, 1, 2]);
        assert_eq!(steps(0, 5), [0_i64; 0]);
        assert_eq!(steps(100, 5), [0, 20, 40, 60, 99]);
    }

    proptest! {
        #[test]
        fn a_sample_keeps_its_size_order_and_ends(count in 1_usize..500, max in 2_usize..100) {
            let points = line(count);
            let sampled = sample(&points, max);
            prop_assert_eq!(sampled.len(), count.min(max));
            prop_assert!(sampled.windows(2).all(|pair| pair[0].step < pair[1].step));
            prop_assert_eq!(sampled.first().map(|p| p.step), Some(0));
            prop_assert_eq!(sampled.last().map(|p| p.step), Some(count as i64 - 1));
        }
    }
}
