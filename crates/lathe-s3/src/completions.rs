//! Completions of uploads under way: whoever asks for the same one again, because the answer got lost or took long, gets the first one's.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use lathe_data::Entry;
use s3s::dto::{Checksum, CompleteMultipartUploadInput};

/// A completion that has ended well.
#[derive(Debug)]
pub(crate) struct Done {
    /// What was asked for.
    pub(crate) asked: CompleteMultipartUploadInput,
    pub(crate) entry: Entry,
    pub(crate) checksums: Checksum,
}

/// The turn of an upload: one completion at a time, and what the last one came to.
pub(crate) type Turn = Arc<LastDone>;

type LastDone = tokio::sync::Mutex<Option<Done>>;

/// The turns of uploads that are being completed. Shared by its clones.
#[derive(Debug, Clone, Default)]
pub(crate) struct Completions(Arc<Mutex<HashMap<String, Weak<LastDone>>>>);

impl Completions {
    /// The turn of an upload; it is forgotten when nobody has it any more.
    pub(crate) fn turn(&self, upload_id: &str) -> Turn {
        let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        turns.retain(|_, turn| turn.strong_count() > 0);
        if let Some(turn) = turns.get(upload_id).and_then(Weak::upgrade) {
            return turn;
        }
        let turn = Turn::default();
        turns.insert(upload_id.to_owned(), Arc::downgrade(&turn));
        turn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upload_has_one_turn_while_somebody_has_it() {
        let completions = Completions::default();
        let first = completions.turn("a");
        assert!(Arc::ptr_eq(&first, &completions.turn("a")));
        assert!(!Arc::ptr_eq(&first, &completions.turn("b")));
        drop(first);
        let again = completions.turn("a");
        assert_eq!(Arc::strong_count(&again), 1);
        assert_eq!(completions.0.lock().unwrap().len(), 1, "nobody has the turn of b");
    }
}
