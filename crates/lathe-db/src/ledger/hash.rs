//! The hashes of the chain: SHA-256 with the domain separation of RFC 6962, so that a leaf can never pass for a node.

use lathe_core::EventId;
use sha2::{Digest as _, Sha256};

use super::EventRecord;

pub(super) type Hash = [u8; 32];

/// What the first batch is chained to.
pub(super) const GENESIS: Hash = [0; 32];

const LEAF: u8 = 0;
const NODE: u8 = 1;
const HEAD: u8 = 2;
/// Version of the encoding below; a new encoding gets a new number, and old events keep theirs.
const ENCODING: u8 = 1;

/// The hash of everything an event says, each field preceded by its length.
pub(super) fn leaf(event: &EventRecord) -> Hash {
    let EventRecord { id, project, at_ms, actor, action, subject, request_id, detail, edges, position: _, hash: _ } =
        event;
    let mut hasher = Sha256::new();
    hasher.update([LEAF, ENCODING]);
    let mut field = |bytes: &[u8]| {
        hasher.update((bytes.len() as u64).to_be_bytes());
        hasher.update(bytes);
    };
    field(EventId::as_str(id).as_bytes());
    field(project.as_str().as_bytes());
    field(&at_ms.to_be_bytes());
    field(actor.kind.as_str().as_bytes());
    field(actor.name.as_bytes());
    field(action.as_bytes());
    field(subject.as_str().as_bytes());
    field(request_id.as_bytes());
    field(detail.as_bytes());
    field(&(edges.len() as u64).to_be_bytes());
    for edge in edges {
        field(edge.from.as_str().as_bytes());
        field(edge.to.as_str().as_bytes());
        field(edge.kind.as_bytes());
    }
    hasher.finalize().into()
}

/// The Merkle root of a batch; an odd node at the end of a level moves up unchanged. Empty input has the genesis hash.
pub(super) fn root(leaves: &[Hash]) -> Hash {
    let mut level = leaves.to_vec();
    while level.len() > 1 {
        level =
            level.chunks(2).map(|pair| if let [left, right] = pair { node(left, right) } else { pair[0] }).collect();
    }
    level.first().copied().unwrap_or(GENESIS)
}

fn node(left: &Hash, right: &Hash) -> Hash {
    Sha256::new().chain_update([NODE]).chain_update(left).chain_update(right).finalize().into()
}

/// The head of the chain after a batch.
pub(super) fn head(previous: &Hash, batch: i64, first_position: i64, last_position: i64, root: &Hash) -> Hash {
    Sha256::new()
        .chain_update([HEAD, ENCODING])
        .chain_update(previous)
        .chain_update(batch.to_be_bytes())
        .chain_update(first_position.to_be_bytes())
        .chain_update(last_position.to_be_bytes())
        .chain_update(root)
        .finalize()
        .into()
}

/// Reads stored bytes as a hash; bytes of another length are no hash of ours.
pub(super) fn from_bytes(bytes: &[u8]) -> Option<Hash> {
    bytes.try_into().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The heads of a chain over batches of leaves.
    fn heads(batches: &[Vec<Hash>]) -> Vec<Hash> {
        let (mut previous, mut position, mut found) = (GENESIS, 0, Vec::new());
        for (batch, leaves) in (1..).zip(batches) {
            let last = position + i64::try_from(leaves.len()).unwrap();
            previous = head(&previous, batch, position + 1, last, &root(leaves));
            position = last;
            found.push(previous);
        }
        found
    }

    proptest! {
        /// A changed, removed, added or moved event changes the head of its batch and every later one, and no earlier one.
        #[test]
        fn every_change_shows_in_all_later_heads(
            batches in prop::collection::vec(prop::collection::vec(any::<Hash>(), 1..6), 1..6),
            place in any::<prop::sample::Index>(),
            inner in any::<prop::sample::Index>(),
            change in 0..4_u8,
            bit in 0..8_u8,
        ) {
            let before = heads(&batches);
            let mut changed = batches.clone();
            let at = place.index(batches.len());
            let leaf_at = inner.index(batches[at].len());
            match change {
                0 => changed[at][leaf_at][usize::from(bit)] ^= 1 << bit,
                1 => { changed[at].remove(leaf_at); }
                2 => changed[at].insert(leaf_at, [bit; 32]),
                _ => changed[at].rotate_left(leaf_at),
            }
            prop_assume!(changed != batches);
            let after = heads(&changed);
            prop_assert_eq!(&after[..at], &before[..at]);
            for later in at..before.len() {
                prop_assert_ne!(after[later], before[later]);
            }
        }
    }

    #[test]
    fn root_depends_on_every_leaf_and_their_order() {
        let leaves: Vec<Hash> = (0..7_u8).map(|i| [i; 32]).collect();
        let whole = root(&leaves);
        for changed in 0..leaves.len() {
            let mut other = leaves.clone();
            other[changed][31] ^= 1;
            assert_ne!(root(&other), whole);
        }
        let mut swapped = leaves.clone();
        swapped.swap(2, 5);
        assert_ne!(root(&swapped), whole);
    }

    #[test]
    fn a_batch_of_one_is_not_its_own_parent() {
        let leaf = [7; 32];
        assert_eq!(root(&[leaf]), leaf);
        assert_ne!(root(&[leaf, leaf]), leaf);
    }
}
