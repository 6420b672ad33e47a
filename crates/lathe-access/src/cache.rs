//! What credentials stand for, remembered for a moment, so that a client that sends many requests costs one query a second.

use std::collections::HashMap;
use std::fmt;
use std::sync::{PoisonError, RwLock};

use lathe_core::{Actor, Grant, Project};

/// How old an answer may be. Changes made on this server are seen at once; those that another server of the same database
/// made (a revoked token, a changed role), after this time at the latest.
const STALE_AFTER_MS: i64 = 1_000;
/// When this many answers are remembered, all are forgotten: many valid credentials may slow us, not fill memory.
const MAX_ENTRIES: usize = 10_000;

/// Hashed credentials, and the project they were used in.
pub(crate) type Key = (Vec<u8>, Project);

/// Who somebody is and what they may do in one project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) actor: Actor,
    pub(crate) grant: Grant,
    /// When the credentials end by themselves.
    pub(crate) expires_at_ms: Option<i64>,
}

/// Counts the changes of this room on this server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Generation(u64);

#[derive(Default)]
struct Entries {
    generation: Generation,
    by_credentials: HashMap<Key, (Identity, i64)>,
}

/// Answers by credentials and project.
#[derive(Default)]
pub(crate) struct IdentityCache {
    entries: RwLock<Entries>,
}

impl fmt::Debug for IdentityCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IdentityCache")
    }
}

impl IdentityCache {
    /// The answer of a moment ago; when there is none, the generation that [`IdentityCache::remember`] asks for.
    pub(crate) fn get(&self, key: &Key, now_ms: i64) -> Result<Identity, Generation> {
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        let found = entries.by_credentials.get(key).filter(|(identity, found_at_ms)| {
            // An answer from the future was found before the clock was set back.
            let is_fresh = (0..STALE_AFTER_MS).contains(&now_ms.saturating_sub(*found_at_ms));
            is_fresh && identity.expires_at_ms.is_none_or(|expires_at_ms| now_ms < expires_at_ms)
        });
        found.map(|(identity, _)| identity.clone()).ok_or(entries.generation)
    }

    /// Remembers an answer, unless something changed since the generation was read: it may be the answer of before.
    pub(crate) fn remember(&self, generation: Generation, key: Key, identity: Identity, found_at_ms: i64) {
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        if entries.generation != generation {
            return;
        }
        if entries.by_credentials.len() >= MAX_ENTRIES {
            entries.by_credentials.clear();
        }
        entries.by_credentials.insert(key, (identity, found_at_ms));
    }

    /// Forgets everything, and refuses answers that are on their way.
    pub(crate) fn forget_all(&self) {
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        entries.generation.0 += 1;
        entries.by_credentials.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> Key {
        (vec![1], Project::default_project())
    }

    fn identity(expires_at_ms: Option<i64>) -> Identity {
        Identity { actor: Actor::user("anna"), grant: Grant::NONE, expires_at_ms }
    }

    #[test]
    fn an_answer_is_remembered_for_one_second() {
        let cache = IdentityCache::default();
        let generation = cache.get(&key(), 5_000).unwrap_err();
        cache.remember(generation, key(), identity(None), 5_000);
        assert_eq!(cache.get(&key(), 5_999), Ok(identity(None)));
        assert!(cache.get(&key(), 6_000).is_err());
        assert!(cache.get(&key(), 4_999).is_err(), "the clock was set back");
    }

    #[test]
    fn an_expired_answer_is_not_given() {
        let cache = IdentityCache::default();
        let generation = cache.get(&key(), 0).unwrap_err();
        cache.remember(generation, key(), identity(Some(100)), 0);
        assert!(cache.get(&key(), 99).is_ok());
        assert!(cache.get(&key(), 100).is_err());
    }

    #[test]
    fn an_answer_read_before_a_change_is_not_remembered_after_it() {
        let cache = IdentityCache::default();
        let generation = cache.get(&key(), 0).unwrap_err();
        cache.forget_all();
        cache.remember(generation, key(), identity(None), 0);
        assert!(cache.get(&key(), 0).is_err());
    }
}
