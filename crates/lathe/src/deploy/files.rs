//! The files of a model version in a local folder, named by what they hold: equal models share one.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use futures::StreamExt as _;
use lathe_core::{Code, Ctx, Error, Result};
use lathe_models::model_versions::get_model_version;
use lathe_objects::ObjectHash;
use lathe_tracking::ArtifactPath;
use lathe_tracking::artifacts::{find_artifact, get_artifact, list_artifacts, path_of_uri};
use tokio::io::AsyncWriteExt as _;

use crate::caches;
use crate::server::Rooms;

/// More files than any model has.
const MAX_FILES: usize = 100_000;

/// A file of a model: where it lies in the model's folder, where it is kept, and what it holds.
struct ModelFile {
    below: PathBuf,
    path: ArtifactPath,
    hash: ObjectHash,
}

/// Fetches the files of a model version; answers the folder.
///
/// # Errors
/// `NotFound` when the version is gone or has no files here, `InvalidArgument` when they are kept by another server.
pub(super) async fn fetch(ctx: &Ctx, rooms: &Rooms, serving: &Path, model: &str, version: i64) -> Result<PathBuf> {
    let location = get_model_version(ctx, &rooms.models, model, version).await?.storage_location;
    let root = path_of_uri(&location)?;
    let files = list(ctx, rooms, &root).await?;
    if !files.iter().any(|file| file.below == Path::new("MLmodel")) {
        return Err(Error::not_found(format!(
            "version {version} of {model} has no file MLmodel: it is no MLflow model"
        )));
    }
    let models = serving.join("models");
    let folder = models.join(digest(&files));
    if tokio::fs::try_exists(&folder).await.unwrap_or(false) {
        caches::mark(&folder);
        return Ok(folder);
    }
    tokio::fs::create_dir_all(&models).await.map_err(cannot_write)?;
    let part = tempfile::Builder::new().prefix("part-").tempdir_in(&models).map_err(cannot_write)?;
    for file in &files {
        write(ctx, rooms, &part.path().join(&file.below), &file.path).await?;
    }
    // Another start of an equal model may have been faster.
    match tokio::fs::rename(part.path(), &folder).await {
        Err(_) if folder.is_dir() => {}
        renamed => renamed.map_err(cannot_write)?,
    }
    Ok(folder)
}

async fn list(ctx: &Ctx, rooms: &Rooms, root: &ArtifactPath) -> Result<Vec<ModelFile>> {
    let mut files = Vec::new();
    let mut folders = vec![(root.clone(), PathBuf::new())];
    while let Some((folder, below)) = folders.pop() {
        for entry in list_artifacts(ctx, &rooms.tracking, Some(&folder)).await? {
            // Parsed once more: nothing but a plain name may become part of a local path.
            let is_plain = !entry.name.contains(['/', '\\', '\0']) && !matches!(entry.name.as_str(), "" | "." | "..");
            if !is_plain || files.len() == MAX_FILES {
                return Err(Error::invalid(format!("the model has a file that cannot be fetched: {:?}", entry.name)));
            }
            let (path, below) = (folder.join(&ArtifactPath::parse(&entry.name)?)?, below.join(&entry.name));
            match entry.size_bytes {
                None => folders.push((path, below)),
                Some(_) => {
                    let hash = find_artifact(ctx, &rooms.tracking, &path).await?.hash;
                    files.push(ModelFile { below, path, hash });
                }
            }
        }
    }
    files.sort_by(|one, other| one.below.cmp(&other.below));
    Ok(files)
}

fn digest(files: &[ModelFile]) -> String {
    let mut hasher = blake3::Hasher::new();
    for file in files {
        hasher.update(file.below.as_os_str().as_encoded_bytes());
        hasher.update(&[0]);
        hasher.update(file.hash.as_str().as_bytes());
        hasher.update(&[0]);
    }
    hasher.finalize().to_hex().to_string()
}

async fn write(ctx: &Ctx, rooms: &Rooms, to: &Path, from: &ArtifactPath) -> Result<()> {
    if let Some(folder) = to.parent() {
        tokio::fs::create_dir_all(folder).await.map_err(cannot_write)?;
    }
    let mut content = get_artifact(ctx, &rooms.tracking, from, None).await?.object.stream;
    let mut file = tokio::fs::File::create(to).await.map_err(cannot_write)?;
    while let Some(chunk) = content.next().await {
        file.write_all(&chunk?).await.map_err(cannot_write)?;
    }
    file.flush().await.map_err(cannot_write)
}

/// Writes a file that others see whole or not at all.
pub(super) async fn write_whole(to: &Path, content: &[u8]) -> Result<()> {
    let folder = to.parent().unwrap_or(Path::new("."));
    let part = tempfile::NamedTempFile::new_in(folder).map_err(cannot_write)?;
    tokio::fs::write(part.path(), content).await.map_err(cannot_write)?;
    part.persist(to).map(|_| ()).map_err(|error| cannot_write(error.error))
}

pub(super) fn cannot_write(error: std::io::Error) -> Error {
    let full = matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded);
    let error_of = |code, what: &str| Error::new(code, format!("the folder of deployments {what}"));
    let failure = match full {
        true => error_of(Code::OutOfSpace, "has no space left: the version is started once there is some"),
        false => error_of(Code::Internal, "cannot be written"),
    };
    failure.with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_passes_and_a_folder_that_cannot_be_written_does_not() {
        for (kind, passes) in [(ErrorKind::StorageFull, true), (ErrorKind::PermissionDenied, false)] {
            assert_eq!(cannot_write(kind.into()).code().is_transient(), passes, "{kind}");
        }
    }
}
