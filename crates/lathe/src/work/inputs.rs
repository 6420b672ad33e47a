//! Inputs of a job: what their addresses mean, pinned, and what they hold, for the cache.

use lathe_core::{Code, Ctx, Error, Kind, Name, Result, RunId};
use lathe_data::listing::{ListObjects, Listed, list_objects};
use lathe_data::refs::resolve_ref;
use lathe_data::{RepositoryName, Revision};
use lathe_tracking::artifacts::{list_artifacts, path_of_uri};
use lathe_tracking::logged_models::{SearchLoggedModels, search_logged_models};
use lathe_tracking::runs::get_run_info;
use lathe_tracking::{ArtifactPath, LifecycleStage, LoggedModel, RunInfo};
use lathe_workflows::attempts::{Claim, Earlier, find_made};
use lathe_workflows::file::{Input, InputForm};
use lathe_workflows::jobs::{Job, list_jobs};
use lathe_workflows::pipeline_runs::pin;

use super::Work;
use super::order::{InputOrder, Source};

/// The scheme of files in repositories.
const DATA: &str = "data://";
/// The scheme of artifacts of runs.
const RUNS: &str = "runs:/";
const PAGE: usize = 1_000;
/// What an input can be: a folder with one file is not that file.
const FILE: &str = "file";
const FOLDER: &str = "folder";
/// The prefix of artifact addresses that this server keeps itself.
const ARTIFACTS: &str = "mlflow-artifacts:/";

/// An input as the runner gets it, and what it holds.
pub(super) enum Resolved {
    /// Fetched by the runner.
    Fetched { order: InputOrder, content: String },
    /// Given as an address.
    Given { name: String, url: String, content: String },
}

/// Works out an input's address, and of which run or model it is an artifact.
pub(super) async fn resolve(work: &Work, claim: &Claim, input: &Input) -> Result<(Resolved, Option<Name>)> {
    let name = input.name.value.clone();
    let address =
        input.from.evaluate(&claim.context).map_err(|error| Error::invalid(format!("input `{name}`: {error}")))?;
    let named = |error: Error| Error::new(error.code(), format!("input `{name}` ({address}): {}", error.message()));
    if let Some(place) = address.strip_prefix(DATA) {
        let (repository, commit, path) = pinned(work, claim, place).await.map_err(named)?;
        let content = content_of(work, claim, &repository, &commit, &path).await.map_err(named)?;
        let resolved = match input.form {
            InputForm::Path => {
                let from = Source::Data { repository, commit, path };
                Resolved::Fetched { order: InputOrder { name, from }, content }
            }
            InputForm::Url => {
                Resolved::Given { url: format!("s3://{repository}/{commit}/{path}"), name, content: as_url(&content) }
            }
        };
        return Ok((resolved, None));
    }
    if let Some(place) = address.strip_prefix(RUNS) {
        let (run, path) = place.split_once('/').unwrap_or((place, ""));
        let Found { root, content, source } = artifact(work, claim, run, path).await.map_err(named)?;
        let resolved = match input.form {
            InputForm::Path => {
                Resolved::Fetched { order: InputOrder { name, from: Source::Artifact { root } }, content }
            }
            InputForm::Url => Resolved::Given { url: address, name, content: as_url(&content) },
        };
        return Ok((resolved, Some(source)));
    }
    Err(Error::invalid(format!(
        "input `{name}` is {address:?}; write data://<repository>@<ref>/<path>, or an output or artifact of an earlier job"
    )))
}

/// What an input holds that is given as an address: a command does something else with one than with files.
fn as_url(content: &str) -> String {
    format!("address of {content}")
}

/// `repository@ref/path` with the ref's commit, which is the same to all jobs of a run.
async fn pinned(work: &Work, claim: &Claim, place: &str) -> Result<(String, String, String)> {
    let (head, path) = place.split_once('/').unwrap_or((place, ""));
    let (repository, revision) = head.split_once('@').unwrap_or((head, ""));
    let ctx = work.ctx(&claim.run.project);
    let name = RepositoryName::parse(repository)?;
    let revision = match revision {
        "" => lathe_data::repositories::get_repository(&ctx, &work.rooms.data, &name).await?.default_branch.to_string(),
        other => other.to_owned(),
    };
    let pins = &claim.run.pins;
    let key = format!("{repository}@{revision}");
    if let Some(commit) = pins.get(&key) {
        return Ok((repository.to_owned(), commit.clone(), path.to_owned()));
    }
    let commit = resolve_ref(&ctx, &work.rooms.data, &name, &Revision::parse(&revision)?).await?.id;
    let commit = pin(&work.server_ctx(), &work.rooms.workflows, &claim.run.id, key, commit.to_string()).await?;
    Ok((repository.to_owned(), commit, path.to_owned()))
}

/// Whether it is a file or a folder, and BLAKE3 over paths and hashes below the path, as hex.
async fn content_of(work: &Work, claim: &Claim, repository: &str, commit: &str, path: &str) -> Result<String> {
    let ctx = work.ctx(&claim.run.project);
    let (name, revision) = (RepositoryName::parse(repository)?, Revision::parse(commit)?);
    let folder = if path.is_empty() || path.ends_with('/') { path.to_owned() } else { format!("{path}/") };
    let (mut hasher, mut token, mut found) = (blake3::Hasher::new(), None, 0_usize);
    let mut kind = FOLDER;
    loop {
        let request =
            ListObjects { prefix: path.to_owned(), max_keys: PAGE, page_token: token, ..ListObjects::default() };
        let page = list_objects(&ctx, &work.rooms.data, &name, &revision, request).await?;
        for listed in page.items {
            let Listed::Object { path: at, entry } = listed else { continue };
            if at.as_str() != path && !at.as_str().starts_with(&folder) {
                continue;
            }
            found += 1;
            if at.as_str() == path {
                kind = FILE;
            }
            let below = at.as_str().strip_prefix(&folder).unwrap_or(at.as_str());
            hasher.update(&(below.len() as u64).to_le_bytes()).update(below.as_bytes());
            hasher.update(entry.hash.to_string().as_bytes());
        }
        token = page.next_page_token;
        if token.is_none() {
            break;
        }
    }
    if found == 0 {
        return Err(Error::not_found(format!("there is nothing at that path in commit {commit}")));
    }
    Ok(format!("{kind} {}", hasher.finalize().to_hex()))
}

/// An artifact.
struct Found {
    /// Where it is kept, as segments below the artifact store's root.
    root: Vec<String>,
    content: String,
    /// The run or the model that it belongs to.
    source: Name,
}

/// Where an artifact of a run is kept, and what it holds: of an output, its content; of others, which run's it is.
async fn artifact(work: &Work, claim: &Claim, run: &str, path: &str) -> Result<Found> {
    let ctx = work.ctx(&claim.run.project);
    let run_id = RunId::parse(run)?;
    let source = Name::new(&ctx.project, Kind::Run, &run_id);
    let found = get_run_info(&ctx, &work.rooms.tracking, &run_id).await?;
    if let Some(output) = path.strip_prefix("outputs/").filter(|name| !name.contains('/')) {
        let jobs = list_jobs(&ctx, &work.rooms.workflows, &claim.run.id).await?;
        let made = jobs
            .iter()
            .filter(|job| job.run_id.as_ref() == Some(&run_id))
            .find_map(|job| job.outcome.outputs.get(output));
        let made = made.ok_or_else(|| Error::not_found(format!("run {run} made no output `{output}`")))?;
        let mut root = segments(&found.artifact_uri, path)?;
        root.extend(made.file.clone());
        let kind = if made.file.is_some() { FILE } else { FOLDER };
        return Ok(Found { root, content: format!("{kind} {}", made.hash), source });
    }
    // A logged model lies beside the run's artifacts, and clients name it as if it were one of them.
    let model = models_of(work, &ctx, &found).await?.into_iter().find(|model| model.name == path);
    if let Some(model) = model {
        let source = Name::new(&ctx.project, Kind::LoggedModel, &model.model_id);
        let content = format!("model {}", model.model_id);
        return Ok(Found { root: segments(&model.artifact_uri, "")?, content, source });
    }
    Ok(Found { root: segments(&found.artifact_uri, path)?, content: format!("run {run} {path}"), source })
}

/// What is left of what an earlier job made: it can stand for another one while its run and the files of its outputs are there.
pub(super) async fn find_earlier(work: &Work, claim: &Claim, key: &str) -> Result<Earlier> {
    let ctx = work.ctx(&claim.run.project);
    let Some(made) = find_made(&ctx, &work.rooms.workflows, key).await? else { return Ok(Earlier::Unknown) };
    Ok(if is_kept(work, &ctx, &made).await? { Earlier::Kept(Box::new(made)) } else { Earlier::Gone })
}

async fn is_kept(work: &Work, ctx: &Ctx, made: &Job) -> Result<bool> {
    let Some(run_id) = &made.run_id else { return Ok(false) };
    let run = match get_run_info(ctx, &work.rooms.tracking, run_id).await {
        Err(error) if error.code() == Code::NotFound => return Ok(false),
        found => found?,
    };
    if run.lifecycle_stage != LifecycleStage::Active {
        return Ok(false);
    }
    for (output, made) in &made.outcome.outputs {
        let place = path_of_uri(&run.artifact_uri)?.join(&ArtifactPath::parse(&format!("outputs/{output}"))?)?;
        if count_below(work, ctx, place).await? != (made.files, made.size_bytes) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// How many files are below a place of the artifact store, and their bytes.
async fn count_below(work: &Work, ctx: &Ctx, place: ArtifactPath) -> Result<(u64, u64)> {
    let (mut files, mut bytes, mut open) = (0, 0, vec![place]);
    while let Some(folder) = open.pop() {
        for entry in list_artifacts(ctx, &work.rooms.tracking, Some(&folder)).await? {
            match entry.size_bytes {
                Some(size) => (files, bytes) = (files + 1, bytes + u64::try_from(size).unwrap_or_default()),
                None => open.push(folder.join(&ArtifactPath::parse(&entry.name)?)?),
            }
        }
    }
    Ok((files, bytes))
}

/// The models that a run logged, newest first.
pub(super) async fn models_of(work: &Work, ctx: &Ctx, run: &RunInfo) -> Result<Vec<LoggedModel>> {
    let request = SearchLoggedModels {
        experiment_ids: vec![run.experiment_id],
        filter: Some(format!("source_run_id = '{}'", run.run_id)),
        ..SearchLoggedModels::default()
    };
    Ok(search_logged_models(ctx, &work.rooms.tracking, request).await?.items)
}

/// An artifact address as segments below the store's root.
pub(super) fn segments(root_uri: &str, path: &str) -> Result<Vec<String>> {
    let root = root_uri
        .strip_prefix(ARTIFACTS)
        .ok_or_else(|| Error::conflict(format!("the artifacts at {root_uri} are not kept by this server")))?;
    let parts = root.trim_matches('/').split('/').chain(path.split('/'));
    Ok(parts.filter(|part| !part.is_empty()).map(str::to_owned).collect())
}
