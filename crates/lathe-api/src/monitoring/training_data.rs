//! The data that a model learnt from, found by lineage: what its run read of repositories, or was given by earlier jobs.

use std::collections::BTreeSet;

use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt as _};
use lathe_core::{Ctx, Error, Kind, Name, Result, RunId};
use lathe_data::listing::{ListObjects, Listed, list_objects};
use lathe_data::objects::get_object;
use lathe_data::uses::list_reads;
use lathe_data::{CommitId, Data, ObjectKey, RepositoryName, Revision};
use lathe_db::Db;
use lathe_db::ledger::lineage::{self, Direction};
use lathe_models::Models;
use lathe_models::model_versions::get_model_version;
use lathe_monitoring::Profile;
use lathe_monitoring::references::{ColumnChoice, FileKind, add_file};
use lathe_tracking::artifacts::{get_artifact, list_artifacts, path_of_uri};
use lathe_tracking::runs::get_run_info;
use lathe_tracking::{ArtifactPath, Tracking};

use crate::state::ApiState;

/// Beyond so many bytes a reference is known well enough.
const MAX_BYTES: u64 = 512 * 1024 * 1024;
/// So many files are looked at.
const MAX_FILES: usize = 500;
/// From a model's run so many runs upwards.
const MAX_GENERATIONS: usize = 3;
/// The edge from a run whose artifacts are inputs of a job to that job's run.
const GIVEN: &str = "given";
/// Where a job's outputs are among its run's artifacts.
const OUTPUTS: &str = "outputs";

/// The rooms that know what a run read.
#[derive(Debug, Clone, Copy)]
pub struct Sources<'a> {
    /// The ledger, with its lineage.
    pub db: &'a Db,
    /// Runs and their artifacts.
    pub tracking: &'a Tracking,
    /// Model versions.
    pub models: &'a Models,
    /// Repositories of files.
    pub data: &'a Data,
}

impl<'a> From<&'a ApiState> for Sources<'a> {
    fn from(api: &'a ApiState) -> Self {
        Self { db: &api.db, tracking: &api.tracking, models: &api.models, data: &api.data }
    }
}

/// Data that a model learnt from.
#[derive(Debug)]
pub struct TrainingData {
    /// In words.
    pub source: String,
    /// What it came from.
    pub from: Vec<Name>,
    /// The sketches of its columns.
    pub profile: Profile,
}

/// A file that may be training data.
enum Table {
    Data { repository: RepositoryName, commit: CommitId, path: ObjectKey },
    Artifact { run_id: RunId, path: ArtifactPath, name: String },
}

impl Table {
    fn name(&self) -> &str {
        match self {
            Table::Data { path, .. } => path.as_str(),
            Table::Artifact { name, .. } => name,
        }
    }

    fn origin(&self, ctx: &Ctx) -> Name {
        match self {
            Table::Data { repository, commit, .. } => {
                Name::new(&ctx.project, Kind::Data, format_args!("{repository}@{commit}"))
            }
            Table::Artifact { run_id, .. } => Name::new(&ctx.project, Kind::Run, run_id),
        }
    }

    async fn read(&self, ctx: &Ctx, sources: Sources<'_>) -> Result<Bytes> {
        match self {
            Table::Data { repository, commit, path } => {
                let revision = Revision::parse(commit.as_str())?;
                collect(get_object(ctx, sources.data, repository, &revision, path, None).await?.stream).await
            }
            Table::Artifact { path, .. } => {
                collect(get_artifact(ctx, sources.tracking, path, None).await?.object.stream).await
            }
        }
    }
}

async fn collect(mut stream: impl Stream<Item = Result<Bytes>> + Unpin) -> Result<Bytes> {
    let mut bytes = BytesMut::new();
    while let Some(chunk) = stream.next().await {
        bytes.extend_from_slice(&chunk?);
        if bytes.len() as u64 > MAX_BYTES {
            return Err(Error::invalid(format!("a file of a reference may have {MAX_BYTES} bytes")));
        }
    }
    Ok(bytes.freeze())
}

/// Finds the data that a model version learnt from: the nearest CSV or Parquet files, upwards from its run, that have all of the
/// model's input columns. Where several have, and some are named after training, those.
///
/// # Errors
/// `NotFound` for the version; what the stores answer.
pub async fn find(
    ctx: &Ctx,
    sources: Sources<'_>,
    model: &str,
    version: i64,
    choice: &ColumnChoice,
) -> Result<Option<TrainingData>> {
    let Some(run_id) = get_model_version(ctx, sources.models, model, version).await?.run_id else { return Ok(None) };
    let Ok(run_id) = RunId::parse(&run_id) else { return Ok(None) };
    let mut generation = vec![(run_id, Vec::new())];
    for _ in 0..MAX_GENERATIONS {
        let mut older = Vec::new();
        for (run_id, mut tables) in generation {
            tables.extend(tables_read(ctx, sources, &run_id).await?);
            let givers = givers_of(ctx, sources, &run_id).await?;
            for giver in &givers {
                tables.extend(outputs_of(ctx, sources, giver).await?);
            }
            if let Some(found) = profile_tables(ctx, sources, tables, choice).await? {
                return Ok(Some(found));
            }
            older.extend(givers.into_iter().map(|giver| (giver, Vec::new())));
        }
        generation = older;
    }
    Ok(None)
}

/// Files of repositories that a run read.
async fn tables_read(ctx: &Ctx, sources: Sources<'_>, run_id: &RunId) -> Result<Vec<Table>> {
    let mut tables = Vec::new();
    for read in list_reads(ctx, sources.data, run_id).await? {
        for path in read.paths.iter().filter(|path| FileKind::of_path(path).is_some()) {
            let (repository, commit) = (read.repository.clone(), read.commit_id.clone());
            tables.push(Table::Data { repository, commit, path: ObjectKey::parse(path)? });
        }
    }
    Ok(tables)
}

/// Runs whose outputs a run was given.
async fn givers_of(ctx: &Ctx, sources: Sources<'_>, run_id: &RunId) -> Result<Vec<RunId>> {
    let center = Name::new(&ctx.project, Kind::Run, run_id);
    let found = lineage::walk(ctx, sources.db, &center, Direction::Up, 1).await?;
    let given = found.edges.iter().filter(|edge| edge.kind == GIVEN && edge.to == center);
    Ok(given.filter_map(|edge| RunId::parse(edge.from.as_str().rsplit('/').next()?).ok()).collect())
}

/// The tables among the outputs of a job.
async fn outputs_of(ctx: &Ctx, sources: Sources<'_>, run_id: &RunId) -> Result<Vec<Table>> {
    let root = path_of_uri(&get_run_info(ctx, sources.tracking, run_id).await?.artifact_uri)?;
    let root = root.join(&ArtifactPath::parse(OUTPUTS)?)?;
    let (mut tables, mut folders) = (Vec::new(), vec![(root, String::new())]);
    while let Some((folder, below)) = folders.pop() {
        for entry in list_artifacts(ctx, sources.tracking, Some(&folder)).await? {
            let path = folder.join(&ArtifactPath::parse(&entry.name)?)?;
            let name = format!("{below}{}", entry.name);
            match entry.size_bytes {
                None => folders.push((path, format!("{name}/"))),
                Some(_) if FileKind::of_path(&name).is_some() && tables.len() < MAX_FILES => {
                    tables.push(Table::Artifact { run_id: run_id.clone(), path, name });
                }
                Some(_) => {}
            }
        }
    }
    Ok(tables)
}

/// The profile of those tables that have all input columns.
async fn profile_tables(
    ctx: &Ctx,
    sources: Sources<'_>,
    tables: Vec<Table>,
    choice: &ColumnChoice,
) -> Result<Option<TrainingData>> {
    let is_of_training = |table: &Table| table.name().to_ascii_lowercase().contains("train");
    let (first, others): (Vec<Table>, Vec<Table>) = tables.into_iter().partition(is_of_training);
    for tables in [first, others] {
        let (mut whole, mut from, mut names) = (Profile::default(), BTreeSet::new(), Vec::new());
        let mut left_bytes = MAX_BYTES;
        for table in tables.into_iter().take(MAX_FILES) {
            let Some(kind) = FileKind::of_path(table.name()) else { continue };
            // One that is gone or too large is no reason to look at no other.
            let Ok(content) = table.read(ctx, sources).await else { continue };
            let Some(left) = left_bytes.checked_sub(content.len() as u64) else { break };
            left_bytes = left;
            let one = profile_file(kind, content, choice).await;
            // A file that is none of its kind, or has other columns, is no training data.
            let Some(one) = one.ok().filter(|profile| choice.is_covered_by(profile)) else { continue };
            whole.merge(&one)?;
            from.insert(table.origin(ctx));
            names.push(table.name().to_owned());
        }
        if !from.is_empty() {
            let more = if names.len() > 3 { format!(" and {} more", names.len() - 3) } else { String::new() };
            let named = names.iter().take(3).map(String::as_str).collect::<Vec<_>>().join(", ");
            let source = format!("training data: {named}{more}");
            return Ok(Some(TrainingData { source, from: from.into_iter().collect(), profile: whole }));
        }
    }
    Ok(None)
}

async fn profile_file(kind: FileKind, content: Bytes, choice: &ColumnChoice) -> Result<Profile> {
    let choice = choice.clone();
    let work = move || -> Result<Profile> {
        let mut profile = Profile::default();
        add_file(&mut profile, kind, content, &choice)?;
        Ok(profile)
    };
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Error::internal("reading a table ended early").with_source(error))?
}

/// The profile of a file, or of all tables below a folder.
///
/// # Errors
/// `NotFound` when there is no table, `InvalidArgument` when one is none of its kind.
pub(crate) async fn profile_path(
    ctx: &Ctx,
    sources: Sources<'_>,
    repository: &RepositoryName,
    commit: &CommitId,
    path: &str,
    choice: &ColumnChoice,
) -> Result<Profile> {
    let revision = Revision::parse(commit.as_str())?;
    let place = path.trim_end_matches('/');
    let mut paths = Vec::new();
    if FileKind::of_path(place).is_some() {
        paths.push(ObjectKey::parse(place)?);
    } else {
        let prefix = if place.is_empty() { String::new() } else { format!("{place}/") };
        let request = ListObjects { prefix, max_keys: MAX_FILES, ..ListObjects::default() };
        let page = list_objects(ctx, sources.data, repository, &revision, request).await?;
        if page.next_page_token.is_some() {
            return Err(Error::invalid(format!("{path:?} has more than {MAX_FILES} files; name a folder with fewer")));
        }
        paths.extend(page.items.into_iter().filter_map(|listed| match listed {
            Listed::Object { path, .. } if FileKind::of_path(path.as_str()).is_some() => Some(path),
            _ => None,
        }));
    }
    let (mut profile, mut left_bytes) = (Profile::default(), MAX_BYTES);
    for path in paths {
        let Some(kind) = FileKind::of_path(path.as_str()) else { continue };
        let table = Table::Data { repository: repository.clone(), commit: commit.clone(), path };
        let content = table.read(ctx, sources).await?;
        left_bytes = left_bytes
            .checked_sub(content.len() as u64)
            .ok_or_else(|| Error::invalid(format!("the files of a reference may have {MAX_BYTES} bytes in all")))?;
        profile.merge(&profile_file(kind, content, choice).await?)?;
    }
    if profile.rows() == 0 {
        return Err(Error::not_found(format!(
            "{repository}@{commit} has no rows in a CSV or Parquet file at {path:?}"
        )));
    }
    Ok(profile)
}
