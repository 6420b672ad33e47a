//! The room's tables.

use lathe_db::Schema;
use lathe_objects::Reference;

/// The columns that name objects.
pub const LIVE_OBJECTS: &[Reference] = &[];

/// The room's tables.
pub const SCHEMA: Schema = Schema { room: "workflows", migrations: &[] };
