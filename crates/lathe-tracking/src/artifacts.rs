//! Artifacts: the files of runs and logged models, named by path, stored by content hash.
//!
//! Called by the MLflow door's proxy (`mlflow-artifacts:`) and its listings. A path here is a row of a table; the bytes are
//! the object store's. Blob first, then row: what a crash leaves between them is garbage that `gc` collects.

use std::ops::Range;

use bytes::Bytes;
use futures::Stream;
use lathe_core::{Action, ActorKind, Code, Ctx, Error, Event, Kind, LoggedModelId, Name, Result, RunId};
use lathe_db::{FutureExt as _, Lock, Tx, ledger};
use lathe_objects::{ObjectHash, ObjectRead};
use serde_json::json;

use crate::store::artifacts::Conflict;
use crate::{ArtifactPath, Tracking, logged_models, runs, store};

/// The scheme of artifact URIs that this room serves.
const SCHEME: &str = "mlflow-artifacts:";
/// How many reads by runs are remembered.
const MAX_KNOWN_READS: usize = 10_000;

/// A stored file.
#[derive(Debug, Clone, PartialEq)]
pub struct Artifact {
    /// Where it is.
    pub path: ArtifactPath,
    /// What it holds.
    pub hash: ObjectHash,
    /// How long it is.
    pub size_bytes: i64,
    /// When it was last written.
    pub updated_at_ms: i64,
}

/// A stored file and (a range of) its bytes.
#[derive(Debug)]
pub struct ArtifactRead {
    /// The file.
    pub artifact: Artifact,
    /// The bytes asked for, as a stream.
    pub object: ObjectRead,
}

/// What a folder holds directly: a file, or a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArtifactEntry {
    /// Its name within the folder.
    pub name: String,
    /// How long a file is; `None` for a folder.
    pub size_bytes: Option<i64>,
}

/// A folder of a run's or logged model's artifacts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArtifactList {
    /// The URI of the root that `folder` is below.
    pub root_uri: String,
    /// The folder, below the root; `None` is the root itself.
    pub folder: Option<ArtifactPath>,
    /// What it holds, by name.
    pub entries: Vec<ArtifactEntry>,
}

impl ArtifactList {
    /// An entry's path below the root, as MLflow's clients expect it.
    pub fn path_of(&self, entry: &ArtifactEntry) -> String {
        match &self.folder {
            Some(folder) => format!("{folder}/{}", entry.name),
            None => entry.name.clone(),
        }
    }
}

/// Stores a file, replacing one of the same path.
///
/// # Errors
/// `NotFound` or `InvalidArgument` when the path is in the folder of an unknown or deleted run or logged model; `Conflict`
/// when a folder has this path or a file has the path of one of its folders; whatever the stream or the object store answers.
pub async fn put_artifact(
    ctx: &Ctx,
    tracking: &Tracking,
    path: ArtifactPath,
    content: impl Stream<Item = Result<Bytes>> + Send + 'static,
) -> Result<Artifact> {
    ctx.authorize(Action::Write)?;
    // Refused before the bytes travel; the transaction below looks again.
    let (ctx_before, path_before) = (ctx.clone(), path.clone());
    tracking.db.write(move |tx| async move { require_writable(tx, &ctx_before, &path_before).await }.boxed()).await?;
    let object = tracking.objects.put(Box::pin(content)).await?;
    let artifact = Artifact { path, hash: object.hash, size_bytes: object.size_bytes, updated_at_ms: ctx.now_ms() };
    let (ctx_inside, written) = (ctx.clone(), artifact.clone());
    tracking
        .db
        .write(move |tx| {
            async move {
                let ctx = ctx_inside;
                require_writable(tx, &ctx, &written.path).await?;
                store::artifacts::upsert(tx, &ctx.project, &written).await?;
                let detail = json!({
                    "path": written.path.as_str(), "size_bytes": written.size_bytes, "hash": written.hash.as_str(),
                });
                tx.record(&ctx, Event::new("artifact.uploaded", owner_name(&ctx, &written.path), detail)).await
            }
            .boxed()
        })
        .await?;
    if let Owner::Run(run_id) = owner(&artifact.path) {
        tracking.tell_changed(&ctx.project, &run_id);
    }
    Ok(artifact)
}

/// A file's row, without its bytes.
///
/// # Errors
/// `NotFound` when there is no such file.
pub async fn find_artifact(ctx: &Ctx, tracking: &Tracking, path: &ArtifactPath) -> Result<Artifact> {
    ctx.authorize(Action::Read)?;
    store::artifacts::find(&tracking.db, &ctx.project, path).await?.ok_or_else(|| not_found(path))
}

/// A file with its bytes, or a range of them.
///
/// # Errors
/// `NotFound` when there is no such file, `InvalidArgument` for a range outside it.
pub async fn get_artifact(
    ctx: &Ctx,
    tracking: &Tracking,
    path: &ArtifactPath,
    range: Option<Range<u64>>,
) -> Result<ArtifactRead> {
    let artifact = find_artifact(ctx, tracking, path).await?;
    let object = tracking.objects.get(&artifact.hash, range).await?;
    Ok(ArtifactRead { artifact, object })
}

/// Notes that the run that acts reads what another run, or a logged model that it did not make, has: an edge of the lineage graph, once for each
/// of them and not for each file. It is durable before the first byte is answered.
///
/// # Errors
/// What the database answers.
pub async fn note_read(ctx: &Ctx, tracking: &Tracking, path: &ArtifactPath) -> Result<()> {
    ctx.authorize(Action::Read)?;
    if ctx.actor.kind != ActorKind::Run {
        return Ok(());
    }
    let (source, run) = (owner_name(ctx, path), Name::new(&ctx.project, Kind::Run, &ctx.actor.name));
    let read = (source, run);
    // Held until the edge is there: of two requests for one model, the second must not answer before it.
    let mut known = tracking.artifact_reads.lock().await;
    if known.contains(&read) {
        return Ok(());
    }
    if is_of_another(ctx, tracking, path).await? {
        let (ctx, (source, run)) = (ctx.clone(), read.clone());
        let noting = tracking.db.write(move |tx| {
            async move {
                // Another server may be noting the same.
                tx.hold(&format!("read of {source} by {run}")).await?;
                if ledger::has_edge(tx, &source, &run, "read").await? {
                    return Ok(());
                }
                let happened = Event::new("artifact.read", run.clone(), json!({ "source": source.as_str() }));
                tx.record(&ctx, happened.with_edge(source, run, "read")).await
            }
            .boxed()
        });
        noting.await?;
    }
    if known.len() >= MAX_KNOWN_READS {
        // What is forgotten is in the ledger, and is found there again.
        known.clear();
    }
    known.insert(read);
    Ok(())
}

/// Whether a path is in the artifacts of a run or logged model that the acting run is not, and did not make.
async fn is_of_another(ctx: &Ctx, tracking: &Tracking, path: &ArtifactPath) -> Result<bool> {
    let (maker, root_uri) = match owner(path) {
        Owner::Nobody => return Ok(false),
        Owner::Run(run_id) => match runs::get_run_info(ctx, tracking, &run_id).await {
            Ok(run) => (Some(run_id.to_string()), run.artifact_uri),
            Err(error) if error.code() == Code::NotFound => return Ok(false),
            Err(error) => return Err(error),
        },
        Owner::LoggedModel(model_id) => match logged_models::get_logged_model(ctx, tracking, &model_id).await {
            Ok(model) => (model.source_run_id, model.artifact_uri),
            Err(error) if error.code() == Code::NotFound => return Ok(false),
            Err(error) => return Err(error),
        },
    };
    let is_own = maker.as_deref() == Some(ctx.actor.name.as_str());
    Ok(!is_own && path_of_uri(&root_uri).is_ok_and(|root| path.is_within(&root)))
}

/// What a folder holds directly, by name; `None` is the root of the project. An unknown folder holds nothing.
///
/// # Errors
/// What the database answers.
pub async fn list_artifacts(
    ctx: &Ctx,
    tracking: &Tracking,
    folder: Option<&ArtifactPath>,
) -> Result<Vec<ArtifactEntry>> {
    ctx.authorize(Action::Read)?;
    store::artifacts::list(&tracking.db, &ctx.project, folder).await
}

/// What a folder of a run's artifacts holds directly.
///
/// # Errors
/// `NotFound` for an unknown run, `InvalidArgument` when its artifacts are kept elsewhere.
pub async fn list_run_artifacts(
    ctx: &Ctx,
    tracking: &Tracking,
    run_id: &RunId,
    folder: Option<ArtifactPath>,
) -> Result<ArtifactList> {
    let root_uri = runs::get_run_info(ctx, tracking, run_id).await?.artifact_uri;
    list_below(ctx, tracking, root_uri, folder).await
}

/// What a folder of a logged model's artifacts holds directly.
///
/// # Errors
/// `NotFound` for an unknown model, `InvalidArgument` when its artifacts are kept elsewhere.
pub async fn list_logged_model_artifacts(
    ctx: &Ctx,
    tracking: &Tracking,
    model_id: &LoggedModelId,
    folder: Option<ArtifactPath>,
) -> Result<ArtifactList> {
    let root_uri = logged_models::get_logged_model(ctx, tracking, model_id).await?.artifact_uri;
    list_below(ctx, tracking, root_uri, folder).await
}

async fn list_below(
    ctx: &Ctx,
    tracking: &Tracking,
    root_uri: String,
    folder: Option<ArtifactPath>,
) -> Result<ArtifactList> {
    let root = path_of_uri(&root_uri)?;
    let place = match &folder {
        Some(folder) => root.join(folder)?,
        None => root,
    };
    let entries = list_artifacts(ctx, tracking, Some(&place)).await?;
    Ok(ArtifactList { root_uri, folder, entries })
}

/// Deletes a file, or a folder with everything in it.
///
/// # Errors
/// `NotFound` when there is neither; as [`put_artifact`] for deleted runs and models.
pub async fn delete_artifact(ctx: &Ctx, tracking: &Tracking, path: ArtifactPath) -> Result<()> {
    ctx.authorize(Action::Manage)?;
    let ctx = ctx.clone();
    tracking
        .db
        .write(move |tx| {
            async move {
                require_active_owner(tx, &ctx, &path).await?;
                let count = store::artifacts::delete(tx, &ctx.project, &path).await?;
                if count == 0 {
                    return Err(not_found(&path));
                }
                let detail = json!({ "path": path.as_str(), "files": count });
                tx.record(&ctx, Event::new("artifact.deleted", owner_name(&ctx, &path), detail)).await
            }
            .boxed()
        })
        .await
}

/// The path that an artifact URI (`mlflow-artifacts:/…` or `mlflow-artifacts://host/…`) names.
///
/// # Errors
/// `InvalidArgument` for other schemes: Lathe never fetches what a client names.
pub fn path_of_uri(uri: &str) -> Result<ArtifactPath> {
    let elsewhere = || {
        Error::invalid(format!(
            "the artifacts at {uri} are not kept by this server; read them with a client of that store"
        ))
    };
    let rest = uri.strip_prefix(SCHEME).ok_or_else(elsewhere)?;
    let path = match rest.strip_prefix("//") {
        Some(with_host) => with_host.split_once('/').ok_or_else(elsewhere)?.1,
        None => rest,
    };
    ArtifactPath::parse(path.trim_start_matches('/'))
}

/// Whose folder a path is in, as far as its text says.
#[derive(Debug, Clone, PartialEq)]
enum Owner {
    Run(RunId),
    LoggedModel(LoggedModelId),
    Nobody,
}

/// `…/<run id>/artifacts/…` is a run's, `…/<model id>/artifacts/…` a logged model's; so is `<experiment>/<run id>/…`.
fn owner(path: &ArtifactPath) -> Owner {
    let segments: Vec<&str> = path.segments().collect();
    let marked = segments.windows(2).find(|pair| pair.get(1) == Some(&"artifacts")).and_then(|pair| pair.first());
    let candidate = marked.or_else(|| segments.get(1)).copied().unwrap_or_default();
    if let Ok(run_id) = RunId::parse(candidate) {
        return Owner::Run(run_id);
    }
    LoggedModelId::parse(candidate).map_or(Owner::Nobody, Owner::LoggedModel)
}

/// The name that events about a path are told of: the run's, the logged model's, or the project's.
fn owner_name(ctx: &Ctx, path: &ArtifactPath) -> Name {
    match owner(path) {
        Owner::Run(run_id) => Name::new(&ctx.project, Kind::Run, run_id),
        Owner::LoggedModel(model_id) => Name::new(&ctx.project, Kind::LoggedModel, model_id),
        Owner::Nobody => Name::new(&ctx.project, Kind::Project, &ctx.project),
    }
}

async fn require_writable(tx: &mut Tx, ctx: &Ctx, path: &ArtifactPath) -> Result<()> {
    require_active_owner(tx, ctx, path).await?;
    if owner(path) == Owner::Nobody {
        require_free(path)?;
    }
    match store::artifacts::find_conflict(tx, &ctx.project, path).await? {
        None => Ok(()),
        Some(Conflict::Folder) => {
            Err(Error::conflict(format!("`{path}` is a folder of artifacts; a file cannot have the same path")))
        }
        Some(Conflict::File(file)) => {
            Err(Error::conflict(format!("`{file}` is an artifact file; `{path}` cannot be stored below it")))
        }
    }
}

/// Refuses writes into the folders of runs and logged models that are not there.
async fn require_active_owner(tx: &mut Tx, ctx: &Ctx, path: &ArtifactPath) -> Result<()> {
    let root_uri = match owner(path) {
        Owner::Nobody => return Ok(()),
        Owner::Run(run_id) => runs::find_active(tx, ctx, &run_id, Lock::Shared).await?.artifact_uri,
        Owner::LoggedModel(model_id) => logged_models::find(tx, ctx, &model_id).await?.artifact_uri,
    };
    let root = path_of_uri(&root_uri)?;
    if path.is_within(&root) {
        return Ok(());
    }
    Err(Error::invalid(format!("`{path}` is not below {root_uri}, where the artifacts of its run or model are")))
}

/// Refuses what is in an experiment's folder and nobody's: `7`, or `7/models`, would be in the way of all that comes there.
fn require_free(path: &ArtifactPath) -> Result<()> {
    let folder = path.segments().next().unwrap_or_default();
    if !folder.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(());
    }
    let text = format!("`{path}` is in the folder of experiment {folder}, but of no run or logged model in it");
    Err(Error::invalid(text).with_hint("files of a run go below its artifact_uri"))
}

fn not_found(path: &ArtifactPath) -> Error {
    Error::not_found(format!("No such artifact: '{path}'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: &str = "0123456789abcdef0123456789abcdef";

    #[test]
    fn owners_are_read_from_paths() {
        let of = |text: &str| owner(&ArtifactPath::parse(text).unwrap());
        let run = Owner::Run(RunId::parse(RUN).unwrap());
        assert_eq!(of(&format!("1/{RUN}/artifacts/a.txt")), run);
        assert_eq!(of(&format!("team/place/{RUN}/artifacts/a.txt")), run);
        assert_eq!(of(&format!("1/{RUN}/a.txt")), run);
        let model = LoggedModelId::parse(&format!("m-{RUN}")).unwrap();
        assert_eq!(of(&format!("1/models/m-{RUN}/artifacts/MLmodel")), Owner::LoggedModel(model));
        assert_eq!(of(&format!("cache/x/{RUN}/a.txt")), Owner::Nobody);
        assert_eq!(of("a.txt"), Owner::Nobody);
    }

    #[test]
    fn uris_become_paths() {
        let path = |uri: &str| path_of_uri(uri).map(|path| path.to_string());
        assert_eq!(path("mlflow-artifacts:/1/r/artifacts").unwrap(), "1/r/artifacts");
        assert_eq!(path("mlflow-artifacts://host:80/1/r").unwrap(), "1/r");
        for uri in
            ["s3://b/x", "file:///etc/passwd", "mlflow-artifacts:/1/../x", "mlflow-artifacts:", "mlflow-artifacts://h"]
        {
            assert!(path(uri).is_err(), "{uri}");
        }
    }
}
