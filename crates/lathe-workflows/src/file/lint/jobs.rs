//! What can be wrong with one job.

use lathe_core::variables::reserved_secret;

use super::expressions::{Place, Scope};
use crate::file::command;
use crate::file::diagnostic::{Diagnostic, Position};
use crate::file::duration::write_duration;
use crate::file::expression::{Expression, JobFact, Reference, TermKind};
use crate::file::text::{Part, Text};
use crate::file::types::{Action, Deploy, DeployStep, Input, Job, Python, RegisterModel, SetAlias};
use crate::file::value::{Type, Value};

pub(super) fn lint(scope: &mut Scope<'_>, job: &Job) {
    if let Some(condition) = &job.condition {
        lint_condition(scope, condition);
    }
    for input in &job.inputs {
        scope.text(&input.from, Place::Job);
        lint_input(scope, input);
    }
    lint_python(scope, job);
    for variable in &job.variables {
        scope.text(&variable.value, Place::Process);
    }
    for secret in &job.secrets {
        if let Some((why, instead)) = reserved_secret(&secret.value) {
            note(scope, "invalid_name", format!("{why}; {instead}"), secret.at);
        }
    }
    for action in &job.actions {
        lint_action(scope, job, action);
    }
    lint_outputs(scope, job);
    let has_canary = deploy_steps(job).any(|step| matches!(step, DeployStep::Canary { .. }));
    if let Some(watch) = job.watch.as_ref().filter(|_| !has_canary) {
        let message =
            format!("job `{}` watches a canary but starts none; add `canary` to its `deploy`", job.name.value);
        note(scope, "watch_without_canary", message, watch.at);
    }
    if let Some(watch) = job.watch.as_ref().filter(|watch| watch.duration >= job.timeout) {
        let message = format!(
            "job `{}` watches its canary for {} and ends at its timeout, after {}; make `timeout` longer",
            job.name.value,
            write_duration(watch.duration),
            write_duration(job.timeout)
        );
        note(scope, "unsatisfiable", message, watch.at);
    }
    if job.best.is_some() && job.matrix.is_none() {
        let message = format!("job `{}` has `best` without a matrix", job.name.value);
        note(scope, "unsatisfiable", message, job.name.at);
    }
}

fn note(scope: &mut Scope<'_>, code: &'static str, message: impl Into<String>, at: Position) {
    scope.mistakes.push(Diagnostic::new(code, message, at));
}

fn deploy_steps(job: &Job) -> impl Iterator<Item = &DeployStep> {
    job.actions.iter().filter_map(|action| match action {
        Action::Deploy(deploy) => Some(&deploy.step),
        _ => None,
    })
}

fn lint_condition(scope: &mut Scope<'_>, condition: &Expression) {
    let found = scope.expression(condition, Place::Condition);
    if !matches!(found, Type::Bool | Type::Any) {
        note(scope, "wrong_type", format!("`if` is true or false, not {found}"), condition.at);
    }
    if condition.term.kind == TermKind::Literal(Value::Bool(false)) {
        note(scope, "unsatisfiable", "this job never runs", condition.at);
    }
}

/// An input is `data://…`, or one output or artifact of an earlier job.
fn lint_input(scope: &mut Scope<'_>, input: &Input) {
    let name = &input.name.value;
    if let [Part::Expression(expression)] = input.from.parts.as_slice() {
        let is_file = |fact: &JobFact| matches!(fact, JobFact::Output(_) | JobFact::Artifact(_));
        if !matches!(&expression.term.kind, TermKind::Reference(Reference::Job { fact, .. }) if is_file(fact)) {
            let message =
                format!("input `{name}` is no file; read an output or artifact of an earlier job, or `data://…`");
            note(scope, "invalid_value", message, expression.at);
        }
        return;
    }
    let address = plain(&input.from);
    let Some(rest) = address.strip_prefix("data://") else {
        let message =
            format!("input `{name}` is `data://<repository>@<ref>/<path>`, or an output or artifact of an earlier job");
        return note(scope, "invalid_value", message, input.from.at);
    };
    let (repository, behind) = rest.split_once('@').unwrap_or((rest, ""));
    let (reference, path) = behind.split_once('/').unwrap_or((behind, ""));
    if repository.is_empty() || repository.contains('/') || reference.is_empty() {
        let message = format!(
            "input `{name}` names no repository and ref: write `data://<repository>@<branch, tag or commit>/<path>`"
        );
        return note(scope, "invalid_value", message, input.from.at);
    }
    if path.split('/').any(|part| part == "..") {
        note(scope, "path_escapes", format!("input `{name}` leaves its repository with `..`"), input.from.at);
    }
}

fn lint_python(scope: &mut Scope<'_>, job: &Job) {
    let Python::Venv { requirements, .. } = &job.python else { return };
    let ending = requirements.value.rsplit_once('.').map(|(_, ending)| ending);
    if ending.is_some_and(|ending| ending.eq_ignore_ascii_case("toml")) {
        let message = format!(
            "`requirements` is a list of requirements, and `{}` is TOML; write one, for instance with `uv export --no-emit-project -o \
             requirements.lock`",
            requirements.value
        );
        note(scope, "invalid_value", message, requirements.at);
    }
}

/// The text with a letter for each expression.
fn plain(text: &Text) -> String {
    let part = |part: &Part| match part {
        Part::Literal(text) => text.clone(),
        Part::Expression(_) => "x".to_owned(),
    };
    text.parts.iter().map(part).collect()
}

fn lint_action(scope: &mut Scope<'_>, job: &Job, action: &Action) {
    match action {
        Action::Run(command) => {
            scope.text(command, Place::Process);
            if let Err(mistakes) = command::prepare(command) {
                scope.mistakes.extend(mistakes);
            }
        }
        Action::RegisterModel(RegisterModel { name, from, alias }) => {
            for text in [name, from].into_iter().chain(alias) {
                scope.text(text, Place::Job);
            }
        }
        Action::SetAlias(SetAlias { model, alias, version }) => {
            for text in [model, alias].into_iter().chain(version) {
                scope.text(text, Place::Job);
            }
            let names_version = |action: &Action| matches!(action, Action::Deploy(_) | Action::RegisterModel(_));
            if version.is_none() && !job.actions.iter().any(names_version) {
                let message = "`set_alias` needs `version` in a job that neither deploys nor registers a model";
                note(scope, "missing_key", message, model.at);
            }
        }
        Action::Deploy(Deploy { deployment, step, at }) => {
            scope.text(deployment, Place::Job);
            if let DeployStep::Canary { percent, .. } = step
                && percent.fract() != 0.0
            {
                let message = format!("`canary` is a whole share of the traffic such as `10%`, not `{percent}%`");
                note(scope, "invalid_value", message, *at);
            }
            if let DeployStep::Replace { model } | DeployStep::Canary { model, .. } | DeployStep::Shadow { model } =
                step
            {
                scope.text(model, Place::Job);
            }
        }
        Action::Approval(approval) => {
            if let Some(team) = &approval.team {
                let message = format!(
                    "job `{}` asks the team `{team}`: teams come later, and until then any maintainer could approve; leave `team` out",
                    job.name.value
                );
                note(scope, "not_yet", message, job.name.at);
            }
        }
    }
}

fn lint_outputs(scope: &mut Scope<'_>, job: &Job) {
    let same = |left: &str, right: &str| left.trim_end_matches('/') == right.trim_end_matches('/');
    for (number, output) in job.outputs.iter().enumerate() {
        let earlier = job.outputs.iter().take(number).find(|other| same(&other.path.value, &output.path.value));
        if let Some(earlier) = earlier {
            let message = format!("outputs `{}` and `{}` are the same path", earlier.name.value, output.name.value);
            note(scope, "duplicate", message, output.path.at);
        }
    }
}
