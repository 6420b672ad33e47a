//! What ends a canary: a statistic, a comparison and a bound.

use std::fmt;

/// What ends a canary, such as `error_rate > 0.01` or `p95_latency > 1.2 * champion`.
#[derive(Debug, Clone, PartialEq)]
pub struct Gate {
    /// The canary's statistic.
    pub metric: GateMetric,
    /// How it is compared.
    pub comparison: GateComparison,
    /// With what.
    pub bound: GateBound,
}

/// A statistic of a version's traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GateMetric {
    /// The share of requests that failed, 0 to 1.
    ErrorRate,
    /// The median latency in milliseconds.
    P50Latency,
    /// The 95th percentile of the latency in milliseconds.
    P95Latency,
    /// The 99th percentile of the latency in milliseconds.
    P99Latency,
}

/// How a statistic is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GateComparison {
    /// `>`
    Above,
    /// `>=`
    AtLeast,
    /// `<`
    Below,
    /// `<=`
    AtMost,
}

/// What a statistic is compared with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum GateBound {
    /// A number; milliseconds for a latency.
    Number(f64),
    /// The champion's statistic, times this.
    Champion(f64),
}

const METRICS: &[(&str, GateMetric)] = &[
    ("error_rate", GateMetric::ErrorRate),
    ("p50_latency", GateMetric::P50Latency),
    ("p95_latency", GateMetric::P95Latency),
    ("p99_latency", GateMetric::P99Latency),
];

const COMPARISONS: &[(&str, GateComparison)] = &[
    (">=", GateComparison::AtLeast),
    ("<=", GateComparison::AtMost),
    (">", GateComparison::Above),
    ("<", GateComparison::Below),
];

impl Gate {
    /// Parses a gate; the error is a message.
    ///
    /// # Errors
    /// When it is not `<statistic> <comparison> <bound>`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (at, (sign, comparison)) = COMPARISONS
            .iter()
            .filter_map(|pair| Some((text.find(pair.0)?, pair)))
            .min_by_key(|(at, (sign, _))| (*at, std::cmp::Reverse(sign.len())))
            .ok_or_else(|| format!("`{text}` compares nothing; write for instance `error_rate > 0.01`"))?;
        let (name, bound) =
            (text.get(..at).unwrap_or_default().trim(), text.get(at + sign.len()..).unwrap_or_default());
        let metric = METRICS.iter().find(|(known, _)| *known == name).map(|(_, metric)| *metric).ok_or_else(|| {
            let known: Vec<&str> = METRICS.iter().map(|(name, _)| *name).collect();
            let hint = super::diagnostic::did_you_mean(name, known.iter().copied());
            format!("`{name}` is no statistic of a canary{hint}; there are {}", known.join(", "))
        })?;
        Ok(Self { metric, comparison: *comparison, bound: bound_of(metric, bound.trim())? })
    }

    /// Whether the gate is breached, given a canary's statistic and the champion's.
    pub fn is_breached(&self, canary: f64, champion: f64) -> bool {
        let bound = match self.bound {
            GateBound::Number(number) => number,
            GateBound::Champion(factor) => factor * champion,
        };
        match self.comparison {
            GateComparison::Above => canary > bound,
            GateComparison::AtLeast => canary >= bound,
            GateComparison::Below => canary < bound,
            GateComparison::AtMost => canary <= bound,
        }
    }
}

fn bound_of(metric: GateMetric, text: &str) -> Result<GateBound, String> {
    let number = |word: &str| word.trim().parse::<f64>().ok().filter(|number| number.is_finite() && *number >= 0.0);
    if text == "champion" {
        return Ok(GateBound::Champion(1.0));
    }
    if let Some((left, right)) = text.split_once('*') {
        let factor = match (left.trim(), right.trim()) {
            (factor, "champion") | ("champion", factor) => number(factor),
            _ => None,
        };
        return factor
            .map(GateBound::Champion)
            .ok_or_else(|| format!("`{text}` is no bound; write for instance `1.2 * champion`"));
    }
    if let Some(number) = number(text) {
        return Ok(GateBound::Number(number));
    }
    if metric != GateMetric::ErrorRate
        && let Ok(duration) = humantime::parse_duration(text)
    {
        return Ok(GateBound::Number(duration.as_secs_f64() * 1_000.0));
    }
    Err(format!("`{text}` is no bound; write a number, or `1.2 * champion`"))
}

impl fmt::Display for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = METRICS.iter().find(|(_, metric)| *metric == self.metric).map_or("", |(name, _)| name);
        let sign = COMPARISONS.iter().find(|(_, one)| *one == self.comparison).map_or("", |(sign, _)| sign);
        match self.bound {
            GateBound::Number(number) => write!(f, "{name} {sign} {number}"),
            GateBound::Champion(factor) => write!(f, "{name} {sign} {factor} * champion"),
        }
    }
}
