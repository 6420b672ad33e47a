//! Expressions before a run: what they read must exist where they stand, and their types must fit.

use crate::file::diagnostic::{Diagnostic, did_you_mean, did_you_mean_or_known};
use crate::file::expression::{Comparison, Expression, JobFact, Reference, Term, TermKind};
use crate::file::order::Order;
use crate::file::params::TRIGGER;
use crate::file::reading::within;
use crate::file::text::Text;
use crate::file::types::{Job, ParamKind, Pipeline};
use crate::file::value::{Type, Value};

/// Where an expression stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Above the jobs.
    Pipeline,
    /// A notification.
    Notify,
    /// The condition of a job.
    Condition,
    /// The command or a variable of a job.
    Process,
    /// Anything else of a job.
    Job,
}

pub(super) struct Scope<'p> {
    pub pipeline: &'p Pipeline,
    pub order: &'p Order,
    /// The number of the job that the expression belongs to.
    pub job: Option<usize>,
    pub mistakes: Vec<Diagnostic>,
}

impl<'p> Scope<'p> {
    pub fn job(&self) -> Option<&'p Job> {
        self.job.and_then(|number| self.pipeline.jobs.get(number))
    }

    pub fn text(&mut self, text: &Text, place: Place) {
        for expression in text.expressions() {
            self.expression(expression, place);
        }
    }

    pub fn expression(&mut self, expression: &Expression, place: Place) -> Type {
        let mut checker = Checker { scope: self, expression, place };
        checker.type_of(&expression.term)
    }
}

struct Checker<'c, 'p> {
    scope: &'c mut Scope<'p>,
    expression: &'c Expression,
    place: Place,
}

impl Checker<'_, '_> {
    fn wrong(&mut self, term: &Term, code: &'static str, message: String) -> Type {
        let at = within(self.expression.at, &self.expression.source, term.offset);
        let rest = self.expression.source.get(term.offset..).unwrap_or_default();
        let length = rest.chars().take_while(|c| c.is_alphanumeric() || "._-".contains(*c)).count();
        self.scope.mistakes.push(Diagnostic::new(code, message, at).over(length));
        Type::Any
    }

    fn type_of(&mut self, term: &Term) -> Type {
        match &term.kind {
            TermKind::Literal(value) => value.value_type(),
            TermKind::Reference(reference) => self.reference(term, reference),
            TermKind::Call(_) if self.place == Place::Condition => Type::Bool,
            TermKind::Call(_) => {
                self.wrong(term, "misplaced", "success(), failure() and always() have a place in `if` only".to_owned())
            }
            TermKind::Not(inner) => self.truth(inner),
            TermKind::And(left, right) | TermKind::Or(left, right) => {
                self.truth(left);
                self.truth(right)
            }
            TermKind::Compare(left, sign, right) => self.comparison(term, left, *sign, right),
        }
    }

    fn truth(&mut self, term: &Term) -> Type {
        let found = self.type_of(term);
        if !matches!(found, Type::Bool | Type::Any) {
            self.wrong(term, "wrong_type", format!("`&&`, `||` and `!` join true and false, not {found}"));
        }
        Type::Bool
    }

    fn comparison(&mut self, term: &Term, left: &Term, sign: Comparison, right: &Term) -> Type {
        let types = (self.type_of(left), self.type_of(right));
        let is_equality = matches!(sign, Comparison::Equal | Comparison::NotEqual);
        let fits = match types {
            (Type::Any, other) | (other, Type::Any) => is_equality || !matches!(other, Type::Bool | Type::Null),
            (Type::Null, _) | (_, Type::Null) => is_equality,
            (left, right) => left == right && (is_equality || left != Type::Bool),
        };
        if !fits {
            let message = format!("`{}` cannot compare {} with {}", sign.as_str(), types.0, types.1);
            self.wrong(term, "wrong_type", message);
        }
        self.choice(left, right);
        Type::Bool
    }

    /// A choice compared with what is none of its choices is never equal.
    fn choice(&mut self, left: &Term, right: &Term) {
        let (TermKind::Reference(Reference::Param(name)), TermKind::Literal(Value::Text(text))) =
            (&left.kind, &right.kind)
        else {
            return;
        };
        let param = self.scope.pipeline.params.iter().find(|param| param.name.value == *name);
        if let Some(ParamKind::Choice(choices)) = param.map(|param| &param.kind)
            && !choices.contains(text)
        {
            let hint = did_you_mean(text, choices.iter().map(String::as_str));
            self.wrong(right, "unsatisfiable", format!("param `{name}` is never `{text}`{hint}"));
        }
    }

    fn reference(&mut self, term: &Term, reference: &Reference) -> Type {
        match reference {
            Reference::Param(name) => self.param(term, name),
            Reference::Matrix(name) => self.matrix(term, name),
            Reference::Trigger(name) => self.trigger(term, name),
            Reference::Secret(name) => self.secret(term, name),
            Reference::Job { job, is_best, fact } => self.job_fact(term, job, *is_best, fact),
        }
    }

    fn param(&mut self, term: &Term, name: &str) -> Type {
        let params = &self.scope.pipeline.params;
        match params.iter().find(|param| param.name.value == name).map(|param| &param.kind) {
            Some(ParamKind::Str | ParamKind::Choice(_)) => Type::Text,
            Some(ParamKind::Int { .. } | ParamKind::Float { .. }) => Type::Number,
            Some(ParamKind::Bool) => Type::Bool,
            None => {
                let hint = did_you_mean(name, params.iter().map(|param| param.name.as_str()));
                self.wrong(term, "unknown_reference", format!("there is no param `{name}`{hint}"))
            }
        }
    }

    fn matrix(&mut self, term: &Term, name: &str) -> Type {
        let Some(job) = self.scope.job() else {
            return self.wrong(term, "misplaced", "`matrix` has values inside of a job with a matrix only".to_owned());
        };
        let Some(matrix) = &job.matrix else {
            return self.wrong(term, "unknown_reference", format!("job `{}` has no matrix", job.name.value));
        };
        if self.place == Place::Condition {
            return self.wrong(
                term,
                "misplaced",
                "`if` is decided once for all cells; leave `matrix` out, or use `exclude`".to_owned(),
            );
        }
        if !matrix.names().any(|known| known == name) {
            let hint = did_you_mean(name, matrix.names());
            return self.wrong(
                term,
                "unknown_reference",
                format!("the matrix of job `{}` has no `{name}`{hint}", job.name.value),
            );
        }
        Type::Any
    }

    fn trigger(&mut self, term: &Term, name: &str) -> Type {
        if !TRIGGER.contains(&name) {
            let hint = did_you_mean_or_known(name, TRIGGER);
            return self.wrong(term, "unknown_reference", format!("a trigger has no `{name}`{hint}"));
        }
        let on = &self.scope.pipeline.triggers;
        let needed = match name {
            "commit" | "repository" | "branch" if on.data_commits.is_empty() => Some("data_commit"),
            "alias" | "version" | "model" if on.model_aliases.is_empty() => Some("model_alias"),
            "deployment" | "severity" | "rule" | "metric" | "window_start_ms" if on.drift_alerts.is_empty() => {
                Some("drift_alert")
            }
            "scheduled_at_ms" if on.schedules.is_empty() => Some("schedule"),
            _ => None,
        };
        if let Some(needed) = needed {
            return self.wrong(term, "unsatisfiable", format!("`trigger.{name}` needs `{needed}` in `on`"));
        }
        Type::Any
    }

    fn secret(&mut self, term: &Term, name: &str) -> Type {
        match (self.place, self.scope.job()) {
            (Place::Notify, _) => {}
            (Place::Process, Some(job)) => {
                if !job.secrets.iter().any(|secret| secret.value == name) {
                    let message = format!(
                        "job `{}` reads the secret `{name}` without saying so; add `secrets: [{name}]` to it",
                        job.name.value
                    );
                    return self.wrong(term, "undeclared_secret", message);
                }
            }
            _ => {
                let message = "secrets have a place in `run`, in `env.variables` and in `webhook` only, so that they are not stored".to_owned();
                return self.wrong(term, "misplaced", message);
            }
        }
        Type::Text
    }

    fn job_fact(&mut self, term: &Term, name: &str, is_best: bool, fact: &JobFact) -> Type {
        let pipeline = self.scope.pipeline;
        let Some(number) = pipeline.jobs.iter().position(|job| job.name.value == name) else {
            let hint = did_you_mean(name, pipeline.jobs.iter().map(|job| job.name.as_str()));
            return self.wrong(term, "unknown_job", format!("there is no job `{name}`{hint}"));
        };
        let (Some(job), Some(own)) = (pipeline.jobs.get(number), self.scope.job) else {
            return self.wrong(term, "misplaced", "`jobs` has values inside of a job only".to_owned());
        };
        if !self.scope.order.is_before(number, own) {
            let message = format!("job `{name}` may not have ended here; add it to `needs`");
            return self.wrong(term, "not_needed", message);
        }
        match fact {
            JobFact::Status => return Type::Text,
            JobFact::Started => return Type::Bool,
            _ => {}
        }
        if job.command().is_none() {
            return match fact {
                JobFact::Value(value) if job.action_values().contains(&value.as_str()) => Type::Any,
                _ => {
                    let known = match job.action_values() {
                        [] => String::new(),
                        names => format!("; it has the values {}", names.join(", ")),
                    };
                    let message = format!("job `{name}` runs no command, so it has no such thing{known}");
                    self.wrong(term, "unknown_reference", message)
                }
            };
        }
        if is_best && job.best.is_none() {
            let message = format!(
                "job `{name}` does not say which cell is best; add `best: {{ value: …, goal: maximize }}` and a `matrix` to it"
            );
            return self.wrong(term, "unknown_reference", message);
        }
        if !is_best && job.matrix.is_some() {
            let message = format!("job `{name}` has a matrix and so many runs; write `jobs.{name}.best.…`");
            return self.wrong(term, "unknown_reference", message);
        }
        if let JobFact::Output(output) = fact
            && !job.outputs.iter().any(|known| known.name.value == *output)
        {
            let hint = did_you_mean(output, job.outputs.iter().map(|known| known.name.as_str()));
            return self.wrong(term, "unknown_reference", format!("job `{name}` has no output `{output}`{hint}"));
        }
        if let JobFact::Value(_) = fact { Type::Any } else { Type::Text }
    }
}
