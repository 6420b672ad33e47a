//! Completions of uploads: whoever asks for the same one again, because the answer got lost or took long, gets the first one's. An answer is kept for
//! some minutes, in memory: nobody has it after a restart.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use lathe_data::Entry;
use s3s::dto::{Checksum, CompleteMultipartUploadInput};

/// How long an answer is kept.
const KEPT_MS: i64 = 5 * 60 * 1000;
/// Of so many uploads answers are kept at the most, and of uploads that have so many parts together: what was asked for is kept, too.
const MAX_KEPT: usize = 1_000;
const MAX_KEPT_PARTS: usize = 50_000;

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

/// The turns of uploads that are being completed, or were a short time ago. Shared by its clones.
#[derive(Debug, Clone, Default)]
pub(crate) struct Completions(Arc<Mutex<Turns>>);

#[derive(Debug, Default)]
struct Turns {
    by_upload: HashMap<String, Weak<LastDone>>,
    /// Oldest first.
    kept: VecDeque<Kept>,
}

#[derive(Debug)]
struct Kept {
    /// Keeps the turn from being forgotten.
    _turn: Turn,
    parts: usize,
    until_ms: i64,
}

impl Completions {
    /// The turn of an upload; it is forgotten when nobody has it any more.
    pub(crate) fn turn(&self, upload_id: &str, now_ms: i64) -> Turn {
        let mut turns = self.lock();
        turns.forget(now_ms);
        if let Some(turn) = turns.by_upload.get(upload_id).and_then(Weak::upgrade) {
            return turn;
        }
        let turn = Turn::default();
        turns.by_upload.insert(upload_id.to_owned(), Arc::downgrade(&turn));
        turn
    }

    /// Keeps what a turn came to for a while: its answer may get lost on the way.
    pub(crate) fn keep(&self, turn: Turn, parts: usize, now_ms: i64) {
        let mut turns = self.lock();
        turns.kept.push_back(Kept { _turn: turn, parts, until_ms: now_ms + KEPT_MS });
        turns.forget(now_ms);
    }

    fn lock(&self) -> MutexGuard<'_, Turns> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turns {
    fn forget(&mut self, now_ms: i64) {
        let mut parts: usize = self.kept.iter().map(|kept| kept.parts).sum();
        while let Some(oldest) = self.kept.front()
            && (oldest.until_ms <= now_ms || self.kept.len() > MAX_KEPT || parts > MAX_KEPT_PARTS)
        {
            parts -= oldest.parts;
            self.kept.pop_front();
        }
        self.by_upload.retain(|_, turn| turn.strong_count() > 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upload_has_one_turn_while_somebody_has_it() {
        let completions = Completions::default();
        let first = completions.turn("a", 0);
        assert!(Arc::ptr_eq(&first, &completions.turn("a", 0)));
        assert!(!Arc::ptr_eq(&first, &completions.turn("b", 0)));
        drop(first);
        let again = completions.turn("a", 0);
        assert_eq!(Arc::strong_count(&again), 1);
        assert_eq!(completions.lock().by_upload.len(), 1, "nobody has the turn of b");
    }

    #[test]
    fn what_a_turn_came_to_is_kept_for_a_while() {
        let completions = Completions::default();
        let has = |upload_id: &str, now_ms| Arc::strong_count(&completions.turn(upload_id, now_ms)) > 1;
        completions.keep(completions.turn("a", 0), 3, 0);
        completions.keep(completions.turn("b", 1), 3, 1);
        assert!(has("a", KEPT_MS - 1) && has("b", KEPT_MS - 1));
        assert!(!has("a", KEPT_MS) && has("b", KEPT_MS));
        assert!(!has("b", KEPT_MS + 1));
        // Not of any number of uploads and parts.
        for parts in [1, MAX_KEPT_PARTS / 10] {
            for at in 0..=MAX_KEPT {
                completions.keep(completions.turn(&at.to_string(), 0), parts, 0);
            }
            let kept = completions.lock().kept.len();
            assert_eq!(kept, (MAX_KEPT_PARTS / parts).min(MAX_KEPT), "with {parts} parts each");
            assert!(has(&MAX_KEPT.to_string(), 0) && !has("0", 0), "the oldest are forgotten");
        }
    }
}
