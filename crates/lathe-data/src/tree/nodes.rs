//! Where nodes are kept: a table, and a cache of the nodes read last.

use std::sync::Arc;

use bytes::Bytes;
use lathe_core::{Error, Result};
use lathe_db::{Db, FutureExt as _, Value as Column, query};
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use super::node::{Child, Item, Node, NodeHash, Value};
use crate::codec::damaged;

/// What the cache may hold, as bytes of uncompressed nodes.
const CACHE_BYTES: u64 = 64 * 1024 * 1024;
/// Roughly how many nodes that is, for the cache's own tables.
const CACHE_NODES: usize = 2_000;
/// New nodes are written in transactions of about this size.
const WRITE_BYTES: usize = 1024 * 1024;
/// What is left to gain above this level is less than it costs.
const ZSTD_LEVEL: i32 = 3;

#[derive(Debug, Clone)]
struct Cached {
    node: Arc<Node>,
    bytes: u64,
}

#[derive(Debug, Clone)]
struct ByBytes;

impl Weighter<NodeHash, Cached> for ByBytes {
    fn weight(&self, _hash: &NodeHash, cached: &Cached) -> u64 {
        cached.bytes
    }
}

/// The nodes of all repositories. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Nodes {
    db: Db,
    cache: Arc<Cache<NodeHash, Cached, ByBytes>>,
}

impl Nodes {
    pub(crate) fn new(db: Db) -> Self {
        Self { db, cache: Arc::new(Cache::with_weighter(CACHE_NODES, CACHE_BYTES, ByBytes)) }
    }

    /// Reads a node; its hash is checked when it comes from the database.
    pub(crate) async fn load(&self, hash: NodeHash) -> Result<Arc<Node>> {
        if let Some(cached) = self.cache.get(&hash) {
            return Ok(cached.node);
        }
        let (node, bytes) = self.read(hash).await?;
        let node = Arc::new(node);
        self.remember(hash, node.clone(), bytes);
        Ok(node)
    }

    /// Reads a node, and its size uncompressed, past the cache.
    pub(crate) async fn read(&self, hash: NodeHash) -> Result<(Node, u64)> {
        let statement = query("SELECT size_bytes, bytes FROM nodes WHERE hash = $1").bind(hash.0.as_slice());
        let row = self.db.fetch_optional(statement).await?;
        let row = row.ok_or_else(|| Error::internal(format!("tree node {hash} is missing; run `lathe fsck`")))?;
        let (size, compressed): (i64, Vec<u8>) = (row.get(0)?, row.get(1)?);
        let bytes = usize::try_from(size)
            .ok()
            .and_then(|size| zstd::bulk::decompress(&compressed, size).ok())
            .filter(|bytes| NodeHash::of(bytes) == hash)
            .ok_or_else(|| damaged(&format!("node {hash} has other bytes than its name says")))?;
        Ok((Node::decode(Bytes::from(bytes))?, u64::try_from(size).unwrap_or_default()))
    }

    /// How many nodes there are.
    pub(crate) async fn count(&self) -> Result<u64> {
        let count: i64 = self.db.fetch_one(query("SELECT COUNT(*) FROM nodes")).await?.get(0)?;
        Ok(u64::try_from(count).unwrap_or_default())
    }

    /// A page of nodes that nobody wrote since a time, by hash behind `after`.
    pub(crate) async fn list_untouched(
        &self,
        before_ms: i64,
        after: Option<NodeHash>,
        limit: i64,
    ) -> Result<Vec<NodeHash>> {
        let mut statement = query("SELECT hash FROM nodes WHERE touched_at_ms < ");
        statement.push_bind(before_ms);
        if let Some(after) = after {
            statement.push(" AND hash > ").push_bind(after.0.as_slice());
        }
        statement.push(" ORDER BY hash LIMIT ").push_bind(limit);
        let rows = self.db.fetch_all(statement).await?;
        rows.iter().map(|row| NodeHash::from_column(&row.get::<Vec<u8>>(0)?)).collect()
    }

    /// Deletes nodes, but for those that somebody wrote again since a time.
    pub(crate) async fn delete_untouched(&self, before_ms: i64, hashes: &[NodeHash]) -> Result<u64> {
        if hashes.is_empty() {
            return Ok(0);
        }
        let mut statement = query("DELETE FROM nodes WHERE touched_at_ms < ");
        statement.push_bind(before_ms).push(" AND hash IN ");
        statement.push_list(hashes.iter().map(|hash| hash.0.as_slice()));
        self.db.write(move |tx| async move { tx.execute(statement).await }.boxed()).await
    }

    fn remember(&self, hash: NodeHash, node: Arc<Node>, bytes: u64) {
        // A decoded item costs about as much again as a small one's bytes.
        let bytes = bytes + node.items.len() as u64 * 64 + 64;
        self.cache.insert(hash, Cached { node, bytes });
    }

    /// Starts writing the nodes of one tree.
    pub(crate) fn writer(&self, now_ms: i64) -> NodeWriter {
        NodeWriter { nodes: self.clone(), now_ms, pending: Vec::new(), pending_bytes: 0 }
    }

    /// Writes the tree without any path; answers its root.
    pub(crate) async fn write_empty(&self, now_ms: i64) -> Result<NodeHash> {
        let mut writer = self.writer(now_ms);
        let child = writer.write(Node::EMPTY).await?;
        writer.flush().await?;
        Ok(child.hash)
    }
}

struct Pending {
    hash: NodeHash,
    level: u8,
    size_bytes: i64,
    compressed: Vec<u8>,
}

/// Writes new nodes in batches. They are named by their content, so that a crash leaves garbage and nothing else.
pub(crate) struct NodeWriter {
    nodes: Nodes,
    now_ms: i64,
    pending: Vec<Pending>,
    pending_bytes: usize,
}

impl NodeWriter {
    /// Takes a node to be written; answers how its parent names it.
    pub(crate) async fn write(&mut self, node: Node) -> Result<Child> {
        let (paths, bytes) = node.totals()?;
        let encoded = node.encode();
        let hash = NodeHash::of(&encoded);
        let compressed = zstd::bulk::compress(&encoded, ZSTD_LEVEL)
            .map_err(|error| Error::internal("a node could not be compressed").with_source(error))?;
        self.pending_bytes += compressed.len();
        let size_bytes = i64::try_from(encoded.len()).map_err(|_| Error::internal("a node is too large"))?;
        self.pending.push(Pending { hash, level: node.level, size_bytes, compressed });
        self.nodes.remember(hash, Arc::new(node), encoded.len() as u64);
        if self.pending_bytes >= WRITE_BYTES {
            self.flush().await?;
        }
        Ok(Child { hash, paths, bytes })
    }

    /// Takes a node to be written; answers the item that names it one level higher.
    pub(crate) async fn write_item(&mut self, node: Node) -> Result<Item> {
        let (first, _) = node.items.first().ok_or_else(|| Error::internal("a node without items has no name"))?;
        let first = first.clone();
        Ok((first, Value::Child(self.write(node).await?)))
    }

    /// Writes what was taken and not written yet. A node that is there already is touched: gc must not take it now.
    pub(crate) async fn flush(&mut self) -> Result<()> {
        self.pending_bytes = 0;
        let mut pending = std::mem::take(&mut self.pending);
        if pending.is_empty() {
            return Ok(());
        }
        // In one order everywhere, so that two writers of the same nodes cannot wait for each other.
        pending.sort_unstable_by_key(|node| node.hash);
        pending.dedup_by_key(|node| node.hash);
        let now_ms = self.now_ms;
        let mut insert = query("INSERT INTO nodes (hash, level, size_bytes, bytes, touched_at_ms) VALUES ");
        insert.push_rows(pending.into_iter().map(|node| {
            [
                Column::from(node.hash.0.as_slice()),
                Column::from(i64::from(node.level)),
                Column::from(node.size_bytes),
                Column::from(node.compressed),
                Column::from(now_ms),
            ]
        }));
        insert.push(" ON CONFLICT (hash) DO UPDATE SET touched_at_ms = excluded.touched_at_ms");
        self.nodes.db.write(move |tx| async move { tx.execute(insert).await }.boxed()).await.map(|_| ())
    }
}
