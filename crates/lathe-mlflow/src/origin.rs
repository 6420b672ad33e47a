//! Where a new model version comes from: run and logged model are looked up in tracking, for the model repository.
//!
//! Rooms do not know each other, and the request names things of both: so they meet here. What a source may look like at
//! all is the repository's rule (`check_source`); that it lies where the request says is looked up here.

use lathe_core::{Code, Ctx, Error, LoggedModelId, Result, RunId};
use lathe_models::Tag;
use lathe_models::model_versions::check_source;
use lathe_tracking::artifacts::path_of_uri;
use lathe_tracking::{LoggedModel, Tracking, logged_models, runs};

/// What the request says of a version's origin.
#[derive(Debug, Default)]
pub(crate) struct Claims {
    pub(crate) run_id: Option<String>,
    pub(crate) run_link: Option<String>,
    pub(crate) model_id: Option<String>,
}

/// What was found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Origin {
    /// The run, if it is in this project.
    pub(crate) run: Option<RunId>,
    /// The run as the request names it.
    pub(crate) run_id: Option<String>,
    pub(crate) run_link: Option<String>,
    pub(crate) model_id: Option<LoggedModelId>,
    /// Where the files lie, when the source only refers to them.
    pub(crate) storage_location: Option<String>,
}

/// A thing that exists in this project, and the root of its artifacts.
struct Found<T> {
    id: T,
    artifact_uri: String,
}

/// A logged model that exists in this project.
struct FoundModel {
    id: LoggedModelId,
    artifact_uri: String,
    source_run_id: Option<String>,
}

/// What a source is, as far as its lookup goes.
#[derive(Debug, PartialEq, Eq)]
enum Place<'a> {
    /// `runs:/<run id>/<path>`.
    Run { run_id: &'a str, path: &'a str },
    /// `models:/m-<id>`.
    LoggedModel { model_id: &'a str },
    /// `models:/<name>/<version>`: the repository looks it up itself.
    Version,
    /// A file or folder that this server keeps.
    Here,
    /// A store of somebody else.
    Elsewhere,
}

fn place(source: &str) -> Place<'_> {
    let (scheme, rest) = source.split_once(':').unwrap_or((source, ""));
    let path = rest.trim_start_matches('/');
    match scheme.to_ascii_lowercase().as_str() {
        "runs" => {
            let (run_id, path) = path.split_once('/').unwrap_or((path, ""));
            Place::Run { run_id, path }
        }
        "models" if path.starts_with("m-") && !path.contains('/') => Place::LoggedModel { model_id: path },
        "models" => Place::Version,
        "mlflow-artifacts" => Place::Here,
        "http" | "https" if path.contains("/mlflow-artifacts/artifacts") => Place::Here,
        _ => Place::Elsewhere,
    }
}

/// Looks up what the request names, and checks that the source lies in it.
///
/// # Errors
/// `InvalidArgument` for a source that is not allowed or not where the request says, `NotFound` for a logged model that
/// does not exist.
pub(crate) async fn resolve(
    ctx: &Ctx,
    tracking: &Tracking,
    source: &str,
    tags: &[Tag],
    claims: Claims,
) -> Result<Origin> {
    check_source(source, tags)?;
    let Claims { run_id, run_link, model_id } = claims;
    let run = find_run(ctx, tracking, run_id.as_deref()).await?;
    let model = find_model(ctx, tracking, model_id.as_deref()).await?;
    let storage_location = match place(source) {
        Place::Run { run_id: named, path } => {
            let found = find_run(ctx, tracking, Some(named)).await?.ok_or_else(|| elsewhere(source, "run_id"))?;
            if run_id.as_deref().is_some_and(|claimed| claimed != named) {
                return Err(elsewhere(source, "run_id"));
            }
            let location = format!("{}/{}", found.artifact_uri, path.trim_end_matches('/'));
            return Ok(Origin {
                run: Some(found.id),
                run_id,
                run_link,
                model_id: model.map(|model| model.id),
                storage_location: Some(location.trim_end_matches('/').to_owned()),
            });
        }
        Place::LoggedModel { model_id: named } => {
            let model = model.as_ref().filter(|model| model.id.as_str() == named);
            Some(model.ok_or_else(|| elsewhere(source, "model_id"))?.artifact_uri.clone())
        }
        Place::Here => {
            let (root, parameter) = match (&model, &run) {
                (Some(model), _) => (Some(&model.artifact_uri), "model_id"),
                (None, run) => (run.as_ref().map(|run| &run.artifact_uri), "run_id"),
            };
            if !root.is_some_and(|root| is_within(source, root)) {
                return Err(elsewhere(source, parameter));
            }
            None
        }
        Place::Version | Place::Elsewhere => None,
    };
    let (model_id, source_run_id) = model.map_or((None, None), |model| (Some(model.id), model.source_run_id));
    // A request that names a logged model alone means the run that logged it.
    let run = match (run, &run_id) {
        (None, None) => find_run(ctx, tracking, source_run_id.as_deref()).await?,
        (run, _) => run,
    };
    Ok(Origin { run: run.map(|run| run.id), run_id, run_link, model_id, storage_location })
}

/// The run of that id; `None` when it is not in this project.
async fn find_run(ctx: &Ctx, tracking: &Tracking, text: Option<&str>) -> Result<Option<Found<RunId>>> {
    let Some(Ok(run_id)) = text.map(runs::parse_run_id) else { return Ok(None) };
    match runs::get_run_info(ctx, tracking, &run_id).await {
        Ok(info) => Ok(Some(Found { id: info.run_id, artifact_uri: info.artifact_uri })),
        Err(error) if error.code() == Code::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

async fn find_model(ctx: &Ctx, tracking: &Tracking, text: Option<&str>) -> Result<Option<FoundModel>> {
    let Some(text) = text else { return Ok(None) };
    let model_id = logged_models::parse_model_id(text)?;
    let model = logged_models::get_logged_model(ctx, tracking, &model_id).await?;
    let LoggedModel { model_id: id, artifact_uri, source_run_id, .. } = model;
    Ok(Some(FoundModel { id, artifact_uri, source_run_id }))
}

/// Whether a source is the root or below it; both as paths, so that spelling does not count.
fn is_within(source: &str, root: &str) -> bool {
    match (path_of_uri(source), path_of_uri(root)) {
        (Ok(source), Ok(root)) => source == root || source.is_within(&root),
        _ => false,
    }
}

fn elsewhere(source: &str, parameter: &str) -> Error {
    Error::invalid(format!(
        "Invalid model version source: '{source}'. The {parameter} request parameter must identify the resource that \
         contains the source."
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_told_apart() {
        assert_eq!(place("runs:/abc/model/x"), Place::Run { run_id: "abc", path: "model/x" });
        assert_eq!(place("runs:/abc"), Place::Run { run_id: "abc", path: "" });
        assert_eq!(place("models:/m-0123"), Place::LoggedModel { model_id: "m-0123" });
        assert_eq!(place("models:/m-net/3"), Place::Version);
        assert_eq!(place("MLFLOW-ARTIFACTS:/1/r"), Place::Here);
        assert_eq!(place("http://h/api/2.0/mlflow-artifacts/artifacts/1"), Place::Here);
        assert_eq!(place("s3://bucket/x"), Place::Elsewhere);
    }

    #[test]
    fn a_source_lies_in_the_root_or_does_not() {
        let root = "mlflow-artifacts:/1/r/artifacts";
        assert!(is_within("mlflow-artifacts:/1/r/artifacts/model", root));
        assert!(is_within("mlflow-artifacts:/1/r/artifacts", root));
        for source in
            ["mlflow-artifacts:/1/r/artifactsX", "mlflow-artifacts:/1/other/artifacts/model", "s3://b/1/r/artifacts"]
        {
            assert!(!is_within(source, root), "{source}");
        }
    }
}
