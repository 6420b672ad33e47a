//! Applying changes to a tree.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::{Stream, StreamExt as _, stream};
use lathe_core::{Error, Result};

use super::cursor::locate;
use super::cut::{Cutter, cut_level};
use super::node::{Child, Item, Node, NodeHash, Value};
use super::nodes::{NodeWriter, Nodes};
use crate::entry::Entry;

/// What a path holds from now on; `None` removes it.
pub(crate) type Change = (Arc<str>, Option<Entry>);

/// A tree after changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Applied {
    pub(crate) root: NodeHash,
    /// All paths of the tree.
    pub(crate) paths: u64,
    /// What they hold.
    pub(crate) bytes: u64,
    /// What changed, entries that are the same to a reader not counted.
    pub(crate) tally: Tally,
}

/// How many paths a set of changes really changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Tally {
    pub(crate) added: u64,
    pub(crate) changed: u64,
    pub(crate) removed: u64,
}

impl Tally {
    pub(crate) fn is_nothing(self) -> bool {
        self == Self::default()
    }

    fn count(&mut self, before: Option<&Value>, after: Option<&Value>) -> Result<()> {
        match (before, after) {
            (Some(Value::Entry(before)), Some(Value::Entry(after))) => {
                let is_same = before == after || before.decode()?.is_same(&after.decode()?);
                self.changed += u64::from(!is_same);
            }
            (None, Some(Value::Entry(_))) => self.added += 1,
            (Some(Value::Entry(_)), None) => self.removed += 1,
            _ => {}
        }
        Ok(())
    }
}

type LevelChange = (Arc<str>, Option<Value>);

/// Ordered changes, one ahead.
struct Ahead<S> {
    stream: S,
    next: Option<LevelChange>,
}

impl<S: Stream<Item = Result<LevelChange>> + Unpin> Ahead<S> {
    async fn new(mut stream: S) -> Result<Self> {
        let next = stream.next().await.transpose()?;
        Ok(Self { stream, next })
    }

    fn path(&self) -> Option<&str> {
        self.next.as_ref().map(|(path, _)| &**path)
    }

    /// The next change, if its path satisfies `is_wanted`.
    async fn take_if(&mut self, is_wanted: impl FnOnce(&str) -> bool) -> Result<Option<LevelChange>> {
        if !self.path().is_some_and(is_wanted) {
            return Ok(None);
        }
        let following = self.stream.next().await.transpose()?;
        let taken = std::mem::replace(&mut self.next, following);
        if let (Some((taken, _)), Some(next)) = (&taken, self.path())
            && next <= &**taken
        {
            return Err(Error::internal("changes of a tree came out of order"));
        }
        Ok(taken)
    }
}

/// Applies changes, in ascending order of their paths, to the tree with this root. Nodes are written as they are made; the
/// tree exists once this answers.
pub(crate) async fn apply(
    nodes: &Nodes,
    now_ms: i64,
    root: NodeHash,
    changes: impl Stream<Item = Result<Change>> + Send + Unpin,
) -> Result<Applied> {
    let mut tally = Tally::default();
    let mut writer = nodes.writer(now_ms);
    let old_root = nodes.load(root).await?;
    let changes =
        changes.map(|change| change.map(|(path, entry)| (path, entry.map(|entry| Value::Entry(entry.encode())))));
    let mut edits = apply_level(nodes, &mut writer, root, 0, Ahead::new(changes).await?, &mut tally).await?;
    if edits.is_empty() {
        let (paths, bytes) = old_root.totals()?;
        return Ok(Applied { root, paths, bytes, tally });
    }
    for level in 1..=old_root.level {
        let ahead = Ahead::new(stream::iter(edits.into_iter().map(Ok))).await?;
        edits = apply_level(nodes, &mut writer, root, level, ahead, &mut tally).await?;
    }
    let top = edits.into_iter().filter_map(|(path, value)| Some((path, value?))).collect();
    let new_root = finish(nodes, &mut writer, old_root.level, top).await?;
    let Child { hash: root, paths, bytes } = new_root;
    Ok(Applied { root, paths, bytes, tally })
}

/// One level while it is changed.
struct Level<'a> {
    writer: &'a mut NodeWriter,
    tally: &'a mut Tally,
    cutter: Cutter,
    /// What changes in the level above: nodes that are gone, nodes that are new.
    edits: BTreeMap<Arc<str>, Option<Value>>,
}

impl Level<'_> {
    async fn set(&mut self, path: Arc<str>, before: Option<&Value>, after: Option<Value>) -> Result<()> {
        self.tally.count(before, after.as_ref())?;
        self.keep(path, after).await
    }

    async fn keep(&mut self, path: Arc<str>, value: Option<Value>) -> Result<()> {
        match value.and_then(|value| self.cutter.push(path, value)) {
            Some(node) => self.end(node).await,
            None => Ok(()),
        }
    }

    async fn end(&mut self, node: Node) -> Result<()> {
        let (first, value) = self.writer.write_item(node).await?;
        self.edits.insert(first, Some(value));
        Ok(())
    }
}

/// Changes the nodes of one level; answers what that changes in the level above.
async fn apply_level(
    nodes: &Nodes,
    writer: &mut NodeWriter,
    root: NodeHash,
    number: u8,
    mut changes: Ahead<impl Stream<Item = Result<LevelChange>> + Unpin>,
    tally: &mut Tally,
) -> Result<BTreeMap<Arc<str>, Option<Value>>> {
    let mut level = Level { writer, tally, cutter: Cutter::new(number), edits: BTreeMap::new() };
    while let Some(path) = changes.path() {
        let mut old = locate(nodes, root, number, path).await?;
        loop {
            if let Some((first, _)) = old.node.items.first() {
                level.edits.entry(first.clone()).or_insert(None);
            }
            for (path, value) in &old.node.items {
                while let Some((new, after)) = changes.take_if(|next| *next < **path).await? {
                    level.set(new, None, after).await?;
                }
                match changes.take_if(|next| *next == **path).await? {
                    Some((path, after)) => level.set(path, Some(value), after).await?,
                    None => level.keep(path.clone(), Some(value.clone())).await?,
                }
            }
            let end = old.next.as_deref();
            while let Some((new, after)) = changes.take_if(|next| end.is_none_or(|end| next < end)).await? {
                level.set(new, None, after).await?;
            }
            match old.next {
                // Until a cut falls where one was before: from there on all nodes are as they were.
                Some(next) if !level.cutter.is_at_cut() => old = locate(nodes, root, number, &next).await?,
                _ => break,
            }
        }
    }
    if let Some(node) = level.cutter.finish() {
        level.end(node).await?;
    }
    Ok(level.edits)
}

/// Makes the root from all nodes of the level that the old root had.
async fn finish(nodes: &Nodes, writer: &mut NodeWriter, mut level: u8, mut top: Vec<Item>) -> Result<Child> {
    while top.len() > 1 {
        level += 1;
        let made = cut_level(level, top);
        top = Vec::with_capacity(made.len());
        for node in made {
            top.push(writer.write_item(node).await?);
        }
    }
    let Some((_, Value::Child(mut root))) = top.pop() else {
        let empty = writer.write(Node::EMPTY).await?;
        writer.flush().await?;
        return Ok(empty);
    };
    writer.flush().await?;
    // A tree is no higher than its paths need: a root with one child gives way to it.
    loop {
        let node = nodes.load(root.hash).await?;
        match node.items.as_slice() {
            [(_, Value::Child(only))] => root = *only,
            _ => return Ok(root),
        }
    }
}
