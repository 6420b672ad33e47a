//! Where nodes end.

use std::sync::Arc;

use super::node::{Item, Node, Value};

/// A node has so many items on average. (Tests grow higher trees from fewer paths.)
const MEAN_ITEMS: u32 = if cfg!(test) { 16 } else { 256 };
/// A node is cut after an item whose hash is less than this.
const CUT_BELOW: u32 = u32::MAX / MEAN_ITEMS;
/// A run of paths without a cut ends here: once in nine million nodes.
const MAX_ITEMS: usize = if cfg!(test) { 64 } else { 4_096 };
/// Inner nodes have two items at least (the last of a level may have one), so that each level is half of the one below it.
const MIN_INNER_ITEMS: usize = 2;

/// Gathers items in order and says where a node ends. That depends on the paths since the last cut and on nothing else.
#[derive(Debug)]
pub(super) struct Cutter {
    level: u8,
    items: Vec<Item>,
}

impl Cutter {
    pub(super) fn new(level: u8) -> Self {
        Self { level, items: Vec::new() }
    }

    /// Whether the next item begins a node.
    pub(super) fn is_at_cut(&self) -> bool {
        self.items.is_empty()
    }

    /// Adds an item; answers the node that it ends, if it does.
    pub(super) fn push(&mut self, path: Arc<str>, value: Value) -> Option<Node> {
        let is_hash_cut = is_cut(self.level, &path);
        self.items.push((path, value));
        let count = self.items.len();
        let is_long_enough = self.level == 0 || count >= MIN_INNER_ITEMS;
        if (is_hash_cut && is_long_enough) || count >= MAX_ITEMS { self.finish() } else { None }
    }

    /// The node of the items that are left, at the end of a level.
    pub(super) fn finish(&mut self) -> Option<Node> {
        let items = std::mem::take(&mut self.items);
        (!items.is_empty()).then_some(Node { level: self.level, items })
    }
}

/// The level is hashed too: a path that ends a leaf must not end the nodes above it as well.
fn is_cut(level: u8, path: &str) -> bool {
    let hash = blake3::Hasher::new().update(&[level]).update(path.as_bytes()).finalize();
    let [a, b, c, d, ..] = *hash.as_bytes();
    u32::from_be_bytes([a, b, c, d]) < CUT_BELOW
}

/// Cuts a whole level at once.
pub(super) fn cut_level(level: u8, items: impl IntoIterator<Item = Item>) -> Vec<Node> {
    let mut cutter = Cutter::new(level);
    let mut nodes = Vec::new();
    for (path, value) in items {
        nodes.extend(cutter.push(path, value));
    }
    nodes.extend(cutter.finish());
    nodes
}
