//! The value of an expression in a run.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;

use super::{Comparison, Expression, Function, JobFact, Reference, Term, TermKind};
use crate::file::types::Job;
use crate::file::value::Value;

/// What a run knows when an expression is evaluated.
#[derive(Debug, Clone, Default)]
pub struct Context {
    /// The run's parameters.
    pub params: BTreeMap<String, Value>,
    /// The cell of the matrix.
    pub matrix: BTreeMap<String, Value>,
    /// What started the run: `kind`, and what that kind tells (`commit`, `repository`, …).
    pub trigger: BTreeMap<String, Value>,
    /// The secrets that the job may read. Leave them out where the value would be stored or shown.
    pub secrets: BTreeMap<String, String>,
    /// The jobs that the job needs, directly or through others.
    pub jobs: BTreeMap<String, JobFacts>,
    /// The jobs that the job needs directly.
    pub needs: Vec<String>,
}

/// What is known of a job.
#[derive(Debug, Clone, Default)]
pub struct JobFacts {
    /// How it ended; none while it has not.
    pub status: Option<JobStatus>,
    /// Whether it began.
    pub started: bool,
    /// Its run, and what that wrote; of a cached job, the run that made its outputs.
    pub run: Option<RunFacts>,
    /// The run of the best cell of its matrix.
    pub best: Option<RunFacts>,
}

/// A job's run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RunFacts {
    /// Its id.
    pub run_id: String,
    /// What it wrote to `$LATHE_VALUES`.
    pub values: BTreeMap<String, Value>,
}

/// How a job ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobStatus {
    /// It did what it should, or an earlier result was taken.
    Succeeded,
    /// It did not.
    Failed,
    /// Its condition did not hold, or a job it needs did not succeed.
    Skipped,
    /// Someone stopped it.
    Canceled,
}

impl JobStatus {
    /// As it stands in `jobs.<job>.status`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Canceled => "canceled",
        }
    }
}

/// Why an expression has no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EvaluationError {
    /// What is wrong.
    pub message: String,
    /// The expression, as written.
    pub expression: String,
    /// The byte of the expression at which it is.
    pub offset: usize,
}

impl fmt::Display for EvaluationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "${{{{ {} }}}}: {}", self.expression, self.message)
    }
}

impl std::error::Error for EvaluationError {}

impl Expression {
    /// The value of the expression.
    ///
    /// # Errors
    /// When it reads what the run does not have, or compares what cannot be compared.
    pub fn evaluate(&self, context: &Context) -> Result<Value, EvaluationError> {
        self.term.evaluate(context).map_err(|(message, offset)| EvaluationError {
            message,
            expression: self.source.clone(),
            offset,
        })
    }
}

impl Expression {
    /// The value as text, for a place that needs one.
    ///
    /// # Errors
    /// As [`Expression::evaluate`], and when the value is nothing: an address or an argument would silently lack a part.
    pub fn evaluate_text(&self, context: &Context) -> Result<String, EvaluationError> {
        match self.evaluate(context)? {
            Value::Null => Err(EvaluationError {
                message: "it has no value in this run".to_owned(),
                expression: self.source.clone(),
                offset: 0,
            }),
            value => Ok(value.to_string()),
        }
    }
}

/// Whether a job runs, now that the jobs it needs ended.
///
/// # Errors
/// When its condition has no value, or one that is neither true nor false.
pub fn should_run(job: &Job, context: &Context) -> Result<bool, EvaluationError> {
    let Some(condition) = &job.condition else { return Ok(context.is_success()) };
    if !condition.mentions_status() && !context.is_success() {
        return Ok(false);
    }
    let value = condition.evaluate(context)?;
    value.as_truth().ok_or_else(|| EvaluationError {
        message: format!("a condition is true or false, not {}", value.value_type()),
        expression: condition.source.clone(),
        offset: 0,
    })
}

impl Context {
    /// `success()`: every job that the job needs directly succeeded.
    pub fn is_success(&self) -> bool {
        self.needs.iter().all(|job| self.status(job) == Some(JobStatus::Succeeded))
    }

    /// `failure()`: a job that it needs, directly or through others, failed.
    pub fn is_failure(&self) -> bool {
        self.jobs.values().any(|job| job.status == Some(JobStatus::Failed))
    }

    fn status(&self, job: &str) -> Option<JobStatus> {
        self.jobs.get(job).and_then(|job| job.status)
    }
}

type Evaluated<T> = Result<T, (String, usize)>;

impl Term {
    fn evaluate(&self, context: &Context) -> Evaluated<Value> {
        match &self.kind {
            TermKind::Literal(value) => Ok(value.clone()),
            TermKind::Reference(reference) => read(reference, context).map_err(|message| (message, self.offset)),
            TermKind::Call(Function::Success) => Ok(Value::Bool(context.is_success())),
            TermKind::Call(Function::Failure) => Ok(Value::Bool(context.is_failure())),
            TermKind::Call(Function::Always) => Ok(Value::Bool(true)),
            TermKind::Not(inner) => Ok(Value::Bool(!inner.truth(context)?)),
            TermKind::And(left, right) => Ok(Value::Bool(left.truth(context)? && right.truth(context)?)),
            TermKind::Or(left, right) => Ok(Value::Bool(left.truth(context)? || right.truth(context)?)),
            TermKind::Compare(left, sign, right) => {
                let values = (left.evaluate(context)?, right.evaluate(context)?);
                compare(&values.0, *sign, &values.1).map(Value::Bool).map_err(|message| (message, self.offset))
            }
        }
    }

    fn truth(&self, context: &Context) -> Evaluated<bool> {
        let value = self.evaluate(context)?;
        value
            .as_truth()
            .ok_or_else(|| (format!("`&&`, `||` and `!` join true and false, not {}", value.value_type()), self.offset))
    }
}

fn compare(left: &Value, sign: Comparison, right: &Value) -> Result<bool, String> {
    let order = || {
        left.order(right).ok_or_else(|| {
            format!(
                "`{}` compares numbers with numbers and text with text, not {} with {}",
                sign.as_str(),
                left.value_type(),
                right.value_type()
            )
        })
    };
    match sign {
        Comparison::Equal => Ok(left.is_same(right)),
        Comparison::NotEqual => Ok(!left.is_same(right)),
        Comparison::Less => order().map(Ordering::is_lt),
        Comparison::LessOrEqual => order().map(Ordering::is_le),
        Comparison::Greater => order().map(Ordering::is_gt),
        Comparison::GreaterOrEqual => order().map(Ordering::is_ge),
    }
}

fn read(reference: &Reference, context: &Context) -> Result<Value, String> {
    let known = |values: &BTreeMap<String, Value>, what: &str, name: &str| {
        values.get(name).cloned().ok_or_else(|| format!("this run has no `{what}.{name}`"))
    };
    match reference {
        Reference::Param(name) => known(&context.params, "params", name),
        Reference::Matrix(name) => known(&context.matrix, "matrix", name),
        // A run that was started in another way has no such thing, which conditions may ask.
        Reference::Trigger(name) => Ok(context.trigger.get(name).cloned().unwrap_or(Value::Null)),
        Reference::Secret(name) => {
            let secret = context.secrets.get(name).cloned();
            secret.map(Value::Text).ok_or_else(|| format!("there is no secret `{name}`"))
        }
        Reference::Job { job, is_best, fact } => read_job(job, *is_best, fact, context),
    }
}

fn read_job(job: &str, is_best: bool, fact: &JobFact, context: &Context) -> Result<Value, String> {
    let facts = context.jobs.get(job).ok_or_else(|| format!("job `{job}` is not known here"))?;
    match fact {
        JobFact::Started => return Ok(Value::Bool(facts.started)),
        JobFact::Status => {
            return Ok(facts.status.map_or(Value::Null, |status| Value::Text(status.as_str().to_owned())));
        }
        _ => {}
    }
    let (run, whose) = if is_best { (&facts.best, "best ") } else { (&facts.run, "") };
    let run = run.as_ref().ok_or_else(|| format!("job `{job}` has no {whose}run"))?;
    match fact {
        JobFact::Value(name) => {
            run.values.get(name).cloned().ok_or_else(|| format!("job `{job}` wrote no value `{name}` to $LATHE_VALUES"))
        }
        JobFact::Output(name) => Ok(Value::Text(format!("runs:/{}/outputs/{name}", run.run_id))),
        JobFact::Artifact(path) => Ok(Value::Text(format!("runs:/{}/{path}", run.run_id))),
        JobFact::RunId | JobFact::Status | JobFact::Started => Ok(Value::Text(run.run_id.clone())),
    }
}
