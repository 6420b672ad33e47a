//! The room's handle.

use std::collections::BTreeSet;
use std::sync::Arc;

use lathe_core::{Project, Result};
use lathe_db::Db;
use prometheus_client::registry::Registry;

use crate::live::Live;
use crate::metrics::ServingMetrics;
use crate::reconcile::route_all;

/// The serving room. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Serving {
    pub(crate) db: Db,
    pub(crate) live: Arc<Live>,
}

impl Serving {
    /// Makes the handle; the schema must have been migrated.
    pub fn new(db: Db) -> Self {
        Self { db, live: Arc::new(Live::new(ServingMetrics::default())) }
    }

    /// What Prometheus is shown of these projects: requests, errors and latencies by deployment and version.
    pub fn metrics_of(&self, projects: &BTreeSet<Project>) -> Registry {
        self.live.metrics().of_projects(projects)
    }

    /// Reads what is wanted and routes requests by it; tells the loop that makes it so.
    ///
    /// # Errors
    /// What the database answers; then requests are routed as before.
    pub async fn refresh(&self) -> Result<()> {
        route_all(self).await?;
        self.live.changed().notify_one();
        Ok(())
    }

    /// Waits until something of the room has changed.
    pub async fn changed(&self) {
        self.live.changed().notified().await;
    }
}
