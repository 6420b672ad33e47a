//! Commits: a branch's staged changes made permanent, and their history.

use std::collections::{BTreeMap, VecDeque};

use futures::{Stream, stream};
use lathe_core::{Action, Actor, Ctx, Error, Name, Result};
use lathe_db::{FutureExt as _, Lock, Tx};
use serde_json::json;

use crate::history::{Frontier, History, Reach};
use crate::refs::{self, require_branch};
use crate::repositories::{commit_event, event, find_key};
use crate::store::staged::{Objects, StagedPath};
use crate::store::{self, RepoKey};
use crate::tree::{self, Applied, Change, NodeHash, Tally};
use crate::{CommitId, Data, RefName, RepositoryName, Revision, uses, validate};

const MAX_PAGE: usize = 1_000;
/// How many staged paths are read at a time.
const STAGED_PAGE: usize = 2_000;
/// How often a change of a branch is tried again when somebody else moves the branch meanwhile.
pub(crate) const ATTEMPTS: usize = 8;
/// Separates the ids of a log's token.
const TOKEN_SEPARATOR: char = '.';

/// A state of all files, with who made it and why.
#[derive(Debug, Clone, PartialEq)]
pub struct Commit {
    /// Its id: the hash of all below and of its parents.
    pub id: CommitId,
    pub(crate) root: NodeHash,
    /// The commit before it, and the one that was merged into that, if any.
    pub parents: Vec<CommitId>,
    /// The length of the longest way to the first commit.
    pub height: i64,
    /// Who made it.
    pub author: Actor,
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
    /// Why.
    pub message: String,
    /// What the author attached.
    pub metadata: BTreeMap<String, String>,
    /// How many paths it holds.
    pub paths: u64,
    /// How many bytes they hold.
    pub size_bytes: u64,
}

/// A commit that is about to be made.
#[derive(Debug, Clone)]
pub(crate) struct NewCommit {
    pub(crate) root: NodeHash,
    pub(crate) paths: u64,
    pub(crate) size_bytes: u64,
    pub(crate) message: String,
    pub(crate) metadata: BTreeMap<String, String>,
}

impl Default for NewCommit {
    fn default() -> Self {
        let (message, metadata) = (String::new(), BTreeMap::new());
        Self { root: NodeHash([0; 32]), paths: 0, size_bytes: 0, message, metadata }
    }
}

impl NewCommit {
    pub(crate) fn of(tree: &Applied, message: String, metadata: BTreeMap<String, String>) -> Self {
        Self { root: tree.root, paths: tree.paths, size_bytes: tree.bytes, message, metadata }
    }

    /// The commit with its id. The text that is hashed has one line for each fact, free texts as JSON strings; the message is
    /// last.
    pub(crate) fn made_by(self, ctx: &Ctx, parents: &[&Commit]) -> Commit {
        let NewCommit { root, paths, size_bytes, message, metadata } = self;
        let at_ms = ctx.now_ms();
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        let mut text = format!("lathe commit 1\ntree {root}\n");
        for parent in parents {
            text.push_str(&format!("parent {}\n", parent.id));
        }
        text.push_str(&format!("author {} {}\nat {at_ms}\n", ctx.actor.kind.as_str(), quoted(&ctx.actor.name)));
        for (key, value) in &metadata {
            text.push_str(&format!("meta {} {}\n", quoted(key), quoted(value)));
        }
        text.push_str(&format!("message {}\n", quoted(&message)));
        Commit {
            id: CommitId::of(&blake3::hash(text.as_bytes())),
            root,
            parents: parents.iter().map(|parent| parent.id.clone()).collect(),
            height: parents.iter().map(|parent| parent.height + 1).max().unwrap_or(0),
            author: ctx.actor.clone(),
            at_ms,
            message,
            metadata,
            paths,
            size_bytes,
        }
    }
}

/// What a new commit says.
#[derive(Debug, Clone, Default)]
pub struct CreateCommit {
    /// Why.
    pub message: String,
    /// Whatever else is worth keeping.
    pub metadata: BTreeMap<String, String>,
}

/// Which part of a history.
#[derive(Debug, Clone)]
pub struct Log {
    /// Where it starts.
    pub from: Revision,
    /// The previous page's token.
    pub page_token: Option<String>,
    /// 1-1,000.
    pub max_results: usize,
}

/// A page of a history.
#[derive(Debug, Clone, PartialEq)]
pub struct CommitList {
    /// The commits, children before parents.
    pub commits: Vec<Commit>,
    /// Where the next page starts; `None` on the last page.
    pub next_page_token: Option<String>,
}

/// Makes what is staged on a branch permanent.
///
/// What is staged while this runs belongs to the next commit. A commit that a crash interrupted is finished by the next one.
///
/// # Errors
/// `NotFound` for the branch; `Conflict` when nothing is staged, or only what the branch holds already, and when the branch was deleted
/// and made anew meanwhile.
pub async fn commit(
    ctx: &Ctx,
    data: &Data,
    repository: &RepositoryName,
    branch: &RefName,
    request: CreateCommit,
) -> Result<Commit> {
    ctx.authorize(Action::Write)?;
    validate::message(&request.message)?;
    validate::commit_metadata(&request.metadata)?;
    let key = find_key(ctx, data, repository).await?;
    let sealed = seal(data, repository, key, branch).await?;
    commit_sealed(ctx, data, repository, key, branch, sealed, request).await
}

async fn commit_sealed(
    ctx: &Ctx,
    data: &Data,
    repository: &RepositoryName,
    key: RepoKey,
    branch: &RefName,
    sealed: i64,
    request: CreateCommit,
) -> Result<Commit> {
    for _ in 0..ATTEMPTS {
        let base = refs::resolve(data, key, &branch.clone().into()).await?;
        let changes = Box::pin(sealed_changes(data, key, branch, sealed));
        let applied = tree::apply(&data.nodes, ctx.now_ms(), base.root, changes).await?;
        if applied.tally.is_nothing() {
            if drop_nothing(data, key, branch, &base, sealed).await? {
                return Err(nothing(branch));
            }
            continue;
        }
        let CreateCommit { message, metadata } = request.clone();
        let commit = NewCommit::of(&applied, message, metadata).made_by(ctx, &[&base]);
        let name = |id: &CommitId| Name::commit(&ctx.project, repository.as_str(), id.as_str());
        let made = commit_event(ctx, "data.committed", repository, &commit, tally_detail(branch, applied.tally))
            .with_edge(name(&base.id), name(&commit.id), "committed");
        let moving = Move { key, branch: branch.clone(), from: base.id.clone(), to: commit.clone(), is_new: true };
        if let Some(Moved { unfolded }) = moving.run(ctx, data, Origin::Staged(sealed), made).await? {
            fold(data, key, branch, sealed, unfolded, Objects::Kept).await;
            return Ok(commit);
        }
    }
    Err(busy(branch))
}

pub(crate) fn tally_detail(branch: &RefName, tally: Tally) -> serde_json::Value {
    json!({
        "branch": branch.as_str(), "added": tally.added, "changed": tally.changed, "removed": tally.removed,
    })
}

fn nothing(branch: &RefName) -> Error {
    Error::conflict(format!("there is nothing to commit on `{branch}`: no staged change differs from what it holds"))
}

fn replaced(branch: &RefName) -> Error {
    Error::conflict(format!("branch `{branch}` was replaced meanwhile: it was deleted and made anew"))
        .with_hint("nothing was committed; commit again what is staged on the new branch")
}

/// Holds a branch, which must be the one whose staging area was closed.
async fn hold_sealed(tx: &mut Tx, key: RepoKey, branch: &RefName, sealed: i64) -> Result<store::refs::Held> {
    let held = require_branch(store::refs::hold(tx, key, branch, Lock::Exclusive).await?, branch)?;
    if held.has(sealed) { Ok(held) } else { Err(replaced(branch)) }
}

pub(crate) fn busy(branch: &RefName) -> Error {
    Error::conflict(format!("`{branch}` was moved by others again and again; try once more"))
}

/// Closes the branch's staging area: what is staged from now on is of the next generation.
async fn seal(data: &Data, repository: &RepositoryName, key: RepoKey, branch: &RefName) -> Result<i64> {
    let (branch, repository) = (branch.clone(), repository.clone());
    data.db
        .write(move |tx| {
            async move {
                if let Some(generation) = store::refs::seal(tx, key, &branch).await? {
                    if !store::staged::is_any_in(tx, key, &branch).await? {
                        return Err(nothing(&branch));
                    }
                    return Ok(generation);
                }
                let held = store::refs::hold(tx, key, &branch, Lock::Shared).await?;
                require_branch(held, &branch)?;
                Err(Error::conflict(format!("`{branch}` of `{repository}` was just replaced; try again")))
            }
            .boxed()
        })
        .await
}

fn sealed_changes<'d>(
    data: &'d Data,
    key: RepoKey,
    branch: &'d RefName,
    sealed: i64,
) -> impl Stream<Item = Result<Change>> + Send + 'd {
    struct State {
        page: VecDeque<StagedPath>,
        after: String,
        is_last: bool,
    }
    let start = State { page: VecDeque::new(), after: String::new(), is_last: false };
    stream::try_unfold(start, move |mut state| async move {
        if state.page.is_empty() && !state.is_last {
            let page = store::staged::sealed(&data.db, key, branch, sealed, &state.after, STAGED_PAGE).await?;
            if let Some((last, _)) = page.paths.last() {
                state.after = last.to_string();
            }
            (state.page, state.is_last) = (page.paths.into(), page.is_last);
        }
        let Some((path, entry)) = state.page.pop_front() else { return Ok(None) };
        let entry = entry.map(|entry| entry.decode()).transpose()?;
        Ok(Some(((path, entry), state)))
    })
}

/// Deletes the rows of what a commit has taken, many in a few transactions, and what many leave behind. Nobody reads them any more: what
/// cannot be deleted now is left to the next commit or to the collection of garbage.
async fn fold(data: &Data, key: RepoKey, branch: &RefName, sealed: i64, after: Option<String>, objects: Objects) {
    let is_many = after.is_some();
    if let Err(error) = try_fold(data, key, branch, sealed, after, objects).await {
        tracing::warn!(%branch, error = error.log_line(), "rows of committed changes are still there; they are deleted later");
        return;
    }
    // Else what comes next on the branch would cost as much as these rows, until the database does so by itself.
    if is_many && let Err(error) = data.db.vacuum("staged").await {
        tracing::warn!(%branch, error = error.log_line(), "what deleted rows left behind is still there");
    }
}

async fn try_fold(
    data: &Data,
    key: RepoKey,
    branch: &RefName,
    sealed: i64,
    mut after: Option<String>,
    objects: Objects,
) -> Result<()> {
    while let Some(path) = after {
        let branch = branch.clone();
        let step = async move |tx: &mut Tx| {
            // A branch that was made anew meanwhile has no rows of these generations.
            match store::refs::hold(tx, key, &branch, Lock::Exclusive).await? {
                Some(held) if held.taken >= sealed => {
                    store::staged::fold(tx, key, &branch, sealed, &path, objects).await
                }
                _ => Ok(None),
            }
        };
        after = data.db.write(move |tx| async move { step(tx).await }.boxed()).await?;
    }
    Ok(())
}

/// Deletes the rows that commits have taken and a crash left.
pub(crate) async fn fold_left_over(data: &Data) -> Result<()> {
    for (key, branch, taken) in store::refs::list_with_taken_rows(&data.db).await? {
        try_fold(data, key, &branch, taken, Some(String::new()), Objects::Kept).await?;
    }
    Ok(())
}

/// Drops staged changes that change nothing; answers `false` when the branch moved meanwhile.
async fn drop_nothing(data: &Data, key: RepoKey, branch: &RefName, base: &Commit, sealed: i64) -> Result<bool> {
    let (name, base) = (branch.clone(), base.id.clone());
    let dropping = data.db.write(move |tx| {
        async move {
            let held = hold_sealed(tx, key, &name, sealed).await?;
            if held.commit_id != base {
                return Ok(None);
            }
            store::refs::take(tx, key, &name, sealed).await?;
            let unfolded = store::staged::fold(tx, key, &name, sealed, "", Objects::Forgotten).await?;
            Ok(Some(Moved { unfolded }))
        }
        .boxed()
    });
    let Some(Moved { unfolded }) = dropping.await? else { return Ok(false) };
    fold(data, key, branch, sealed, unfolded, Objects::Forgotten).await;
    Ok(true)
}

/// Where what a branch moves to comes from.
#[derive(Debug, Clone)]
pub(crate) enum Origin {
    /// From what is staged on it up to this generation.
    Staged(i64),
    /// From another commit; nothing may be staged.
    Merged(uses::MergedFrom),
}

/// What happened with the branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Moved {
    /// Rows of taken changes behind this path are still there: they are too many for one transaction.
    unfolded: Option<String>,
}

/// A branch on its way to another commit.
#[derive(Debug, Clone)]
pub(crate) struct Move {
    pub(crate) key: RepoKey,
    pub(crate) branch: RefName,
    pub(crate) from: CommitId,
    pub(crate) to: Commit,
    /// Whether the commit must be inserted.
    pub(crate) is_new: bool,
}

impl Move {
    /// Moves the branch, with everything that belongs to it, in one transaction; answers `None`, and does nothing, when it
    /// does not stand where it was thought to.
    pub(crate) async fn run(
        self,
        ctx: &Ctx,
        data: &Data,
        origin: Origin,
        happened: lathe_core::Event,
    ) -> Result<Option<Moved>> {
        let ctx = ctx.clone();
        data.db.write(move |tx| async move { self.run_in(tx, &ctx, origin, happened).await }.boxed()).await
    }

    async fn run_in(
        &self,
        tx: &mut Tx,
        ctx: &Ctx,
        origin: Origin,
        happened: lathe_core::Event,
    ) -> Result<Option<Moved>> {
        let Self { key, branch, from, to, is_new } = self;
        if let Origin::Staged(sealed) = origin {
            hold_sealed(tx, *key, branch, sealed).await?;
        }
        if !store::refs::advance(tx, *key, branch, from, &to.id, ctx.now_ms()).await? {
            return Ok(None);
        }
        if *is_new {
            store::commits::insert(tx, *key, to).await?;
        }
        let (mut happened, mut unfolded) = (happened, None);
        match origin {
            Origin::Staged(sealed) => {
                let commit = happened.subject.clone();
                happened = uses::with_writers(tx, ctx, *key, branch, sealed, &commit, happened).await?;
                store::refs::take(tx, *key, branch, sealed).await?;
                unfolded = store::staged::fold(tx, *key, branch, sealed, "", Objects::Kept).await?;
            }
            Origin::Merged(merged) => {
                if store::staged::is_any_in(tx, *key, branch).await? {
                    return Err(uncommitted(branch));
                }
                happened = uses::with_merger(tx, ctx, *key, branch, &merged, happened).await?;
            }
        }
        tx.record(ctx, happened).await?;
        Ok(Some(Moved { unfolded }))
    }
}

pub(crate) fn uncommitted(branch: &RefName) -> Error {
    Error::conflict(format!("`{branch}` has uncommitted changes"))
        .with_hint("commit or discard them first, or work on another branch")
}

/// One commit; to a run, a name is the commit that it is pinned to, and is pinned by this.
///
/// # Errors
/// As [`refs::resolve_ref`].
pub async fn get_commit(ctx: &Ctx, data: &Data, repository: &RepositoryName, revision: &Revision) -> Result<Commit> {
    ctx.authorize(Action::Read)?;
    let key = find_key(ctx, data, repository).await?;
    uses::resolve(ctx, data, key, revision).await
}

/// The history of a commit: itself and all its ancestors, children before parents.
///
/// # Errors
/// `NotFound` for the repository or the start, `InvalidArgument` for a bad page.
pub async fn log(ctx: &Ctx, data: &Data, repository: &RepositoryName, request: Log) -> Result<CommitList> {
    ctx.authorize(Action::Read)?;
    let limit = validate::limit("max_results", request.max_results, MAX_PAGE)?;
    let key = find_key(ctx, data, repository).await?;
    let mut history = History::new(data, key);
    let mut frontier = Frontier::default();
    match request.page_token.as_deref().filter(|token| !token.is_empty()) {
        None => frontier.add(uses::resolve_unheld(ctx, data, key, &request.from).await?, Reach::default()),
        Some(token) => {
            for id in token.split(TOKEN_SEPARATOR) {
                let id = CommitId::parse(id).map_err(|_| {
                    Error::invalid(format!(
                        "Invalid page token {token:?}; pass the token of the previous page unchanged"
                    ))
                })?;
                frontier.add(history.get(&id).await?, Reach::default());
            }
        }
    }
    let mut commits = Vec::new();
    while commits.len() < limit {
        match history.next(&mut frontier).await? {
            Some((commit, _)) => commits.push(commit),
            None => break,
        }
    }
    let separator = TOKEN_SEPARATOR.to_string();
    let token = frontier.ids().map(CommitId::as_str).collect::<Vec<_>>().join(&separator);
    Ok(CommitList { commits, next_page_token: (!frontier.is_empty()).then_some(token) })
}

/// Drops what is staged on a branch below a prefix; answers how many changes.
///
/// # Errors
/// `NotFound` for the branch.
pub async fn discard(
    ctx: &Ctx,
    data: &Data,
    repository: &RepositoryName,
    branch: &RefName,
    prefix: &str,
) -> Result<u64> {
    ctx.authorize(Action::Manage)?;
    let key = find_key(ctx, data, repository).await?;
    let (ctx, repository, branch, prefix) = (ctx.clone(), repository.clone(), branch.clone(), prefix.to_owned());
    validate::prefix(&prefix)?;
    data.db
        .write(move |tx| {
            async move {
                let held = require_branch(store::refs::hold(tx, key, &branch, Lock::Exclusive).await?, &branch)?;
                let end = crate::key::after_prefix(&prefix);
                let dropped = store::staged::drop_prefix(tx, key, &branch, held.taken, &prefix, end.as_deref()).await?;
                if dropped > 0 {
                    let detail = json!({ "branch": branch.as_str(), "prefix": prefix, "changes": dropped });
                    tx.record(&ctx, event(&ctx, "data.discarded", &repository, detail)).await?;
                }
                Ok(dropped)
            }
            .boxed()
        })
        .await
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use lathe_core::Code;
    use lathe_db::Db;
    use lathe_objects::Objects as Store;
    use lathe_testkit::{ctx, store_test};

    use super::*;
    use crate::objects::{PutObject, head_object, put_object};
    use crate::refs::{create_branch, create_tag, delete_branch};
    use crate::repositories::{CreateRepository, create_repository};
    use crate::{Entry, ObjectKey};

    struct World {
        ctx: Ctx,
        data: Data,
        repository: RepositoryName,
        key: RepoKey,
        branch: RefName,
        _folder: tempfile::TempDir,
    }

    impl World {
        async fn new(db: &Db) -> Self {
            let (ctx, folder) = (ctx(), tempfile::tempdir().unwrap());
            let url = format!("file://{}", folder.path().join("objects").display());
            let objects = Store::open(&url, folder.path(), db.clone(), ctx.clock.clone()).await.unwrap();
            let data = Data::new(db.clone(), objects);
            let repository = RepositoryName::parse("images").unwrap();
            create_repository(&ctx, &data, CreateRepository::named(repository.clone())).await.unwrap();
            let key = find_key(&ctx, &data, &repository).await.unwrap();
            let world = Self { ctx, data, repository, key, branch: RefName::parse("work").unwrap(), _folder: folder };
            world.make_branch().await;
            world
        }

        async fn make_branch(&self) {
            let (name, from) = (self.branch.clone(), RefName::main().into());
            create_branch(&self.ctx, &self.data, &self.repository, name, &from).await.unwrap();
        }

        async fn put(&self, path: &str) -> Entry {
            let path = ObjectKey::parse(path).unwrap();
            let body = stream::iter([Ok(Bytes::from_static(b"x"))]);
            let Self { ctx, data, repository, branch, .. } = self;
            put_object(ctx, data, repository, branch, &path, PutObject::default(), body).await.unwrap()
        }

        async fn delete_branch(&self) {
            delete_branch(&self.ctx, &self.data, &self.repository, &self.branch).await.unwrap();
        }

        async fn has(&self, path: &str) -> bool {
            let path = ObjectKey::parse(path).unwrap();
            head_object(&self.ctx, &self.data, &self.repository, &self.branch.clone().into(), &path).await.is_ok()
        }

        async fn finish(&self, sealed: i64) -> Result<Commit> {
            let request = CreateCommit { message: "m".to_owned(), ..CreateCommit::default() };
            commit_sealed(&self.ctx, &self.data, &self.repository, self.key, &self.branch, sealed, request).await
        }
    }

    store_test!([crate::SCHEMA, lathe_objects::SCHEMA] async fn a_commit_of_a_branch_that_was_replaced_meanwhile_takes_nothing(db: Db) {
        let world = World::new(&db).await;
        for path in ["a", "b", "c"] {
            world.put(path).await;
            let sealed = seal(&world.data, &world.repository, world.key, &world.branch).await.unwrap();
            world.delete_branch().await;
            world.make_branch().await;
            world.put("new").await;
            let refused = world.finish(sealed).await.unwrap_err();
            assert_eq!(refused.code(), Code::Conflict);
            assert!(refused.message().contains("was replaced meanwhile"), "{refused:?}");
            assert!(world.has("new").await, "what is acknowledged stays");
            assert!(!world.has(path).await);
            world.put("later").await;
            assert!(world.has("later").await);
        }
        let sealed = seal(&world.data, &world.repository, world.key, &world.branch).await.unwrap();
        assert_eq!(world.finish(sealed).await.unwrap().paths, 2);
        assert!(world.has("new").await);
    });

    store_test!([crate::SCHEMA, lathe_objects::SCHEMA] async fn a_commit_of_a_branch_that_became_a_tag_moves_nothing(db: Db) {
        let world = World::new(&db).await;
        world.put("a").await;
        let sealed = seal(&world.data, &world.repository, world.key, &world.branch).await.unwrap();
        world.delete_branch().await;
        assert_eq!(world.finish(sealed).await.unwrap_err().code(), Code::NotFound);
        create_tag(&world.ctx, &world.data, &world.repository, world.branch.clone(), &RefName::main().into()).await.unwrap();
        assert_eq!(world.finish(sealed).await.unwrap_err().code(), Code::InvalidArgument);
    });
}
