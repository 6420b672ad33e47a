//! The room's handle.

use std::fmt;
use std::sync::Arc;

use lathe_core::Project;
use lathe_db::Db;
use lathe_objects::Objects;
use quick_cache::sync::Cache;
use tokio::sync::Notify;

use crate::{Capacity, file};

/// How many parsed files are kept.
const PARSED_FILES: usize = 64;

/// The workflows room. Cheap to clone.
#[derive(Clone)]
pub struct Workflows {
    pub(crate) db: Db,
    pub(crate) objects: Objects,
    pub(crate) capacity: Capacity,
    pub(crate) files: Arc<Cache<(Project, String), Arc<file::Pipeline>>>,
    changed: Arc<Notify>,
}

impl Workflows {
    /// Makes the handle; the schema must have been migrated.
    pub fn new(db: Db, objects: Objects, capacity: Capacity) -> Self {
        Self { db, objects, capacity, files: Arc::new(Cache::new(PARSED_FILES)), changed: Arc::new(Notify::new()) }
    }

    /// Where the outputs of jobs are kept.
    pub fn objects(&self) -> &Objects {
        &self.objects
    }

    /// What the local executor gives its jobs altogether.
    pub fn capacity(&self) -> Capacity {
        self.capacity
    }

    /// Waits until there may be something to do.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Says that there may be something to do: called after the commit, by whoever ended an attempt in a transaction of its own.
    pub fn notify(&self) {
        self.changed.notify_one();
    }
}

impl fmt::Debug for Workflows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Workflows").field("db", &self.db).field("capacity", &self.capacity).finish_non_exhaustive()
    }
}
