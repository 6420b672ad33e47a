//! Three-way merge of trees.

use std::cmp::Ordering;
use std::sync::Arc;

use lathe_core::Result;

use super::diff::{Differ, Difference};
use super::node::NodeHash;
use super::nodes::Nodes;
use crate::entry::Entry;

/// A path that merging changes, or cannot decide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) path: Arc<str>,
    /// What their side holds: what ours becomes when nothing clashes.
    pub(crate) theirs: Option<Entry>,
    /// Both sides changed it, differently.
    pub(crate) clash: Option<Clash>,
}

/// What their change of a path clashes with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Clash {
    pub(crate) base: Option<Entry>,
    pub(crate) ours: Option<Entry>,
}

/// Walks the differences of two trees from their common ancestor.
#[derive(Debug)]
pub(crate) struct Merger {
    ours: Differ,
    theirs: Differ,
    next_ours: Option<Difference>,
    next_theirs: Option<Difference>,
}

impl Merger {
    pub(crate) async fn start(nodes: &Nodes, base: NodeHash, ours: NodeHash, theirs: NodeHash) -> Result<Self> {
        let mut ours = Differ::start(nodes, base, ours, "").await?;
        let mut theirs = Differ::start(nodes, base, theirs, "").await?;
        let (next_ours, next_theirs) = (ours.next().await?, theirs.next().await?);
        Ok(Self { ours, theirs, next_ours, next_theirs })
    }

    /// The next path that merging changes or cannot decide. What both sides changed alike is decided.
    pub(crate) async fn next(&mut self) -> Result<Option<Step>> {
        loop {
            let side = match (&self.next_ours, &self.next_theirs) {
                (_, None) => return Ok(None),
                (None, Some(_)) => Ordering::Greater,
                (Some(ours), Some(theirs)) => ours.path.cmp(&theirs.path),
            };
            let ours = if side.is_le() {
                let following = self.ours.next().await?;
                std::mem::replace(&mut self.next_ours, following)
            } else {
                None
            };
            if side.is_lt() {
                continue;
            }
            let following = self.theirs.next().await?;
            let Some(theirs) = std::mem::replace(&mut self.next_theirs, following) else { return Ok(None) };
            let Difference { path, before: base, after: theirs } = theirs;
            let Some(ours) = ours else { return Ok(Some(Step { path, theirs, clash: None })) };
            let is_alike = match (&ours.after, &theirs) {
                (Some(ours), Some(theirs)) => ours.is_same(theirs),
                (ours, theirs) => ours.is_none() && theirs.is_none(),
            };
            if !is_alike {
                return Ok(Some(Step { path, theirs, clash: Some(Clash { base, ours: ours.after }) }));
            }
        }
    }
}
