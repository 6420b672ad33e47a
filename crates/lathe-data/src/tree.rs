//! The tree of a commit: a prolly tree, a sorted map from path to entry whose shape depends on its paths alone.
//!
//! Nodes are cut where the hash of a path says so, so the same set of entries makes the same nodes whatever the order of
//! edits, trees share every node that is equal, and diff and merge skip what is shared. An edit reads and writes one node of
//! each level.

mod apply;
mod cursor;
mod cut;
mod diff;
mod merge;
mod node;
mod nodes;
#[cfg(test)]
mod tests;

pub(crate) use apply::{Applied, Change, Tally, apply};
pub(crate) use cursor::{Cursor, get};
pub(crate) use diff::{Differ, Difference};
pub(crate) use merge::{Clash, Merger, Step};
pub(crate) use node::{Child, NodeHash, Value};
pub(crate) use nodes::Nodes;
