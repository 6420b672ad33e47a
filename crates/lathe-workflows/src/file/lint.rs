//! What can be wrong with a file beyond its shape: jobs that do not exist, cycles, references that nothing answers, types that do
//! not fit, and what can never happen.

mod expressions;
mod jobs;
mod triggers;

use super::diagnostic::{Diagnostic, did_you_mean};
use super::order::Order;
use super::reading::MAX_MISTAKES;
use super::types::{DEFAULT_QUEUE, Pipeline};

use expressions::{Place, Scope};

/// Whether a mistake may be there only because a part of the file, which has a mistake itself, was left out.
pub(super) fn may_follow(mistake: &Diagnostic) -> bool {
    matches!(
        mistake.code,
        "missing_key"
            | "not_needed"
            | "undeclared_secret"
            | "unknown_job"
            | "unknown_reference"
            | "unsatisfiable"
            | "watch_without_canary"
    )
}

/// Everything that is wrong with a pipeline, in the order of the file.
pub(super) fn lint(pipeline: &Pipeline) -> Vec<Diagnostic> {
    let order = Order::of(&pipeline.jobs);
    let mut mistakes = Vec::new();
    params_of_triggers(pipeline, &mut mistakes);
    triggers::lint(&pipeline.triggers, &mut mistakes);
    needs(pipeline, &order, &mut mistakes);
    let mut scope = Scope { pipeline, order: &order, job: None, mistakes };
    if let Some(concurrency) = &pipeline.concurrency {
        scope.text(&concurrency.group, Place::Pipeline);
    }
    for (number, job) in pipeline.jobs.iter().enumerate() {
        scope.job = Some(number);
        jobs::lint(&mut scope, job);
    }
    scope.job = None;
    for notify in &pipeline.notify {
        scope.text(&notify.webhook, Place::Notify);
        let is_address = |text: &str| text.starts_with("https://") || text.starts_with("http://");
        if notify.webhook.as_literal().is_some_and(|text| !is_address(text)) {
            let message = "`webhook` begins with https:// or http://";
            scope.mistakes.push(Diagnostic::new("invalid_value", message, notify.webhook.at));
        }
    }
    let mut mistakes = scope.mistakes;
    mistakes.sort_by_key(|mistake| mistake.at);
    mistakes.dedup();
    mistakes.truncate(MAX_MISTAKES);
    mistakes
}

/// What is read and does nothing yet, in the order of the file: the pipeline runs without it.
pub(super) fn warnings(pipeline: &Pipeline) -> Vec<Diagnostic> {
    let mut warnings = Vec::new();
    for job in &pipeline.jobs {
        let mut warn = |message: String| {
            warnings.push(Diagnostic::new("not_yet", message, job.name.at).over(job.name.value.chars().count()));
        };
        let name = &job.name.value;
        if job.resources.gpu > 0 {
            warn(format!("job `{name}` asks for a GPU: none is given to it or kept for it yet"));
        }
        if job.queue != DEFAULT_QUEUE {
            warn(format!("job `{name}` names the queue `{}`: all jobs share one yet", job.queue));
        }
    }
    for notify in &pipeline.notify {
        let message = "`notify` tells nobody yet; look at the pipeline's page, or ask `lathe pipeline list`";
        warnings.push(Diagnostic::new("not_yet", message, notify.webhook.at));
    }
    warnings.sort_by_key(|warning| warning.at);
    warnings.truncate(MAX_MISTAKES);
    warnings
}

/// Nobody gives a value to what starts by itself.
fn params_of_triggers(pipeline: &Pipeline, mistakes: &mut Vec<Diagnostic>) {
    if !pipeline.triggers.is_automatic() {
        return;
    }
    for param in pipeline.params.iter().filter(|param| param.default.is_none()) {
        let name = &param.name.value;
        let message = format!(
            "param `{name}` needs `default`: `on` starts the pipeline by itself, without anybody who gives a value"
        );
        mistakes.push(Diagnostic::new("missing_key", message, param.name.at).over(name.chars().count()));
    }
}

fn needs(pipeline: &Pipeline, order: &Order, mistakes: &mut Vec<Diagnostic>) {
    let names = || pipeline.jobs.iter().map(|job| job.name.as_str());
    for job in &pipeline.jobs {
        for need in &job.needs {
            if pipeline.job(&need.value).is_none() {
                let hint = did_you_mean(&need.value, names());
                let message = format!("job `{}` needs `{}`, which is no job{hint}", job.name.value, need.value);
                mistakes.push(Diagnostic::new("unknown_job", message, need.at).over(need.value.chars().count()));
            }
        }
    }
    for cycle in &order.cycles {
        let jobs: Vec<_> = cycle.iter().filter_map(|number| pipeline.jobs.get(*number)).collect();
        let Some(first) = jobs.first() else { continue };
        let names: Vec<&str> = jobs.iter().chain([first]).map(|job| job.name.as_str()).collect();
        let message = format!("the jobs need each other in a cycle: {}", names.join(" needs "));
        let place = jobs.first().and_then(|job| {
            let next = jobs.get(1).unwrap_or(job);
            job.needs.iter().find(|need| need.value == next.name.value)
        });
        let place = place.unwrap_or(&first.name);
        mistakes.push(Diagnostic::new("cycle", message, place.at).over(place.value.chars().count()));
    }
}
