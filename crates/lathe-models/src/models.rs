//! The room's handle.

use lathe_db::Db;

/// The model repository. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Models {
    pub(crate) db: Db,
}

impl Models {
    /// Makes the handle; the schema must have been migrated.
    pub fn new(db: Db) -> Self {
        Self { db }
    }
}
