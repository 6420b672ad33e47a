//! Garbage of this room: tree nodes that no commit reaches, and rows of changes that commits took.
//!
//! Called while a collection of garbage runs; only one runs at a time. Nodes are marked from the commits' roots, and what is
//! not marked goes if nobody wrote it for a day. A commit that is made meanwhile is safe: each of its nodes was just written,
//! which touches one that was there already, or belongs to a commit before it.

use std::collections::HashSet;

use lathe_core::{Error, Result};

use crate::tree::{Child, NodeHash, Nodes, Value};
use crate::{CommitId, Data, commits, store};

/// How many commits, or nodes, are looked at at a time.
const PAGE: i64 = 500;
/// How many inner nodes are remembered as done; beyond it some are read twice.
const MAX_VISITED: usize = 200_000;
/// Bits of a mark for each node: of a thousand nodes that are garbage, about two are taken for marked and wait for another collection.
const BITS_PER_NODE: u64 = 16;
/// Bounds of the marks' size, as powers of two of bits: 8 KiB and 64 MiB.
const BITS: std::ops::RangeInclusive<u32> = 16..=29;

/// Deletes tree nodes that no commit reaches and that nobody wrote since a time (milliseconds since 1970), and the rows of staged
/// changes that commits took; answers how many nodes.
///
/// # Errors
/// What the database answers; a node that is missing or damaged, and then no node is deleted.
pub async fn collect(data: &Data, touched_before_ms: i64) -> Result<u64> {
    commits::fold_left_over(data).await?;
    let marks = mark(data).await?;
    let (mut deleted, mut after) = (0, None);
    loop {
        let page = data.nodes.list_untouched(touched_before_ms, after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(deleted) };
        after = Some(*last);
        let garbage: Vec<NodeHash> = page.into_iter().filter(|hash| !marks.has(*hash)).collect();
        deleted += data.nodes.delete_untouched(touched_before_ms, &garbage).await?;
    }
}

/// Marks every node that a commit reaches.
async fn mark(data: &Data) -> Result<Marks> {
    let mut marks = Marks::new(data.nodes.count().await?)?;
    let mut visited = HashSet::new();
    let mut after = (i64::MIN, CommitId::from_trusted(String::new()));
    loop {
        let page = store::commits::list_roots(&data.db, &after, PAGE).await?;
        for (_, _, root) in &page {
            mark_tree(&data.nodes, *root, &mut marks, &mut visited).await?;
        }
        match page.into_iter().last() {
            Some((key, id, _)) => after = (key, id),
            None => return Ok(marks),
        }
    }
}

async fn mark_tree(nodes: &Nodes, root: NodeHash, marks: &mut Marks, visited: &mut HashSet<NodeHash>) -> Result<()> {
    let mut open = vec![root];
    while let Some(hash) = open.pop() {
        if visited.len() >= MAX_VISITED {
            visited.clear();
        }
        if !visited.insert(hash) {
            continue;
        }
        marks.add(hash);
        let (node, _) = nodes.read(hash).await?;
        for (_, value) in node.items {
            match value {
                // Leaves lead nowhere: they need not be read.
                Value::Child(Child { hash, .. }) if node.level == 1 => marks.add(hash),
                Value::Child(Child { hash, .. }) => open.push(hash),
                Value::Entry(_) => {}
            }
        }
    }
    Ok(())
}

/// A set of hashes in bounded memory (a Bloom filter): it may have what was not added, and always has what was.
struct Marks {
    words: Vec<u64>,
    bits_log2: u32,
    /// Odd, and another one each time: what is taken for marked by chance is so once.
    seed: u64,
}

impl Marks {
    fn new(nodes: u64) -> Result<Self> {
        let mut seed = [0; 8];
        getrandom::fill(&mut seed)
            .map_err(|error| Error::internal(format!("the operating system gave no random bytes: {error}")))?;
        let wanted = nodes.saturating_mul(BITS_PER_NODE).max(1).ilog2() + 1;
        let bits_log2 = wanted.clamp(*BITS.start(), *BITS.end());
        Ok(Self { words: vec![0; 1 << (bits_log2 - 6)], bits_log2, seed: u64::from_le_bytes(seed) | 1 })
    }

    /// The four bits of a hash, each from eight of its bytes, which are as good as random.
    fn places(&self, hash: NodeHash) -> [(usize, u64); 4] {
        let (words, _) = hash.0.as_chunks::<8>();
        let mut places = [(0, 0); 4];
        for (place, word) in places.iter_mut().zip(words) {
            let bit = u64::from_le_bytes(*word).wrapping_mul(self.seed) >> (64 - self.bits_log2);
            *place = (usize::try_from(bit / 64).unwrap_or_default(), 1 << (bit % 64));
        }
        places
    }

    fn add(&mut self, hash: NodeHash) {
        for (at, bit) in self.places(hash) {
            if let Some(word) = self.words.get_mut(at) {
                *word |= bit;
            }
        }
    }

    fn has(&self, hash: NodeHash) -> bool {
        self.places(hash).into_iter().all(|(at, bit)| self.words.get(at).is_some_and(|word| word & bit != 0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_have_all_that_was_added_and_little_else() {
        let hash = |number: u32| NodeHash::of(&number.to_le_bytes());
        let mut marks = Marks::new(10_000).unwrap();
        (0..10_000).for_each(|number| marks.add(hash(number)));
        assert!((0..10_000).all(|number| marks.has(hash(number))));
        let wrong = (10_000..20_000).filter(|number| marks.has(hash(*number))).count();
        assert!(wrong < 200, "{wrong}");
        assert_eq!(Marks::new(u64::MAX).unwrap().words.len(), 1 << 23);
    }
}
