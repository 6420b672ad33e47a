//! Alert rules: what of a window someone wants to be told about.

use lathe_core::{Action, Ctx, Error, Event, EventId, Kind, Name, Result};
use lathe_db::FutureExt as _;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::settings::{check_deployment, check_text};
use crate::store::alerts as rows;
use crate::{Monitoring, store};

/// How many rules a deployment may have.
const MAX_RULES: usize = 100;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Good to know.
    Info,
    /// Someone should look.
    Warning,
    /// Someone must act.
    Critical,
}

impl Severity {
    /// The severity as it stands in JSON and SQL.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Critical => "critical",
        }
    }
}

mod columns;
mod metric;

pub use self::columns::{Columns, Served, check_columns, check_output};
pub use self::metric::Metric;
use self::metric::{MEASURES, Raised};

/// An alert rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// What people call it; unique for its deployment.
    pub name: String,
    /// What is looked at.
    pub metric: Metric,
    /// Of a metric of one column: which input column, or which output column where no input has the name.
    #[serde(default)]
    pub column: Option<String>,
    /// Of `quality`: which measure.
    #[serde(default)]
    pub measure: Option<String>,
    /// See the metric.
    pub threshold: f64,
    /// How bad it is.
    pub severity: Severity,
    /// Fewer rows (of `quality`: rows with labels) than this say nothing.
    #[serde(default)]
    pub min_rows: i64,
    /// For so long after an alert was raised no other one of this rule is, in milliseconds of the windows' time.
    #[serde(default)]
    pub cool_down_ms: i64,
}

impl Rule {
    /// Whether a value is what the rule warns of.
    pub fn holds(&self, value: f64) -> bool {
        match self.raised() {
            Raised::From => value >= self.threshold,
            Raised::Above => value > self.threshold,
            Raised::Below => value < self.threshold,
        }
    }

    fn raised(&self) -> Raised {
        self.metric.raised(self.measure.as_deref())
    }

    fn check(&self) -> Result<()> {
        check_text("a rule's name", &self.name)?;
        if !(0..=366 * 86_400_000).contains(&self.cool_down_ms) {
            return Err(Error::invalid(format!(
                "cool_down_ms is {}; it must be from 0 to 366 days",
                self.cool_down_ms
            )));
        }
        if self.min_rows < 0 {
            return Err(Error::invalid(format!("min_rows is {}; it must not be negative", self.min_rows)));
        }
        self.check_subject()?;
        self.check_threshold()
    }

    fn check_subject(&self) -> Result<()> {
        let metric = self.metric.as_str();
        match &self.column {
            Some(column) if self.metric.is_of_column() => check_text("a column's name", column)?,
            Some(_) => return Err(Error::invalid(format!("a rule about {metric} takes no `column`"))),
            None if self.metric.is_of_column() => {
                return Err(Error::invalid(format!("a rule about {metric} needs `column`")));
            }
            None => {}
        }
        match (self.metric, self.measure.as_deref()) {
            (Metric::Quality, Some(measure)) if MEASURES.contains(&measure) => Ok(()),
            (Metric::Quality, Some(measure)) => {
                Err(Error::invalid(format!("measure {measure:?} does not exist; measures are {}", MEASURES.join(", "))))
            }
            (Metric::Quality, None) => Err(Error::invalid("a rule about quality needs `measure`")),
            (_, Some(_)) => Err(Error::invalid(format!("a rule about {metric} takes no `measure`"))),
            (_, None) => Ok(()),
        }
    }

    /// A threshold beyond what the metric can be would never be crossed, or always.
    fn check_threshold(&self) -> Result<()> {
        let (low, high) = self.metric.bounds(self.measure.as_deref());
        let (threshold, raised) = (self.threshold, self.raised());
        let (is_within, low_word, high_word) = match raised {
            Raised::Above => (threshold >= low && threshold < high, "at least", "below"),
            Raised::From | Raised::Below => (threshold > low && threshold <= high, "above", "at most"),
        };
        if threshold.is_finite() && is_within {
            return Ok(());
        }
        let mut ends = Vec::new();
        if low.is_finite() {
            ends.push(format!("{low_word} {low}"));
        }
        if high.is_finite() {
            // Rounded down: what is named must be taken.
            ends.push(format!("{high_word} {}", (high * 10_000.0).floor() / 10_000.0));
        }
        let about = self.measure.as_deref().unwrap_or(self.metric.as_str());
        let when = raised.as_str();
        Err(Error::invalid(format!(
            "the threshold is {threshold}; a rule about {about} is raised {when}, so it must be {}",
            if ends.is_empty() { "a finite number".to_owned() } else { ends.join(" and ") }
        )))
    }
}

/// A rule that stands.
#[derive(Debug, Clone, PartialEq)]
pub struct StandingRule {
    /// Its id.
    pub id: String,
    /// The rule.
    pub rule: Rule,
    /// When it was made, in milliseconds since 1970.
    pub created_at_ms: i64,
}

/// Makes a rule; the latest window that has ended is looked at again.
///
/// # Errors
/// `InvalidArgument`; `AlreadyExists` for the name.
pub async fn create_rule(ctx: &Ctx, monitoring: &Monitoring, deployment: &str, rule: Rule) -> Result<StandingRule> {
    ctx.authorize(Action::Write)?;
    check_deployment(deployment)?;
    rule.check()?;
    let made = StandingRule { id: EventId::generate().to_string(), rule, created_at_ms: ctx.now_ms() };
    let (ctx, deployment) = (ctx.clone(), deployment.to_owned());
    monitoring
        .db
        .write(move |tx| {
            async move {
                let standing = rows::list_rules_in(tx, &ctx.project, &deployment).await?;
                if standing.iter().any(|standing| standing.rule.name == made.rule.name) {
                    let message = format!("deployment `{deployment}` already has a rule named {:?}", made.rule.name);
                    return Err(Error::already_exists(message));
                }
                if standing.len() >= MAX_RULES {
                    return Err(Error::conflict(format!("deployment `{deployment}` has {MAX_RULES} rules already")));
                }
                rows::insert_rule(tx, &ctx.project, &deployment, &made).await?;
                store::windows::look_again(tx, &ctx.project, &deployment, ctx.now_ms()).await?;
                let subject = Name::new(&ctx.project, Kind::Deployment, &deployment);
                let detail = json!({ "rule": made.rule.name, "severity": made.rule.severity.as_str() });
                tx.record(&ctx, Event::new("alert_rule.created", subject, detail)).await?;
                Ok(made)
            }
            .boxed()
        })
        .await
}

/// A deployment's rules, oldest first.
///
/// # Errors
/// `InvalidArgument` for a name that no deployment can have.
pub async fn list_rules(ctx: &Ctx, monitoring: &Monitoring, deployment: &str) -> Result<Vec<StandingRule>> {
    ctx.authorize(Action::Read)?;
    check_deployment(deployment)?;
    rows::list_rules(&monitoring.db, &ctx.project, deployment).await
}

/// Deletes a rule, by id or name. Its alerts stay; open ones are resolved.
///
/// # Errors
/// `NotFound`.
pub async fn delete_rule(ctx: &Ctx, monitoring: &Monitoring, deployment: &str, which: &str) -> Result<()> {
    ctx.authorize(Action::Write)?;
    check_deployment(deployment)?;
    let (ctx, deployment, which) = (ctx.clone(), deployment.to_owned(), which.to_owned());
    monitoring
        .db
        .write(move |tx| {
            async move {
                let standing = rows::list_rules_in(tx, &ctx.project, &deployment).await?;
                let Some(found) = standing.iter().find(|it| it.id == which || it.rule.name == which) else {
                    return Err(Error::not_found(format!("deployment `{deployment}` has no alert rule {which:?}")));
                };
                rows::delete_rule(tx, &found.id, ctx.now_ms()).await?;
                let subject = Name::new(&ctx.project, Kind::Deployment, &deployment);
                let event = Event::new("alert_rule.deleted", subject, json!({ "rule": found.rule.name }));
                tx.record(&ctx, event).await
            }
            .boxed()
        })
        .await
}
