//! The data room: repositories of files under version control.
//!
//! Called by the native API and the S3 door. A repository has branches and tags, which name commits; a commit is a tree of paths.
//! Writes go to a branch's staging area and are seen by its readers at once; a commit makes them permanent. Blobs are the
//! object store's, named by hash, and stored before the row that names them; tree nodes are rows, named by hash too. What a
//! crash leaves is garbage, or a staging area that the next commit finishes.

pub mod batch_reads;
pub mod batches;
pub mod changes;
mod codec;
pub mod commits;
mod data;
mod entry;
pub mod garbage;
mod history;
mod key;
pub mod listing;
pub mod merges;
mod names;
pub mod objects;
pub mod refs;
pub mod repositories;
mod schema;
mod store;
mod tree;
pub mod uploads;
pub mod uses;
mod validate;

pub use commits::Commit;
pub use data::Data;
pub use entry::{Blob, ContentHash, Entry, Etag, MAX_INLINE_BYTES};
pub use key::ObjectKey;
pub use names::{CommitId, RefName, RepositoryName, Revision};
pub use refs::{Ref, RefKind};
pub use repositories::{Layout, Repository};
pub use schema::{LIVE_OBJECTS, SCHEMA};
