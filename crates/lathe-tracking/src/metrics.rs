//! Metrics: points appended in blocks, read back as history, samples, chart buckets or what came after a cursor.
//!
//! A point is (step, timestamp, value). History is ordered by timestamp, step, value, and an exact duplicate is one point.
//! The *latest* value of a metric is the one with the largest (step, timestamp, value).

pub mod blocks;
pub mod history;
pub mod live;
pub mod series;
pub(crate) mod sortable;

use lathe_core::{Error, Result};

/// From how many points on sorting and cutting them leaves the reactor (about half a millisecond of work).
const OFF_REACTOR_POINTS: usize = 10_000;

/// Works on points: here when they are few, on a blocking thread when they are many.
async fn compute<T: Send + 'static>(
    points: Vec<MetricPoint>,
    work: impl FnOnce(Vec<MetricPoint>) -> T + Send + 'static,
) -> Result<T> {
    if points.len() < OFF_REACTOR_POINTS {
        return Ok(work(points));
    }
    tokio::task::spawn_blocking(move || work(points))
        .await
        .map_err(|error| Error::internal("work on metric points ended early").with_source(error))
}

/// One value of a metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MetricPoint {
    /// The training step.
    pub step: i64,
    /// When it was measured, milliseconds since 1970.
    pub timestamp_ms: i64,
    /// The value; may be NaN or infinite.
    pub value: f64,
}

/// The latest value of a run's metric.
#[derive(Debug, Clone, PartialEq)]
pub struct Metric {
    /// Its name.
    pub key: String,
    /// Its value; may be NaN or infinite.
    pub value: f64,
    /// When it was measured.
    pub timestamp_ms: i64,
    /// The training step.
    pub step: i64,
}

/// A point to log.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct NewMetric {
    /// The metric's name.
    pub key: String,
    /// Its value.
    pub value: f64,
    /// When it was measured; not negative.
    pub timestamp_ms: i64,
    /// The training step.
    pub step: i64,
    /// The logged model that was measured, if one was.
    pub model_id: Option<String>,
    /// The dataset it was measured on.
    pub dataset_name: Option<String>,
    /// That dataset's digest.
    pub dataset_digest: Option<String>,
}
