//! Listing the paths of a ref: on a branch, what is staged over what is committed.

use std::collections::VecDeque;
use std::sync::Arc;

use lathe_core::{Action, Ctx, Error, Result};

use crate::entry::{Entry, RawEntry};
use crate::key::after_prefix;
use crate::repositories::find_key;
use crate::store::staged::{From, Overlay, Page, StagedPath};
use crate::store::{self, RepoKey};
use crate::tree::{Cursor, NodeHash};
use crate::uses::View;
use crate::{Data, ObjectKey, RefName, RepositoryName, Revision, refs, validate};

/// S3's limit of a page.
const MAX_KEYS: usize = 1_000;
/// How many staged rows are read at first, and after a jump, which often leads to another one.
const FIRST_STAGED: usize = 64;
/// Up to how many staged rows are read at a time.
const MOST_STAGED: usize = 1_024;

/// Which paths.
#[derive(Debug, Clone, Default)]
pub struct ListObjects {
    /// Only paths that begin with this.
    pub prefix: String,
    /// Paths with this behind the prefix are listed once, as what they have in common up to it.
    pub delimiter: Option<String>,
    /// Only what sorts after this; after a common prefix, nothing of what it stands for.
    pub start_after: Option<String>,
    /// The previous page's token; stronger than `start_after`.
    pub page_token: Option<String>,
    /// 1-1,000.
    pub max_keys: usize,
}

/// One line of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listed {
    /// A file.
    Object {
        /// Where it is.
        path: ObjectKey,
        /// What it is.
        entry: Entry,
    },
    /// What several paths begin with, up to and with the delimiter.
    Prefix(String),
}

/// A page of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectList {
    /// In order of the paths.
    pub items: Vec<Listed>,
    /// Where the next page starts; `None` on the last page.
    pub next_page_token: Option<String>,
}

/// Lists paths of a ref, in order.
///
/// # Errors
/// `NotFound` for the repository or the ref, `InvalidArgument` for a bad page.
pub async fn list_objects(
    ctx: &Ctx,
    data: &Data,
    repository: &RepositoryName,
    revision: &Revision,
    request: ListObjects,
) -> Result<ObjectList> {
    ctx.authorize(Action::Read)?;
    let max_keys = validate::limit("max_keys", request.max_keys, MAX_KEYS)?;
    let ListObjects { prefix, delimiter, start_after, page_token, .. } = request;
    for text in [Some(&prefix), delimiter.as_ref(), start_after.as_ref()].into_iter().flatten() {
        validate::prefix(text)?;
    }
    let delimiter = delimiter.filter(|delimiter| !delimiter.is_empty());
    let key = find_key(ctx, data, repository).await?;
    let view = View::open(ctx, data, key, revision).await?;
    let source = Source::of(data, key, &view.revision).await?;
    let from = match page_token.as_deref().filter(|token| !token.is_empty()) {
        Some(token) => read_token(token)?,
        None => match start_after {
            None => From::At(prefix.clone()),
            Some(after) => behind_common_prefix(&after, &prefix, delimiter.as_deref()).unwrap_or(From::After(after)),
        },
    };
    let from = if from.text() < prefix.as_str() { From::At(prefix.clone()) } else { from };
    let mut scan = Scan::open(data, key, source, &prefix, from).await?;
    let mut items = Vec::new();
    // Where nothing is, nothing is read: writers look so at where they will write. And what a run writes to is no source of it.
    let mut is_recorded = view.is_followed();
    while let Some(Scanned { path, entry, is_committed }) = scan.next().await? {
        if is_committed && !is_recorded {
            view.record(ctx, data, repository).await?;
            is_recorded = true;
        }
        if items.len() == max_keys {
            return Ok(ObjectList { next_page_token: items.last().map(token_after), items });
        }
        let common = delimiter.as_deref().and_then(|delimiter| common_prefix(&path, &prefix, delimiter));
        match common {
            None => items.push(Listed::Object { path: ObjectKey::from_trusted(path), entry: entry.decode()? }),
            Some(common) => {
                let behind = after_prefix(common);
                items.push(Listed::Prefix(common.to_owned()));
                match behind {
                    Some(behind) => scan.seek(From::At(behind)).await?,
                    None => return Ok(ObjectList { items, next_page_token: None }),
                }
            }
        }
    }
    Ok(ObjectList { items, next_page_token: None })
}

/// The beginning of a path up to and with the first delimiter behind the prefix.
fn common_prefix<'p>(path: &'p str, prefix: &str, delimiter: &str) -> Option<&'p str> {
    let at = path.get(prefix.len()..)?.find(delimiter)?;
    path.get(..prefix.len() + at + delimiter.len())
}

/// Where a listing goes on behind a text that is one of its common prefixes.
fn behind_common_prefix(text: &str, prefix: &str, delimiter: Option<&str>) -> Option<From> {
    let common = text.starts_with(prefix).then(|| common_prefix(text, prefix, delimiter?)).flatten()?;
    (common == text).then(|| after_prefix(common)).flatten().map(From::At)
}

/// A token says where to go on: `>path` behind a path, `=text` at a text.
fn token_after(last: &Listed) -> String {
    match last {
        Listed::Object { path, .. } => format!(">{path}"),
        Listed::Prefix(common) => match after_prefix(common) {
            Some(behind) => format!("={behind}"),
            None => format!(">{common}"),
        },
    }
}

fn read_token(token: &str) -> Result<From> {
    match (token.strip_prefix('>'), token.strip_prefix('=')) {
        (Some(text), _) => validate::position(text).map(|()| From::After(text.to_owned())),
        (_, Some(text)) => validate::position(text).map(|()| From::At(text.to_owned())),
        _ => {
            Err(Error::invalid(format!("Invalid page token {token:?}; pass the token of the previous page unchanged")))
        }
    }
}

/// What is listed.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    /// A ref, with what is staged on it.
    Ref(RefName),
    /// A commit's tree.
    Tree(NodeHash),
}

impl Source {
    pub(crate) async fn of(data: &Data, key: RepoKey, revision: &Revision) -> Result<Self> {
        Ok(match revision.as_name() {
            Some(name) => Source::Ref(name.clone()),
            None => Source::Tree(refs::resolve(data, key, revision).await?.root),
        })
    }
}

/// A path that a walk came to.
#[derive(Debug)]
pub(crate) struct Scanned {
    pub(crate) path: Arc<str>,
    pub(crate) entry: RawEntry,
    /// Whether a commit holds it; else it is staged.
    pub(crate) is_committed: bool,
}

/// Walks the paths of a source that begin with a prefix.
///
/// Each page of staged changes is read together with the branch's tree. When a commit moves changes from one to the other between
/// two pages, the walk goes on in the new tree: nothing is missed and nothing comes twice.
pub(crate) struct Scan<'d> {
    data: &'d Data,
    key: RepoKey,
    source: Source,
    prefix: String,
    end: Option<String>,
    from: From,
    root: NodeHash,
    tree: Cursor,
    staged: VecDeque<StagedPath>,
    is_staged_read: bool,
    /// How many staged rows are read next.
    page: usize,
}

impl<'d> Scan<'d> {
    pub(crate) async fn open(data: &'d Data, key: RepoKey, source: Source, prefix: &str, from: From) -> Result<Self> {
        let end = after_prefix(prefix);
        let page = read_page(data, key, &source, &from, end.as_deref(), FIRST_STAGED).await?;
        let tree = seek(data, page.root, &from).await?;
        Ok(Self {
            data,
            key,
            source,
            prefix: prefix.to_owned(),
            end,
            from,
            root: page.root,
            tree,
            staged: page.staged.paths.into(),
            is_staged_read: page.staged.is_last,
            page: FIRST_STAGED * 2,
        })
    }

    /// The next path that is there.
    pub(crate) async fn next(&mut self) -> Result<Option<Scanned>> {
        loop {
            if self.staged.is_empty() && !self.is_staged_read {
                self.read_staged().await?;
            }
            let committed = self.tree.peek().filter(|(path, _)| path.starts_with(&self.prefix));
            let is_staged = match (committed, self.staged.front()) {
                (None, None) => return Ok(None),
                (Some(_), None) => false,
                (None, Some(_)) => true,
                (Some((committed, _)), Some((staged, _))) => staged <= committed,
            };
            let (path, entry) = if is_staged {
                let is_hidden = matches!((committed, self.staged.front()), (Some((a, _)), Some((b, _))) if a == b);
                if is_hidden {
                    self.tree.advance().await?;
                }
                match self.staged.pop_front() {
                    Some((path, entry)) => (path, entry),
                    None => return Ok(None),
                }
            } else {
                let Some((path, entry)) = committed.map(|(path, entry)| (path.clone(), entry.clone())) else {
                    return Ok(None);
                };
                self.tree.advance().await?;
                (path, Some(entry))
            };
            self.from = From::After(path.to_string());
            if let Some(entry) = entry {
                return Ok(Some(Scanned { path, entry, is_committed: !is_staged }));
            }
        }
    }

    /// Goes forward.
    pub(crate) async fn seek(&mut self, from: From) -> Result<()> {
        while self.staged.front().is_some_and(|(path, _)| **path < *from.text()) {
            self.staged.pop_front();
        }
        self.tree = seek(self.data, self.root, &from).await?;
        self.from = from;
        self.page = FIRST_STAGED;
        Ok(())
    }

    async fn read_staged(&mut self) -> Result<()> {
        let (source, from, end) = (&self.source, &self.from, self.end.as_deref());
        let page = read_page(self.data, self.key, source, from, end, self.page).await?;
        self.page = MOST_STAGED.min(self.page * 2);
        if page.root != self.root {
            self.root = page.root;
            self.tree = seek(self.data, self.root, &self.from).await?;
        }
        (self.staged, self.is_staged_read) = (page.staged.paths.into(), page.staged.is_last);
        Ok(())
    }
}

async fn seek(data: &Data, root: NodeHash, from: &From) -> Result<Cursor> {
    let mut cursor = Cursor::seek(&data.nodes, root, from.text()).await?;
    if let From::After(path) = from
        && cursor.peek().is_some_and(|(at, _)| **at == **path)
    {
        cursor.advance().await?;
    }
    Ok(cursor)
}

async fn read_page(
    data: &Data,
    key: RepoKey,
    source: &Source,
    from: &From,
    end: Option<&str>,
    limit: usize,
) -> Result<Overlay> {
    match source {
        Source::Tree(root) => Ok(Overlay { root: *root, staged: Page { paths: Vec::new(), is_last: true } }),
        Source::Ref(name) => {
            store::staged::overlay(&data.db, key, name, from, end, limit).await?.ok_or_else(|| refs::not_found(name))
        }
    }
}
