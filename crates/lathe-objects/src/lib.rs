//! The only blob I/O of Lathe: objects addressed by the BLAKE3 hash of their bytes, on local files or an S3-compatible store.
//!
//! Rooms put bytes here first and then write the row that names the hash. What a crash leaves between the two is garbage
//! that [`gc`] collects. **Invariant:** no name that a client chose reaches a path; a path is made of a hash alone.

mod backend;
mod copy;
mod fsck;
mod gc;
mod hash;
mod objects;
mod schema;

pub use copy::{CopyReport, export, import, named};
pub use fsck::{Damage, FsckReport, fsck};
pub use gc::{DEFAULT_GRACE_MS, GcReport, gc};
pub use hash::ObjectHash;
pub use objects::{Object, ObjectRead, Objects};
pub use schema::{Reference, SCHEMA};
