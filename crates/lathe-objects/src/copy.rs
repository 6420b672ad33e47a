//! Copying objects to a folder and back: the blobs of a backup. The folder is laid out as a local store is.

use std::path::Path;

use futures::StreamExt as _;
use lathe_core::{Error, Result};
use lathe_db::query;

use crate::backend::{Backend, blocking, make_folder};
use crate::objects::{verified, write_scratch};
use crate::{ObjectHash, Objects, Reference};

/// What was copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CopyReport {
    /// Objects copied now.
    pub copied: u64,
    /// Objects that were there already.
    pub already_there: u64,
    /// Bytes copied now.
    pub bytes: u64,
}

/// Copies these objects into a folder, each verified by its hash; those that lie there already are left alone.
///
/// # Errors
/// `Internal` when an object is missing or damaged, `OutOfSpace`.
pub async fn export(
    objects: &Objects,
    hashes: &[ObjectHash],
    folder: &Path,
    mut progress: impl FnMut(CopyReport),
) -> Result<CopyReport> {
    let (target, scratch_folder) = (Backend::Local(folder.to_owned()), folder.join("scratch"));
    let made = scratch_folder.clone();
    blocking(move || make_folder(&made)).await?;
    let mut report = CopyReport::default();
    for hash in hashes {
        let size = size(&objects.backend, hash).await?;
        if target.size(hash).await? == Some(size) {
            report.already_there += 1;
        } else {
            let bytes = verified(objects.backend.read(hash, 0..size).await?, hash.clone()).boxed();
            let (scratch, _) = write_scratch(&scratch_folder, bytes).await?;
            target.publish(&scratch.0, hash).await?;
            report.copied += 1;
            report.bytes += size;
        }
        progress(report);
    }
    Ok(report)
}

/// Stores these objects from such a folder, each verified by its hash.
///
/// # Errors
/// `Internal` when an object is missing or damaged, `OutOfSpace`, `Unavailable`.
pub async fn import(
    objects: &Objects,
    hashes: &[ObjectHash],
    folder: &Path,
    mut progress: impl FnMut(CopyReport),
) -> Result<CopyReport> {
    let source = Backend::Local(folder.to_owned());
    let mut report = CopyReport::default();
    for hash in hashes {
        let size = size(&source, hash).await?;
        let bytes = verified(source.read(hash, 0..size).await?, hash.clone()).boxed();
        objects.put(bytes).await?;
        report.copied += 1;
        report.bytes += size;
        progress(report);
    }
    Ok(report)
}

/// Every object that a row names, each once.
///
/// # Errors
/// What the database answers.
pub async fn named(objects: &Objects, references: &[Reference]) -> Result<Vec<ObjectHash>> {
    let mut select = query("");
    for (place, reference) in references.iter().enumerate() {
        select.push(if place == 0 { "SELECT " } else { " UNION SELECT " });
        select.push(reference.column).push(" FROM ").push(reference.table);
        // A row may name no object: an artifact must, a change that removes a path does not.
        select.push(" WHERE ").push(reference.column).push(" IS NOT NULL");
    }
    let rows = objects.db.fetch_all(select).await?;
    rows.iter().map(|row| ObjectHash::parse(&row.get::<String>(0)?)).collect()
}

async fn size(backend: &Backend, hash: &ObjectHash) -> Result<u64> {
    let missing = || Error::internal(format!("object {hash} is named by a row and missing in the store"));
    backend.size(hash).await?.ok_or_else(missing)
}
