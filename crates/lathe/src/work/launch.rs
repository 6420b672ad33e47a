//! The start of an attempt: whether an earlier result stands for it, and if not, its run, its order and its runner.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use lathe_access::secrets::{SecretName, reveal_secrets};
use lathe_access::tokens::{RunToken, create_run_token_in, prepare_run_token};
use lathe_api::REGION;
use lathe_core::{Code, Error, Name, Result};
use lathe_db::FutureExt as _;
use lathe_tracking::experiments::{CreateExperiment, create_experiment, get_experiment_by_name};
use lathe_tracking::runs::{CreateRun, create_run_in, prepare_run};
use lathe_tracking::{RunInfo, Tag};
use lathe_workflows::attempts::{Cached, Claim, attach_run_in, find_cached};
use lathe_workflows::file::{self, CacheParts, Context, Python, Reference, Text, cache_key};
use lathe_workflows::jobs::Job;
use tokio::process::Command;
use tokio::task::JoinHandle;

use super::inputs::{self, Resolved};
use super::order::{self, InputOrder, ORDER, Order, Outlives, OutputOrder, PythonOrder};
use super::{Work, checkout, environment, requirements};

/// How much longer than its command a run's credentials hold.
const TTL_SLACK_SECONDS: i64 = 3_600;
const MAX_TTL_SECONDS: i64 = 30 * 24 * 3_600;
/// How often another id is tried when a run's is taken.
const RUN_ATTEMPTS: usize = 10;

/// What became of a launch.
pub(super) enum Launched {
    /// A runner is at work; the task ends when its process does.
    Started(JoinHandle<()>),
    /// An earlier job's outputs stand for it.
    Cached(Box<Job>),
    /// The attempt is no longer this server's.
    Lost,
}

/// Where an attempt's files are.
pub(super) fn folder(work: &Work, claim: &Claim) -> PathBuf {
    lathe_workflows::attempts::folder(&work.folder, &claim.run.id, &claim.job.key, claim.attempt.attempt)
}

/// What the command of a job is made of.
struct Prepared {
    command: String,
    /// The command's own variables and those of `env`.
    variables: BTreeMap<String, String>,
    /// The values of secrets among the variables.
    secrets: Vec<String>,
    code: Option<(PathBuf, String)>,
    inputs: Vec<InputOrder>,
    /// Of each input, by name.
    contents: BTreeMap<String, String>,
    /// Runs and models whose artifacts are inputs. What is read of repositories is recorded when it is read.
    given: Vec<Name>,
}

/// Starts an attempt.
pub(super) async fn launch(work: &Work, claim: &Claim, folder: &Path) -> Result<Launched> {
    let job = claim.declaration()?;
    let mut prepared = prepare(work, claim, job).await?;
    let given = std::mem::take(&mut prepared.given);
    if job.cache {
        let environment = environment_of(job, &prepared).await?;
        let parts = parts(claim, job, &prepared, environment)?;
        let key = cache_key(&parts);
        let earlier = inputs::find_earlier(work, claim, &key).await?;
        let cached = find_cached(&work.server_ctx(), &work.rooms.workflows, claim, (&key, parts), earlier).await?;
        if let Cached::Found(made) = cached {
            return Ok(Launched::Cached(made));
        }
    }
    let Some((run, token)) = begin(work, claim, job, given).await? else { return Ok(Launched::Lost) };
    let order = order_of(work, claim, job, prepared, &run, &token)?;
    let unusable =
        |error: std::io::Error| Error::new(Code::Unavailable, format!("an attempt's folder cannot be made: {error}"));
    std::fs::create_dir_all(folder).map_err(unusable)?;
    order::write(folder, ORDER, &order, Outlives::Process)?;
    spawn(folder).map(Launched::Started)
}

async fn prepare(work: &Work, claim: &Claim, job: &file::Job) -> Result<Prepared> {
    let command = job.command().ok_or_else(|| Error::internal("a job without a command is launched"))?;
    let wrong = |error: file::EvaluationError| Error::invalid(error.to_string());
    // A file that was pushed before Lathe knew such a place is not judged again, but a value never becomes code.
    let shell = file::prepare(command).map_err(|mistakes| {
        let why = mistakes.first().map(|mistake| format!("line {}: {}", mistake.at.line, mistake.message));
        Error::invalid(format!("the command is refused; mend it and push the file again. {}", why.unwrap_or_default()))
    })?;
    let secrets = reveal(work, claim, job).await?;
    // A context of its own: the claim's is also what is stored and shown.
    let context = Context { secrets: secrets.clone(), ..claim.context.clone() };
    let mut variables = secrets.clone();
    variables.extend(shell.environment(&context).map_err(wrong)?);
    for variable in &job.variables {
        variables.insert(variable.name.value.clone(), variable.value.evaluate(&context).map_err(wrong)?);
    }
    let code = match &claim.run.code_id {
        Some(id) => Some(checkout::prepare(work, &claim.run.project, id).await?),
        None => None,
    };
    let (mut fetched, mut contents, mut given) = (Vec::new(), BTreeMap::new(), Vec::new());
    for input in &job.inputs {
        let (resolved, source) = inputs::resolve(work, claim, input).await?;
        given.extend(source);
        match resolved {
            Resolved::Fetched { order, content } => {
                contents.insert(order.name.clone(), content);
                fetched.push(order);
            }
            Resolved::Given { name, url, content } => {
                variables.insert(order::variable("IN", &name), url);
                contents.insert(name, content);
            }
        }
    }
    let secrets = secrets.into_values().collect();
    Ok(Prepared { command: shell.script, variables, secrets, code, inputs: fetched, contents, given })
}

/// The secrets that the job names, which is all that it gets.
async fn reveal(work: &Work, claim: &Claim, job: &file::Job) -> Result<BTreeMap<String, String>> {
    let names = job.secrets.iter().map(|name| SecretName::parse(&name.value)).collect::<Result<Vec<_>>>()?;
    let values = reveal_secrets(&work.ctx(&claim.run.project), &work.rooms.access, &names).await?;
    Ok(values.into_iter().map(|(name, value)| (name.to_string(), value.expose().to_owned())).collect())
}

/// The Python environment that the job's result depends on.
async fn environment_of(job: &file::Job, prepared: &Prepared) -> Result<Option<String>> {
    match (&job.python, &prepared.code) {
        (Python::Current, _) => Ok(Some(environment::describe())),
        (Python::Venv { python, requirements }, Some((code, folder))) => {
            let (code, folder, lock) = (code.clone(), folder.clone(), requirements.value.clone());
            let hashed = tokio::task::spawn_blocking(move || requirements::hash(&code, &folder, &lock)).await;
            let hashed = hashed.map_err(|error| Error::internal("a lock file cannot be read").with_source(error))??;
            Ok(Some(format!("{} {hashed}", python.as_deref().unwrap_or_default())))
        }
        (Python::Venv { .. }, None) => Ok(None),
    }
}

/// All that the job's result depends on.
fn parts(claim: &Claim, job: &file::Job, prepared: &Prepared, environment: Option<String>) -> Result<CacheParts> {
    let command = job.command().map(Text::source).unwrap_or_default();
    let texts = job.command().into_iter().chain(job.variables.iter().map(|variable| &variable.value));
    let mut params = BTreeMap::new();
    for expression in texts.flat_map(Text::expressions) {
        if expression.references().iter().any(|one| matches!(one, Reference::Secret(_))) {
            continue;
        }
        let value = expression.evaluate(&claim.context).map_err(|error| Error::invalid(error.to_string()))?;
        params.insert(expression.source.clone(), value.to_json());
    }
    for variable in &job.variables {
        params.insert(format!("env {}", variable.name.value), variable.value.source().into());
    }
    Ok(CacheParts {
        command,
        environment,
        inputs: prepared.contents.clone(),
        params,
        code_tree: prepared.code.as_ref().map(|(code, folder)| checkout::tree_of(code, folder)).transpose()?,
        code_commit: claim.run.code_id.clone(),
        outputs: job.outputs.iter().map(|output| (output.name.value.clone(), output.path.value.clone())).collect(),
    })
}

/// Makes the attempt's run and its credentials, in one transaction with their names in the attempt: a crash leaves all of them or none.
/// `None` when the attempt is no longer this server's.
async fn begin(work: &Work, claim: &Claim, job: &file::Job, given: Vec<Name>) -> Result<Option<(RunInfo, RunToken)>> {
    let project = &claim.run.project;
    let (ctx, server_ctx) = (work.ctx(project), work.server_ctx());
    let request = describe_run(work, claim).await?;
    let timeout = i64::try_from(job.timeout.as_secs()).unwrap_or(i64::MAX);
    let ttl = timeout.saturating_add(TTL_SLACK_SECONDS).min(MAX_TTL_SECONDS);
    for _ in 1..RUN_ATTEMPTS {
        let prepared = prepare_run(&ctx, &work.rooms.tracking, request.clone()).await?;
        let token = prepare_run_token(&ctx, Some(ttl))?;
        let (ctx, server_ctx, claim, given) = (ctx.clone(), server_ctx.clone(), claim.clone(), given.clone());
        let begun = work.rooms.db.write_brief(move |tx| {
            async move {
                let ids = (prepared.run_id(), &token.id);
                if !attach_run_in(&server_ctx, tx, &claim, ids, given).await? {
                    return Ok(None);
                }
                let run = create_run_in(&ctx, tx, &prepared).await?;
                create_run_token_in(&ctx, tx, prepared.run_id(), &token).await?;
                Ok(Some((run.info, token)))
            }
            .boxed()
        });
        match begun.await {
            // The run's id was taken: another one has a chance of its own.
            Err(error) if error.code() == Code::AlreadyExists => {}
            Err(error) => return Err(error),
            Ok(begun) => {
                if let Some((run, _)) = &begun {
                    work.rooms.tracking.tell_changed(project, &run.run_id);
                }
                return Ok(begun);
            }
        }
    }
    Err(Error::new(Code::Unavailable, "no free run id was found; try again in a moment"))
}

async fn describe_run(work: &Work, claim: &Claim) -> Result<CreateRun> {
    let ctx = work.ctx(&claim.run.project);
    let tracking = &work.rooms.tracking;
    let name = claim.run.pipeline.as_str();
    let experiment_id = match get_experiment_by_name(&ctx, tracking, name).await {
        Ok(experiment) => experiment.id,
        Err(error) if error.code() == Code::NotFound => {
            let request = CreateExperiment { name: name.to_owned(), ..CreateExperiment::default() };
            match create_experiment(&ctx, tracking, request).await {
                Err(error) if error.code() == Code::AlreadyExists => {
                    get_experiment_by_name(&ctx, tracking, name).await?.id
                }
                made => made?,
            }
        }
        Err(error) => return Err(error),
    };
    let commit = match &claim.run.code_id {
        Some(id) => Some(lathe_workflows::code::get_code(&ctx, &work.rooms.workflows, id).await?.commit),
        None => None,
    };
    let tags = [
        ("mlflow.user", Some(claim.run.actor.name.clone())),
        ("mlflow.source.type", Some("PROJECT".to_owned())),
        ("mlflow.source.name", Some(format!("{name}/{}", claim.job.key))),
        ("mlflow.source.git.commit", commit),
        ("lathe.pipeline", Some(name.to_owned())),
        ("lathe.pipeline_run", Some(claim.run.id.to_string())),
        ("lathe.job", Some(claim.job.key.to_string())),
        ("lathe.attempt", Some(claim.attempt.attempt.to_string())),
    ];
    let tags = tags.into_iter().filter_map(|(key, value)| Some(Tag { key: key.to_owned(), value: value? }));
    Ok(CreateRun {
        experiment_id: experiment_id.number(),
        user_id: claim.run.actor.name.clone(),
        start_time_ms: ctx.now_ms(),
        name: Some(format!("{} #{}", claim.job.title(), claim.run.number)),
        tags: tags.collect(),
    })
}

fn order_of(
    work: &Work,
    claim: &Claim,
    job: &file::Job,
    prepared: Prepared,
    run: &RunInfo,
    token: &RunToken,
) -> Result<Order> {
    let project = &claim.run.project;
    let (mut variables, mut secrets) = (prepared.variables, prepared.secrets);
    // Whoever may read a log is not who started the run.
    secrets.push(token.token.clone());
    let is_default = *project == lathe_core::Project::default_project();
    let tracking_uri =
        if is_default { work.endpoints.url.clone() } else { format!("{}/p/{project}", work.endpoints.url) };
    let given = [
        ("MLFLOW_TRACKING_URI", tracking_uri),
        ("MLFLOW_TRACKING_TOKEN", token.token.clone()),
        ("MLFLOW_RUN_ID", run.run_id.to_string()),
        ("MLFLOW_EXPERIMENT_NAME", claim.run.pipeline.to_string()),
        ("LATHE_URL", work.endpoints.url.clone()),
        ("LATHE_TOKEN", token.token.clone()),
        ("LATHE_PROJECT", project.to_string()),
        ("LATHE_PIPELINE_RUN", claim.run.id.to_string()),
        ("LATHE_JOB", claim.job.key.to_string()),
    ];
    variables.extend(given.map(|(name, value)| (name.to_owned(), value)));
    if let Some(s3_url) = &work.endpoints.s3_url {
        let keys = work.rooms.access.s3_key_pair_of(&token.id, project);
        secrets.push(keys.secret_access_key.clone());
        let given = [
            ("AWS_ENDPOINT_URL", s3_url.clone()),
            ("AWS_REGION", REGION.to_owned()),
            ("AWS_DEFAULT_REGION", REGION.to_owned()),
            ("AWS_ACCESS_KEY_ID", keys.access_key_id),
            ("AWS_SECRET_ACCESS_KEY", keys.secret_access_key),
        ];
        variables.extend(given.map(|(name, value)| (name.to_owned(), value)));
    }
    let python = match &job.python {
        Python::Current => None,
        Python::Venv { python, requirements } => Some(PythonOrder {
            environments: work.folder.join("environments"),
            version: python.clone(),
            requirements: requirements.value.clone(),
        }),
    };
    let (code, folder) = prepared.code.map_or((None, String::new()), |(code, folder)| (Some(code), folder));
    let outputs = job.outputs.iter();
    Ok(Order {
        server: work.endpoints.url.clone(),
        project: project.to_string(),
        token: token.token.clone(),
        artifacts: inputs::segments(&run.artifact_uri, "")?,
        command: prepared.command,
        variables,
        secrets,
        code,
        folder,
        python,
        inputs: prepared.inputs,
        outputs: outputs
            .map(|output| OutputOrder { name: output.name.value.clone(), path: output.path.value.clone() })
            .collect(),
        timeout_ms: u64::try_from(job.timeout.as_millis()).unwrap_or(u64::MAX),
    })
}

/// Starts the runner; the task ends when its process does. What came of it is in its folder, so that a server after this one finds it, too.
fn spawn(folder: &Path) -> Result<JoinHandle<()>> {
    let failed =
        |error: std::io::Error| Error::new(Code::Unavailable, format!("a job's process cannot be started: {error}"));
    // This very program, also when its file has been replaced by a newer one since.
    let mut command = Command::new("/proc/self/exe");
    command.arg(crate::cli::job_runner::WORD).arg(folder).env_clear();
    command.envs(std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(is_passed_on)));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().map_err(failed)?;
    // A task of its own: nobody may attend it any more, and it would stay as a zombie while this server lives.
    Ok(tokio::spawn(async move {
        if let Err(error) = child.wait().await {
            tracing::debug!(%error, "a runner cannot be waited for");
        }
    }))
}

/// What a runner gets of the server's environment: what programs need to work at all, and what installs Python packages.
fn is_passed_on(name: &str) -> bool {
    const NAMES: &[&str] = &[
        "PATH",
        "HOME",
        "LANG",
        "LC_ALL",
        "TZ",
        "TMPDIR",
        "USER",
        "LOGNAME",
        "VIRTUAL_ENV",
        "SSL_CERT_FILE",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "NO_PROXY",
        "http_proxy",
        "https_proxy",
        "no_proxy",
    ];
    NAMES.contains(&name) || name.starts_with("PIP_") || name.starts_with("UV_")
}
