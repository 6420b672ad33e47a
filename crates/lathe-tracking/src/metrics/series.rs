//! Chart buckets: a metric of some runs, cut into at most so many buckets, each with its smallest, largest and last value.

use lathe_core::{Action, Ctx, Error, Result, RunId};

use super::{blocks, compute};
use crate::{MetricPoint, Tracking, store};

/// How many runs one request may chart.
const MAX_RUNS: usize = 100;
/// How many metrics one request may chart.
const MAX_KEYS: usize = 20;
/// How many buckets a line has when the request does not say.
const DEFAULT_POINTS: i64 = 300;
/// How many buckets a line may have.
const MAX_POINTS: i64 = 10_000;

/// What the horizontal axis of a chart is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Axis {
    /// The training step.
    #[default]
    Step,
    /// Milliseconds since 1970.
    Time,
}

/// Which series.
#[derive(Debug, Clone, Default)]
pub struct ReadSeries {
    /// At most 100 runs.
    pub run_ids: Vec<RunId>,
    /// At most 20 metrics.
    pub metric_keys: Vec<String>,
    /// The horizontal axis.
    pub axis: Axis,
    /// How many buckets at the most; 300 when `None`.
    pub max_points: Option<i64>,
    /// Only from here on the axis.
    pub from: Option<i64>,
    /// Only to here on the axis.
    pub to: Option<i64>,
}

/// One line of a chart.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// The run.
    pub run_id: RunId,
    /// The metric.
    pub metric_key: String,
    /// How many points lie in the range, before buckets were made.
    pub points: i64,
    /// The buckets, left to right.
    pub buckets: Buckets,
}

/// Parallel columns, one entry per bucket.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Buckets {
    /// Where the bucket's last point lies on the axis.
    pub x: Vec<i64>,
    /// The smallest value; NaN only when all are.
    pub min: Vec<f64>,
    /// The largest value; NaN only when all are.
    pub max: Vec<f64>,
    /// The last value; may be NaN.
    pub last: Vec<f64>,
    /// Whether several points went into one bucket; otherwise `min` and `max` equal `last`.
    pub is_downsampled: bool,
}

/// The lines of some metrics of some runs, run by run. Runs and metrics that do not exist have none.
///
/// # Errors
/// `InvalidArgument` for too many runs, metrics or points.
pub async fn read_series(ctx: &Ctx, tracking: &Tracking, request: ReadSeries) -> Result<Vec<Series>> {
    ctx.authorize(Action::Read)?;
    let ReadSeries { run_ids, metric_keys, axis, max_points, from, to } = request;
    if run_ids.len() > MAX_RUNS || metric_keys.len() > MAX_KEYS {
        return Err(Error::invalid(format!(
            "a chart shows at most {MAX_RUNS} runs and {MAX_KEYS} metrics; ask for fewer or make several requests"
        )));
    }
    let count = max_points.unwrap_or(DEFAULT_POINTS);
    if !(1..=MAX_POINTS).contains(&count) {
        return Err(Error::invalid(format!("max_points must be between 1 and {MAX_POINTS}, got {count}")));
    }
    let range = (from.unwrap_or(i64::MIN), to.unwrap_or(i64::MAX));
    let keys = tracking.find_keys(&ctx.project, metric_keys.iter().map(String::as_str)).await?;
    let key_ids: Vec<i64> = keys.values().copied().collect();
    let runs = store::runs::existing(&tracking.db, &ctx.project, &run_ids).await?;
    let mut all = Vec::new();
    for (run_id, run_key) in runs {
        let mut points = store::metrics::read_points(&tracking.db, &[run_key], &key_ids).await?;
        for metric_key in &metric_keys {
            let found = keys.get(metric_key).and_then(|key_id| points.remove(&(run_key, *key_id)));
            let Some(found) = found else { continue };
            let (points, buckets) = compute(found, move |points| cut(points, axis, range, count)).await?;
            all.push(Series { run_id: run_id.clone(), metric_key: metric_key.clone(), points, buckets });
        }
    }
    Ok(all)
}

/// The points within a range, their count and their buckets.
fn cut(mut points: Vec<MetricPoint>, axis: Axis, range: (i64, i64), count: i64) -> (i64, Buckets) {
    let place = |point: &MetricPoint| match axis {
        Axis::Step => point.step,
        Axis::Time => point.timestamp_ms,
    };
    points.retain(|point| (range.0..=range.1).contains(&place(point)));
    match axis {
        Axis::Step => blocks::to_steps(&mut points),
        Axis::Time => blocks::to_history(&mut points),
    }
    let total = i64::try_from(points.len()).unwrap_or(i64::MAX);
    let (Some(first), Some(last)) = (points.first().map(place), points.last().map(place)) else {
        return (0, Buckets::default());
    };
    let mut buckets = Buckets { is_downsampled: total > count, ..Buckets::default() };
    // Buckets of equal width on the axis; 128 bits because steps may lie anywhere in 64.
    let width = i128::from(last) - i128::from(first) + 1;
    let mut current = None;
    for (number, point) in (0_i128..).zip(&points) {
        let x = place(point);
        let bucket = if buckets.is_downsampled {
            (i128::from(x) - i128::from(first)) * i128::from(count) / width
        } else {
            number
        };
        buckets.add(x, point.value, current == Some(bucket));
        current = Some(bucket);
    }
    (total, buckets)
}

impl Buckets {
    /// Adds a value to the last bucket, or starts the next one.
    fn add(&mut self, x: i64, value: f64, is_same_bucket: bool) {
        if let (true, Some(last_x), Some(last), Some(min), Some(max)) =
            (is_same_bucket, self.x.last_mut(), self.last.last_mut(), self.min.last_mut(), self.max.last_mut())
        {
            *last_x = x;
            *last = value;
            // `f64::min` and `max` pass over NaN.
            *min = min.min(value);
            *max = max.max(value);
        } else {
            self.x.push(x);
            self.last.push(value);
            self.min.push(value);
            self.max.push(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_points() -> impl Strategy<Value = Vec<MetricPoint>> {
        let value = prop_oneof![3 => any::<f64>(), 1 => Just(f64::NAN), 3 => (-5..5).prop_map(f64::from)];
        let step = prop_oneof![5 => 0_i64..1_000, 1 => any::<i64>()];
        prop::collection::vec(
            (step, 0_i64..1_000, value).prop_map(|(step, timestamp_ms, value)| MetricPoint {
                step,
                timestamp_ms,
                value,
            }),
            0..300,
        )
    }

    fn smallest(values: impl Iterator<Item = f64>) -> f64 {
        values.fold(f64::NAN, f64::min)
    }

    proptest! {
        #[test]
        fn buckets_keep_smallest_largest_and_last(points in any_points(), count in 1_i64..50, by_step in any::<bool>()) {
            let axis = if by_step { Axis::Step } else { Axis::Time };
            let mut ordered = points.clone();
            if by_step { blocks::to_steps(&mut ordered) } else { blocks::to_history(&mut ordered) }
            let (total, buckets) = cut(points, axis, (i64::MIN, i64::MAX), count);
            prop_assert_eq!(total as usize, ordered.len());
            let length = buckets.x.len();
            prop_assert_eq!([buckets.min.len(), buckets.max.len(), buckets.last.len()], [length; 3]);
            if buckets.is_downsampled {
                prop_assert!(length as i64 <= count);
                prop_assert!(buckets.x.windows(2).all(|pair| pair[0] < pair[1]));
            } else {
                prop_assert_eq!(length, ordered.len());
            }
            let bits = |value: f64| if value == 0.0 || value.is_nan() { value.is_nan() as u64 } else { value.to_bits() };
            let values = || ordered.iter().map(|point| point.value);
            prop_assert_eq!(bits(smallest(buckets.min.iter().copied())), bits(smallest(values())));
            let largest = |values: &mut dyn Iterator<Item = f64>| values.fold(f64::NAN, f64::max);
            prop_assert_eq!(bits(largest(&mut buckets.max.iter().copied())), bits(largest(&mut values())));
            prop_assert_eq!(buckets.last.last().map(|v| bits(*v)), ordered.last().map(|point| bits(point.value)));
        }
    }

    #[test]
    fn a_range_cuts_both_ends() {
        let points = (0..10).map(|step| MetricPoint { step, timestamp_ms: 0, value: step as f64 }).collect();
        let (total, buckets) = cut(points, Axis::Step, (3, 6), 100);
        assert_eq!((total, buckets.x, buckets.is_downsampled), (4, vec![3, 4, 5, 6], false));
    }
}
