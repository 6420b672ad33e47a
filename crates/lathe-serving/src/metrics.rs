//! Metrics of inference for Prometheus.
//!
//! Their labels name projects, deployments and models: nobody is shown those of a project in which they have no role.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use lathe_core::Project;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::infer::Variant;

/// Which version, in which deployment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, EncodeLabelSet)]
pub(crate) struct VersionLabels {
    pub(crate) project: String,
    pub(crate) deployment: String,
    pub(crate) model: String,
    pub(crate) version: i64,
}

/// Which version, in which part.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, EncodeLabelSet)]
struct PartLabels {
    #[prometheus(flatten)]
    version: VersionLabels,
    role: &'static str,
}

/// The metrics of one version in one part.
#[derive(Debug, Clone)]
pub(crate) struct PartMetrics {
    pub(crate) requests: Counter,
    pub(crate) errors: Counter,
    pub(crate) seconds: Histogram,
}

impl Default for PartMetrics {
    fn default() -> Self {
        let bounds = [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
        Self { requests: Counter::default(), errors: Counter::default(), seconds: Histogram::new(bounds) }
    }
}

/// The metrics of one version, without a look-up for each request. Those of a part begin with its first request.
#[derive(Debug)]
pub(crate) struct VersionMetrics {
    labels: VersionLabels,
    room: ServingMetrics,
    primary: OnceLock<PartMetrics>,
    canary: OnceLock<PartMetrics>,
    shadow: OnceLock<PartMetrics>,
}

impl VersionMetrics {
    pub(crate) fn of(&self, part: Variant) -> &PartMetrics {
        let metrics = match part {
            Variant::Primary => &self.primary,
            Variant::Canary => &self.canary,
            Variant::Shadow => &self.shadow,
        };
        metrics.get_or_init(|| {
            let labels = PartLabels { version: self.labels.clone(), role: part.as_str() };
            // They go on from where they were.
            self.room.parts.lock().unwrap_or_else(PoisonError::into_inner).entry(labels).or_default().clone()
        })
    }
}

/// The room's metrics. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct ServingMetrics {
    parts: Arc<Mutex<BTreeMap<PartLabels, PartMetrics>>>,
}

impl ServingMetrics {
    /// The metrics of a version.
    pub(crate) fn of(&self, labels: &VersionLabels) -> VersionMetrics {
        let (primary, canary, shadow) = (OnceLock::new(), OnceLock::new(), OnceLock::new());
        VersionMetrics { labels: labels.clone(), room: self.clone(), primary, canary, shadow }
    }

    /// What a caller who sees these projects is shown.
    pub(crate) fn of_projects(&self, projects: &BTreeSet<Project>) -> Registry {
        let parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        let is_visible =
            |labels: &PartLabels| projects.iter().any(|project| project.as_str() == labels.version.project);
        let visible = parts.iter().filter(|(labels, _)| is_visible(labels));
        let visible = Visible(visible.map(|(labels, metrics)| (labels.clone(), metrics.clone())).collect());
        let mut registry = Registry::default();
        if !visible.0.is_empty() {
            registry.register_collector(Box::new(visible));
        }
        registry
    }
}

#[derive(Debug)]
struct Visible(Vec<(PartLabels, PartMetrics)>);

impl Visible {
    fn encode_family<M: EncodeMetric>(
        &self,
        encoder: &mut DescriptorEncoder<'_>,
        (name, help, kind): (&str, &str, MetricType),
        metric: impl Fn(&PartMetrics) -> &M,
    ) -> Result<(), std::fmt::Error> {
        let mut family = encoder.encode_descriptor(name, help, None, kind)?;
        for (labels, metrics) in &self.0 {
            metric(metrics).encode(family.encode_family(labels)?)?;
        }
        Ok(())
    }
}

impl Collector for Visible {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let requests = ("lathe_inference_requests", "Requests that a model version was asked", MetricType::Counter);
        self.encode_family(&mut encoder, requests, |metrics| &metrics.requests)?;
        let errors = ("lathe_inference_errors", "Requests that it did not answer", MetricType::Counter);
        self.encode_family(&mut encoder, errors, |metrics| &metrics.errors)?;
        let help = "Time from the checked request to its answer";
        let seconds = ("lathe_inference_duration_seconds", help, MetricType::Histogram);
        self.encode_family(&mut encoder, seconds, |metrics| &metrics.seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_shown_by_role_and_of_the_given_projects_only() {
        let metrics = ServingMetrics::default();
        let labels = |project: &str| VersionLabels {
            project: project.to_owned(),
            deployment: format!("{project}-scorer"),
            model: format!("{project}-model"),
            version: 3,
        };
        for project in ["ours", "theirs"] {
            let version = metrics.of(&labels(project));
            version.of(Variant::Primary).requests.inc();
            version.of(Variant::Primary).seconds.observe(0.002);
            version.of(Variant::Shadow).requests.inc();
        }
        let text = |projects: &[&str]| {
            let projects = projects.iter().map(|project| Project::parse(project).unwrap()).collect();
            let mut text = String::new();
            prometheus_client::encoding::text::encode(&mut text, &metrics.of_projects(&projects)).unwrap();
            text
        };
        let ours = text(&["ours", "empty"]);
        let labels = r#"project="ours",deployment="ours-scorer",model="ours-model",version="3""#;
        for role in ["primary", "shadow"] {
            let line = format!("lathe_inference_requests_total{{{labels},role=\"{role}\"}} 1\n");
            assert!(ours.contains(&line), "{ours}");
        }
        let answers = format!("lathe_inference_duration_seconds_count{{{labels},role=\"primary\"}} 1\n");
        assert!(ours.contains(&answers), "{ours}");
        assert!(!ours.contains("canary"), "{ours}");
        assert!(!ours.contains("theirs"), "{ours}");
        assert_eq!(text(&["ours", "theirs"]).matches("# TYPE lathe_inference_requests counter").count(), 1);
        assert_eq!(text(&[]), "# EOF\n");
    }
}
