//! Metrics of inference for Prometheus.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// Which version, in which deployment.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct VersionLabels {
    pub(crate) project: String,
    pub(crate) deployment: String,
    pub(crate) model: String,
    pub(crate) version: i64,
}

fn latency_histogram() -> Histogram {
    Histogram::new([0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0])
}

/// The room's metrics. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct ServingMetrics {
    requests: Family<VersionLabels, Counter>,
    errors: Family<VersionLabels, Counter>,
    seconds: Family<VersionLabels, Histogram, fn() -> Histogram>,
}

impl Default for ServingMetrics {
    fn default() -> Self {
        Self {
            requests: Family::default(),
            errors: Family::default(),
            seconds: Family::new_with_constructor(latency_histogram as fn() -> Histogram),
        }
    }
}

/// The metrics of one version, without a look-up for each request.
#[derive(Debug, Clone)]
pub(crate) struct VersionMetrics {
    pub(crate) requests: Counter,
    pub(crate) errors: Counter,
    pub(crate) seconds: Histogram,
}

impl ServingMetrics {
    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register("lathe_inference_requests", "Requests that a model version was asked", self.requests.clone());
        registry.register("lathe_inference_errors", "Requests that it did not answer", self.errors.clone());
        registry.register(
            "lathe_inference_duration_seconds",
            "Time from the checked request to its answer",
            self.seconds.clone(),
        );
    }

    pub(crate) fn of(&self, labels: &VersionLabels) -> VersionMetrics {
        VersionMetrics {
            requests: self.requests.get_or_create(labels).clone(),
            errors: self.errors.get_or_create(labels).clone(),
            seconds: self.seconds.get_or_create(labels).clone(),
        }
    }
}
