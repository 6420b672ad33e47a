//! The room's handle.

use lathe_db::Db;
use lathe_objects::Objects;

/// The serving room. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Serving {
    pub(crate) db: Db,
    pub(crate) objects: Objects,
}

impl Serving {
    /// Makes the handle; the schema must have been migrated.
    pub fn new(db: Db, objects: Objects) -> Self {
        Self { db, objects }
    }
}
