//! One node and its format on disk.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use lathe_core::{Error, Result};

use crate::codec::{Reader, damaged, put_bytes, put_len, put_uint};
use crate::entry::RawEntry;

const VERSION: u8 = 1;
/// Higher than any tree grows: each level halves the one below it at least.
const MAX_LEVEL: u8 = 64;

/// BLAKE3 of a node's bytes, uncompressed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct NodeHash(pub(crate) [u8; 32]);

impl NodeHash {
    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self(blake3::hash(bytes).into())
    }

    /// Reads a hash from a column.
    pub(crate) fn from_column(bytes: &[u8]) -> Result<Self> {
        let array = bytes.try_into().map_err(|_| Error::internal("a node's hash has not 32 bytes"))?;
        Ok(Self(array))
    }
}

impl fmt::Display for NodeHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for NodeHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// A node below another one, and what is below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Child {
    pub(crate) hash: NodeHash,
    pub(crate) paths: u64,
    pub(crate) bytes: u64,
}

/// What a node holds under a path: in a leaf the path's entry, above it the child that begins with the path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Entry(RawEntry),
    Child(Child),
}

impl Value {
    /// How many paths are below, and how many bytes they hold.
    pub(crate) fn totals(&self) -> Result<(u64, u64)> {
        match self {
            Value::Entry(entry) => Ok((1, entry.size_bytes()?)),
            Value::Child(child) => Ok((child.paths, child.bytes)),
        }
    }
}

pub(crate) type Item = (Arc<str>, Value);

/// A sorted list of items: entries at level 0, children above it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) level: u8,
    pub(crate) items: Vec<Item>,
}

impl Node {
    /// The tree without any path.
    pub(crate) const EMPTY: Node = Node { level: 0, items: Vec::new() };

    /// How many paths are below, and how many bytes they hold.
    pub(crate) fn totals(&self) -> Result<(u64, u64)> {
        self.items.iter().try_fold((0, 0), |(paths, bytes): (u64, u64), (_, value)| {
            let (more_paths, more_bytes) = value.totals()?;
            Ok((paths.saturating_add(more_paths), bytes.saturating_add(more_bytes)))
        })
    }

    pub(crate) fn encode(&self) -> Bytes {
        let mut out = vec![VERSION, self.level];
        put_len(&mut out, self.items.len());
        for (path, value) in &self.items {
            put_bytes(&mut out, path.as_bytes());
            match value {
                Value::Entry(entry) => put_bytes(&mut out, &entry.0),
                Value::Child(child) => {
                    out.extend_from_slice(&child.hash.0);
                    put_uint(&mut out, child.paths);
                    put_uint(&mut out, child.bytes);
                }
            }
        }
        out.into()
    }

    /// Reads a node. Entries stay undecoded slices of `bytes`.
    pub(crate) fn decode(bytes: Bytes) -> Result<Self> {
        let mut reader = Reader::new(bytes);
        let version = reader.byte()?;
        if version != VERSION {
            return Err(damaged(&format!("a node has format {version}, which this version of Lathe does not know")));
        }
        let level = reader.byte()?;
        if level > MAX_LEVEL {
            return Err(damaged("a node's level is too high"));
        }
        let count = reader.len()?;
        if level > 0 && count == 0 {
            return Err(damaged("an inner node is empty"));
        }
        let mut items: Vec<Item> = Vec::with_capacity(count);
        for _ in 0..count {
            let path: Arc<str> = reader.text()?.into();
            if items.last().is_some_and(|(last, _)| *last >= path) {
                return Err(damaged("a node's paths are out of order"));
            }
            let value = if level == 0 {
                Value::Entry(RawEntry(reader.bytes()?))
            } else {
                Value::Child(Child { hash: NodeHash(reader.array()?), paths: reader.uint()?, bytes: reader.uint()? })
            };
            items.push((path, value));
        }
        reader.finish()?;
        Ok(Self { level, items })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::entry::tests::inline;

    fn nodes() -> impl Strategy<Value = Node> {
        let leaf = prop::collection::btree_map(".{0,8}", ".{0,20}", 0..8).prop_map(|entries| Node {
            level: 0,
            items: entries
                .into_iter()
                .map(|(path, text)| (Arc::from(path), Value::Entry(inline(&text).encode())))
                .collect(),
        });
        let child = (any::<[u8; 32]>(), any::<u64>(), any::<u64>());
        let inner = (1..5_u8, prop::collection::btree_map(".{0,8}", child, 1..8)).prop_map(|(level, children)| Node {
            level,
            items: children
                .into_iter()
                .map(|(path, (hash, paths, bytes))| {
                    (Arc::from(path), Value::Child(Child { hash: NodeHash(hash), paths, bytes }))
                })
                .collect(),
        });
        prop_oneof![leaf, inner]
    }

    proptest! {
        #[test]
        fn a_node_comes_back(node in nodes()) {
            prop_assert_eq!(Node::decode(node.encode()).unwrap(), node);
        }

        #[test]
        fn any_bytes_are_a_node_or_an_error(mut bytes in prop::collection::vec(any::<u8>(), 0..200), plausible in any::<bool>()) {
            if plausible && bytes.len() > 2 {
                (bytes[0], bytes[1], bytes[2]) = (VERSION, bytes[1] % 3, bytes[2] % 4);
            }
            if let Ok(node) = Node::decode(bytes.clone().into()) {
                prop_assert_eq!(&node.encode()[..], &bytes[..]);
            }
        }

        #[test]
        fn a_changed_byte_is_another_node_or_an_error(node in nodes(), at in any::<prop::sample::Index>(), by in 1..=255_u8) {
            let mut bytes = node.encode().to_vec();
            let at = at.index(bytes.len());
            bytes[at] ^= by;
            if let Ok(other) = Node::decode(bytes.into()) {
                prop_assert_ne!(other, node);
            }
        }
    }
}
