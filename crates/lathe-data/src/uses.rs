//! What runs read and write: lineage without a line of user code.
//!
//! Whoever acts with a run's own credentials *is* that run. The first read of a commit by a run becomes an event with the
//! edge commit -> run; where the run wrote that commit itself, the edge is from the one before. The commit that takes what a run wrote
//! gets the edge run -> commit. A branch that a run reads is pinned to the commit it had at the first read, so that a run that reads twice reads the same; a run that writes to the branch
//! itself follows it from then on, so that it reads what it wrote.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lathe_core::{Action, ActorKind, Ctx, Event, Kind, Name, Result, RunId};
use lathe_db::{FutureExt as _, Tx, ledger};
use serde_json::json;

use crate::names::Start;
use crate::store::RepoKey;
use crate::store::uses::{self as rows, Pin};
use crate::{Commit, CommitId, Data, ObjectKey, RefName, RepositoryName, Revision, refs, store};

/// How many paths of one commit are remembered for a run; the rest are counted in the commit's edge alone.
const MAX_PATHS: usize = 1_000;

/// How many pairs of a run and a commit are remembered.
const MAX_REMEMBERED: usize = 10_000;

/// A commit that a run read from, by repository, with the paths it read (up to 1,000).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// The repository.
    pub repository: RepositoryName,
    /// The commit.
    pub commit_id: CommitId,
    /// When it was first read, in milliseconds since 1970.
    pub at_ms: i64,
    /// The paths, in order.
    pub paths: Vec<String>,
}

/// A branch that a run wrote to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    /// The repository.
    pub repository: RepositoryName,
    /// The branch.
    pub branch: RefName,
    /// What it wrote there and no commit has taken, in order: up to 1,000 paths.
    pub staged: Vec<String>,
}

/// A run, a repository and a commit of it.
type ReadKey = (String, RepoKey, CommitId);

/// The paths that runs read and that are not in the database yet. Shared by the clones of a [`Data`].
#[derive(Debug, Clone, Default)]
pub(crate) struct PathsRead(Arc<Mutex<HashMap<ReadKey, Paths>>>);

impl PathsRead {
    fn lock(&self) -> MutexGuard<'_, HashMap<ReadKey, Paths>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug, Default)]
struct Paths {
    known: BTreeSet<ObjectKey>,
    fresh: Vec<ObjectKey>,
}

/// The run that acts, if a run does.
pub(crate) fn run_of(ctx: &Ctx) -> Option<&str> {
    (ctx.actor.kind == ActorKind::Run).then_some(ctx.actor.name.as_str())
}

/// A revision as the caller sees it: to a run that does not write to it, a name is the commit that it is pinned to, also where `~N` steps
/// back from there.
async fn pinned_revision(ctx: &Ctx, data: &Data, key: RepoKey, revision: &Revision) -> Result<Revision> {
    let (Some(run_id), Start::Named(name)) = (run_of(ctx), &revision.start) else { return Ok(revision.clone()) };
    Ok(match pinned(data, key, run_id, name).await? {
        Pin::To(commit_id) => Revision { back: revision.back, ..commit_id.into() },
        Pin::Follows => revision.clone(),
    })
}

/// The commit that a revision is to the caller.
pub(crate) async fn resolve(ctx: &Ctx, data: &Data, key: RepoKey, revision: &Revision) -> Result<Commit> {
    refs::resolve(data, key, &pinned_revision(ctx, data, key, revision).await?).await
}

/// The commit that a revision is to the caller, without holding a run to it from now on: where nothing pins a name, it is what it is now.
pub(crate) async fn resolve_unheld(ctx: &Ctx, data: &Data, key: RepoKey, revision: &Revision) -> Result<Commit> {
    let pin = match (run_of(ctx), &revision.start) {
        (Some(run_id), Start::Named(name)) => rows::find_pin(&data.db, key, run_id, name).await?,
        _ => None,
    };
    match pin {
        Some(Pin::To(commit_id)) => {
            refs::resolve(data, key, &Revision { back: revision.back, ..commit_id.into() }).await
        }
        Some(Pin::Follows) | None => refs::resolve(data, key, revision).await,
    }
}

/// What a reader sees under a revision.
#[derive(Debug)]
pub(crate) struct View {
    /// For a run, what it is pinned to.
    pub(crate) revision: Revision,
    /// The commit that a run reads, when a run reads.
    read: Option<ReadKey>,
}

impl View {
    /// Opens a revision for the caller.
    pub(crate) async fn open(ctx: &Ctx, data: &Data, key: RepoKey, revision: &Revision) -> Result<Self> {
        let Some(run_id) = run_of(ctx) else { return Ok(Self { revision: revision.clone(), read: None }) };
        let revision = pinned_revision(ctx, data, key, revision).await?;
        let commit_id = refs::resolve(data, key, &revision).await?.id;
        let is_followed = revision.as_name().is_some();
        let read = Some((run_id.to_owned(), key, commit_id.clone()));
        Ok(Self { revision: if is_followed { revision } else { commit_id.into() }, read })
    }

    /// Whether the caller is a run that sees a branch as it is, because it writes to it.
    pub(crate) fn is_followed(&self) -> bool {
        self.read.is_some() && self.revision.as_name().is_some()
    }

    /// Records that a run reads the commit. The edge is durable before the first byte is answered.
    pub(crate) async fn record(&self, ctx: &Ctx, data: &Data, repository: &RepositoryName) -> Result<()> {
        let Some(read) = &self.read else { return Ok(()) };
        if !data.paths_read.lock().contains_key(read) {
            record_read(ctx, data, read.1, repository, &read.2).await?;
            data.paths_read.lock().entry(read.clone()).or_default();
        }
        Ok(())
    }

    /// Notes that a run read a path of the commit.
    pub(crate) fn note_path(&self, data: &Data, path: &ObjectKey) {
        if let Some(read) = &self.read {
            data.paths_read.lock().entry(read.clone()).or_default().add(path);
        }
    }
}

async fn pinned(data: &Data, key: RepoKey, run_id: &str, branch: &RefName) -> Result<Pin> {
    if let Some(pin) = rows::find_pin(&data.db, key, run_id, branch).await? {
        return Ok(pin);
    }
    let commit_id = refs::resolve(data, key, &branch.clone().into()).await?.id;
    let (run_id, branch) = (run_id.to_owned(), branch.clone());
    // Another request of the run may have been first: its pin is the one that counts.
    data.db.write(move |tx| async move { rows::pin(tx, key, &run_id, &branch, &commit_id).await }.boxed()).await
}

impl Paths {
    fn add(&mut self, path: &ObjectKey) {
        if self.known.len() < MAX_PATHS && self.known.insert(path.clone()) {
            self.fresh.push(path.clone());
        }
    }
}

async fn record_read(
    ctx: &Ctx,
    data: &Data,
    key: RepoKey,
    repository: &RepositoryName,
    commit_id: &CommitId,
) -> Result<()> {
    let (ctx, repository, commit_id) = (ctx.clone(), repository.clone(), commit_id.clone());
    data.db
        .write(move |tx| {
            async move {
                let run_id = ctx.actor.name.as_str();
                if !rows::insert_read(tx, key, run_id, &commit_id, ctx.now_ms()).await? {
                    return Ok(());
                }
                let run = run_name(&ctx, run_id);
                let detail = json!({ "repository": repository.as_str(), "commit": commit_id.as_str() });
                let happened = Event::new("data.read", run.clone(), detail);
                let origin = origin_of(tx, &ctx, key, &repository, run_id, commit_id).await?;
                tx.record(
                    &ctx,
                    origin.into_iter().fold(happened, |event, origin| event.with_edge(origin, run.clone(), "read")),
                )
                .await
            }
            .boxed()
        })
        .await
}

/// Where what a run reads of a commit comes from: that commit, or if it is the run's own, the youngest one before that is not. A run and its
/// own commit would each be the other's origin. `None` when there is none, or the run is known to come from it.
async fn origin_of(
    tx: &mut Tx,
    ctx: &Ctx,
    key: RepoKey,
    repository: &RepositoryName,
    run_id: &str,
    commit_id: CommitId,
) -> Result<Option<Name>> {
    let mut next = Some(commit_id);
    while let Some(id) = next {
        let commit = Name::commit(&ctx.project, repository.as_str(), id.as_str());
        if !is_own(tx, ctx, run_id, &commit).await? {
            let is_known = ledger::has_edge(tx, &commit, &run_name(ctx, run_id), "read").await?;
            return Ok((!is_known).then_some(commit));
        }
        next = store::commits::first_parent(tx, key, &id).await?;
    }
    Ok(None)
}

async fn is_own(tx: &mut Tx, ctx: &Ctx, run_id: &str, commit: &Name) -> Result<bool> {
    ledger::has_edge(tx, &run_name(ctx, run_id), commit, "wrote").await
}

fn run_name(ctx: &Ctx, run_id: &str) -> Name {
    Name::new(&ctx.project, Kind::Run, run_id)
}

/// Lets a run that writes to a branch follow it, in the transaction of the write.
pub(crate) async fn follow(tx: &mut Tx, ctx: &Ctx, key: RepoKey, branch: &RefName) -> Result<()> {
    match run_of(ctx) {
        Some(run_id) => rows::follow(tx, key, run_id, branch).await,
        None => Ok(()),
    }
}

/// What a merge or revert made of what.
#[derive(Debug, Clone)]
pub(crate) struct MergedFrom {
    /// What was merged or taken back.
    pub(crate) commit_id: CommitId,
    /// Its name.
    pub(crate) name: Name,
    /// The name of the new commit; none when the branch just moved.
    pub(crate) made: Option<Name>,
}

/// The event of a merge or revert. When a run makes it, it follows the branch, has read what it merged, and wrote the commit that came of
/// it, if a new one did.
pub(crate) async fn with_merger(
    tx: &mut Tx,
    ctx: &Ctx,
    key: RepoKey,
    branch: &RefName,
    merged: &MergedFrom,
    happened: Event,
) -> Result<Event> {
    let Some(run_id) = run_of(ctx) else { return Ok(happened) };
    rows::follow(tx, key, run_id, branch).await?;
    let (mut happened, run) = (happened, run_name(ctx, run_id));
    let is_first = rows::insert_read(tx, key, run_id, &merged.commit_id, ctx.now_ms()).await?;
    if is_first && !is_own(tx, ctx, run_id, &merged.name).await? {
        happened = happened.with_edge(merged.name.clone(), run.clone(), "read");
    }
    Ok(match &merged.made {
        Some(made) => happened.with_edge(run, made.clone(), "wrote"),
        None => happened,
    })
}

/// The event of a commit, with an edge from each run that wrote what it takes.
pub(crate) async fn with_writers(
    tx: &mut Tx,
    ctx: &Ctx,
    key: RepoKey,
    branch: &RefName,
    sealed: i64,
    commit: &Name,
    happened: Event,
) -> Result<Event> {
    let writers = store::staged::list_writers(tx, key, branch, sealed).await?;
    Ok(writers.iter().fold(happened, |event, run_id| event.with_edge(run_name(ctx, run_id), commit.clone(), "wrote")))
}

/// Stores which paths runs have read since the last call; for a background loop.
///
/// # Errors
/// What the database answers; the next call then stores the paths of this one, too.
pub async fn flush(data: &Data) -> Result<()> {
    let fresh: Vec<(ReadKey, Vec<ObjectKey>)> = {
        let mut reads = data.paths_read.lock();
        let fresh = reads.iter_mut().filter(|(_, paths)| !paths.fresh.is_empty());
        let fresh = fresh.map(|(key, paths)| (key.clone(), std::mem::take(&mut paths.fresh))).collect();
        if reads.len() > MAX_REMEMBERED {
            // What is forgotten is in the database, and is found there again.
            reads.clear();
        }
        fresh
    };
    if fresh.is_empty() {
        return Ok(());
    }
    let fresh = Arc::new(fresh);
    let paths = fresh.clone();
    let stored = data.db.write(move |tx| {
        async move {
            for ((run_id, key, commit_id), paths) in paths.iter() {
                rows::insert_paths(tx, *key, run_id, commit_id, paths).await?;
            }
            Ok(())
        }
        .boxed()
    });
    let stored = stored.await;
    if stored.is_err() {
        let mut reads = data.paths_read.lock();
        for (read, paths) in fresh.iter() {
            let kept = reads.entry(read.clone()).or_default();
            kept.known.extend(paths.iter().cloned());
            kept.fresh.extend(paths.iter().cloned());
        }
    }
    stored
}

/// What a run has read, by repository and time.
///
/// # Errors
/// What the database answers.
pub async fn list_reads(ctx: &Ctx, data: &Data, run_id: &RunId) -> Result<Vec<Read>> {
    ctx.authorize(Action::Read)?;
    flush(data).await?;
    rows::list_reads(&data.db, &ctx.project, run_id.as_str()).await
}

/// The branches that a run has written to, in order, and what of that no commit has taken.
///
/// # Errors
/// What the database answers.
pub async fn list_writes(ctx: &Ctx, data: &Data, run_id: &RunId) -> Result<Vec<Write>> {
    ctx.authorize(Action::Read)?;
    let mut writes = Vec::new();
    for (key, repository, branch) in rows::list_followed(&data.db, &ctx.project, run_id.as_str()).await? {
        let staged = store::staged::list_staged_by(&data.db, key, &branch, run_id.as_str(), MAX_PATHS).await?;
        writes.push(Write { repository, branch, staged });
    }
    Ok(writes)
}

/// Lets a run see what another one saw when it began to read: branches are pinned to the same commits. The new run comes from
/// the other one in the lineage graph.
///
/// # Errors
/// What the database answers.
pub async fn reproduce(ctx: &Ctx, data: &Data, original: &RunId, run_id: &RunId) -> Result<()> {
    ctx.authorize(Action::Write)?;
    let (ctx, original, run_id) = (ctx.clone(), original.to_string(), run_id.to_string());
    data.db
        .write(move |tx| {
            async move {
                rows::copy_pins(tx, &ctx.project, &original, &run_id).await?;
                let (from, to) = (run_name(&ctx, &original), run_name(&ctx, &run_id));
                let event = Event::new("run.reproduced", to.clone(), json!({ "original": original }));
                tx.record(&ctx, event.with_edge(from, to, "reproduced")).await
            }
            .boxed()
        })
        .await
}
