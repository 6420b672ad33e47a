//! `lathe checkout`: a folder that is a ref of a repository.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use lathe_core::{Code, Error, Result};
use reqwest::Method;
use serde::{Deserialize, Serialize};

use super::address::Address;
use super::downloads::{self, Wanted};
use super::files::folder_prefix;
use super::remote::Remote;
use super::transfer;
use crate::cli::client::Client;
use crate::cli::output::Output;
use crate::cli::text;

/// What `lathe checkout --help` shows.
pub const EXAMPLES: &str = "Examples:
  lathe checkout flights@main ./flights        the branch's newest commit; again later: only what changed
  lathe checkout flights@v1/raw ./raw          a folder of it, at a tag
Files that an earlier checkout wrote and that the ref has no more are removed, unless they were changed here.
A file that was changed here, or that no checkout wrote, is never overwritten without --force.";

/// In the folder: what the last checkout wrote.
const MANIFEST: &str = ".lathe-checkout.json";

/// Whether a path is the file in which a checkout keeps what it wrote: it is true of one folder only, and no file of a repository.
pub(super) fn is_manifest(path: &str) -> bool {
    path.rsplit('/').next() == Some(MANIFEST)
}

/// How many files a refusal names.
const MAX_NAMED: usize = 20;

/// From where to where.
#[derive(Debug, Args)]
pub struct CheckoutArgs {
    /// REPO[@REF][/PATH]
    #[arg(value_name = "PLACE")]
    place: Address,
    /// The folder [default: the repository's name]
    #[arg(value_name = "FOLDER")]
    folder: Option<PathBuf>,
    /// Overwrite files that were changed here
    #[arg(short, long)]
    force: bool,
}

#[derive(Debug, Deserialize)]
struct Commit {
    id: String,
}

/// What is in the folder because of a checkout.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Manifest {
    repository: String,
    commit: String,
    path: String,
    /// Path below the folder to BLAKE3 of the bytes.
    files: BTreeMap<String, String>,
    /// The same of a checkout that has not ended: each of these may have arrived.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    arriving: BTreeMap<String, String>,
}

/// Runs `lathe checkout`.
///
/// # Errors
/// `NotFound`, `Conflict` for a folder of another checkout and for files that were changed here, `Unavailable` for a folder
/// that cannot be written.
pub async fn run(arguments: CheckoutArgs, client: &Client, output: &Output) -> Result<()> {
    let CheckoutArgs { place, folder, force } = arguments;
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
        ..Manifest::default()
    };
    let mut files = Vec::new();
    for object in remote.list(&prefix, false).await?.objects {
        if let Some(path) = transfer::file_below(&prefix, &object.path) {
            let file = transfer::below(&folder, path)?;
            now.files.insert(path.to_owned(), object.hash.clone());
            files.push((object, file));
        }
    }
    if files.is_empty() && !place.path.is_empty() {
        return Err(Error::not_found(format!("{place} is no folder with files in it")));
    }
    let wanted = files.len();
    let files = downloads::differing(files).await?;
    let unchanged = wanted - files.len();
    let mut before = before.unwrap_or_else(|| Manifest { files: BTreeMap::new(), ..now.clone() });
    settle(&folder, &mut before).await?;
    if !force {
        refuse_changed(&folder, &files, &before).await?;
    }
    // Whoever goes on after an interruption must know what it had fetched from what was changed here.
    let arriving = files.iter().filter_map(|(object, _)| object.path.strip_prefix(&prefix));
    before.arriving = arriving.filter_map(|path| Some((path.to_owned(), now.files.get(path)?.clone()))).collect();
    write(&folder, &before)?;
    // First, because a folder may be where a file was.
    let removed = remove_gone(&folder, &before, &now, output).await?;
    let done = downloads::fetch_all(&remote, files, output).await?;
    write(&folder, &now)?;
    output.note(&format!(
        "{} is {}@{}: {} fetched, {unchanged} unchanged, {removed} removed",
        folder.display(),
        place.repository,
        now.commit.get(..12).unwrap_or(&now.commit),
        text::count(done.copied, "file"),
    ));
    Ok(())
}

/// Counts what an interrupted checkout had fetched among what was checked out.
async fn settle(folder: &Path, before: &mut Manifest) -> Result<()> {
    for (path, hash) in std::mem::take(&mut before.arriving) {
        if local_hash(&transfer::below(folder, &path)?).await?.is_some_and(|here| here == hash) {
            before.files.insert(path, hash);
        }
    }
    Ok(())
}

/// Refuses to overwrite what is neither as the last checkout wrote it nor as this one would.
async fn refuse_changed(folder: &Path, files: &[Wanted], before: &Manifest) -> Result<()> {
    let mut changed = Vec::new();
    for (_, file) in files {
        let Some(here) = local_hash(file).await? else { continue };
        let path = file.strip_prefix(folder).ok().and_then(Path::to_str).unwrap_or_default();
        if before.files.get(path) != Some(&here) {
            changed.push(file.display().to_string());
        }
    }
    if changed.is_empty() {
        return Ok(());
    }
    let more = match changed.len().saturating_sub(MAX_NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let named = changed.iter().take(MAX_NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    Err(Error::conflict(format!(
        "{} would be overwritten whose bytes are only here: {named}{more}",
        text::count(changed.len(), "file")
    ))
    .with_hint("keep them under another name, or overwrite them: --force"))
}

/// BLAKE3 of what is under a name here; `None` when nothing is.
async fn local_hash(file: &Path) -> Result<Option<String>> {
    use std::io::ErrorKind;
    match transfer::hash(file).await {
        Ok(hash) => Ok(Some(hash)),
        // A folder is never overwritten by a file.
        Err(error)
            if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::IsADirectory) =>
        {
            Ok(None)
        }
        Err(error) => Err(failed(file, &error)),
    }
}

/// Removes what an earlier checkout wrote and the ref has no more; what was changed since stays.
async fn remove_gone(folder: &Path, before: &Manifest, now: &Manifest, output: &Output) -> Result<usize> {
    let mut removed = 0;
    for (path, hash) in before.files.iter().filter(|(path, _)| !now.files.contains_key(*path)) {
        let file = transfer::below(folder, path)?;
        match local_hash(&file).await? {
            Some(known) if known == *hash => {
                std::fs::remove_file(&file).map_err(|error| failed(&file, &error))?;
                remove_empty(folder, &file);
                removed += 1;
            }
            Some(_) => output.note(&format!("{} was changed here and is kept", file.display())),
            None => {}
        }
    }
    Ok(removed)
}

/// Removes the folders that a file leaves empty.
fn remove_empty(folder: &Path, file: &Path) {
    // One that is not empty refuses, and ends it.
    let above = file.ancestors().skip(1).take_while(|above| *above != folder);
    for above in above {
        if std::fs::remove_dir(above).is_err() {
            return;
        }
    }
}

fn failed(file: &Path, error: &std::io::Error) -> Error {
    Error::new(Code::Unavailable, format!("{}: {error}", file.display()))
}

fn read(folder: &Path) -> Result<Option<Manifest>> {
    let file = folder.join(MANIFEST);
    match std::fs::read(&file) {
        Ok(bytes) => {
            let mut manifest: Manifest = serde_json::from_slice(&bytes).map_err(|_| {
                Error::conflict(format!("{} is not what a checkout writes", file.display()))
                    .with_hint("remove it to check out into this folder anew")
            })?;
            // An earlier Lathe took one that had been copied into the repository for a file.
            manifest.files.retain(|path, _| !is_manifest(path));
            Ok(Some(manifest))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(&file, &error)),
    }
}

fn write(folder: &Path, manifest: &Manifest) -> Result<()> {
    let file = folder.join(MANIFEST);
    let text = serde_json::to_vec_pretty(manifest)
        .map_err(|error| Error::internal("a checkout cannot be described").with_source(error))?;
    let written =
        std::fs::create_dir_all(folder).and_then(|()| downloads::partial_in(folder)).and_then(|mut partial| {
            partial.write_all(&text)?;
            partial.persist(&file).map_err(|error| error.error)
        });
    written.map(|_| ()).map_err(|error| failed(&file, &error))
}
