//! Chart buckets: a metric of some runs, cut into at most so many buckets, each with its smallest, largest and last value.

use lathe_core::{Ctx, Result, RunId};

use crate::{MetricPoint, Tracking};

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

/// Points of a run logged after a cursor.
#[derive(Debug, Clone, PartialEq)]
pub struct NewPoints {
    /// The metric.
    pub key: String,
    /// The points, in arrival order.
    pub points: Vec<MetricPoint>,
}

/// How far a live reader has read: for each metric key, how many points in arrival order.
pub type Cursor = std::collections::BTreeMap<String, i64>;
