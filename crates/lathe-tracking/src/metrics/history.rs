//! Reading points back: one metric's history, several runs' histories, and evenly sampled ones.

use lathe_core::{Ctx, Page, Result, RunId};

use crate::{MetricPoint, Tracking};

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
