//! `lathe ls`, `lathe cat`, `lathe rm`

use clap::Args;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use lathe_core::{Code, Error, Result};
use reqwest::Method;
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;

use super::address::Address;
use super::remote::Remote;
use crate::cli::client::Client;
use crate::cli::output::{Cell, Output, Table};
use crate::cli::text;

/// How many requests are under way at the same time.
const AT_ONCE: usize = 16;

/// Where to look.
#[derive(Debug, Args)]
pub struct LsArgs {
    /// REPO[@REF][/PATH]
    #[arg(value_name = "PLACE")]
    place: Address,
    /// Everything below, not one level
    #[arg(short, long)]
    recursive: bool,
}

/// Which file.
#[derive(Debug, Args)]
pub struct CatArgs {
    /// REPO[@REF]/PATH
    #[arg(value_name = "FILE")]
    file: Address,
}

/// What to remove.
#[derive(Debug, Args)]
pub struct RmArgs {
    /// REPO[@BRANCH]/PATH
    #[arg(value_name = "PLACE")]
    place: Address,
    /// Everything below the path
    #[arg(short, long)]
    recursive: bool,
}

/// Runs `lathe ls`.
///
/// # Errors
/// `NotFound`, and as [`Client::answer`].
pub async fn ls(LsArgs { place, recursive }: LsArgs, client: &Client, output: &Output) -> Result<()> {
    let remote = Remote::open(client, &place).await?;
    let prefix = folder_prefix(&place.path);
    let mut listing = remote.list(&prefix, !recursive).await?;
    if listing.objects.is_empty() && listing.folders.is_empty() && !place.path.is_empty() {
        // The path of a file.
        listing = remote.list(&place.path, true).await?;
        listing.objects.retain(|object| object.path == place.path);
        listing.folders.clear();
        if listing.objects.is_empty() {
            return Err(Error::not_found(format!("{place} does not exist")));
        }
    }
    let mut table =
        Table::new([("path", "PATH"), ("size_bytes", "SIZE"), ("modified_at_ms", "WRITTEN"), ("hash", "HASH")]);
    for folder in listing.folders {
        table.push(vec![Cell::Text(folder), Cell::text(None), Cell::time(None), Cell::text(None)]);
    }
    for object in listing.objects {
        let hash: String = object.hash.chars().take(16).collect();
        let row = [Cell::Text(object.path), Cell::Bytes(object.size_bytes), Cell::Time(object.modified_at_ms)];
        table.push(row.into_iter().chain([Cell::Text(hash)]).collect());
    }
    output.print_list(&table, "files")
}

/// A path as the prefix of what is below it.
pub fn folder_prefix(path: &str) -> String {
    if path.is_empty() || path.ends_with('/') { path.to_owned() } else { format!("{path}/") }
}

/// Runs `lathe cat`.
///
/// # Errors
/// `InvalidArgument` for a folder, `NotFound`, and as [`Client::answer`].
pub async fn cat(CatArgs { file }: CatArgs, client: &Client) -> Result<()> {
    if file.path.is_empty() || file.path.ends_with('/') {
        return Err(
            Error::invalid(format!("{file} is no file")).with_hint("name one: REPO[@REF]/PATH; lathe ls lists them")
        );
    }
    let remote = Remote::open(client, &file).await?;
    let response = match remote.open_stream(remote.object(Method::GET, &file.path)).await {
        Err(error) if error.code() == Code::NotFound && remote.is_folder(&file.path).await.unwrap_or_default() => {
            return Err(Error::invalid(format!("{file} is a folder")).with_hint(format!("lathe ls {file}")));
        }
        response => response?,
    };
    let mut bytes = response.bytes_stream();
    let mut stdout = tokio::io::stdout();
    while let Some(chunk) = bytes.next().await {
        let chunk = chunk.map_err(|error| Error::new(Code::Unavailable, "the file broke off").with_source(error))?;
        if let Err(error) = stdout.write_all(&chunk).await {
            return match error.kind() {
                std::io::ErrorKind::BrokenPipe => Ok(()),
                _ => Err(Error::new(Code::OutOfSpace, "the file cannot be printed").with_source(error)),
            };
        }
    }
    let _ = stdout.flush().await;
    Ok(())
}

/// Runs `lathe rm`.
///
/// # Errors
/// `NotFound`, and as [`Client::answer`].
pub async fn rm(RmArgs { place, recursive }: RmArgs, client: &Client, output: &Output) -> Result<()> {
    let remote = Remote::open(client, &place).await?;
    let paths: Vec<String> = if recursive {
        remote.list(&folder_prefix(&place.path), false).await?.objects.into_iter().map(|object| object.path).collect()
    } else {
        let found = remote.list(&place.path, true).await?.objects;
        found.into_iter().filter(|object| object.path == place.path).map(|object| object.path).collect()
    };
    if paths.is_empty() {
        let error = Error::not_found(format!("{place} does not exist"));
        return Err(if recursive { error } else { error.with_hint("a folder is removed with --recursive") });
    }
    let count = paths.len();
    if recursive {
        output.confirm(&format!("Remove {} from {place}? (A commit makes it final)", text::count(count, "file")))?;
    }
    stream::iter(paths)
        .map(|path| {
            let remote = &remote;
            async move { remote.answer::<Value>(remote.object(Method::DELETE, &path)).await.map(|_| ()) }
        })
        .buffer_unordered(AT_ONCE)
        .try_collect::<Vec<()>>()
        .await?;
    output.note(&format!("removed {}; not committed yet", text::count(count, "file")));
    Ok(())
}
