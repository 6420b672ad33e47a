//! `lathe pipeline run|list|show|logs|cancel|retry|approvals|approve|reject|pause|resume`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use lathe_core::{Clock, Error, Result};
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::super::client::Client;
use super::super::output::{Cell, Format, Output, Record, Table};
use super::super::text;
use super::push::{self, DEFAULT_FILE};

/// How often a run is looked at while it is waited for.
const POLL: Duration = Duration::from_millis(250);

/// What is started, and with what.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// A pipeline's file, which is pushed first, or the name of one that was pushed
    #[arg(value_name = "PIPELINE", default_value = DEFAULT_FILE)]
    pipeline: String,
    /// A parameter; may be given several times
    #[arg(short = 'P', long = "param", value_name = "NAME=VALUE", value_parser = pair)]
    params: Vec<(String, String)>,
    /// What `trigger.…` is in expressions, for instance commit=…
    #[arg(long = "trigger", value_name = "NAME=VALUE", value_parser = pair)]
    trigger: Vec<(String, String)>,
    /// Wait until the run ends; exit code 1 when it does not succeed
    #[arg(short, long)]
    wait: bool,
}

/// Which runs.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Runs of this pipeline; without it, the pipelines
    #[arg(value_name = "PIPELINE")]
    pipeline: Option<String>,
    /// At most so many
    #[arg(short, long, default_value_t = 20, value_name = "N")]
    limit: usize,
}

/// Which run.
#[derive(Debug, Args)]
pub struct RunRef {
    /// A run's id, PIPELINE/NUMBER, or PIPELINE for its newest one
    #[arg(value_name = "RUN")]
    run: String,
}

/// Which job of which run.
#[derive(Debug, Args)]
pub struct JobRef {
    #[command(flatten)]
    run: RunRef,
    /// The job: train, or train[2]
    #[arg(value_name = "JOB")]
    job: String,
}

/// Whose output.
#[derive(Debug, Args)]
pub struct LogArgs {
    #[command(flatten)]
    at: JobRef,
    /// An earlier attempt
    #[arg(long, value_name = "N")]
    attempt: Option<i64>,
    /// Go on until the job ends
    #[arg(short, long)]
    follow: bool,
}

/// What is decided.
#[derive(Debug, Args)]
pub struct DecideArgs {
    #[command(flatten)]
    at: JobRef,
    /// Why
    #[arg(short = 'm', long, default_value = "", value_name = "TEXT")]
    message: String,
}

/// Which pipeline.
#[derive(Debug, Args)]
pub struct NameArgs {
    /// The pipeline
    #[arg(value_name = "PIPELINE")]
    pipeline: String,
}

fn pair(text: &str) -> std::result::Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

#[derive(Debug, Deserialize)]
struct Run {
    id: String,
    pipeline: String,
    number: i64,
    status: String,
    trigger: String,
    actor: String,
    reason: String,
    created_at_ms: i64,
    started_at_ms: Option<i64>,
    ended_at_ms: Option<i64>,
}

impl Run {
    fn is_ended(&self) -> bool {
        !matches!(self.status.as_str(), "queued" | "running")
    }

    fn label(&self) -> String {
        format!("{}/{}", self.pipeline, self.number)
    }

    fn duration(&self) -> Cell {
        match (self.started_at_ms, self.ended_at_ms) {
            (Some(started), Some(ended)) => Cell::Duration(ended - started),
            _ => Cell::Missing,
        }
    }
}

#[derive(Debug, Deserialize)]
struct RunPage {
    runs: Vec<Run>,
    next_page_token: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Detail {
    run: Run,
    jobs: Vec<Job>,
}

#[derive(Debug, Deserialize)]
struct Job {
    job: String,
    status: String,
    attempt: i64,
    not_before_ms: i64,
    reason: String,
    run_id: Option<String>,
    values: BTreeMap<String, String>,
    started_at_ms: Option<i64>,
    ended_at_ms: Option<i64>,
}

impl Job {
    /// Why it is as it is. One that is queued says for what it waits, too: its own reason is how it ended before.
    fn why(&self) -> String {
        if self.status != "queued" {
            return self.reason.clone();
        }
        let waits = if self.not_before_ms > Clock::System.now_ms() {
            format!("it is tried again at {}", text::time(self.not_before_ms))
        } else {
            "it waits until its cores and memory are free".to_owned()
        };
        if self.reason.is_empty() { waits } else { format!("{}; {waits}", self.reason) }
    }
}

#[derive(Debug, Deserialize)]
struct Pipeline {
    name: String,
    is_paused: bool,
    runs: i64,
    updated_at_ms: i64,
    triggers: Vec<String>,
    next_run_at_ms: Option<i64>,
}

#[derive(Debug, Deserialize)]
struct PipelinePage {
    pipelines: Vec<Pipeline>,
    next_page_token: Option<String>,
}

#[derive(Debug, Deserialize)]
struct EventPage {
    events: Vec<NotStarted>,
}

/// That something would have started a pipeline, and did not.
#[derive(Debug, Deserialize)]
struct NotStarted {
    at_ms: i64,
    detail: NotStartedDetail,
}

#[derive(Debug, Deserialize)]
struct NotStartedDetail {
    trigger: String,
    reason: String,
}

#[derive(Debug, Deserialize)]
struct Log {
    text: String,
    next_offset: i64,
    is_complete: bool,
}

#[derive(Debug, Deserialize)]
struct Approval {
    pipeline: String,
    number: i64,
    job: String,
    requested_by: String,
    since_ms: i64,
    until_ms: i64,
    min: i64,
    decisions: Vec<Value>,
}

#[derive(Debug, Deserialize)]
struct ApprovalList {
    approvals: Vec<Approval>,
}

/// Starts a run, and waits for it if asked.
///
/// # Errors
/// As [`push::push`].
pub async fn start(arguments: RunArgs, client: &Client, output: &Output) -> Result<ExitCode> {
    let RunArgs { pipeline, params, trigger, wait } = arguments;
    let is_file = Path::new(&pipeline).is_file() || pipeline.ends_with(".yaml") || pipeline.ends_with(".yml");
    let name = if is_file { push::push(&PathBuf::from(pipeline), client, output).await?.name } else { pipeline };
    let object = |pairs: Vec<(String, String)>| -> Map<String, Value> {
        pairs.into_iter().map(|(name, value)| (name, Value::String(value))).collect()
    };
    let body = json!({ "params": object(params), "trigger": object(trigger) });
    let request = client.native(Method::POST, &["pipelines", &name, "runs"]).json(&body);
    let run: Run = client.answer(request).await?;
    output.note(&format!("started {}: {}", run.label(), client.page(&["pipeline-runs", &run.id])));
    if !wait {
        output.print(&run.id)?;
        return Ok(ExitCode::SUCCESS);
    }
    let detail = follow(&run.id, client, output).await?;
    print_detail(&detail, output)?;
    Ok(if detail.run.status == "succeeded" { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Says what happens to the jobs until the run has ended.
async fn follow(id: &str, client: &Client, output: &Output) -> Result<Detail> {
    let mut known: BTreeMap<String, String> = BTreeMap::new();
    loop {
        let detail: Detail = client.get(&["pipeline-runs", id]).await?;
        for job in &detail.jobs {
            let is_news = known.get(&job.job) != Some(&job.status) && job.status != "waiting";
            if is_news {
                let why = if job.reason.is_empty() { String::new() } else { job.why() };
                let reason = if why.is_empty() { String::new() } else { format!(" ({why})") };
                output.note(&format!("{:<24} {}{reason}", job.job, job.status));
                known.insert(job.job.clone(), job.status.clone());
            }
        }
        if detail.run.is_ended() {
            return Ok(detail);
        }
        tokio::time::sleep(POLL).await;
    }
}

fn is_id(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// The id of what a person calls a run.
async fn resolve(run: &str, client: &Client) -> Result<String> {
    if is_id(run) {
        return Ok(run.to_owned());
    }
    let (pipeline, number) = run.split_once('/').map_or((run, None), |(name, number)| (name, Some(number)));
    let wanted: Option<i64> = number
        .map(|number| number.trim_start_matches('#').parse())
        .transpose()
        .map_err(|_| Error::invalid(format!("{run:?} is no run: write its id, PIPELINE/NUMBER or PIPELINE")))?;
    let mut request = client.native(Method::GET, &["pipeline-runs"]);
    request = request.query(&[("pipeline", pipeline), ("max_results", "1")]);
    if let Some(number) = wanted {
        request = request.query(&[("number", number)]);
    }
    let page: RunPage = client.answer(request).await?;
    page.runs.into_iter().next().map(|one| one.id).ok_or_else(|| {
        Error::not_found(format!("pipeline `{pipeline}` has no such run"))
            .with_hint(format!("lathe pipeline list {pipeline}"))
    })
}

/// Lists pipelines, or the runs of one.
///
/// # Errors
/// As [`Client::answer`].
pub async fn list(ListArgs { pipeline, limit }: ListArgs, client: &Client, output: &Output) -> Result<()> {
    let Some(pipeline) = pipeline else {
        let pipelines = all_pipelines(client).await?;
        let mut table = Table::new([
            ("name", "NAME"),
            ("runs", "RUNS"),
            ("is_paused", "PAUSED"),
            ("updated_at_ms", "PUSHED"),
            ("triggers", "STARTS ON"),
            ("next_run_at_ms", "NEXT RUN"),
        ]);
        for one in pipelines {
            table.push(vec![
                Cell::Text(one.name),
                Cell::Integer(one.runs),
                Cell::Flag(one.is_paused),
                Cell::Time(one.updated_at_ms),
                Cell::Texts(one.triggers),
                Cell::time(one.next_run_at_ms),
            ]);
        }
        return output.print_list(&table, "pipelines");
    };
    // One that does not exist is no pipeline without runs.
    client.get::<Value>(&["pipelines", &pipeline]).await?;
    let request = client.native(Method::GET, &["pipeline-runs"]);
    let query = [("pipeline", pipeline.clone()), ("max_results", limit.to_string())];
    let page: RunPage = client.answer(request.query(&query)).await?;
    tell_not_started(&pipeline, page.runs.first(), client, output).await?;
    if page.next_page_token.is_some() {
        output.note(&format!("the newest {limit} runs; --limit shows more"));
    }
    let mut table = Table::new([
        ("number", "NUMBER"),
        ("status", "STATUS"),
        ("trigger", "STARTED BY"),
        ("actor", "ACTOR"),
        ("created_at_ms", "CREATED"),
        ("duration_ms", "DURATION"),
        ("id", "ID"),
    ]);
    for run in page.runs {
        let duration = run.duration();
        table.push(vec![
            Cell::Integer(run.number),
            Cell::Text(run.status),
            Cell::Text(run.trigger),
            Cell::Text(run.actor),
            Cell::Time(run.created_at_ms),
            duration,
            Cell::Id(run.id),
        ]);
    }
    output.print_list(&table, "runs")
}

async fn all_pipelines(client: &Client) -> Result<Vec<Pipeline>> {
    let (mut pipelines, mut token) = (Vec::new(), None::<String>);
    loop {
        let mut request = client.native(Method::GET, &["pipelines"]).query(&[("max_results", "1000")]);
        if let Some(token) = &token {
            request = request.query(&[("page_token", token)]);
        }
        let page: PipelinePage = client.answer(request).await?;
        pipelines.extend(page.pipelines);
        token = page.next_page_token;
        if token.is_none() {
            return Ok(pipelines);
        }
    }
}

/// Says what would have started the pipeline since its newest run, and why it did not.
async fn tell_not_started(pipeline: &str, newest: Option<&Run>, client: &Client, output: &Output) -> Result<()> {
    let subject = format!("{}/pipeline/{pipeline}", client.project());
    let from_ms = newest.map_or(0, |run| run.created_at_ms).to_string();
    let query = [
        ("subject", subject.as_str()),
        ("action", "pipeline.not_started"),
        ("from_ms", from_ms.as_str()),
        ("max_results", "3"),
    ];
    let page: EventPage = client.answer(client.native(Method::GET, &["activity"]).query(&query)).await?;
    for NotStarted { at_ms, detail } in page.events.into_iter().rev() {
        let NotStartedDetail { trigger, reason } = detail;
        output.note(&format!("not started by {trigger} at {}: {reason}", text::time(at_ms)));
    }
    Ok(())
}

/// Shows a run with its jobs.
///
/// # Errors
/// `NotFound`, and as [`Client::answer`].
pub async fn show(RunRef { run }: RunRef, client: &Client, output: &Output) -> Result<()> {
    if !run.contains('/') && !is_id(&run) {
        let request = client.native(Method::GET, &["pipeline-runs"]);
        let newest: RunPage = client.answer(request.query(&[("pipeline", run.as_str()), ("max_results", "1")])).await?;
        tell_not_started(&run, newest.runs.first(), client, output).await?;
    }
    let id = resolve(&run, client).await?;
    if output.format() == Format::Json {
        return output.print_json(&client.get::<Value>(&["pipeline-runs", &id]).await?);
    }
    print_detail(&client.get(&["pipeline-runs", &id]).await?, output)
}

fn print_detail(Detail { run, jobs }: &Detail, output: &Output) -> Result<()> {
    let mut table = Table::new([
        ("job", "JOB"),
        ("status", "STATUS"),
        ("attempt", "ATTEMPT"),
        ("duration_ms", "DURATION"),
        ("run_id", "RUN"),
        ("values", "VALUES"),
        ("reason", "REASON"),
    ]);
    for job in jobs {
        let duration = match (job.started_at_ms, job.ended_at_ms) {
            (Some(started), Some(ended)) => Cell::Duration(ended - started),
            _ => Cell::Missing,
        };
        let values = job.values.iter().map(|(key, value)| format!("{key}={value}")).collect();
        table.push(vec![
            Cell::Text(job.job.clone()),
            Cell::Text(job.status.clone()),
            Cell::Integer(job.attempt),
            duration,
            job.run_id.clone().map_or(Cell::Missing, Cell::Id),
            Cell::Texts(values),
            Cell::text(job.why()),
        ]);
    }
    output.print_record(
        &Record::default()
            .with("id", "id", Cell::Text(run.id.clone()))
            .with("pipeline", "pipeline", Cell::Text(run.pipeline.clone()))
            .with("number", "number", Cell::Integer(run.number))
            .with("status", "status", Cell::Text(run.status.clone()))
            .with("reason", "reason", Cell::text(run.reason.clone()))
            .with("trigger", "started by", Cell::Text(run.trigger.clone()))
            .with("actor", "actor", Cell::Text(run.actor.clone()))
            .with("created_at_ms", "created", Cell::Time(run.created_at_ms))
            .with("duration_ms", "duration", run.duration())
            .with("jobs", "jobs", Cell::Rows(table)),
    )
}

/// Prints what a job printed.
///
/// # Errors
/// `NotFound`, and as [`Client::answer`].
pub async fn logs(LogArgs { at, attempt, follow }: LogArgs, client: &Client, output: &Output) -> Result<()> {
    let id = resolve(&at.run.run, client).await?;
    let mut offset = 0;
    loop {
        let mut request = client.native(Method::GET, &["pipeline-runs", &id, "jobs", &at.job, "logs"]);
        request = request.query(&[("offset", offset)]);
        if let Some(attempt) = attempt {
            request = request.query(&[("attempt", attempt)]);
        }
        let log: Log = client.answer(request).await?;
        let is_still = log.next_offset == offset;
        offset = log.next_offset;
        if !log.text.is_empty() {
            output.print(log.text.trim_end_matches('\n'))?;
        }
        if log.is_complete || (is_still && !follow) {
            return Ok(());
        }
        if is_still {
            tokio::time::sleep(POLL).await;
        }
    }
}

/// Cancels a run, or tries again what failed in it.
///
/// # Errors
/// `NotFound`, `Conflict`, and as [`Client::answer`].
pub async fn act(RunRef { run }: RunRef, verb: &str, done: &str, client: &Client, output: &Output) -> Result<()> {
    let id = resolve(&run, client).await?;
    let run: Run = client.answer(client.native(Method::POST, &["pipeline-runs", &id, verb])).await?;
    output.note(&format!("{done} {}", run.label()));
    Ok(())
}

/// Lists jobs that wait for people.
///
/// # Errors
/// As [`Client::answer`].
pub async fn approvals(client: &Client, output: &Output) -> Result<()> {
    let list: ApprovalList = client.get(&["approvals"]).await?;
    let mut table = Table::new([
        ("run", "RUN"),
        ("job", "JOB"),
        ("requested_by", "ASKED BY"),
        ("since_ms", "SINCE"),
        ("until_ms", "UNTIL"),
        ("decisions", "DECIDED"),
        ("min", "NEEDED"),
    ]);
    for one in list.approvals {
        table.push(vec![
            Cell::Text(format!("{}/{}", one.pipeline, one.number)),
            Cell::Text(one.job),
            Cell::Text(one.requested_by),
            Cell::Time(one.since_ms),
            Cell::Time(one.until_ms),
            Cell::Integer(i64::try_from(one.decisions.len()).unwrap_or_default()),
            Cell::Integer(one.min),
        ]);
    }
    output.print_list(&table, "approvals")
}

/// Approves or rejects a job.
///
/// # Errors
/// `NotFound`, `Conflict`, and as [`Client::answer`].
pub async fn decide(arguments: DecideArgs, verb: &str, client: &Client, output: &Output) -> Result<()> {
    let DecideArgs { at, message } = arguments;
    let id = resolve(&at.run.run, client).await?;
    let request = client.native(Method::POST, &["pipeline-runs", &id, "jobs", &at.job, verb]);
    let run: Run = client.answer(request.json(&json!({ "comment": message }))).await?;
    output.note(&format!("{verb}: {} of {}; the run is {}", at.job, run.label(), run.status));
    Ok(())
}

/// Pauses or resumes what starts a pipeline by itself.
///
/// # Errors
/// `NotFound`, and as [`Client::answer`].
pub async fn set_paused(NameArgs { pipeline }: NameArgs, verb: &str, client: &Client, output: &Output) -> Result<()> {
    let found: Pipeline = client.answer(client.native(Method::POST, &["pipelines", &pipeline, verb])).await?;
    let state = if found.is_paused { "is paused: nothing starts it by itself" } else { "starts by itself again" };
    output.note(&format!("{} {state}", found.name));
    Ok(())
}
