//! The room's SQL.

pub(crate) mod alerts;
pub(crate) mod predictions;
pub(crate) mod references;
pub(crate) mod segments;
pub(crate) mod settings;
pub(crate) mod windows;
