//! From what people type to what it names: experiments by name, runs by the beginning or the end of their id, versions by alias.

use lathe_core::{Code, Error, Kind, Name, Project, Result};
use reqwest::Method;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::json;

use super::client::Client;

const RUN_ID_CHARACTERS: usize = 32;
/// Shorter words are more likely names than the beginning of an id.
const SHORTEST_PREFIX: usize = 4;
const PAGE: i64 = 1000;

/// An experiment.
#[derive(Debug, Clone, Deserialize)]
pub struct Experiment {
    /// Its number.
    pub experiment_id: String,
    /// Its name.
    pub name: String,
    /// `active` or `deleted`.
    pub lifecycle_stage: String,
    /// When it was made.
    pub creation_time: i64,
    /// When it was changed last.
    pub last_update_time: i64,
}

#[derive(Debug, Deserialize)]
struct ExperimentPage {
    #[serde(default)]
    experiments: Vec<Experiment>,
    next_page_token: Option<String>,
}

/// All experiments of a project; `view_type` is MLflow's word.
///
/// # Errors
/// As [`Client::answer`].
pub async fn list_experiments(client: &Client, view_type: &str) -> Result<Vec<Experiment>> {
    let (mut found, mut token) = (Vec::new(), None);
    loop {
        let body = json!({ "max_results": PAGE, "view_type": view_type, "page_token": token });
        let page: ExperimentPage = client.answer(client.mlflow(Method::POST, "experiments/search").json(&body)).await?;
        found.extend(page.experiments);
        token = page.next_page_token;
        if token.is_none() {
            return Ok(found);
        }
    }
}

/// The experiments with these names or numbers; all active ones when none is named.
///
/// # Errors
/// `NotFound` for one that does not exist, and as [`Client::answer`].
pub async fn find_experiments(client: &Client, wanted: &[String]) -> Result<Vec<Experiment>> {
    if wanted.is_empty() {
        return list_experiments(client, "ACTIVE_ONLY").await;
    }
    let all = list_experiments(client, "ALL").await?;
    let find = |text: &String| {
        let named = all.iter().find(|experiment| experiment.name == *text);
        named.or_else(|| all.iter().find(|experiment| experiment.experiment_id == *text)).cloned().ok_or_else(|| {
            Error::not_found(format!("experiment {text:?} does not exist in project {}", client.project()))
                .with_hint(format!("see them all: {}", client.command("exp list")))
        })
    };
    wanted.iter().map(find).collect()
}

/// What the runs table says of a run.
#[derive(Debug, Clone, Deserialize)]
pub struct FoundRun {
    /// Its id.
    pub run_id: String,
    /// Its name.
    pub run_name: String,
    /// What it is doing.
    pub status: String,
}

#[derive(Debug, Deserialize)]
struct FoundRuns {
    runs: Vec<FoundRun>,
}

/// The runs, deleted ones too, that a filter of the search language finds; at most `limit`.
///
/// # Errors
/// As [`Client::answer`].
pub async fn filter_runs(client: &Client, filter: &str, limit: usize) -> Result<Vec<FoundRun>> {
    let experiments = list_experiments(client, "ALL").await?;
    let ids: Vec<_> = experiments.into_iter().map(|experiment| experiment.experiment_id).collect();
    let body = json!({ "experiment_ids": ids, "filter": filter, "run_view_type": "ALL", "max_results": limit });
    let found: FoundRuns = client.answer(client.native(Method::POST, &["runs", "search"]).json(&body)).await?;
    Ok(found.runs)
}

fn is_hex(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// A run's whole id, from its beginning or, as pages and lists shorten it, its end.
///
/// # Errors
/// `NotFound`, `InvalidArgument` when several runs begin or end like that, and as [`Client::answer`].
pub async fn find_run_id(client: &Client, text: &str) -> Result<String> {
    let text = text.strip_prefix("run/").unwrap_or(text);
    let missing = || {
        Error::not_found(format!("no run of project {} has an id that begins or ends with {text:?}", client.project()))
            .with_hint(format!("see the runs: {}", client.command("run list")))
    };
    if !is_hex(text) || text.len() > RUN_ID_CHARACTERS {
        return Err(missing());
    }
    if text.len() == RUN_ID_CHARACTERS {
        return Ok(text.to_owned());
    }
    for (how, pattern) in [("begin", format!("{text}%")), ("end", format!("%{text}"))] {
        let found = filter_runs(client, &format!("attributes.run_id LIKE '{pattern}'"), 4).await?;
        match found.as_slice() {
            [] => {}
            [run] => return Ok(run.run_id.clone()),
            several => {
                let shown: Vec<_> = several.iter().map(|run| format!("{} ({})", run.run_id, run.run_name)).collect();
                return Err(Error::invalid(format!("several runs {how} with {text}: {}", shown.join(", ")))
                    .with_hint("give more of the id"));
            }
        }
    }
    Err(missing())
}

/// A version of a registered model.
#[derive(Debug, Clone, Deserialize)]
pub struct Version {
    /// The model.
    pub name: String,
    /// Its number.
    pub version: String,
    /// When it was registered.
    pub creation_timestamp: i64,
    /// When it was changed last.
    pub last_updated_timestamp: i64,
    /// `None`, `Staging`, `Production` or `Archived`.
    pub current_stage: String,
    /// What it is.
    #[serde(default)]
    pub description: String,
    /// Where its files came from.
    #[serde(default)]
    pub source: String,
    /// The run it came from.
    #[serde(default)]
    pub run_id: String,
    /// The logged model it came from.
    pub model_id: Option<String>,
    /// The aliases that point to it.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// Its tags.
    #[serde(default)]
    pub tags: Vec<Pair>,
}

/// A key and a value.
#[derive(Debug, Clone, Deserialize)]
pub struct Pair {
    /// The key.
    pub key: String,
    /// The value.
    pub value: String,
}

#[derive(Debug, Deserialize)]
struct VersionAnswer {
    model_version: Version,
}

/// How people write a version or a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelText<'a> {
    /// `digits`
    Model(&'a str),
    /// `digits/3`
    Number(&'a str, &'a str),
    /// `digits@champion`
    Alias(&'a str, &'a str),
}

/// Reads `digits`, `digits/3`, `digits@champion`, with or without `model/` or `models:/` before it.
pub fn parse_model(text: &str) -> ModelText<'_> {
    let text = text.strip_prefix("models:/").or_else(|| text.strip_prefix("model/")).unwrap_or(text);
    if let Some((model, number)) = text.rsplit_once('/')
        && !model.is_empty()
        && !number.is_empty()
        && number.bytes().all(|byte| byte.is_ascii_digit())
    {
        return ModelText::Number(model, number);
    }
    match text.rsplit_once('@') {
        Some((model, alias)) if !model.is_empty() && !alias.is_empty() => ModelText::Alias(model, alias),
        _ => ModelText::Model(text),
    }
}

/// The error of a request about a model, with where to look when there is no such thing.
pub fn missing_model(client: &Client, error: Error) -> Error {
    match (error.code(), error.hint()) {
        (Code::NotFound, None) => error.with_hint(format!("see the models: {}", client.command("model list"))),
        _ => error,
    }
}

/// A version by its number.
///
/// # Errors
/// `NotFound`, and as [`Client::answer`].
pub async fn find_version(client: &Client, model: &str, number: &str) -> Result<Version> {
    let request = client.mlflow(Method::GET, "model-versions/get").query(&[("name", model), ("version", number)]);
    let answer = client.answer::<VersionAnswer>(request).await;
    Ok(answer.map_err(|error| missing_model(client, error))?.model_version)
}

/// The version that an alias points to.
///
/// # Errors
/// `NotFound`, and as [`Client::answer`].
pub async fn find_alias(client: &Client, model: &str, alias: &str) -> Result<Version> {
    let request = client.mlflow(Method::GET, "registered-models/alias").query(&[("name", model), ("alias", alias)]);
    let answer = client.answer::<VersionAnswer>(request).await;
    Ok(answer.map_err(|error| missing_model(client, error))?.model_version)
}

const KINDS: [Kind; 17] = [
    Kind::Prediction,
    Kind::Window,
    Kind::Pipeline,
    Kind::PipelineRun,
    Kind::Job,
    Kind::Deployment,
    Kind::Code,
    Kind::Data,
    Kind::Project,
    Kind::Experiment,
    Kind::Run,
    Kind::LoggedModel,
    Kind::Model,
    Kind::Dataset,
    Kind::User,
    Kind::Token,
    Kind::Secret,
];

fn kind(word: &str) -> Option<Kind> {
    KINDS.into_iter().find(|kind| kind.as_str() == word)
}

/// Whether a word names no kind: it may be a model, a run or a request.
pub fn is_bare(text: &str) -> bool {
    !text.contains(['/', '@', ':'])
}

/// The canonical name of what people mean by a short one. A name that is whole already is not looked up.
///
/// # Errors
/// `NotFound` when nothing is called like that, and as [`Client::answer`].
pub async fn find_name(client: &Client, text: &str) -> Result<Name> {
    let parts: Vec<&str> = text.splitn(3, '/').collect();
    if let [project, word, _] = parts.as_slice()
        && kind(word).is_some()
        && kind(project).is_none()
    {
        return Name::parse(text);
    }
    let project = client.project();
    if let Some((word, rest)) = text.split_once('/')
        && let Some(kind) = kind(word)
    {
        return match kind {
            Kind::Run => Ok(Name::new(project, Kind::Run, find_run_id(client, rest).await?)),
            Kind::Model => model_name(client, rest).await,
            Kind::Data => data_name(client, rest).await,
            kind => Name::parse(Name::new(project, kind, rest).as_str()),
        };
    }
    if text.strip_prefix("m-").is_some_and(|hex| is_hex(hex) && hex.len() == RUN_ID_CHARACTERS) {
        return Ok(Name::new(project, Kind::LoggedModel, text));
    }
    if is_hex(text) && text.len() == RUN_ID_CHARACTERS {
        // What is no run may be a request that a deployment answered.
        let runs = filter_runs(client, &format!("attributes.run_id = '{text}'"), 1).await?;
        let kind = if runs.is_empty() { Kind::Prediction } else { Kind::Run };
        return Ok(Name::new(project, kind, text));
    }
    if is_hex(text) && text.len() >= SHORTEST_PREFIX {
        match find_run_id(client, text).await {
            Err(error) if error.code() == Code::NotFound => {}
            found => return Ok(Name::new(project, Kind::Run, found?)),
        }
    }
    model_name(client, text).await
}

/// A repository, or the commit that is meant by a ref of it: a branch, a tag, or the first digits of a commit.
async fn data_name(client: &Client, text: &str) -> Result<Name> {
    #[derive(Deserialize)]
    struct Commit {
        id: String,
    }
    let project = client.project();
    let Some((repository, revision)) = text.split_once('@') else {
        return Name::parse(Name::new(project, Kind::Data, text).as_str());
    };
    let commit: Commit = client.get(&["repos", repository, "refs", revision]).await?;
    Ok(Name::commit(project, repository, &commit.id))
}

async fn model_name(client: &Client, text: &str) -> Result<Name> {
    let project = client.project();
    let name = match parse_model(text) {
        ModelText::Model(model) => Name::new(project, Kind::Model, model),
        ModelText::Number(model, number) => Name::new(project, Kind::Model, format_args!("{model}/{number}")),
        ModelText::Alias(model, alias) => match find_alias(client, model, alias).await {
            Ok(version) => Name::new(project, Kind::Model, format_args!("{}/{}", version.name, version.version)),
            // Datasets are written `name@digest`.
            Err(error) if error.code() == Code::NotFound => Name::dataset(project, model, alias),
            Err(error) => return Err(error),
        },
    };
    Name::parse(name.as_str())
}

/// Fails unless the run, the model or the version of that name is there; other kinds are not looked up.
///
/// # Errors
/// `NotFound`, and as [`Client::answer`].
pub async fn require(client: &Client, name: &Name) -> Result<()> {
    let client = &client.in_project(project_of(name)?);
    let mut parts = name.as_str().splitn(3, '/').skip(1);
    let (word, rest) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    match (kind(word), parse_model(rest)) {
        (Some(Kind::Run), _) => {
            let request = client.mlflow(Method::GET, "runs/get").query(&[("run_id", rest)]);
            let answer = client.answer::<IgnoredAny>(request).await;
            answer.map(|_| ()).map_err(|error| match (error.code(), error.hint()) {
                (Code::NotFound, None) => error.with_hint(format!("see the runs: {}", client.command("run list"))),
                _ => error,
            })
        }
        (Some(Kind::Model), ModelText::Number(model, number)) => find_version(client, model, number).await.map(|_| ()),
        (Some(Kind::Model), _) => {
            let request = client.mlflow(Method::GET, "registered-models/get").query(&[("name", rest)]);
            let answer = client.answer::<IgnoredAny>(request).await;
            answer.map(|_| ()).map_err(|error| missing_model(client, error))
        }
        _ => Ok(()),
    }
}

/// The project that a canonical name belongs to.
///
/// # Errors
/// `InvalidArgument` when it is no project's name.
pub fn project_of(name: &Name) -> Result<Project> {
    Project::parse(name.project())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_are_written_in_many_ways() {
        assert_eq!(parse_model("digits"), ModelText::Model("digits"));
        assert_eq!(parse_model("digits/3"), ModelText::Number("digits", "3"));
        assert_eq!(parse_model("models:/digits/3"), ModelText::Number("digits", "3"));
        assert_eq!(parse_model("model/team/digits/12"), ModelText::Number("team/digits", "12"));
        assert_eq!(parse_model("models:/digits@champion"), ModelText::Alias("digits", "champion"));
        assert_eq!(parse_model("digits/x"), ModelText::Model("digits/x"));
        assert_eq!(parse_model("@x"), ModelText::Model("@x"));
    }
}
