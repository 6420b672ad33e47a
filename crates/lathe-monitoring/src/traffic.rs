//! How much a version was asked, how fast it answered, and what failed.

use std::collections::BTreeMap;

use lathe_core::{Action, Code, Ctx, Result};
use serde::{Deserialize, Serialize};

use crate::sketch::{Quantiles, broken};
use crate::store::segments::Segment;
use crate::windows::{Span, list};
use crate::{Monitoring, Outcome, Sample, store};

const FORMAT: u32 = 1;

/// Counts and latencies of some samples.
#[derive(Debug, Clone)]
pub(crate) struct Traffic {
    pub(crate) requests: u64,
    pub(crate) rows: u64,
    pub(crate) errors: BTreeMap<String, u64>,
    pub(crate) latency_us: Quantiles,
}

#[derive(Debug, Serialize, Deserialize)]
struct Stored {
    format: u32,
    requests: u64,
    rows: u64,
    errors: BTreeMap<String, u64>,
    latency_us: String,
}

impl Traffic {
    pub(crate) fn new() -> Result<Self> {
        Ok(Self { requests: 0, rows: 0, errors: BTreeMap::new(), latency_us: Quantiles::new()? })
    }

    pub(crate) fn add(&mut self, sample: &Sample) -> Result<()> {
        self.requests += 1;
        self.rows += sample.inputs.rows().max(sample.outputs.rows()) as u64;
        match &sample.outcome {
            Outcome::Ok => self.latency_us.add(sample.latency_us as f64),
            Outcome::Failed(code) => {
                *self.errors.entry(code.clone()).or_default() += 1;
                Ok(())
            }
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) -> Result<()> {
        self.requests += other.requests;
        self.rows += other.rows;
        for (code, count) in &other.errors {
            *self.errors.entry(code.clone()).or_default() += count;
        }
        self.latency_us.merge(&other.latency_us)
    }

    /// Requests by whether they count: what was asked badly says nothing of the model, neither as an error nor as a request.
    fn failed_of(&self) -> (u64, u64) {
        let is_of_caller = |code: &str| Code::parse(code).is_some_and(Code::is_of_caller);
        let (callers, failed): (Vec<_>, Vec<_>) = self.errors.iter().partition(|(code, _)| is_of_caller(code));
        let sum = |errors: Vec<(&String, &u64)>| errors.into_iter().map(|(_, count)| count).sum::<u64>();
        (sum(failed), self.requests.saturating_sub(sum(callers)))
    }

    /// Requests that were asked well.
    pub(crate) fn asked_well(&self) -> u64 {
        self.failed_of().1
    }

    pub(crate) fn error_rate(&self) -> f64 {
        let (failed, requests) = self.failed_of();
        if requests == 0 { 0.0 } else { failed as f64 / requests as f64 }
    }

    pub(crate) fn encode(&self) -> Result<String> {
        let Self { requests, rows, errors, latency_us } = self;
        let stored = Stored {
            format: FORMAT,
            requests: *requests,
            rows: *rows,
            errors: errors.clone(),
            latency_us: latency_us.encode(),
        };
        serde_json::to_string(&stored).map_err(broken)
    }

    pub(crate) fn decode(text: &str) -> Result<Self> {
        let Stored { format, requests, rows, errors, latency_us } = serde_json::from_str(text).map_err(broken)?;
        if format != FORMAT {
            return Err(broken(format_args!("of format {format}, which this version does not read")));
        }
        Ok(Self { requests, rows, errors, latency_us: Quantiles::decode(&latency_us)? })
    }
}

/// A version's traffic in a window.
#[derive(Debug, Clone, PartialEq)]
pub struct TrafficRow {
    /// When the window begins.
    pub start_ms: i64,
    /// Its length.
    pub length_ms: i64,
    /// The version.
    pub version: i64,
    /// `primary`, `canary` or `shadow`.
    pub variant: String,
    /// Requests.
    pub requests: u64,
    /// Rows.
    pub rows: u64,
    /// Requests per second, over the whole window.
    pub rate: f64,
    /// The share of failed requests among those that were asked well (without `invalid_argument` and other faults of callers),
    /// as gates and a deployment's statistics count it.
    pub error_rate: f64,
    /// Failed requests by code.
    pub errors: BTreeMap<String, u64>,
    /// Half of the answers took up to this, in milliseconds.
    pub p50_ms: Option<f64>,
    /// 95 % did.
    pub p95_ms: Option<f64>,
    /// 99 % did.
    pub p99_ms: Option<f64>,
}

/// The traffic of the latest windows, by time and version.
///
/// # Errors
/// `InvalidArgument` for a bad span.
pub async fn list_traffic(ctx: &Ctx, monitoring: &Monitoring, deployment: &str, span: Span) -> Result<Vec<TrafficRow>> {
    ctx.authorize(Action::Read)?;
    let mut rows = Vec::new();
    for window in list(ctx, monitoring, deployment, span).await? {
        let segments = store::segments::list(&monitoring.db, &ctx.project, deployment, window.start_ms).await?;
        for ((version, variant), traffic) in by_version(&segments)? {
            let latency = |share| -> Result<Option<f64>> { Ok(traffic.latency_us.quantile(share)?.map(|us| us / 1e3)) };
            rows.push(TrafficRow {
                start_ms: window.start_ms,
                length_ms: window.length_ms,
                version,
                variant,
                requests: traffic.requests,
                rows: traffic.rows,
                rate: traffic.requests as f64 * 1e3 / window.length_ms as f64,
                error_rate: traffic.error_rate(),
                p50_ms: latency(0.5)?,
                p95_ms: latency(0.95)?,
                p99_ms: latency(0.99)?,
                errors: traffic.errors,
            });
        }
    }
    Ok(rows)
}

fn by_version(segments: &[Segment]) -> Result<BTreeMap<(i64, String), Traffic>> {
    let mut all: BTreeMap<(i64, String), Traffic> = BTreeMap::new();
    for segment in segments {
        let traffic = Traffic::decode(&segment.traffic)?;
        let key = (segment.version, segment.variant.clone());
        match all.get_mut(&key) {
            Some(known) => known.merge(&traffic)?,
            None => {
                all.insert(key, traffic);
            }
        }
    }
    Ok(all)
}

/// The traffic that clients saw: of all versions but shadows.
pub(crate) fn seen_by_clients(segments: &[Segment]) -> Result<Traffic> {
    let mut all = Traffic::new()?;
    for segment in segments.iter().filter(|segment| segment.variant != "shadow") {
        all.merge(&Traffic::decode(&segment.traffic)?)?;
    }
    Ok(all)
}
