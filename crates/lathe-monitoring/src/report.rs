//! The drift report: windows against the reference.

use std::collections::BTreeMap;
use std::sync::Arc;

use lathe_core::{Action, Ctx, Error, Result};

use crate::drift::{ColumnReport, Comparison, compare};
use crate::references::{Reference, profile_of};
use crate::store::segments::Segment;
use crate::windows::{Span, list};
use crate::{Monitoring, Profile, store};

/// A window's report.
#[derive(Debug, Clone, PartialEq)]
pub struct WindowReport {
    /// When the window begins.
    pub start_ms: i64,
    /// Its length.
    pub length_ms: i64,
    /// How many rows of samples it has.
    pub rows: u64,
    /// The share of the input columns that have drifted; `None` without a reference or columns.
    pub drift_share: Option<f64>,
    /// The share of the output columns that have drifted; `None` where the reference has no outputs.
    pub prediction_drift_share: Option<f64>,
    /// By part and name.
    pub columns: Vec<ColumnReport>,
}

/// The windows of a span against their references.
#[derive(Debug, Clone, PartialEq)]
pub struct DriftReport {
    /// What the latest window is compared with; `None` when there is nothing yet.
    pub reference: Option<Reference>,
    /// Oldest first.
    pub windows: Vec<WindowReport>,
}

/// Compares the latest windows of a span with the reference: of one version, or of all that clients were answered by. What
/// stands for all versions is the reference of each window; if there is none, that of the version that answers.
///
/// # Errors
/// `InvalidArgument` for a bad span.
pub async fn report_drift(
    ctx: &Ctx,
    monitoring: &Monitoring,
    deployment: &str,
    version: Option<i64>,
    span: Span,
) -> Result<DriftReport> {
    ctx.authorize(Action::Read)?;
    let windows = list(ctx, monitoring, deployment, span).await?;
    let mut known: BTreeMap<i64, Option<(Reference, Arc<Profile>)>> = BTreeMap::new();
    let mut report = DriftReport { reference: None, windows: Vec::with_capacity(windows.len()) };
    for window in windows {
        let segments = store::segments::list(&monitoring.db, &ctx.project, deployment, window.start_ms).await?;
        let primary = || segments.iter().filter(|it| it.variant == "primary").map(|it| it.version).max();
        let of = version.or_else(primary).unwrap_or(0);
        if let std::collections::btree_map::Entry::Vacant(vacant) = known.entry(of) {
            let found = profile_of(monitoring, &ctx.project, deployment, of).await?;
            vacant.insert(found.map(|(reference, profile)| (reference, Arc::new(profile))));
        }
        let (reference, profile) = known.get(&of).cloned().flatten().unzip();
        let compared =
            tokio::task::spawn_blocking(move || compare_window(profile.as_deref(), &segments, version)).await;
        let (rows, compared) =
            compared.map_err(|error| Error::internal("comparing ended early").with_source(error))??;
        let Comparison { drift_share, prediction_drift_share, columns } = compared;
        report.windows.push(WindowReport {
            start_ms: window.start_ms,
            length_ms: window.length_ms,
            rows,
            drift_share,
            prediction_drift_share,
            columns,
        });
        report.reference = reference;
    }
    Ok(report)
}

fn compare_window(
    reference: Option<&Profile>,
    segments: &[Segment],
    version: Option<i64>,
) -> Result<(u64, Comparison)> {
    let current = merged_profile(segments, version)?;
    // Without a reference there is still what the window holds.
    let mut compared = compare(reference.unwrap_or(&Profile::default()), &current)?;
    if reference.is_none() {
        for column in &mut compared.columns {
            column.problems.clear();
            column.has_schema_problem = false;
        }
    }
    Ok((current.rows, compared))
}

/// The profile of a window: of one version, or of all but shadows, which see the primary's rows once more.
pub(crate) fn merged_profile(segments: &[Segment], version: Option<i64>) -> Result<Profile> {
    let mut all = Profile::default();
    let is_wanted = |segment: &&Segment| match version {
        Some(version) => segment.version == version,
        None => segment.variant != "shadow",
    };
    for segment in segments.iter().filter(is_wanted) {
        all.merge(&Profile::decode(&segment.profile)?)?;
    }
    Ok(all)
}
