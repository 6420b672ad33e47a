//! The room's handle.

use lathe_db::Db;
use lathe_objects::Objects;

/// The workflows room. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Workflows {
    pub(crate) db: Db,
    pub(crate) objects: Objects,
}

impl Workflows {
    /// Makes the handle; the schema must have been migrated.
    pub fn new(db: Db, objects: Objects) -> Self {
        Self { db, objects }
    }
}
