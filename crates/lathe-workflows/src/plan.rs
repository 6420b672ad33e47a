//! What comes next in a pipeline run: pure, from its file and the state of its jobs.

use std::collections::{BTreeMap, BTreeSet};

use crate::file::{self, Context, Goal, JobFacts, JobStatus as Ended, RunFacts, Value, should_run};
use crate::jobs::Job;
use crate::pipeline_runs::PipelineRun;
use crate::status::{JobStatus, PipelineRunStatus};

/// Moves every job that can be moved, and ends the run when all its jobs have. Answers which jobs changed, by index.
pub(crate) fn advance(
    pipeline: &file::Pipeline,
    run: &mut PipelineRun,
    jobs: &mut [Job],
    now_ms: i64,
) -> BTreeSet<usize> {
    let mut changed = BTreeSet::new();
    if run.status != PipelineRunStatus::Running {
        return changed;
    }
    if run.is_canceled {
        for (index, job) in jobs.iter_mut().enumerate() {
            if matches!(job.status, JobStatus::Waiting | JobStatus::Queued | JobStatus::AwaitingApproval) {
                job.end(JobStatus::Canceled, "", now_ms);
                changed.insert(index);
            }
        }
    }
    // A job that ends at once, such as a skipped one, may let others move.
    while let Some(index) = next_movable(pipeline, jobs) {
        let (status, reason) = decide(pipeline, run, jobs, index);
        if let Some(job) = jobs.get_mut(index) {
            job.queued_at_ms = Some(now_ms);
            match status.is_terminal() {
                true => job.end(status, reason, now_ms),
                false => job.status = status,
            }
            if job.status == JobStatus::AwaitingApproval {
                // It has no attempt: it begins when people are asked.
                job.started_at_ms = Some(now_ms);
            }
        }
        changed.insert(index);
    }
    if jobs.iter().all(|job| job.status.is_terminal()) {
        run.status = end_of(run, jobs);
        run.ended_at_ms = Some(now_ms);
    }
    changed
}

fn next_movable(pipeline: &file::Pipeline, jobs: &[Job]) -> Option<usize> {
    jobs.iter().position(|job| {
        job.status == JobStatus::Waiting && needs(pipeline, &job.name).iter().all(|need| is_ended(jobs, need))
    })
}

fn is_ended(jobs: &[Job], name: &str) -> bool {
    jobs.iter().filter(|job| job.name == name).all(|job| job.status.is_terminal())
}

fn needs<'p>(pipeline: &'p file::Pipeline, name: &str) -> Vec<&'p str> {
    let job = pipeline.job(name);
    job.map(|job| job.needs.iter().map(|need| need.value.as_str()).collect()).unwrap_or_default()
}

/// Whether a job waits for those of this name.
pub(crate) fn is_needed(pipeline: &file::Pipeline, name: &str) -> bool {
    pipeline.jobs.iter().any(|job| job.needs.iter().any(|need| need.value == name))
}

fn decide(pipeline: &file::Pipeline, run: &PipelineRun, jobs: &[Job], index: usize) -> (JobStatus, String) {
    let Some((job, declared)) = jobs.get(index).and_then(|job| Some((job, pipeline.job(&job.name)?))) else {
        return (JobStatus::Failed, "the pipeline's file has no such job".to_owned());
    };
    match should_run(declared, &context(pipeline, run, jobs, job)) {
        Ok(true) if declared.approval().is_some() => (JobStatus::AwaitingApproval, String::new()),
        Ok(true) => (JobStatus::Queued, String::new()),
        Ok(false) => (JobStatus::Skipped, why_skipped(declared, jobs)),
        Err(error) => (JobStatus::Failed, error.to_string()),
    }
}

fn why_skipped(declared: &file::Job, jobs: &[Job]) -> String {
    let unmet = declared.needs.iter().find(|need| group_status(jobs, &need.value) != Some(Ended::Succeeded));
    match (unmet, &declared.condition) {
        (Some(need), condition) if condition.as_ref().is_none_or(|condition| !condition.mentions_status()) => {
            let how = group_status(jobs, &need.value).map_or("did not end", Ended::as_str);
            format!("`{}` {how}", need.value)
        }
        (_, Some(condition)) => format!("the condition `{}` does not hold", condition.source),
        (_, None) => String::new(),
    }
}

/// A run failed when a job failed, even if a job that was there for that case succeeded: what was asked for did not happen.
fn end_of(run: &PipelineRun, jobs: &[Job]) -> PipelineRunStatus {
    let has = |status| jobs.iter().any(|job| job.status == status);
    if run.is_canceled && has(JobStatus::Canceled) {
        return PipelineRunStatus::Canceled;
    }
    if has(JobStatus::Failed) || has(JobStatus::Canceled) {
        return PipelineRunStatus::Failed;
    }
    PipelineRunStatus::Succeeded
}

/// How the jobs of one name ended together; `None` while one has not.
fn group_status(jobs: &[Job], name: &str) -> Option<Ended> {
    let cells: Vec<JobStatus> = jobs.iter().filter(|job| job.name == name).map(|job| job.status).collect();
    if cells.is_empty() || !cells.iter().all(|status| status.is_terminal()) {
        return None;
    }
    let has = |status| cells.contains(&status);
    Some(match () {
        () if has(JobStatus::Failed) => Ended::Failed,
        () if has(JobStatus::Canceled) => Ended::Canceled,
        () if cells.iter().any(|status| status.is_success()) => Ended::Succeeded,
        () => Ended::Skipped,
    })
}

/// What the expressions of a run can read before its jobs.
pub(crate) fn run_context(run: &PipelineRun) -> Context {
    let mut trigger = values(&run.trigger.detail);
    trigger.insert("kind".to_owned(), Value::Text(run.trigger.kind.clone()));
    Context { params: values(&run.params), trigger, ..Context::default() }
}

fn values(json: &BTreeMap<String, serde_json::Value>) -> BTreeMap<String, Value> {
    json.iter().filter_map(|(name, value)| Some((name.clone(), Value::from_json(value)?))).collect()
}

/// The values of a cell, as they are written in its file.
fn words(json: &BTreeMap<String, serde_json::Value>) -> BTreeMap<String, Value> {
    values(json).into_iter().map(|(name, value)| (name, Value::Word(value.to_string()))).collect()
}

/// What the expressions of a job can read. Secrets are left out: they are added where the process is started.
pub(crate) fn context(pipeline: &file::Pipeline, run: &PipelineRun, jobs: &[Job], job: &Job) -> Context {
    Context {
        matrix: words(&job.matrix),
        jobs: before(pipeline, &job.name)
            .into_iter()
            .map(|name| (name.to_owned(), facts(pipeline, jobs, name)))
            .collect(),
        needs: needs(pipeline, &job.name).into_iter().map(str::to_owned).collect(),
        ..run_context(run)
    }
}

/// The jobs that a job needs, directly or through others.
pub(crate) fn before<'p>(pipeline: &'p file::Pipeline, name: &str) -> BTreeSet<&'p str> {
    let mut found = BTreeSet::new();
    let mut open = needs(pipeline, name);
    while let Some(next) = open.pop() {
        if found.insert(next) {
            open.extend(needs(pipeline, next));
        }
    }
    found
}

fn facts(pipeline: &file::Pipeline, jobs: &[Job], name: &str) -> JobFacts {
    let cells: Vec<&Job> = jobs.iter().filter(|job| job.name == name).collect();
    let single = cells.iter().find(|job| job.cell.is_none());
    JobFacts {
        status: group_status(jobs, name),
        started: cells.iter().any(|job| job.started_at_ms.is_some()),
        run: single.and_then(|job| run_facts(job)),
        best: best(pipeline, name, &cells).and_then(run_facts),
    }
}

/// What a job wrote; a job that runs no command has values without a run.
fn run_facts(job: &Job) -> Option<RunFacts> {
    let run_id = job.run_id.as_ref().map(ToString::to_string).unwrap_or_default();
    let values = job.outcome.values.iter().map(|(key, value)| (key.clone(), Value::Word(value.clone()))).collect();
    job.status.is_success().then_some(RunFacts { run_id, values })
}

/// The cell with the best value; the first of equal ones.
fn best<'j>(pipeline: &file::Pipeline, name: &str, cells: &[&'j Job]) -> Option<&'j Job> {
    let best = pipeline.job(name)?.best.as_ref()?;
    let value = |job: &Job| job.outcome.values.get(&best.value).and_then(|text| text.parse::<f64>().ok());
    let valued = cells.iter().filter(|job| job.status.is_success()).filter_map(|job| Some((value(job)?, *job)));
    let better = |new: f64, old: f64| match best.goal {
        Goal::Maximize => new > old,
        Goal::Minimize => new < old,
    };
    let found =
        valued.filter(|(value, _)| value.is_finite()).fold(
            None,
            |found: Option<(f64, &Job)>, (value, job)| match found {
                Some((old, _)) if !better(value, old) => found,
                _ => Some((value, job)),
            },
        );
    found.map(|(_, job)| job)
}
