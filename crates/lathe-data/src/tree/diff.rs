//! What two trees hold differently.

use std::cmp::Ordering;
use std::sync::Arc;

use lathe_core::Result;

use super::cursor::Cursor;
use super::node::NodeHash;
use super::nodes::Nodes;
use crate::entry::{Entry, RawEntry};

/// A path that two trees hold differently.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Difference {
    pub(crate) path: Arc<str>,
    pub(crate) before: Option<Entry>,
    pub(crate) after: Option<Entry>,
}

/// Walks two trees at once, past every node that they share.
#[derive(Debug)]
pub(crate) struct Differ {
    before: Cursor,
    after: Cursor,
}

impl Differ {
    /// Starts at the first path that is not less than `from`.
    pub(crate) async fn start(nodes: &Nodes, before: NodeHash, after: NodeHash, from: &str) -> Result<Self> {
        Ok(Self { before: Cursor::seek(nodes, before, from).await?, after: Cursor::seek(nodes, after, from).await? })
    }

    /// The next difference, in order of the paths. Entries that are the same to a reader are no difference.
    pub(crate) async fn next(&mut self) -> Result<Option<Difference>> {
        loop {
            // Two cursors in the same node stand on the same path of it: what one passed, the other did too.
            while let Some(level) = self.before.common_level(&self.after) {
                self.before.skip(level).await?;
                self.after.skip(level).await?;
            }
            let (before, after) = (self.before.peek(), self.after.peek());
            let side = match (before, after) {
                (None, None) => return Ok(None),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some((before, _)), Some((after, _))) => before.cmp(after),
            };
            let before = before.filter(|_| side.is_le());
            let after = after.filter(|_| side.is_ge());
            let difference = match (before, after) {
                (Some((_, before)), Some((_, after))) if before == after => None,
                (before, after) => match before.or(after) {
                    None => None,
                    Some((path, _)) => {
                        Some(Difference { path: path.clone(), before: decode(before)?, after: decode(after)? })
                    }
                },
            };
            if side.is_le() {
                self.before.advance().await?;
            }
            if side.is_ge() {
                self.after.advance().await?;
            }
            match difference {
                Some(Difference { before: Some(before), after: Some(after), .. }) if before.is_same(&after) => {}
                Some(difference) => return Ok(Some(difference)),
                None => {}
            }
        }
    }
}

fn decode(item: Option<(&Arc<str>, &RawEntry)>) -> Result<Option<Entry>> {
    item.map(|(_, entry)| entry.decode()).transpose()
}
