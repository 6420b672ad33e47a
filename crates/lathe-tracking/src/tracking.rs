//! The room's handle.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock};

use lathe_core::{Name, Project, Result, RunId};
use lathe_db::Db;
use lathe_objects::Objects;
use tokio::sync::{Mutex, broadcast};

use crate::store;
use crate::store::metrics::KeyIds;

/// How many changed run ids a slow subscriber may fall behind before it misses some.
const CHANGES_LENGTH: usize = 1_024;

/// How many metric names are remembered; past it, forgetting all and reading again is cheaper than keeping count of use.
const KEYS_LENGTH: usize = 100_000;

/// Metric names of projects and their ids. Neither is ever changed or removed, so an entry never becomes wrong.
#[derive(Debug, Default)]
struct MetricKeys {
    ids: HashMap<Project, HashMap<String, i64>>,
    names: HashMap<i64, String>,
}

/// Experiment tracking. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Tracking {
    pub(crate) db: Db,
    pub(crate) objects: Objects,
    metric_keys: Arc<RwLock<MetricKeys>>,
    known_projects: Arc<RwLock<HashSet<Project>>>,
    /// Whose artifacts (first) which runs have read (second), as far as that is recorded.
    pub(crate) artifact_reads: Arc<Mutex<HashSet<(Name, Name)>>>,
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
        let (metric_keys, known_projects, artifact_reads) = (Arc::default(), Arc::default(), Arc::default());
        Self { db, objects, metric_keys, known_projects, artifact_reads, changes }
    }

    /// Runs that change from now on, in this process, of all projects. A receiver that lags reads again from the database.
    pub fn subscribe(&self) -> broadcast::Receiver<RunChange> {
        self.changes.subscribe()
    }

    /// Tells subscribers that a run changed: called after the commit, by whoever changed it in a transaction of its own.
    pub fn tell_changed(&self, project: &Project, run_id: &RunId) {
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

    /// The ids of those names that are remembered, and the names that are not.
    pub(crate) fn known_keys<'a>(
        &self,
        project: &Project,
        names: impl IntoIterator<Item = &'a str>,
    ) -> (KeyIds, Vec<&'a str>) {
        let keys = self.metric_keys.read().unwrap_or_else(PoisonError::into_inner);
        let ids = keys.ids.get(project);
        let (mut known, mut unknown) = (KeyIds::new(), Vec::new());
        for name in names {
            match ids.and_then(|ids| ids.get(name)) {
                Some(id) => {
                    known.insert(name.to_owned(), *id);
                }
                None => unknown.push(name),
            }
        }
        unknown.sort_unstable();
        unknown.dedup();
        (known, unknown)
    }

    /// Remembers ids that are committed.
    pub(crate) fn remember_keys(&self, project: &Project, new: &KeyIds) {
        if new.is_empty() {
            return;
        }
        let mut keys = self.metric_keys.write().unwrap_or_else(PoisonError::into_inner);
        if keys.names.len() > KEYS_LENGTH {
            *keys = MetricKeys::default();
        }
        keys.names.extend(new.iter().map(|(name, id)| (*id, name.clone())));
        keys.ids.entry(project.clone()).or_default().extend(new.iter().map(|(name, id)| (name.clone(), *id)));
    }

    /// The ids of those names that have one.
    pub(crate) async fn find_keys<'a>(
        &self,
        project: &Project,
        names: impl IntoIterator<Item = &'a str>,
    ) -> Result<KeyIds> {
        let (mut known, unknown) = self.known_keys(project, names);
        if !unknown.is_empty() {
            let mut read = store::metrics::find_keys(&self.db, project, &unknown).await?;
            self.remember_keys(project, &read);
            known.append(&mut read);
        }
        Ok(known)
    }

    /// The names of these ids of one project.
    pub(crate) async fn key_names(&self, project: &Project, ids: &[i64]) -> Result<HashMap<i64, String>> {
        let mut names = HashMap::with_capacity(ids.len());
        let mut unknown = Vec::new();
        {
            let keys = self.metric_keys.read().unwrap_or_else(PoisonError::into_inner);
            for id in ids {
                match keys.names.get(id) {
                    Some(name) => {
                        names.insert(*id, name.clone());
                    }
                    None => unknown.push(*id),
                }
            }
        }
        if !unknown.is_empty() {
            let read = store::runs::metric_names(&self.db, &unknown).await?;
            let ids: KeyIds = read.iter().map(|(id, name)| (name.clone(), *id)).collect();
            self.remember_keys(project, &ids);
            names.extend(read);
        }
        Ok(names)
    }
}
