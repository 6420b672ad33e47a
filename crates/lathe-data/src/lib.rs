//! The data room: repositories of files under version control.

mod codec;
mod entry;
mod key;
mod names;
mod schema;
mod tree;

pub use entry::{Blob, ContentHash, Entry, Etag, MAX_INLINE_BYTES};
pub use key::ObjectKey;
pub use names::{CommitId, RefName, RepositoryName, Revision};
pub use schema::{LIVE_OBJECTS, SCHEMA};
