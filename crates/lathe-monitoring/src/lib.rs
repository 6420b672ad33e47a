//! The monitoring room's statistics: profiles of data in constant memory, and how far one has drifted from another.
//!
//! Pure: it stores nothing yet and no other crate calls it. What is to be built on it is in `docs/design/open/monitoring-room.md`.

pub mod distance;
pub mod drift;
mod profile;
mod sample;
mod sketch;

pub use profile::{ColumnKind, Part, Profile};
pub use sample::{Column, Outcome, Sample, Table, Values, Variant};
