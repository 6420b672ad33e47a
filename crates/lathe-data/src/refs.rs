//! Branches and tags: names of commits. A branch moves with each commit; a tag stays.

use lathe_core::{Action, Ctx, Error, Page, Result};
use lathe_db::{FutureExt as _, Lock};
use serde_json::json;

use crate::commits::Commit;
use crate::history::History;
use crate::names::Start;
use crate::repositories::{self, PageRequest, event, find_key};
use crate::store::staged::Objects;
use crate::store::{self, RepoKey};
use crate::{CommitId, Data, RefName, RepositoryName, Revision, uses};

/// What kind of name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefKind {
    /// Moves with each commit.
    Branch,
    /// Stays where it is.
    Tag,
}

impl RefKind {
    /// The kind as it stands in JSON and SQL.
    pub fn as_str(self) -> &'static str {
        match self {
            RefKind::Branch => "branch",
            RefKind::Tag => "tag",
        }
    }

    pub(crate) fn parse(text: &str) -> Result<Self> {
        match text {
            "branch" => Ok(RefKind::Branch),
            "tag" => Ok(RefKind::Tag),
            _ => Err(Error::internal(format!("a ref has the unknown kind {text:?}"))),
        }
    }
}

/// A branch or a tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ref {
    /// Its name.
    pub name: RefName,
    /// Branch or tag.
    pub kind: RefKind,
    /// Where it points.
    pub commit_id: CommitId,
    /// When it was made or last moved, in milliseconds since 1970.
    pub updated_at_ms: i64,
}

/// Makes a branch that starts at a commit; to a run, a name is the commit that it is pinned to. Nothing is copied.
///
/// # Errors
/// `NotFound` for the repository or the start, `AlreadyExists` when a branch or tag has the name.
pub async fn create_branch(
    ctx: &Ctx,
    data: &Data,
    repository: &RepositoryName,
    name: RefName,
    from: &Revision,
) -> Result<Ref> {
    ctx.authorize(Action::Write)?;
    create(ctx, data, repository, name, RefKind::Branch, from).await
}

/// Makes a tag of a commit.
///
/// # Errors
/// As [`create_branch`].
pub async fn create_tag(
    ctx: &Ctx,
    data: &Data,
    repository: &RepositoryName,
    name: RefName,
    of: &Revision,
) -> Result<Ref> {
    ctx.authorize(Action::Write)?;
    create(ctx, data, repository, name, RefKind::Tag, of).await
}

async fn create(
    ctx: &Ctx,
    data: &Data,
    repository: &RepositoryName,
    name: RefName,
    kind: RefKind,
    from: &Revision,
) -> Result<Ref> {
    let key = find_key(ctx, data, repository).await?;
    let commit = uses::resolve_unheld(ctx, data, key, from).await?;
    let named = Ref { name, kind, commit_id: commit.id.clone(), updated_at_ms: ctx.now_ms() };
    let (ctx, repository) = (ctx.clone(), repository.clone());
    data.db
        .write(move |tx| {
            async move {
                if store::repositories::hold(tx, key, Lock::Shared).await?.is_none() {
                    return Err(repositories::not_found(&repository));
                }
                if !store::refs::insert(tx, key, &named).await? {
                    let taken = store::refs::hold(tx, key, &named.name, Lock::Shared).await?;
                    let taken = taken.map_or(kind, |held| held.kind);
                    return Err(Error::already_exists(format!(
                        "`{repository}` already has a {} named `{}`",
                        taken.as_str(),
                        named.name
                    )));
                }
                let (action, detail) = match kind {
                    RefKind::Branch => ("data.branch_created", json!({ "branch": named.name.as_str() })),
                    RefKind::Tag => ("data.tagged", json!({ "tag": named.name.as_str() })),
                };
                tx.record(&ctx, repositories::commit_event(&ctx, action, &repository, &commit, detail)).await?;
                Ok(named)
            }
            .boxed()
        })
        .await
}

/// The repository's branches, by name.
///
/// # Errors
/// `NotFound` for the repository, `InvalidArgument` for a bad page.
pub async fn list_branches(
    ctx: &Ctx,
    data: &Data,
    repository: &RepositoryName,
    page: PageRequest,
) -> Result<Page<Ref>> {
    ctx.authorize(Action::Read)?;
    list(ctx, data, repository, RefKind::Branch, &page).await
}

/// The repository's tags, by name.
///
/// # Errors
/// As [`list_branches`].
pub async fn list_tags(ctx: &Ctx, data: &Data, repository: &RepositoryName, page: PageRequest) -> Result<Page<Ref>> {
    ctx.authorize(Action::Read)?;
    list(ctx, data, repository, RefKind::Tag, &page).await
}

async fn list(
    ctx: &Ctx,
    data: &Data,
    repository: &RepositoryName,
    kind: RefKind,
    page: &PageRequest,
) -> Result<Page<Ref>> {
    let key = find_key(ctx, data, repository).await?;
    let (token, limit, rows) = page.read(&format!("data.refs {} {repository}", kind.as_str()))?;
    let refs = store::refs::list(&data.db, key, kind, token.offset_sql(), rows).await?;
    Ok(Page::from_overread(refs, &token, limit))
}

/// A branch or tag by its name.
///
/// # Errors
/// `NotFound`.
pub async fn get_ref(ctx: &Ctx, data: &Data, repository: &RepositoryName, name: &RefName) -> Result<Ref> {
    ctx.authorize(Action::Read)?;
    let key = find_key(ctx, data, repository).await?;
    store::refs::find(&data.db, key, name).await?.ok_or_else(|| not_found(name))
}

/// Deletes a branch with what is staged on it and the uploads that go there; its commits stay.
///
/// # Errors
/// `NotFound`, `Conflict` for the default branch.
pub async fn delete_branch(ctx: &Ctx, data: &Data, repository: &RepositoryName, name: &RefName) -> Result<()> {
    ctx.authorize(Action::Manage)?;
    delete(ctx, data, repository, name, RefKind::Branch).await
}

/// Deletes a tag; its commit stays.
///
/// # Errors
/// `NotFound`.
pub async fn delete_tag(ctx: &Ctx, data: &Data, repository: &RepositoryName, name: &RefName) -> Result<()> {
    ctx.authorize(Action::Manage)?;
    delete(ctx, data, repository, name, RefKind::Tag).await
}

async fn delete(ctx: &Ctx, data: &Data, repository: &RepositoryName, name: &RefName, kind: RefKind) -> Result<()> {
    let key = find_key(ctx, data, repository).await?;
    let (ctx, repository, name) = (ctx.clone(), repository.clone(), name.clone());
    data.db
        .write(move |tx| {
            async move {
                let default_branch = store::repositories::hold(tx, key, Lock::Exclusive).await?;
                if kind == RefKind::Branch && default_branch.as_ref() == Some(&name) {
                    return Err(Error::conflict(format!(
                        "`{name}` is the default branch of `{repository}` and cannot be deleted"
                    )));
                }
                let Some((commit_id, taken)) = store::refs::delete(tx, key, &name, kind).await? else {
                    return Err(Error::not_found(format!("{} `{name}` does not exist", kind.as_str())));
                };
                let mut after = Some(String::new());
                while let Some(path) = after {
                    after = store::staged::fold(tx, key, &name, taken, &path, Objects::Kept).await?;
                }
                let dropped = store::staged::drop_prefix(tx, key, &name, taken, "", None).await?;
                store::uploads::delete_of_branch(tx, key, &name).await?;
                let (action, detail) = match kind {
                    RefKind::Branch => (
                        "data.branch_deleted",
                        json!({ "branch": name.as_str(), "commit": commit_id.as_str(), "staged": dropped }),
                    ),
                    RefKind::Tag => ("data.tag_deleted", json!({ "tag": name.as_str(), "commit": commit_id.as_str() })),
                };
                tx.record(&ctx, event(&ctx, action, &repository, detail)).await
            }
            .boxed()
        })
        .await
}

/// The commit that a branch, a tag, a commit's id, the unique beginning of one, or one of these with `~N` names.
///
/// # Errors
/// `NotFound`; `InvalidArgument` for the beginning of several ids.
pub async fn resolve_ref(ctx: &Ctx, data: &Data, repository: &RepositoryName, revision: &Revision) -> Result<Commit> {
    ctx.authorize(Action::Read)?;
    let key = find_key(ctx, data, repository).await?;
    resolve(data, key, revision).await
}

pub(crate) async fn resolve(data: &Data, key: RepoKey, revision: &Revision) -> Result<Commit> {
    let start = match &revision.start {
        Start::Named(name) => store::refs::find_commit(&data.db, key, name).await?.ok_or_else(|| not_found(name))?,
        Start::Id(prefix) => {
            let mut found = store::commits::find_by_prefix(&data.db, key, prefix).await?;
            match (found.pop(), found.pop()) {
                (Some(only), None) => only,
                (None, _) => return Err(Error::not_found(format!("commit `{prefix}` does not exist"))),
                (Some(second), Some(first)) => {
                    return Err(Error::invalid(format!(
                        "`{prefix}` begins the ids of several commits, among them {} and {}; write more digits",
                        first.id.short(),
                        second.id.short()
                    )));
                }
            }
        }
    };
    if revision.back == 0 {
        return Ok(start);
    }
    let mut history = History::new(data, key);
    history
        .ancestor(start, revision.back)
        .await?
        .ok_or_else(|| Error::not_found(format!("`{revision}` does not exist: the history is not that long")))
}

pub(crate) fn not_found(name: &RefName) -> Error {
    Error::not_found(format!("branch or tag `{name}` does not exist"))
}

/// Fails when a name that must be a branch's is none.
pub(crate) fn require_branch(held: Option<store::refs::Held>, name: &RefName) -> Result<store::refs::Held> {
    require_branch_kind(held.as_ref().map(|held| held.kind), name)?;
    held.ok_or_else(|| not_found(name))
}

pub(crate) fn require_branch_kind(kind: Option<RefKind>, name: &RefName) -> Result<()> {
    match kind {
        Some(RefKind::Branch) => Ok(()),
        Some(RefKind::Tag) => Err(Error::invalid(format!("`{name}` is a tag; only branches can be written to"))),
        None => Err(Error::not_found(format!("branch `{name}` does not exist"))),
    }
}
