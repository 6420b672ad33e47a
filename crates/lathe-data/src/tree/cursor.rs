//! A position in a tree.

use std::sync::Arc;

use lathe_core::Result;

use super::node::{Node, NodeHash, Value};
use super::nodes::Nodes;
use crate::codec::damaged;
use crate::entry::RawEntry;

#[derive(Debug)]
struct Frame {
    hash: NodeHash,
    node: Arc<Node>,
    at: usize,
}

/// Stands on a path of a tree, or behind its end, and moves forward.
#[derive(Debug)]
pub(crate) struct Cursor {
    nodes: Nodes,
    /// From the root to the leaf; empty behind the end.
    stack: Vec<Frame>,
}

impl Cursor {
    /// Stands on the first path that is not less than `from`.
    pub(crate) async fn seek(nodes: &Nodes, root: NodeHash, from: &str) -> Result<Self> {
        let mut cursor = Self { nodes: nodes.clone(), stack: Vec::new() };
        let mut hash = root;
        loop {
            let node = nodes.load(hash).await?;
            let at = if node.level == 0 {
                node.items.partition_point(|(path, _)| **path < *from)
            } else {
                child_of(&node, from)
            };
            let child = node.items.get(at).map(|(_, value)| value.clone());
            let level = node.level;
            cursor.stack.push(Frame { hash, node, at });
            match child {
                Some(Value::Child(child)) if level > 0 => hash = child.hash,
                _ => break,
            }
        }
        cursor.settle().await?;
        Ok(cursor)
    }

    /// The path it stands on, and its entry; `None` behind the end.
    pub(crate) fn peek(&self) -> Option<(&Arc<str>, &RawEntry)> {
        let frame = self.stack.last()?;
        match frame.node.items.get(frame.at)? {
            (path, Value::Entry(entry)) => Some((path, entry)),
            (_, Value::Child(_)) => None,
        }
    }

    /// Goes to the next path.
    pub(crate) async fn advance(&mut self) -> Result<()> {
        if let Some(frame) = self.stack.last_mut() {
            frame.at += 1;
        }
        self.settle().await
    }

    /// Goes behind the node of this level that it stands in.
    pub(crate) async fn skip(&mut self, level: u8) -> Result<()> {
        while self.stack.last().is_some_and(|frame| frame.node.level < level) {
            self.stack.pop();
        }
        if let Some(frame) = self.stack.last_mut() {
            frame.at = frame.node.items.len();
        }
        self.settle().await
    }

    /// The highest level at which both stand in the same node.
    pub(crate) fn common_level(&self, other: &Self) -> Option<u8> {
        // Both stacks end with a leaf: the frames of one level have the same place from the end.
        let mut pairs = self.stack.iter().rev().zip(other.stack.iter().rev());
        pairs.rfind(|(own, others)| own.hash == others.hash).map(|(own, _)| own.node.level)
    }

    /// From wherever it stands to the next path: out of nodes that are at their end, down to a leaf.
    async fn settle(&mut self) -> Result<()> {
        while let Some(frame) = self.stack.last() {
            match frame.node.items.get(frame.at) {
                None => {
                    self.stack.pop();
                    if let Some(parent) = self.stack.last_mut() {
                        parent.at += 1;
                    }
                }
                Some((_, Value::Entry(_))) => return Ok(()),
                Some((_, Value::Child(child))) => {
                    let (hash, level) = (child.hash, frame.node.level);
                    let node = self.nodes.load(hash).await?;
                    if node.level + 1 != level {
                        return Err(damaged("a node's level is not one below its parent's"));
                    }
                    self.stack.push(Frame { hash, node, at: 0 });
                }
            }
        }
        Ok(())
    }
}

/// What a path holds.
pub(crate) async fn get(nodes: &Nodes, root: NodeHash, path: &str) -> Result<Option<RawEntry>> {
    let leaf = locate(nodes, root, 0, path).await?.node;
    let found = leaf.items.binary_search_by(|(item, _)| (**item).cmp(path)).ok();
    Ok(found.and_then(|at| leaf.items.get(at)).and_then(|(_, value)| match value {
        Value::Entry(entry) => Some(entry.clone()),
        Value::Child(_) => None,
    }))
}

/// A node of some level, and the first path of the node after it.
#[derive(Debug)]
pub(super) struct Located {
    pub(super) node: Arc<Node>,
    pub(super) next: Option<Arc<str>>,
}

/// The node of this level that a path belongs into. Paths before the first belong into the first.
pub(super) async fn locate(nodes: &Nodes, root: NodeHash, level: u8, path: &str) -> Result<Located> {
    let (mut hash, mut next) = (root, None);
    loop {
        let node = nodes.load(hash).await?;
        if node.level <= level {
            return Ok(Located { node, next });
        }
        let at = child_of(&node, path);
        if let Some((after, _)) = node.items.get(at + 1) {
            next = Some(after.clone());
        }
        match node.items.get(at) {
            Some((_, Value::Child(child))) => hash = child.hash,
            _ => return Err(damaged("an inner node has no child")),
        }
    }
}

fn child_of(node: &Node, path: &str) -> usize {
    node.items.partition_point(|(first, _)| **first <= *path).saturating_sub(1)
}
