//! `lathe checkout`: a folder that is a ref of a repository.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;
use lathe_core::{Code, Error, Result};
use reqwest::Method;
use serde::{Deserialize, Serialize};

use super::address::Address;
use super::files::folder_prefix;
use super::remote::Remote;
use super::{downloads, transfer};
use crate::cli::client::Client;
use crate::cli::output::Output;

/// What `lathe checkout --help` shows.
pub const EXAMPLES: &str = "Examples:
  lathe checkout flights@main ./flights        the branch's newest commit; again later: only what changed
  lathe checkout flights@v1/raw ./raw          a folder of it, at a tag
Files that an earlier checkout wrote and that the ref has no more are removed, unless they were changed here.";

/// In the folder: what the last checkout wrote.
const MANIFEST: &str = ".lathe-checkout.json";

/// From where to where.
#[derive(Debug, Args)]
pub struct CheckoutArgs {
    /// REPO[@REF][/PATH]
    #[arg(value_name = "PLACE")]
    place: Address,
    /// The folder [default: the repository's name]
    #[arg(value_name = "FOLDER")]
    folder: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
struct Commit {
    id: String,
}

/// What is in the folder because of a checkout.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Manifest {
    repository: String,
    commit: String,
    path: String,
    /// Path below the folder to BLAKE3 of the bytes.
    files: BTreeMap<String, String>,
}

/// Runs `lathe checkout`.
///
/// # Errors
/// `NotFound`, `Conflict` for a folder of another checkout, `Unavailable` for one that cannot be written.
pub async fn run(CheckoutArgs { place, folder }: CheckoutArgs, client: &Client, output: &Output) -> Result<()> {
    let folder = folder.unwrap_or_else(|| PathBuf::from(&place.repository));
    let mut remote = Remote::open(client, &place).await?;
    // A commit does not move under the reader's hands.
    let commit: Commit = remote.answer(remote.request(Method::GET, &["refs", &remote.revision])).await?;
    remote.revision = commit.id.clone();
    let before = read(&folder)?;
    if before.as_ref().is_some_and(|before| before.repository != place.repository || before.path != place.path) {
        return Err(Error::conflict(format!("{} is a checkout of something else", folder.display()))
            .with_hint("choose another folder"));
    }
    let prefix = folder_prefix(&place.path);
    let mut now = Manifest {
        repository: place.repository.clone(),
        commit: commit.id,
        path: place.path.clone(),
        files: BTreeMap::new(),
    };
    let mut files = Vec::new();
    for object in remote.list(&prefix, false).await?.objects {
        if let Some(path) = object.path.strip_prefix(&prefix).filter(|path| !path.is_empty() && !path.ends_with('/')) {
            let file = transfer::below(&folder, path)?;
            now.files.insert(path.to_owned(), object.hash.clone());
            files.push((object, file));
        }
    }
    if files.is_empty() && !place.path.is_empty() {
        return Err(Error::not_found(format!("{place} is no folder with files in it")));
    }
    let done = downloads::download(&remote, files, output).await?;
    let removed = remove_gone(&folder, before.unwrap_or_default(), &now, output).await?;
    write(&folder, &now)?;
    output.note(&format!(
        "{} is {}@{}: {} files fetched, {} unchanged, {removed} removed",
        folder.display(),
        place.repository,
        now.commit.get(..12).unwrap_or(&now.commit),
        done.copied,
        done.unchanged
    ));
    Ok(())
}

/// Removes what an earlier checkout wrote and the ref has no more; what was changed since stays.
async fn remove_gone(folder: &Path, before: Manifest, now: &Manifest, output: &Output) -> Result<usize> {
    let mut removed = 0;
    for (path, hash) in before.files.iter().filter(|(path, _)| !now.files.contains_key(*path)) {
        let file = transfer::below(folder, path)?;
        match transfer::hash(&file).await {
            Ok(known) if known == *hash => {
                std::fs::remove_file(&file).map_err(|error| failed(&file, &error))?;
                removed += 1;
            }
            Ok(_) => output.note(&format!("{} was changed here and is kept", file.display())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(&file, &error)),
        }
    }
    Ok(removed)
}

fn failed(file: &Path, error: &std::io::Error) -> Error {
    Error::new(Code::Unavailable, format!("{}: {error}", file.display()))
}

fn read(folder: &Path) -> Result<Option<Manifest>> {
    let file = folder.join(MANIFEST);
    match std::fs::read(&file) {
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|_| {
            Error::conflict(format!("{} is not what a checkout writes", file.display()))
                .with_hint("remove it to check out into this folder anew")
        }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(&file, &error)),
    }
}

fn write(folder: &Path, manifest: &Manifest) -> Result<()> {
    let file = folder.join(MANIFEST);
    let text = serde_json::to_vec_pretty(manifest)
        .map_err(|error| Error::internal("a checkout cannot be described").with_source(error))?;
    std::fs::create_dir_all(folder).and_then(|()| std::fs::write(&file, text)).map_err(|error| failed(&file, &error))
}
