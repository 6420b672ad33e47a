//! The room's handle.

use lathe_db::Db;
use lathe_objects::Objects;

use crate::tree::Nodes;
use crate::uses::PathsRead;

/// The data room. Cheap to clone; the cache of tree nodes is shared by the clones.
#[derive(Debug, Clone)]
pub struct Data {
    pub(crate) db: Db,
    pub(crate) objects: Objects,
    pub(crate) nodes: Nodes,
    pub(crate) paths_read: PathsRead,
}

impl Data {
    /// Makes the handle; the schema must have been migrated.
    pub fn new(db: Db, objects: Objects) -> Self {
        let nodes = Nodes::new(db.clone());
        Self { db, objects, nodes, paths_read: PathsRead::default() }
    }
}
