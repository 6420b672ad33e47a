//! The room's handle.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock};

use lathe_core::{Project, RunId};
use lathe_db::Db;
use lathe_objects::Objects;
use tokio::sync::broadcast;

/// How many changed run ids a slow subscriber may fall behind before it misses some.
const CHANGES_LENGTH: usize = 1_024;

/// Metric names of projects to their keys. Keys are never changed or removed, so an entry never becomes wrong.
pub(crate) type MetricKeys = HashMap<(Project, String), i64>;

/// Experiment tracking. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Tracking {
    pub(crate) db: Db,
    pub(crate) objects: Objects,
    pub(crate) metric_keys: Arc<RwLock<MetricKeys>>,
    pub(crate) known_projects: Arc<RwLock<HashSet<Project>>>,
    changes: broadcast::Sender<RunChange>,
}

/// A run that changed, as told after its transaction committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunChange {
    /// The run's project; subscribers filter by it.
    pub project: Project,
    /// The run.
    pub run_id: RunId,
}

impl Tracking {
    /// Makes the handle; the schema must have been migrated.
    pub fn new(db: Db, objects: Objects) -> Self {
        let (changes, _) = broadcast::channel(CHANGES_LENGTH);
        Self {
            db,
            objects,
            metric_keys: Arc::default(),
            known_projects: Arc::default(),
            changes,
        }
    }

    /// Runs that change from now on, in this process, of all projects. A receiver that lags reads again from the database.
    pub fn subscribe(&self) -> broadcast::Receiver<RunChange> {
        self.changes.subscribe()
    }

    pub(crate) fn tell_changed(&self, project: &Project, run_id: &RunId) {
        if self.changes.receiver_count() > 0 {
            // Fails only when the last receiver has just gone.
            let _ = self.changes.send(RunChange { project: project.clone(), run_id: run_id.clone() });
        }
    }

    pub(crate) fn is_known(&self, project: &Project) -> bool {
        self.known_projects.read().unwrap_or_else(PoisonError::into_inner).contains(project)
    }

    pub(crate) fn remember(&self, project: &Project) {
        self.known_projects.write().unwrap_or_else(PoisonError::into_inner).insert(project.clone());
    }
}
