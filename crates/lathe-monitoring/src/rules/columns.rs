//! Whether a rule's column exists: a rule about one that does not would never raise anything.

use lathe_core::{Action, Code, Ctx, Error, Result};

use super::{Metric, Rule};
use crate::profile::ColumnKind;
use crate::references::{Reference, profile_of};
use crate::settings::check_deployment;
use crate::{Monitoring, Part, Profile};

/// How many columns an error names.
const MAX_NAMED: usize = 20;

/// What the caller knows of the version that answers.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Served {
    /// The version; 0 when there is none.
    pub version: i64,
    /// The columns of its inputs and outputs.
    pub columns: Columns,
    /// Those of its outputs.
    pub outputs: Columns,
}

/// The columns of a model.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Columns {
    /// Nobody has told them yet.
    #[default]
    Unknown,
    /// The model's signature does not tell them all.
    Untold,
    /// These.
    Told(Vec<String>),
}

impl From<Option<Vec<String>>> for Columns {
    /// What a signature tells.
    fn from(told: Option<Vec<String>>) -> Self {
        told.map_or(Columns::Untold, Columns::Told)
    }
}

/// Checks a rule against the deployment's reference or, where there is none yet, against the model's signature. What a signature
/// does not tell is not checked.
///
/// # Errors
/// `InvalidArgument` for a column that they do not have, or that is of a kind the metric is not for; for drift of predictions
/// whose reference has none. `Unavailable` for a column while neither is known.
pub async fn check_columns(
    ctx: &Ctx,
    monitoring: &Monitoring,
    deployment: &str,
    rule: &Rule,
    served: &Served,
) -> Result<()> {
    ctx.authorize(Action::Read)?;
    check_deployment(deployment)?;
    let reference = profile_of(monitoring, &ctx.project, deployment, served.version).await?;
    match (&rule.column, reference) {
        (Some(column), Some((reference, profile))) => {
            check_in_reference(deployment, rule.metric, column, (&reference, &profile), served)
        }
        (Some(column), None) => check_in_signature(deployment, column, &served.columns),
        (None, Some((reference, profile))) if rule.metric == Metric::PredictionDriftShare => {
            let has_outputs = profile.columns.keys().any(|key| key.part == Part::Output);
            if has_outputs { Ok(()) } else { Err(without_outputs(deployment, &reference)) }
        }
        (None, _) => Ok(()),
    }
}

/// Checks that the model answers a column. What its signature does not tell is not checked.
///
/// # Errors
/// `InvalidArgument` for a column that it does not answer, `Unavailable` while that is not known.
pub fn check_output(deployment: &str, column: &str, served: &Served) -> Result<()> {
    check_in_signature(deployment, column, &served.outputs)
}

fn without_outputs(deployment: &str, reference: &Reference) -> Error {
    Error::invalid(format!(
        "the reference of `{deployment}` ({}) has no outputs, so there is nothing to compare predictions with",
        reference.source
    ))
    .with_hint(format!("choose a window of its own traffic: lathe monitor reference {deployment} --window TIME"))
}

fn check_in_reference(
    deployment: &str,
    metric: Metric,
    column: &str,
    (reference, profile): (&Reference, &Profile),
    served: &Served,
) -> Result<()> {
    let keys = || profile.columns.keys().filter(|key| key.name == column);
    let Some(first) = keys().next() else {
        // Values are missing whatever a reference knows of the column.
        match &served.columns {
            Columns::Told(known) if metric == Metric::MissingShare && has(known, column) => return Ok(()),
            Columns::Unknown if metric == Metric::MissingShare => return Err(not_known(deployment)),
            _ => {}
        }
        let known: Vec<&str> = profile.columns.keys().map(|key| key.name.as_str()).collect();
        let message = format!("the reference ({}) has no column `{column}`", reference.source);
        return Err(Error::invalid(message).with_hint(list(&known)));
    };
    let wanted = match metric {
        Metric::KsPValue | Metric::NormedWasserstein => ColumnKind::Number,
        Metric::ChiSquaredPValue | Metric::NewCategoryShare => ColumnKind::Category,
        _ => return Ok(()),
    };
    if keys().any(|key| key.kind == wanted) {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "column `{column}` is of kind {} in the reference; {} is for kind {}",
        first.kind.as_str(),
        metric.as_str(),
        wanted.as_str()
    )))
}

fn not_known(deployment: &str) -> Error {
    Error::new(Code::Unavailable, format!("the columns of the model of `{deployment}` are not known yet"))
        .with_hint(format!("try again once it is ready: lathe deploy show {deployment}"))
}

fn check_in_signature(deployment: &str, column: &str, columns: &Columns) -> Result<()> {
    match columns {
        Columns::Unknown => Err(not_known(deployment)),
        Columns::Told(known) if !has(known, column) => {
            let known: Vec<&str> = known.iter().map(String::as_str).collect();
            let message = format!("the model of `{deployment}` has no column `{column}`");
            Err(Error::invalid(message).with_hint(list(&known)))
        }
        Columns::Told(_) | Columns::Untold => Ok(()),
    }
}

/// A tensor is sampled as a column for each element of a row: `name.0`, `name.1`, ….
fn has(known: &[String], column: &str) -> bool {
    let of_tensor = column.rsplit_once('.').filter(|(_, at)| at.parse::<u32>().is_ok()).map(|(name, _)| name);
    known.iter().any(|name| name == column || Some(name.as_str()) == of_tensor)
}

fn list(known: &[&str]) -> String {
    let more = if known.len() > MAX_NAMED { ", …" } else { "" };
    let known: Vec<&str> = known.iter().take(MAX_NAMED).copied().collect();
    format!("it has: {}{more}", known.join(", "))
}
