//! What differs: between two refs, or between a branch and what is staged on it.

use std::collections::{BTreeMap, VecDeque};

use lathe_core::{Action, Ctx, Error, Result};

use crate::entry::Entry;
use crate::key::after_prefix;
use crate::repositories::find_key;
use crate::store::staged::{From, StagedPath};
use crate::store::{self, RepoKey};
use crate::tree::{self, Differ, Difference, NodeHash};
use crate::{Data, ObjectKey, RefKind, RefName, RepositoryName, Revision, refs, uses, validate};

const MAX_PAGE: usize = 1_000;
const STAGED_PAGE: usize = 1_000;
/// A summary names so many folders; what is in others counts in the total alone.
const MAX_FOLDERS: usize = 1_000;
const SEPARATOR: char = '/';

/// What is compared.
#[derive(Debug, Clone)]
pub enum Compared {
    /// One state with another.
    Refs {
        /// The old state.
        from: Revision,
        /// The new state.
        to: Revision,
    },
    /// A branch's commit with what is staged on it.
    Uncommitted(RefName),
}

/// What happened to a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    /// It was not there before.
    Added,
    /// It holds something else.
    Changed,
    /// It is not there any more.
    Removed,
}

impl ChangeKind {
    /// The kind as it stands in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            ChangeKind::Added => "added",
            ChangeKind::Changed => "changed",
            ChangeKind::Removed => "removed",
        }
    }
}

/// A path that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Where.
    pub path: ObjectKey,
    /// What it held.
    pub before: Option<Entry>,
    /// What it holds.
    pub after: Option<Entry>,
}

impl Change {
    /// What happened.
    pub fn kind(&self) -> ChangeKind {
        match (&self.before, &self.after) {
            (None, _) => ChangeKind::Added,
            (Some(_), None) => ChangeKind::Removed,
            (Some(_), Some(_)) => ChangeKind::Changed,
        }
    }
}

/// Which part of a comparison.
#[derive(Debug, Clone)]
pub struct ListChanges {
    /// What is compared.
    pub compared: Compared,
    /// Only paths that begin with this.
    pub prefix: String,
    /// The previous page's token.
    pub page_token: Option<String>,
    /// 1-1,000.
    pub max_results: usize,
}

/// A page of changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeList {
    /// In order of the paths.
    pub changes: Vec<Change>,
    /// Where the next page starts; `None` on the last page.
    pub next_page_token: Option<String>,
}

/// How much changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Paths that are new.
    pub added: u64,
    /// Paths that hold something else.
    pub changed: u64,
    /// Paths that are gone.
    pub removed: u64,
    /// Bytes of new and changed paths, as they are.
    pub bytes_after: u64,
    /// Bytes of changed and removed paths, as they were.
    pub bytes_before: u64,
}

impl Counts {
    fn count(&mut self, change: &Difference) {
        match (&change.before, &change.after) {
            (None, Some(_)) => self.added += 1,
            (Some(_), None) => self.removed += 1,
            _ => self.changed += 1,
        }
        let size = |entry: &Option<Entry>| entry.as_ref().map_or(0, |entry| entry.size_bytes);
        self.bytes_before = self.bytes_before.saturating_add(size(&change.before));
        self.bytes_after = self.bytes_after.saturating_add(size(&change.after));
    }
}

/// How much changed below a prefix, and in each of its folders.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ChangeSummary {
    /// All of it.
    pub total: Counts,
    /// By folder, with its `/`; what lies directly below the prefix is under the prefix itself.
    pub folders: BTreeMap<String, Counts>,
    /// Whether more folders changed than are named.
    pub is_truncated: bool,
}

/// The paths that differ, in order. Entries with equal bytes, type and metadata do not.
///
/// # Errors
/// `NotFound` for the repository or a ref, `InvalidArgument` for a bad page.
pub async fn list_changes(
    ctx: &Ctx,
    data: &Data,
    repository: &RepositoryName,
    request: ListChanges,
) -> Result<ChangeList> {
    ctx.authorize(Action::Read)?;
    let limit = validate::limit("max_results", request.max_results, MAX_PAGE)?;
    let ListChanges { compared, prefix, page_token, .. } = request;
    let from = match page_token.filter(|token| !token.is_empty()) {
        None => From::At(prefix.clone()),
        Some(token) => match token.strip_prefix('>') {
            Some(path) if path.starts_with(&prefix) => From::After(path.to_owned()),
            _ => {
                return Err(Error::invalid(format!(
                    "Invalid page token {token:?}; pass the token of the previous page and repeat the query unchanged"
                )));
            }
        },
    };
    let mut differences = Differences::open(ctx, data, repository, &compared, &prefix, from).await?;
    let mut changes: Vec<Change> = Vec::new();
    while let Some(Difference { path, before, after }) = differences.next().await? {
        if changes.len() == limit {
            let next_page_token = changes.last().map(|last| format!(">{}", last.path));
            return Ok(ChangeList { changes, next_page_token });
        }
        changes.push(Change { path: ObjectKey::from_trusted(path), before, after });
    }
    Ok(ChangeList { changes, next_page_token: None })
}

/// How much differs, in all and by folder.
///
/// # Errors
/// `NotFound` for the repository or a ref.
pub async fn summarize_changes(
    ctx: &Ctx,
    data: &Data,
    repository: &RepositoryName,
    compared: &Compared,
    prefix: &str,
) -> Result<ChangeSummary> {
    ctx.authorize(Action::Read)?;
    let from = From::At(prefix.to_owned());
    let mut differences = Differences::open(ctx, data, repository, compared, prefix, from).await?;
    let mut summary = ChangeSummary::default();
    while let Some(change) = differences.next().await? {
        summary.total.count(&change);
        let rest = change.path.get(prefix.len()..).unwrap_or_default();
        let folder = match rest.find(SEPARATOR) {
            Some(at) => change.path.get(..=prefix.len() + at).unwrap_or_default(),
            None => prefix,
        };
        if let Some(counts) = summary.folders.get_mut(folder) {
            counts.count(&change);
        } else if summary.folders.len() < MAX_FOLDERS {
            summary.folders.entry(folder.to_owned()).or_default().count(&change);
        } else {
            summary.is_truncated = true;
        }
    }
    Ok(summary)
}

/// Walks the differences below a prefix.
struct Differences<'d> {
    walk: Walk<'d>,
    prefix: String,
    skipped: Option<String>,
}

enum Walk<'d> {
    Trees(Box<Differ>),
    Staged(Box<Staged<'d>>),
}

impl<'d> Differences<'d> {
    async fn open(
        ctx: &Ctx,
        data: &'d Data,
        repository: &RepositoryName,
        compared: &Compared,
        prefix: &str,
        from: From,
    ) -> Result<Self> {
        validate::prefix(prefix)?;
        validate::prefix(from.text())?;
        let key = find_key(ctx, data, repository).await?;
        let skipped = match &from {
            From::At(_) => None,
            From::After(path) => Some(path.clone()),
        };
        let walk = match compared {
            Compared::Refs { from: before, to: after } => {
                let before = uses::resolve_unheld(ctx, data, key, before).await?.root;
                let after = uses::resolve_unheld(ctx, data, key, after).await?.root;
                Walk::Trees(Box::new(Differ::start(&data.nodes, before, after, from.text()).await?))
            }
            Compared::Uncommitted(branch) => {
                match store::refs::find(&data.db, key, branch).await?.map(|named| named.kind) {
                    Some(RefKind::Branch) => {}
                    Some(RefKind::Tag) => {
                        return Err(Error::invalid(format!(
                            "`{branch}` is a tag, and only branches have uncommitted changes"
                        )));
                    }
                    None => return Err(Error::not_found(format!("branch `{branch}` does not exist"))),
                }
                let (branch, end) = (branch.clone(), after_prefix(prefix));
                let page = VecDeque::new();
                Walk::Staged(Box::new(Staged { data, key, branch, end, from, root: None, page, is_last: false }))
            }
        };
        Ok(Self { walk, prefix: prefix.to_owned(), skipped })
    }

    async fn next(&mut self) -> Result<Option<Difference>> {
        loop {
            let next = match &mut self.walk {
                Walk::Trees(differ) => differ.next().await?,
                Walk::Staged(staged) => staged.next().await?,
            };
            match next {
                Some(next) if !next.path.starts_with(&self.prefix) => return Ok(None),
                Some(next) if self.skipped.as_deref() == Some(&*next.path) => {}
                next => return Ok(next),
            }
        }
    }
}

/// Walks what is staged on a branch, beside what its commit holds.
struct Staged<'d> {
    data: &'d Data,
    key: RepoKey,
    branch: RefName,
    end: Option<String>,
    from: From,
    root: Option<NodeHash>,
    page: VecDeque<StagedPath>,
    is_last: bool,
}

impl Staged<'_> {
    async fn next(&mut self) -> Result<Option<Difference>> {
        loop {
            if self.page.is_empty() && !self.is_last {
                let (branch, from) = (&self.branch, &self.from);
                let read =
                    store::staged::overlay(&self.data.db, self.key, branch, from, self.end.as_deref(), STAGED_PAGE);
                let read = read.await?.ok_or_else(|| refs::not_found(branch))?;
                (self.root, self.page, self.is_last) = (Some(read.root), read.staged.paths.into(), read.staged.is_last);
            }
            let (Some((path, entry)), Some(root)) = (self.page.pop_front(), self.root) else { return Ok(None) };
            self.from = From::After(path.to_string());
            let after = entry.map(|entry| entry.decode()).transpose()?;
            let before = tree::get(&self.data.nodes, root, &path).await?;
            let before = before.map(|entry| entry.decode()).transpose()?;
            let is_same = match (&before, &after) {
                (None, None) => true,
                (Some(before), Some(after)) => before.is_same(after),
                _ => false,
            };
            if !is_same {
                return Ok(Some(Difference { path, before, after }));
            }
        }
    }
}
