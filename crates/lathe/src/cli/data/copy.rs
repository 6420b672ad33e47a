//! `lathe cp`

use std::path::{Path, PathBuf};

use clap::Args;
use lathe_core::{Error, Result};

use super::address::{Address, SCHEME};
use super::checkout::is_manifest;
use super::downloads;
use super::files::folder_prefix;
use super::remote::Remote;
use super::transfer::{self, Done};
use crate::cli::client::Client;
use crate::cli::output::Output;
use crate::cli::text;

/// What `lathe cp --help` shows.
pub const EXAMPLES: &str = "Examples:
  lathe cp ./raw data://flights@main/raw/      a folder into a repository; files that are there already are left out
  lathe cp jan.csv data://flights/raw/         one file, onto the default branch
  lathe cp data://flights@v1/raw ./raw         out of it again, as it was at a tag
A link to a file of the folder is copied as that file; other links are left out, and counted.
Then: lathe commit flights@main -m 'January'";

/// From where to where; one of them is local.
#[derive(Debug, Args)]
pub struct CpArgs {
    /// A file, a folder, or data://REPO[@REF][/PATH]
    #[arg(value_name = "FROM")]
    from: String,
    /// A file, a folder, or data://REPO[@BRANCH][/PATH]; with / at its end, a folder
    #[arg(value_name = "TO")]
    to: String,
}

/// Runs `lathe cp`.
///
/// # Errors
/// `InvalidArgument` when not exactly one side is a repository, `NotFound`, and as [`Client::answer`].
pub async fn cp(CpArgs { from, to }: CpArgs, client: &Client, output: &Output) -> Result<()> {
    let parse = |text: &str| text.parse::<Address>().map_err(Error::invalid);
    let (done, place) = match (from.starts_with(SCHEME), to.starts_with(SCHEME)) {
        (false, true) => {
            let address = parse(&to)?;
            (upload(Path::new(&from), &address, client, output).await?, address.to_string())
        }
        (true, false) => (download(&parse(&from)?, Path::new(&to), to.ends_with('/'), client, output).await?, to),
        _ => {
            return Err(Error::invalid("one of the two must be local and the other a repository")
                .with_hint("lathe cp ./raw data://flights@main/raw/"));
        }
    };
    let Done { copied, unchanged, bytes, left_out } = done;
    let left_out = match left_out {
        0 => String::new(),
        count => format!(", {count} left out (links to folders, to nothing or out of {from}, and what is no file)"),
    };
    let copied = text::count(copied, "file");
    output.note(&format!("{copied} ({}) copied to {place}, {unchanged} unchanged{left_out}", text::bytes(bytes)));
    Ok(())
}

async fn upload(from: &Path, to: &Address, client: &Client, output: &Output) -> Result<Done> {
    let remote = Remote::open(client, to).await?;
    let mut left_out = 0;
    let files: Vec<(PathBuf, String)> = if from.is_dir() {
        let prefix = folder_prefix(&to.path);
        let mut found = transfer::files_below(from)?;
        let all = found.files.len();
        found.files.retain(|(_, below)| !is_manifest(below));
        if found.files.len() < all {
            output.note(&format!("what `lathe checkout` keeps in {} of itself is left out", from.display()));
        }
        left_out = found.left_out.len();
        found.files.into_iter().map(|(file, below)| (file, format!("{prefix}{below}"))).collect()
    } else if from.is_file() {
        let name = from.file_name().and_then(|name| name.to_str());
        let name = name.ok_or_else(|| Error::invalid(format!("{} is not UTF-8", from.display())))?;
        let is_folder = to.path.is_empty() || to.path.ends_with('/');
        vec![(from.to_owned(), if is_folder { format!("{}{name}", to.path) } else { to.path.clone() })]
    } else {
        return Err(Error::not_found(format!("{} does not exist here", from.display())));
    };
    // Of one file, its own path is all that must be known.
    let prefix = if from.is_dir() { folder_prefix(&to.path) } else { files[0].1.clone() };
    let known = remote.list(&prefix, false).await?.objects;
    let done = transfer::upload(&remote, files, known, output).await?;
    Ok(Done { left_out, ..done })
}

/// Copies a file or a folder of a repository; a file into the folder `to` under its own name when `is_folder`.
///
/// # Errors
/// `NotFound`, and as [`Client::answer`].
pub async fn download(from: &Address, to: &Path, is_folder: bool, client: &Client, output: &Output) -> Result<Done> {
    let remote = Remote::open(client, from).await?;
    let prefix = folder_prefix(&from.path);
    let mut files = Vec::new();
    for object in remote.list(&prefix, false).await?.objects {
        if let Some(path) = transfer::file_below(&prefix, &object.path) {
            let file = transfer::below(to, path)?;
            files.push((object, file));
        }
    }
    if files.is_empty() {
        let found = remote.list(&from.path, true).await?.objects;
        let object = found.into_iter().find(|object| object.path == from.path);
        let object = object.ok_or_else(|| Error::not_found(format!("{from} does not exist")))?;
        let name = from.path.rsplit('/').next().unwrap_or_default();
        let file = if is_folder || to.is_dir() { transfer::below(to, name)? } else { to.to_owned() };
        files.push((object, file));
    }
    downloads::download(&remote, files, output).await
}
